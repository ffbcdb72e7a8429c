"""One axis of a picture resampled as the usual libraries do it, as rows of weights: ours, to be compared with theirs.

A pixel `i` covers `i` to `i + 1`; the middle of target pixel `j` lies at `(j + 0.5) * ratio`. What differs between
libraries is where they think the middle is (half-pixel, legacy, align-corners), the kernel, whether it widens when
making smaller (antialias), and what they do at the border.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy

Centres = Literal["half-pixel", "legacy", "align-corners"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A way to resample: its shape, where it is put, whether it widens."""

    shape: str  # "nearest", "linear", "cubic", "cubic-75", "area", "box", "hamming", "lanczos3", "lanczos4"
    centres: Centres = "half-pixel"
    antialias: bool = False
    say: str = ""
    code: str = ""  # in Python
    device: str = ""  # in C++
    cost: float = 1.0


KERNELS: dict[str, Kernel] = {
    "linear": Kernel(
        shape="linear",
        say="bilinear without antialias (OpenCV INTER_LINEAR, Android, torch)",
        code="cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)",
        device="cv::resize(image, out, size, 0, 0, cv::INTER_LINEAR)",
    ),
    "linear-antialias": Kernel(
        shape="linear",
        antialias=True,
        say="bilinear with antialias (Pillow BILINEAR, tf.image with antialias)",
        code="Image.fromarray(image).resize(size, Image.BILINEAR)",
        device="resize bilinear with a kernel as wide as the reduction (antialias on)",
    ),
    "nearest": Kernel(
        shape="nearest",
        centres="legacy",
        say="nearest, rounded down (OpenCV INTER_NEAREST, torch nearest, TF1)",
        code="cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)",
        device="cv::resize(image, out, size, 0, 0, cv::INTER_NEAREST)",
    ),
    "nearest-centre": Kernel(
        shape="nearest",
        say="nearest to the pixel's middle (Pillow NEAREST, torch nearest-exact, TF2)",
        code="Image.fromarray(image).resize(size, Image.NEAREST)",
        device="cv::resize(image, out, size, 0, 0, cv::INTER_NEAREST_EXACT)",
    ),
    "nearest-corners": Kernel(
        shape="nearest",
        centres="align-corners",
        say="nearest with corners aligned",
        code="tf.compat.v1.image.resize_nearest_neighbor(image, size, align_corners=True)",
        device="resize nearest with align_corners",
        cost=1.5,
    ),
    "area": Kernel(
        shape="area",
        say="area means (OpenCV INTER_AREA)",
        code="cv2.resize(image, size, interpolation=cv2.INTER_AREA)",
        device="cv::resize(image, out, size, 0, 0, cv::INTER_AREA)",
    ),
    "cubic-75": Kernel(
        shape="cubic-75",
        say="bicubic without antialias, a = -0.75 (OpenCV INTER_CUBIC, torch)",
        code="cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)",
        device="cv::resize(image, out, size, 0, 0, cv::INTER_CUBIC)",
    ),
    "cubic-antialias": Kernel(
        shape="cubic",
        antialias=True,
        say="bicubic with antialias (Pillow BICUBIC)",
        code="Image.fromarray(image).resize(size, Image.BICUBIC)",
        device="resize bicubic (a = -0.5) with a kernel as wide as the reduction (antialias on)",
    ),
    "lanczos-antialias": Kernel(
        shape="lanczos3",
        antialias=True,
        say="Lanczos with antialias (Pillow LANCZOS)",
        code="Image.fromarray(image).resize(size, Image.LANCZOS)",
        device="resize Lanczos-3 with antialias on",
    ),
    "hamming-antialias": Kernel(
        shape="hamming",
        antialias=True,
        say="Hamming (Pillow HAMMING)",
        code="Image.fromarray(image).resize(size, Image.HAMMING)",
        device="resize with a Hamming kernel",
        cost=1.3,
    ),
    "box-antialias": Kernel(
        shape="box",
        antialias=True,
        say="box (Pillow BOX)",
        code="Image.fromarray(image).resize(size, Image.BOX)",
        device="resize with a box kernel",
        cost=1.2,
    ),
    "linear-legacy": Kernel(
        shape="linear",
        centres="legacy",
        say="bilinear without half-pixel centres (TF1's, TF Lite's default)",
        code="tf.compat.v1.image.resize_bilinear(image, size)",
        device="resize bilinear with half_pixel_centers = false",
    ),
    "linear-corners": Kernel(
        shape="linear",
        centres="align-corners",
        say="bilinear with corners aligned (align_corners = True)",
        code="tf.compat.v1.image.resize_bilinear(image, size, align_corners=True)",
        device="resize bilinear with align_corners = true",
    ),
    "cubic": Kernel(
        shape="cubic",
        say="bicubic without antialias, a = -0.5 (tf.image)",
        code="tf.image.resize(image, size, 'bicubic')",
        device="resize bicubic with a = -0.5, no antialias",
        cost=1.2,
    ),
    "cubic-legacy": Kernel(
        shape="cubic-75",
        centres="legacy",
        say="bicubic without half-pixel centres (TF1)",
        code="tf.compat.v1.image.resize_bicubic(image, size)",
        device="resize bicubic with half_pixel_centers = false",
        cost=1.3,
    ),
    "cubic-corners": Kernel(
        shape="cubic-75",
        centres="align-corners",
        say="bicubic with corners aligned",
        code="torch.nn.functional.interpolate(image, size, mode='bicubic', align_corners=True)",
        device="resize bicubic with align_corners = true",
        cost=1.3,
    ),
    "lanczos4": Kernel(
        shape="lanczos4",
        say="Lanczos over 8 pixels without antialias (OpenCV INTER_LANCZOS4)",
        code="cv2.resize(image, size, interpolation=cv2.INTER_LANCZOS4)",
        device="cv::resize(image, out, size, 0, 0, cv::INTER_LANCZOS4)",
        cost=1.2,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taps:
    """For each target pixel, the source pixels `index` [n, k] and their `weights` [n, k]."""

    index: numpy.ndarray
    weights: numpy.ndarray

    def along(self, pixels: numpy.ndarray) -> numpy.ndarray:
        """The first axis resampled: [m, ...] becomes [n, ...] float32."""
        import numpy as np

        if self.index.shape[1] == 1:
            result: numpy.ndarray = pixels[self.index[:, 0]].astype(np.float32)
            return result
        flat = pixels.reshape(len(pixels), -1)
        made = np.empty((len(self.index), flat.shape[1]), np.float32)
        for row, (index, weights) in enumerate(zip(self.index, self.weights, strict=True)):
            made[row] = weights @ flat[index]
        return made.reshape(-1, *pixels.shape[1:])


def taps(kernel: Kernel, source: int, target: int, wanted: numpy.ndarray) -> Taps:
    """Weights of a resize of `source` pixels to `target`, for the target pixels `wanted`."""
    import numpy as np

    if source == target:
        return Taps(index=wanted[:, None], weights=np.ones((len(wanted), 1), np.float32))
    middle = centres(kernel.centres, source, target, wanted)
    if kernel.shape == "nearest":
        return nearest(kernel.centres, source, middle)
    if kernel.shape == "area":
        return area(source, target, wanted)
    shape, support = SHAPES[kernel.shape]
    if kernel.antialias:
        return widened(shape, support, source, target, middle)
    return plain(shape, math.ceil(support), source, middle)


def centres(way: Centres, source: int, target: int, wanted: numpy.ndarray) -> numpy.ndarray:
    """Where the target pixels' middles lie, in the source; the middle of source pixel `i` is `i + 0.5`."""
    if way == "align-corners":
        return wanted * ((source - 1) / max(target - 1, 1)) + 0.5
    ratio = source / target
    return wanted * ratio + 0.5 if way == "legacy" else (wanted + 0.5) * ratio


def nearest(way: Centres, source: int, middle: numpy.ndarray) -> Taps:
    """Rounded down without half-pixel centres and with them; to the nearest with corners aligned."""
    import numpy as np

    place = np.floor(middle) if way != "legacy" else np.floor(middle - 0.5 + 1e-9)
    index = np.clip(place, 0, source - 1).astype(np.int64)[:, None]
    return Taps(index=index, weights=np.ones(index.shape, np.float32))


def plain(shape: Callable[[numpy.ndarray], numpy.ndarray], reach: int, source: int, middle: numpy.ndarray) -> Taps:
    """A kernel of its own width; at the border the last pixel is repeated (OpenCV, torch)."""
    import numpy as np

    start = np.floor(middle - 0.5).astype(np.int64)
    index = start[:, None] + np.arange(1 - reach, reach + 1)[None, :]
    weights = shape(index + 0.5 - middle[:, None])
    weights = weights / weights.sum(1, keepdims=True)
    return Taps(index=np.clip(index, 0, source - 1), weights=weights.astype(np.float32))


def widened(
    shape: Callable[[numpy.ndarray], numpy.ndarray], support: float, source: int, target: int, middle: numpy.ndarray
) -> Taps:
    """A kernel as wide as the reduction; at the border it is cut off and made to sum to one (Pillow's Resample.c)."""
    import numpy as np

    scale = max(source / target, 1.0)
    reach = support * scale
    low = np.maximum((middle - reach + 0.5).astype(np.int64), 0)
    high = np.minimum((middle + reach + 0.5).astype(np.int64), source)
    index = low[:, None] + np.arange(int((high - low).max()))[None, :]
    weights = shape((index + 0.5 - middle[:, None]) / scale)
    weights = np.where(index < high[:, None], weights, 0.0)
    weights = weights / weights.sum(1, keepdims=True)
    return Taps(index=np.minimum(index, source - 1), weights=weights.astype(np.float32))


def area(source: int, target: int, wanted: numpy.ndarray) -> Taps:
    """Means over what a target pixel covers; when making larger, OpenCV's INTER_AREA is a kind of bilinear."""
    import numpy as np

    ratio = source / target
    if ratio < 1:
        start = np.floor(wanted * ratio)
        past = wanted + 1 - (start + 1) / ratio
        share = np.where(past <= 0, 0.0, past - np.floor(past))
        index = start.astype(np.int64)[:, None] + np.arange(2)[None, :]
        weights = np.stack([1 - share, share], axis=1)
        return Taps(index=np.clip(index, 0, source - 1), weights=weights.astype(np.float32))
    low, high = wanted * ratio, (wanted + 1) * ratio
    index = np.floor(low + 1e-9).astype(np.int64)[:, None] + np.arange(math.ceil(ratio) + 1)[None, :]
    weights = np.clip(np.minimum(index + 1, high[:, None]) - np.maximum(index, low[:, None]), 0, None)
    weights = np.where(weights < 1e-6, 0.0, weights)
    weights = weights / weights.sum(1, keepdims=True)
    return Taps(index=np.clip(index, 0, source - 1), weights=weights.astype(np.float32))


def _linear(x: numpy.ndarray) -> numpy.ndarray:
    import numpy as np

    result: numpy.ndarray = np.clip(1 - np.abs(x), 0, None)
    return result


def _cubic(a: float) -> Callable[[numpy.ndarray], numpy.ndarray]:
    import numpy as np

    def shape(x: numpy.ndarray) -> numpy.ndarray:
        x = np.abs(x)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = (((x - 5) * x + 8) * x - 4) * a
        made: numpy.ndarray = np.where(x < 1, near, np.where(x < 2, far, 0.0))
        return made

    return shape


def _box(x: numpy.ndarray) -> numpy.ndarray:
    import numpy as np

    return np.where((x > -0.5) & (x <= 0.5), 1.0, 0.0)


def _hamming(x: numpy.ndarray) -> numpy.ndarray:
    import numpy as np

    made: numpy.ndarray = np.where(np.abs(x) < 1, np.sinc(x) * (0.54 + 0.46 * np.cos(np.pi * x)), 0.0)
    return made


def _lanczos(lobes: int) -> Callable[[numpy.ndarray], numpy.ndarray]:
    import numpy as np

    return lambda x: np.where(np.abs(x) < lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)


def _lanczos_3(x: numpy.ndarray) -> numpy.ndarray:
    return _lanczos(3)(x)


def _lanczos_4(x: numpy.ndarray) -> numpy.ndarray:
    return _lanczos(4)(x)


def _keys(x: numpy.ndarray) -> numpy.ndarray:
    return _cubic(-0.5)(x)


def _keys_75(x: numpy.ndarray) -> numpy.ndarray:
    return _cubic(-0.75)(x)


SHAPES: dict[str, tuple[Callable[[numpy.ndarray], numpy.ndarray], float]] = {
    "linear": (_linear, 1.0),
    "cubic": (_keys, 2.0),
    "cubic-75": (_keys_75, 2.0),
    "box": (_box, 0.5),
    "hamming": (_hamming, 1.0),
    "lanczos3": (_lanczos_3, 3.0),
    "lanczos4": (_lanczos_4, 4.0),
}


def resize(
    kernel: Kernel, pixels: numpy.ndarray, size: tuple[int, int], rows: numpy.ndarray, columns: numpy.ndarray
) -> numpy.ndarray:
    """[H, W, C] resized to `size`, of which `rows` and `columns` are made: [rows, columns, C] float32."""
    import numpy as np

    made = taps(kernel, pixels.shape[0], size[0], rows).along(pixels)
    across = taps(kernel, pixels.shape[1], size[1], columns).along(np.ascontiguousarray(made.swapaxes(0, 1)))
    return across.swapaxes(0, 1)


def resize_bytes(kernel: Kernel, pixels: numpy.ndarray, size: tuple[int, int]) -> numpy.ndarray:
    """The same as a library does it on bytes: the result is rounded to 0..255, and by Pillow so is the step between."""
    import numpy as np

    rows, columns = np.arange(size[0]), np.arange(size[1])
    down, across = taps(kernel, pixels.shape[0], size[0], rows), taps(kernel, pixels.shape[1], size[1], columns)
    if kernel is KERNELS["linear"]:
        return fixed_point(pixels, down, across)
    if not kernel.antialias:
        made = across.along(np.ascontiguousarray(down.along(pixels).swapaxes(0, 1))).swapaxes(0, 1)
        result: numpy.ndarray = np.clip(np.rint(made), 0, 255)
        return result
    if downwards_first(pixels.shape, size, down.index.shape[1], across.index.shape[1]):
        between = as_bytes(down.along(pixels))
        return as_bytes(across.along(np.ascontiguousarray(between.swapaxes(0, 1))).swapaxes(0, 1))
    between = as_bytes(across.along(np.ascontiguousarray(pixels.swapaxes(0, 1))).swapaxes(0, 1))
    return as_bytes(down.along(np.ascontiguousarray(between)))


def fixed_point(pixels: numpy.ndarray, down: Taps, across: Taps) -> numpy.ndarray:
    """OpenCV's INTER_LINEAR on bytes: weights of 11 bits, cut off after each axis (measured: bit for bit)."""
    import numpy as np

    def weights(one: Taps) -> numpy.ndarray:
        result: numpy.ndarray = np.rint(one.weights * 2048).astype(np.int64)
        return result

    def two(one: Taps) -> Taps:
        return (
            one
            if one.index.shape[1] == 2
            else Taps(index=np.repeat(one.index, 2, 1), weights=np.tile([[1.0, 0.0]], (len(one.index), 1)))
        )

    down, across = two(down), two(across)
    a, b = weights(across), weights(down)
    whole = pixels.astype(np.int64)
    wide = sum(whole[:, across.index[:, i]] * a[None, :, i, None] for i in (0, 1))
    tall = sum((b[:, i, None, None] * (wide[down.index[:, i]] >> 4)) >> 16 for i in (0, 1))
    result: numpy.ndarray = np.clip((tall + 2) >> 2, 0, 255).astype(np.float32)
    return result


def as_bytes(values: numpy.ndarray) -> numpy.ndarray:
    """Rounded half up and cut to 0..255, still as floats."""
    import numpy as np

    made: numpy.ndarray = np.clip(np.floor(values + 0.5), 0, 255)
    return made


def downwards_first(source: tuple[int, ...], size: tuple[int, int], down: int, across: int) -> bool:
    """Pillow 13 takes the axis first that saves work (measured: where it saves a tenth); older ones go across first."""
    one = source[0] * size[1] * across + size[0] * size[1] * down
    other = size[0] * source[1] * down + size[0] * size[1] * across
    return other < 0.9 * one
