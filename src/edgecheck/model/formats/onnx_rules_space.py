"""Shape rules of convolutions, pooling, resizing and what else knows height and width."""

from __future__ import annotations

import math
import struct

from edgecheck.model.formats.onnx_messages import DTYPES
from edgecheck.model.formats.onnx_shapes import Call, Unknown, rule
from edgecheck.model.graph import Shape


def _f32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


@rule("Conv", "ConvInteger", "QLinearConv", "DeformConv", "com.microsoft::FusedConv")
def conv(c: Call) -> None:
    weight = 3 if c.op == "QLinearConv" else 1
    named = {"ConvInteger": "int32", "QLinearConv": c.dtype(7)}
    c.put(0, dtype=named.get(c.op, c.dtype(0)))
    x, w = c.shape(0), c.shape(weight)
    kernel = c.attr_ints("kernel_shape") or w[2:]
    c.put(0, shape=(x[0], w[0], *_windows(c, x[2:], kernel, ceil=False)))


@rule("AveragePool", "MaxPool", "LpPool", "com.microsoft::QLinearAveragePool")
def pool(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(1, dtype="int64")
    x, kernel = c.shape(0), c.attr_ints("kernel_shape")
    if kernel is None or c.attrs.get("channels_last"):
        raise Unknown
    shape = (*x[:2], *_windows(c, x[2:], kernel, ceil=bool(c.attr_int("ceil_mode", 0))))
    c.put(0, shape=shape)
    c.put(1, shape=shape)


def _windows(c: Call, sizes: Shape, kernel: Shape, *, ceil: bool) -> Shape:
    """How many windows fit along each spatial axis."""
    n = len(sizes)
    strides = c.attr_ints("strides") or (1,) * n
    dilations = c.attr_ints("dilations") or (1,) * n
    pads = c.attr_ints("pads") or (0,) * (2 * n)
    if not n == len(kernel) == len(strides) == len(dilations) == len(pads) // 2 or min(strides, default=1) < 1:
        raise Unknown
    auto = c.attr_text("auto_pad", "NOTSET")
    return tuple(
        _window(auto, size, k, stride, dilation, before, after, ceil)
        for size, k, stride, dilation, before, after in zip(
            sizes, kernel, strides, dilations, pads[:n], pads[n:], strict=True
        )
    )


def _window(
    auto: str, size: int | None, k: int | None, stride: int, dilation: int, before: int, after: int, ceil: bool
) -> int | None:
    if size is None:
        return None
    if auto.startswith("SAME"):
        return -(-size // stride)
    if k is None:
        return None
    if auto == "VALID":
        before = after = 0
    room = size + before + after - ((k - 1) * dilation + 1)
    if room < 0:
        return None
    count = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (count - 1) * stride >= size + before:  # a window may not start in the padding behind
        count -= 1
    return count


@rule("ConvTranspose")
def conv_transpose(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    x, w = c.shape(0), c.shape(1)
    sizes, n = x[2:], len(x) - 2
    kernel: Shape = c.attr_ints("kernel_shape") or w[2:]
    channels = None if w[1] is None else w[1] * c.attr_int("group", 1)
    wanted = c.attr_ints("output_shape")
    if wanted:
        c.put(0, shape=(x[0], channels, *wanted[-n:]))
        return
    strides, dilations = c.attr_ints("strides") or (1,) * n, c.attr_ints("dilations") or (1,) * n
    extra, pads = c.attr_ints("output_padding") or (0,) * n, c.attr_ints("pads") or (0,) * (2 * n)
    auto = c.attr_text("auto_pad", "NOTSET")
    out: list[int | None] = []
    for i in range(n):
        size, k = sizes[i], kernel[i]
        if size is None or k is None:
            out.append(None)
        elif auto.startswith("SAME"):
            out.append(size * strides[i])
        else:
            padding = 0 if auto == "VALID" else pads[i] + pads[n + i]
            out.append(strides[i] * (size - 1) + extra[i] + (k - 1) * dilations[i] + 1 - padding)
    c.put(0, shape=(x[0], channels, *out))


@rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "com.microsoft::QLinearGlobalAveragePool")
def global_pool(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    x = c.shape(0)
    if c.attrs.get("channels_last"):
        raise Unknown
    c.put(0, shape=(*x[:2], *(1 for _ in x[2:])))


@rule("MaxRoiPool")
def max_roi_pool(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(0, shape=(c.shape(1)[0], c.shape(0)[1], *(c.attr_ints("pooled_shape") or (None, None))))


@rule("RoiAlign")
def roi_align(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(0, shape=(c.shape(1)[0], c.shape(0)[1], c.attr_int("output_height", 1), c.attr_int("output_width", 1)))


@rule("Upsample")
def upsample(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shape = c.shape(0)
    c.put(0, shape=(None,) * len(shape))
    if c.since == 1:
        raise Unknown
    scales = c.attrs["scales"] if c.since < 9 else c.values(1)
    c.put(0, shape=_scaled(shape, scales))


@rule("Resize")
def resize(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shape = c.shape(0)
    c.put(0, shape=(None,) * len(shape))
    axes = tuple(c.axis(axis, len(shape)) for axis in c.attr_ints("axes") or range(len(shape)))
    touched = tuple(shape[axis] for axis in axes)
    if c.since >= 11 and c.has(3):
        if c.attr_text("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise Unknown
        sizes: Shape = c.ints_or_none(3)
    else:
        sizes = _scaled(touched, c.values(1 if c.since < 11 else 2))
    out = list(shape)
    for axis, size in zip(axes, sizes, strict=True):
        out[axis] = size
    c.put(0, shape=out)


def _scaled(shape: Shape, scales: object) -> Shape:
    """floor(dimension * scale) in float32, as the standard has it."""
    if not isinstance(scales, tuple) or len(scales) != len(shape):
        raise Unknown
    return tuple(
        None if dim is None or scale is None else math.floor(_f32(_f32(dim) * _f32(scale)))
        for dim, scale in zip(shape, scales, strict=True)
    )


@rule("DepthToSpace", "SpaceToDepth")
def depth_space(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    n, channels, height, width = c.shape(0)
    block = c.attr_int("blocksize")
    if c.op == "SpaceToDepth":
        times = None if channels is None else channels * block * block
        c.put(0, shape=(n, times, _over(height, block), _over(width, block)))
    else:
        times = _over(channels, block * block)
        c.put(0, shape=(n, times, height and height * block, width and width * block))


def _over(dim: int | None, by: int) -> int | None:
    return None if dim is None or dim % by else dim // by


@rule("GridSample", "com.microsoft::GridSample")
def grid_sample(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(0, shape=(*c.shape(0)[:2], *c.shape(1)[1:-1]))


@rule("AffineGrid")
def affine_grid(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    size = c.ints(1)
    c.put(0, shape=(size[0], *size[2:], len(size) - 2))


@rule("NonMaxSuppression")
def non_max_suppression(c: Call) -> None:
    c.put(0, dtype="int64", shape=(None, 3))


@rule("HammingWindow", "HannWindow", "BlackmanWindow")
def window(c: Call) -> None:
    c.put(0, dtype=DTYPES.get(c.attr_int("output_datatype", 1)), shape=(None,))
    c.put(0, shape=c.ints(0))


@rule("MelWeightMatrix")
def mel_weight_matrix(c: Call) -> None:
    c.put(0, dtype=DTYPES.get(c.attr_int("output_datatype", 1)), shape=(None, None))
    (bins,), (length,) = c.ints(0), c.ints(1)
    c.put(0, shape=(length // 2 + 1, bins))
