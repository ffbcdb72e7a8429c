"""What makes Vela refuse the whole file, and what a fused activation asks for."""

from __future__ import annotations

from collections.abc import Iterator

from vela_rules.fragments import first
from vela_rules.limits import FUSED, QUANTIZE_HELP, Limit

#: What Vela checks of an operator even where it is not on the report's list for a target.
CHECKED = (
    "GATHER",
    "DIV",
    "L2_POOL_2D",
    "L2_NORMALIZATION",
    "SVDF",
    "SQUARE",
    "SQRT",
    "SIN",
    "COS",
    "CEIL",
    "FLOOR",
    "ROUND",
    "ZEROS_LIKE",
    "LOG_SOFTMAX",
    "DEQUANTIZE",
    "CUMSUM",
    "DEPTH_TO_SPACE",
    "SPACE_TO_DEPTH",
    "FLOOR_DIV",
    "FLOOR_MOD",
    "POW",
    "GATHER_ND",
    "TOPK_V2",
    "ARG_MIN",
    "REDUCE_PROD",
    "CAST",
    "EQUAL",
    "NOT_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "GREATER",
    "GREATER_EQUAL",
    "LOGICAL_AND",
    "LOGICAL_NOT",
    "LOGICAL_OR",
    "ADD_N",
    "RANK",
    "REDUCE_ALL",
    "REDUCE_ANY",
    "SELECT",
    "SELECT_V2",
    "SHAPE",
)
#: Those of them that carry a fused activation, which the reader takes apart.
FUSED_UNLISTED = ("L2_POOL_2D", "L2_NORMALIZATION", "SVDF")


#: What a check of its own reads the input of, even where there are no inputs at all.
READ_FIRST = (
    "ABS",
    "ARG_MAX",
    "AVERAGE_POOL_2D",
    "DEPTHWISE_CONV_2D",
    "ELU",
    "EXP",
    "EXPAND_DIMS",
    "GELU",
    "HARD_SWISH",
    "LEAKY_RELU",
    "MAX_POOL_2D",
    "RESHAPE",
    "RSQRT",
    "SOFTMAX",
    "SPLIT_V",
    "SQUEEZE",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)
COMPARED = (
    "DIV",
    "EQUAL",
    "NOT_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "GREATER",
    "GREATER_EQUAL",
    "LOGICAL_AND",
    "LOGICAL_OR",
)


def refuse(id: str, require: str, say: str, place: str, help: str = "") -> Limit:
    return Limit(id, require, say, (f"semantics:{place}",), "rejected", help)


def semantics(op: str) -> Iterator[Limit]:
    """What makes Vela refuse the whole file (tflite_model_semantics.cpp)."""
    for checks in CHECKS:
        yield from checks(op)


def _every(op: str) -> Iterator[Limit]:
    """What is checked of every operator."""
    f = first(op)
    yield refuse(
        "finite-scale",
        "all(not quantized(t) or all(s <= 3.4028234e38 for s in t.scales) for t in inputs + outputs)",
        "quantisation scales must be finite",
        "ConstraintTensQuantScale",
    )
    yield refuse(
        "empty-constant",
        "all(not const(t) or variable(t) or known(size(t), 1) != 0 for t in inputs)",
        "a constant must have values",
        "ConstraintEmptyConstTensors",
    )
    if op not in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
        yield refuse(
            "scale-ratio",
            f"not exists({f}) or not (quantized({f}) and quantized(out[0])) or (out[0].scale != 0 and {f}.scale / out[0].scale <= 3.4028234e38)",
            "input scale over output scale must be finite",
            "ConstraintQuantScaleInf",
        )


