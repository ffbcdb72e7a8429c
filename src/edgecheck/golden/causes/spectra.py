"""Mel spectrograms: our stage is recognised in one model of the trade, then its parameters are turned one at a time.

Where the model gives our own tensor (but for factor and offset), every other window, hop, scale, norm, floor … is a
hypothesis; and the device's tensor is recognised in the same way, for several parameters at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.mels import Mel, bank, level, spectrum
from edgecheck.golden.causes.recognising import FLOORS, SIZES, TURNS, UNSEEN, Recognised, hops, is_relative, recognise

if TYPE_CHECKING:
    import numpy

NEPER = 10 / math.log(10)  # decibels of a natural logarithm of 1
SHORTEST = 512  # samples; less is no sound to make a spectrogram of
KEPT = 4  # spectra of a case that are kept
#: Parameter of `Mel` → cause, and what to say.
TURNED: Mapping[str, tuple[str, str]] = {
    "window": ("window", "the device's window is {device}, ours is {ours}"),
    "hop": ("hop", "the device moves on by {device} samples a frame, ours by {ours}"),
    "size": ("window-size", "the device's window has {device} samples, ours has {ours}"),
    "padding": ("centre-padding", "the device pads the ends with {device}, ours with {ours}"),
    "scale": ("mel-scale", "the device's mel scale is {device}'s, ours is {ours}'s"),
    "norm": ("mel-norm", "the device's bands are normalised by {device}, ours by {ours}"),
    "power": ("mel-power", "the device takes the spectrum to the power {device}, ours to {ours}"),
    "floor": ("log-floor", "the device's least energy before the logarithm is {device}, ours is {ours}"),
    "span": ("log-range", "the device keeps {device} under the loudest, ours {ours}"),
    "log": ("log-kind", "the device takes {device}, ours {ours}"),
    "stretch": ("log-base", "the device's logarithm is {device} times ours"),
    "low": ("mel-range", "the device's lowest band begins at {device} Hz, ours at {ours} Hz"),
    "high": ("mel-range", "the device's highest band ends at {device}, ours at {ours}"),
    "rate": ("sample-rate", "the device makes its mel bands for {device} Hz, ours are for {ours} Hz"),
    "loudest": ("log-reference", "the device's levels are {device}, ours {ours}"),
}
#: The same levels in another logarithm.
BASES: Mapping[float, str] = {
    math.log(10): "natural logarithms, ours are of base 10",
    1 / math.log(10): "logarithms of base 10, ours are natural",
    math.log(10) / 10: "natural logarithms, ours are decibels",
    10 / math.log(10): "decibels, ours are natural logarithms",
    0.1: "logarithms of base 10, ours are decibels",
    10.0: "decibels, ours are logarithms of base 10",
    2.0: "of the power, ours of the magnitude",
    0.5: "of the magnitude, ours of the power",
}
SPANS = (0.0, *(one / NEPER for one in (40, 60, 80, 100, 120)))
OTHERS: Mapping[str, tuple[Any, ...]] = {
    **TURNS,
    "floor": FLOORS,
    "span": SPANS,
    "stretch": tuple(BASES),
    "loudest": (False, True),
}
RARE = ("rate", "low", "high", "size", "span")


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Of each mel tensor that a stage makes of sound; the logarithm's base needs no recognition."""
    if trial.model:
        return
    names = [name for name in trial.ours if trial.meaning(name).kind == "mel" and trial.ours[name].dtype.kind == "f"]
    sounds = [name for name in trial.inputs if _is_sound(trial, name)]
    for name in names:
        yield from _bases(name)
        found = ours_recognised(trial, sounds[0], name) if sounds else None
        if found is not None:
            yield from _turned(trial, sounds[0], name, found)
            yield from _several(trial, sounds[0], name, found)


def _is_sound(trial: Trial, name: str) -> bool:
    value = trial.inputs[name]
    return trial.meaning(name).kind == "audio" and value.dtype.kind in "fi" and value.size >= SHORTEST


