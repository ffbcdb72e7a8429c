"""What kernels of tflite-micro check again and again, as rules: (id, requirement, sentence, place)."""

from __future__ import annotations

import json

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


def inputs(count: str, place: str) -> Rule:
    return ("inputs", f"len(inputs) in [{count}]", f"it takes {count} inputs", place)


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
    inputs("2", "reduce_common.cc:46"),
    ("axis-dtype", 'in[1].dtype == "int32"', "the axes must be int32", "reduce_common.cc:52"),
]
SPACE = [rank(4, 4, "space_to_depth.cc:52"), dtype(F8, "space_to_depth.cc:55"), same("space_to_depth.cc:57")]
BATCH = [
    inputs("3", "batch_to_space_nd.cc:42"),
    rank(3, 4, "batch_to_space_nd.cc:53"),
    rank(3, 4, "batch_to_space_nd.cc:54", "out[0]"),
    same("batch_to_space_nd.cc:57"),
    dtype(F8, "batch_to_space_nd.cc:99"),
]
FLOAT_ONLY = [dtype(FLOAT, "elementwise.cc:47"), same("elementwise.cc:89")]
SHAPED = [dtype(FLOAT, "ceil.cc:41"), same("ceil.cc:42"), shapes("ceil.cc:44")]

ACTIVATED = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV",
    "ADD",
    "SUB",
    "MUL",
    "DIV",
    "FULLY_CONNECTED",
)
PAIRS = (
    "ADD",
    "SUB",
    "DIV",
    "MAXIMUM",
    "MINIMUM",
    "EQUAL",
    "NOT_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "GREATER",
    "GREATER_EQUAL",
    "LOGICAL_AND",
    "LOGICAL_OR",
    "PRELU",
    "MIRROR_PAD",
)
SECOND: Rule = ("second-input", "exists(in[0]) and exists(in[1])", "it takes two inputs", "kernel_util.cc:GetInput")
RANGE: Rule = (
    "activation-range",
    'out[0].dtype not in ["int8", "int16"] or attr.fused_activation_function not in ["RELU", "RELU6", "RELU_N1_TO_1"] or (quantized(out[0]) and (attr.fused_activation_function == "RELU" or 6 / out[0].scale <= 2147483647))',
    "with a fused activation the output must have a scale, and the activation's bound over it fit 32 bits",
    "kernel_util.cc:55",
)