def _present(op: str) -> Iterator[Limit]:
    """The inputs that a check reads must be there: of every operator with inputs the first feature map."""
    pairs = (
        "MINIMUM",
        "MAXIMUM",
        "ADD",
        "SUB",
        "MUL",
        "SQUARED_DIFFERENCE",
        "BATCH_MATMUL",
        "GATHER",
        "TRANSPOSE",
        "PAD",
        "CONV_2D",
        "DIV",
        "LOGICAL_AND",
        "LOGICAL_OR",
        "EQUAL",
        "NOT_EQUAL",
        "LESS",
        "LESS_EQUAL",
        "GREATER",
        "GREATER_EQUAL",
    )
    f = first(op)
    if op in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
        return
    if op in (*pairs, "SPLIT", "TRANSPOSE_CONV"):
        there = "exists(in[0]) and exists(in[1])" + (" and exists(in[2])" if op == "TRANSPOSE_CONV" else "")
    elif op in READ_FIRST:
        there = f"exists({f})"
    else:
        yield seen(op)
        return
    if op in COMPARED:
        there = f"arity == 0 or ({there})"
    yield refuse("inputs-present", there, "its inputs must be there", "TensorFromUsage")


def seen(op: str) -> Limit:
    """The check that every operator with inputs has: of its first feature map."""
    return refuse(
        "inputs-present", f"arity == 0 or exists({first(op)})", "its inputs must be there", "ConstraintQuantScaleInf"
    )


def _stated(op: str) -> Iterator[Limit]:
    """The options that a check reads must be in the file."""
    read = {
        "CONCATENATION": "axis",
        "DEPTHWISE_CONV_2D": "depth_multiplier",
        "FULLY_CONNECTED": "keep_num_dims",
        "SOFTMAX": "beta",
        "SPLIT": "num_splits",
    }
    if op in read:
        yield refuse("options", f"written(attr.{read[op]})", "the file must hold its options", "CheckedPtr")


def _convolutions(op: str) -> Iterator[Limit]:
    """CONV_2D and DEPTHWISE_CONV_2D: depths that fit."""
    if op == "CONV_2D":
        yield refuse(
            "group-depth",
            "([1] + shape1(in[0]))[-1] % ([1] + shape1(in[1]))[-1] == 0",
            "the input depth must be a multiple of the filter depth",
            "ConstraintConvGroupsIfmDepth",
        )
        yield refuse(
            "group-filters",
            "(shape1(in[1]) + [1])[0] % max(([1] + shape1(in[0]))[-1] // ([1] + shape1(in[1]))[-1], 1) == 0",
            "the number of filters must be a multiple of the number of groups",
            "ConstraintConvGroupsNumFilters",
        )
    if op == "DEPTHWISE_CONV_2D":
        yield refuse(
            "depth-multiplier",
            "([1] + shape1(in[0]))[-1] * attr.depth_multiplier == ([1] + shape1(out[0]))[-1]",
            "the output depth must be input depth times depth_multiplier",
            "ConstraintDepthwiseConvOfmDepth",
        )


def _types(op: str) -> Iterator[Limit]:
    """Operators whose input and output have one type."""
    if op in (
        "AVERAGE_POOL_2D",
        "MAX_POOL_2D",
        "ABS",
        "EXP",
        "GELU",
        "ELU",
        "LEAKY_RELU",
        "RSQRT",
        "MINIMUM",
        "MAXIMUM",
        "HARD_SWISH",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "GATHER",
    ):
        yield refuse(
            "same-dtype",
            "in[0].dtype == out[0].dtype",
            "input and output types must be equal",
            "ConstraintMatchingInOutTypes",
        )


