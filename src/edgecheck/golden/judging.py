"""Distances of one tensor against its tolerance, with words for the difference. The worst of each name is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from edgecheck.golden.compared import TensorCompared
from edgecheck.golden.describing import decision, units, where
from edgecheck.golden.measure import figures, judge, needed
from edgecheck.pipeline import Pipeline, Stage, Tolerance


class Judge:
    """Holds tensors of a pipeline against their tolerances."""

    def __init__(self, pipeline: Pipeline, tolerances: Callable[[Stage, str, str], Tolerance]) -> None:
        self._pipeline, self._tolerances = pipeline, tolerances

    def tensor(self, stage: Stage, case: str, name: str, ours: Any, device: Any) -> TensorCompared:
        """`device` as it lies when it is paired with ours."""
        meaning, dtype = self._pipeline.meaning(stage.name, name), _dtype(ours)
        limit = self._tolerances(stage, name, dtype)
        found = figures(ours, device)
        integer = not dtype.startswith(("float", "bfloat"))
        beyond = judge(found, limit, meaning, integer=integer)
        return TensorCompared(
            case=case, stage=stage.name, name=name, dtype=dtype, figures=found, tolerance=limit, beyond=beyond,
            needed=needed(found, limit, meaning, integer=integer) if beyond and not found.problem else None,
            units=units(found, meaning, dtype), where=where(ours, device, meaning) if beyond else "",
            decision=decision(ours, device, meaning) if beyond else "",
        )  # fmt: skip

    def within(self, stage: Stage) -> Callable[[str, Any, Any], bool]:
        """Whether `device` counts as the same as `ours`, for the search for a cause."""

        def inside(name: str, ours: Any, device: Any) -> bool:
            mask = getattr(ours, "mask", None)
            if mask is not None:  # what a prediction leaves open is no difference
                import numpy

                ours = numpy.where(mask, device, ours.data).astype(ours.dtype)
            return not self.tensor(stage, "", name, ours, device).beyond

        return inside


def _dtype(array: Any) -> str:
    return "string" if array.dtype.kind in "OUS" else str(array.dtype.name)


def worst(found: Iterable[TensorCompared]) -> list[TensorCompared]:
    """Of each name the comparison that is furthest out; names in the order in which they came."""
    kept: dict[str, TensorCompared] = {}
    for one in found:
        other = kept.get(one.name)
        if other is None or _badness(one) > _badness(other):
            kept[one.name] = one
    return list(kept.values())


def _badness(one: TensorCompared) -> tuple[bool, bool, float, float]:
    integer = not one.dtype.startswith(("float", "bfloat"))
    far = one.figures.max_abs if integer else one.figures.relative
    return (bool(one.beyond), bool(one.figures.problem), far, -one.figures.snr_db)
