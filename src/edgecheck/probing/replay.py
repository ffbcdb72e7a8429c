"""Stored probe results held against a table: the same nodes judged again, without the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgecheck.check import check, judge, point
from edgecheck.model.formats.tflite_options import defaults
from edgecheck.model.graph import Model, Node, Tensor
from edgecheck.oracles import onnx_probe, tflite_probe
from edgecheck.probing import programs
from edgecheck.probing.evidence import CONCLUSIVE, described, measured_at
from edgecheck.results import NodeVerdict, TargetPoint
from edgecheck.tables.optable import OpTable
from edgecheck.tables.scope import Edges, Scope


@dataclass(slots=True)
class Agreement:
    """How a table's verdicts stand to an oracle's. The lists hold one sentence for each difference."""

    asked: int = 0  # conclusive answers
    same: int = 0  # the same verdict
    supported: int = 0  # by the oracle: what "always yes" would get right
    undecided: int = 0  # the oracle crashed, or the probe was invalid
    explained: int = 0  # differences that the evidence explains
    unknown: list[str] = field(default_factory=list)
    false_supported: list[str] = field(default_factory=list)
    false_refused: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)  # fallback where it is rejected, or the other way round
    outdated: list[str] = field(default_factory=list)  # explained, and there is no difference any more
    by_op: Counter[str] = field(default_factory=Counter)

    @property
    def placed(self) -> float:
        """Share where table and engine agree on whether the engine takes it."""
        wrong = len(self.unknown) + len(self.false_supported) + len(self.false_refused)
        return 1 - wrong / max(self.asked, 1)

    @property
    def share(self) -> float:
        """Share with the same verdict."""
        return self.same / max(self.asked, 1)

    def add(self, measured: str, judged: str, sentence: str, *, differs: str | None = None) -> None:
        """Count one answer beside the table's verdict."""
        if measured not in CONCLUSIVE:
            self.undecided += 1
            return
        self.asked += 1
        self.same += measured == judged
        self.supported += measured == "supported"
        if measured == judged:
            self.outdated += [sentence] if differs else []
        elif differs:
            self.explained += 1
        elif judged == "unknown":
            self.unknown.append(sentence)
        elif judged == "supported":
            self.false_supported.append(sentence)
        else:
            (self.false_refused if measured == "supported" else self.mixed).append(sentence)


def at_point(row: Mapping[str, Any], table: OpTable) -> TargetPoint:
    """The point of the axis, and the settings, that the row was measured at."""
    return point(table, measured_at(row, table.versions), row.get("settings"))


def judged(row: Mapping[str, Any], table: OpTable) -> NodeVerdict:
    """The table's verdict on what the row asked."""
    target = at_point(row, table)
    spec = described(row)
    if table.format == "executorch":
        return check(programs.model_of(row), target)[0]
    if spec is not None:
        return of_spec(spec, target)
    types = row["inputs"]
    return _of_names(row, types, target) if isinstance(types, Mapping) else _of_types(row, types, target)


def of_spec(spec: Mapping[str, Any], target: TargetPoint) -> NodeVerdict:
    """The verdict of the node that a description asks about."""
    place = onnx_probe.at(spec) if target.table.format == "onnx" else 0
    return next(one for one in check(model_of(spec, target.table.format), target) if one.node.index == place)


def model_of(spec: Mapping[str, Any], format: str) -> Model:
    """A description as the `Model` that its file gives: attributes that it leaves out have the format's defaults."""
    if format == "onnx":
        return onnx_probe.read(spec)
    if format == "executorch":
        return programs.model_of({"op": spec["op"], "spec": spec})
    filled = {**defaults(spec["op"]), **(spec.get("a") or {})}
    return tflite_probe.read({**spec, "a": filled, "unstated": spec.get("a") is None})


def _of_types(row: Mapping[str, Any], types: list[str | None], target: TargetPoint) -> NodeVerdict:
    """An ONNX node of which only the types are known."""
    reads, makes = (
        tuple(Tensor(name="", dtype=one, shape=None) if one else None for one in side)
        for side in (types, row["outputs"])
    )
    node = Node(
        graph=0, index=0, name="", op=row["op"], version=row["op_version"], inputs=reads, outputs=makes, attrs={}
    )  # fmt: skip
    return judge(node, target, Scope(node=node, env={"file_ir_version": 8}, edges=Edges({}, {})))


def _of_names(row: Mapping[str, Any], types: Mapping[str, Any], target: TargetPoint) -> NodeVerdict:
    """A Core ML operation: (type, whether constant) of its inputs by name."""
    tensors = tuple(
        Tensor(name=name, dtype=dtype, shape=(1,), data=programs.Stored() if const else None)
        for name, (dtype, const) in types.items()
    )
    version = row["op_version"]
    node = Node(
        graph=0, index=0, name="", op=row["op"], version=version, inputs=tensors, outputs=(), attrs={},
        input_names=tuple(types),
    )  # fmt: skip
    env = {
        "file_specification_version": 10 if version == 26 else version - 9,
        "file_type": "mlProgram",
        "version": version,
    }
    return judge(node, point(target.table, str(version)), Scope(node=node, env=env, edges=Edges({}, {})))


def compared(rows: Iterable[Mapping[str, Any]], table: OpTable) -> Agreement:
    """Every row beside the table's verdict."""
    agreement = Agreement()
    for row in rows:
        if row["verdict"] not in CONCLUSIVE:
            agreement.undecided += 1
            continue
        ours = judged(row, table)
        if ours.verdict == "unknown" and described(row) is None:
            continue  # a limit that needs a shape or a value, which the row does not have
        agreement.by_op[row["op"]] += 1
        why = f" ({row['reason']})" if row.get("reason") else ""
        limit = f" {ours.limit}" if ours.limit else ""
        told = (
            f"{row['probe']} {row['op']}: {row['oracle']} says {row['verdict']}{why}, the table {ours.verdict}{limit}"
        )
        agreement.add(row["verdict"], ours.verdict, told, differs=row.get("differs"))
    return agreement