def _concatenation(op: str) -> Iterator[Limit]:
    """CONCATENATION: ranks and dimensions that fit."""
    if op == "CONCATENATION":
        at = "(attr.axis if attr.axis >= 0 else attr.axis + out[0].rank)"
        yield refuse(
            "axis",
            "attr.axis >= -out[0].rank and attr.axis < out[0].rank",
            "the axis must be one of the output's",
            "ConstraintAxisValid",
        )
        yield refuse(
            "same-rank",
            "all(t.rank == out[0].rank for t in inputs)",
            "all ranks must be equal",
            "ConstraintMatchingDimensionality",
        )
        yield refuse(
            "same-dimensions",
            f"all(all(i == {at} or shape1(t)[i] == shape1(out[0])[i] for i in 0..t.rank - 1) for t in inputs) and (not exists(out[0].shape[{at}]) or sum([shape1(t)[{at}] for t in inputs]) == shape1(out[0])[{at}])",
            "the shapes must fit together",
            "ConstraintValidDimensions",
        )


def _shapes(op: str) -> Iterator[Limit]:
    """Elementwise operators: shapes that fit."""
    if op in ("ABS", "EXP", "GELU", "ELU", "LEAKY_RELU", "RSQRT"):
        yield refuse(
            "matching-shapes",
            "shape4(in[0]) == shape4(out[0])",
            "input and output shapes must be equal",
            "ConstraintMatchingEitherShapes",
        )
    if op in ("MINIMUM", "MAXIMUM", "ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"):
        a, b, o = "shape4(in[0])", "shape4(in[1])", "shape4(out[0])"
        last = f"min(len({a}), len({b})) - 1"
        yield refuse(
            "matching-shapes",
            f"{a} == {o} or {b} == {o} or (all({a}[i] == {b}[i] or {a}[i] == 1 or {b}[i] == 1 for i in 0..{last}) and len({a}) == len({b}) and [max({a}[i], {b}[i]) for i in 0..{last}] == {o})",
            "an input's shape or the broadcast shape must equal the output's",
            "ConstraintMatchingEitherShapes",
        )


def _arithmetic(op: str) -> Iterator[Limit]:
    """ADD, SUB and MUL: types that fit."""
    if op in ("ADD", "SUB", "MUL"):
        signed = '["int4", "int8", "int16", "int32", "int64"]'
        yield refuse(
            "same-input-dtypes",
            "in[0].dtype == in[1].dtype",
            "both inputs must have the same type",
            "ConstraintMatchingInputsTypes",
        )
        yield refuse(
            "signed-output",
            f"in[0].dtype not in {signed} or out[0].dtype in {signed}",
            "the output of signed inputs must be signed",
            "ConstraintMatchingSigned",
        )
        yield refuse(
            "unsigned-output",
            'in[0].dtype not in ["uint8", "uint16", "uint32", "uint64"] or out[0].dtype in [in[0].dtype, "int32"]',
            "the output of unsigned inputs must have their type or be int32",
            "ConstraintUnsignedValid",
        )


