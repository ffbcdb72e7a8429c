"""Mel spectrograms: our stage is recognised in one model of the trade, then its parameters are turned one at a time.

The model is: centre padding, window, transform, power, mel bands, floor, logarithm, and a factor and an offset. Where
it gives our own tensor (but for factor and offset), every other window, hop, scale, norm, floor … is a hypothesis.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial

if TYPE_CHECKING:
    import numpy

SIZES = (256, 320, 321, 400, 480, 512, 640, 800, 1024, 2048)
ENOUGH = 1e-6  # of the variance that may be left when our stage counts as recognised
PARTLY = 200  # frames that are looked at while it is being recognised


@dataclass(frozen=True, slots=True, kw_only=True)
class Mel:
    """One way to make a mel spectrogram. `padding`: zeros, reflect, none."""

    rate: int
    size: int
    transform: int
    hop: int
    bands: int
    window: str = "hann"
    padding: str = "zeros"
    scale: str = "slaney"
    norm: str = "slaney"
    power: int = 2
    low: float = 0.0
    high: float = 0.0  # 0: half the rate
    log: str = "log"  # log, log1p, none
    floor: float = 1e-10
    span: float = 0.0  # dB under the loudest that are kept; 0: all
    loudest: bool = False  # levels are relative to the loudest


SAID = {
    "window": "the device's window is {device}, ours is {ours}",
    "hop": "the device moves on by {device} samples a frame, ours by {ours}",
    "size": "the device's window has {device} samples, ours has {ours}",
    "padding": "the device pads the ends with {device}, ours with {ours}",
    "scale": "the device's mel scale is {device}'s, ours is {ours}'s",
    "norm": "the device's bands are normalised by {device}, ours by {ours}",
    "power": "the device takes the spectrum to the power {device}, ours to {ours}",
    "floor": "the device's least energy before the logarithm is {device:g}, ours is {ours:g}",
    "log": "the device takes {device}, ours {ours}",
    "low": "the device's lowest band begins at {device:g} Hz, ours at {ours:g} Hz",
    "high": "the device's highest band ends at {device:g} Hz (0: half the rate), ours at {ours:g} Hz",
    "rate": "the device makes its mel bands for {device} Hz, ours are for {ours} Hz",
    "loudest": "the device's levels are {device}, ours {ours}",
}
CAUSES = {
    "window": "window", "hop": "hop", "size": "window-size", "padding": "centre-padding", "scale": "mel-scale", "norm": "mel-norm",
    "power": "mel-power", "floor": "log-floor", "log": "log-kind", "low": "mel-range", "high": "mel-range", "rate": "sample-rate",
    "loudest": "log-reference",
}  # fmt: skip
OTHERS: Mapping[str, tuple[Any, ...]] = {
    "window": ("hann", "hann symmetric", "hamming", "blackman", "none"),
    "padding": ("zeros", "reflect", "none"),
    "scale": ("slaney", "htk"),
    "norm": ("slaney", "none"),
    "power": (1, 2),
    "floor": (1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2),
    "log": ("log", "log1p", "none"),
    "low": (0.0, 20.0, 60.0, 80.0, 125.0),
    "high": (0.0, 3800.0, 4000.0, 7500.0, 7600.0),
    "rate": (8000, 16000, 22050, 44100, 48000),
    "loudest": (False, True),
}


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Of each mel tensor that a stage makes of sound; the logarithm's base needs no recognition."""
    if trial.model:
        return
    names = [name for name in trial.ours if trial.meaning(name).kind == "mel" and trial.ours[name].dtype.kind == "f"]
    sounds = [name for name in trial.inputs if trial.meaning(name).kind == "audio" and trial.inputs[name].size >= 512]
    for name in names:
        yield from _bases(name)
        for sound in sounds[:1]:
            found = recognised(trial, sound, name)
            if found is not None:
                yield from _turned(trial, sound, name, *found)


def _bases(name: str) -> Iterator[Hypothesis]:
    """The same levels in another logarithm: a factor."""
    import math

    for factor, say in {
        math.log(10): "natural logarithms, ours are of base 10",
        1 / math.log(10): "logarithms of base 10, ours are natural",
        math.log(10) / 10: "natural logarithms, ours are decibels",
        10 / math.log(10): "decibels, ours are natural logarithms",
        0.1: "logarithms of base 10, ours are decibels",
        10.0: "decibels, ours are logarithms of base 10",
        2.0: "of the power, ours of the magnitude",
        0.5: "of the magnitude, ours of the power",
    }.items():
        yield Hypothesis(
            id="log-base", say=f"the device's {name} are {say}", on="output",
            apply=lambda trial, arrays, factor=factor: {**arrays, name: (arrays[name] * factor).astype(arrays[name].dtype)},
            ours=f"{name} = {name} * {factor:.6g}", device=f"{name} = {name} / {factor:.6g}", parameters={"factor": factor},
        )  # fmt: skip


