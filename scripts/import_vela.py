"""Vela's own report of what it supports → the tables `ethos-u55`, `ethos-u65` and `ethos-u85`.

    vela --supported-ops-report            # in the environment of requirements/vela.txt: writes SUPPORTED_OPS.md
    python scripts/import_vela.py SUPPORTED_OPS.md [--out op_tables/targets]

The report names the operators and, in prose, the constraints of each. `vela_rules.bullets` says every constraint as a
limit; a bullet that is not there stops the import. What the report leaves out is added by hand from the C++ sources in
the package's sdist (`vela_rules.semantics`: what makes Vela refuse the file); what was measured (where the compiler
fails after it has accepted the operator) stands at the end of each table, and is kept. Prints nothing when all went
well; the tables are then reviewed and committed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from vela_rules.limits import TARGETS, Limit
from vela_rules.operators import CHECKED
from vela_rules.report import limits_of, sections
from vela_rules.semantics import fused, seen, semantics


def render(target: str, lines: list[str], measured: str, head: str) -> str:
    ops, generic = sections(lines, TARGETS[target])
    groups: dict[tuple[object, ...], tuple[Limit, list[str]]] = {}
    for section in ops:
        for limit in limits_of(target, section, generic):
            key = (limit.id, limit.require, limit.say, limit.otherwise, limit.source)
            groups.setdefault(key, (limit, []))[1].append(section.name)
    parts = [head]
    for section in ops:
        parts.append(f'[[op]]\nop = "{section.name}"\nsource = ["report:{section.line}"]\n')
    for limit, names in groups.values():
        parts.append(_limit(limit, names))
    listed = {section.name for section in ops}
    parts += _refusable(target, [op for op in CHECKED if op not in listed])
    return "\n".join([*parts, measured])


def _refusable(target: str, ops: list[str]) -> Iterator[str]:
    """Operators that the report does not list, but for which Vela may refuse the whole file."""
    groups: dict[Limit, list[str]] = {}
    for op in ops:
        yield f'[[op]]\nop = "{op}"\nverdict = "fallback"\nsay = "Vela leaves {op} to the CPU"\nsource = ["report:1"]\n'
        checks: Iterable[Limit] = (*semantics(op), *fused(target, op))
        if op != "GATHER":  # no check of its own looks at its inputs
            checks = (seen(op) if one.id == "inputs-present" else one for one in checks)
        for one in checks:
            if one.otherwise == "rejected":
                groups.setdefault(one, []).append(op)
    for limit, names in groups.items():
        yield _limit(limit, names).replace("otherwise = ", 'of = "fallback"\notherwise = ', 1)


def _limit(limit: Limit, names: list[str]) -> str:
    text = f"[[op_limit]]\nops = {json.dumps(names)}\nid = {json.dumps(limit.id)}\n"
    quote = "'" if "'" not in limit.require else '"""'
    text += f"require = {quote}{limit.require}{quote}\notherwise = {json.dumps(limit.otherwise)}\n"
    text += f"say = {json.dumps(limit.say, ensure_ascii=False)}\nsource = {json.dumps(list(limit.source))}\n"
    return text + (f"help = {json.dumps(limit.help, ensure_ascii=False)}\n" if limit.help else "")


MARK = "# --- below: written by hand, kept by scripts/import_vela.py ---\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--out", type=Path, default=Path("op_tables/targets"))
    options = parser.parse_args()
    lines = options.report.read_text().splitlines()
    for target in TARGETS:
        path = options.out / f"{target}.toml"
        old = path.read_text() if path.exists() else ""
        head = old.split("[[op]]")[0].rstrip() + "\n" if old else ""
        measured = MARK + old.split(MARK)[1] if MARK in old else MARK
        path.write_text(render(target, lines, measured, head))
    return 0


if __name__ == "__main__":
    sys.exit(main())
