"""What is mended in the files that the quantising libraries write."""

from __future__ import annotations

import numpy
import onnxruntime
from onnx import TensorProto, helper

from edgecheck.quantizers import onnx as quantizer


def test_a_cast_that_is_there_twice_is_left_once_and_runs():
    """onnxruntime's float16 conversion names one cast twice where two nodes want it; the runtime refuses such a file."""
    cast = {"to": TensorProto.FLOAT}
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["wide"], name="cast", **cast),
            helper.make_node("Cast", ["x"], ["wide"], name="cast", **cast),
            helper.make_node("Cast", ["x"], ["other"], name="cast", **cast),
            helper.make_node("Add", ["wide", "other"], ["y"], name=""),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    quantizer._once(model.graph)
    assert [(node.name, list(node.output)) for node in model.graph.node] == [
        ("cast", ["wide"]), ("cast_1", ["other"]), ("", ["y"]),
    ]  # fmt: skip
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = session.run(None, {"x": numpy.array([1, 2], numpy.float16)})[0]
    assert found.tolist() == [2.0, 4.0]