def _bases(name: str) -> Iterator[Hypothesis]:
    """The whole tensor times a factor."""
    for factor, say in BASES.items():
        yield Hypothesis(
            id="log-base",
            say=f"the device's {name} are {say}",
            on="output",
            apply=partial(_multiplied, name, factor),
            ours=f"{name} = {name} * {factor:.6g}",
            device=f"{name} = {name} / {factor:.6g}",
            parameters={"factor": factor},
        )


def _multiplied(name: str, factor: float, trial: Trial, arrays: Arrays) -> Arrays:
    return {**arrays, name: (arrays[name] * factor).astype(arrays[name].dtype)}


def rows(trial: Trial, name: str, value: Any) -> numpy.ndarray:
    """(frames, bands) of a mel tensor; raises ValueError where the layout does not say which is which."""
    layout = trial.meaning(name).layout
    if len(layout) != value.ndim:
        raise ValueError("the layout is not known")
    while "N" in layout:
        value, layout = value[0], layout.replace("N", "", 1)
    if value.ndim != 2:
        raise ValueError("no spectrogram")
    found: numpy.ndarray = value.T if layout == "MT" else value
    return found


def ours_recognised(trial: Trial, sound: str, name: str) -> Recognised | None:
    """The way our stage goes, with its factor and offset; one for all cases."""
    key = f"stage/mel {sound} {name}"
    if key not in trial.memo:
        trial.memo[key] = _of(trial, sound, name, trial.ours[name])
        if trial.memo[key] is not None:
            trial.memo[key] = _related(trial, name, trial.memo[key])
    found: Recognised | None = trial.memo[key]
    return found


def _of(trial: Trial, sound: str, name: str, value: numpy.ndarray, near: Mel | None = None) -> Recognised | None:
    """What a tensor of this case says of how it was made."""
    import numpy as np

    samples = trial.inputs[sound].reshape(-1).astype(np.float64)
    try:
        levels = rows(trial, name, value).astype(np.float64)
        rate = trial.meaning(sound).rate or trial.meaning(name).rate
        return recognise(samples, levels, rate, near=near) if rate and np.isfinite(levels).all() else None
    except ValueError:
        return None


def _related(trial: Trial, name: str, found: Recognised) -> Recognised:
    """Whether levels are relative to the loudest cannot be seen in one tensor, but in several."""
    cases = trial.memo.get("stage/cases", [trial])
    peaks = [float(one.ours[name].max()) for one in cases if name in one.ours and one.ours[name].size]
    if found.way.log != "log" or not is_relative(peaks):
        return found
    return replace(found, way=replace(found.way, loudest=True), offset=peaks[0])


def _turned(trial: Trial, sound: str, name: str, found: Recognised) -> Iterator[Hypothesis]:
    """One parameter as the device may have it."""
    values = {**OTHERS, "hop": _hops(trial, sound, name, found.way), "size": SIZES}
    for field, others in values.items():
        for other in others:
            changed = _with(found.way, field, other)
            if not _same(found.way, changed, field):
                yield _hypothesis(sound, name, found, changed, (field,))


def _several(trial: Trial, sound: str, name: str, found: Recognised) -> Iterator[Hypothesis]:
    """Two parameters or more, as they are recognised in the device's own tensor."""
    device = trial.device.get(name)
    theirs = None if device is None or device.dtype.kind != "f" else _of(trial, sound, name, device, found.way)
    if theirs is None:
        return
    way = replace(theirs.way, loudest=found.way.loudest)
    if way.span or way.floor <= UNSEEN:
        way = replace(way, floor=found.way.floor)  # it is not seen where the levels are cut
    if not way.span or _near(way.span, found.way.span):
        way = replace(way, span=found.way.span)
    stretch = next((one for one in BASES if _near(theirs.factor, found.factor * one)), 1.0)
    way = replace(way, stretch=stretch)
    fields = [one for one in TURNED if one != "size" and not _same(found.way, way, one)]
    hidden = found.way.floor <= UNSEEN and math.log(way.floor) <= found.bottom + 1e-3
    if hidden and "floor" in fields and len(fields) > 1:
        fields.remove("floor")  # ours may be the same, below what our tensor shows
    if 1 <= len(fields) <= 3 and (hidden or len(fields) > 1):
        yield _hypothesis(sound, name, found, way, tuple(fields))
    if 1 <= len(fields) <= 2:
        other = replace(way, loudest=not way.loudest)
        yield _hypothesis(sound, name, found, other, (*fields, "loudest"))


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-3 * abs(other)


