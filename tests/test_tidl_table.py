"""The table `tidl`: the operators of TI's page, real models, and each side of the page's constraints."""

from __future__ import annotations

import numpy as np
import pytest

from edgecheck.tables import bundle
from npu_tables import alone, by_op, onnx_file, op, report, said, t

TARGET = "tidl"
GOOD = ("supported", None)


def test_every_operator_of_the_page_is_there():
    table = bundle.load(TARGET)
    assert (
        len([op for op in table.ops if any("page:" in one for entry in table.entries(op) for one in entry.source)])
        == 72
    )


def test_real_models(models_dir, capsys):
    nodes = report(capsys, TARGET, next(models_dir.rglob("model_v8.onnx")))
    assert by_op(nodes, "fallback") == {"ReduceMax": 1}
    assert [one["limit"] for one in nodes if one["op"] == "ReduceMax"] == ["reduce-height"]
    nodes = report(capsys, TARGET, next(models_dir.rglob("nmp.onnx")))
    refused = {(one["op"], one["limit"]) for one in nodes if one["verdict"] == "fallback"}
    assert {("Conv", "square-stride"), ("Pad", "constant-mode")} <= refused


def conv(path, kernel, stride, *, group=1, channels=8):
    weights = {"w": np.zeros((channels, channels // group, kernel, kernel), np.float32)}
    attributes = {"strides": [stride, stride], "group": group}
    return onnx_file(
        path, "Conv", [[1, channels, 64, 64], "w"], constants=weights, out=[1, channels, None, None], **attributes
    )


@pytest.mark.parametrize(
    ("kernel", "stride", "group", "soc", "expected"),
    [
        (3, 1, 1, "AM68A", GOOD),
        (7, 2, 1, "AM68A", GOOD),
        (9, 2, 1, "AM68A", ("fallback", "kernel-7-stride-2")),
        (11, 4, 1, "AM68A", GOOD),
        (9, 4, 1, "AM68A", ("fallback", "stride-4")),
        (3, 3, 1, "AM68A", GOOD),
        (3, 3, 1, "AM62A", ("fallback", "kernel-3-stride-3")),
        (7, 2, 8, "AM68A", GOOD),
        (9, 1, 8, "AM68A", ("fallback", "depthwise-kernel")),
        (5, 1, 8, "AM68A", ("unknown", "depthwise-5x5-stride-1")),
    ],
)
def test_a_convolutions_kernel_and_stride(tmp_path, capsys, kernel, stride, group, soc, expected):
    file = conv(tmp_path / "m.onnx", kernel, stride, group=group)
    assert alone(capsys, TARGET, file, f"soc={soc}") == expected


def resize(path, factor, **attributes):
    scales = {"s": np.array([1, 1, factor, factor], np.float32)}
    out = [1, 2, int(4 * factor), int(4 * factor)]
    return onnx_file(path, "Resize", [[1, 2, 4, 4], "", "s"], constants=scales, out=out, **attributes)


@pytest.mark.parametrize(
    ("factor", "attributes", "expected"),
    [
        (2, {"mode": "linear"}, GOOD),
        (3, {"mode": "linear"}, ("fallback", "resize-scale")),
        (0.5, {"mode": "linear"}, ("fallback", "resize-scale")),
        (2, {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}, ("fallback", "resize-linear")),
        (2, {"mode": "cubic"}, ("fallback", "resize-mode")),
        (2, {"mode": "nearest"}, ("fallback", "resize-nearest")),
        (2, {"mode": "nearest", "nearest_mode": "round_prefer_ceil"}, GOOD),
    ],
)
def test_resize(tmp_path, capsys, factor, attributes, expected):
    assert alone(capsys, TARGET, resize(tmp_path / "m.onnx", factor, **attributes)) == expected


@pytest.mark.parametrize(
    ("kind", "inputs", "out", "attributes", "expected"),
    [
        ("ArgMax", [[1, 4, 8, 8]], None, {"axis": 1}, GOOD),
        ("ArgMax", [[1, 4, 8, 8]], None, {"axis": 3}, ("fallback", "arg-max")),
        ("Softmax", [[1, 4, 8, 8]], [1, 4, 8, 8], {"axis": 3}, GOOD),
        ("Softmax", [[1, 4, 8, 8]], [1, 4, 8, 8], {"axis": 1}, ("fallback", "axis")),
        ("Sub", [[1, 4], [1, 4]], [1, 4], {}, ("fallback", "one-constant")),
        ("Add", [[1, 4], [1, 4]], [1, 4], {}, GOOD),
        ("Relu", [[2, 2, 2, 2, 2, 2]], [2, 2, 2, 2, 2, 2], {}, GOOD),
        ("Relu", [[2, 2, 2, 2, 2, 2, 2]], [2, 2, 2, 2, 2, 2, 2], {}, ("fallback", "dimensions-6")),
        ("Relu", [[1, 2, 2, 2, 2, 2, 2]], [1, 2, 2, 2, 2, 2, 2], {}, GOOD),
        ("Erf", [[4]], [4], {}, ("unknown", "inside-gelu")),
    ],
)
def test_each_side_of_a_constraint(tmp_path, capsys, kind, inputs, out, attributes, expected):
    file = onnx_file(tmp_path / "m.onnx", kind, inputs, out=out, **attributes)
    assert alone(capsys, TARGET, file) == expected


def tflite_conv(kernel, stride, kind="CONV_2D"):
    weights = t("float32", [4, kernel, kernel, 4], c={"f": 0.5})
    x, y = t("float32", [1, 32, 32, 4]), t("float32", [1, -(-32 // stride), -(-32 // stride), 4])
    attributes = {"stride_h": stride, "stride_w": stride, "dilation_w_factor": 1, "padding": "SAME"}
    return op(kind, [x, weights, t("float32", [4], c=[0, 0, 0, 0])], [y], **attributes)


def tflite_pad(*amounts):
    rows = t("int32", [len(amounts) // 2, 2], c=list(amounts))
    x = t("float32", [1, 4, 4, 2][: len(amounts) // 2])
    return op("PAD", [x, rows], [t("float32", [1, 5, 5, 2][: len(amounts) // 2])])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (tflite_conv(3, 1), GOOD),
        (tflite_conv(7, 2), GOOD),
        (tflite_conv(9, 2), ("fallback", "kernel-7-stride-2")),
        (tflite_conv(3, 1, "DEPTHWISE_CONV_2D"), GOOD),
        (tflite_conv(4, 1, "DEPTHWISE_CONV_2D"), ("fallback", "depthwise-kernel")),
        (tflite_conv(5, 1, "DEPTHWISE_CONV_2D"), ("unknown", "depthwise-5x5-stride-1")),
        (tflite_pad(0, 0, 0, 1, 0, 1, 0, 0), GOOD),
        (tflite_pad(0, 0, 0, 1, 0, 1, 0, 2), ("fallback", "pad-plane")),
        (tflite_pad(0, 0, 0, 1, 0, 1), ("fallback", "eight-values")),
    ],
)
def test_tflite(spec, expected):
    assert said("tidl-tflite", spec) == expected


def test_a_face_detector_pads_its_channels(models_dir, capsys):
    nodes = report(capsys, "tidl-tflite", next(models_dir.rglob("face_detection_front.tflite")))
    assert by_op(nodes, "fallback").keys() == {"PAD"}
