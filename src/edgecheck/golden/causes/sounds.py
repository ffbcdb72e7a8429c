"""Sound before it becomes a spectrogram: full scale, gain, shift, crop, sample rate and its resampler, bytes, polarity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial

if TYPE_CHECKING:
    pass

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000)
PRE_EMPHASIS = (0.97, 0.95, 0.9375)
MOST_SHIFT = 1 << 17  # samples


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


def _is_sound(trial: Trial, name: str, value: Any) -> bool:
    return trial.meaning(name).kind == "audio" and value.dtype.kind in "fi" and value.size >= 16


def _on(name: str, on: str, change: Callable[[Any], Any]) -> Callable[[Trial, Arrays], Arrays]:
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


def _changed(trial: Trial, name: str, on: str) -> Iterator[Hypothesis]:
    import numpy as np

    full = 32768.0 if trial.meaning(name).high is None else float(trial.meaning(name).high or 1.0)
    simple: dict[str, tuple[str, Callable[[Any], Any], str, str]] = {
        "polarity": ("turns the sound upside down", lambda x: -x, "x = -x", "x = -x"),
        "dc-offset": ("takes the mean away", lambda x: x - x.mean(), "x = x - x.mean()", "keep the mean"),
        "peak-normalised": (
            "scales the loudest sample to full scale", lambda x: x / max(1e-12, np.abs(x).max()) * full,
            "x = x / np.abs(x).max()", "do not normalise by the peak",
        ),
        "rms-normalised": (
            "scales to an rms of 0.1", lambda x: x / max(1e-12, float(np.sqrt((x**2).mean()))) * 0.1 * full,
            "x = x / np.sqrt((x**2).mean()) * 0.1", "do not normalise by the loudness",
        ),
        "reversed-sound": ("plays the sound backwards", lambda x: x[::-1], "x = x[::-1]", "keep the order of samples"),
    }  # fmt: skip
    for cause, (say, change, ours, device) in simple.items():
        cost = 2.0 if cause == "reversed-sound" else 1.3
        yield Hypothesis(
            id=cause, say=f"the device {say} ({name})", on=_place(on), apply=_on(name, on, change),
            ours=ours.replace("x", name), device=device.replace("x", name), cost=cost,
        )  # fmt: skip
    for factor in PRE_EMPHASIS:
        yield Hypothesis(
            id="pre-emphasis", say=f"the device applies pre-emphasis of {factor} to {name}", on=_place(on),
            apply=_on(name, on, lambda x, factor=factor: x - factor * np.concatenate([[0.0], x[:-1]])),
            ours=f"{name}[1:] -= {factor} * {name}[:-1]", device="leave out the pre-emphasis", parameters={"factor": factor},
            cost=1.3,
        )  # fmt: skip
    yield from _gains(trial, name, on, full)
    yield from _shifts(trial, name, on)
    yield from _clipped(name, on, full)


def _place(on: str) -> Any:
    return on


def _gains(trial: Trial, name: str, on: str, full: float) -> Iterator[Hypothesis]:
    """Full scale taken for another: 32767, 32768, 1, 255 …"""
    usual = {32768 / 32767: "32767 for 32768", 32767 / 32768: "32768 for 32767", 1 / 32768: "1 for 32768", 32768.0: "32768 for 1",
             1 / 32767: "1 for 32767", 32767.0: "32767 for 1", 256.0: "8 bits for 16", 1 / 256: "16 bits for 8", 2.0: "twice", 0.5: "half"}  # fmt: skip
    for factor, say in usual.items():
        yield Hypothesis(
            id="audio-scale", say=f"the device takes another full scale for {name} ({say})", on=_place(on),
            apply=_on(name, on, lambda x, factor=factor: x * factor), ours=f"{name} = {name} * {factor:.6g}",
            device=f"{name} = {name} / {factor:.6g}", parameters={"factor": factor},
        )  # fmt: skip
    if on != "output":
        return
    import numpy as np

    ours, device = trial.ours[name], trial.device.get(name)
    if device is None or device.shape != ours.shape:
        return
    a, b = ours.reshape(-1).astype(np.float64), device.reshape(-1).astype(np.float64)
    power = float(a @ a)
    factor = float(a @ b) / power if power else 1.0
    if factor > 0 and abs(factor - 1) > 1e-5:
        yield Hypothesis(
            id="audio-scale", say=f"the device's {name} is {factor:.5g} times ours: another gain", on="output",
            apply=_on(name, on, lambda x: x * factor), ours=f"{name} = {name} * {factor:.6g}",
            device=f"{name} = {name} / {factor:.6g}", parameters={"factor": factor}, fit=1, cost=1.4,
        )  # fmt: skip


def _clipped(name: str, on: str, full: float) -> Iterator[Hypothesis]:
    import numpy as np

    for part in (1.0, 0.5, 0.25):
        yield Hypothesis(
            id="audio-clipped", say=f"the device clips {name} at {part:g} of full scale", on=_place(on),
            apply=_on(name, on, lambda x, part=part: np.clip(x, -part * full, part * full)),
            ours=f"{name} = {name}.clip({-part * full:g}, {part * full:g})", device="scale before the cast to integers", cost=1.6,
        )  # fmt: skip


def _shifts(trial: Trial, name: str, on: str) -> Iterator[Hypothesis]:
    """Begun later or earlier, by the number of samples that fits best; the middle or the end instead of the beginning."""
    shift = _lag(trial, name, on)
    for samples in dict.fromkeys(one for one in (shift, 1, -1) if one):
        word = "later" if samples > 0 else "earlier"
        yield Hypothesis(
            id="audio-crop", say=f"the device's {name} begins {abs(samples)} samples {word} than ours", on=_place(on),
            apply=_on(name, on, lambda x, samples=samples: moved(x, samples)), ours=f"{name} = {name}[{samples}:]",
            device=f"begin {abs(samples)} samples {'earlier' if samples > 0 else 'later'}", parameters={"samples": samples},
            fit=int(abs(samples) > 1), cost=1.1,
        )  # fmt: skip


def moved(row: Any, samples: int) -> Any:
    """The row begun `samples` later, zeros where it ends (or before, where it begins earlier)."""
    import numpy as np

    zeros = np.zeros(min(abs(samples), row.size))
    return (
        np.concatenate([row[samples:], zeros]) if samples > 0 else np.concatenate([zeros, row[: row.size - zeros.size]])
    )


def _lag(trial: Trial, name: str, on: str) -> int:
    """By how many samples the device's sound is ahead of ours, where both are there as sound; else 0."""
    import numpy as np

    if on == "output":
        pairs = [(trial.ours[name], trial.device.get(name))]
    else:  # the stage gives sound of the same length: what shifts it shifts its input
        pairs = [(trial.ours[n], trial.device.get(n)) for n in trial.ours if trial.meaning(n).kind == "audio"]
    for ours, device in pairs:
        if device is None or device.shape != ours.shape or ours.dtype.kind not in "fi":
            continue
        a, b = (value.reshape(-1)[:MOST_SHIFT].astype(np.float64) for value in (ours, device))
        size = 1 << (2 * a.size - 1).bit_length()
        match = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
        best = int(match.argmax())
        lag = best - size if best > size // 2 else best
        if abs(lag) < a.size:
            ratio = 1 if on == "output" else max(1, round(max(v.size for v in trial.inputs.values()) / ours.size))
            return lag * ratio
    return 0


