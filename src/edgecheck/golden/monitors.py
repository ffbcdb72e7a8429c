"""What a tensor is like, case by case, on both sides: brightness, volume, missing values, empty detections, scores.

It is read from recorded aggregates, or from values where they are there, and held side against side where values cannot
be: they were withheld, or the cases are not the same ones. The case is the sampling unit. Where both sides had the same
input, each case is held against itself, and a least effect decides; else the cases of each side are a sample, and the
test of Kolmogorov and Smirnov says whether they could be of one kind, at a level shared by all that is tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edgecheck.golden import Aggregates
from edgecheck.golden.compared import CLASSES_MOVED, SCORES_MOVED, Monitor
from edgecheck.golden.measures import MEASURES, Measure, cumulated_gap, measures, of_values, top_class
from edgecheck.golden.sampling import exchange, smirnov
from edgecheck.pipeline import Meaning

if TYPE_CHECKING:
    import numpy

LEAST_CASES = 8  # of each side, where they are samples; fewer tell nothing
CHANCE = 0.01  # of one false alarm in all that is tested of a comparison
SHIFTED = 0.25  # of the values that must have moved for a histogram to have drifted
CLASSES = 0.2  # of the cases that must have gone to other classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One tensor of one case."""

    values: Mapping[str, float]  # measure → value
    aggregates: Aggregates
    top: numpy.ndarray | None = None  # the share of rows whose largest value is at each place of the last axis


def summary(aggregates: Aggregates, shape: Sequence[int], dtype: str, meaning: Meaning, stage: str) -> Summary:
    """Of a recorded tensor."""
    return Summary(values=measures(aggregates, shape, dtype, meaning, stage), aggregates=aggregates)


def summarised(value: numpy.ndarray, meaning: Meaning, stage: str) -> Summary:
    """Of a tensor whose values are there."""
    aggregates = of_values(value)
    dtype = "string" if value.dtype.kind in "OUS" else str(value.dtype.name)
    values = measures(aggregates, value.shape, dtype, meaning, stage)
    return Summary(values=values, aggregates=aggregates, top=top_class(value, meaning))


Add = Callable[[str, str, Meaning, str, Summary], None]  # stage, tensor, meaning, case, what it is like


@dataclass(slots=True)
class _Tensor:
    meaning: Meaning
    ours: dict[str, Summary] = field(default_factory=dict)  # by case
    device: dict[str, Summary] = field(default_factory=dict)


@dataclass(slots=True)
class Gathered:
    """What was seen while the cases went by, tensor by tensor."""

    tensors: dict[tuple[str, str], _Tensor] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)  # cases of one name whose inputs are known to be others

    def ours(self, stage: str, name: str, meaning: Meaning, case: str, found: Summary) -> None:
        self.tensors.setdefault((stage, name), _Tensor(meaning=meaning)).ours[case] = found

    def device(self, stage: str, name: str, meaning: Meaning, case: str, found: Summary) -> None:
        self.tensors.setdefault((stage, name), _Tensor(meaning=meaning)).device[case] = found

    def monitors(self) -> tuple[Monitor, ...]:
        """Every measure that both sides have, drifted or not; in the order in which tensors came."""
        paired: list[Monitor] = []
        sampled: list[Monitor] = []
        for (stage, name), one in self.tensors.items():
            shared = [case for case in one.device if case in one.ours and (case not in self.apart or stage == "input")]
            if shared:
                paired += _paired(stage, name, one, shared)
            elif one.ours and one.device:
                sampled += _sampled(stage, name, one)
        level = CHANCE / max(1, sum(found.chance is not None for found in sampled))
        return (*paired, *(_judged(found, level) for found in sampled))


