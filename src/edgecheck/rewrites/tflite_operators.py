"""TFLite operators in other operators: one function a rewrite, which gives False where it does not fit."""

from __future__ import annotations

import math

from edgecheck.rewrites import fits
from edgecheck.rewrites.rules import Rules
from edgecheck.rewrites.tflite_build import Builder

RULES = Rules()
rule = RULES.rule


@rule("hard-swish-as-relu6", "HARD_SWISH", fits=fits.floats, says="x * relu6(x + 3) / 6")
def _hard_swish(b: Builder) -> bool:
    if not b.is_float(b.x):
        return False
    moved = b.add("ADD", [b.x, b.number(3.0)], b.like(b.x), ("Add", {"fusedActivationFunction": b.activation("RELU6")}))
    product = b.add("MUL", [b.x, moved], b.like(b.x), ("Mul", {}))
    b.add("MUL", [product, b.number(1 / 6)], b.y, ("Mul", {}))
    return True


@rule(
    "gelu-as-tanh",
    "GELU",
    fits=fits.approximate,
    says="x / 2 * (1 + tanh(0.798 * (x + 0.0447 x^3))), for a node that asks for that form",
)
def _gelu(b: Builder) -> bool:
    if not b.is_float(b.x) or b.options is None or not b.options.approximate:
        return False
    square = b.add("MUL", [b.x, b.x], b.like(b.x), ("Mul", {}))
    cube = b.add("MUL", [square, b.x], b.like(b.x), ("Mul", {}))
    scaled = b.add("MUL", [cube, b.number(0.044715)], b.like(b.x), ("Mul", {}))
    inner = b.add("ADD", [b.x, scaled], b.like(b.x), ("Add", {}))
    curve = b.add("TANH", [b.add("MUL", [inner, b.number(0.7978845608)], b.like(b.x), ("Mul", {}))], b.like(b.x))
    raised = b.add("ADD", [curve, b.number(1.0)], b.like(b.x), ("Add", {}))
    half = b.add("MUL", [b.x, b.number(0.5)], b.like(b.x), ("Mul", {}))
    b.add("MUL", [half, raised], b.y, ("Mul", {}))
    return True


@rule("square-as-product", "SQUARE", fits=fits.floats, says="x * x")
def _square(b: Builder) -> bool:
    if not b.is_float(b.x):
        return False
    b.add("MUL", [b.x, b.x], b.y, ("Mul", {}))
    return True


@rule("squared-difference-by-parts", "SQUARED_DIFFERENCE", fits=fits.floats, says="a difference times itself")
def _squared_difference(b: Builder) -> bool:
    if not b.is_float(b.x):
        return False
    difference = b.add("SUB", b.inputs, b.like(b.y), ("Sub", {}))
    b.add("MUL", [difference, difference], b.y, ("Mul", {}))
    return True


@rule("power-as-product", "POW", fits=fits.constant_second, says="x * x, for the exponent 2")
def _power(b: Builder) -> bool:
    exponent = b.value(b.inputs[1])
    if not b.is_float(b.x) or exponent is None or exponent.size != 1 or float(exponent.reshape(-1)[0]) != 2.0:
        return False
    b.add("MUL", [b.x, b.x], b.y, ("Mul", {}))
    return True


@rule("negation-as-product", "NEG", fits=fits.floats, says="x * -1")
def _negation(b: Builder) -> bool:
    if not b.is_float(b.x):
        return False
    b.add("MUL", [b.x, b.number(-1.0)], b.y, ("Mul", {}))
    return True


@rule("leaky-relu-as-max", "LEAKY_RELU", fits=fits.floats, says="max(x, alpha * x)")
def _leaky(b: Builder) -> bool:
    alpha = float(b.options.alpha) if b.options is not None else 0.0
    if not b.is_float(b.x) or not 0 <= alpha <= 1:
        return False
    scaled = b.add("MUL", [b.x, b.number(alpha)], b.like(b.x), ("Mul", {}))
    b.add("MAXIMUM", [b.x, scaled], b.y, ("MaximumMinimum", {}))
    return True


@rule("division-as-product", "DIV", fits=fits.constant_second, says="a product with the reciprocal of a constant")
def _division(b: Builder) -> bool:
    divisor = b.value(b.inputs[1])
    if not b.is_float(b.x) or divisor is None or not divisor.all():
        return False
    fused = b.options.fusedActivationFunction if b.options is not None else 0
    b.add("MUL", [b.x, b.constant(1 / divisor)], b.y, ("Mul", {"fusedActivationFunction": fused}))
    return True


@rule("variadic-as-pairs", "ADD_N", fits=fits.floats, says="one addition after the other")
def _add_n(b: Builder) -> bool:
    if not b.is_float(b.x) or len(b.inputs) < 2:
        return False
    value = b.x
    for i, other in enumerate(b.inputs[1:], 1):
        value = b.add("ADD", [value, other], b.y if i == len(b.inputs) - 1 else b.like(b.y), ("Add", {}))
    return True