def _resamplers(trial: Trial, source: str, name: str) -> Iterator[Hypothesis]:
    """From the stage's own input: every n-th sample, straight lines, means of n, cubic; or no resampling at all."""
    import numpy as np

    given, ours = trial.inputs[source], trial.ours[name]
    ratio = given.size / max(1, ours.size)
    if not 1.2 < ratio < 8.5 and not 0.1 < ratio < 0.85:
        return
    gain = _gain_between(trial, source, name, ratio)
    places = np.arange(ours.size) * ratio
    whole = max(1, round(ratio))

    def means(x: Any) -> Any:
        rows = np.pad(x, (0, (-x.size) % whole)).reshape(-1, whole)
        return rows.mean(1)

    ways: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "nearest": ("takes the nearest sample and does not filter", lambda x: x[np.minimum(np.round(places).astype(int), x.size - 1)]),
        "nth": ("takes every n-th sample and does not filter", lambda x: x[np.minimum(places.astype(int), x.size - 1)]),
        "linear": ("draws straight lines between samples and does not filter", lambda x: np.interp(places, np.arange(x.size), x)),
        "mean": ("takes the mean of neighbouring samples", means),
        "none": ("does not resample", lambda x: x),
    }  # fmt: skip
    for way, (say, change) in ways.items():
        cause = "sample-rate" if way == "none" else "resampler"

        def apply(trial: Trial, arrays: Arrays, change: Callable[[Any], Any] = change) -> Arrays:
            target = arrays[name]
            row = change(trial.inputs[source].reshape(-1).astype(np.float64)) * gain
            row = row[: target.size] if row.size >= target.size else np.pad(row, (0, target.size - row.size))
            return {**arrays, name: row.reshape(target.shape).astype(target.dtype)}

        yield Hypothesis(
            id=cause, say=f"the device {say} ({source} to {name})", on="output", apply=apply, parameters={"way": way},
            ours=f"{name} = {source}[::{whole}]" if way in ("nth", "nearest") else f"{name} = {source}  # {way}",
            device="low-pass, then take every n-th sample", cost=1.1,
        )  # fmt: skip


