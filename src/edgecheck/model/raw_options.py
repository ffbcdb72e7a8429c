"""MediaPipe's custom operators of TFLite carry a C struct of `tflite/core/c/builtin_op_data.h` as their options.

Its 32-bit numbers are read little-endian and named as the options of the builtin operators are. An engine copies as
many bytes as the file has over a struct of zeros (XNNPACK's delegate: `SafeCopyCustomData`), and so does this.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_PADDINGS = ("", "SAME", "VALID")
_ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT", "")
_ENUMS: Mapping[str, tuple[str, ...]] = {"padding": _PADDINGS, "fused_activation_function": _ACTIVATIONS}
_POOL = ("padding", "stride_w", "stride_h", "filter_width", "filter_height", "fused_activation_function")

#: The fields of an operator's struct, in its order, as far as they are read.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "MaxPoolingWithArgmax2D": _POOL,
    "MaxUnpooling2D": _POOL,
    "Convolution2DTransposeBias": ("padding", "stride_w", "stride_h"),
}


def attributes(op: str, options: bytes) -> dict[str, int | str]:
    """The struct's numbers by name; {} for an operator that is not known to have one, or that has no options."""
    fields = FIELDS.get(op, ())
    if not fields or not options:
        return {}
    size = 4 * len(fields)
    numbers = struct.unpack(f"<{len(fields)}i", options[:size].ljust(size, b"\0"))
    return {field: _named(_ENUMS.get(field, ()), number) for field, number in zip(fields, numbers)}


def _named(names: tuple[str, ...], number: int) -> int | str:
    """An enum's value by name; the number itself where it has none."""
    return (names[number] if 0 <= number < len(names) else "") or number
