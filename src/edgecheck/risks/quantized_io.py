"""EC603: a quantised input that the app must scale itself."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

from edgecheck.findings import Finding
from edgecheck.model.graph import Tensor
from edgecheck.risks.view import View, kind, scalar

#: A byte of an image fed as it is stands for 0..1, -1..1 or 0..255.
_BYTES = ((1 / 255, (0,)), (1 / 127.5, (127, 128)), (1.0, (0,)))


def find(view: View) -> Iterator[Finding]:
    """One finding an input."""
    for tensor in view.model.graphs[0].inputs if view.model.graphs else ():
        read = _quantization(view, tensor)
        if read is None or _takes_bytes(tensor, *read):
            continue
        readers = view.readers(tensor)
        if readers:
            scale, zero = read
            low, high = {"uint8": (0, 255), "int16": (-32768, 32767)}.get(tensor.dtype or "", (-128, 127))
            yield view.finding(
                "EC603",
                f"input '{tensor.name}' takes {tensor.dtype}: the app must scale values as a float model takes them",
                readers[:1],
                evidence=("tensorflow issue 53278: uint8 inputs fed unscaled",),
                help=f"feed clip(round(x / {scale:.7g}) + {zero}, {low}, {high}) for x in "
                f"{(low - zero) * scale:.4g} .. {(high - zero) * scale:.4g}",
            )


def _quantization(view: View, tensor: Tensor) -> tuple[float, int] | None:
    """Scale and zero point of an integer input, from the tensor or from the DequantizeLinear that reads it."""
    if tensor.dtype not in {"int8", "uint8", "int16"}:
        return None
    if tensor.quantization is not None and len(tensor.quantization.scales) == 1:
        return tensor.quantization.scales[0], (tensor.quantization.zero_points or (0,))[0]
    for node in view.readers(tensor):
        if kind(node) == "dequantizelinear" and len(node.inputs) > 1:
            scale = scalar(node.inputs[1])
            zero = scalar(node.inputs[2]) if len(node.inputs) > 2 else 0.0
            if scale is not None and zero is not None:
                return scale, int(zero)
    return None


def _takes_bytes(tensor: Tensor, scale: float, zero: int) -> bool:
    return tensor.dtype == "uint8" and any(isclose(scale, s, rel_tol=2e-3) and zero in zeros for s, zeros in _BYTES)
