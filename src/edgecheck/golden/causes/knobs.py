"""The stage's own knobs turned: booleans flipped, numbers over the usual values and then by golden section."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.scoring import energy, targets

#: A word in the name of a knob, and the cause it stands for; the first that is found counts.
CAUSES = {
    "mean": "normalisation", "std": "normalisation", "scale": "normalisation", "offset": "normalisation",
    "bias": "normalisation", "iou": "nms-iou", "agnostic": "nms-class-agnostic", "threshold": "score-threshold",
    "score": "score-threshold", "confidence": "score-threshold", "pad": "pad-value", "fill": "pad-value",
    "antialias": "resize-antialias", "align": "align-corners", "half_pixel": "half-pixel", "hop": "hop",
    "window": "window", "rate": "sample-rate", "gamma": "gamma", "floor": "log-floor", "eps": "log-floor",
    "center": "centre-padding", "form": "unicode-form", "kernel": "resize-kernel",
    "interpolation": "resize-kernel", "fmin": "mel-range", "fmax": "mel-range", "mels": "mel-bins",
}  # fmt: skip
#: Words that stand for one another.
WORDS = (
    ("NFC", "NFD", "NFKC", "NFKD"), ("RGB", "BGR"), ("NHWC", "NCHW"), ("HWC", "CHW"), ("htk", "slaney"),
    ("nearest", "bilinear", "bicubic", "lanczos", "area", "box"), ("hann", "hamming", "blackman", "boxcar"),
    ("reflect", "constant", "edge", "symmetric", "wrap"), ("mean", "sum", "max"),
)  # fmt: skip
FACTORS = (0.0, 0.5, 2.0, -1.0, 0.1, 10.0, 0.25, 4.0, 255.0, 1 / 255, 0.9, 1.1, 0.8, 1.25)
USUAL = (
    *(0.0, 1.0, 0.5, -1.0, 127.5, 128.0, 127.0, 255.0, 256.0, 114.0),
    *(0.1, 0.2, 0.25, 0.3, 0.4, 0.45, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.05, 0.01, 1e-3, 1e-5),
)
STEPS = 24  # of the golden section
LARGE = 100_000  # elements; a stage that gives more is dear to run: one case, fewer values
GOLDEN = 0.6180339887498949


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Every knob, one at a time."""
    large = sum(one.size for one in trial.ours.values()) > LARGE
    first = trial.memo.setdefault("stage/knobs turned on", trial.case)
    if trial.again is None or trial.model or (large and first != trial.case):
        return
    for name, value in trial.knobs.items():
        if isinstance(value, bool):
            yield turned(name, value, not value)
        elif isinstance(value, int | float):
            yield from numbers(trial, name, value, large=large)
        elif isinstance(value, str):
            yield from words(name, value)
        elif isinstance(value, tuple | list) and value and all(isinstance(one, int | float) for one in value):
            yield from sequences(name, value)


def words(name: str, value: str) -> Iterator[Hypothesis]:
    """The other words of a family that the knob's word belongs to."""
    family = next((one for one in WORDS if value in one), ())
    for other in family:
        if other != value:
            yield turned(name, value, other)


def named(knob: str) -> str:
    """The cause that a knob's name speaks of."""
    return next(
        (cause for word, cause in CAUSES.items() if word in knob.lower()), f"knob-{knob.replace('_', '-').lower()}"
    )


def turned(name: str, ours: Any, device: Any, *, cost: float = 1.0, fit: int = 0) -> Hypothesis:
    return Hypothesis(
        id=named(name),
        say=f"the device behaves as if {name} were {shown(device)}, ours is {shown(ours)}",
        on="knobs",
        apply=lambda trial, arrays: {name: device},
        ours=f"{name}={shown(device)}",
        device=f"{name} = {shown(ours)}",
        parameters={"knob": name, "ours": ours, "device": device},
        cost=cost,
        fit=fit,
    )


def shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def sequences(name: str, value: Any) -> Iterator[Hypothesis]:
    """In the other order, all ones, all zeros."""
    kind = type(value)
    for other in (kind(reversed(value)), kind(type(one)(0) for one in value), kind(type(one)(1) for one in value)):
        if other != value:
            yield turned(name, value, other)


def numbers(trial: Trial, name: str, value: float, *, large: bool = False) -> Iterator[Hypothesis]:
    """The usual values, multiples of ours, and where the least difference lies between the two best.

    A number seldom changes its sign by mistake: what does so is something else that looks like it (a polarity).
    """
    kind = type(value)
    tried: dict[float, float] = {}
    wanted = targets(trial)

    def left(candidate: float) -> float:
        if candidate not in tried:
            tried[candidate] = difference(trial, wanted, {name: candidate})
        return tried[candidate]

    candidates = [kind(value * one) for one in FACTORS] if value else []
    candidates += [kind(one) for one in USUAL]
    candidates += [value - 1, value + 1] if kind is int else [value + 0.5, value - 0.5]
    if large and isinstance(value, int):  # a step of 1 in place of 160 would make 160 times as much
        candidates = [one for one in candidates if abs(value) <= 4 * abs(one) <= 16 * abs(value)]
    base = left(value)
    useful = [one for one in dict.fromkeys(candidates) if one != value and left(one) < 0.98 * base]
    for one in sorted(useful, key=left)[:3]:
        yield turned(name, value, one, cost=2.0 if one * value < 0 else 1.0)
    if kind is float and base > 0:
        found = refined(left, sorted(tried), STEPS // 2 if large else STEPS)
        if left(found) < 0.9 * base and found not in candidates:
            yield turned(name, value, rounded(left, found), cost=1.5, fit=1)


def difference(trial: Trial, wanted: Any, knobs: dict[str, Any]) -> float:
    """The energy that is left with these knobs; endless where the stage fails on them."""
    import numpy as np

    assert trial.again is not None
    try:
        with np.errstate(all="ignore"):
            made: Arrays = trial.again(trial.inputs, {**trial.knobs, **knobs})
        return energy(wanted, made) + sizes_apart(made, trial.device)
    except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError):
        return float("inf")  # the user's stage was not made for this value


def sizes_apart(made: Arrays, device: Arrays) -> float:
    """How far the sizes are apart, 0 to 1 a tensor: a threshold shows in the length of a list before in its rows."""
    pairs = [(made[name].size, device[name].size) for name in sorted(made.keys() & device.keys())]
    return sum(abs(one - other) / max(one, other, 1) for one, other in pairs)


def refined(left: Callable[[float], float], marks: list[float], steps: int = STEPS) -> float:
    """The value of least difference around the best mark, by golden section."""
    best = min(marks, key=left)
    at = marks.index(best)
    low, high = marks[max(at - 1, 0)], marks[min(at + 1, len(marks) - 1)]
    for _ in range(steps):
        one, other = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if left(one) <= left(other):
            high = other
        else:
            low = one
    return min((low, high, best), key=left)


def rounded(left: Callable[[float], float], value: float) -> float:
    """The shortest decimal that is about as good: people type 0.45, not 0.4499873."""
    for digits in range(1, 7):
        short = float(f"{value:.{digits}g}")
        if left(short) <= 1.02 * left(value) + 1e-12:
            return short
    return value