def _reshaping(op: str) -> Iterator[Limit]:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: elements and scales that are kept."""
    if op in ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"):
        yield refuse(
            "same-scale",
            "not (quantized(in[0]) and quantized(out[0])) or in[0].scale == out[0].scale",
            "input and output must have the same scale",
            "ConstraintMatchingInOutQuant",
        )
        yield refuse(
            "same-size",
            "not all(exists(t.shape) and all(exists(d) for d in t.shape[(1 if t.rank > 1 else 0):]) for t in [in[0], out[0]]) or prod([1] + shape1(in[0])) == prod([1] + shape1(out[0]))",
            "input and output must have the same number of elements",
            "ConstraintMatchingInOutElements",
        )


def _softmax(op: str) -> Iterator[Limit]:
    """SOFTMAX."""
    if op == "SOFTMAX":
        yield refuse(
            "same-shape",
            "shape1(in[0]) == shape1(out[0]) or in[0].rank == 0 and shape1(out[0]) == [1] or out[0].rank == 0 and shape1(in[0]) == [1]",
            "input and output shapes must be equal",
            "ConstraintMatchingShapes",
        )
        yield refuse(
            "softmax-dtype",
            'in[0].dtype == out[0].dtype or (in[0].dtype == "int8" and out[0].dtype == "int16")',
            "input and output types must be equal, or int8 to int16",
            "ConstraintSoftmaxInOutTypes",
        )
        yield refuse("beta", "attr.beta >= 0", "beta must not be negative", "ConstraintBetaValueRange")


def _splits(op: str) -> Iterator[Limit]:
    """SPLIT and SPLIT_V: parts that come out even."""
    if op == "SPLIT":
        yield refuse(
            "split-axis",
            "const(in[0]) and scalar(in[0]) > -in[1].rank and scalar(in[0]) <= in[1].rank",
            "the axis must be constant and above minus the rank",
            "ConstraintSplitDim",
            "state the axis as a number from 0 to rank - 1",
        )
        yield refuse(
            "split-even",
            "attr.num_splits == 0 or shape1(in[1])[scalar(in[0])] % attr.num_splits == 0",
            "the axis must divide into num_splits parts",
            "ConstraintSplitNumSplits",
        )
    if op == "SPLIT_V":
        yield refuse(
            "one-inferred",
            'const(in[1]) and in[1].dtype in ["int32", "uint32", "int64", "float32", "float64"] and sum([1 for v in value(in[1]) if v == -1]) <= 1',
            "the sizes must be constant, at most one of them -1",
            "ConstraintSplitvInferred",
        )


def _parameters(op: str) -> Iterator[Limit]:
    """STRIDED_SLICE, FULLY_CONNECTED and PAD."""
    if op == "STRIDED_SLICE":
        yield refuse("four-inputs", "arity == 4", "there must be four inputs", "ConstraintStridedsliceInputCount")
    if op == "FULLY_CONNECTED":
        yield refuse(
            "keep-rank",
            "not attr.keep_num_dims or in[0].rank == out[0].rank",
            "with keep_num_dims input and output ranks must be equal",
            "ConstraintKeepDimIfmOfm",
        )
    if op == "PAD":
        dynamic = "not (exists(out[0].shape) and all(exists(d) for d in out[0].shape[(1 if out[0].rank > 1 else 0):]))"
        yield refuse("two-inputs", "arity == 2", "there must be two inputs", "ConstraintPadInputCount")
        yield refuse(
            "padded-shape",
            f"{dynamic} or in[0].rank == 0 or (const(in[1]) and in[1].dtype in ['int32', 'int64', 'uint64'] and in[0].rank == out[0].rank and size(in[1]) >= 2 * in[0].rank and all(shape1(in[0])[i] + value(in[1])[2 * i] + value(in[1])[2 * i + 1] == shape1(out[0])[i] for i in 0..in[0].rank - 1))",
            "the paddings must be constant and the output's shape the input's plus the paddings",
            "ConstraintPadOutputShape",
        )


def _bytes(op: str) -> Iterator[Limit]:
    """HARD_SWISH and ARG_MAX: 8 bits."""
    if op in ("HARD_SWISH", "ARG_MAX"):
        yield refuse(
            "input-8-bit",
            'in[0].dtype in ["int8", "uint8"]',
            "the input must be int8 or uint8",
            "ConstraintInput8bit",
            QUANTIZE_HELP,
        )
    if op == "ARG_MAX":
        yield refuse(
            "index-dtype",
            'out[0].dtype in ["int32", "int64"]',
            "the output must be int32 or int64",
            "ConstraintArgmaxOutput",
        )


def _lstm(op: str) -> Iterator[Limit]:
    """UNIDIRECTIONAL_SEQUENCE_LSTM."""
    if op == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        yield refuse(
            "input-signed",
            'in[0].dtype in ["int8", "int16"]',
            "the input must be int8 or int16",
            "ConstraintInputSigned",
            QUANTIZE_HELP,
        )
        yield refuse(
            "rank-3",
            "in[0].rank == 3 and out[0].rank == 3",
            "input and output must have three dimensions",
            "ConstraintLstmInputRank",
        )
        yield refuse(
            "inputs-24",
            "arity == 24",
            "there must be 24 inputs",
            "ConstraintLstmInputs",
        )
        yield refuse(
            "intermediates-5",
            "exists(attr.intermediates) and len(attr.intermediates) == 5",
            "there must be five intermediate tensors",
            "ConstraintLstmIntermediates",
            "convert with full integer quantisation, which writes them",
        )


def _indices(op: str) -> Iterator[Limit]:
    """GATHER and TRANSPOSE."""
    if op == "GATHER":
        yield refuse(
            "index-dtype",
            'in[1].dtype in ["int16", "int32", "int64"]',
            "the indices must be int16, int32 or int64",
            "ConstraintGatherIndicesInput",
        )
    if op == "TRANSPOSE":
        yield refuse(
            "permutation",
            'in[1].dtype in ["int32", "uint32"] and (shape1(in[1]) + [1])[-2] == max(in[0].rank, 1)',
            "the permutation must be 32-bit and as long as the rank",
            "ConstraintTransposeParamsInput",
        )


def _matmul(op: str) -> Iterator[Limit]:
    """BATCH_MATMUL: ranks and batches that fit."""
    if op == "BATCH_MATMUL":
        batch = "shape1({t})[0:max({t}.rank - 2, 0)]"
        a, b = batch.format(t="in[0]"), batch.format(t="in[1]")
        full = "([1 for i in 1..out[0].rank - {t}.rank] + shape1({t}))"
        a, b = full.format(t="in[0]"), full.format(t="in[1]")
        yield refuse(
            "ranks",
            "in[0].rank >= 2 and in[1].rank >= 2 and out[0].rank == max(in[0].rank, in[1].rank)",
            "ranks must be at least 2 and the output's the larger one",
            "ConstraintBatchMatMulRanks",
        )
        yield refuse(
            "batches",
            f"all(({a}[i] == {b}[i] or {a}[i] == 1 or {b}[i] == 1) and max({a}[i], {b}[i]) == shape1(out[0])[i] for i in 0..out[0].rank - 3)",
            "leading dimensions must broadcast to the output's",
            "ConstraintBatchMatMulBroadcastShapes",
        )


CHECKS = (
    _every,
    _present,
    _stated,
    _convolutions,
    _types,
    _concatenation,
    _shapes,
    _arithmetic,
    _reshaping,
    _softmax,
    _splits,
    _parameters,
    _bytes,
    _lstm,
    _indices,
    _matmul,
)


def fused(target: str, op: str) -> Iterator[Limit]:
    """A fused activation is checked as an operator of its own, on the output's type."""
    if op not in (*FUSED, *FUSED_UNLISTED):
        return
    none = 'attr.fused_activation_function == "NONE"'
    yield Limit(
        "sign-bit",
        'attr.fused_activation_function != "SIGN_BIT"',
        "a fused SIGN_BIT cannot be read",
        ("reader:UnFuseActivation",),
        "rejected",
    )
    yield Limit(
        "activation-per-tensor",
        f"{none} or not per_channel(out[0])",
        "with a fused activation the output must be quantised per tensor",
        ("optimiser:SupportedOperatorChecks",),
    )
    if target == "ethos-u85":
        yield Limit(
            "activation-zero-point",
            f'{none} or not quantized(out[0]) or all(z in -128..127 if out[0].dtype == "int8" else z in 0..255 if out[0].dtype == "uint8" else z in [0, 32768] if out[0].dtype == "uint16" else z == 0 for z in out[0].zero_points)',
            "with a fused activation the output's zero point must lie in its type's range",
            ("operators-u85:IFMZeroPoints",),
        )
    else:
        yield Limit(
            "activation-32-bit",
            f'{none} or out[0].dtype not in ["int32", "uint32"]',
            "a fused activation needs an 8- or 16-bit output",
            ("optimiser:SupportedOperatorChecks",),
            help="requantise to int8 before the activation",
        )
