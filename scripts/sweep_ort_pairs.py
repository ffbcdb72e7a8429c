"""Name the probe on the inner side of a limit, in stored evidence that has one on the outer side.

    python scripts/sweep_ort_pairs.py op_tables/evidence/ort_web-1.30.0.jsonl

A limit that a stored answer confirmed from outside (`side: "outside"`) is measured on both sides where the oracle also
took a probe of the same operator, at the same point of the axis, to which the limit applies and for which it holds: of
these the one that differs least from the outer probe is named with the limit (`side: "inside"`). Nothing is asked.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from edgecheck.check import _file_facts, _in_force, _number
from edgecheck.model.graph import Node
from edgecheck.oracles import onnx_probe
from edgecheck.probing import evidence
from edgecheck.probing.replay import at_point
from edgecheck.results import TargetPoint
from edgecheck.tables.compiled import compile_table
from edgecheck.tables.evaluation import holds
from edgecheck.tables.optable import Limit, OpTable, from_compiled
from edgecheck.tables.scope import Edges, Scope

Row = evidence.Row


@cache
def table(target: str) -> OpTable:
    """The table as it stands in op_tables/."""
    path = Path(__file__).parents[1] / "op_tables" / "targets" / f"{target}.toml"
    return from_compiled(*compile_table(tomllib.loads(path.read_text()), where=path.name))


def inner(rows: list[Row]) -> Iterator[Row]:
    """For each limit with an outer probe and no inner one, the nearest of those that the oracle took."""
    named = {(row["target"], row["op"], row["limit"], row["side"]) for row in rows if row.get("limit")}
    taken: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        taken.setdefault((row["target"], row["op"], row["verdict"], _where(row)), []).append(row)
    for row in rows:
        key = (row["target"], row["op"], row.get("limit") or "", "inside")
        if row["side"] != "outside" or not key[2] or key in named:
            continue
        target = at_point(row, table(row["target"]))
        for limit in _limits(row, target):
            good = "fallback" if limit.of == "fallback" else "supported"
            around = taken.get((row["target"], row["op"], good, _where(row)), ())
            near = sorted(around, key=lambda one: _apart(one["spec"], row["spec"]))
            found = next((one for one in near if holds_for(one, limit, target)), None)
            if found is not None:
                named.add(key)
                yield {**found, "limit": limit.id, "side": "inside", "probe": f"{found['probe']}-{limit.id}"}
                break


def _where(row: Row) -> str:
    return json.dumps([row.get("at"), row.get("settings")])


def _limits(row: Row, target: TargetPoint) -> Iterator[Limit]:
    for entry in target.table.entries(row["op"]):
        for limit in (*entry.limits, *target.table.limits):
            if limit.id == row["limit"] and not limit.opaque and _in_force(limit, target.version):
                yield limit


def holds_for(row: Row, limit: Limit, target: TargetPoint) -> bool:
    """Whether the limit speaks of the probe, and is kept by it."""
    model = onnx_probe.read(row["spec"])
    node: Node = list(model.nodes)[onnx_probe.at(row["spec"])]
    env = {**target.settings, "version": _number(target), **_file_facts(model)}
    scope = Scope(node=node, env=env, edges=Edges.of(model.graphs), verdict=lambda _: "supported")
    return (limit.when is None or holds(limit.when, scope) is True) and holds(limit.require, scope) is True


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """How many of the parts of two descriptions differ."""
    mine, theirs = set(_parts(one, "")), set(_parts(other, ""))
    return len(mine ^ theirs)


def _parts(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inside in value.items():
            yield from _parts(inside, f"{at}.{key}")
    elif isinstance(value, list) and not at.endswith(".c"):
        for number, inside in enumerate(value):
            yield from _parts(inside, f"{at}[{number}]")
    else:
        yield f"{at}={value}"


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        rows = list(evidence.read(path))
        found = list(inner(rows))
        evidence.write(path, evidence.merged(rows, found))
        print(f"{path.name}: {len(found)} limits with a probe inside that had one outside")


if __name__ == "__main__":
    main()
