"""Nodes in a ring, out of order, or reading what nothing makes: refused exactly where ONNX Runtime refuses the file."""

from __future__ import annotations

from itertools import pairwise

import onnxruntime
import pytest
from onnx import TensorProto, helper

from edgecheck.errors import FormatError
from edgecheck.model.formats import read


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


def value(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])


def body(name, output, *nodes):
    return helper.make_graph(nodes, name, [], [value(output)])


def branch(output, *nodes):
    """An If whose first branch is `nodes` and gives `t`."""
    other = body("other", "e", node("Relu", "x", "e"))
    return node("If", "c", output, then_branch=body("then", "t", *nodes), else_branch=other)


FUNCTION = helper.make_function(
    "own", "F", ["i"], ["o"], [node("Relu", "k", "o"), node("Relu", "i", "k")], [helper.make_opsetid("", 17)]
)
#: name → (nodes, functions, what is said; None where the file is taken)
CASES = {
    "sorted": ([node("Relu", "x", "a"), node("Relu", "a", "y")], [], None),
    "unsorted": ([node("Relu", "a", "y"), node("Relu", "x", "a")], [], None),
    "ring": (
        [node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")], [],
        "node 0 (Add) of graph 'g' reads 'b', which is made from the node's own output",
    ),
    "ring behind the output": (
        [node("Relu", "x", "y"), node("Relu", "y", "z"), node("Add", "z q", "p"), node("Relu", "p", "q")], [],
        "node 2 (Add) of graph 'g' reads 'q', which is made from the node's own output",
    ),
    "itself": (
        [node("Add", "x y", "y")], [], "node 0 (Add) of graph 'g' reads 'y', which is made from the node's own output",
    ),
    "a ring alone": (
        [node("Relu", "x", "y"), node("Relu", "p", "q"), node("Relu", "q", "p")], [],
        "node 1 (Relu) of graph 'g' reads 'p', which is made from the node's own output",
    ),
    "nothing makes it": ([node("Add", "x q", "y")], [], "node 0 (Add) of graph 0 reads 'q', which nothing makes"),
    "no output": ([node("Relu", "x", "a")], [], "graph 'g' gives 'y', which nothing makes"),
    "made twice": (
        [node("Relu", "x", "k"), node("Relu", "k", "y")], [],
        "node 0 (Relu) of graph 'g' makes 'k', which is there",
    ),
    "a branch": ([branch("y", node("Relu", "x", "k2"), node("Relu", "k2", "t"))], [], None),
    "a branch out of order": (
        [branch("y", node("Relu", "k2", "t"), node("Relu", "x", "k2"))], [],
        "node 0 (Relu) of the nested graph 'then' reads 'k2', which is made by the node itself or a later one",
    ),
    "a branch reads a later node around it": (
        [branch("z", node("Relu", "l", "t")), node("Relu", "x", "l"), node("Relu", "z", "y")], [], None,
    ),
    "a branch reads what its If gives": (
        [branch("y", node("Relu", "y", "t"))], [],
        "node 0 (If) of graph 'g' reads 'y', which is made from the node's own output",
    ),
    "a function out of order": (
        [node("F", "x", "y", domain="own")], [FUNCTION],
        "node 0 (Relu) of the nested graph 'F' reads 'k', which is made by the node itself or a later one",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_refused_where_onnxruntime_refuses(name, tmp_path):
    nodes, functions, sentence = CASES[name]
    constants = [
        helper.make_tensor("c", TensorProto.BOOL, [], [True]),
        helper.make_tensor("k", TensorProto.FLOAT, [1, 4], [1, 2, 3, 4]),
    ]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, ir_version=8, opset_imports=opsets, functions=functions)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if sentence is None:
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        assert read(path).node_count >= 1
        return
    with pytest.raises(Exception, match="ONNXRuntimeError"):  # its classes have no common base of their own
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    with pytest.raises(FormatError) as refused:
        read(path)
    assert str(refused.value) == f"{path}: {sentence}"


def test_a_long_chain_in_the_wrong_order_is_read(tmp_path):
    names = ["x", *(f"t{i}" for i in range(5000)), "y"]
    nodes = [node("Relu", a, b) for a, b in pairwise(names)][::-1]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")])
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    assert read(path).node_count == 5001


def test_an_axis_that_is_unsqueezed_twice_is_no_crash(tmp_path):
    import numpy
    from onnx import numpy_helper

    nodes = [helper.make_node("Unsqueeze", ["x", "axes"], ["y"])]
    ends = [[helper.make_tensor_value_info(end, TensorProto.FLOAT, None)] for end in ("x", "y")]
    graph = helper.make_graph(nodes, "g", *ends, [numpy_helper.from_array(numpy.array([1, 1]), "axes")])
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    assert [node.op for node in read(path).nodes] == ["Unsqueeze"]
