"""Shape rules of the operators that compute element by element, reduce, multiply matrices or normalise."""

from __future__ import annotations

import math
from collections.abc import Callable

from edgecheck.model.formats.onnx_data import Number
from edgecheck.model.formats.onnx_messages import DTYPES
from edgecheck.model.formats.onnx_shapes import MOST_VALUES, Call, Unknown, Values, broadcast, product, rule
from edgecheck.model.graph import Shape


def _divide(a: Number, b: Number) -> Number | None:
    if b == 0:
        return None
    if isinstance(a, int) and isinstance(b, int):  # truncates towards zero, as C does
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a / b


def _remainder(a: Number, b: Number) -> Number | None:
    """With the divisor's sign, as ONNX's Mod of integers without `fmod`."""
    return a % b if b != 0 and isinstance(a, int) and isinstance(b, int) else None


_FOLDED: dict[str, Callable[..., Number | None]] = {
    "Add": lambda a, b: a + b, "Sub": lambda a, b: a - b, "Mul": lambda a, b: a * b, "Div": _divide,
    "Mod": _remainder,
    "Min": lambda *all_: min(all_), "Max": lambda *all_: max(all_), "Sum": lambda *all_: sum(all_),
    "Equal": lambda a, b: int(a == b), "Greater": lambda a, b: int(a > b), "Less": lambda a, b: int(a < b),
    "GreaterOrEqual": lambda a, b: int(a >= b), "LessOrEqual": lambda a, b: int(a <= b),
    "And": lambda a, b: int(bool(a and b)), "Or": lambda a, b: int(bool(a or b)), "Not": lambda a: int(not a),
    "Neg": lambda a: -a, "Abs": abs, "Identity": lambda a: a,
    "Floor": lambda a: float(math.floor(a)), "Ceil": lambda a: float(math.ceil(a)),
}  # fmt: skip
_SAME = (
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Clip Cos Cosh CumProd CumSum Elu Erf Exp Floor Gelu "
    "GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization LRN LeakyRelu Log LogSoftmax "
    "LpNormalization MeanVarianceNormalization Mish Neg Not PRelu RMSNormalization Reciprocal Relu ReverseSequence "
    "RotaryEmbedding Round Scatter ScatterElements ScatterND Selu Shrink Sigmoid Sign SimplifiedLayerNormalization Sin "
    "Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Trilu "
    "com.microsoft::BiasGelu com.microsoft::FastGelu com.microsoft::Gelu com.microsoft::QLinearLeakyRelu "
    "com.microsoft::QLinearSigmoid com.microsoft::QLinearSoftmax com.microsoft::QuickGelu "
    "com.microsoft::RotaryEmbedding com.microsoft::Trilu "
    "com.microsoft::SkipLayerNormalization com.microsoft::SkipSimplifiedLayerNormalization"
)


def fold(c: Call, dtype: str | None, count: int) -> Values | None:
    """The small content of an elementwise result, where all `count` inputs have theirs."""
    function = _FOLDED.get(c.op)
    parts = [value.values if value else None for value in c.inputs[:count]]
    if function is None or len(parts) < count or None in parts or dtype is None or c.attrs.get("fmod"):
        return None
    lengths = {len(part) for part in parts if part is not None and len(part) != 1}
    if len(lengths) > 1 or any(
        value and value.shape is not None and len(value.shape) > 1 for value in c.inputs[:count]
    ):
        return None
    size = lengths.pop() if lengths else 1
    rows = zip(*(part if len(part) == size else part * size for part in parts if part is not None), strict=True)
    return tuple(None if None in row else function(*row) for row in rows)


@rule(*_SAME.split())
def same(c: Call) -> None:
    """The first input's type and shape."""
    c.put(0, dtype=c.dtype(0))
    c.put(0, shape=c.shape(0), values=fold(c, c.dtype(0), 1) if len(c.inputs) == 1 else None)


