"""The tables `rknn-*` against RKNN-Toolkit2's compiler: stored probes, and the compiler itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.check import point
from edgecheck.environments import interpreter
from edgecheck.oracles import ask, onnx_probe
from edgecheck.probing import evidence, replay
from edgecheck.tables import bundle

EVIDENCE = Path(__file__).parents[1] / "op_tables" / "evidence" / "rknn-2.5.0.jsonl"
CHIPS = ("rknn-rk3588", "rknn-rk3566", "rknn-rv1103")


@pytest.mark.parametrize("target", CHIPS)
def test_stored_probes_are_judged_as_they_were_measured(target):
    rows = [row for row in evidence.read(EVIDENCE) if row["target"] == target]
    agreement = replay.compared(rows, bundle.load(target))
    assert agreement.asked > 150
    assert agreement.explained < 0.2 * agreement.asked
    assert agreement.false_supported + agreement.false_refused + agreement.unknown + agreement.mixed == []


def tensor(*shape, dtype="float32", **more):
    return {"t": dtype, "s": list(shape), **more}


def spec(op, inputs, opset=17, **attributes):
    return {"op": op, "opset": opset, "a": attributes, "i": inputs, "o": [{"t": "float32"}]}


X, C = tensor(1, 8, 16, 16), tensor(8, c={"f": 0.5})
CASES = {
    "relu": (spec("Relu", [X]), "supported", "supported", "supported"),
    "softmax": (spec("Softmax", [X], axis=1), "supported", "fallback", "supported"),
    "transpose": (spec("Transpose", [X], perm=[0, 2, 3, 1]), "supported", "fallback", "supported"),
    "square root": (spec("Sqrt", [X]), "supported", "supported", "fallback"),
    "square root, rank 5": (spec("Sqrt", [tensor(1, 8, 4, 5, 2)]), "fallback", "fallback", "fallback"),
    "instance norm": (spec("InstanceNormalization", [X, C, C]), "supported", "supported", "fallback"),
    "exponential": (spec("Exp", [X]), "fallback", "fallback", "fallback"),
    "power 2": (spec("Pow", [X, tensor(c=[2.0])]), "supported", "supported", "supported"),
    "power given": (spec("Pow", [X, X]), "fallback", "fallback", "fallback"),
    "gather, indices constant": (
        spec("Gather", [X, tensor(2, dtype="int64", c=[0, 3])], axis=1), "supported", "supported", "supported",
    ),
    "gather, indices given": (spec("Gather", [X, tensor(2, dtype="int64")], axis=1), "fallback", "fallback", "fallback"),
    "topk, k given": (
        {**spec("TopK", [X, tensor(1, dtype="int64")]), "o": [{"t": "float32"}, {"t": "int64"}]},
        "rejected", "rejected", "rejected",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_limits_on_both_sides(case):
    asked, *expected = CASES[case]
    assert [replay.of_spec(asked, point(bundle.load(target))).verdict for target in CHIPS] == expected


def test_a_newer_opset_and_a_dynamic_input_are_refused():
    table = point(bundle.load("rknn-rk3588"))
    newer = replay.of_spec(spec("Relu", [X], opset=20), table)
    assert (newer.verdict, newer.limit) == ("rejected", "opset-19")
    dynamic = replay.of_spec(spec("Exp", [{**X, "sig": [-1, 8, 16, 16]}]), table)
    assert (dynamic.verdict, dynamic.limit) == ("rejected", "static-input-cpu")


@pytest.mark.slow
@pytest.mark.parametrize("target", CHIPS)
def test_the_compiler_says_the_same(tmp_path, target):
    paths = []
    for number, (asked, *_) in enumerate(CASES.values()):
        paths.append(tmp_path / f"{number:02}.onnx")
        paths[-1].write_bytes(onnx_probe.write(asked))
    place = CHIPS.index(target) + 1
    answers = [outcome.answers[0] for outcome in ask("rknn", interpreter("rknn"), paths, target)]
    differ = [
        (name, answer.verdict, answer.reason)
        for (name, case), answer in zip(CASES.items(), answers, strict=True)
        if answer.verdict != case[place] and answer.verdict != "inconclusive"
    ]
    assert differ == []
