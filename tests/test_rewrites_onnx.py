"""Every ONNX rewrite on a node it fits and one it does not: the same numbers in ONNX Runtime, without the operator."""

from __future__ import annotations

import numpy
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecheck.model.formats import read
from edgecheck.rewrites import onnx as plugin

RNG = numpy.random.default_rng(7)


def node(op, inputs=("x",), outputs=("y",), domain="", **attrs):
    return helper.make_node(op, list(inputs), list(outputs), domain=domain, **attrs)


def floats(*shape):
    return RNG.standard_normal(shape).astype(numpy.float32)


#: rewrite → nodes it takes: (node, input shape, constants, opset)
TAKEN = {
    "hard-swish-as-relu6": [(node("HardSwish"), (2, 9), {}, 17)],
    "hard-sigmoid-as-clip": [(node("HardSigmoid", alpha=0.3, beta=0.4), (2, 9), {}, 17)],
    "gelu-as-erf": [
        (node("Gelu"), (2, 9), {}, 20),
        (node("Gelu", approximate="tanh"), (2, 9), {}, 20),
        (node("Gelu", domain="com.microsoft"), (2, 9), {}, 17),
    ],
    "mish-as-tanh": [(node("Mish"), (2, 9), {}, 18)],
    "softplus-as-log": [(node("Softplus"), (2, 9), {}, 17)],
    "leaky-relu-as-max": [(node("LeakyRelu", alpha=0.2), (2, 9), {}, 17)],
    "prelu-as-relu": [(node("PRelu", ("x", "s")), (2, 3, 4), {"s": floats(3, 1)}, 17)],
    "clip-as-min-max": [
        (node("Clip", ("x", "l", "h")), (2, 9), {"l": numpy.float32(-0.5), "h": numpy.float32(0.5)}, 17),
        (node("Clip", ("x", "", "h")), (2, 9), {"h": numpy.float32(0.5)}, 17),
        (node("Clip", min=-0.5, max=0.5), (2, 9), {}, 10),
    ],
    "norm-as-sums": [
        (node("ReduceL2", axes=[1], keepdims=0), (2, 3, 4), {}, 17),
        (node("ReduceL1", ("x", "a")), (2, 3, 4), {"a": numpy.array([-1])}, 18),
        (node("ReduceSumSquare"), (2, 3, 4), {}, 18),
    ],
    "log-sum-exp-by-parts": [
        (node("ReduceLogSumExp", axes=[1], keepdims=0), (2, 3, 4), {}, 17),
        (node("ReduceLogSumExp", ("x", "a")), (2, 3, 4), {"a": numpy.array([0, 2])}, 18),
    ],
    "reduce-as-pool": [
        (node("ReduceMean", axes=[2, 3], keepdims=0), (2, 3, 4, 5), {}, 17),
        (node("ReduceMean", ("x", "a")), (2, 3, 4, 5), {"a": numpy.array([-1, -2])}, 18),
    ],
    "pool-as-reduce": [
        (node("GlobalAveragePool"), (2, 3, 4, 5), {}, 17),
        (node("GlobalMaxPool"), (2, 3, 4, 5), {}, 18),
    ],
    "variadic-as-pairs": [
        (node("Sum", ("x", "c", "x")), (2, 3), {"c": floats(3)}, 17),
        (node("Max", ("x", "c", "d")), (2, 3), {"c": floats(3), "d": floats(2, 3)}, 17),
    ],
    "mean-as-sum": [(node("Mean", ("x", "c", "x")), (2, 3), {"c": floats(3)}, 17)],
    "cumulative-sum-as-product": [
        (node("CumSum", ("x", "a")), (2, 9), {"a": numpy.array(1)}, 17),
        (node("CumSum", ("x", "a"), exclusive=1, reverse=1), (2, 9), {"a": numpy.array(-1)}, 17),
        (node("CumSum", ("x", "a"), reverse=1), (9,), {"a": numpy.array(0)}, 17),
    ],
    "batch-norm-as-scale": [
        (
            node("BatchNormalization", ("x", "s", "b", "m", "v"), epsilon=1e-3),
            (2, 3, 4),
            {"s": floats(3), "b": floats(3), "m": floats(3), "v": floats(3) ** 2},
            17,
        )
    ],
    "instance-norm-by-parts": [
        (node("InstanceNormalization", ("x", "s", "b")), (2, 3, 4, 5), {"s": floats(3), "b": floats(3)}, 17)
    ],
    "layer-norm-by-parts": [
        (node("LayerNormalization", ("x", "s", "b"), axis=1), (2, 3, 4), {"s": floats(3, 4), "b": floats(3, 4)}, 17),
        (node("LayerNormalization", ("x", "s")), (2, 3, 4), {"s": floats(4)}, 17),
    ],
    "gemm-as-matmul": [
        (node("Gemm", ("x", "w", "b"), transB=1), (2, 3), {"w": floats(4, 3), "b": floats(4)}, 17),
        (node("Gemm", ("x", "w", "b"), transA=1, alpha=0.5, beta=2.0), (3, 2), {"w": floats(3, 4), "b": floats(4)}, 17),
        (node("Gemm", ("x", "w"), alpha=0.5), (2, 3), {"w": floats(3, 4)}, 17),
    ],
    "split-as-slices": [
        (node("Split", outputs=("y", "z"), axis=1), (2, 6), {}, 17),
        (node("Split", ("x", "n"), ("y", "z"), axis=-1), (2, 6), {"n": numpy.array([1, 5])}, 17),
        (node("Split", outputs=("y", "z", "u"), num_outputs=3, axis=1), (2, 7), {}, 18),
    ],
    "reshape-instead": [
        (node("Squeeze", ("x", "a")), (1, 3, 1), {"a": numpy.array([0])}, 17),
        (node("Unsqueeze", ("x", "a")), (2, 3), {"a": numpy.array([1])}, 17),
        (node("Flatten", axis=2), (2, 3, 4, 5), {}, 17),
    ],
    "depth-to-space-by-reshape": [
        (node("DepthToSpace", blocksize=2), (1, 8, 3, 4), {}, 17),
        (node("DepthToSpace", blocksize=2, mode="CRD"), (1, 8, 3, 4), {}, 17),
    ],
    "space-to-depth-by-reshape": [(node("SpaceToDepth", blocksize=2), (1, 2, 4, 6), {}, 17)],
    "triangle-as-product": [
        (node("Trilu"), (2, 4, 5), {}, 17),
        (node("Trilu", ("x", "k"), upper=0), (4, 4), {"k": numpy.array(-1)}, 17),
    ],
    "einsum-as-matmul": [
        (node("Einsum", ("x", "w"), equation="bij,bkj->bik"), (2, 3, 4), {"w": floats(2, 5, 4)}, 17),
        (node("Einsum", ("x", "w"), equation="bhid,bhjd->bijh"), (2, 3, 4, 5), {"w": floats(2, 3, 6, 5)}, 17),
    ],
    "gather-as-slice": [
        (node("Gather", ("x", "i"), axis=1), (2, 5, 3), {"i": numpy.array(2)}, 17),
        (node("Gather", ("x", "i"), axis=-1), (2, 5, 3), {"i": numpy.array([-1])}, 12),
    ],
    "allowzero-left-out": [
        (node("Reshape", ("x", "n"), allowzero=1), (2, 6), {"n": numpy.array([3, -1])}, 17),
    ],
    "pad-mode-written": [
        (node("Pad", ("x", "p")), (2, 3), {"p": numpy.array([0, 1, 0, 2])}, 17),
        (node("Pad", ("x", "p", "c")), (2, 3), {"p": numpy.array([0, 1, 0, 2]), "c": numpy.float32(2)}, 17),
        (node("Pad", pads=[0, 1, 0, 2], value=1.0), (2, 3), {}, 10),
    ],
    "nan-as-unequal": [(node("IsNaN"), (2, 9), {}, 17)],
    plugin.DEFINITION: [
        (node("HardSwish"), (2, 9), {}, 17),
        (node("Gelu"), (2, 9), {}, 20),
        (node("Mish"), (2, 9), {}, 18),
        (node("Celu", alpha=1.5), (2, 9), {}, 17),
        (node("LogSoftmax", axis=1), (2, 9), {}, 17),
        (node("LayerNormalization", ("x", "s", "b")), (2, 3, 4), {"s": floats(4), "b": floats(4)}, 17),
        (node("GroupNormalization", ("x", "s", "b"), num_groups=2), (2, 4, 5), {"s": floats(4), "b": floats(4)}, 21),
        (node("ThresholdedRelu", alpha=0.5), (2, 9), {}, 17),
    ],
}  # fmt: skip

