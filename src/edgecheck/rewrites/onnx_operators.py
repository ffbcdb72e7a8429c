"""ONNX operators in other operators: one function a rewrite, which gives False where it does not fit the node."""

from __future__ import annotations

from edgecheck.rewrites import fits
from edgecheck.rewrites.onnx_build import Builder
from edgecheck.rewrites.rules import Rules

RULES = Rules()
rule = RULES.rule


@rule("hard-swish-as-relu6", "HardSwish", says="x * clip(x + 3, 0, 6) / 6")
def _hard_swish(b: Builder) -> bool:
    moved = b.add("Add", b.x, b.constant(3.0, b.x))
    clipped = b.add("Clip", moved, b.constant(0.0, b.x), b.constant(6.0, b.x))
    b.add("Mul", b.add("Mul", b.x, clipped), b.constant(1 / 6, b.x), out=b.y)
    return True


@rule("hard-sigmoid-as-clip", "HardSigmoid", says="clip(alpha * x + beta, 0, 1)")
def _hard_sigmoid(b: Builder) -> bool:
    scaled = b.add("Mul", b.x, b.constant(b.attrs.get("alpha", 0.2), b.x))
    moved = b.add("Add", scaled, b.constant(b.attrs.get("beta", 0.5), b.x))
    b.add("Clip", moved, b.constant(0.0, b.x), b.constant(1.0, b.x), out=b.y)
    return True


@rule(
    "gelu-as-erf",
    "Gelu",
    "com.microsoft::Gelu",
    says="x / 2 * (1 + erf(x / sqrt 2)), or its tanh form where the node asks for it",
)
def _gelu(b: Builder) -> bool:
    if b.attrs.get("approximate", "none") == "tanh":
        cubed = b.add("Mul", b.add("Mul", b.x, b.x), b.x)
        inner = b.add("Add", b.x, b.add("Mul", cubed, b.constant(0.044715, b.x)))
        curve = b.add("Tanh", b.add("Mul", inner, b.constant(0.7978845608028654, b.x)))
    else:
        curve = b.add("Erf", b.add("Mul", b.x, b.constant(0.7071067811865476, b.x)))
    raised = b.add("Add", curve, b.constant(1.0, b.x))
    b.add("Mul", b.add("Mul", b.x, b.constant(0.5, b.x)), raised, out=b.y)
    return True


@rule("mish-as-tanh", "Mish", says="x * tanh(softplus(x))")
def _mish(b: Builder) -> bool:
    b.add("Mul", b.x, b.add("Tanh", b.add("Softplus", b.x)), out=b.y)
    return True


@rule("softplus-as-log", "Softplus", says="max(x, 0) + log(1 + exp(-|x|))")
def _softplus(b: Builder) -> bool:
    tail = b.add("Exp", b.add("Neg", b.add("Abs", b.x)))
    grown = b.add("Log", b.add("Add", tail, b.constant(1.0, b.x)))
    b.add("Add", b.add("Relu", b.x), grown, out=b.y)
    return True


@rule("leaky-relu-as-max", "LeakyRelu", says="max(x, alpha * x)")
def _leaky(b: Builder) -> bool:
    alpha = b.attrs.get("alpha", 0.01)
    if not 0 <= alpha <= 1:
        return False
    b.add("Max", b.x, b.add("Mul", b.x, b.constant(alpha, b.x)), out=b.y)
    return True


@rule("prelu-as-relu", "PRelu", says="relu(x) - slope * relu(-x)")
def _prelu(b: Builder) -> bool:
    below = b.add("Mul", b.add("Relu", b.add("Neg", b.x)), b.input(1))
    b.add("Sub", b.add("Relu", b.x), below, out=b.y)
    return True


@rule("clip-as-min-max", "Clip", says="min(max(x, low), high)")
def _clip(b: Builder) -> bool:
    low = b.input(1) or (b.constant(b.attrs["min"], b.x) if "min" in b.attrs else "")
    high = b.input(2) or (b.constant(b.attrs["max"], b.x) if "max" in b.attrs else "")
    value = b.add("Max", b.x, low, out=None if high else b.y) if low else b.x
    if high:
        b.add("Min", value, high, out=b.y)
    return bool(low or high)