def _paired(stage: str, name: str, one: _Tensor, shared: Sequence[str]) -> Iterator[Monitor]:
    """Case against itself: what is beyond the least effect in any case has drifted."""
    for measure in _measured(one, shared):
        pairs = [(one.ours[case].values[measure.name], one.device[case].values[measure.name]) for case in shared]
        least = max(measure.least, measure.of_range * _range(one.ours[case] for case in shared))
        beyond = [(a, b) for a, b in pairs if not abs(b - a) <= least]
        a, b = max(beyond or pairs, key=lambda pair: abs(pair[1] - pair[0]))
        yield Monitor(
            stage=stage, name=name, measure=measure.name, unit=measure.unit, ours=a, device=b, cases=len(pairs),
            differing=len(beyond), paired=True, drifted=bool(beyond),
        )  # fmt: skip
    if one.meaning.kind in ("scores", "probabilities", "logits"):
        yield from _histogram(stage, name, one, shared)


def _histogram(stage: str, name: str, one: _Tensor, shared: Sequence[str]) -> Iterator[Monitor]:
    gaps = [cumulated_gap(one.ours[case].aggregates, one.device[case].aggregates) for case in shared]
    beyond = [gap for gap in gaps if gap > SHIFTED]
    if any(one.ours[case].aggregates.finite >= 16 for case in shared):
        yield Monitor(
            stage=stage, name=name, measure=SCORES_MOVED, unit="share", ours=0.0,
            device=max(gaps), cases=len(gaps), differing=len(beyond), paired=True, drifted=bool(beyond),
        )  # fmt: skip


def _measured(one: _Tensor, cases: Iterable[str]) -> list[Measure]:
    """Measures that every side of every case has."""
    sides = [side[case].values for case in cases for side in (one.ours, one.device) if case in side]
    return [measure for measure in MEASURES if sides and all(measure.name in values for values in sides)]


def _range(found: Iterable[Summary]) -> float:
    """Of all values, the scale on which a change is small."""
    spans = [max(a.high - a.low, abs(a.high), abs(a.low)) for one in found if math.isfinite((a := one.aggregates).high)]
    return max(spans, default=0.0)


def _sampled(stage: str, name: str, one: _Tensor) -> Iterator[Monitor]:
    """The cases of each side as a sample. Of few cases nothing is said but what they are like."""
    few = min(len(one.ours), len(one.device)) < LEAST_CASES
    for measure in _measured(one, (*one.ours, *one.device)):
        a, b = (
            [summary.values[measure.name] for summary in side.values() if math.isfinite(summary.values[measure.name])]
            for side in (one.ours, one.device)
        )
        if not a or not b:
            continue
        least = max(measure.least, measure.of_range * _range(one.ours.values()))
        middle = _median if measure.unit != "share" else _mean
        here, there = middle(a), middle(b)
        yield Monitor(
            stage=stage, name=name, measure=measure.name, unit=measure.unit, ours=here, device=there,
            cases=len(b), against=len(a), paired=False, chance=None if few else smirnov(a, b),
            drifted=abs(there - here) > least,
        )  # fmt: skip
    tops = [[found.top for found in side.values() if found.top is not None] for side in (one.ours, one.device)]
    if all(tops) and len({top.shape for side in tops for top in side}) == 1:
        yield _classes(stage, name, tops, few)


def _classes(stage: str, name: str, tops: Sequence[Sequence[Any]], few: bool) -> Monitor:
    """How many cases must change their top class for both sides to have them equally often."""
    chance, moved = exchange(*tops) if not few else (None, math.nan)
    return Monitor(
        stage=stage, name=name, measure=CLASSES_MOVED, unit="share", ours=0.0, device=moved,
        cases=len(tops[1]), against=len(tops[0]), paired=False, chance=chance, drifted=moved > CLASSES,
    )  # fmt: skip


def _judged(found: Monitor, level: float) -> Monitor:
    """Drifted where the effect is worth it and chance would hardly make it."""
    sure = found.chance is not None and found.chance <= level
    return replace(found, drifted=found.drifted and sure, differing=found.cases if found.drifted and sure else 0)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def too_few(found: Iterable[Monitor]) -> str:
    """Why nothing could be said of samples; empty where it could, or where there are none."""
    untold = [one for one in found if not one.paired and one.chance is None]
    if not untold:
        return ""
    here, there = max(one.against for one in untold), max(one.cases for one in untold)
    return (
        f"{there} cases against {here} others are too few to tell drift from chance: {LEAST_CASES} of each are needed"
    )