#: rewrite → nodes it must leave alone
LEFT = {
    "leaky-relu-as-max": [(node("LeakyRelu", alpha=1.5), (2, 9), {}, 17), (node("LeakyRelu", alpha=-0.5), (2, 9), {}, 17)],
    "reduce-as-pool": [(node("ReduceMean", axes=[1, 2], keepdims=0), (2, 3, 4, 5), {}, 17)],
    "variadic-as-pairs": [(node("Sum", ("x", "x")), (2, 3), {}, 17)],
    "cumulative-sum-as-product": [(node("CumSum", ("x", "a")), (4, 9), {"a": numpy.array(0)}, 17)],
    "einsum-as-matmul": [
        (node("Einsum", equation="ii->i"), (3, 3), {}, 17),
        (node("Einsum", ("x", "x"), equation="ij,ij->"), (3, 3), {}, 17),
    ],
    "gather-as-slice": [(node("Gather", ("x", "i")), (4, 3), {"i": numpy.array([0, 2])}, 17)],
    "allowzero-left-out": [
        (node("Reshape", ("x", "n")), (2, 6), {"n": numpy.array([3, 4])}, 17),
        (node("Reshape", ("x", "n"), allowzero=1), (0, 6), {"n": numpy.array([0, 3])}, 17),
    ],
    "pad-mode-written": [(node("Pad", ("x", "p"), mode="edge"), (2, 3), {"p": numpy.array([0, 1, 0, 2])}, 17)],
    plugin.DEFINITION: [(node("Tanh"), (2, 9), {}, 17)],
}  # fmt: skip


