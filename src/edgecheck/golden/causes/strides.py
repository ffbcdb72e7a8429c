"""Planes that were recorded with their row stride: one side ignores the padding at the end of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.pictures import pictures

if TYPE_CHECKING:
    import numpy


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """For every input of bytes whose rows are longer than the picture that comes out is wide."""
    if trial.model or trial.again is None:
        return
    for one in pictures(trial, trial.ours):
        width = one.view(trial.ours[one.name]).shape[1]
        for name, array in trial.inputs.items():
            if array.dtype.kind != "u" or array.dtype.itemsize != 1 or array.ndim < 2:
                continue
            for wide in dict.fromkeys((width, width // 2)):
                if wide < array.shape[1] <= 2 * wide:
                    yield Hypothesis(
                        id="row-stride",
                        say=f"the device takes the rows of {name} for {wide} long; they are {array.shape[1]} apart",
                        on="input",
                        apply=ignored(name, wide),
                        ours=f"{name} = {name}.reshape(-1)[: {array.shape[0] * wide}].reshape(-1, {wide})",
                        device=f"start row i of {name} at i * rowStride ({array.shape[1]})",
                        parameters={"width": wide, "stride": array.shape[1]},
                    )


def ignored(name: str, wide: int) -> Callable[[Trial, Arrays], Arrays]:
    """The first bytes of the plane as rows without padding; the padding stays as it is."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        array: numpy.ndarray = arrays[name]
        made = array.copy()
        height, rest = array.shape[0], array.shape[2:]
        made[:, :wide] = array.reshape(-1, *rest)[: height * wide].reshape(height, wide, *rest)
        return {name: made}

    return apply