def spectrogram(sound: numpy.ndarray, way: Mel) -> numpy.ndarray:
    """(frames, bands) of levels, float64."""
    import numpy as np

    half = way.size // 2
    padded = (
        sound if way.padding == "none" else np.pad(sound, half, "reflect" if way.padding == "reflect" else "constant")
    )
    count = 1 + (len(padded) - way.size) // way.hop
    if count < 1:
        raise ValueError("the sound is shorter than a window")
    frames = padded[np.arange(count)[:, None] * way.hop + np.arange(way.size)] * window(way.window, way.size)
    spectrum = np.abs(np.fft.rfft(frames, way.transform)) ** way.power
    return level(spectrum @ bank(way).T, way)


def level(energy: numpy.ndarray, way: Mel) -> numpy.ndarray:
    """Energies as levels: floor, logarithm, relative to the loudest, cut off below."""
    import numpy as np

    if way.log == "none":
        return energy
    if way.log == "log1p":
        return np.log1p(energy)
    found: numpy.ndarray = np.log(np.maximum(energy, way.floor))
    if way.loudest:
        found = found - found.max()
    return np.maximum(found, found.max() - way.span * np.log(10) / 10) if way.span else found


def window(name: str, size: int) -> numpy.ndarray:
    """The weights of a frame; periodic where the name does not say otherwise."""
    import numpy as np

    turn = 2 * np.pi * np.arange(size) / (size - 1 if "symmetric" in name else size)
    if name.startswith("hann"):
        return 0.5 - 0.5 * np.cos(turn)
    if name == "hamming":
        return 0.54 - 0.46 * np.cos(turn)
    if name == "blackman":
        return 0.42 - 0.5 * np.cos(turn) + 0.08 * np.cos(2 * turn)
    return np.ones(size)


def bank(way: Mel) -> numpy.ndarray:
    """(bands, bins): triangles on the mel scale."""
    import numpy as np

    high = way.high or way.rate / 2
    edges = _hertz(np.linspace(_mels(way.low, way.scale), _mels(high, way.scale), way.bands + 2), way.scale)
    bins = np.arange(way.transform // 2 + 1) * way.rate / way.transform
    up = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    found: numpy.ndarray = np.clip(np.minimum(up, down), 0, None)
    return found * (2 / (edges[2:] - edges[:-2]))[:, None] if way.norm == "slaney" else found


def _mels(hertz: float, scale: str) -> float:
    import math

    if scale == "htk":
        return 2595 * math.log10(1 + hertz / 700)
    return hertz * 3 / 200 if hertz < 1000 else 15 + math.log(hertz / 1000) * 27 / math.log(6.4)


def _hertz(mels: numpy.ndarray, scale: str) -> numpy.ndarray:
    import numpy as np

    if scale == "htk":
        return 700 * (10 ** (mels / 2595) - 1)
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (np.maximum(mels, 15) - 15)))


def rows(trial: Trial, name: str, value: Any) -> numpy.ndarray:
    """(frames, bands) of a mel tensor."""
    layout = trial.meaning(name).layout
    if len(layout) != value.ndim:
        raise ValueError("the layout is not known")
    while "N" in layout:
        value, layout = value[0], layout.replace("N", "", 1)
    if value.ndim != 2:
        raise ValueError("no spectrogram")
    return value.T if layout == "MT" else value


def recognised(trial: Trial, sound: str, name: str) -> tuple[Mel, float, float] | None:
    """The way our stage goes, with its factor and offset; kept with the trial."""
    key = f"mel {sound} {name}"
    if key not in trial.memo:
        try:
            trial.memo[key] = _recognise(trial, sound, name)
        except ValueError:
            trial.memo[key] = None
    found: tuple[Mel, float, float] | None = trial.memo[key]
    return found


def _recognise(trial: Trial, sound: str, name: str) -> tuple[Mel, float, float] | None:
    import numpy as np

    levels = rows(trial, name, trial.ours[name]).astype(np.float64)
    samples = trial.inputs[sound].reshape(-1).astype(np.float64)
    rate = trial.meaning(sound).rate or trial.meaning(name).rate
    best: tuple[float, Mel] | None = None
    for way in _starts(samples.size, levels.shape, rate):
        left = _left(samples, levels, way)
        if best is None or left < best[0]:
            best = (left, way)
    if best is None:
        return None
    way = _improved(samples, levels, best[1])
    whole = spectrogram(samples, way)
    if whole.shape != levels.shape:
        return None
    factor, offset = _line(whole, levels)
    left = float(np.mean((factor * whole + offset - levels) ** 2)) / max(1e-12, float(levels.var()))
    return (way, factor, offset) if left < ENOUGH else None


