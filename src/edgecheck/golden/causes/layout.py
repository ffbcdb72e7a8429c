"""NHWC and NCHW taken for each other: properly transposed, or the same bytes read in the other shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.pictures import pictures

if TYPE_CHECKING:
    import numpy

#: Channels moved past rows and columns, which stay in their order.
CLASSIC = {(0, 2, 3, 1), (0, 3, 1, 2), (1, 2, 0), (2, 0, 1), (1, 0)}


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """For pictures, both ways of channels; for any tensor of which the device's shape is a permutation of ours."""
    for one in pictures(trial, trial.ours):
        if one.axes[2] >= 0:
            yield from _of_picture(trial, one.name, one.axes[2] > one.axes[1])
    for name, array in trial.ours.items():
        other = trial.device.get(name)
        if other is not None and array.dtype.kind in "uifb" and 2 <= array.ndim <= 4:
            yield from _permuted(name, array, other.shape)


def _of_picture(trial: Trial, name: str, last: bool) -> Iterator[Hypothesis]:
    """`last`: our channels are last."""
    rank = trial.ours[name].ndim
    here, there = ("HWC", "CHW") if last else ("CHW", "HWC")
    order = (*range(rank - 3), *((rank - 1, rank - 3, rank - 2) if last else (rank - 2, rank - 1, rank - 3)))
    yield Hypothesis(
        id="layout-reinterpreted",
        say=f"the device's {name} holds {there} values in a buffer that is read as {here}",
        on="output",
        apply=changed(name, lambda x: x.transpose(order).reshape(x.shape)),
        ours=f"{name} = {name}.transpose{order}.reshape({name}.shape)",
        device=f"transpose to {here} before the buffer is filled",
        parameters={"device": there, "ours": here},
    )
    back = tuple(order.index(i) for i in range(rank))
    yield Hypothesis(
        id="layout-reinterpreted",
        say=f"the device reshaped {name} to {there} and back with a transpose: its {here} values are taken for {there}",
        on="output",
        apply=changed(name, lambda x: x.reshape([x.shape[i] for i in order]).transpose(back)),
        ours=f"{name} = {name}.reshape([{name}.shape[i] for i in {order}]).transpose{back}",
        device="transpose instead of reshape",
        parameters={"device": here, "ours": here},
        cost=1.3,
    )


def changed(name: str, change: Callable[[numpy.ndarray], numpy.ndarray]) -> Callable[[Trial, Arrays], Arrays]:
    """One output of all changed."""
    return lambda trial, arrays: {**arrays, name: change(arrays[name])}


def _permuted(name: str, array: numpy.ndarray, shape: tuple[int, ...]) -> Iterator[Hypothesis]:
    from itertools import permutations

    if array.size == 0 or sorted(array.shape) != sorted(shape) or len([n for n in shape if n > 1]) < 2:
        return
    identity = tuple(range(array.ndim))
    for order in permutations(identity):
        if order == identity or tuple(array.shape[i] for i in order) != shape or _moves_only_ones(array.shape, order):
            continue
        say = f"the device's {name} is ours transposed by {order}"
        yield Hypothesis(
            id="layout",
            say=say,
            on="output",
            apply=changed(name, lambda x, order=order: x.transpose(order)),  # type: ignore[misc]
            ours=f"{name} = {name}.transpose{order}",
            device=f"transpose {name} back to {list(array.shape)}",
            parameters={"order": str(order)},
            cost=1.0 if order in CLASSIC else 2.5,
        )
    if shape != array.shape:
        yield Hypothesis(
            id="layout-reinterpreted",
            say=f"the device's {name} holds our values in the shape {list(shape)}, not transposed",
            on="output",
            apply=changed(name, lambda x: x.reshape(shape)),
            ours=f"{name} = {name}.reshape{shape}",
            device=f"read {name} as {list(array.shape)}",
            parameters={"shape": str(list(shape))},
        )


def _moves_only_ones(shape: tuple[int, ...], order: tuple[int, ...]) -> bool:
    """The order of the axes that are longer than 1 stays: a reshape."""
    long = [i for i in order if shape[i] > 1]
    return long == sorted(long)
