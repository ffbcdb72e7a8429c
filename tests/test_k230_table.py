"""The tables `k230` and `k230-tflite`: nncase's importers, real models, and each side of their refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecheck.environments import interpreter
from edgecheck.oracles import ask, nncase, onnx_probe, tflite_probe
from edgecheck.probing import evidence, replay
from edgecheck.tables import bundle
from npu_tables import alone, by_op, counted, onnx_file, op, report, said, t
from onnx_table import tensor

F, Q = "float32", [0.5, 3]
X = t(F, [1, 4, 4, 2])
GOOD = ("supported", None)


def test_every_case_of_the_importers_is_there():
    for target, cases in (("k230", 117), ("k230-tflite", 77)):
        table = bundle.load(target)
        assert sum(table.entries(name)[0].verdict == "supported" for name in table.ops) == cases


def test_what_the_page_promises_and_the_importer_lacks_is_rejected():
    table = bundle.load("k230")
    refused = {name for name in table.ops if table.entries(name)[0].verdict == "rejected"}
    assert refused == {"Atan", "Gelu", "LayerNormalization", "Mean", "QLinearMatMul", "Tan", "Xor"}


def test_real_models(models_dir, capsys):
    nodes = report(capsys, "k230", next(models_dir.rglob("model_v8.onnx")))
    assert counted(nodes) == {"supported": 25}
    nodes = report(capsys, "k230", next(models_dir.rglob("akiki-vad.onnx")))
    # Behind an If no rank is known, and the importer takes no input without one.
    assert by_op(nodes, "rejected") == {"GRU": 1, "If": 2, "Gather": 1, "Reshape": 1, "Sigmoid": 1}
    nodes = report(capsys, "k230-tflite", next(models_dir.rglob("okay_nabu.tflite")))
    assert by_op(nodes, "rejected")["VAR_HANDLE"] == 12


@pytest.mark.parametrize(
    ("kind", "inputs", "inside", "outside", "expected"),
    [
        ("Pad", [[1, 4], "p"], {"mode": "edge"}, {"mode": "wrap"}, ("rejected", "mode")),
        ("Reshape", [[1, 4], "n"], {}, {"allowzero": 1}, ("rejected", "no-allowzero")),
    ],
)
def test_each_side_of_a_refusal(tmp_path, capsys, kind, inputs, inside, outside, expected):
    fixed = {"p": np.array([0, 1, 0, 1], np.int64), "n": np.array([4, 1], np.int64)}
    fixed = {name: value for name, value in fixed.items() if name in inputs}
    for attributes, verdict in ((inside, GOOD), (outside, expected)):
        if attributes is not None:
            file = onnx_file(
                tmp_path / "m.onnx", kind, inputs, constants=fixed, out=[None, None], opset=19, **attributes
            )
            assert alone(capsys, "k230", file) == verdict


def test_a_third_input_is_not_read(tmp_path, capsys):
    two = onnx_file(tmp_path / "2.onnx", "Max", [[4], [4]], out=[4])
    three = onnx_file(tmp_path / "3.onnx", "Max", [[4], [4], [4]], out=[4])
    assert alone(capsys, "k230", two) == GOOD
    assert alone(capsys, "k230", three) == ("unknown", "two-inputs")


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("ibh,hnd->ibnd", GOOD), ("ibnd,jbnd->bnij", GOOD), ("bnij,jbnd->ibnd", GOOD), ("ibnd,hnd->ibh", GOOD), ("i,j->ij", GOOD),
        ("ij,jk->ik", ("rejected", "equation")), ("ij->i", ("rejected", "equation")), ("i, j -> ij", ("rejected", "equation")),
    ],
)  # fmt: skip
def test_the_five_equations(tmp_path, capsys, equation, expected):
    sizes = {letter: 2 + place for place, letter in enumerate("bdhijkn")}
    terms = equation.split("->")[0].replace(" ", "").split(",")
    shapes = [[sizes[letter] for letter in term] for term in terms]
    out = [sizes[letter] for letter in equation.split("->")[1].strip()]
    file = onnx_file(tmp_path / "m.onnx", "Einsum", shapes, out=out, opset=17, equation=equation)
    assert alone(capsys, "k230", file) == expected


def test_what_is_newer_than_the_release_is_rejected(tmp_path, capsys):
    file = onnx_file(tmp_path / "m.onnx", "GridSample", [[1, 2, 4, 4], [1, 4, 4, 2]], out=[1, 2, 4, 4], opset=16)
    assert alone(capsys, "k230", file) == ("rejected", None)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([1, 5, 1, 4, 1], [1, 5, 1, 4, 1], GOOD), ([1, 5, 1, 4, 1], [4], GOOD), ([5, 1, 4, 1], [4, 1], GOOD),
        ([1, 5, 1, 4, 1], [4, 1], ("rejected", "squeezed-ranks")),
    ],
)  # fmt: skip
def test_ranks_that_differ(tmp_path, capsys, left, right, expected):
    file = onnx_file(tmp_path / "m.onnx", "Add", [left, right], out=[None] * len(left), opset=17)
    assert alone(capsys, "k230", file) == expected


def conv(multiplier=1, activation="NONE", bias=True, kind="DEPTHWISE_CONV_2D"):
    weights = t(F, [1, 3, 3, 2 * multiplier], c={"f": 0.5})
    more = [t(F, [2 * multiplier], c={"f": 0})] if bias else []
    attributes = {"depth_multiplier": multiplier, "fused_activation_function": activation}
    return op(kind, [X, weights, *more], [t(F, [1, 4, 4, 2 * multiplier])], padding="SAME", **attributes)


def dense(dtype, activation="NONE", **more):
    inputs = [t(dtype, [1, 4], **more), t(dtype, [3, 4], c={"f": 1}, **more)]
    attributes = {"weights_format": "DEFAULT", "fused_activation_function": activation}
    return op("FULLY_CONNECTED", inputs, [t(dtype, [1, 3], **more)], **attributes)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (conv(), GOOD),
        (conv(multiplier=2), ("rejected", "depth-multiplier")),
        (conv(activation="RELU_N1_TO_1"), GOOD),
        (conv(activation="TANH"), ("rejected", "activation")),
        (conv(bias=False), ("unknown", "bias-listed")),
        (dense(F), GOOD),
        (dense("int8", q=Q), ("rejected", "float32")),
        (dense(F, activation="TANH"), GOOD),
        (dense(F, activation="RELU_N1_TO_1"), ("rejected", "activation")),
        (op("ADD", [X, X], [X], fused_activation_function="NONE"), GOOD),
        (op("CEIL", [X], [X]), GOOD),
        (op("FLOOR", [X], [X]), ("unknown", "floor-is-ceil")),
        (op("PAD", [t(F, [4]), t("int32", [1, 2], c=[1, 1])], [t(F, [6])]), GOOD),
        (op("PAD", [t("int8", [4]), t("int32", [1, 2], c=[1, 1])], [t("int8", [6])]), ("rejected", "pad-types")),
    ],
)
def test_the_tflite_importer(spec, expected):
    assert said("k230-tflite", spec) == expected


def test_stored_integers_without_their_scales():
    x = t("int8", [1, 4, 4, 2], q=Q)
    assert said("k230-tflite", op("ADD", [x, x], [x], fused_activation_function="NONE")) == ("unknown", "float-model")
    assert said("k230-tflite", op("RESHAPE", [x, t("int32", [1], c=[32])], [t("int8", [32], q=Q)])) == GOOD


def test_stored_compilations_are_judged_as_they_were_measured():
    rows = list(evidence.read(Path(__file__).parents[1] / "op_tables" / "evidence" / "nncase-2.11.0.jsonl"))
    for target, least in (("k230", 60), ("k230-tflite", 60)):
        agreement = replay.compared([row for row in rows if row["target"] == target], bundle.load(target))
        assert agreement.asked >= least
        assert agreement.false_refused == []
        assert len(agreement.false_supported) <= 12  # failures inside the compiler that its source does not explain


def test_sizes_without_a_name_get_one():
    x = {"t": "float32", "s": [1, 4], "sig": [-1, 4]}
    made = onnx_probe.write({"op": "Relu", "opset": 17, "a": {}, "i": [x], "o": [{"t": "float32"}]})
    assert b"size_0" not in made
    assert nncase.named(made).count(b"size_0") == 1
    fixed = onnx_probe.write({"op": "Relu", "opset": 17, "a": {}, "i": [tensor(1, 4)], "o": [{"t": "float32"}]})
    assert nncase.named(fixed) == fixed


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (onnx_probe.read({"op": "Max", "opset": 17, "a": {}, "i": [tensor(4)] * 3, "o": [{"t": "float32"}]}), True),
        (onnx_probe.read({"op": "Max", "opset": 17, "a": {}, "i": [tensor(4)] * 2, "o": [{"t": "float32"}]}), False),
        (tflite_probe.read(op("FLOOR", [X], [X])), True),
        (tflite_probe.read(op("CEIL", [X], [X])), False),
        (tflite_probe.read(op("ADD", [t("int8", [4], q=Q)] * 2, [t("int8", [4], q=Q)])), True),
        (tflite_probe.read(op("ADD", [X, X], [X])), False),
        (tflite_probe.read(conv(bias=False)), True),
    ],
)  # fmt: skip
def test_what_the_importer_makes_another_operator_of(asked, expected):
    (node,) = asked.nodes
    assert (nncase.another(node) is not None) == expected


@pytest.mark.slow
def test_the_compiler_says_the_same(tmp_path):
    fixed = {"p": np.array([0, 1, 0, 1], np.int64), "n": np.array([4, 1], np.int64)}
    asked = {
        "edge": (("Pad", [[1, 4], "p"], {"mode": "edge"}), "supported"),
        "wrap": (("Pad", [[1, 4], "p"], {"mode": "wrap"}), "rejected"),
        "reshape": (("Reshape", [[1, 4], "n"], {}), "supported"),
        "zero": (("Reshape", [[1, 4], "n"], {"allowzero": 1}), "rejected"),
        "tan": (("Tan", [[1, 4]], {}), "rejected"),
    }
    files = []
    for name, ((kind, inputs, attributes), _) in asked.items():
        constants = {key: value for key, value in fixed.items() if key in inputs}
        path = tmp_path / f"{name}.onnx"
        files.append(onnx_file(path, kind, inputs, constants=constants, out=[None, None], opset=19, **attributes))
    found = ask("nncase", interpreter("nncase"), files, "k230", seconds_each=300)
    assert [outcome.answers[0].verdict for outcome in found] == [verdict for _, verdict in asked.values()]
