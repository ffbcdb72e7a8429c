"""The table `ncnn` against pnnx and ncnn: stored probes, and both themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.check import point
from edgecheck.environments import interpreter
from edgecheck.oracles import ask, onnx_probe
from edgecheck.probing import evidence, replay
from edgecheck.tables import bundle

EVIDENCE = Path(__file__).parents[1] / "op_tables" / "evidence" / "ncnn-1.0.20261020.jsonl"


def test_stored_probes_are_judged_as_they_were_measured():
    agreement = replay.compared(evidence.read(EVIDENCE), bundle.load("ncnn"))
    assert agreement.asked > 300
    assert agreement.explained < 0.1 * agreement.asked
    assert agreement.false_supported + agreement.false_refused + agreement.unknown + agreement.mixed == []


def tensor(*shape, dtype="float32", **more):
    return {"t": dtype, "s": list(shape), **more}


def spec(op, inputs, opset=17, **attributes):
    return {"op": op, "opset": opset, "a": attributes, "i": inputs, "o": [{"t": "float32"}]}


X, C = tensor(1, 8, 16, 16), tensor(8, c={"f": 0.5})
BOUNDS = [tensor(1, dtype="int64", c=[value]) for value in (0, 4, 2)]
CASES = {
    "pixel shuffle": (spec("DepthToSpace", [X], blocksize=2, mode="CRD"), "supported"),
    "the other order": (spec("DepthToSpace", [X], blocksize=2, mode="DCR"), "rejected"),
    "slice": (spec("Slice", [X, *BOUNDS, tensor(1, dtype="int64", c=[1])]), "supported"),
    "slice with steps": (spec("Slice", [X, *BOUNDS, tensor(1, dtype="int64", c=[2])]), "rejected"),
    "instance norm": (spec("InstanceNormalization", [X, C, C]), "supported"),
    "instance norm, scale given": (spec("InstanceNormalization", [X, tensor(8), C]), "rejected"),
    "linear": (spec("Gemm", [tensor(1, 8), tensor(4, 8, c={"f": 1.0}), tensor(4, c={"f": 1.0})], transB=1), "supported"),
    "linear, one bias": (
        spec("Gemm", [tensor(1, 8), tensor(4, 8, c={"f": 1.0}), tensor(1, c={"f": 1.0})], transB=1), "rejected",
    ),
    "selu": (spec("Selu", [X]), "supported"),
    "another selu": (spec("Selu", [X], alpha=1.0), "rejected"),
    "embedding": (spec("Gather", [tensor(10, 4, c={"f": 1.0}), tensor(1, 5, dtype="int64")], axis=0), "rejected"),
    "comparison": (spec("Greater", [X, X]), "rejected"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_limits_on_both_sides(case):
    asked, expected = CASES[case]
    assert replay.of_spec(asked, point(bundle.load("ncnn"))).verdict == expected


@pytest.mark.slow
def test_ncnn_says_the_same(tmp_path):
    paths = []
    for number, (asked, _) in enumerate(CASES.values()):
        paths.append(tmp_path / f"{number:02}.onnx")
        paths[-1].write_bytes(onnx_probe.write(asked))
    answers = [outcome.answers[0] for outcome in ask("ncnn", interpreter("ncnn"), paths, "ncnn")]
    told = {name: (answer.verdict, answer.reason) for name, answer in zip(CASES, answers, strict=True)}
    assert {name: verdict for name, (verdict, _) in told.items()} == {
        name: want for name, (_, want) in CASES.items()
    }, told
