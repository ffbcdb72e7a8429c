"""Tensors under each other's names."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from edgecheck.golden.causes import Arrays, Hypothesis, Trial

MOST = 12  # tensors; more are not tried two by two


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Two outputs swapped, one renamed, and two inputs swapped."""
    names = sorted(trial.ours)
    if len(names) <= MOST:
        yield from (swapped(one, other, "output") for one, other in combinations(names, 2))
    missing = [one for one in names if one not in trial.device]
    extra = [one for one in sorted(trial.device) if one not in trial.ours]
    for one in missing:
        yield from (renamed(one, other) for other in extra)
    if len(missing) == len(extra) > 1:
        yield all_renamed(missing, extra)
    inputs = sorted(trial.inputs)
    if trial.again is not None and 1 < len(inputs) <= MOST:
        yield from (swapped(one, other, "input") for one, other in combinations(inputs, 2) if alike(trial, one, other))


def alike(trial: Trial, one: str, other: str) -> bool:
    """They could stand in each other's place."""
    first, second = trial.inputs[one], trial.inputs[other]
    return first.ndim == second.ndim and (first.dtype.kind in "OUS") == (second.dtype.kind in "OUS")


def swapped(one: str, other: str, on: str) -> Hypothesis:
    what = "outputs" if on == "output" else "inputs"

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        changed = {one: arrays[other], other: arrays[one]}
        return {**arrays, **changed} if on == "output" else changed

    return Hypothesis(
        id=f"{what}-swapped",
        say=f"the device has the {what} {one} and {other} under each other's names",
        on="output" if on == "output" else "input",
        apply=apply,
        ours=f"{one}, {other} = {other}, {one}",
        device=f"bind {one} and {other} by name, not by index",
        parameters={"names": [one, other]},
    )


def renamed(one: str, other: str) -> Hypothesis:
    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        return {other if name == one else name: array for name, array in arrays.items()}

    return Hypothesis(
        id="tensors-renamed",
        say=f"the device calls {one} {other}",
        on="output",
        apply=apply,
        ours=f"{other} = {one}",
        device=f"record it as {one}",
        parameters={"ours": one, "device": other},
    )


def all_renamed(ours: list[str], device: list[str]) -> Hypothesis:
    names = dict(zip(ours, device, strict=True))

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        return {names.get(name, name): array for name, array in arrays.items()}

    return Hypothesis(
        id="tensors-renamed",
        say=f"the device calls {', '.join(ours)} {', '.join(device)}",
        on="output",
        apply=apply,
        ours=f"{', '.join(device)} = {', '.join(ours)}",
        device=f"record them as {', '.join(ours)}",
        parameters={"ours": ours, "device": device},
        cost=1.5,
    )