def saved(path, case):
    made, shape, constants, opset = case
    graph = helper.make_graph(
        [made],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [onnx.ValueInfoProto(name=name) for name in made.output],
        [numpy_helper.from_array(numpy.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    for value in model.graph.output:
        value.type.tensor_type.elem_type = TensorProto.BOOL if made.op_type == "IsNaN" else TensorProto.FLOAT
        if not value.type.tensor_type.HasField("shape"):  # another domain's operator: nothing was inferred
            value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, shape))
    onnx.save(model, path)
    return path


def answers(path, shape, *, first=None):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = numpy.random.default_rng(3)
    inputs = [(4 * rng.standard_normal(shape)).astype(numpy.float32), numpy.zeros(shape, numpy.float32)]
    if first is not None:
        inputs[0].flat[0] = first
    return [one for x in inputs for one in session.run(None, {"x": x})]


def cases(table):
    return [pytest.param(name, case, id=f"{name}-{i}") for name, all in table.items() for i, case in enumerate(all)]


@pytest.mark.parametrize(("rewrite", "case"), cases(TAKEN))
def test_the_same_numbers_without_the_operator(tmp_path, rewrite, case):
    path = saved(tmp_path / "m.onnx", case)
    assert plugin.apply(path, rewrite, [0], tmp_path / "new.onnx")["rewritten"] == 1
    new = onnx.load(tmp_path / "new.onnx")
    old = case[0]
    op = f"{old.domain}::{old.op_type}" if old.domain else old.op_type
    assert rewrite in plugin.offers(op)
    assert rewrite == plugin.DEFINITION or rewrite in plugin.hints(read(path).graphs[0].nodes[0], "")
    alike = (old.op_type, len(old.input), list(old.attribute))
    still = [one for one in new.graph.node if (one.op_type, len(one.input), list(one.attribute)) == alike]
    assert not still or rewrite == "variadic-as-pairs"
    first = numpy.nan if op == "IsNaN" else None
    was, now = (answers(file, case[1], first=first) for file in (path, tmp_path / "new.onnx"))
    for one, two in zip(was, now, strict=True):
        assert one.shape == two.shape
        numpy.testing.assert_allclose(two, one, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("op", ["Reshape", "Pad"])
def test_no_rewrite_is_promised_that_would_find_nothing_to_do(tmp_path, op):
    name = {"Reshape": "allowzero-left-out", "Pad": "pad-mode-written"}[op]
    (case,) = [one for one in LEFT[name] if not one[0].attribute or one[0].attribute[0].name == "mode"][:1]
    assert plugin.hints(read(saved(tmp_path / "m.onnx", case)).graphs[0].nodes[0], "") == ()


@pytest.mark.parametrize(("rewrite", "case"), cases(LEFT))
def test_what_does_not_fit_is_left(tmp_path, rewrite, case):
    path = saved(tmp_path / "m.onnx", case)
    assert plugin.apply(path, rewrite, [0], tmp_path / "new.onnx")["rewritten"] == 0
    assert not (tmp_path / "new.onnx").exists()


def gelu(path, products, *, opset=17, also=()):
    """Gelu as exporters write it; `products` multiplies x, the sum s and a half h; `also` are outputs beside y."""
    nodes = [
        node("Div", ("x", "root"), ("d",)),
        node("Erf", ("d",), ("e",)),
        node("Add", ("e", "one"), ("s",)),
        *(node("Mul", (a, b), (c,)) for a, b, c in products),
    ]
    constants = {"root": numpy.float32(2**0.5), "one": numpy.float32(1), "h": numpy.float32(0.5)}
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 9))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (2, 9)) for name in ("y", *also)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


