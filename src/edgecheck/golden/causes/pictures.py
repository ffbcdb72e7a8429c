"""Which tensors of a case are pictures, along which axes, and which values black and white have in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.golden.causes import Arrays, Trial

if TYPE_CHECKING:
    import numpy

LEAST = 8  # pixels; a smaller side is no picture
CHANNELS = (1, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A tensor that is a picture: `axes` are its rows, columns and channels (-1: it has none)."""

    name: str
    axes: tuple[int, int, int]
    channels: str = ""  # "RGB", "BGR" where declared
    low: float | None = None
    high: float | None = None

    def view(self, array: numpy.ndarray) -> numpy.ndarray:
        """The first picture of the tensor as [height, width, channels]."""
        import numpy as np

        y, x, c = self.axes
        if c < 0:
            return array.reshape(*array.shape[-2:], 1) if array.ndim == 2 else array[0][..., None]
        moved = np.moveaxis(array, (y, x, c), (-3, -2, -1))
        first: numpy.ndarray = moved.reshape(-1, *moved.shape[-3:])[0]
        return first

    def changed(self, array: numpy.ndarray, change: Callable[[numpy.ndarray], numpy.ndarray]) -> numpy.ndarray:
        """The tensor with `change` made to it, seen as [..., height, width, channels]."""
        import numpy as np

        y, x, c = self.axes
        if c < 0:
            return change(array[..., None])[..., 0]
        moved = change(np.moveaxis(array, (y, x, c), (-3, -2, -1)))
        return np.moveaxis(moved, (-3, -2, -1), (y, x, c))


def pictures(trial: Trial, arrays: Arrays) -> list[Picture]:
    """The pictures among tensors: those that are declared, and those that look like one and are declared nothing."""
    found = (picture(trial, name, array) for name, array in arrays.items())
    return [one for one in found if one]


def picture(trial: Trial, name: str, array: numpy.ndarray) -> Picture | None:
    """How a tensor is a picture; None where it is none."""
    meaning = trial.meaning(name)
    if array.dtype.kind not in "uif" or meaning.kind not in ("image", "values"):
        return None
    axes = declared(meaning.layout, array.shape) or guessed(array.shape)
    if axes is None:
        return None
    return Picture(name=name, axes=axes, channels=meaning.channels, low=meaning.low, high=meaning.high)


def declared(layout: str, shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Axes from the letters of a layout; None where they do not go with the shape."""
    if len(layout) != len(shape) or not {"H", "W"} <= set(layout):
        return None
    channel = layout.find("C")
    if channel >= 0 and shape[channel] not in CHANNELS:
        return None
    return layout.index("H"), layout.index("W"), channel


def guessed(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Axes from a shape alone: two long ones, and one of 1, 3 or 4 for the channels."""
    rank = len(shape)
    if rank == 2 and min(shape) >= 2 * LEAST:
        return 0, 1, -1
    if rank not in (3, 4):
        return None
    if shape[-1] in CHANNELS and min(shape[-3:-1]) >= LEAST:
        return rank - 3, rank - 2, rank - 1
    if shape[-3] in CHANNELS and min(shape[-2:]) >= LEAST:
        return rank - 2, rank - 1, rank - 3
    return None


def levels(trial: Trial, one: Picture, array: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The values of black and of white in each channel: read from the stage, or declared, or guessed."""
    import numpy as np

    count = one.view(array).shape[-1]
    key = f"stage/levels/{one.name}"
    if key in trial.memo and len(trial.memo[key][0]) == count:
        black, white = trial.memo[key]
        return black, white
    low, high = declared_range(one, array) or guessed_range(array)
    return np.full(count, low), np.full(count, high)


def declared_range(one: Picture, array: numpy.ndarray) -> tuple[float, float] | None:
    """What the pipeline says, where the values do not say otherwise (`image()` says 0 to 255 unless it is told)."""
    if one.low is None or one.high is None or one.high <= one.low:
        return None
    room = 0.02 * (one.high - one.low)
    fits = array.min() >= one.low - room and array.max() <= one.high + room
    small = array.dtype.kind == "f" and array.max() - array.min() < 0.03 * (one.high - one.low)
    return (one.low, one.high) if fits and not small else None


def guessed_range(array: numpy.ndarray) -> tuple[float, float]:
    """From the type and the values; standardised values have no exact range, so they get ImageNet's."""
    low, high = float(array.min()), float(array.max())
    if array.dtype.kind == "u":
        return 0.0, 255.0
    if array.dtype.kind == "i":
        return (-128.0, 127.0) if low < 0 else (0.0, 255.0)
    if low >= -1e-3:
        return (0.0, 1.0) if high <= 1.001 else (0.0, 255.0)
    if low >= -1.01 and high <= 1.01:
        return -1.0, 1.0
    return (-2.1179, 2.64) if low > -4 and high < 4 else (-127.5, 127.5)
