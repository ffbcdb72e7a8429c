"""What may be done to a row of samples: gain, shift, lines and means between samples; and the shift between two."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy

MOST_SHIFT = 1 << 17  # samples
CANDIDATES = 6  # places of the best correlation that are tried
LEAST_OVERLAP = 0.9  # of a row that a shift may move out of it


def negated(row: numpy.ndarray) -> numpy.ndarray:
    """Upside down."""
    return -row


def centred(row: numpy.ndarray) -> numpy.ndarray:
    """Without its mean."""
    found: numpy.ndarray = row - row.mean()
    return found


def backwards(row: numpy.ndarray) -> numpy.ndarray:
    """The last sample first."""
    return row[::-1]


def to_peak(full: float, row: numpy.ndarray) -> numpy.ndarray:
    """The loudest sample at full scale."""
    found: numpy.ndarray = row / max(1e-12, float(abs(row).max())) * full
    return found


def to_loudness(wanted: float, row: numpy.ndarray) -> numpy.ndarray:
    """The rms as wanted."""
    found: numpy.ndarray = row / max(1e-12, float((row**2).mean()) ** 0.5) * wanted
    return found


def emphasised(factor: float, row: numpy.ndarray) -> numpy.ndarray:
    """Every sample less a part of the one before."""
    import numpy as np

    return row - factor * np.concatenate([[0.0], row[:-1]])


def times(factor: float, row: numpy.ndarray) -> numpy.ndarray:
    """Another gain."""
    return row * factor


def clipped(most: float, row: numpy.ndarray) -> numpy.ndarray:
    """Cut off above and below."""
    return row.clip(-most, most)


def moved(samples: int, row: numpy.ndarray) -> numpy.ndarray:
    """The row begun `samples` later, zeros where it ends (or before, where it begins earlier)."""
    import numpy as np

    zeros = np.zeros(min(abs(samples), row.size))
    if samples > 0:
        return np.concatenate([row[samples:], zeros])
    return np.concatenate([zeros, row[: row.size - zeros.size]])


def lag_between(ours: numpy.ndarray, device: numpy.ndarray) -> int:
    """The shift at which two rows of one length are nearest, of either polarity; 0 where none is.

    A tone is like itself one period on: so the places of the best correlation are tried, plain and with all
    frequencies of one weight, and the one with the least difference counts.
    """
    import numpy as np

    a, b = (value.reshape(-1)[:MOST_SHIFT].astype(np.float64) for value in (ours, device))
    size = 1 << (2 * a.size - 1).bit_length()
    cross = np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size))
    found = [0]
    for match in (cross, cross / np.maximum(np.abs(cross), 1e-9 * np.abs(cross).max() + 1e-300)):
        best = np.argsort(-np.abs(np.fft.irfft(match, size)))[:CANDIDATES]
        found += [int(one) - size if one > size // 2 else int(one) for one in best]
    return min(dict.fromkeys(found), key=partial(_unlike, a, b))


def _unlike(ours: numpy.ndarray, device: numpy.ndarray, lag: int) -> float:
    """The share of the energy in which the two differ where they overlap; 1 where they hardly do."""
    if abs(lag) > LEAST_OVERLAP * ours.size:
        return 1.0
    a, b = (ours[lag:], device[: device.size - lag]) if lag >= 0 else (ours[:lag], device[-lag:])
    energy = float(a @ a + b @ b)
    return 1.0 - 2 * abs(float(a @ b)) / energy if energy else 1.0


def nearest(ratio: float, row: numpy.ndarray) -> numpy.ndarray:
    """The nearest sample to every `ratio` of them."""
    found: numpy.ndarray = row[_places(ratio, row, 0.5)]
    return found


def nth(ratio: float, row: numpy.ndarray) -> numpy.ndarray:
    """The sample before every `ratio` of them."""
    found: numpy.ndarray = row[_places(ratio, row, 0.0)]
    return found


def _places(ratio: float, row: numpy.ndarray, above: float) -> numpy.ndarray:
    import numpy as np

    found: numpy.ndarray = np.minimum((np.arange(round(row.size / ratio)) * ratio + above).astype(int), row.size - 1)
    return found


def straight(ratio: float, row: numpy.ndarray) -> numpy.ndarray:
    """Straight lines between samples, every `ratio` of them."""
    import numpy as np

    found: numpy.ndarray = np.interp(np.arange(round(row.size / ratio)) * ratio, np.arange(row.size), row)
    return found


def means(count: int, row: numpy.ndarray) -> numpy.ndarray:
    """The mean of every `count` samples."""
    import numpy as np

    found: numpy.ndarray = np.pad(row, (0, (-row.size) % count)).reshape(-1, count).mean(1)
    return found


def as_it_is(row: numpy.ndarray) -> numpy.ndarray:
    """Unchanged."""
    return row


def slower(ratio: float, row: numpy.ndarray) -> numpy.ndarray:
    """As many samples, taken `ratio` apart; silence behind the end."""
    import numpy as np

    found: numpy.ndarray = np.interp(np.arange(row.size) * ratio, np.arange(row.size), row, right=0.0)
    return found
