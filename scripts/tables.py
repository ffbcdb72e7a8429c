"""Compile the op tables into the bundle and print what is there; `--lint`: say what is wrong with them."""

from __future__ import annotations

import sys
from pathlib import Path

from edgecheck.check import point
from edgecheck.errors import EdgecheckError
from edgecheck.tables import bundle, devices, vocabulary
from edgecheck.tables.lint import lint
from edgecheck.tables.optable import every_limit

FOLDER = Path(__file__).parents[1] / "op_tables"


def show() -> None:
    """One row a target: ops, facts, share of them with a place and measured; then the sums."""
    total = placed = measured = 0
    print(f"{'target':<26} {'format':<7} {'ops':>5} {'facts':>6} {'limits':>7} {'measured':>9}  oldest evidence")
    for table in map(bundle.load, bundle.targets()):
        limits = [limit for _, limit in every_limit(table)]
        entries = [entry for op in table.ops for entry in table.entries(op)]
        facts = [*limits, *entries]
        seen = sum(bool(fact.probes) for fact in facts)
        total, measured = total + len(facts), measured + seen
        placed += sum(bool(limit.source) for limit in limits)
        placed += sum(bool(entry.source or entry.limits) for entry in entries)
        counts = f"{len(table.raw_ops):>5} {len(facts):>6} {len(limits):>7} {seen / max(len(facts), 1):>9.0%}"
        print(f"{table.id:<26} {table.format:<7} {counts}  {table.oldest_evidence}")
    shares = f"{placed / max(total, 1):.0%} with evidence, {measured / max(total, 1):.0%} measured"
    print(f"{len(bundle.targets())} targets, {total:,} facts, {shares}; {len(devices.every())} devices")


def main() -> int:
    """Exit code 1 when the lint finds something."""
    try:
        bundle.write(FOLDER)
        problems = [] if "--lint" not in sys.argv else _problems()
    except EdgecheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if not problems:
        show()
    return 1 if problems else 0


def _problems() -> list[str]:
    found = []
    for name in bundle.targets():
        table = bundle.load(name)
        found += lint(table, vocabulary.of(table.format))
    catalogue = devices.every()
    found += devices.lint(catalogue, bundle.targets(), devices.unoffered())
    for device in catalogue:
        for offer in device.targets:
            try:
                point(bundle.load(offer.id), offer.version, offer.settings)
            except EdgecheckError as error:
                found.append(f"devices.toml: {device.id}: {error}")
    return found


if __name__ == "__main__":
    sys.exit(main())