@rule("Add", "Sub", "Mul", "Div", "Mod", "Pow", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor")
@rule("And", "Or", "Xor", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
def binary(c: Call) -> None:
    logical = c.op in ("And", "Or", "Xor", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
    c.put(0, dtype="bool" if logical else c.dtype(0))
    if c.since < 7 and "broadcast" in c.attrs:  # before opset 7 the second input fits into the first
        c.put(0, shape=c.shape(0))
        return
    c.put(0, shape=broadcast(c.shape(0), c.shape(1)), values=fold(c, c.dtype(0), 2))


@rule("Max", "Min", "Mean", "Sum")
def variadic(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    if c.since < 8:  # no broadcasting: all have one shape
        c.put(0, shape=c.shape(0))
        return
    shapes = [c.shape(i) for i in range(len(c.inputs))]
    c.put(0, shape=broadcast(*shapes), values=fold(c, c.dtype(0), len(c.inputs)))


@rule("Where")
def where(c: Call) -> None:
    c.put(0, dtype=c.dtype(1))
    c.put(0, shape=broadcast(c.shape(0), c.shape(1), c.shape(2)))
    flags, yes, no = c.values(0), c.values(1), c.values(2)
    size = max(len(flags), len(yes), len(no))
    rows = zip(*(part * size if len(part) == 1 else part for part in (flags, yes, no)), strict=True)
    if max(c.rank(0), c.rank(1), c.rank(2)) <= 1:
        c.put(0, values=[None if flag is None else (a if flag else b) for flag, a, b in rows])


@rule("IsInf", "IsNaN")
def test(c: Call) -> None:
    c.put(0, dtype="bool")
    c.put(0, shape=c.shape(0))


@rule("Cast", "CastLike", "Bernoulli", "EyeLike", "RandomNormalLike", "RandomUniformLike", "BitCast")
def typed(c: Call) -> None:
    """The first input's shape, with the type that an attribute or another input names."""
    if c.op == "CastLike":
        c.put(0, dtype=c.dtype(1))
    else:
        to = c.attrs.get("to" if c.op in ("Cast", "BitCast") else "dtype")
        c.put(0, dtype=to_dtype(to) if to is not None else c.dtype(0))
    c.put(0, shape=c.shape(0))
    values = c.value(0).values
    if c.op.startswith("Cast") and values is not None:
        whole = (c.out[0].dtype or "").startswith("int")
        c.put(0, values=[None if v is None else int(v) if whole and math.isfinite(v) else v for v in values])


def to_dtype(code: object) -> str | None:
    """TensorProto.DataType as a name; opsets before 6 wrote the name of the code."""
    if isinstance(code, int):
        return DTYPES.get(code)
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(str(code), str(code).lower()) if code else None


@rule("Dropout")
def dropout(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(1, dtype="bool" if c.since >= 10 else c.dtype(0))
    c.put(0, shape=c.shape(0))
    c.put(1, shape=c.shape(0))


@rule("BatchNormalization")
def batch_normalization(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    for i in range(1, 5):
        c.put(i, dtype=c.dtype(3 if c.since >= 14 else 1))
        c.put(i, shape=c.value(3).shape if c.has(3) else None)
    c.put(0, shape=c.shape(0))


@rule("LayerNormalization")
def layer_normalization(c: Call) -> None:
    statistics = DTYPES.get(c.attr_int("stash_type", 1))
    c.put(0, dtype=c.dtype(0))
    c.put(1, dtype=statistics)
    c.put(2, dtype=statistics)
    shape = c.shape(0)
    axis = c.axis(c.attr_int("axis", -1), len(shape))
    c.put(0, shape=shape)
    for i in (1, 2):
        c.put(i, shape=shape[:axis] + (1,) * (len(shape) - axis))


@rule(
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
def reduce(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shape, keep = c.shape(0), c.attr_int("keepdims", 1)
    if c.has(1) and c.value(1).values is None:
        _reduced_somewhere(c, shape, keep)
        return
    axes = c.ints(1) if c.has(1) else c.attr_ints("axes")
    if not axes:
        if c.attr_int("noop_with_empty_axes", 0):
            c.put(0, shape=shape)
            return
        axes = tuple(range(len(shape)))
    gone = {c.axis(axis, len(shape)) for axis in axes}
    c.put(0, shape=reduced(shape, gone, keep), values=_reduced_values(c))


def reduced(shape: Shape, axes: set[int], keep: int) -> Shape:
    if keep:
        return tuple(1 if i in axes else dim for i, dim in enumerate(shape))
    return tuple(dim for i, dim in enumerate(shape) if i not in axes)


def _reduced_somewhere(c: Call, shape: Shape, keep: int) -> None:
    count = product(c.shape(1))
    if not count:  # no axes: all of them, or none
        raise Unknown
    if keep:
        c.put(0, shape=[1 if dim == 1 else None for dim in shape])
    else:
        c.put(0, shape=(None,) * (len(shape) - count))


def _reduced_values(c: Call) -> Values | None:
    functions: dict[str, Callable[..., Number]] = {"Prod": math.prod, "Sum": sum, "Max": max, "Min": min}
    function = functions.get(c.op[6:])
    values = c.value(0).values
    if function is None or not values or None in values or c.rank(0) != 1:
        return None
    return (function(values),)


@rule("ArgMax", "ArgMin")
def arg(c: Call) -> None:
    c.put(0, dtype="int64")
    shape = c.shape(0)
    c.put(0, shape=reduced(shape, {c.axis(c.attr_int("axis", 0), len(shape))}, c.attr_int("keepdims", 1)))


@rule("MatMul", "MatMulInteger", "QLinearMatMul", "com.microsoft::FusedMatMul", "com.microsoft::MatMulIntegerToFloat")
@rule("com.microsoft::DynamicQuantizeMatMul")
def matmul(c: Call) -> None:
    second = 3 if c.op == "QLinearMatMul" else 1
    if c.op == "MatMulInteger":
        c.put(0, dtype="int32")
    elif c.op.endswith(("MatMulIntegerToFloat", "DynamicQuantizeMatMul")):
        c.put(0, dtype="float32")
    else:
        c.put(0, dtype=c.dtype(7 if second == 3 else 0))
    if c.attrs.get("transBatchA") or c.attrs.get("transBatchB"):
        raise Unknown
    c.put(
        0, shape=multiplied(_turned(c.shape(0), c.attrs.get("transA")), _turned(c.shape(second), c.attrs.get("transB")))
    )


def _turned(shape: Shape, turn: object) -> Shape:
    """The shape with its last two dimensions exchanged; a vector stays."""
    return (*shape[:-2], shape[-1], shape[-2]) if turn and len(shape) > 1 else shape


def multiplied(a: Shape, b: Shape) -> Shape:
    """numpy.matmul's shape."""
    if not a or not b:
        raise Unknown
    left = a if len(a) > 1 else (1, *a)
    right = b if len(b) > 1 else (*b, 1)
    if None not in (left[-1], right[-2]) and left[-1] != right[-2]:
        raise Unknown
    rows = left[-2:-1] if len(a) > 1 else ()
    columns = right[-1:] if len(b) > 1 else ()
    return broadcast(left[:-2], right[:-2]) + rows + columns


@rule("Gemm", "com.microsoft::FusedGemm")
def gemm(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    a, b = c.shape(0), c.shape(1)
    if len(a) != 2 or len(b) != 2:
        raise Unknown
    c.put(0, shape=(a[1] if c.attr_int("transA", 0) else a[0], b[0] if c.attr_int("transB", 0) else b[1]))


@rule("com.microsoft::MatMulNBits")
def matmul_bits(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(0, shape=(*c.shape(0)[:-1], c.attr_int("N")))


@rule("Einsum")
def einsum(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    left, arrow, right = c.attr_text("equation").replace(" ", "").partition("->")
    terms = left.split(",")
    if "." in left or len(terms) != len(c.inputs):
        raise Unknown
    dims: dict[str, int | None] = {}
    for i, term in enumerate(terms):
        for letter, dim in zip(term, c.shape(i), strict=True):
            dims[letter] = dim if dims.get(letter) in (None, 1) and dim is not None else dims.get(letter)
    if not arrow:
        right = "".join(sorted(letter for letter in set(left) - {","} if left.count(letter) == 1))
    c.put(0, shape=[dims[letter] for letter in right])


@rule("QuantizeLinear", "com.microsoft::QuantizeLinear")
def quantize(c: Call) -> None:
    named = c.attrs.get("output_dtype")
    c.put(0, dtype=c.dtype(2) if c.has(2) else to_dtype(named) if named else "uint8")
    c.put(0, shape=c.shape(0))


@rule("DequantizeLinear", "com.microsoft::DequantizeLinear")
def dequantize(c: Call) -> None:
    named = c.attrs.get("output_dtype")
    c.put(0, dtype=to_dtype(named) if named else c.dtype(1))
    c.put(0, shape=c.shape(0))


@rule("DynamicQuantizeLinear")
def dynamic_quantize(c: Call) -> None:
    c.put(0, dtype="uint8")
    c.put(1, dtype="float32", shape=())
    c.put(2, dtype="uint8", shape=())
    c.put(0, shape=c.shape(0))


@rule("com.microsoft::QLinearAdd", "com.microsoft::QLinearMul")
def quantized_binary(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(0, shape=broadcast(c.shape(0), c.shape(3)))


def _batch(c: Call) -> int | None:
    """The batch of a recurrent layer whose input does not tell it: that of sequence_lens, or of its first state."""
    for place, axis in ((4, 0), (5, 0 if c.attr_int("layout", 0) else 1)):
        shape = c.value(place).shape if c.has(place) else None
        if shape is not None and len(shape) > axis and shape[axis] is not None:
            return shape[axis]
    return None


@rule("LSTM", "GRU", "RNN", "com.microsoft::DynamicQuantizeLSTM")
def recurrent(c: Call) -> None:
    for i in range(3):
        c.put(i, dtype=c.dtype(0))
    directions = 2 if c.attr_text("direction", "forward") == "bidirectional" else 1
    hidden = c.attrs.get("hidden_size") or (None if "Quantize" in c.op else c.shape(2)[-1])
    first, second, _ = c.value(0).shape or (None, None, None)
    batch_first = bool(c.attr_int("layout", 0))
    if (first if batch_first else second) is None and "Quantize" not in c.op:
        first, second = (_batch(c), second) if batch_first else (first, _batch(c))
    if batch_first:
        c.put(0, shape=(first, second, directions, hidden))
        state: Shape = (first, directions, hidden)
    else:
        c.put(0, shape=(first, directions, second, hidden))
        state = (directions, second, hidden)
    c.put(1, shape=state)
    c.put(2, shape=state)


@rule("Range")
def count(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(0, shape=(None,))
    (start,), (limit,), (delta,) = c.ints(0), c.ints(1), c.ints(2)
    length = max(0, -((start - limit) // delta))
    c.put(0, shape=(length,))
    if length <= MOST_VALUES:
        c.put(0, values=[start + i * delta for i in range(length)])


@rule("Det")
def determinant(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(0, shape=c.shape(0)[:-2])


@rule("RandomNormal", "RandomUniform")
def random(c: Call) -> None:
    c.put(0, dtype=DTYPES.get(c.attr_int("dtype", 1)), shape=c.attr_ints("shape"))


@rule("Multinomial")
def multinomial(c: Call) -> None:
    c.put(0, dtype=DTYPES.get(c.attr_int("dtype", 6)))
    c.put(0, shape=(c.shape(0)[0], c.attr_int("sample_size", 1)))


@rule("Attention")
def attention(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    query, values = c.shape(0), c.shape(2)
    if len(query) == 4 and len(values) == 4:
        c.put(0, shape=(*query[:3], values[3]))
    elif len(query) == len(values) == 3 and values[2] is not None:
        heads, of_values = c.attr_int("q_num_heads"), c.attr_int("kv_num_heads")
        c.put(0, shape=(*query[:2], heads * (values[2] // of_values)))


@rule("com.microsoft::GroupQueryAttention")
def group_query_attention(c: Call) -> None:
    """The present keys and values are of the past's type; without a past, of the query's."""
    c.put(0, dtype=c.dtype(0))
    for i in (1, 2):
        c.put(i, dtype=c.dtype(i + 2) or c.dtype(0))
    c.put(0, shape=c.shape(0) if c.has(1) else None)


@rule("ai.onnx.ml::TreeEnsemble", "ai.onnx.ml::TreeEnsembleRegressor")
def trees(c: Call) -> None:
    c.put(0, dtype=c.dtype(0) if c.op.endswith("Ensemble") else "float32")
    c.put(0, shape=(c.shape(0)[0] if c.rank(0) == 2 else None, c.attr_int("n_targets")))
