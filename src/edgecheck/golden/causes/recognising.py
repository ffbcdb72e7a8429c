"""Which way a mel spectrogram was made: the parameters of `mels.Mel`, from the sound and the tensor.

First sizes and hops that give the number of frames, then the parameter whose change brings the tensor nearer, again
and again, on the first frames; at last floor, cut and reference on the whole. Factor and offset are free.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes.mels import Mel, bank, level, spectrum

if TYPE_CHECKING:
    import numpy

SIZES = (256, 320, 321, 400, 480, 512, 640, 800, 1024, 2048)
HOPS = (128, 160, 256, 512)
ENOUGH = 1e-6  # of the variance that may be left when a tensor counts as recognised
PARTLY = 120  # frames that are looked at first
FEW = 48  # frames by which it is decided where to begin
BEAM = 4  # beginnings
ROUNDS = 8  # parameters that are changed at the most
UNSEEN = 1e-30  # a floor below everything
BOTTOM = 1e-6  # of the range: what is so near the least value was cut off there
ROUND = 1e-4  # how near a number is to a round one
FLOORS = (1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
#: Parameters that show in every frame, and their values.
TURNS: Mapping[str, tuple[Any, ...]] = {
    "window": ("hann", "hann symmetric", "hamming", "blackman", "none"),
    "padding": ("zeros", "reflect", "none"),
    "scale": ("slaney", "htk"),
    "norm": ("slaney", "none"),
    "power": (1, 2),
    "log": ("log", "log1p", "none"),
    "low": (0.0, 20.0, 60.0, 80.0, 125.0),
    "high": (0.0, 3800.0, 4000.0, 7500.0, 7600.0),
    "rate": (8000, 16000, 22050, 44100, 48000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A way with its line: the tensor is `factor * level + offset`. `bottom`: the least logarithm that it shows."""

    way: Mel
    factor: float
    offset: float
    bottom: float


def recognise(sound: numpy.ndarray, levels: numpy.ndarray, rate: int, *, near: Mel | None = None) -> Recognised | None:
    """How (frames, bands) were made of a sound; from the way `near` on, where one is given. None: not known."""
    import numpy as np

    if not levels.size or np.ptp(levels) == 0:
        return None
    found: list[tuple[float, Mel]] = []
    for way in _promising(sound, levels, rate, near):
        found.append(improved(sound, levels, way))
        if found[-1][0] < ENOUGH:
            break
    return _settled(sound, levels, min(found, key=lambda one: one[0])[1]) if found else None


