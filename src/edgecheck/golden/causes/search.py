"""Which hypothesis explains the difference of a stage: every family's, alone and two by two, on all cases.

A cause is named when what it leaves is within the tolerance, or when it takes away at least `ENOUGH` of the squared
difference and leaves clearly less than the next cause of another name. Otherwise there is no known cause; `closest`
says what came nearest. The work is counted in predictions, so the answer does not depend on the machine's speed.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Cause, Hypothesis, Trial
from edgecheck.golden.causes.pictures import levels, picture
from edgecheck.golden.causes.scoring import Promise, Target, energy, promise, targets

if TYPE_CHECKING:
    import numpy

#: Modules of this folder, in the order in which two changes of the outputs are made.
FAMILIES = (
    "memory", "spectra", "sounds", "texts",
    "spatial",
    "crops",
    "classes",
    "tensors",
    "knobs",
    "strides",
    "yuv",
    "channels",
    "geometry",
    "inside", "values",
    "precision",
    "layout",
    "decoder",
    "quantising", "chances", "detections",
)  # fmt: skip

Within = Callable[[str, "numpy.ndarray", "numpy.ndarray"], bool]
ENOUGH = 0.98  # of the squared difference; measured: nothing of what no hypothesis is about (60 tries) was named at it
ROUNDED = 0.8  # the same where the rest is one step of an integer, which two correct roundings may differ by
STEP = 1.5  # of 255: the error in the mean that rounding to bytes once or twice makes
FITTED = 0.995  # the same where a parameter was taken from the device
CLEARLY = 0.7  # what is left, against what the next cause leaves
BUDGET = 1200  # predictions
CASES = 6  # that hypotheses are tried on
LEADS = 2  # that families look at
PARTNERS = 14
FLOOR = 1e-8  # of a tensor's variance: nothing is gained by leaving less
LITTLE = 0.02  # of a tensor's variance: where more is left, a cause does not explain the device's values
ORDER = {"input": 0, "knobs": 1, "stage": 2, "output": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One hypothesis or two, with what they leave of the difference on all cases."""

    parts: tuple[Hypothesis, ...]
    share: float
    left: float  # of the tensors' variance, per case
    total: float  # of the same, without an explanation
    within: bool = False
    rounded: bool = False  # what is left is what roundings make
    promises: tuple[float, float] = (0.0, 0.0)  # the share after a factor and an offset, and with places mixed

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in self.parts for name in one.ids))

    @property
    def fit(self) -> int:
        return sum(one.fit for one in self.parts)

    @property
    def cost(self) -> float:
        return sum(one.cost for one in self.parts) + 1.5 * (len(self.ids) - 1)

    @property
    def rank(self) -> float:
        """Orders of magnitude of the difference that are explained, less what the explanation costs."""
        explained = math.log10(max(self.total, FLOOR) / max(self.left, FLOOR))
        return explained + self.within - 0.25 * self.cost - 0.3 * self.fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`causes` are believed, best first; `closest` is the best that was tried, believed or not."""

    causes: tuple[Cause, ...]
    closest: Cause | None
    predictions: int


def explain(trials: Sequence[Trial], within: Within, *, budget: int = BUDGET) -> list[Cause]:
    """What explains the difference over all cases of a stage, best first; empty: no known cause."""
    return list(find(trials, within, budget=budget).causes)


def closest(trials: Sequence[Trial], within: Within, *, budget: int = BUDGET) -> Cause | None:
    """What came nearest, believed or not."""
    return find(trials, within, budget=budget).closest


def find(trials: Sequence[Trial], within: Within, *, budget: int = BUDGET, most: int = 5) -> Found:
    """Causes and the closest at once; `most` causes at the most."""
    chosen = choose(trials, within)
    if not chosen:
        return Found(causes=(), closest=None, predictions=0)
    table = Table(trials=chosen, within=within, budget=budget)
    singles = [one for one in (table.measure((part,)) for part in table.hypotheses) if one]
    pairs = [] if any(table.exact(one) for one in singles) else list(table.pairs(singles))
    ranked = best_of_each([table.judged(one) for one in shortlist([*singles, *pairs])])
    causes = recognised(ranked)[:most]
    nearest = cause(ranked[0]) if ranked and ranked[0].share > 0 else None
    return Found(causes=tuple(cause(one) for one in causes), closest=nearest, predictions=table.spent)


def choose(trials: Sequence[Trial], within: Within) -> list[Trial]:
    """The cases to try on: those that differ first, spread over all; none where nothing differs."""
    differ = [one for one in trials if not same(one.ours, one.device, within)]
    if not differ:
        return []
    alike = [one for one in trials if not any(one is other for other in differ)]
    room = max(CASES - 2, CASES - len(alike))
    return [*spread(differ, room), *spread(alike, CASES - min(room, len(differ)))]


def spread(trials: Sequence[Trial], count: int) -> list[Trial]:
    """At most `count` of them, evenly; cases of another shape come first, as they tell more."""
    if len(trials) <= count:
        return list(trials)
    seen: dict[Any, Trial] = {}
    for one in trials:
        seen.setdefault(tuple((name, array.shape) for name, array in sorted(one.inputs.items())), one)
    first = list(seen.values())[:count]
    rest = [one for one in trials if not any(one is other for other in first)]
    step = max(1, len(rest) // max(1, count - len(first)))
    return [*first, *rest[::step][: count - len(first)]]


def same(ours: Arrays, device: Arrays, within: Within) -> bool:
    """The same tensors, each of the same shape and within its tolerance."""
    return ours.keys() == device.keys() and all(
        ours[name].shape == device[name].shape and within(name, ours[name], device[name]) for name in ours
    )


@dataclass(slots=True, kw_only=True)
class Table:
    """Hypotheses against cases: what each leaves of each. Counts the predictions that were made."""

    trials: list[Trial]
    within: Within
    budget: int
    spent: int = 0
    hypotheses: list[Hypothesis] = field(init=False)
    places: dict[int, int] = field(default_factory=dict)  # a hypothesis's family, by identity
    wanted: list[dict[str, Target]] = field(init=False)
    whole: list[Promise] = field(init=False)

    def __post_init__(self) -> None:
        self.wanted = [targets(one) for one in self.trials]
        self.whole = [promise(want, one.ours) for want, one in zip(self.wanted, self.trials, strict=True)]
        self.hypotheses = []
        seen = set()
        for trial in self.trials:
            trial.memo.setdefault("stage/cases", self.trials)
        for lead in leads(self.trials, self.whole):
            for place, one in proposed(lead):
                key = (one.ids, one.on, one.say, repr(sorted(one.parameters.items())))
                if key not in seen:
                    seen.add(key)
                    self.places[id(one)] = place
                    self.hypotheses.append(one)
            shared = {key: value for key, value in lead.memo.items() if key.startswith("stage/")}
            for other in self.trials:
                other.memo.update({key: value for key, value in shared.items() if key not in other.memo})

    def predict(self, trial: Trial, parts: Sequence[Hypothesis]) -> Arrays | None:
        """The outputs as the hypotheses have them; None where one of them does not apply."""
        self.spent += 1
        ordered = sorted(parts, key=lambda one: (ORDER[one.on], self.places.get(id(one), 0)))
        try:
            return outputs(trial, ordered)
        except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError):
            return None  # a shape or a type that a hypothesis, or the user's stage, was not made for

    def measure(self, parts: tuple[Hypothesis, ...]) -> Tried | None:
        """The share that is explained over all cases; stops after the first case where it explains nothing."""
        left = total = 0.0
        count = 0
        first = (0.0, 0.0)
        for number, (trial, want, whole) in enumerate(zip(self.trials, self.wanted, self.whole, strict=True)):
            predicted = self.predict(trial, parts)
            if predicted is None and number == 0:
                return None
            if number == 0 and predicted is not None and len(parts) == 1:
                seen = promise(want, predicted)
                first = (gain(seen.scaled, whole.scaled), gain(seen.mixed, whole.mixed))
            left += whole.left if predicted is None else energy(want, predicted)
            total += whole.left
            count += 1
            if number == 0 and left > 0.9 * total:
                break
        return Tried(parts=parts, share=gain(left, total), left=left / count, total=total / count, promises=first)

    def pairs(self, singles: list[Tried]) -> Iterator[Tried]:
        """Two hypotheses together, the promising ones first, until the budget is spent or one explains all."""
        tried: set[tuple[int, int]] = set()
        for one, other in partners(singles):
            key = (min(id(one), id(other)), max(id(one), id(other)))
            if key in tried or not compatible(one, other):
                continue
            if self.spent >= self.budget:
                return
            tried.add(key)
            found = self.measure((one, other))
            if found is None:
                continue
            yield found
            if self.exact(found):
                return

    def judged(self, tried: Tried) -> Tried:
        """The same, with whether it brings every case within the tolerance."""
        return replace(tried, within=self.fits(tried.parts), rounded=tried.share >= ROUNDED and self.steps(tried.parts))

    def exact(self, tried: Tried) -> bool:
        """So much is explained that no second fault is looked for."""
        return tried.share > 0.999 and tried.fit <= 1 and self.fits(tried.parts)

    def fits(self, parts: tuple[Hypothesis, ...]) -> bool:
        for trial in self.trials:
            predicted = self.predict(trial, parts)
            if not same(trial.ours if predicted is None else predicted, trial.device, self.within):
                return False
        return True

    def steps(self, parts: tuple[Hypothesis, ...]) -> bool:
        """What is left of every tensor is what roundings to bytes, or to its own integers, make."""
        if any(one.fit for one in parts):
            return False
        for trial in self.trials:
            predicted = self.predict(trial, parts)
            if predicted is None or not all(roundings(trial, name, predicted.get(name)) for name in trial.device):
                return False
        return True


def roundings(trial: Trial, name: str, predicted: Any) -> bool:
    """Nearly all elements are within a step of an integer; a picture is about a step of 255 off in the mean."""
    import numpy as np

    device = trial.device[name]
    if predicted is None or predicted.shape != device.shape or device.dtype.kind not in "uif":
        return predicted is not None and np.array_equal(predicted, device)
    apart = np.abs(np.ma.filled(predicted.astype(float) - device.astype(float), 0.0))
    one = picture(trial, name, device)
    if one is not None and name in trial.ours:
        black, white = levels(trial, one, trial.ours[name])
        return float(np.sqrt(np.mean(apart**2))) <= STEP * float(np.max(np.abs(white - black))) / 255
    return device.dtype.kind in "ui" and bool(np.mean(apart > 1) <= 1e-3)


def outputs(trial: Trial, ordered: Sequence[Hypothesis]) -> Arrays:
    """What the stage would have given under the hypotheses, which come in the order of the pipeline."""
    inputs, knobs, made = trial.inputs, trial.knobs, None
    stages = [one for one in ordered if one.on == "stage"]
    if len(stages) > 1:
        raise ValueError("two hypotheses stand for the stage")
    for one in ordered:
        if one.on == "input":
            inputs = {**inputs, **one.apply(trial, inputs)}
        elif one.on == "knobs":
            knobs = {**knobs, **one.apply(trial, inputs)}
        elif one.on == "stage":
            made = one.apply(trial, inputs)
        else:
            made = again(trial, inputs, knobs) if made is None else made
            made = one.apply(trial, made)
    return again(trial, inputs, knobs) if made is None else made


def again(trial: Trial, inputs: Arrays, knobs: Any) -> Arrays:
    """Our stage's outputs; it is not run where nothing changed."""
    if inputs is trial.inputs and knobs is trial.knobs:
        return trial.ours
    if trial.again is None:
        raise ValueError("the stage cannot be run again")
    return trial.again(inputs, knobs)


