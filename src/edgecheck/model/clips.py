"""A Relu or Clip before a QuantizeLinear that cuts at its range anyway.

ONNX Runtime's QNN provider joins such an operator with the one before it, as it does the QuantizeLinear.
"""

from __future__ import annotations

from edgecheck.model.graph import Node, Tensor

_RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}


def needless(clip: Node, quantize: Node) -> bool:
    """Whether `clip` (Relu or Clip) changes nothing that `quantize` would not cut off: its range holds all values that
    the integers stand for. False where scale, zero point or bounds are not constant, or no zero point is given."""
    dtype = quantize.outputs[0].dtype if quantize.outputs and quantize.outputs[0] is not None else None
    scale, zero = (_number(_input(quantize, place)) for place in (1, 2))
    if dtype not in _RANGES or scale is None or zero is None:
        return False
    low, high = (scale * (end - zero) for end in _RANGES[dtype])
    least, most = (0.0, None) if clip.op == "Relu" else _bounds(clip)
    return (least is None or least <= low) and (most is None or most >= high * (1 - 1e-7))


def _bounds(clip: Node) -> tuple[float | None, float | None]:
    """The bounds of a Clip, None for one that is not given; what nothing lies within where one is not constant."""
    given = [_input(clip, 1), _input(clip, 2)]
    numbers = [_number(one) for one in given]
    if any(one is not None and number is None for one, number in zip(given, numbers, strict=True)):
        return float("inf"), float("-inf")
    written = [clip.attrs.get("min"), clip.attrs.get("max")]
    least, most = (w if number is None else number for number, w in zip(numbers, written, strict=True))
    return least, most


def _input(node: Node, place: int) -> Tensor | None:
    return node.inputs[place] if len(node.inputs) > place else None


def _number(tensor: Tensor | None) -> float | None:
    """The value of a constant with one element."""
    if tensor is None or tensor.data is None or tensor.size != 1:
        return None
    return float(tensor.data.array().reshape(-1)[0])
