"""The table `esp-dl`: every operator of the project's own table, real models, and each side of its restrictions."""

from __future__ import annotations

import numpy as np
import pytest

from edgecheck.tables import bundle
from npu_tables import alone, by_op, counted, onnx_file, report

TARGET = "esp-dl"


def test_every_operator_of_the_projects_table_is_there():
    table = bundle.load(TARGET)
    documented = [op for op in table.ops if any("state:" in place for one in table.entries(op) for place in one.source)]
    assert len(documented) == 64


def test_real_models(models_dir, capsys):
    nodes = report(capsys, TARGET, next(models_dir.rglob("model_v8.onnx")))
    assert counted(nodes) == {"supported": 25}
    nodes = report(capsys, TARGET, next(models_dir.rglob("embedding_model.onnx")))
    assert by_op(nodes, "rejected") == {"Max": 19}
    nodes = report(capsys, TARGET, next(models_dir.rglob("plcmos_v2.onnx")))
    assert by_op(nodes, "rejected") == {"Shape": 3, "ConstantOfShape": 1}


POOL = {"kernel_shape": [2, 2]}


@pytest.mark.parametrize(
    ("kind", "inputs", "out", "inside", "outside", "limit"),
    [
        ("MaxPool", [[1, 4, 8, 8]], [1, 4, None, None], POOL, POOL | {"dilations": [2, 2]}, "no-dilation"),
        ("AveragePool", [[1, 4, 8, 8]], [1, 4, None, None], POOL, POOL | {"dilations": [2, 2]}, "no-dilation"),
        ("Gemm", [[4, 4], [4, 4]], [4, 4], {"transB": 1}, {"transA": 1}, "no-trans-a"),
        ("Mod", [[4], [4]], [4], {"fmod": 1}, {"fmod": 0}, "c-style"),
    ],
)
def test_each_side_of_a_restriction(tmp_path, capsys, kind, inputs, out, inside, outside, limit):
    for attributes, expected in ((inside, ("supported", None)), (outside, ("rejected", limit))):
        file = onnx_file(tmp_path / "m.onnx", kind, inputs, out=out, opset=19, **attributes)
        assert alone(capsys, TARGET, file) == expected


@pytest.mark.parametrize(
    ("group", "expected"), [(1, ("supported", None)), (8, ("supported", None)), (2, ("rejected", "groups"))]
)
def test_a_convolution_is_whole_or_depthwise(tmp_path, capsys, group, expected):
    weights = {"w": np.zeros((8, 8 // group, 3, 3), np.float32)}
    out = [1, 8, 7, 7]
    file = onnx_file(tmp_path / "m.onnx", "Conv", [[1, 8, 9, 9], "w"], constants=weights, out=out, group=group)
    assert alone(capsys, TARGET, file) == expected


def test_precision_decides(tmp_path, capsys):
    scales = {"s": np.array([1, 1, 2, 2], np.float32)}
    resize = onnx_file(
        tmp_path / "r.onnx", "Resize", [[1, 2, 4, 4], "", "s"], constants=scales, out=[1, 2, 8, 8], mode="nearest"
    )
    assert alone(capsys, TARGET, resize) == ("supported", None)
    assert alone(capsys, TARGET, resize, "precision=int16") == ("rejected", "precision")
    add = onnx_file(tmp_path / "a.onnx", "Add", [[1, 2, 4, 4], [1, 2, 4, 4]], out=[1, 2, 4, 4])
    assert alone(capsys, TARGET, add, "precision=float32") == ("supported", None)
    deep = onnx_file(tmp_path / "d.onnx", "Add", [[1, 2, 2, 4, 4], [1, 2, 2, 4, 4]], out=[1, 2, 2, 4, 4])
    assert alone(capsys, TARGET, deep) == ("rejected", "rank-4")
