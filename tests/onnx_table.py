"""What the tests of tables share whose oracle answers for one ONNX operator at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecheck.check import check
from edgecheck.check import point as at
from edgecheck.environments import interpreter
from edgecheck.model.formats import onnx as reader
from edgecheck.oracles import Outcome, ask, onnx_probe
from edgecheck.probing import replay
from edgecheck.probing.replay import Agreement
from edgecheck.results import TargetPoint
from probe_evidence import evidence, table

Spec = Mapping[str, Any]
#: What is asked, and what the engine says: name → (description, verdict).
Cases = Mapping[str, tuple[Spec, str]]


def tensor(*shape: int, dtype: str = "float32", **more: Any) -> dict[str, Any]:
    return {"t": dtype, "s": list(shape), **more}


def filled(*shape: int, dtype: str = "float32") -> dict[str, Any]:
    """A constant of halves (ones, of integers)."""
    return tensor(*shape, dtype=dtype, c={"f": 0.5 if dtype.startswith("float") else 1})


def integers(*values: int) -> dict[str, Any]:
    """A constant list, as axes, pads and sizes are given."""
    return tensor(len(values), dtype="int64", c=list(values))


def spec(
    op: str, inputs: Sequence[Any], opset: int = 17, outputs: int = 1, makes: str = "float32", **attributes: Any
) -> dict[str, Any]:
    made = [{"t": makes} for _ in range(outputs)]
    return {"op": op, "opset": opset, "a": attributes, "i": list(inputs), "o": made}


def point(target: str) -> TargetPoint:
    return at(table(target))


def verdict(target: str, asked: Spec) -> str:
    return replay.of_spec(asked, point(target)).verdict


def stored(file: str, target: str) -> Agreement:
    """The table beside its stored probes; what differs without an explanation fails here."""
    agreement = replay.compared(evidence(file, target), table(target))
    assert agreement.false_supported + agreement.false_refused + agreement.unknown + agreement.mixed == []
    assert agreement.outdated == []
    return agreement


def differences(oracle: str, target: str, cases: Cases, folder: Path, models: Sequence[Path] = ()) -> list[Any]:
    """What the oracle, asked now, says of the cases and of every node of the models otherwise than the table."""
    expected = {}
    for number, (name, (asked, want)) in enumerate(cases.items()):
        path = folder / f"{number:03}.onnx"
        path.write_bytes(onnx_probe.write(asked))
        expected[path] = name, want, onnx_probe.at(asked)
    differ = []
    for outcome in ask(oracle, interpreter(oracle), [*expected, *models], target, seconds_each=900):
        if outcome.model in expected:
            name, want, place = expected[outcome.model]
            told = [one for one in outcome.answers if one.index == place and one.graph == 0]
            differ += [(name, one.verdict, one.reason) for one in told if one.verdict not in (want, "inconclusive")]
            differ += [(name, outcome.failure)] if outcome.failure else []
        else:
            differ += _nodes(outcome, point(target))
    return differ


def _nodes(outcome: Outcome, target: TargetPoint) -> list[Any]:
    ours = {(one.node.graph, one.node.index): one.verdict for one in check(reader.read(outcome.model), target)}
    return [
        (outcome.model.name, one.index, one.op, one.verdict, ours[one.graph, one.index], one.reason)
        for one in outcome.answers
        if one.verdict in ("supported", "rejected") and ours[one.graph, one.index] != one.verdict
    ]
