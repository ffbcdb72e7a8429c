"""Pictures cut out by boxes and scaled one by one: what holds for each of them by itself holds for the stack.

Every crop is a case of its own, with the part of the picture that its box names as the input; the family of resizing
reads it as it reads a whole picture, and what it proposes is tried on all crops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial, spatial
from edgecheck.golden.causes.pictures import Picture, pictures

if TYPE_CHECKING:
    import numpy

MOST = 64  # crops of a case


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Where a picture and boxes go in, and as many pictures come out."""
    if trial.model:
        return
    for target in pictures(trial, trial.ours):
        parts = split(trial, target)
        if parts:
            # A crop's own peculiarities do not count: the largest one tells most about the kernel.
            lead = max(parts, key=lambda one: one.inputs[_source(trial).name].size if _source(trial) else 0)
            for one in spatial.hypotheses(lead):
                yield stacked(target, one)


def _source(trial: Trial) -> Any:
    found = pictures(trial, trial.inputs)
    return found[0] if found else None


def split(trial: Trial, target: Picture) -> list[Trial]:
    """A case for each crop; empty where the stage does not cut. Kept with the trial, since readings are kept there."""
    key = f"crops/{target.name}"
    if key not in trial.memo:
        trial.memo[key] = list(_parts(trial, target))
    found: list[Trial] = trial.memo[key]
    return found


def _parts(trial: Trial, target: Picture) -> Iterator[Trial]:
    source, boxes = _source(trial), [n for n in trial.inputs if trial.meaning(n).kind == "boxes"]
    ours, device = trial.ours[target.name], trial.device.get(target.name)
    if source is None or not boxes or device is None or device.shape != ours.shape or ours.ndim != 4:
        return
    rows = trial.inputs[boxes[0]]
    if rows.ndim != 2 or len(rows) != len(ours) or not 0 < len(rows) <= MOST:
        return
    whole = trial.inputs[source.name]
    for number, row in enumerate(rows):
        part = _cut(whole, source, row)
        if part is None:
            return
        yield Trial(
            case=f"{trial.case} {number}", stage=trial.stage, inputs={source.name: part},
            ours={target.name: ours[number : number + 1]}, device={target.name: device[number : number + 1]},
            meanings=trial.meanings,
        )  # fmt: skip


def _cut(whole: numpy.ndarray, source: Picture, row: Any) -> numpy.ndarray | None:
    """The part of the picture between xmin, ymin, xmax, ymax in pixels; None where there is none."""
    left, top, right, bottom = (int(one) for one in row[:4])
    place: list[slice] = [slice(None)] * whole.ndim
    place[source.axes[0]], place[source.axes[1]] = slice(max(0, top), bottom), slice(max(0, left), right)
    part = whole[tuple(place)]
    return part if min(part.shape[source.axes[0]], part.shape[source.axes[1]]) >= 4 else None


def stacked(target: Picture, one: Hypothesis) -> Hypothesis:
    """The hypothesis about one crop, for all of them."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        parts = split(trial, target)
        if not parts:
            raise ValueError("no crops")
        made = [one.apply(part, part.inputs if one.on == "stage" else part.ours)[target.name] for part in parts]
        found = dict(trial.ours if one.on == "stage" else arrays)
        return {**found, target.name: np.concatenate(made)}

    return _as(one, apply)


def _as(one: Hypothesis, apply: Callable[[Trial, Arrays], Arrays]) -> Hypothesis:
    from dataclasses import replace

    return replace(one, apply=apply)
