"""Valid descriptions: one value in, one value out; quantisation and casts."""

from __future__ import annotations

from tflite_probes.dice import ALL_TYPES, FAF, Dice, Json, base


@base("ADD", "SUB", "MUL", "DIV")
def arithmetic(d: Dice, op: str) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 5 if d.random() < 0.1 else 4)
    second = d.broadcastable(shape)
    make = d.const if d.random() < 0.3 else d.tensor
    pair = [d.tensor(dtype, shape), make(dtype, second)]
    if op == "DIV" and "c" in pair[1]:
        pair[1]["c"].update(lo=1, hi=4)
    elif d.random() < 0.25:
        pair.reverse()
    attrs = {"fused_activation_function": d.choice(FAF)}
    return {
        "i": pair,
        "o": [d.tensor(dtype, shape)],
        "a": {**attrs, **({"pot_scale_int16": False} if op in ("ADD", "SUB") else {})},
    }


@base("MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "FLOOR_DIV", "FLOOR_MOD", "POW", "ATAN2")
def binary(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    first = d.tensor(dtype, shape)
    q = first.get("q") if d.random() < 0.7 else d.quantization(dtype)
    make = d.const if d.random() < 0.3 else d.tensor
    return {"i": [first, make(dtype, d.broadcastable(shape), q=q)], "o": [d.tensor(dtype, shape, q=q)], "a": {}}


@base("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")
def compare(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    return {
        "i": [d.tensor(dtype, shape), (d.const if d.random() < 0.3 else d.tensor)(dtype, d.broadcastable(shape))],
        "o": [d.tensor("bool", shape)],
        "a": {},
    }


@base("LOGICAL_AND", "LOGICAL_OR")
def logical(d: Dice) -> Json:
    shape = d.shape(1, 4)
    return {
        "i": [d.tensor("bool", shape), d.tensor("bool", d.broadcastable(shape))],
        "o": [d.tensor("bool", shape)],
        "a": {},
    }


@base("LOGICAL_NOT")
def logical_not(d: Dice) -> Json:
    shape = d.shape(1, 4)
    return {"i": [d.tensor("bool", shape)], "o": [d.tensor("bool", shape)], "a": {}}


@base(
    "ABS",
    "NEG",
    "EXP",
    "LOG",
    "SQRT",
    "RSQRT",
    "SQUARE",
    "SIN",
    "COS",
    "FLOOR",
    "CEIL",
    "ROUND",
    "ELU",
    "LOGISTIC",
    "TANH",
    "RELU",
    "RELU6",
    "RELU_N1_TO_1",
    "RELU_0_TO_1",
    "HARD_SWISH",
    "ZEROS_LIKE",
    "SIGN",
    "LOG_SOFTMAX",
)
def unary(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 5 if d.random() < 0.1 else 4)
    return {"i": [d.tensor(dtype, shape)], "o": [d.tensor(dtype, shape)], "a": {}}


@base("GELU")
def gelu(d: Dice) -> Json:
    return {**unary(d), "a": {"approximate": d.random() < 0.5}}


@base("LEAKY_RELU")
def leaky_relu(d: Dice) -> Json:
    return {**unary(d), "a": {"alpha": d.choice((0.1, 0.5, 1.5, -0.2, 0.0))}}


@base("SOFTMAX")
def softmax(d: Dice) -> Json:
    one = unary(d)
    if one["o"][0]["t"] == "int8" and d.random() < 0.7:
        one["o"][0]["q"] = [0.00390625, -128]
    if one["o"][0]["t"] == "int8" and d.random() < 0.1:
        one["o"][0] = d.tensor("int16", one["o"][0]["s"])
    return {**one, "a": {"beta": d.choice((1.0, 1.0, 0.5, -1.0))}}


@base("L2_NORMALIZATION")
def l2_normalization(d: Dice) -> Json:
    one = unary(d)
    if one["o"][0]["t"] in ("int8", "uint8"):
        one["o"][0]["q"] = [0.0078125, 0 if one["o"][0]["t"] == "int8" else 128]
    return {**one, "a": {"fused_activation_function": "NONE"}}


@base("PRELU")
def prelu(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    alpha = [1] * (len(shape) - 2) + shape[-1:] if d.random() < 0.6 else d.broadcastable(shape)
    return {
        "i": [d.tensor(dtype, shape), (d.const if d.random() < 0.8 else d.tensor)(dtype, alpha)],
        "o": [d.tensor(dtype, shape)],
    }


@base("QUANTIZE", "DEQUANTIZE")
def quantize(d: Dice, op: str) -> Json:
    shape = d.shape(1, 4)
    first = d.choice(
        ("float32", "int8", "int16", "uint8", "int32")
        if op == "QUANTIZE"
        else ("int8", "int8", "int16", "uint8", "float16")
    )
    second = d.choice(("int8", "int8", "int16", "uint8", "int32")) if op == "QUANTIZE" else "float32"
    return {"i": [d.tensor(first, shape)], "o": [d.tensor(second, shape)], "a": {}}


@base("CAST")
def cast(d: Dice) -> Json:
    shape, first, second = d.shape(1, 4), d.choice(ALL_TYPES[:9]), d.choice(ALL_TYPES[:8])
    attrs = {"in_data_type": first, "out_data_type": second}
    return {"i": [d.tensor(first, shape)], "o": [d.tensor(second, shape)], "a": attrs}
