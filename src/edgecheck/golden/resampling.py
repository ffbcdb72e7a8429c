"""What launches say: an interval by drawing them again and again, and the chance that there is nothing to say.

Arrays are float64 of one number a launch. The draws are seeded: the same launches give the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

LEVEL = 0.9  # of every interval
DRAWS = 2000
SEED = 20261121
MOST_EXACT = 80  # launches of both sides whose orders are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and where it may lie, at `LEVEL`."""

    estimate: float
    low: float
    high: float

    def map(self, change: Callable[[float], float]) -> Interval:
        return Interval(estimate=change(self.estimate), low=change(self.low), high=change(self.high))


def log_ratio(a: numpy.ndarray, b: numpy.ndarray | None = None) -> Interval:
    """The centre of logarithms `a`, less that of `b`: a percentile bootstrap that draws launches of each side."""
    import numpy

    random = numpy.random.default_rng(SEED)
    estimate, drawn = _centre(a), _centre(a[random.integers(0, a.size, (DRAWS, a.size))])
    if b is not None:
        estimate = estimate - _centre(b)
        drawn = drawn - _centre(b[random.integers(0, b.size, (DRAWS, b.size))])
    return interval(float(estimate), drawn, a.size if b is None else min(a.size, b.size))


def chance(a: numpy.ndarray, b: numpy.ndarray | None = None) -> float:
    """Mann and Whitney's test of launches, Wilcoxon's of pairs: right however noisy the machine is.

    Two-sided, exact up to `MOST_EXACT` launches, by the normal distribution beyond; equal values count half.
    """
    import numpy

    if b is None:
        ranks = numpy.argsort(numpy.argsort(numpy.abs(a))) + 1
        above = float(ranks[a > 0].sum() + ranks[a == 0].sum() / 2)
        most, ways = a.size * (a.size + 1) // 2, _signed_ways
        spread = a.size * (a.size + 1) * (2 * a.size + 1) / 24
        sizes: tuple[int, ...] = (a.size,)
    else:
        above = float((a[:, None] > b).sum() + (a[:, None] == b).sum() / 2)
        most, ways = a.size * b.size, _ranked_ways
        spread = a.size * b.size * (a.size + b.size + 1) / 12
        sizes = (a.size, b.size)
    tail = min(above, most - above)
    if sum(sizes) > MOST_EXACT:
        return min(1.0, 2 * NormalDist(most / 2, math.sqrt(spread)).cdf(tail + 0.5))
    counts = ways(*sizes)
    return min(1.0, 2 * sum(counts[: math.ceil(tail) + 1]) / sum(counts))


@cache
def _ranked_ways(first: int, second: int) -> tuple[int, ...]:
    """In how many orders of two sides 0, 1, … pairs have the first side's on top: the Gaussian binomial."""
    ways = [1] + [0] * (first * second)
    for step in range(1, first + 1):
        for i in range(len(ways) - 1, second + step - 1, -1):
            ways[i] -= ways[i - second - step]
        for i in range(step, len(ways)):
            ways[i] += ways[i - step]
    return tuple(ways)


@cache
def _signed_ways(count: int) -> tuple[int, ...]:
    """In how many ways signs make the ranks 1 to `count` add up to 0, 1, …"""
    ways = [1] + [0] * (count * (count + 1) // 2)
    for rank in range(1, count + 1):
        for i in range(len(ways) - 1, rank - 1, -1):
            ways[i] += ways[i - rank]
    return tuple(ways)


def _centre(launches: numpy.ndarray) -> Any:
    """The mean of the middle half, along the last axis: calmer than a median, as deaf to single launches."""
    import numpy

    outside = launches.shape[-1] // 4
    return numpy.sort(launches, axis=-1)[..., outside : launches.shape[-1] - outside].mean(axis=-1)


def interval(estimate: float, drawn: numpy.ndarray, count: int) -> Interval:
    """The middle `LEVEL` of the draws; without an end where there is but one launch."""
    import numpy

    if count < 2:
        return Interval(estimate=estimate, low=-math.inf, high=math.inf)
    low, high = numpy.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(estimate=estimate, low=min(float(low), estimate), high=max(float(high), estimate))