def _promising(sound: numpy.ndarray, levels: numpy.ndarray, rate: int, near: Mel | None) -> list[Mel]:
    """The ways to begin with, best first: of each size, hop and padding the better scale and norm."""
    if near is not None:
        other = [replace(near, hop=hop) for hop in hops(sound.size, levels.shape[0], near) if hop != near.hop]
        return sorted((near, *other), key=lambda way: apart(sound, levels, way, FEW))[:BEAM]
    left: dict[Mel, float] = {}
    best: dict[object, Mel] = {}
    for start in _starts(sound.size, levels.shape, rate):
        for scale, norm in product(TURNS["scale"], TURNS["norm"]):
            way = replace(start, scale=scale, norm=norm)
            left[way] = apart(sound, levels, way, FEW)
            if left[way] < left.get(best.get(start.spectral, way), 3.0) or start.spectral not in best:
                best[start.spectral] = way
    ranked = sorted(best.values(), key=left.__getitem__)
    usual = [way for way in ranked if way.hop in (*HOPS, way.size // 2, way.size // 4, rate // 100)]
    return list(dict.fromkeys((*usual[: BEAM // 2], *ranked[: BEAM // 2])))


def hops(samples: int, frames: int, way: Mel) -> Iterator[int]:
    """Hops that give as many frames: the usual ones, the longest and the shortest that do."""
    long = samples + 2 * (way.size // 2) if way.padding != "none" else samples
    if frames < 2 or long <= way.size:
        return
    rest = long - way.size
    usual = (way.size // 2, way.size // 4, way.rate // 100, *HOPS)
    for hop in dict.fromkeys((*usual, rest // (frames - 1), rest // frames + 1)):
        if hop > 0 and 1 + rest // hop == frames:
            yield hop


def _starts(samples: int, shape: tuple[int, ...], rate: int) -> Iterator[Mel]:
    """Sizes and hops that give the number of frames."""
    frames, bands = shape
    for size in SIZES:
        for padding in ("zeros", "none"):
            way = Mel(rate=rate, size=size, transform=size, hop=1, bands=bands, padding=padding)
            for hop in hops(samples, frames, way):
                for transform in dict.fromkeys((size, 1 << (size - 1).bit_length())):
                    yield replace(way, hop=hop, transform=transform)


def apart(sound: numpy.ndarray, levels: numpy.ndarray, way: Mel, frames: int = PARTLY) -> float:
    """The share of the variance that a line through the levels leaves, on the first frames; 2 where none can be had.

    What stands at the bottom was cut off by a floor, which is settled later, so it does not count.
    """
    import numpy as np

    part = sound[: way.hop * frames + way.size]
    try:
        energy = spectrum(part, way) @ bank(way).T
    except ValueError:
        return 2.0
    made = level(energy, replace(way, span=0.0, loudest=False, floor=UNSEEN))
    count = min(len(made) if part.size == sound.size else frames - way.size // way.hop, len(levels))
    wanted, made = levels[:count], made[:count]
    if made.shape != wanted.shape:
        return 2.0
    seen = np.isfinite(made) & (wanted > levels.min() + BOTTOM * np.ptp(levels))
    x, y = made[seen], wanted[seen]
    if x.size < 16 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 2.0
    factor, offset = line(x, y)
    return float(np.mean((factor * x + offset - y) ** 2)) / float(y.var())


def line(x: numpy.ndarray, y: numpy.ndarray) -> tuple[float, float]:
    """Factor and offset that bring x nearest to y."""
    apart_x = x - x.mean()
    spread = float((apart_x**2).mean())
    factor = float((apart_x * (y - y.mean())).mean()) / spread if spread else 0.0
    return factor, float(y.mean() - factor * x.mean())


def improved(sound: numpy.ndarray, levels: numpy.ndarray, way: Mel) -> tuple[float, Mel]:
    """The parameter whose change helps most is changed, until none helps; with what that leaves."""
    best, extent = apart(sound, levels, way), (sound.size, len(levels))
    for _ in range(ROUNDS):
        if best < ENOUGH / 100:
            break
        left, found = min(((apart(sound, levels, one), one) for one in _changes(way, *extent)), key=lambda one: one[0])
        if left > best * 0.99:
            break
        way, best = found, left
    return best, way


def _changes(way: Mel, samples: int, frames: int) -> Iterator[Mel]:
    """Every other value of one parameter; another hop, or size with its window, that gives as many frames."""
    for hop in hops(samples, frames, way):
        if hop != way.hop:
            yield replace(way, hop=hop)
    for field, values in TURNS.items():
        for value in values:
            if value != getattr(way, field):
                yield replace(way, **{field: value})
    for size, shape in product(SIZES, ("hann", "hamming", "blackman")):
        for transform in dict.fromkeys((size, 1 << (size - 1).bit_length())):
            if (size, transform) != (way.size, way.transform):
                yield replace(way, size=size, transform=transform, window=shape)


def _settled(sound: numpy.ndarray, levels: numpy.ndarray, way: Mel) -> Recognised | None:
    """Floor and cut, with factor and offset, on all frames; None where that does not give the tensor."""
    import numpy as np

    energy = spectrum(sound, way) @ bank(way).T
    if energy.shape != levels.shape:
        return None
    seen = levels > levels.min() + BOTTOM * np.ptp(levels)
    raw = level(energy, replace(way, span=0.0, loudest=False, floor=UNSEEN))
    factor, offset = line(raw[seen], levels[seen])
    if factor <= 0 or not np.isfinite(factor):
        return None
    span = float(levels.max() - levels.min()) / factor
    best, left = way, float("inf")
    for one in _bottoms(way, (levels.min() - offset) / factor, span if np.sum(~seen) > 1 else 0.0):
        now = float(np.mean((factor * level(energy, one) + offset - levels) ** 2)) / max(1e-12, float(levels.var()))
        if now < 0.5 * left and left > ENOUGH / 1000:
            best, left = one, now
    bottom = float(levels.min() - offset) / factor
    return Recognised(way=best, factor=factor, offset=offset, bottom=bottom) if left < ENOUGH else None


def _bottoms(way: Mel, least: float, span: float) -> Iterator[Mel]:
    """The same way without a floor; with the usual floor that is nearest; cut at the span of the tensor."""
    way = replace(way, span=0.0, loudest=False, floor=UNSEEN)
    yield way
    yield replace(way, floor=min(FLOORS, key=lambda one: abs(math.log(one) - least)))
    if span:
        yield replace(way, span=span)


def is_relative(peaks: list[float]) -> bool:
    """The greatest values of the tensors of several cases say that levels are relative to the loudest.

    They are one and the same number, and a round one where there is but one case.
    """
    if not peaks or max(peaks) - min(peaks) > ROUND * max(1.0, abs(peaks[0])):
        return False
    return len(peaks) > 1 or abs(peaks[0] - round(peaks[0], 2)) < ROUND / 10
