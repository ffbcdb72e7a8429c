"""Sound before it becomes a spectrogram: full scale, gain, shift, crop, rate and its resampler, bytes, polarity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

from edgecheck.golden.causes import Arrays, Hypothesis, Trial, samples

if TYPE_CHECKING:
    import numpy

Row = Callable[["numpy.ndarray"], "numpy.ndarray"]  # samples as float64, changed
Place = Literal["input", "output"]

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)
PRE_EMPHASIS = (0.97, 0.95, 0.9375)
CLIPPED = (1.0, 0.5, 0.25)  # of full scale
LEAST = 16  # samples; less is no sound
#: Full scale taken for another.
SCALES = {
    32768 / 32767: "32767 for 32768",
    32767 / 32768: "32768 for 32767",
    1 / 32768: "1 for 32768",
    32768.0: "32768 for 1",
    1 / 32767: "1 for 32767",
    32767.0: "32767 for 1",
    256.0: "8 bits for 16",
    1 / 256: "16 bits for 8",
    2.0: "twice",
    0.5: "half",
}


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Of sound among the outputs, what was made of it; of sound that only goes in, the same before our stage."""
    outputs = [name for name in trial.ours if _is_sound(trial, name, trial.ours[name])]
    inputs = [name for name in trial.inputs if _is_sound(trial, name, trial.inputs[name])]
    for name in outputs:
        yield from _changed(trial, name, "output")
        for source in inputs:
            yield from _resamplers(trial, source, name)
    if trial.again is not None and not trial.model:
        for name in inputs:
            yield from _changed(trial, name, "input")
            yield from _rates(trial, name)
            yield from _bytes(trial, name)


def _is_sound(trial: Trial, name: str, value: numpy.ndarray) -> bool:
    return trial.meaning(name).kind == "audio" and value.dtype.kind in "fi" and value.size >= LEAST


