"""Planes that were recorded with their row stride: one side ignores the padding at the end of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.pictures import Picture, pictures

if TYPE_CHECKING:
    import numpy


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """All inputs of bytes whose rows are longer than the picture that comes out is wide; and each of them alone."""
    if trial.model or trial.again is None:
        return
    for one in pictures(trial, trial.ours):
        found = {name: wide for name, array in trial.inputs.items() if (wide := padded(one, trial, array))}
        if len(found) > 1:
            yield unpadded(list(found), one)
        for name in found:
            yield unpadded([name], one)


def padded(one: Picture, trial: Trial, array: numpy.ndarray) -> int:
    """How long the rows of a plane are without their padding; 0 where they have none."""
    if array.dtype.kind != "u" or array.dtype.itemsize != 1 or array.ndim < 2:
        return 0
    height, width = one.view(trial.ours[one.name]).shape[:2]
    wide = width if array.shape[0] == height else width // 2
    return wide if wide < array.shape[1] <= 2 * wide else 0


def unpadded(names: list[str], one: Picture) -> Hypothesis:
    """These planes read as if their rows followed each other."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        return {name: packed(arrays[name], padded(one, trial, arrays[name])) for name in names}

    said = ", ".join(names)
    return Hypothesis(
        id="row-stride",
        say=f"the device reads the rows of {said} one right behind the other; in memory they are farther apart",
        on="input",
        apply=apply,
        ours=f"{names[0]} = {names[0]}.reshape(-1)[: height * width].reshape(height, width)",
        device=f"start row i of {said} at i * rowStride",
        parameters={"names": names},
    )


def packed(array: numpy.ndarray, wide: int) -> numpy.ndarray:
    """The first bytes of the plane as rows without padding; the padding stays as it is."""
    made = array.copy()
    if wide:
        height, rest = array.shape[0], array.shape[2:]
        made[:, :wide] = array.reshape(-1, *rest)[: height * wide].reshape(height, wide, *rest)
    return made


def of_frames(height: int, width: int) -> Iterator[Hypothesis]:
    """Rows of a camera's frame that are longer in memory than they are wide, or taken to be."""
    for stride in dict.fromkeys(-(-width // align) * align for align in (16, 32, 64, 128, 256)):
        if stride == width:
            continue
        yield Hypothesis(
            id="row-stride",
            say=f"the device reads the rows of the frame {stride} bytes apart, they are {width} apart",
            on="input",
            apply=skewed(height, width, stride),
            ours=f"luma = buffer[i * {stride} : i * {stride} + {width}]",
            device=f"use the plane's rowStride, not {stride}",
            parameters={"stride": stride},
        )
    for more in (8, 16, 32, 64, 96):
        for filled in ("edge", "constant"):
            yield Hypothesis(
                id="row-stride",
                say=f"the camera's rows are {width + more} bytes apart, the device reads them as if they were {width}",
                on="input",
                apply=run_together(width, more, filled),
                ours=f"luma = np.pad(luma, ((0, 0), (0, {more}))).reshape(-1)[: luma.size].reshape(luma.shape)",
                device="start row i at i * rowStride",
                parameters={"stride": width + more, "padding": filled},
                cost=1.1 if filled == "edge" else 1.2,
            )


def run_together(width: int, more: int, filled: str) -> Callable[[Trial, Arrays], Arrays]:
    """Every array of bytes as it reads when its rows are `more` bytes longer in memory; `filled`: what is in them."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        changed = {}
        for name, array in arrays.items():
            if array.dtype == np.uint8 and array.size % width == 0 and array.size >= 4 * width:
                mode: Any = filled
                rows = np.pad(array.reshape(-1, width), ((0, 0), (0, more)), mode=mode)
                changed[name] = rows.reshape(-1)[: array.size].reshape(array.shape)
        return changed

    return apply


def skewed(height: int, width: int, stride: int) -> Callable[[Trial, Arrays], Arrays]:
    """Every array of bytes read with another stride; what lies past its end is 0."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        changed = {}
        for name, array in arrays.items():
            if array.dtype != np.uint8 or array.size * 2 < height * width:
                continue
            flat = array.reshape(-1)
            rows = flat.size // width
            at = np.arange(rows)[:, None] * stride + np.arange(width)[None, :]
            changed[name] = (
                np.where(at < flat.size, flat[np.minimum(at, flat.size - 1)], 0).astype(np.uint8).reshape(array.shape)
            )
        return changed

    return apply