@rule("mean-as-pool", "MEAN", fits=fits.float_image, says="an average pool over height and width")
def _mean(b: Builder) -> bool:
    shape, axes = b.shape(b.x), b.value(b.inputs[1])
    if len(shape) != 4 or axes is None or sorted(int(a) % 4 for a in axes.reshape(-1)) != [1, 2] or not b.static(b.x):
        return False
    if not b.is_float(b.x) or 0 in shape:
        return False
    fields = {
        "padding": b.schema.Padding.VALID,
        "strideH": 1,
        "strideW": 1,
        "filterHeight": shape[1],
        "filterWidth": shape[2],
    }
    keep = b.options is not None and b.options.keepDims
    pooled = b.add(
        "AVERAGE_POOL_2D", [b.x], b.y if keep else b.like(b.x, [shape[0], 1, 1, shape[3]]), ("Pool2D", fields)
    )
    if not keep:
        b.add("RESHAPE", [pooled, b.ints(shape[0], shape[3])], b.y, ("Reshape", {}))
    return True


@rule("mean-over-one-axis", "MEAN", says="the mean over one axis that holds the neighbouring ones")
def _merged_mean(b: Builder) -> bool:
    shape, axes = b.shape(b.x), b.value(b.inputs[1])
    if axes is None or not shape or not b.static(b.x) or 0 in shape:
        return False
    reduced = sorted({int(a) % len(shape) for a in axes.reshape(-1)})
    if len(reduced) < 2 or reduced != list(range(reduced[0], reduced[-1] + 1)):
        return False
    before, among, behind = (math.prod(part) for part in _cut(shape, reduced[0], reduced[-1] + 1))
    flat = b.add("RESHAPE", [b.x, b.ints(1, before, among, behind)], b.like(b.x, [1, before, among, behind]))
    averaged = b.like(b.y, [1, before, 1, behind])
    b.add("MEAN", [flat, b.ints(2)], averaged, ("Reducer", {"keepDims": True}))
    b.add("RESHAPE", [averaged, b.ints(*b.shape(b.y))], b.y, ("Reshape", {}))
    return True


def _cut(shape: list[int], start: int, stop: int) -> tuple[list[int], list[int], list[int]]:
    return shape[:start], shape[start:stop], shape[stop:]


@rule(
    "log-softmax-by-parts",
    "LOG_SOFTMAX",
    fits=fits.floats,
    says="x - max(x), less the logarithm of the sum of its exponentials",
)
def _log_softmax(b: Builder) -> bool:
    shape = b.shape(b.x)
    if not b.is_float(b.x) or not shape or not b.static(b.x):
        return False
    reduced = [*shape[:-1], 1]
    last = len(shape) - 1
    top = b.add("REDUCE_MAX", [b.x, b.ints(last)], b.like(b.x, reduced), ("Reducer", {"keepDims": True}))
    moved = b.add("SUB", [b.x, top], b.like(b.x), ("Sub", {}))
    powers = b.add("EXP", [moved], b.like(b.x))
    total = b.add("SUM", [powers, b.ints(last)], b.like(b.x, reduced), ("Reducer", {"keepDims": True}))
    b.add("SUB", [moved, b.add("LOG", [total], b.like(b.x, reduced))], b.y, ("Sub", {}))
    return True


@rule(
    "l2-norm-by-parts", "L2_NORMALIZATION", fits=fits.floats, says="x times the reciprocal root of its sum of squares"
)
def _l2(b: Builder) -> bool:
    shape = b.shape(b.x)
    if not b.is_float(b.x) or not shape or not b.static(b.x):
        return False
    reduced = [*shape[:-1], 1]
    square = b.add("MUL", [b.x, b.x], b.like(b.x), ("Mul", {}))
    total = b.add("SUM", [square, b.ints(len(shape) - 1)], b.like(b.x, reduced), ("Reducer", {"keepDims": True}))
    guarded = b.add("MAXIMUM", [total, b.number(1e-12)], b.like(b.x, reduced), ("MaximumMinimum", {}))
    b.add("MUL", [b.x, b.add("RSQRT", [guarded], b.like(b.x, reduced))], b.y, ("Mul", {}))
    return True


@rule(
    "zero-bias-added", "FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", fits=fits.lacks_bias, says="a bias of zeros"
)
def _bias(b: Builder) -> bool:
    import numpy

    if len(b.inputs) > 2 and b.inputs[2] >= 0:
        return False
    channels = b.shape(b.y)[-1]
    if b.is_float(b.x) and b.is_float(b.inputs[1]):
        zeros = b.constant(numpy.zeros(channels, numpy.float32))
    elif b.tensor(b.x).type == b.schema.TensorType.INT8 and b.tensor(b.inputs[1]).type == b.schema.TensorType.INT8:
        zeros = b.constant(numpy.zeros(channels, numpy.int32))
        b.tensor(zeros).quantization = _bias_quantization(b)
    else:
        return False
    b.again([*b.inputs[:2], zeros])
    return True