def _on(name: str, on: Place, change: Row) -> Callable[[Trial, Arrays], Arrays]:
    """The samples of a tensor as one row, changed, in the tensor's own shape and type."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        value = arrays[name]
        row = change(value.reshape(-1).astype(np.float64))
        if value.dtype.kind == "i":
            info = np.iinfo(value.dtype)
            row = np.clip(np.rint(row), info.min, info.max)
        made = row.reshape(value.shape) if row.size == value.size else row
        found = {name: made.astype(value.dtype)}
        return {**arrays, **found} if on == "output" else found

    return apply


def _changed(trial: Trial, name: str, on: Place) -> Iterator[Hypothesis]:
    """What is done to sound as a whole."""
    full = float(trial.meaning(name).high or (1.0 if trial.meaning(name).high is not None else 32768.0))
    yield from _simple(name, on, full)
    for factor in PRE_EMPHASIS:
        yield Hypothesis(
            id="pre-emphasis",
            say=f"the device applies pre-emphasis of {factor} to {name}",
            on=on,
            apply=_on(name, on, partial(samples.emphasised, factor)),
            ours=f"{name}[1:] -= {factor} * {name}[:-1]",
            device="leave out the pre-emphasis",
            parameters={"factor": factor},
            cost=1.3,
        )
    yield from _gains(trial, name, on)
    yield from _shifts(trial, name, on)
    yield from _clipped(name, on, full)


def _simple(name: str, on: Place, full: float) -> Iterator[Hypothesis]:
    """Without a parameter: polarity, mean, loudness, direction."""
    ways: dict[str, tuple[str, Row, str, str, float]] = {
        "polarity": ("turns the sound upside down", samples.negated, f"{name} = -{name}", f"{name} = -{name}", 1.3),
        "dc-offset": ("takes the mean away", samples.centred, f"{name} -= {name}.mean()", "keep the mean", 1.3),
        "peak-normalised": (
            "scales the loudest sample to full scale",
            partial(samples.to_peak, full),
            f"{name} = {name} / np.abs({name}).max() * {full:g}",
            "do not normalise by the peak",
            1.3,
        ),
        "rms-normalised": (
            "scales to an rms of 0.1 of full scale",
            partial(samples.to_loudness, 0.1 * full),
            f"{name} = {name} / np.sqrt(({name}**2).mean()) * {0.1 * full:g}",
            "do not normalise by the loudness",
            1.3,
        ),
        "reversed-sound": (
            "plays the sound backwards",
            samples.backwards,
            f"{name} = {name}[::-1]",
            "keep the order",
            2.0,
        ),
    }
    for cause, (say, change, ours, device, cost) in ways.items():
        yield Hypothesis(
            id=cause,
            say=f"the device {say} ({name})",
            on=on,
            apply=_on(name, on, change),
            ours=ours,
            device=device,
            cost=cost,
        )


def _gains(trial: Trial, name: str, on: Place) -> Iterator[Hypothesis]:
    """Full scale taken for another: 32767, 32768, 1, 255 …; of outputs, any gain."""
    for factor, say in SCALES.items():
        say = f"the device takes another full scale for {name} ({say})"
        yield _gain(name, on, factor, say, cost=1.0, fit=0)
    fitted = _gain_of(trial, name) if on == "output" else 1.0
    if fitted > 0 and abs(fitted - 1) > 1e-5:
        say = f"the device's {name} is {fitted:.5g} times ours: another gain"
        yield _gain(name, on, fitted, say, cost=1.4, fit=1)


def _gain(name: str, on: Place, factor: float, say: str, *, cost: float, fit: int) -> Hypothesis:
    return Hypothesis(
        id="audio-scale",
        say=say,
        on=on,
        apply=_on(name, on, partial(samples.times, factor)),
        ours=f"{name} = {name} * {factor:.6g}",
        device=f"{name} = {name} / {factor:.6g}",
        parameters={"factor": factor},
        cost=cost,
        fit=fit,
    )


def _gain_of(trial: Trial, name: str) -> float:
    """The factor that brings our sound nearest to the device's; 1 where there is none."""
    import numpy as np

    ours, device = trial.ours[name], trial.device.get(name)
    if device is None or device.shape != ours.shape or device.dtype.kind not in "fi":
        return 1.0
    a, b = ours.reshape(-1).astype(np.float64), device.reshape(-1).astype(np.float64)
    power = float(a @ a)
    return float(a @ b) / power if power else 1.0


def _clipped(name: str, on: Place, full: float) -> Iterator[Hypothesis]:
    for part in CLIPPED:
        yield Hypothesis(
            id="clipped",
            say=f"the device clips {name} at {part:g} of full scale",
            on=on,
            apply=_on(name, on, partial(samples.clipped, part * full)),
            ours=f"{name} = {name}.clip({-part * full:g}, {part * full:g})",
            device="scale before the cast to integers",
            cost=1.6,
        )


def _shifts(trial: Trial, name: str, on: Place) -> Iterator[Hypothesis]:
    """Begun later or earlier, by the number of samples that fits best."""
    shift = _lag(trial, name, on)
    for moved in dict.fromkeys(one for one in (shift, 1, -1) if one):
        word, back = ("later", "earlier") if moved > 0 else ("earlier", "later")
        yield Hypothesis(
            id="audio-crop",
            say=f"the device's {name} begins {abs(moved)} samples {word} than ours",
            on=on,
            apply=_on(name, on, partial(samples.moved, moved)),
            ours=f"{name} = {name}[{moved}:]",
            device=f"begin {abs(moved)} samples {back}",
            parameters={"samples": moved},
            fit=int(abs(moved) > 1),
            cost=1.1,
        )


def _lag(trial: Trial, name: str, on: Place) -> int:
    """By how many samples the device's sound is ahead of ours, where both are there as sound; else 0."""
    names = [name] if on == "output" else [one for one in trial.ours if trial.meaning(one).kind == "audio"]
    for one in names:  # of an input: what shifts the sound that the stage gives shifts what it is given
        ours, device = trial.ours[one], trial.device.get(one)
        if device is None or device.shape != ours.shape or ours.dtype.kind not in "fi" or not ours.size:
            continue
        lag = samples.lag_between(ours, device)
        ratio = 1 if on == "output" else max(1, round(trial.inputs[name].size / ours.size))
        return lag * ratio
    return 0


