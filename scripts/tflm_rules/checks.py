"""What kernels of tflite-micro check again and again, as rules: (id, requirement, sentence, place)."""

from __future__ import annotations

import json

from tflite_families import ARITHMETIC, BOTH_TRUE, COMPARISONS, CONVOLUTIONS, EXTREMES, POOLS

Rule = tuple[str, str, str, str]
FLOAT = ("float32",)
F8 = ("float32", "int8")
F816 = ("float32", "int8", "int16")
HELP = {
    "dtype": "quantise to int8 with float32 kept where a kernel lacks it, or leave this operator out",
    "constant": "export with fixed values, so that this tensor becomes a constant",
    "hybrid": "quantise activations too (full integer), or keep weights float32",
    "zero-point": "int16 activations are symmetric: quantise with zero point 0",
    "same-quantization": "make the converter give both sides the same scale and zero point",
    "listed-bias": "give the layer a bias of zeros",
    "no-activation": "put the activation into an operator of its own",
}


def dtype(kinds: tuple[str, ...], place: str, tensor: str = "in[0]") -> Rule:
    return ("dtype", f"{tensor}.dtype in {json.dumps(list(kinds))}", f"it must be {', '.join(kinds)}", place)


def same(place: str, a: str = "in[0]", b: str = "out[0]") -> Rule:
    return ("same-dtype", f"{a}.dtype == {b}.dtype", "both must have the same type", place)


def shapes(place: str) -> Rule:
    return ("same-shape", "shape1(in[0]) == shape1(out[0])", "input and output shapes must be equal", place)


def constant(tensor: str, place: str) -> Rule:
    return ("constant", f"const({tensor})", "it must be constant", place)


def symmetric(place: str, *tensors: str) -> Rule:
    zero = " and ".join(f"(not quantized({t}) or {t}.zero_point == 0)" for t in tensors)
    return ("zero-point", f'in[0].dtype != "int16" or ({zero})', "int16 tensors must have zero point 0", place)


def quantized(place: str, *tensors: str, kinds: str = '["int8", "int16"]') -> Rule:
    every = " and ".join(f"quantized({t})" for t in tensors)
    return (
        "quantized",
        f"in[0].dtype not in {kinds} or ({every})",
        "integer tensors must have quantisation parameters",
        place,
    )


def equal_quantization(place: str, kinds: str = '["int8"]', a: str = "in[0]", b: str = "out[0]") -> Rule:
    return (
        "same-quantization",
        f"{a}.dtype not in {kinds} or (quantized({a}) == quantized({b}) and (not quantized({a}) or ({a}.scale == {b}.scale and {a}.zero_point == {b}.zero_point)))",
        "scales and zero points must be equal",
        place,
    )


def rank(low: int, high: int, place: str, tensor: str = "in[0]") -> Rule:
    return (
        {"in[0]": "rank", "in[1]": "second-rank"}.get(tensor, "output-rank"),
        f"len(shape1({tensor})) in {low}..{high}",
        f"the rank must lie in {low}..{high}",
        place,
    )


def inputs(counts: tuple[int, ...], place: str) -> Rule:
    """Inputs that are left out count; as many as the smallest number must be there."""
    there = " and ".join(f"exists(in[{i}])" for i in range(min(counts)))
    some = " or ".join(str(count) for count in counts)
    return ("inputs", f"arity in {list(counts)} and {there}", f"it takes {some} inputs", place)


def present(first: int, place: str) -> Rule:
    """Inputs whose number is not checked, but that are read."""
    there = " and ".join(f"exists(in[{i}])" for i in range(first))
    return (
        "inputs",
        there,
        f"the first {first} inputs must be there" if first > 1 else "its input must be there",
        place,
    )


def unquantized_int32(place: str, *tensors: str) -> Rule:
    none = " and ".join(f"not quantized({t})" for t in tensors)
    return ("int32-unquantized", f'out[0].dtype != "int32" or ({none})', "int32 tensors must not be quantised", place)


