"""Valid random one-operator ONNX descriptions for the operators that real models are made of; the rest come from onnx.

A maker gives `{"op", "a", "i", "o"}` without the opset; a tensor without a dtype is float32. Shapes of outputs are inferred.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
BASES: dict[str, Callable[[Dice], Json]] = {}


class Dice(random.Random):
    """The random choices that probes are made of."""

    def dim(self) -> int:
        return self.choices((1, 2, 3, 4, 5, 7, 8, 12, 16, 32, 64), (10, 12, 10, 14, 6, 6, 14, 8, 12, 5, 3))[0]

    def shape(self, low: int = 1, high: int = 4) -> list[int]:
        shape = [self.dim() for _ in range(self.choices(range(low, high + 1), range(low + 1, high + 2))[0])]
        return [1, *shape[1:]] if len(shape) > 1 and self.random() < 0.7 else shape

    def odds(self, share: float) -> bool:
        return self.random() < share

    def broadcast(self, shape: list[int]) -> list[int]:
        how = self.random()
        if how < 0.4:
            return list(shape)
        if how < 0.6:
            return [size if self.odds(0.6) else 1 for size in shape]
        return shape[self.randrange(len(shape)) :] if how < 0.75 else [1] if how < 0.9 else []

    def weight(self, *shape: int) -> Json:
        return {"s": list(shape), "c": {"r": self.randrange(1000), "lo": -3, "hi": 4}}

    def maybe(self, one: Json, share: float = 0.7) -> list[Json]:
        return [one] if self.odds(share) else []


def numbers(values: list[int] | list[float], dtype: str = "int64") -> Json:
    return {"t": dtype, "s": [len(values)], "c": values}


def base(*names: str) -> Callable[[Callable[[Dice], Json]], Callable[[Dice], Json]]:
    """Register the maker of a valid description for each of the operators."""

    def register(maker: Callable[[Dice], Json]) -> Callable[[Dice], Json]:
        for name in names:
            BASES[name] = lambda d, name=name: {"op": name, "a": {}, "o": [{}], **maker(d)}  # type: ignore[misc]
        return maker

    return register


def _window(d: Dice, rank: int, sizes: list[int]) -> Json:
    a: Json = {"kernel_shape": [d.choice((1, 2, 3, 3, 3, 5, 7)) for _ in range(rank)]}
    if d.odds(0.6):
        a["strides"] = [d.choice((1, 1, 2, 2, 3, 4))] * rank if d.odds(0.8) else [d.randint(1, 3) for _ in range(rank)]
    if d.odds(0.3):
        a["dilations"] = [d.choice((1, 2, 3))] * rank
    reach = [(k - 1) * (a.get("dilations") or [1] * rank)[i] + 1 for i, k in enumerate(a["kernel_shape"])]
    how = d.random()
    if how < 0.6:
        pads = [d.randint(0, k // 2) for k in a["kernel_shape"]]
        a["pads"] = pads + (pads if d.odds(0.8) else [min(p + 1, k - 1) for p, k in zip(pads, a["kernel_shape"])])
    elif how < 0.8:
        a["auto_pad"] = d.choice(("SAME_UPPER", "SAME_LOWER", "VALID"))
    sizes[:] = [max(size, need) for size, need in zip(sizes, reach)]
    return a


def _image(d: Dice) -> tuple[int, list[int], int]:
    rank = d.choices((1, 2, 3), (3, 12, 2))[0]
    return rank, [d.choice((4, 5, 7, 8, 14, 16, 28)) for _ in range(rank)], d.choice((1, 2, 3, 4, 8, 16))


@base("Conv")
def conv(d: Dice) -> Json:
    rank, sizes, channels = _image(d)
    a = _window(d, rank, sizes)
    group = d.choices((1, channels, 2 if channels % 2 == 0 else 1), (6, 3, 1))[0]
    out = group * d.choice((1, 1, 2, 4))
    a |= {"group": group} if group > 1 or d.odds(0.3) else {}
    weight = d.weight(out, channels // group, *a["kernel_shape"])
    return {"a": a, "i": [{"s": [d.choice((1, 1, 1, 2)), channels, *sizes]}, weight, *d.maybe(d.weight(out))]}


@base("ConvTranspose")
def conv_transpose(d: Dice) -> Json:
    rank, sizes, channels = _image(d)
    a = _window(d, rank, sizes)
    group = d.choices((1, channels), (5, 1))[0]
    each = d.choice((1, 2, 4))
    a |= {"group": group} if group > 1 else {}
    if d.odds(0.25) and a.get("strides"):
        a["output_padding"] = [d.randrange(max(1, min(a["strides"])))] * rank
    return {"a": a, "i": [{"s": [1, channels, *sizes]}, d.weight(channels, each, *a["kernel_shape"]),
                          *d.maybe(d.weight(each * group))]}  # fmt: skip


@base("MaxPool")
def max_pool(d: Dice) -> Json:
    rank, sizes, channels = _image(d)
    a = _window(d, rank, sizes)
    a |= {"ceil_mode": 1} if d.odds(0.3) else {}
    if d.odds(0.1):
        a["storage_order"] = d.choice((0, 1))
    return {"a": a, "i": [{"s": [1, channels, *sizes]}], "o": [{}, {}] if d.odds(0.15) else [{}]}


@base("AveragePool", "LpPool")
def average_pool(d: Dice) -> Json:
    made = max_pool(d)
    made["a"] = {key: value for key, value in made["a"].items() if key != "storage_order"}
    if d.odds(0.4):
        made["a"]["count_include_pad"] = d.choice((0, 1))
    return {**made, "o": [{}]}


@base("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(d: Dice) -> Json:
    _, sizes, channels = _image(d)
    return {"i": [{"s": [1, channels, *sizes]}]}


@base("Gemm")
def gemm(d: Dice) -> Json:
    m, k, n = d.dim(), d.dim(), d.dim()
    a: Json = {key: 1 for key in ("transA", "transB") if d.odds(0.4)}
    a |= {"alpha": d.choice((1.0, 0.5))} if d.odds(0.2) else {}
    a |= {"beta": d.choice((1.0, 0.5, 0.0))} if d.odds(0.2) else {}
    second = [n, k] if "transB" in a else [k, n]
    bias = d.choice(([n], [n], [1, n], [m, n], [m, 1], [1], []))
    weight = d.weight(*second) if d.odds(0.75) else {"s": second}
    bias_tensor = d.weight(*bias) if d.odds(0.75) else {"s": bias}
    return {"a": a, "i": [{"s": [k, m] if "transA" in a else [m, k]}, weight, *d.maybe(bias_tensor)]}


@base("MatMul")
def matmul(d: Dice) -> Json:
    m, k, n = d.dim(), d.dim(), d.dim()
    batch = [d.choice((1, 2, 3, 4)) for _ in range(d.choice((0, 0, 1, 1, 2, 2, 3)))]
    other = d.choice((batch, [], [1] * len(batch), batch[1:]))
    first, second = [*batch, m, k], [*other, k, n]
    if d.odds(0.1):
        first = [k]
    elif d.odds(0.1):
        second = [k]
    return {"i": [{"s": first}, d.weight(*second) if d.odds(0.5) else {"s": second}]}


@base("Add", "Sub", "Mul", "Div", "Pow", "PRelu")
def arithmetic(d: Dice) -> Json:
    shape = d.shape(0, 5)
    second = d.broadcast(shape)
    sides = [{"s": shape}, d.weight(*second) if d.odds(0.45) else {"s": second}]
    return {"i": sides}


@base("Max", "Min", "Sum", "Mean")
def variadic(d: Dice) -> Json:
    shape = d.shape(1, 4)
    return {"i": [{"s": shape}] + [{"s": d.broadcast(shape)} for _ in range(d.choice((0, 1, 1, 1, 2)))]}


@base("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
def compare(d: Dice) -> Json:
    return {**arithmetic(d), "o": [{"t": "bool"}]}


@base("Where")
def where(d: Dice) -> Json:
    shape = d.shape(1, 4)
    return {"i": [{"t": "bool", "s": d.broadcast(shape)}, {"s": shape}, {"s": d.broadcast(shape)}]}


@base("Relu", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Abs", "Neg", "Floor", "Ceil", "Erf", "Softplus", "Softsign", "Sin",
      "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Round", "Sign", "Reciprocal",
      "HardSwish", "Mish", "Identity", "Not", "IsNaN", "BitwiseNot")  # fmt: skip
def unary(d: Dice) -> Json:
    return {"i": [{"s": d.shape(0, 5)}]}


@base("LeakyRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "HardSigmoid", "Shrink", "Swish")
def activation(d: Dice) -> Json:
    return {"a": {"alpha": d.choice((0.01, 0.1, 0.2, 1.0, 2.0))} if d.odds(0.6) else {}, "i": [{"s": d.shape(1, 5)}]}


@base("Gelu")
def gelu(d: Dice) -> Json:
    return {"a": {"approximate": d.choice(("none", "tanh"))} if d.odds(0.6) else {}, "i": [{"s": d.shape(1, 4)}]}


@base("Clip")
def clip(d: Dice) -> Json:
    low, high = ({"s": [], "c": [value]} if d.odds(0.8) else {"s": []} for value in (0.0, 6.0))
    return {
        "i": d.choice(
            ([{"s": d.shape(1, 4)}, low, high], [{"s": d.shape(1, 4)}, low], [{"s": d.shape(1, 4)}, None, high])
        )
    }


@base("Softmax", "LogSoftmax", "Hardmax", "LpNormalization")
def softmax(d: Dice) -> Json:
    shape = d.shape(1, 5)
    return {"a": {"axis": d.randrange(-len(shape), len(shape))} if d.odds(0.8) else {}, "i": [{"s": shape}]}


@base("BatchNormalization")
def batch_norm(d: Dice) -> Json:
    _rank, sizes, channels = _image(d)
    parts = [d.weight(channels) for _ in range(4)]
    shape = d.choice(([1, channels, *sizes], [1, channels, *sizes], [2, channels]))
    return {"a": {"epsilon": d.choice((1e-5, 1e-3))} if d.odds(0.5) else {}, "i": [{"s": shape}, *parts]}


@base("InstanceNormalization")
def instance_norm(d: Dice) -> Json:
    _, sizes, channels = _image(d)
    return {
        "a": {"epsilon": 1e-5} if d.odds(0.5) else {},
        "i": [{"s": [1, channels, *sizes]}, d.weight(channels), d.weight(channels)],
    }


@base("GroupNormalization")
def group_norm(d: Dice) -> Json:
    _, sizes, _ = _image(d)
    groups, each = d.choice((1, 2, 4)), d.choice((1, 2, 4))
    parts = [d.weight(groups * each), d.weight(groups * each)]
    return {"a": {"num_groups": groups}, "i": [{"s": [1, groups * each, *sizes]}, *parts]}


@base("LayerNormalization", "RMSNormalization")
def layer_norm(d: Dice) -> Json:
    shape = d.shape(2, 4)
    axis = d.choice((-1, -1, len(shape) - 1, 1, -2))
    tail = shape[axis:]
    a = ({"axis": axis} if axis != -1 or d.odds(0.5) else {}) | ({"epsilon": 1e-6} if d.odds(0.5) else {})
    return {"a": a, "i": [{"s": shape}, d.weight(*tail)]}


@base("LRN")
def lrn(d: Dice) -> Json:
    return {"a": {"size": d.choice((1, 3, 5, 2))}, "i": [{"s": [1, 4, 8, 8] if d.odds(0.7) else d.shape(2, 5)}]}


@base("DepthToSpace", "SpaceToDepth")
def depth_to_space(d: Dice) -> Json:
    block = d.choice((1, 2, 2, 3, 4))
    return {"a": {"blocksize": block}, "i": [{"s": [1, block * block * d.choice((1, 3)), 2 * block, block]}]}


@base("Cast")
def cast(d: Dice) -> Json:
    to = d.choice((1, 2, 3, 5, 6, 7, 9, 10, 11, 16, 8))
    return {
        "a": {"to": to},
        "i": [{"t": d.choice(("float32", "int64", "int32", "uint8", "bool", "float16")), "s": d.shape(0, 4)}],
    }


@base("QuantizeLinear")
def quantize(d: Dice) -> Json:
    shape = d.shape(1, 4)
    scale: Json = {"s": [], "c": [0.5]}
    point = {"t": d.choice(("int8", "uint8", "uint8", "int16", "uint16")), "s": [], "c": [0]}
    return {"i": [{"s": shape}, scale, *d.maybe(point, 0.9)], "o": [{"t": point["t"]}]}


@base("DequantizeLinear")
def dequantize(d: Dice) -> Json:
    shape, dtype = d.shape(1, 4), d.choice(("int8", "uint8", "uint8", "int16", "int32"))
    point = {"t": dtype, "s": [], "c": [0]}
    return {"i": [{"t": dtype, "s": shape}, {"s": [], "c": [0.5]}, *d.maybe(point, 0.8)], "o": [{"t": "float32"}]}


@base("LSTM", "GRU", "RNN")
def recurrent(d: Dice) -> Json:
    return _recurrent(d, 4)


def _recurrent(d: Dice, gates: int) -> Json:
    steps, batch, inputs, hidden = d.choice((1, 2, 5)), d.choice((1, 1, 2)), d.choice((2, 4, 8)), d.choice((1, 4, 8))
    way = d.choice(("forward", "forward", "reverse", "bidirectional"))
    n = 1 + (way == "bidirectional")
    a: Json = {"hidden_size": hidden} | ({"direction": way} if way != "forward" else {})
    parts = [d.weight(n, gates * hidden, inputs), d.weight(n, gates * hidden, hidden)]
    return {"a": a, "i": [{"s": [steps, batch, inputs]}, *parts, *d.maybe(d.weight(n, 2 * gates * hidden))],
            "o": d.choice(([{}], [{}, {}]))}  # fmt: skip


for _name, _gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    BASES[_name] = lambda d, name=_name, gates=_gates: {"op": name, **_recurrent(d, gates)}  # type: ignore[misc]