def leads(trials: list[Trial], whole: list[Promise]) -> list[Trial]:
    """The cases that families look at: the first that differ, of different shapes where there are such."""
    differ = [trial for trial, one in zip(trials, whole, strict=True) if one.left > 0] or trials[:1]
    return spread(differ, LEADS)


def proposed(trial: Trial) -> Iterator[tuple[int, Hypothesis]]:
    """Every family's hypotheses about a case, with the family's place."""
    for place, name in enumerate(FAMILIES):
        family = importlib.import_module(f"edgecheck.golden.causes.{name}")
        for one in family.hypotheses(trial):
            yield place, one


def gain(left: float, total: float) -> float:
    """The share of the energy that was taken away."""
    return 1.0 - left / total if total > 0 else 0.0


def partners(singles: list[Tried]) -> Iterator[tuple[Hypothesis, Hypothesis]]:
    """Pairs in the order of their promise.

    A channel order explains little while the scale is wrong too, and a scale little while the picture is mirrored: so
    those that are good up to a factor, or up to the places of the values, count as promising too.
    """
    usable = [one for one in singles if len(one.ids) == 1]
    by_share = sorted(usable, key=lambda one: -one.share)
    by_scaled = sorted(usable, key=lambda one: -one.promises[0])
    by_mixed = sorted(usable, key=lambda one: -one.promises[1])
    first = [one for one in by_share[:PARTNERS] if one.share > 0.02]
    second = [one for one in by_scaled[:PARTNERS] if one.promises[0] > 0.05]
    third = [one for one in by_mixed[:PARTNERS] if one.promises[1] > 0.05]
    for one in second[:8]:
        yield from ((one.parts[0], other.parts[0]) for other in third[:8])
    for one in (*first[:4], *second[:2], *third[:2]):
        yield from ((one.parts[0], other.parts[0]) for other in (*first, *second, *third))
    for one in (*first[:3], *second[:2], *third[:2]):
        yield from ((one.parts[0], other.parts[0]) for other in usable)