def convolution(file: str, hybrid: int, affine: int, input_: str, channels: str, axis: str, kinds: str) -> list[Rule]:
    f = "in[1]"
    return [
        (
            "hybrid",
            f'({input_}.dtype == "float32" and {f}.dtype == "float32") or ({input_}.dtype == "int16" and {f}.dtype == "int8") or ({input_}.dtype == "int8" and {f}.dtype in {kinds})',
            "weights must be float32 for float32, int8 for int16, int8 or int4 for int8 inputs",
            f"{file}:{hybrid}",
        ),
        same(f"{file}:158", input_),
        (
            "weights-quantized",
            f'{input_}.dtype == "float32" or quantized({f})',
            "weights must have quantisation parameters",
            f"{file}:{affine}",
        ),
        (
            "weights-scales",
            f'{input_}.dtype == "float32" or not quantized({f}) or len({f}.scales) == 1 or (len({f}.scales) == {channels} and shape1({f})[{f}.axis] == {channels})',
            "weights need one scale, or one for each output channel",
            f"{file}:{affine}",
        ),
        (
            "input-quantized",
            f'{input_}.dtype == "float32" or quantized({input_})',
            "the input must have quantisation parameters",
            "conv_common.cc:117",
        ),
    ]


def slices(file: str, line: int, kinds: tuple[str, ...]) -> list[Rule]:
    return [dtype(kinds, f"{file}:{line}"), same(f"{file}:{line}")]


def shared(names: tuple[str, ...], rules: list[Rule]) -> dict[str, list[Rule]]:
    """The same rules for several operators."""
    return {name: list(rules) for name in names}


COMPARED = ("float32", "int32", "int64", "int8")
GENERIC_FOLDED = (
    "folded-weights",
    'all(const(t) or not folded(t) or origin(t) in ["int8", "int16", "uint8"] for t in inputs)',
    "nothing is folded: weights behind DENSIFY, or DEQUANTIZE of float16, cannot be computed",
    "dequantize_common.cc:43",
)
POOL = [dtype(F816, "pooling_common.cc:86"), equal_quantization("pooling_common.cc:73", '["int8", "int16"]')]
REDUCE = [
    ("axis-dtype", 'in[1].dtype == "int32"', "the axes must be int32", "reduce_common.cc:52"),
]
SPACE = [
    ("not-empty", "all(d > 0 for d in shape1(in[0]))", "no dimension may be 0", "interpreter:165"),
    rank(4, 4, "space_to_depth.cc:52"),
    dtype(F8, "space_to_depth.cc:55"),
    same("space_to_depth.cc:57"),
]
BATCH = [
    rank(3, 4, "batch_to_space_nd.cc:53"),
    rank(3, 4, "batch_to_space_nd.cc:54", "out[0]"),
    same("batch_to_space_nd.cc:57"),
    dtype(F8, "batch_to_space_nd.cc:99"),
]
FLOAT_ONLY = [dtype(FLOAT, "elementwise.cc:47"), same("elementwise.cc:89")]
SHAPED = [dtype(FLOAT, "ceil.cc:41"), same("ceil.cc:42"), shapes("ceil.cc:44")]

