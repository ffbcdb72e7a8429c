"""Take up what a Mac or an iPhone says of its Neural Engine: a compute plan's dump, as evidence and as facts of `coreml-ane`.

    python scripts/import_compute_plan.py plan.json Model.mlpackage

The dump is what the snippet in op_tables/README.md writes. The model it was made of gives the element types and
shapes; an operation is found in it by the name of its output. A fact holds for just what was measured: operation,
element types, shapes, chip, system. Where plans disagree there is no fact.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecheck.errors import EdgecheckError
from edgecheck.model.formats import coreml
from edgecheck.model.graph import Model, Node, Tensor
from two_halves import mark

TABLES = Path(__file__).parents[1] / "op_tables"
SCHEMA = "edgecheck.compute-plan/1"
DEVICES = ("cpu", "gpu", "neuralEngine")
_SKIPPED = ("const",)  # no work: the plan names no device


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a plan; `preferred` None: the plan names no device for it."""

    op: str
    output: str
    preferred: str | None
    supported: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A dump: where and when it was made, and its operations."""

    chip: str
    system: str
    day: str
    operations: tuple[Operation, ...]


def read_plan(path: Path) -> Plan:
    """The dump at `path`; raises `EdgecheckError` (2) with the place of what is wrong in it."""
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EdgecheckError(f"{path.name}: {error}") from None
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise EdgecheckError(f"{path.name}: 'schema' is not {SCHEMA}", help="op_tables/README.md has the snippet")
    chip, system, day = (_text(raw, key, path.name) for key in ("chip", "system", "date"))
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        raise EdgecheckError(f"{path.name}: 'date' is {day!r}; must be a day such as 2026-11-21")
    operations = raw.get("operations")
    if not isinstance(operations, list) or not operations:
        raise EdgecheckError(f"{path.name}: 'operations' is missing")
    return Plan(
        chip=chip,
        system=system,
        day=day,
        operations=tuple(_operation(one, f"{path.name}: operations[{i}]") for i, one in enumerate(operations)),
    )


def _text(raw: Mapping[str, Any], key: str, place: str) -> str:
    """A string that may stand in a table: letters, digits, spaces, and `.,-+()`."""
    value = raw.get(key)
    if not isinstance(value, str) or not re.fullmatch(r"[\w .,+():/-]{1,200}", value):
        raise EdgecheckError(f"{place}: '{key}' is {value!r}; must be a short plain text")
    return value


def _operation(raw: Any, place: str) -> Operation:
    if not isinstance(raw, dict):
        raise EdgecheckError(f"{place} is no object")
    preferred, supported = raw.get("preferred"), raw.get("supported", [])
    for device in [*([preferred] if preferred is not None else []), *supported]:
        if device not in DEVICES:
            raise EdgecheckError(f"{place} names the device {device!r}; known: {', '.join(DEVICES)}")
    op = re.sub(r"^(ios|coreml)\d+\.", "", _text(raw, "op", place))
    return Operation(op=op, output=_text(raw, "output", place), preferred=preferred, supported=tuple(supported))


def measured(plan: Plan, model: Model) -> list[dict[str, Any]]:
    """A line of evidence for each operation that the plan places; raises (2) where plan and model do not belong together."""
    made = {out.name: node for node in model.nodes for out in node.outputs if out is not None}
    rows = []
    for one in plan.operations:
        if one.preferred is None or one.op in _SKIPPED:
            continue
        node = made.get(one.output)
        if node is None or node.op != one.op:
            what = f"makes it with {node.op}" if node else "has no such value"
            raise EdgecheckError(f"the plan makes '{one.output}' with {one.op}, and {model.path.name} {what}")
        rows.append(_row(plan, one, node))
    if not rows:
        raise EdgecheckError("the plan places no operation")
    return rows


def _row(plan: Plan, one: Operation, node: Node) -> dict[str, Any]:
    verdict, reason = _verdict(one)
    return {
        "target": "coreml-ane", "op": one.op, "limit": "", "side": "base",
        "probe": f"{one.op} {one.output}", "verdict": verdict, "reason": reason,
        "oracle": "MLComputePlan", "version": plan.system, "date": plan.day, "chip": plan.chip,
        "inputs": [_signature(t) for t in node.inputs if t is not None],
        "outputs": [_signature(t) for t in node.outputs if t is not None],
    }  # fmt: skip


def _verdict(one: Operation) -> tuple[str, str]:
    """What the Neural Engine can run, and does not in this plan, is no evidence of either."""
    if one.preferred == "neuralEngine":
        return "supported", ""
    if "neuralEngine" in one.supported:
        return "inconclusive", f"the Neural Engine can run it; in this model the plan prefers {one.preferred}"
    return "fallback", f"the plan's devices: {', '.join(one.supported) or one.preferred}"


def _signature(tensor: Tensor) -> list[Any]:
    """Element type and shape; None where the file does not say."""
    return [tensor.dtype, None if tensor.shape is None else list(tensor.shape)]


def half(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The lower half of the table: a source for each chip and system, an entry for each thing measured."""
    seen: dict[str, set[str]] = defaultdict(set)
    origin: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["verdict"] == "inconclusive" or not _whole(row):
            continue
        key = json.dumps([row["op"], row["chip"], row["version"], row["inputs"], row["outputs"]])
        seen[key].add(row["verdict"])
        origin[key] = row
    agreed = {key: origin[key] for key in sorted(seen) if len(seen[key]) == 1}
    for key in sorted(seen.keys() - agreed.keys()):
        print(f"no fact, the plans disagree: {key}", file=sys.stderr)
    yield from dict.fromkeys(_source(row) for row in agreed.values())
    yield from (_entry(row) for row in agreed.values())


