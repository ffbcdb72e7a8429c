"""Planes that were recorded with their row stride: one side ignores the padding at the end of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