def _resamplers(trial: Trial, source: str, name: str) -> Iterator[Hypothesis]:
    """From the stage's own input: every n-th sample, straight lines, means of n; or no resampling at all."""
    given, ours = trial.inputs[source], trial.ours[name]
    ratio = given.size / max(1, ours.size)
    if not 1.2 < ratio < 8.5 and not 0.1 < ratio < 0.85:
        return
    gain = _full(trial, name) / _full(trial, source)
    whole = max(1, round(ratio))
    ways: dict[str, tuple[str, Row]] = {
        "nearest": ("takes the nearest sample and does not filter", partial(samples.nearest, ratio)),
        "nth": (f"takes every {whole}th sample and does not filter", partial(samples.nth, ratio)),
        "linear": ("draws straight lines between samples and does not filter", partial(samples.straight, ratio)),
        "mean": ("takes the mean of neighbouring samples", partial(samples.means, whole)),
        "none": ("does not resample", samples.as_it_is),
    }
    for way, (say, change) in ways.items():
        yield Hypothesis(
            id="sample-rate" if way == "none" else "resampler",
            say=f"the device {say} ({source} to {name})",
            on="output",
            apply=partial(_resampled, source, name, change, gain),
            parameters={"way": way},
            ours=f"{name} = {source}[::{whole}]" if way in ("nth", "nearest") else f"{name} = {source}  # {way}",
            device=f"low-pass, then take every {whole}th sample",
            cost=1.1,
        )


def _resampled(source: str, name: str, change: Row, gain: float, trial: Trial, arrays: Arrays) -> Arrays:
    """The output as it is made from the stage's input, cut or padded with zeros to its length."""
    import numpy as np

    target = arrays[name]
    row = change(trial.inputs[source].reshape(-1).astype(np.float64)) * gain
    row = row[: target.size] if row.size >= target.size else np.pad(row, (0, target.size - row.size))
    return {**arrays, name: row.reshape(target.shape).astype(target.dtype)}


def _full(trial: Trial, name: str) -> float:
    """Full scale, as it is declared."""
    return float(trial.meaning(name).high or 1.0)


def _rates(trial: Trial, name: str) -> Iterator[Hypothesis]:
    """The sound was taken at another rate: our stage hears it slower or faster."""
    ours = trial.meaning(name).rate
    for rate in RATES:
        if ours and rate != ours:
            yield Hypothesis(
                id="sample-rate",
                say=f"the device's {name} was recorded at {rate} Hz and taken for {ours} Hz, or the reverse",
                on="input",
                apply=_on(name, "input", partial(samples.slower, rate / ours)),
                ours=f"resample {name} to {rate} Hz",
                device=f"resample to {ours} Hz",
                parameters={"device": rate, "ours": ours},
                cost=1.4,
            )


def _bytes(trial: Trial, name: str) -> Iterator[Hypothesis]:
    """Integers whose bytes stand in the other order, or that were cut to eight bits."""
    if trial.inputs[name].dtype.name != "int16":
        return
    yield Hypothesis(
        id="byte-order",
        say=f"the device reads the bytes of {name} in the other order",
        on="input",
        apply=lambda trial, arrays: {name: arrays[name].byteswap()},
        ours=f"{name} = {name}.byteswap()",
        device="ByteOrder.LITTLE_ENDIAN",
        cost=1.2,
    )
    yield Hypothesis(
        id="audio-bits",
        say=f"the device's {name} has eight bits only",
        on="input",
        apply=lambda trial, arrays: {name: (arrays[name] >> 8) << 8},
        ours=f"{name} = ({name} >> 8) << 8",
        device="record 16 bits a sample",
        cost=1.4,
    )