def _same(ours: Mel, device: Mel, field: str) -> bool:
    if field == "high":
        return (ours.high or ours.rate / 2) == (device.high or device.rate / 2) or ours.rate != device.rate
    one, other = getattr(ours, field), getattr(device, field)
    return _near(one, other) if isinstance(one, float) else bool(one == other)


def _hops(trial: Trial, sound: str, name: str, way: Mel) -> tuple[int, ...]:
    """Hops near ours, the usual ones, and the one that gives the device's number of frames."""
    near = (
        way.hop // 2,
        way.hop * 2,
        way.hop - 1,
        way.hop + 1,
        way.size // 2,
        way.size // 4,
        way.rate // 100,
        128,
        256,
    )
    found = list(near)
    device = trial.device.get(name)
    if device is not None and device.ndim == trial.ours[name].ndim:
        frames = len(rows(trial, name, device))
        found += list(hops(trial.inputs[sound].size, frames, replace(way, hop=1)))[:1]
    return tuple(dict.fromkeys(hop for hop in found if hop > 0))


def _with(way: Mel, field: str, value: Any) -> Mel:
    if field == "size":
        return replace(way, size=value, transform=value if way.transform == way.size else max(way.transform, value))
    return replace(way, **{field: value})


def _hypothesis(sound: str, name: str, found: Recognised, other: Mel, fields: tuple[str, ...]) -> Hypothesis:
    ours, device = ({field: getattr(way, field) for field in fields} for way in (found.way, other))
    said = [TURNED[one][1].format(device=_shown(one, device[one]), ours=_shown(one, ours[one])) for one in fields]
    causes = tuple(dict.fromkeys(TURNED[one][0] for one in fields))
    return Hypothesis(
        id=causes[0],
        also=causes[1:],
        say="; ".join(said),
        on="stage",
        apply=_made(sound, name, found, other),
        ours=", ".join(f"{one} = {_shown(one, device[one])}" for one in fields),
        device=", ".join(f"{one} = {_shown(one, ours[one])}" for one in fields),
        parameters={"device": device, "ours": ours},
        cost=1.0 + 0.2 * any(one in RARE for one in fields),
    )


def _shown(field: str, value: Any) -> str:
    """A parameter in words."""
    if field == "loudest":
        return "relative to the loudest" if value else "absolute"
    if field == "span":
        return f"{value * NEPER:.4g} dB" if value else "everything"
    if field == "floor" and value <= UNSEEN:
        return "lower than any here"
    if field == "high":
        return f"{value:g} Hz" if value else "half the rate"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _made(sound: str, name: str, found: Recognised, way: Mel) -> Callable[[Trial, Arrays], Arrays]:
    """Our stage with other parameters, laid out as ours is."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        levels = level(_spectrum(trial, sound, arrays, way) @ bank(way).T, way)
        mine = trial.ours[name]
        laid = levels.T if trial.meaning(name).layout.replace("N", "") == "MT" else levels
        made = (laid * found.factor + found.offset).reshape(*(1,) * (mine.ndim - 2), *laid.shape)
        return {**trial.ours, name: made.astype(mine.dtype)}

    return apply


def _spectrum(trial: Trial, sound: str, arrays: Arrays, way: Mel) -> numpy.ndarray:
    """The spectrum of a case's sound; those of our own sound are kept, the last few."""
    import numpy as np

    samples = arrays[sound]
    if samples is not trial.inputs[sound]:
        return spectrum(samples.reshape(-1).astype(np.float64), way)
    kept: dict[Any, numpy.ndarray] = trial.memo.setdefault("spectra", {})
    key = (sound, way.spectral)
    if key not in kept:
        if len(kept) >= KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = spectrum(samples.reshape(-1).astype(np.float64), way)
    return kept[key]
