"""What ExecuTorch's XNNPACK delegate was given: the operators inside its payload, counted.

The payload is a small header ("XH00") and a FlatBuffer ("XN00", "XN01") of XNNPACK nodes. Source: executorch 1.5.1,
backends/xnnpack/serialization/{runtime_schema.fbs,xnnpack_graph_serialize.py}.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from edgecheck.errors import FormatError
from edgecheck.model.formats.flat import FlatBuffer, Table

_HEADER = struct.Struct("<4x4sHII")
_NODES, _INPUTS, _OUTPUTS = 1, 4, 5  # slots of XNNGraph
#: The members of XNodeUnion in their order, the first one 1.
_NAMES = (
    "Add", "FullyConnected", "Softmax", "Sigmoid", "StaticTranspose", "Clamp", "Conv2d", "Div",
    "StaticResizeBilinear2D", "StaticConstantPad", "AvgPooling2d", "Minimum", "DepthwiseConv2d", "MaxPooling2d",
    "Multiply", "Subtract", "Floor", "Convert", "GlobalAvgPooling2d", "StaticReshape", "ArgMaxPooling2d",
    "SquareRoot", "Ceiling", "Hardswish", "LeakyReLU", "Maximum", "Negate", "Square", "ELU", "Abs", "PReLU",
    "Concatenate2", "Concatenate3", "Concatenate4", "StaticSlice", "ScaledDotProductAttention",
    "BatchMatrixMultiply", "Concatenate5", "ConvTranspose2d", "ReciprocalSquareRoot", "Log", "Gelu", "Tanh", "Exp",
    "Sin", "Copy", "Cos",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """How many of each XNNPACK operator, and how many inputs and outputs the delegate has."""

    ops: Mapping[str, int]
    inputs: int
    outputs: int


def payload(blob: memoryview) -> Payload | None:
    """What is in the delegate's blob; None where it is not laid out as this reader knows it."""
    try:
        root = _root(blob)
        if root is None:
            return None
        kinds = Counter(_name(node) for node in root.tables(_NODES))
        return Payload(
            ops=dict(sorted(kinds.items())), inputs=len(root.integers(_INPUTS, "I")),
            outputs=len(root.integers(_OUTPUTS, "I")),
        )  # fmt: skip
    except FormatError:
        return None


def _root(blob: memoryview) -> Table | None:
    flat = blob
    if len(blob) >= _HEADER.size and bytes(blob[4:8]) == b"XH00":
        _, _, offset, size = _HEADER.unpack_from(blob)
        flat = blob[offset : offset + size]
    if len(flat) < 8 or bytes(flat[4:7]) != b"XN0":
        return None
    return FlatBuffer(flat).root()


def _name(node: Table) -> str:
    union = node.integer(0, "B")
    return _NAMES[union - 1] if 0 < union <= len(_NAMES) else f"operator {union}"