def compatible(one: Hypothesis, other: Hypothesis) -> bool:
    """Two faults of different names that can act together."""
    grouped = one.group and one.group == other.group
    return one is not other and not grouped and not set(one.ids) & set(other.ids) and not one.on == other.on == "stage"


def shortlist(tried: list[Tried], count: int = 24) -> list[Tried]:
    """Those that explain anything, best first."""
    return sorted((one for one in tried if one.share > 0), key=lambda one: -one.rank)[:count]


def best_of_each(tried: list[Tried]) -> list[Tried]:
    """Best first, one for each set of names; a pair that adds nothing to one of its parts is left out."""
    ranked = sorted(tried, key=lambda one: -one.rank)
    kept: dict[frozenset[str], Tried] = {}
    for one in ranked:
        names = frozenset(one.ids)
        if not any(other < names for other in kept) and names not in kept:
            kept[names] = one
    return list(kept.values())


def recognised(ranked: list[Tried]) -> list[Tried]:
    """Those that are believed: within the tolerance, or nearly all explained and clearly better than what follows."""
    if not ranked:
        return []
    believed = [one for one in ranked if one.within or enough(one)]
    if not believed or believed[0].within:
        return believed
    top = believed[0]
    rivals = [one for one in ranked if not set(one.ids) & set(top.ids) and one.cost <= top.cost + 1]
    if any(1 - top.share > CLEARLY * (1 - one.share) for one in rivals) and top.share < FITTED:
        return []
    return believed


def enough(tried: Tried) -> bool:
    """Nearly all of the difference is explained, and nearly all of the device's values."""
    return tried.rounded or (tried.share >= (FITTED if tried.fit else ENOUGH) and tried.left <= LITTLE)


def cause(tried: Tried) -> Cause:
    """The words of one hypothesis, or of two."""
    parts = tried.parts
    parameters = {name: value for one in parts for name, value in one.parameters.items()}
    return Cause(
        ids=tried.ids,
        say="; and ".join(one.say for one in parts),
        share=max(0.0, min(1.0, tried.share)),
        within=tried.within,
        ours="; ".join(one.ours for one in parts if one.ours),
        device="; ".join(one.device for one in parts if one.device),
        parameters=parameters,
    )
