"""The table `stm32n6`: the operators of ST's page, real models, and each side of the page's constraints."""

from __future__ import annotations

import numpy as np
import pytest

from edgecheck.tables import bundle
from npu_tables import alone, by_op, onnx_file, report

TARGET = "stm32n6"
GOOD = ("supported", None)


def test_the_page_found_132_operators():
    assert len(list(bundle.load(TARGET).ops)) == 132


def test_real_models(models_dir, capsys):
    nodes = report(capsys, TARGET, next(models_dir.rglob("model_v8.onnx")))
    assert by_op(nodes, "rejected") == {}
    nodes = report(capsys, TARGET, next(models_dir.rglob("rawi.int8.onnx")))
    refused = by_op(nodes, "rejected")
    assert {"com.microsoft::DynamicQuantizeLSTM", "MatMulInteger", "DynamicQuantizeLinear"} <= set(refused)


@pytest.mark.parametrize(
    ("kind", "inputs", "out", "attributes", "expected"),
    [
        ("Relu", [[1, 4]], [1, 4], {}, GOOD),
        ("Relu", [["batch", 4]], ["batch", 4], {}, GOOD),
        ("Relu", [[1, "length"]], [1, "length"], {}, ("rejected", "fixed-shapes")),
        ("Relu", [[1, 1, 1, 1, 1, 1]], [1, 1, 1, 1, 1, 1], {}, GOOD),
        ("Relu", [[1, 1, 1, 1, 1, 1, 1]], [1, 1, 1, 1, 1, 1, 1], {}, ("rejected", "rank-6")),
        ("Relu", [[1, 65535]], [1, 65535], {}, GOOD),
        ("Relu", [[1, 65536]], [1, 65536], {}, ("rejected", "dimension-65535")),
        ("MatMul", [[1, 2, 4], [1, 4, 2]], [1, 2, 2], {}, ("fallback", "float-on-the-cpu")),
        ("MatMul", [[1, 2, 2, 4], [1, 2, 4, 2]], [1, 2, 2, 2], {}, ("rejected", "rank-3")),
        ("Transpose", [[1, 2, 3]], [1, 3, 2], {"perm": [0, 2, 1]}, GOOD),
        ("Transpose", [[1, 2, 3]], [2, 1, 3], {"perm": [1, 0, 2]}, ("rejected", "keeps-the-batch")),
        ("Concat", [[1, 2], [1, 2]], [1, 4], {"axis": 1}, GOOD),
        ("Concat", [[1, 2], [1, 2]], [2, 2], {"axis": 0}, ("rejected", "not-the-batch")),
        ("MaxPool", [[1, 2, 4, 4]], [1, 2, 1, 1], {"kernel_shape": [4, 4]}, GOOD),
        ("MaxPool", [[1, 2, 6, 6]], None, {"kernel_shape": [2, 2], "dilations": [2, 2]}, ("rejected", "no-dilation")),
        ("LpNormalization", [[1, 4]], [1, 4], {"p": 1}, GOOD),
        ("Softmax", [[1, 4]], [1, 4], {"axis": 1}, GOOD),
        ("Softmax", [[1, 4, 4]], [1, 4, 4], {"axis": 2}, ("unknown", "channel-only")),
    ],
)
def test_each_side_of_a_constraint(tmp_path, capsys, kind, inputs, out, attributes, expected):
    file = onnx_file(tmp_path / "m.onnx", kind, inputs, out=out, **attributes)
    assert alone(capsys, TARGET, file) == expected


@pytest.mark.parametrize(("mode", "expected"), [("linear", GOOD), ("cubic", ("rejected", "no-cubic"))])
def test_resize(tmp_path, capsys, mode, expected):
    scales = {"s": np.array([1, 1, 2, 2], np.float32)}
    out = [1, 2, 8, 8]
    file = onnx_file(tmp_path / "m.onnx", "Resize", [[1, 2, 4, 4], "", "s"], constants=scales, out=out, mode=mode)
    assert alone(capsys, TARGET, file) == expected