@pytest.mark.parametrize("opset", [17, 20])
@pytest.mark.parametrize(
    "products",
    [
        [("x", "s", "m"), ("m", "h", "y")],
        [("h", "x", "m"), ("m", "s", "y")],
        [("s", "h", "m"), ("x", "m", "y")],
    ],
)
def test_an_erf_between_products_is_a_gelu(tmp_path, products, opset):
    path = gelu(tmp_path / "m.onnx", products, opset=opset)
    assert plugin.apply(path, "erf-as-gelu", [1], tmp_path / "new.onnx")["rewritten"] == 1
    (left,) = onnx.load(tmp_path / "new.onnx").graph.node
    assert (left.op_type, left.domain) == ("Gelu", "" if opset == 20 else "com.microsoft")
    for one, two in zip(answers(path, (2, 9)), answers(tmp_path / "new.onnx", (2, 9)), strict=True):
        numpy.testing.assert_allclose(two, one, rtol=2e-5, atol=2e-5)


def test_what_others_read_of_it_stays(tmp_path):
    path = gelu(tmp_path / "m.onnx", [("h", "x", "m"), ("m", "s", "y")], also=("m",))
    assert plugin.apply(path, "erf-as-gelu", [1], tmp_path / "new.onnx")["rewritten"] == 1
    assert sorted(one.op_type for one in onnx.load(tmp_path / "new.onnx").graph.node) == ["Gelu", "Mul"]
    for one, two in zip(answers(path, (2, 9)), answers(tmp_path / "new.onnx", (2, 9)), strict=True):
        numpy.testing.assert_allclose(two, one, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("products", "also"),
    [
        ([("x", "s", "m"), ("m", "one", "y")], ()),  # not halved
        ([("x", "s", "m"), ("m", "h", "y")], ("s",)),  # the sum itself is an output
        ([("d", "s", "m"), ("m", "h", "y")], ()),  # another factor
        ([("s", "h", "m"), ("m", "h", "y")], ()),
    ],
)
def test_another_product_with_an_erf_is_no_gelu(tmp_path, products, also):
    path = gelu(tmp_path / "m.onnx", products, also=also)
    assert plugin.apply(path, "erf-as-gelu", [1], tmp_path / "new.onnx")["rewritten"] == 0


def test_every_rewrite_has_a_case():
    assert {*TAKEN, "erf-as-gelu"} == set(plugin.SAYS) - set(plugin.WHOLE)


def test_shape_arithmetic_is_folded(tmp_path):
    """x.reshape(x.shape[0], -1) as exporters write it."""
    nodes = [
        node("Shape", ("x",), ("s",)),
        node("Gather", ("s", "zero"), ("n",)),
        node("Unsqueeze", ("n", "first"), ("n1",)),
        node("Concat", ("n1", "rest"), ("t",), axis=0),
        node("Reshape", ("x", "t"), ("y",)),
    ]
    constants = {"zero": numpy.array(0), "first": numpy.array([0]), "rest": numpy.array([-1])}
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 3, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (2, 12))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    assert plugin.apply(tmp_path / "m.onnx", plugin.FOLD, [], tmp_path / "new.onnx")["rewritten"] == 4
    assert [one.op_type for one in onnx.load(tmp_path / "new.onnx").graph.node] == ["Reshape"]
    for one, two in zip(
        answers(tmp_path / "m.onnx", (2, 3, 4)), answers(tmp_path / "new.onnx", (2, 3, 4)), strict=True
    ):
        numpy.testing.assert_array_equal(one, two)


def test_a_random_constant_is_not_folded(tmp_path):
    graph = helper.make_graph(
        [node("RandomNormalLike", ("c",), ("r",)), node("Add", ("x", "r"))], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (3,))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (3,))],
        [numpy_helper.from_array(floats(3), "c")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    assert plugin.apply(tmp_path / "m.onnx", plugin.FOLD, [], tmp_path / "new.onnx")["rewritten"] == 0