def _bias_quantization(b: Builder) -> object:
    """The scale that kernels take a bias in: the input's times the weights', channel by channel."""
    made = b.schema.QuantizationParametersT()
    scale = float(b.tensor(b.x).quantization.scale[0])
    made.scale = [scale * float(one) for one in b.tensor(b.inputs[1]).quantization.scale]
    made.zeroPoint = [0] * len(made.scale)
    return made


@rule(
    "dilation-through-batches",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    fits=fits.dilates,
    says="space to batch, a plain convolution, batch to space",
)
def _dilation(b: Builder) -> bool:
    """A dilated convolution of stride 1 is a plain one on every d-th row and column."""
    options, shape, kernel = b.options, b.shape(b.x), b.shape(b.inputs[1])
    if options is None or len(shape) != 4 or not b.static(b.x) or options.strideH != 1 or options.strideW != 1:
        return False
    rows, columns = int(options.dilationHFactor), int(options.dilationWFactor)
    if rows * columns <= 1:
        return False
    same = options.padding == b.schema.Padding.SAME
    reach = [rows * (kernel[1] - 1), columns * (kernel[2] - 1)]
    before = [one // 2 if same else 0 for one in reach]
    total = [shape[1] + (reach[0] if same else 0), shape[2] + (reach[1] if same else 0)]
    blocks = [-(-total[0] // rows), -(-total[1] // columns)]
    after = [blocks[0] * rows - shape[1] - before[0], blocks[1] * columns - shape[2] - before[1]]
    batch = shape[0] * rows * columns
    block = b.ints(rows, columns)
    pads = b.constant(_array([[before[0], after[0]], [before[1], after[1]]]))
    parts = b.add(
        "SPACE_TO_BATCH_ND", [b.x, block, pads], b.like(b.x, [batch, *blocks, shape[3]]), ("SpaceToBatchND", {})
    )
    inner = [blocks[0] - kernel[1] + 1, blocks[1] - kernel[2] + 1]
    if min(inner) < 1:
        return False
    result = b.shape(b.y)
    plain = b.like(b.y, [batch, *inner, result[3]])
    made = b.schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = b.operator.opcodeIndex, [parts, *b.inputs[1:]], [plain]
    made.builtinOptionsType = b.operator.builtinOptionsType
    made.builtinOptions = type(options)()
    made.builtinOptions.__dict__.update(options.__dict__)
    made.builtinOptions.dilationHFactor = made.builtinOptions.dilationWFactor = 1
    made.builtinOptions.padding = b.schema.Padding.VALID
    b.made.append(made)
    crops = b.constant(_array([[0, inner[0] * rows - result[1]], [0, inner[1] * columns - result[2]]]))
    b.add("BATCH_TO_SPACE_ND", [plain, block, crops], b.y, ("BatchToSpaceND", {}))
    return True


def _array(rows: list[list[int]]) -> object:
    import numpy

    return numpy.array(rows, numpy.int32)


@rule(
    "arg-max-by-halves",
    "ARG_MAX",
    fits=fits.wide,
    says="the index in each part of at most 127 channels, then the best part's",
)
def _arg_max(b: Builder) -> bool:
    """First index of the largest: parts in order, and the first of equal parts wins, as in one ARG_MAX."""
    shape, axis = b.shape(b.x), b.value(b.inputs[1])
    last = len(shape) - 1
    if axis is None or not shape or int(axis.reshape(-1)[0]) % len(shape) != last or not b.static(b.x):
        return False
    depth, most = shape[-1], 127
    if depth <= most or depth > most * most or b.tensor(b.y).type != b.schema.TensorType.INT32:
        return False
    sizes = [min(most, depth - start) for start in range(0, depth, most)]
    parts = [b.like(b.x, [*shape[:-1], size]) for size in sizes]
    b.add("SPLIT_V", [b.x, b.ints(*sizes), b.ints(last)], parts, ("SplitV", {"numSplits": len(sizes)}))
    tops = [
        b.add("REDUCE_MAX", [p, b.ints(last)], b.like(b.x, [*shape[:-1], 1]), ("Reducer", {"keepDims": True}))
        for p in parts
    ]
    joined = b.add("CONCATENATION", tops, b.like(b.x, [*shape[:-1], len(sizes)]), ("Concatenation", {"axis": last}))
    kind = ("ArgMax", {"outputType": b.schema.TensorType.INT32})
    best = b.add("ARG_MAX", [joined, b.ints(last)], b.like(b.y, shape[:-1]), kind)
    value = None
    for i, part in enumerate(parts):
        inner = b.add("ARG_MAX", [part, b.ints(last)], b.like(b.y, shape[:-1]), kind)
        index = b.add("ADD", [inner, b.ints(i * most)], b.like(b.y, shape[:-1]), ("Add", {})) if i else inner
        if value is None:
            value = index
            continue
        chosen = b.like(b.y, shape[:-1])
        b.tensor(chosen).type = b.schema.TensorType.BOOL
        b.add("EQUAL", [best, b.ints(i)], chosen, ("Equal", {}))
        value = b.add(
            "SELECT_V2",
            [chosen, index, value],
            b.y if i == len(parts) - 1 else b.like(b.y, shape[:-1]),
            ("SelectV2", {}),
        )
    return True
