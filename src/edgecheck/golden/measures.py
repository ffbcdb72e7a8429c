"""What is watched of a tensor by what it means, in the units of its field, and what of it is a change worth telling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecheck.golden import Aggregates
from edgecheck.pipeline import INPUT, Meaning

if TYPE_CHECKING:
    import numpy

SILENT = -120.0  # dB under full scale: quieter is silence
BINS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """`least`: a smaller change is no drift; `of_range`: the same as a share of the tensor's range."""

    name: str
    unit: str = ""  # "", "share", "dB", "rows", "letters"
    least: float = 0.0
    of_range: float = 0.0


MEASURES = (
    Measure(name="missing values (NaN)", unit="share", least=1e-9),
    Measure(name="infinite values", unit="share", least=1e-9),
    Measure(name="zeros", unit="share", least=0.25),
    Measure(name="nothing in it", unit="share", least=0.1),
    Measure(name="mean brightness", least=0.02),
    Measure(name="contrast", least=0.02),
    Measure(name="volume", unit="dB", least=1.0),
    Measure(name="peak", unit="share", least=0.1),
    Measure(name="mean length", unit="letters", least=0.5),
    Measure(name="empty texts", unit="share", least=0.01),
    Measure(name="mean", of_range=0.05),
    Measure(name="deviation", of_range=0.05),
)
_PLAIN = ("values", "mel", "logits", "probabilities", "scores", "boxes")


def measures(
    aggregates: Aggregates, shape: Sequence[int], dtype: str, meaning: Meaning, stage: str
) -> dict[str, float]:
    """By name; what the tensor does not have, or what says nothing of it, is not there."""
    return dict(_measures(aggregates, shape, dtype, meaning, stage))


def _measures(
    a: Aggregates, shape: Sequence[int], dtype: str, meaning: Meaning, stage: str
) -> Iterator[tuple[str, float]]:
    yield "nothing in it", float(a.count == 0)
    if not a.count:
        return
    if dtype == "string":
        yield "mean length", a.mean
        yield "empty texts", a.zeros / a.count
        return
    if dtype.startswith(("float", "bfloat")):
        yield "missing values (NaN)", a.nan / a.count
        yield "infinite values", a.inf / a.count
    # Of computed floats, what is exactly zero on one kernel is nearly zero on another.
    if stage == INPUT or not dtype.startswith(("float", "bfloat")):
        yield "zeros", a.zeros / a.count
    if a.finite and math.isfinite(a.mean) and math.isfinite(a.deviation):
        yield from _WATCHED.get(meaning.kind, _plain)(a, meaning)


def _image(a: Aggregates, meaning: Meaning) -> Iterator[tuple[str, float]]:
    low, high = _scale(meaning)
    yield "mean brightness", (a.mean - low) / (high - low)
    yield "contrast", a.deviation / (high - low)


def _audio(a: Aggregates, meaning: Meaning) -> Iterator[tuple[str, float]]:
    full = _scale(meaning)[1]
    power = (a.mean / full) ** 2 + (a.deviation / full) ** 2
    yield "volume", max(SILENT, 10 * math.log10(power)) if power > 0 else SILENT
    yield "peak", max(abs(a.low), abs(a.high)) / full


def _plain(a: Aggregates, meaning: Meaning) -> Iterator[tuple[str, float]]:
    if meaning.kind in _PLAIN:
        yield "mean", a.mean
        yield "deviation", a.deviation


_WATCHED: dict[str, Callable[[Aggregates, Meaning], Iterator[tuple[str, float]]]] = {"image": _image, "audio": _audio}


def _scale(meaning: Meaning) -> tuple[float, float]:
    """Black and white, silence and full scale; 0 and 1 where that is not known."""
    low, high = meaning.low if meaning.low is not None else 0.0, meaning.high if meaning.high is not None else 1.0
    return (low, high) if high > low else (0.0, 1.0)


def of_values(value: numpy.ndarray) -> Aggregates:
    """The aggregates of an array, of strings those of their lengths; the sums are numpy's own, not a recorder's."""
    import numpy

    if value.dtype.kind in "OUS":
        value = numpy.asarray([len(str(one).encode("utf-8", "replace")) for one in value.reshape(-1)], numpy.int64)
    flat = value.reshape(-1)
    floats = flat.dtype.kind == "f"
    finite = flat[numpy.isfinite(flat)] if floats else flat
    nan = int(numpy.isnan(flat).sum()) if floats else 0
    wide = finite.astype(numpy.float64)
    low, high = (float(wide.min()), float(wide.max())) if wide.size else (math.nan, math.nan)
    with numpy.errstate(over="ignore", invalid="ignore"):
        mean, deviation = (float(wide.mean()), float(wide.std())) if wide.size else (math.nan, math.nan)
    return Aggregates(
        count=flat.size, nan=nan, inf=flat.size - finite.size - nan, zeros=int((flat == 0).sum()), low=low, high=high,
        mean=mean, deviation=deviation, histogram=_histogram(wide, low, high),
    )  # fmt: skip


def _histogram(wide: Any, low: float, high: float) -> tuple[int, ...]:
    import numpy

    width = high * 0.5 - low * 0.5  # halves, so that it stays finite; 0 where they are the smallest numbers there are
    if not wide.size or not width > 0:
        return (int(wide.size), *[0] * (BINS - 1))
    places = ((wide * 0.5 - low * 0.5) / width * BINS).astype(numpy.int64)
    return tuple(int(one) for one in numpy.bincount(numpy.minimum(places, BINS - 1), minlength=BINS))


def top_class(value: numpy.ndarray, meaning: Meaning) -> numpy.ndarray | None:
    """The share of rows whose largest value is at each place of the last axis; None where there are no classes."""
    import numpy

    if meaning.kind not in ("logits", "probabilities") or value.ndim == 0 or not 2 <= value.shape[-1] <= 100_000:
        return None
    if not value.size:
        return None
    rows = value.reshape(-1, value.shape[-1]).argmax(-1)
    return numpy.asarray(numpy.bincount(rows, minlength=value.shape[-1]) / rows.size, numpy.float64)


def cumulated_gap(a: Aggregates, b: Aggregates, slack: float = 0.05) -> float:
    """The largest part of the values that surely lies elsewhere, whatever their places inside the bins.

    Values that moved by less than `slack` of the range do not count.
    """
    if not a.finite or not b.finite:
        return float(a.finite != b.finite)
    moved = slack * max(a.high - a.low, b.high - b.low, 1e-300)
    edges = [one for side in (a, b) for one in _edges(side)]
    return max(max(_surely(a, b, x, moved), _surely(b, a, x, moved)) for x in edges)


def _edges(a: Aggregates) -> list[float]:
    return [a.low + (a.high - a.low) * i / BINS for i in range(BINS + 1)]


def _surely(a: Aggregates, b: Aggregates, x: float, moved: float) -> float:
    """The part of `a` that lies at or below `x`, less the part of `b` that may lie there or came from there."""
    return _below(a, x, sure=True) - _below(b, x + moved, sure=False)


def _below(a: Aggregates, x: float, *, sure: bool) -> float:
    """The share of values at or below `x`: of the bins that end there (`sure`), or that begin there."""
    edges = _edges(a)
    return (
        sum(n for n, edge in zip(a.histogram, edges[1:] if sure else edges[:-1], strict=True) if edge <= x) / a.finite
    )
