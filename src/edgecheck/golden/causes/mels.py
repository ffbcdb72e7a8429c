"""One model of how a mel spectrogram is made, with the parameters in which the trade's libraries differ.

Centre padding, window, transform, power, mel bands, floor, logarithm, and what is cut off under the loudest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy


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
    stretch: float = 1.0  # the unit of the logarithm, where ours is 1
    span: float = 0.0  # under the loudest that is kept, in our logarithm's unit; 0: all
    loudest: bool = False  # levels are relative to the loudest

    @property
    def spectral(self) -> tuple[int | str, ...]:
        """The parameters that the spectrum depends on."""
        return (self.size, self.transform, self.hop, self.window, self.padding, self.power)


def spectrum(sound: numpy.ndarray, way: Mel) -> numpy.ndarray:
    """(frames, bins) of magnitudes to the power, float64; raises ValueError where the sound is too short."""
    import numpy as np

    half = way.size // 2
    if way.padding != "none":
        sound = np.pad(sound, half, "reflect" if way.padding == "reflect" else "constant")
    count = 1 + (len(sound) - way.size) // way.hop
    if count < 1:
        raise ValueError("the sound is shorter than a window")
    frames = sound[np.arange(count)[:, None] * way.hop + np.arange(way.size)] * window(way.window, way.size)
    found: numpy.ndarray = np.abs(np.fft.rfft(frames, way.transform)) ** way.power
    return found


def spectrogram(sound: numpy.ndarray, way: Mel) -> numpy.ndarray:
    """(frames, bands) of levels, float64."""
    return level(spectrum(sound, way) @ bank(way).T, way)


def level(energy: numpy.ndarray, way: Mel) -> numpy.ndarray:
    """Energies as levels: floor, logarithm, relative to the loudest, cut off below."""
    import numpy as np

    if way.log == "none":
        return energy
    if way.log == "log1p":
        found: numpy.ndarray = np.log1p(energy)
        return found
    found = np.log(np.maximum(energy, way.floor)) * way.stretch
    if way.loudest:
        found = found - found.max()
    if way.span:
        found = np.maximum(found, found.max() - way.span)
    return found


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