@rule("norm-as-sums", "ReduceL2", "ReduceSumSquare", "ReduceL1", says="sums of squares or of absolute values")
def _norm(b: Builder) -> bool:
    rank = b.rank(b.x)
    axes = None if rank is None else b.axes(rank)
    if not axes:
        return False
    terms = b.add("Abs", b.x) if b.node.op_type == "ReduceL1" else b.add("Mul", b.x, b.x)
    keep = int(b.attrs.get("keepdims", 1))
    last = b.node.op_type == "ReduceL2"
    total = b.reduce("ReduceSum", terms, axes, keep=keep, out=None if last else b.y)
    if last:
        b.add("Sqrt", total, out=b.y)
    return True


@rule("log-sum-exp-by-parts", "ReduceLogSumExp", says="max + log(sum(exp(x - max)))")
def _log_sum_exp(b: Builder) -> bool:
    rank = b.rank(b.x)
    axes = None if rank is None else b.axes(rank)
    if not axes:
        return False
    top = b.reduce("ReduceMax", b.x, axes, keep=1)
    spread = b.reduce("ReduceSum", b.add("Exp", b.add("Sub", b.x, top)), axes, keep=1)
    if b.attrs.get("keepdims", 1):
        b.add("Add", b.add("Log", spread), top, out=b.y)
    else:
        b.unsqueeze("Squeeze", b.add("Add", b.add("Log", spread), top), axes, out=b.y)
    return True


@rule("reduce-as-pool", "ReduceMean", fits=fits.image, says="a global average pool over height and width")
def _mean_as_pool(b: Builder) -> bool:
    shape = b.shape(b.x)
    if shape is None or len(shape) != 4 or b.axes(4) != [2, 3]:
        return False
    keep = bool(b.attrs.get("keepdims", 1))
    pooled = b.add("GlobalAveragePool", b.x, out=b.y if keep else None)
    if not keep:
        b.add("Reshape", pooled, b.ints(*shape[:2]), out=b.y)
    return True


@rule("pool-as-reduce", "GlobalAveragePool", "GlobalMaxPool", says="a mean or maximum over the spatial axes")
def _pool_as_mean(b: Builder) -> bool:
    rank = b.rank(b.x)
    if rank is None or rank < 3:
        return False
    op = "ReduceMean" if b.node.op_type == "GlobalAveragePool" else "ReduceMax"
    b.reduce(op, b.x, range(2, rank), keep=1, out=b.y)
    return True


@rule("variadic-as-pairs", "Sum", "Max", "Min", fits=fits.three_or_more, says="one pair after the other")
def _pairs(b: Builder) -> bool:
    names = list(b.node.input)
    if len(names) < 3:
        return False
    op = {"Sum": "Add"}.get(b.node.op_type, b.node.op_type)
    value = names[0]
    for i, other in enumerate(names[1:], 1):
        value = b.add(op, value, other, out=b.y if i == len(names) - 1 else None)
    return True


@rule("mean-as-sum", "Mean", says="additions and one multiplication")
def _variadic_mean(b: Builder) -> bool:
    value = b.x
    for other in b.node.input[1:]:
        value = b.add("Add", value, other)
    b.add("Mul", value, b.constant(1 / len(b.node.input), b.x), out=b.y)
    return True


@rule("cumulative-sum-as-product", "CumSum", says="a product with a triangle of ones")
def _cumsum(b: Builder) -> bool:
    import numpy

    shape, axis = b.shape(b.x), b.value(b.input(1))
    if shape is None or axis is None or not shape:
        return False
    at = int(axis.reshape(-1)[0]) % len(shape)
    length = shape[at]
    if at != len(shape) - 1 or not 1 < length <= 2048 or b.known.types.get(b.x) not in (1, 10, 11):
        return False
    ones = numpy.triu(numpy.ones((length, length)), 1 if b.attrs.get("exclusive") else 0)
    if b.attrs.get("reverse"):
        ones = ones.T
    b.add("MatMul", b.x, b.constant(ones, b.x), out=b.y)
    return True


