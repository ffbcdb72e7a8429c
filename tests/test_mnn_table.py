"""The table `mnn` against MNN's converter: stored probes, and the converter itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.check import check, point
from edgecheck.environments import interpreter
from edgecheck.model.formats import onnx as reader
from edgecheck.oracles import ask
from edgecheck.probing import evidence, replay
from edgecheck.tables import bundle

EVIDENCE = Path(__file__).parents[1] / "op_tables" / "evidence" / "mnn-3.6.1.jsonl"


def test_stored_probes_are_judged_as_they_were_measured():
    agreement = replay.compared(evidence.read(EVIDENCE), bundle.load("mnn"))
    assert agreement.asked > 400
    assert agreement.explained <= 2
    assert agreement.false_supported + agreement.false_refused + agreement.unknown + agreement.mixed == []


def spec(op, inputs, opset=13, **attributes):
    return {"op": op, "opset": opset, "a": attributes, "i": inputs, "o": [{"t": "float32"}]}


X = {"t": "float32", "s": [1, 8, 16, 16]}
WEIGHT = {"t": "float32", "s": [8, 8, 3, 3], "c": {"f": 0.5}}
CONST, GIVEN = {"t": "float32", "s": [8], "c": {"f": 0.5}}, {"t": "float32", "s": [8]}
CASES = {
    "bias constant": (spec("Conv", [X, WEIGHT, CONST]), "supported"),
    "bias given": (spec("Conv", [X, WEIGHT, GIVEN]), "rejected"),
    "both given": (spec("Conv", [X, {"t": "float32", "s": [8, 8, 3, 3]}, GIVEN]), "supported"),
    "statistics constant": (spec("BatchNormalization", [X, CONST, CONST, CONST, CONST]), "supported"),
    "statistics given": (spec("BatchNormalization", [X, CONST, CONST, GIVEN, CONST]), "rejected"),
    "without an arrow": (spec("Einsum", [X, X], equation="abcd,abcd"), "rejected"),
    "with an arrow": (spec("Einsum", [X, X], equation="abcd,abcd->abcd"), "supported"),
    "no converter": (spec("Hardmax", [X]), "rejected"),
}


@pytest.mark.parametrize("case", CASES)
def test_limits_on_both_sides(case):
    asked, expected = CASES[case]
    assert replay.of_spec(asked, point(bundle.load("mnn"))).verdict == expected


@pytest.mark.slow
def test_the_converter_says_the_same(tmp_path, models_dir):
    from edgecheck.oracles import onnx_probe

    paths = []
    for name, (asked, _) in CASES.items():
        paths.append(tmp_path / f"{name}.onnx")
        paths[-1].write_bytes(onnx_probe.write(asked))
    real = sorted(models_dir.rglob("*.onnx"))
    assert real
    table = point(bundle.load("mnn"))
    differ = []
    for outcome in ask("mnn", interpreter("mnn"), [*paths, *real], "mnn", seconds_each=600):
        ours = {(one.node.graph, one.node.index): one.verdict for one in check(reader.read(outcome.model), table)}
        differ += [
            (outcome.model.name, one.op, one.reason)
            for one in outcome.answers
            if one.verdict in ("supported", "rejected") and ours[one.graph, one.index] != one.verdict
        ]
    assert differ == []