def _whole(row: Mapping[str, Any]) -> bool:
    """Whether every element type and every dimension is known: else the fact would speak of more than was measured."""
    return all(dtype and shape is not None and None not in shape for dtype, shape in [*row["inputs"], *row["outputs"]])


def _name(row: Mapping[str, Any]) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{row['version']} {row['chip']}".lower()).strip("-")


def _source(row: Mapping[str, Any]) -> str:
    return (
        f'[source.{_name(row)}]\ntitle = "MLComputePlan of {row["version"]} on {row["chip"]}"\n'
        f'package = "CoreML"\nversion = "{row["version"]}"\ncommand = "MLComputePlan.deviceUsage(for:)"\n'
        f'licence = "measured"\nseen = {row["date"]}\nkind = "measured"\n'
    )


def _entry(row: Mapping[str, Any]) -> str:
    when = " and ".join(
        [
            f"env.chip == '{row['chip']}'",
            f"env.system == '{row['version']}'",
            f"[t.dtype for t in inputs] == {[dtype for dtype, _ in row['inputs']]}",
            f"[t.shape for t in inputs] == {[shape for _, shape in row['inputs']]}",
            f"[t.shape for t in outputs] == {[shape for _, shape in row['outputs']]}",
        ]
    )
    say = "" if row["verdict"] == "supported" else 'say = "the Neural Engine does not run it"\n'
    verdict = "" if row["verdict"] == "supported" else f'verdict = "{row["verdict"]}"\n'
    return f'[[op]]\nop = "{row["op"]}"\nwhen = "{when}"\n{verdict}{say}source = ["{_name(row)}:{row["probe"]}"]\n'


def take_up(plan: Plan, model: Model, tables: Path) -> Path:
    """Add the plan to the evidence in `tables`, and make the table's lower half of all of it; the evidence's path."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", f"{plan.system}-{plan.chip}")
    path = tables / "evidence" / f"MLComputePlan-{slug}.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    lines += [json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in measured(plan, model)]
    path.write_text("".join(f"{line}\n" for line in sorted(set(lines))), "utf-8")
    everything = [
        json.loads(line)
        for file in sorted(path.parent.glob("MLComputePlan-*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
    ]
    table = tables / "targets" / "coreml-ane.toml"
    divide = mark("import_compute_plan.py")
    upper = table.read_text("utf-8").partition(divide)[0]
    table.write_text(upper + divide + "\n".join(half(everything)), "utf-8")
    return path


def main() -> int:
    """Exit code 2 for a dump that is none, or of another model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("plan", type=Path, help="what the snippet of op_tables/README.md wrote")
    parser.add_argument("model", type=Path, help="the .mlpackage or .mlmodel that was compiled for it")
    arguments = parser.parse_args()
    try:
        path = take_up(read_plan(arguments.plan), coreml.read(arguments.model), TABLES)
    except EdgecheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{path}: look at it, then `make check`", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
