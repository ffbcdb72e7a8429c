"""A model as a converter sees it that takes an open batch as one and computes beforehand what sizes decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from edgecheck.check import check, point
from edgecheck.model import formats
from edgecheck.model.formats.onnx_sizes import with_known_sizes
from edgecheck.model.graph import Model, Shape, Tensor
from edgecheck.tables import bundle


def _flattening(tmp_path: Path, shape: list[Any]) -> Model:
    """x → Reshape to [size of the first dimension, -1], the size read from x as exporters do, → Relu."""
    constants = {"zero": ([1], [0]), "one": ([1], [1]), "rest": ([1], [-1])}
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Slice", ["s", "zero", "one", "zero"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["flat"]),
        helper.make_node("Relu", ["flat"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor(name, TensorProto.INT64, *one) for name, one in constants.items()],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return formats.read(path)


def _shapes(tensors: tuple[Tensor | None, ...]) -> list[Shape | None]:
    return [None if one is None else one.shape for one in tensors]


def test_an_open_batch_is_one_and_what_sizes_decide_is_constant(tmp_path: Path) -> None:
    model = _flattening(tmp_path, ["N", 3, 4])
    known = with_known_sizes(model)
    shape, _, concat, reshape, relu = known.graphs[0].nodes
    assert known.graphs[0].inputs[0].shape == (1, 3, 4)
    target = reshape.inputs[1]
    assert target is not None
    assert target.data is not None
    assert target.data.array().tolist() == [1, -1]
    assert _shapes(relu.outputs) == [(1, 12)]
    assert shape.inputs[0] is not reshape.inputs[0], "what is computed beforehand reads nothing any more"
    assert concat.outputs[0] is target
    assert model.graphs[0].inputs[0].shape == (None, 3, 4), "the model itself is as it was"


def test_with_other_dimensions_open_sizes_are_not_computed_beforehand(tmp_path: Path) -> None:
    known = with_known_sizes(_flattening(tmp_path, ["N", 3, "L"]))
    reshape = known.graphs[0].nodes[3]
    assert known.graphs[0].inputs[0].shape == (None, 3, None)
    assert [one is not None and one.const for one in reshape.inputs] == [False, False]
    assert known.metadata["static_inputs"] is False


@pytest.mark.parametrize("shape", [["N", 3, 4], [2, 3, 4]])
def test_ncnn_takes_a_reshape_by_the_batch(tmp_path: Path, shape: list[Any]) -> None:
    found = check(_flattening(tmp_path, shape), point(bundle.load("ncnn")))
    assert [one.verdict for one in found] == ["supported"] * 5
    assert [one.node.op for one in found] == ["Shape", "Slice", "Concat", "Reshape", "Relu"]
    assert _shapes(found[0].node.inputs) == [tuple(one if isinstance(one, int) else None for one in shape)]