ACTIVATED = (*CONVOLUTIONS, *ARITHMETIC, "FULLY_CONNECTED")
#: Kernels of two inputs that read both without counting them.
PAIRS = ("ADD", "SUB", "DIV", *EXTREMES, *COMPARISONS, *BOTH_TRUE, "PRELU", "MIRROR_PAD")
# How many inputs a kernel takes, and where it says so.
ARITY: dict[str, tuple[tuple[int, ...], str]] = {
    **dict.fromkeys(("ABS", "RSQRT"), ((1,), "elementwise.cc:105")),
    **dict.fromkeys(("SIN", "COS", "SQRT", "SQUARE", "LOG", "LOGICAL_NOT"), ((1,), "elementwise.cc:81")),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL"), ((2,), "reduce_common.cc:46")),
    **dict.fromkeys(("PAD", "PADV2"), ((2, 3), "pad_common.cc:36")),
    "ASSIGN_VARIABLE": ((2,), "assign_variable.cc:54"),
    "BATCH_MATMUL": ((2,), "batch_matmul.cc:180"),
    "BATCH_TO_SPACE_ND": ((3,), "batch_to_space_nd.cc:42"),
    "BROADCAST_ARGS": ((2,), "broadcast_args.cc:32"),
    "BROADCAST_TO": ((2,), "broadcast_to.cc:77"),
    "CAST": ((1,), "cast.cc:29"),
    "CEIL": ((1,), "ceil.cc:39"),
    "CONV_2D": ((2, 3), "conv_common.cc:88"),
    "CUMSUM": ((2,), "cumsum.cc:48"),
    "DEPTHWISE_CONV_2D": ((2, 3), "depthwise_conv_common.cc:88"),
    "DEPTH_TO_SPACE": ((1,), "depth_to_space.cc:41"),
    "DEQUANTIZE": ((1,), "dequantize_common.cc:32"),
    "DYNAMIC_UPDATE_SLICE": ((3,), "dynamic_update_slice.cc:127"),
    "ELU": ((1,), "elu.cc:85"),
    "EMBEDDING_LOOKUP": ((2,), "embedding_lookup.cc:69"),
    "EXP": ((1,), "exp.cc:33"),
    "EXPAND_DIMS": ((2,), "expand_dims.cc:90"),
    "FLOOR_DIV": ((2,), "floor_div.cc:37"),
    "FLOOR_MOD": ((2,), "floor_mod.cc:42"),
    "GATHER": ((2,), "gather.cc:103"),
    "GATHER_ND": ((2,), "gather_nd.cc:34"),
    "HARD_SWISH": ((1,), "hard_swish_common.cc:38"),
    "L2_NORMALIZATION": ((1,), "l2norm.cc:44"),
    "L2_POOL_2D": ((1,), "l2_pool_2d.cc:44"),
    "LEAKY_RELU": ((1,), "leaky_relu_common.cc:35"),
    "LOG_SOFTMAX": ((1,), "log_softmax.cc:49"),
    "MUL": ((2,), "mul_common.cc:52"),
    "QUANTIZE": ((1,), "quantize_common.cc:36"),
    "RESHAPE": ((1, 2), "reshape_common.cc:88"),
    "RESIZE_BILINEAR": ((2,), "resize_bilinear.cc:36"),
    "RESIZE_NEAREST_NEIGHBOR": ((2,), "resize_nearest_neighbor.cc:38"),
    "REVERSE_V2": ((2,), "reverse.cc:47"),
    "ROUND": ((1,), "round.cc:38"),
    "SELECT_V2": ((3,), "select.cc:78"),
    "SHAPE": ((1,), "shape.cc:39"),
    "SLICE": ((3,), "slice.cc:50"),
    "SOFTMAX": ((1,), "softmax_common.cc:148"),
    "SPACE_TO_BATCH_ND": ((3,), "space_to_batch_nd.cc:51"),
    "SPACE_TO_DEPTH": ((1,), "space_to_depth.cc:40"),
    "SPLIT_V": ((3,), "split_v.cc:75"),
    "SQUARED_DIFFERENCE": ((2,), "squared_difference.cc:91"),
    "SQUEEZE": ((1,), "squeeze.cc:48"),
    "STRIDED_SLICE": ((4,), "strided_slice_common.cc:139"),
    "TANH": ((1,), "tanh.cc:52"),
    "TFLite_Detection_PostProcess": ((3,), "detection_postprocess.cc:160"),
    "TRANSPOSE": ((2,), "transpose_common.cc:27"),
    "ZEROS_LIKE": ((1,), "zeros_like.cc:31"),
}
# How many inputs a kernel reads where it does not count them.
READ = {
    **dict.fromkeys(("RELU", "RELU6"), (1, "activations_common.cc:93")),
    **dict.fromkeys(POOLS, (1, "pooling_common.cc:60")),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), (2, "arg_min_max.cc:60")),
    **dict.fromkeys(PAIRS, (2, "kernel_util.cc:GetInput")),
    "FILL": (2, "fill.cc:75"),
    "FLOOR": (1, "floor.cc:30"),
    "FULLY_CONNECTED": (2, "fully_connected.cc:107"),
    "IF": (1, "if.cc:53"),
    "LOGISTIC": (1, "logistic_common.cc:38"),
    "NEG": (1, "neg.cc:33"),
    "SPLIT": (2, "split.cc:78"),
    "UNPACK": (1, "unpack.cc:96"),
}
GENERIC_EMPTY = (
    "static-output",
    "all(not exists(t.shape) or shape1(t) == [0] or all(d > 0 for d in shape1(t)) for t in outputs)",
    "an output with a dimension of 0 counts as dynamic",
    "interpreter:165",
)


