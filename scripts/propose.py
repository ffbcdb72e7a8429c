"""Disagreements into table changes for review: a simple condition that separates what the engine takes from what not.

    python scripts/propose.py TARGET [--ops CONV_2D,ADD] [--answers FILE.jsonl …]

Reads the stored evidence of the target (and more rows of the same form), looks at each operator where the table differs
from what was measured, and searches all of its probes for one comparison — the type, rank, size or constness of an input
or output, an attribute, the operator's version, a scale's presence — that separates supported from not, given the table's own
limits. Prints TOML with its evidence. Where no single comparison does it, it says so and gives up. Changes no file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

from edgecheck.model.graph import Node, Tensor  # noqa: E402
from edgecheck.probing import evidence  # noqa: E402
from edgecheck.probing.replay import judged  # noqa: E402
from edgecheck.tables import bundle  # noqa: E402
from edgecheck.tables.optable import OpTable  # noqa: E402

FEWEST = 3  # probes on each side that a proposal stands on


@dataclass(frozen=True, slots=True)
class Seen:
    """A probe with what the oracle and the table say of it."""

    row: Mapping[str, Any]
    node: Node
    measured: str
    table: str
    limit: str

    @property
    def taken(self) -> bool:
        return self.measured == "supported"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A limit that would make the table say what was measured: of all probes, or of those that have one type."""

    require: str
    wrong: int  # probes that it still gets wrong
    inside: tuple[str, ...]
    outside: tuple[str, ...]


def seen(rows: Iterable[Mapping[str, Any]], table: OpTable) -> dict[str, list[Seen]]:
    """Every conclusive described probe, by operator."""
    found: dict[str, list[Seen]] = {}
    for row in rows:
        if row["verdict"] in evidence.CONCLUSIVE and evidence.described(row) is not None and not row.get("differs"):
            ours = judged(row, table)
            one = Seen(row, ours.node, row["verdict"], ours.verdict, ours.limit or "")
            found.setdefault(row["op"], []).append(one)
    return found


def features(node: Node) -> dict[str, Any]:
    """What a limit could ask, as expressions of the limit language with their values on this node."""
    found: dict[str, Any] = {"op_version": node.version, "arity": len(node.inputs)}
    for name, value in node.attrs.items():
        if isinstance(value, (bool, int, float, str)):
            found[f"attr.{name}"] = value
        elif isinstance(value, (tuple, list)) and all(isinstance(one, (int, float)) for one in value):
            found[f"len(attr.{name})"] = len(value)
            found |= {f"max(attr.{name})": max(value), f"min(attr.{name})": min(value)} if value else {}
    for side, tensors in (("in", node.inputs), ("out", node.outputs)):
        for place, tensor in enumerate(tensors[:5]):
            found |= _of_tensor(f"{side}[{place}]", tensor)
    return found


def _of_tensor(name: str, tensor: Tensor | None) -> dict[str, Any]:
    found: dict[str, Any] = {f"exists({name})": tensor is not None}
    if tensor is None:
        return found
    found |= {f"const({name})": tensor.const, f"{name}.dtype": tensor.dtype}
    found |= {f"quantized({name})": tensor.quantization is not None and bool(tensor.quantization.scales)}
    if tensor.shape is not None:
        found |= {f"{name}.rank": len(tensor.shape), f"static({name})": None not in tensor.shape}
        found |= {f"{name}.shape[{i - len(tensor.shape)}]": size for i, size in enumerate(tensor.shape)}
        found |= {f"{name}.size": tensor.size}
    return found


def conditions(probes: list[Seen]) -> Iterator[str]:
    """Single comparisons over what these probes have, true of all that the engine takes where that can be said."""
    values = [(features(one.node), one.taken) for one in probes]
    names = sorted({name for one, _ in values for name in one})
    for name in names:
        taken = [one[name] for one, good in values if good and one.get(name) is not None]
        refused = [one[name] for one, good in values if not good and one.get(name) is not None]
        if not taken or not refused:
            continue
        yield from _compared(name, taken, refused)