@rule("batch-norm-as-scale", "BatchNormalization", says="one multiplication and one addition with constants")
def _batch_norm(b: Builder) -> bool:
    import numpy

    parts = [b.value(b.input(i)) for i in range(1, 5)]
    rank = b.rank(b.x)
    if any(part is None for part in parts) or rank is None or rank < 2 or len(b.node.output) > 1:
        return False
    scale, bias, mean, variance = (part.astype(numpy.float64) for part in parts)
    factor = scale / numpy.sqrt(variance + b.attrs.get("epsilon", 1e-5))
    form = (1, -1, *[1] * (rank - 2))
    scaled = b.add("Mul", b.x, b.constant(factor.reshape(form), b.x))
    b.add("Add", scaled, b.constant((bias - mean * factor).reshape(form), b.x), out=b.y)
    return True


@rule("instance-norm-by-parts", "InstanceNormalization", says="mean, variance and scale as separate operators")
def _instance_norm(b: Builder) -> bool:
    rank = b.rank(b.x)
    scale, bias = b.value(b.input(1)), b.value(b.input(2))
    if rank is None or rank < 3 or scale is None or bias is None:
        return False
    axes = range(2, rank)
    form = (1, -1, *[1] * (rank - 2))
    _normalised(b, list(axes), scale.reshape(form), bias.reshape(form))
    return True


@rule("layer-norm-by-parts", "LayerNormalization", says="mean, variance and scale as separate operators")
def _layer_norm(b: Builder) -> bool:
    rank, scale = b.rank(b.x), b.value(b.input(1))
    bias = b.value(b.input(2)) if b.input(2) else 0.0
    if rank is None or scale is None or bias is None or len([o for o in b.node.output if o]) > 1:
        return False
    first = int(b.attrs.get("axis", -1)) % rank
    _normalised(b, list(range(first, rank)), scale, bias)
    return True


def _normalised(b: Builder, axes: list[int], scale: object, bias: object) -> None:
    centred = b.add("Sub", b.x, b.reduce("ReduceMean", b.x, axes, keep=1))
    variance = b.reduce("ReduceMean", b.add("Mul", centred, centred), axes, keep=1)
    guarded = b.add("Add", variance, b.constant(b.attrs.get("epsilon", 1e-5), b.x))
    normal = b.add("Div", centred, b.add("Sqrt", guarded))
    b.add("Add", b.add("Mul", normal, b.constant(scale, b.x)), b.constant(bias, b.x), out=b.y)


@rule("gemm-as-matmul", "Gemm", says="a product and an addition")
def _gemm(b: Builder) -> bool:
    left = b.add("Transpose", b.x, perm=[1, 0]) if b.attrs.get("transA") else b.x
    right = b.input(1)
    if b.attrs.get("transB"):
        value = b.value(right)
        right = b.constant(value.T.copy()) if value is not None else b.add("Transpose", right, perm=[1, 0])
    alpha, beta = b.attrs.get("alpha", 1.0), b.attrs.get("beta", 1.0)
    third = b.input(2)
    plain = alpha == 1.0 and not third
    product = b.add("MatMul", left, right, out=b.y if plain else None)
    if alpha != 1.0:
        product = b.add("Mul", product, b.constant(alpha, b.x), out=None if third else b.y)
    if third:
        added = third if beta == 1.0 else b.add("Mul", third, b.constant(beta, b.x))
        b.add("Add", product, added, out=b.y)
    return True


@rule("nan-as-unequal", "IsNaN", says="x that does not equal itself")
def _is_nan(b: Builder) -> bool:
    if b.opset < 11:  # Equal takes no floats before
        return False
    b.add("Not", b.add("Equal", b.x, b.x), out=b.y)
    return True