#: Kernels that count their outputs; the others write the first and leave what else is listed.
ONE_OUTPUT = (
    "ABS", "ADD_N", "BATCH_MATMUL", "BATCH_TO_SPACE_ND", "BROADCAST_ARGS", "BROADCAST_TO", "CAST", "CEIL", "CONV_2D",
    "COS", "CUMSUM", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "DYNAMIC_UPDATE_SLICE", "ELU",
    "EMBEDDING_LOOKUP", "EXP", "EXPAND_DIMS", "FLOOR_DIV", "FLOOR_MOD", "GATHER", "GATHER_ND", "HARD_SWISH",
    "L2_NORMALIZATION", "L2_POOL_2D", "LEAKY_RELU", "LOG", "LOGICAL_NOT", "LOG_SOFTMAX", "MEAN", "MUL", "PAD",
    "PADV2", "QUANTIZE", "REDUCE_ALL", "REDUCE_MAX", "REDUCE_MIN", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "ROUND", "RSQRT", "SELECT_V2", "SHAPE", "SIN", "SLICE", "SOFTMAX",
    "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUM",
    "SVDF", "TANH", "TRANSPOSE", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM", "ZEROS_LIKE",
)  # fmt: skip
GENERIC_OUTPUTS = (
    "one-output",
    f"op not in {json.dumps(ONE_OUTPUT)} or len(outputs) <= 1",
    "the operator has one output",
    "reduce_common.cc:46",
)


def counted(op: str) -> list[Rule]:
    """What is said of the number of inputs."""
    if op in ARITY:
        return [inputs(*ARITY[op])]
    return [present(*READ[op])] if op in READ else []


def multiplier(place: str) -> Rule:
    """ADD and SUB: real multipliers that are not between 0 and 1 abort."""
    scales = "known(in[0].scale, 0) > 0 and known(in[1].scale, 0) > 0"
    shift = '(32768 if out[0].dtype == "int16" else 1048576)'
    less = f"2 * max(in[0].scale, in[1].scale) < {shift} * out[0].scale"
    return (
        "multiplier",
        f'out[0].dtype not in ["int8", "int16"] or not quantized(out[0]) or ({scales} and {less})',
        "inputs need scales, below 2^19 (int8) or 2^14 (int16) times the output's: else the kernel aborts",
        place,
    )


RANGE: Rule = (
    "activation-range",
    'out[0].dtype not in ["int8", "int16"] or attr.fused_activation_function not in ["RELU", "RELU6", "RELU_N1_TO_1"] or (quantized(out[0]) and (attr.fused_activation_function == "RELU" or 6 / out[0].scale <= 2147483647))',
    "with a fused activation the output must have a scale, and the activation's bound over it fit 32 bits",
    "kernel_util.cc:55",
)