def _gain_between(trial: Trial, source: str, name: str, ratio: float) -> float:
    """Full scale of the output over full scale of the input, as they are declared."""
    high, full = trial.meaning(name).high, trial.meaning(source).high
    return float(high or 1.0) / float(full or 1.0)


def _rates(trial: Trial, name: str) -> Iterator[Hypothesis]:
    """The sound was taken at another rate: our stage hears it slower or faster."""
    import numpy as np

    ours = trial.meaning(name).rate
    for rate in RATES:
        if not ours or rate == ours:
            continue
        ratio = rate / ours

        def change(x: Any, ratio: float = ratio) -> Any:
            made = np.interp(np.arange(x.size) * ratio, np.arange(x.size), x, right=0.0)
            return made

        yield Hypothesis(
            id="sample-rate", say=f"the device's {name} was recorded at {rate} Hz and taken for {ours} Hz, or the reverse",
            on="input", apply=_on(name, "input", change), ours=f"resample {name} to {rate} Hz",
            device=f"resample to {ours} Hz", parameters={"device": rate, "ours": ours}, cost=1.4,
        )  # fmt: skip


def _bytes(trial: Trial, name: str) -> Iterator[Hypothesis]:
    """Integers whose bytes stand in the other order, or that were cut to eight bits."""
    value = trial.inputs[name]
    if value.dtype.name != "int16":
        return
    yield Hypothesis(
        id="byte-order", say=f"the device reads the bytes of {name} in the other order", on="input",
        apply=lambda trial, arrays: {name: arrays[name].byteswap()}, ours=f"{name} = {name}.byteswap()",
        device="ByteOrder.LITTLE_ENDIAN", cost=1.2,
    )  # fmt: skip
    yield Hypothesis(
        id="audio-bits", say=f"the device's {name} has eight bits only", on="input",
        apply=lambda trial, arrays: {name: (arrays[name] >> 8) << 8}, ours=f"{name} = ({name} >> 8) << 8",
        device="record 16 bits a sample", cost=1.4,
    )  # fmt: skip
