"""How large values can get: bounds that follow from the operations alone, without weights or data."""

from __future__ import annotations

from math import inf

from edgecheck.model.graph import Node, Tensor
from edgecheck.risks.view import View, kind, scalar

Bounds = tuple[float, float]

#: What an operation's values lie between, whatever it reads.
_ALWAYS: dict[str, Bounds] = {
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "sigmoidhard": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu6": (0.0, 6.0),
    "relun1to1": (-1.0, 1.0),
    "relu0to1": (0.0, 1.0),
    "softsign": (-1.0, 1.0),
    "cos": (-1.0, 1.0),
    "sin": (-1.0, 1.0),
    "erf": (-1.0, 1.0),
    "logsoftmax": (-inf, 0.0),
    "equal": (0.0, 1.0),
    "greater": (0.0, 1.0),
    "less": (0.0, 1.0),
    "onehot": (-1.0, 1.0),
    "l2normalization": (-1.0, 1.0),
    "relu": (0.0, inf),
    "abs": (0.0, inf),
    "square": (0.0, inf),
    "sqrt": (0.0, inf),
    "exp": (0.0, inf),
    "softplus": (0.0, inf),
    "reducel2norm": (0.0, inf),
    "reducesumsquare": (0.0, inf),
}
_FUSED: dict[str, Bounds] = {
    "RELU": (0.0, inf),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "TANH": (-1.0, 1.0),
}
#: Values pass through: the bounds are the first input's.
_MOVES = frozenset({
    "reshape", "transpose", "squeeze", "unsqueeze", "expanddims", "identity", "slice", "stridedslice",
    "slicebyindex", "slicebysize", "split", "pad", "gather", "flatten", "maxpool2d", "maxpool", "averagepool2d",
    "averagepool", "globalaveragepool", "globalmaxpool", "avgpool", "resizebilinear", "resizenearestneighbor",
    "reducemean", "max_of", "min_of", "tile", "broadcastto", "expand", "cast", "dequantize", "quantizelinear",
    "dequantizelinear", "depthtospace", "spacetodepth", "dropout", "batchtospacend", "spacetobatchnd",
    "reversev2",
})  # fmt: skip
_DEPTH = 12
NOTHING_KNOWN: Bounds = (-inf, inf)


def bounds(view: View, tensor: Tensor | None, depth: int = _DEPTH) -> Bounds:
    """The least interval that this file can show a tensor's values to lie in; infinite ends where it cannot."""
    if tensor is None or depth == 0:
        return NOTHING_KNOWN
    if tensor.const:
        value = scalar(tensor)
        return NOTHING_KNOWN if value is None else (value, value)
    if tensor.quantization is not None and len(tensor.quantization.scales) == 1:
        return _representable(tensor)
    node = view.maker(tensor)
    return NOTHING_KNOWN if node is None else _fused(node, _made(view, node, depth - 1))


def _representable(tensor: Tensor) -> Bounds:
    """A quantised tensor's own range."""
    low, high = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}.get(tensor.dtype or "", (-inf, inf))
    assert tensor.quantization is not None
    scale, zero = tensor.quantization.scales[0], (tensor.quantization.zero_points or (0,))[0]
    return ((low - zero) * scale, (high - zero) * scale)


def _fused(node: Node, value: Bounds) -> Bounds:
    low, high = _FUSED.get(str(node.attrs.get("fused_activation_function", "")), NOTHING_KNOWN)
    return (max(value[0], low), min(value[1], high)) if low <= value[1] and value[0] <= high else (low, high)


def _made(view: View, node: Node, depth: int) -> Bounds:
    name = kind(node)
    inputs = [one for one in node.inputs if one is not None]
    if name in {"clip", "minimum", "min", "maximum", "max"}:
        return _clipped(view, node, depth)
    if name in _ALWAYS:
        return _ALWAYS[name]
    if name in _MOVES and inputs:
        return bounds(view, inputs[0], depth)
    if name == "neg" and inputs:
        low, high = bounds(view, inputs[0], depth)
        return (-high, -low)
    if name in {"add", "sub", "mul"} and len(inputs) == 2:
        return _arithmetic(name, view, inputs, depth)
    if name in {"concat", "concatenation"}:
        every = [bounds(view, one, depth) for one in inputs if one.dtype != "int32"]
        return (min(b[0] for b in every), max(b[1] for b in every)) if every else NOTHING_KNOWN
    return NOTHING_KNOWN


def _clipped(view: View, node: Node, depth: int) -> Bounds:
    name = kind(node)
    inputs = [one for one in node.inputs if one is not None]
    if name == "clip":
        low, high = bounds(view, inputs[0], depth) if inputs else NOTHING_KNOWN
        ends = [scalar(one) for one in node.inputs[1:3]]
        least = node.attrs.get("min", node.attrs.get("alpha", ends[0] if ends else None))
        most = node.attrs.get("max", node.attrs.get("beta", ends[1] if len(ends) > 1 else None))
        return (max(low, _number(least, -inf)), min(high, _number(most, inf)))
    every = [bounds(view, one, depth) for one in inputs]
    if not every:
        return NOTHING_KNOWN
    pick = min if name in {"minimum", "min"} else max
    return (pick(b[0] for b in every), pick(b[1] for b in every))


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, (int, float)) else otherwise


def _arithmetic(name: str, view: View, inputs: list[Tensor], depth: int) -> Bounds:
    first, second = inputs
    (a, b), (c, d) = bounds(view, first, depth), bounds(view, second, depth)
    if name == "mul" and first is second:
        return (0.0, max(_times(a, a), _times(b, b)))
    if name == "add":
        return (a + c, b + d)
    if name == "sub":
        if _is_its_maximum(view, first, second):
            return (-inf, 0.0)
        return (a - d, b - c)
    corners = [_times(x, y) for x in (a, b) for y in (c, d)]
    return (min(corners), max(corners))


def _times(x: float, y: float) -> float:
    return 0.0 if x == 0 or y == 0 else x * y


def _is_its_maximum(view: View, first: Tensor, second: Tensor) -> bool:
    """x - max(x): the way softmax is kept from overflowing."""
    maker = view.maker(second)
    while maker is not None and kind(maker) in {"reshape", "expanddims", "unsqueeze", "tile", "broadcastto", "expand"}:
        second = maker.inputs[0] if maker.inputs and maker.inputs[0] is not None else second
        maker = view.maker(second)
    return maker is not None and kind(maker) == "max_of" and bool(maker.inputs) and maker.inputs[0] is first
