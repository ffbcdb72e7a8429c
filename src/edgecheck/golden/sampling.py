"""Whether two samples of cases could be of one kind. The case is the unit, whatever was measured of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy

DRAWS = 5000
SEED = 20261121
MOST_CASES = 400  # of each side, whose exchange is drawn


def smirnov(a: Sequence[float], b: Sequence[float]) -> float:
    """The chance of so large a gap between both distributions where there is none (Kolmogorov and Smirnov).

    By the limit law with Stephens' correction, at 8 and more of each; ties make it too large, never too small.
    """
    import numpy

    first, second = numpy.sort(numpy.asarray(a, numpy.float64)), numpy.sort(numpy.asarray(b, numpy.float64))
    every = numpy.concatenate([first, second])
    parts = [numpy.searchsorted(one, every, side="right") / one.size for one in (first, second)]
    gap = float(numpy.abs(parts[0] - parts[1]).max())
    root = math.sqrt(first.size * second.size / (first.size + second.size))
    scaled = (root + 0.12 + 0.11 / root) * gap
    if scaled < 0.3:
        return 1.0
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, math.fsum(terms)))


def exchange(a: Sequence[numpy.ndarray], b: Sequence[numpy.ndarray]) -> tuple[float, float]:
    """(chance, share that must move) of two samples of shares over classes: cases exchange sides, `DRAWS` times."""
    import numpy

    first, second = (numpy.stack(list(side)[:MOST_CASES]) for side in (a, b))
    every, size = numpy.concatenate([first, second]), len(first)
    random = numpy.random.default_rng(SEED)
    seen = _apart(first, second)
    beyond = 0
    for _ in range(DRAWS):
        order = random.permutation(len(every))
        beyond += _apart(every[order[:size]], every[order[size:]]) >= seen - 1e-12
    return (1 + beyond) / (1 + DRAWS), seen


def _apart(a: numpy.ndarray, b: numpy.ndarray) -> float:
    """Half the distance of the mean shares."""
    return float(abs(a.mean(0) - b.mean(0)).sum() / 2)