def _starts(samples: int, shape: tuple[int, ...], rate: int) -> Iterator[Mel]:
    """Sizes and hops that give the number of frames."""
    frames, bands = shape
    for size in SIZES:
        for padding in ("zeros", "none"):
            long = samples + 2 * (size // 2) if padding == "zeros" else samples
            if frames < 2 or long <= size:
                continue
            for hop in dict.fromkeys((round((long - size) / (frames - 1)), size // 2, size // 4, 160)):
                if hop > 0 and 1 + (long - size) // hop == frames:
                    for transform in dict.fromkeys((size, 1 << (size - 1).bit_length())):
                        yield Mel(rate=rate, size=size, transform=transform, hop=hop, bands=bands, padding=padding)


def _left(samples: numpy.ndarray, levels: numpy.ndarray, way: Mel) -> float:
    """The share of the variance that a line through the levels leaves, on the first frames."""
    import numpy as np

    part = samples[: way.hop * PARTLY + way.size] if way.padding == "none" else samples[: way.hop * PARTLY]
    try:
        made = spectrogram(part, way)[: PARTLY - 4]
    except ValueError:
        return 2.0
    wanted = levels[: len(made)]
    made = made[: len(wanted)]
    if not np.isfinite(made).all() or made.shape != wanted.shape or np.ptp(made) == 0:
        return 2.0
    factor, offset = _line(made, wanted)
    return float(np.mean((factor * made + offset - wanted) ** 2)) / max(1e-12, float(wanted.var()))


def _line(made: numpy.ndarray, wanted: numpy.ndarray) -> tuple[float, float]:
    x, y = made.reshape(-1), wanted.reshape(-1)
    spread = float(((x - x.mean()) ** 2).mean())
    factor = float(((x - x.mean()) * (y - y.mean())).mean()) / spread if spread else 0.0
    return factor, float(y.mean() - factor * x.mean())


def _improved(samples: numpy.ndarray, levels: numpy.ndarray, way: Mel) -> Mel:
    """Each parameter in turn set to what leaves least, until nothing changes."""
    turns = {**OTHERS, "span": (0.0, 60.0, 80.0, 100.0)}
    best = _left(samples, levels, way)
    for _ in range(4):
        before = way
        for field, values in turns.items():
            for value in values:
                other = replace(way, **{field: value})
                left = _left(samples, levels, other) if other != way else best
                if left < best * 0.999:
                    way, best = other, left
        if way == before:
            break
    return way


def _turned(trial: Trial, sound: str, name: str, way: Mel, factor: float, offset: float) -> Iterator[Hypothesis]:
    """One parameter as the device may have it."""
    values = {**OTHERS, "hop": _hops(way), "size": tuple(size for size in SIZES if size != way.size)}
    for field, others in values.items():
        for other in others:
            ours = getattr(way, field)
            if other != ours and not (field == "high" and other == way.rate / 2):
                yield _hypothesis(sound, name, way, _with(way, field, other), field, (factor, offset))


def _hops(way: Mel) -> tuple[int, ...]:
    near = (way.hop // 2, way.hop * 2, way.hop - 1, way.hop + 1, way.size // 2, way.size // 4, way.rate // 100)
    return tuple(dict.fromkeys(hop for hop in near if hop > 0 and hop != way.hop))


def _with(way: Mel, field: str, value: Any) -> Mel:
    if field == "size":
        return replace(way, size=value, transform=value if way.transform == way.size else max(way.transform, value))
    return replace(way, **{field: value})


def _hypothesis(sound: str, name: str, way: Mel, other: Mel, field: str, line: tuple[float, float]) -> Hypothesis:
    factor, offset = line
    ours, device = asdict(way)[field], asdict(other)[field]
    words = {True: "relative to the loudest", False: "absolute"} if field == "loudest" else {}

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        levels = spectrogram(arrays[sound].reshape(-1).astype(np.float64), other) * factor + offset
        mine = trial.ours[name]
        laid = levels.T if trial.meaning(name).layout.replace("N", "") == "MT" else levels
        made = laid.reshape(*(1,) * (mine.ndim - 2), *laid.shape)
        return {**trial.ours, name: made.astype(mine.dtype)}

    return Hypothesis(
        id=CAUSES[field], say=SAID[field].format(device=words.get(device, device), ours=words.get(ours, ours)), on="stage",
        apply=apply, ours=f"{field} = {device!r}", device=f"{field} = {ours!r}", parameters={"device": device, "ours": ours},
        cost=1.0 + 0.2 * (field in ("rate", "low", "high", "size")),
    )  # fmt: skip