def _compared(name: str, taken: list[Any], refused: list[Any]) -> Iterator[str]:
    if all(isinstance(one, bool) for one in (*taken, *refused)):
        if len(set(taken)) == 1:
            yield name if taken[0] else f"not {name}"
        return
    if all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (*taken, *refused)):
        if max(taken) < min((one for one in refused if one > max(taken)), default=max(taken)):
            yield f"{name} <= {max(taken)}"
        if min(taken) > max((one for one in refused if one < min(taken)), default=min(taken)):
            yield f"{name} >= {min(taken)}"
    if all(isinstance(one, str) for one in (*taken, *refused)) or name.endswith(".rank") or name == "op_version":
        allowed, wrong = sorted(set(taken)), sorted(set(refused) - set(taken))
        if len(allowed) <= 8:
            yield f"{name} in {json.dumps(allowed)}"
        if wrong and len(wrong) <= 8:
            yield f"{name} not in {json.dumps(wrong)}"


def holds(condition: str, node: Node) -> bool:
    """The condition on a node, unknown counted as true: only what is refused for sure is refused."""
    from edgecheck.tables.evaluation import holds as value
    from edgecheck.tables.language import parse
    from edgecheck.tables.scope import Edges, Scope

    return value(parse(condition), Scope(node=node, env={}, edges=Edges({}, {}))) is not False


def proposal(probes: list[Seen]) -> Proposal | None:
    """The comparison that best separates the probes; None where even the best leaves one wrong."""
    best: Proposal | None = None
    for condition in conditions(probes):
        inside = [one for one in probes if holds(condition, one.node)]
        outside = [one for one in probes if not holds(condition, one.node)]
        wrong = sum(not one.taken for one in inside) + sum(one.taken for one in outside)
        made = Proposal(condition, wrong, _names(inside), _names(outside))
        if min(len(inside), len(outside)) >= FEWEST and (
            best is None or (wrong, len(condition)) < (best.wrong, len(best.require))
        ):
            best = made
    return best if best is not None and best.wrong == 0 else None


def _names(probes: list[Seen]) -> tuple[str, ...]:
    return tuple(str(one.row["probe"]) for one in probes)[:6]


def proposed(op: str, probes: list[Seen]) -> Iterator[str]:
    """What to change about one operator, or that it is not simple."""
    loose = [one for one in probes if one.table == "supported" and not one.taken]
    if loose:
        yield from _tighter(op, probes, loose)
    for limit in sorted({one.limit for one in probes if one.table != "supported" and one.taken}):
        refused = [one for one in probes if one.limit == limit and one.table not in ("supported", "unknown")]
        wrong = [one for one in refused if one.taken]
        if wrong:
            yield from _looser(op, limit, refused, wrong)


def _tighter(op: str, probes: list[Seen], loose: list[Seen]) -> Iterator[str]:
    """The table says yes to what the engine refuses: a limit is missing."""
    passed = [one for one in probes if one.table == "supported"]
    found = proposal(passed)
    yield f"# {op}: {len(loose)} of {len(passed)} probes that the table takes are refused, e.g. {loose[0].row['reason']!r}"
    if found is None:
        yield f"# no single comparison separates them: {', '.join(_names(loose))}"
        return
    yield "[[op_limit]]"
    yield f"ops = [{json.dumps(op)}]"
    yield f"id = {json.dumps('measured-' + ''.join(c if c.isalnum() else '-' for c in found.require.split()[0]).strip('-'))}"
    yield f"require = {json.dumps(found.require)}"
    yield f"otherwise = {json.dumps(loose[0].measured)}"
    yield 'source = ["…"]  # the place in the engine that refuses: read it before this is taken over'
    yield f"# inside: {', '.join(found.inside)}; outside: {', '.join(found.outside)}"


def _looser(op: str, limit: str, refused: list[Seen], wrong: list[Seen]) -> Iterator[str]:
    """The engine takes what a limit refuses."""
    yield f"# {op}: {len(wrong)} of {len(refused)} probes that {limit or 'no entry'} refuses are taken: {', '.join(_names(wrong))}"
    if len(wrong) == len(refused) >= FEWEST:
        yield f"# every one is taken: take the limit {limit!r} of {op} out, or widen it"
        return
    found = proposal(refused)
    if found is None:
        yield "# no single comparison separates what is taken: not simple, nothing is proposed"
        return
    yield f"# widen {limit!r} of {op}: require = (what it has) or ({found.require})"
    yield f"# inside: {', '.join(found.inside)}; outside: {', '.join(found.outside)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--ops", default="")
    parser.add_argument("--answers", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    table = bundle.load(given.target)
    rows = evidence.of_target(given.target)
    rows += [row for path in given.answers for row in evidence.read(path) if row["target"] == given.target]
    ops = [op for op in given.ops.split(",") if op]
    for op, probes in sorted(seen(rows, table).items()):
        if not ops or op in ops:
            for line in proposed(op, probes):
                print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
