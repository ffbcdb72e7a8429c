"""How far one recorded tensor is from ours: figures first, over any size in bounded memory; the judgement is late.

`figures` measures, `judge` holds figures against a tolerance, `needed` is the least tolerance that would pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecheck.pipeline import Meaning, Tolerance

if TYPE_CHECKING:
    import numpy

BLOCK = 1 << 18  # elements read at a time
PART = 1 << 16  # elements measured at a time: as float64 both sides stay in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Distances of the device's tensor from ours. `problem`: they cannot be held against each other, and why."""

    identical: bool
    count: int = 0
    differing: int = 0  # elements that are not equal
    max_abs: float = 0.0
    rms: float = 0.0  # of the difference
    low: float = 0.0  # of ours
    high: float = 0.0
    power: float = 0.0  # mean square of ours about its mean
    finite: int = 0  # elements that are finite on one side only
    worst: int = 0  # flat index of the largest difference
    problem: str = ""

    @property
    def range(self) -> float:
        """Of ours: the scale on which a difference is small or large."""
        return max(self.high - self.low, abs(self.high), abs(self.low))

    @property
    def relative(self) -> float:
        """The largest difference as a share of the range."""
        return self.max_abs / self.range if self.range > 0 else (0.0 if self.max_abs == 0 else math.inf)

    @property
    def snr_db(self) -> float:
        """Signal (about its mean) over difference; infinite when identical."""
        if self.rms == 0:
            return math.inf
        signal = self.power if self.power > 0 else self.range**2
        return 10 * math.log10(signal / self.rms**2) if signal > 0 else -math.inf


def figures(ours: numpy.ndarray, device: numpy.ndarray) -> Figures:
    """The distances of `device` from `ours`; integers, floats, booleans or strings."""
    problem = _problem(ours, device)
    if problem:
        return Figures(identical=False, problem=problem)
    if ours.dtype.kind in "OUS":
        return _strings(ours, device)
    return over(lambda: _blocks(ours, device))


def over(blocks: Callable[[], Iterable[tuple[numpy.ndarray, numpy.ndarray]]]) -> Figures:
    """The same over pairs of flat blocks, which `blocks()` gives in order, twice where anything differs."""
    if all(_bytes_equal(a, b) for a, b in blocks()):
        return Figures(identical=True)
    total = _Sums()
    for a, b in blocks():
        total.add(a, b)
    return total.figures()


def _bytes_equal(a: numpy.ndarray, b: numpy.ndarray) -> bool:
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def _problem(ours: numpy.ndarray, device: numpy.ndarray) -> str:
    if ours.shape != device.shape:
        return f"shape {shape(device)} instead of {shape(ours)}"
    kinds = {"O": "string", "U": "string", "S": "string", "f": "float", "i": "integer", "u": "integer", "b": "boolean"}
    a, b = kinds.get(ours.dtype.kind, ours.dtype.kind), kinds.get(device.dtype.kind, device.dtype.kind)
    return "" if a == b else f"{device.dtype} instead of {ours.dtype}"


def shape(array: Any) -> str:
    """`1x3x224x224`, or `scalar`."""
    return "x".join(map(str, array.shape)) or "scalar"


def _strings(ours: numpy.ndarray, device: numpy.ndarray) -> Figures:
    wrong = [i for i, (a, b) in enumerate(zip(ours.reshape(-1), device.reshape(-1), strict=True)) if str(a) != str(b)]
    return Figures(
        identical=not wrong, count=ours.size, differing=len(wrong), worst=wrong[0] if wrong else 0,
        max_abs=1.0 if wrong else 0.0, high=1.0,
    )  # fmt: skip


def _blocks(ours: numpy.ndarray, device: numpy.ndarray) -> Iterator[tuple[numpy.ndarray, numpy.ndarray]]:
    a, b = ours.reshape(-1), device.reshape(-1)
    for at in range(0, a.size, BLOCK):
        yield a[at : at + BLOCK], b[at : at + BLOCK]


class _Sums:
    """Running sums over blocks, in float64."""

    def __init__(self) -> None:
        self.count = self.differing = self.finite = self.worst = 0
        self.low, self.high, self.max_abs = math.inf, -math.inf, 0.0
        self.square = self.total = self.squares = 0.0

    def add(self, a: Any, b: Any) -> None:
        """Two flat blocks, in parts that stay in the cache when they are widened."""
        if a.dtype.name == "float16":  # nothing is quick in halves
            a = a.astype("float32")
        if b.dtype.name == "float16":
            b = b.astype("float32")
        for at in range(0, a.size, PART):
            self._add(a[at : at + PART], b[at : at + PART])

    def _add(self, a: Any, b: Any) -> None:
        import numpy

        at, self.count = self.count, self.count + a.size
        self.low, self.high = min(self.low, _extreme(a, "min")), max(self.high, _extreme(a, "max"))
        wide = a.astype(numpy.float64)
        self.total += _finite_sum(wide)
        square = _squares(wide)
        self.squares += square if math.isfinite(square) else _finite_sum(wide * wide)
        unlike = a != b
        number = int(numpy.count_nonzero(unlike))
        if not number:
            return
        exact = wide if a.dtype.itemsize < 8 or a.dtype.kind == "f" else a
        if number > a.size // 8:
            self._differ(exact, b, at, None)
            return
        places = numpy.flatnonzero(unlike)
        self._differ(exact[places], b[places], at, places)

    def _differ(self, a: Any, b: Any, at: int, places: Any) -> None:
        """Elements that differ, `a` as float64 where that is exact; at `places` of a part that begins at `at`."""
        import numpy

        difference = _distance(a, b)
        square = _squares(difference)
        if not math.isfinite(square):
            difference, one_sided = _tamed(a, b, difference)
            self.finite += one_sided
            square = _squares(difference)
        self.differing += int(numpy.count_nonzero(difference))
        self.square += square
        here = int(difference.argmax())
        if difference[here] > self.max_abs:
            self.max_abs, self.worst = float(difference[here]), at + (here if places is None else int(places[here]))

    def figures(self) -> Figures:
        n = max(1, self.count)
        mean = self.total / n
        return Figures(
            identical=self.differing == 0 and self.finite == 0, count=self.count,
            differing=self.differing + self.finite, max_abs=self.max_abs, rms=math.sqrt(self.square / n),
            low=self.low if math.isfinite(self.low) else 0.0, high=self.high if math.isfinite(self.high) else 0.0,
            power=max(0.0, self.squares / n - mean * mean), finite=self.finite, worst=self.worst,
        )  # fmt: skip


def _distance(a: Any, b: Any) -> Any:
    """How far elements are apart, float64. Integers of 64 bits are subtracted before they lose their last bits."""
    import numpy

    if a.dtype.kind in "iu" and a.dtype == b.dtype:
        first, second = a.view(numpy.uint64), b.view(numpy.uint64)
        return numpy.where(b > a, second - first, first - second).astype(numpy.float64)
    difference = b.astype(numpy.float64)
    difference -= a
    return numpy.abs(difference, out=difference)


def _squares(values: Any) -> float:
    """The sum of squares; not by BLAS, whose threads wait for one another on a busy machine."""
    import numpy

    return float(numpy.einsum("i,i->", values, values))


def _extreme(block: Any, which: str) -> float:
    """The least or the largest value; NaN counts as none where there is anything else."""
    import numpy

    found = float(getattr(block, which)())
    if not math.isnan(found):
        return found
    clean = block[~numpy.isnan(block)]
    return float(getattr(clean, which)()) if clean.size else 0.0


def _finite_sum(values: Any) -> float:
    import numpy

    found = float(values.sum())
    return found if math.isfinite(found) else float(values[numpy.isfinite(values)].sum())


def _tamed(a: Any, b: Any, difference: Any) -> tuple[Any, int]:
    """Differences with 0 where both are the same NaN or infinity, or only one is; and how many are one-sided."""
    import numpy

    same = (numpy.isnan(a) & numpy.isnan(b)) | (a == b)
    odd = ~numpy.isfinite(difference) & ~same
    return numpy.where(numpy.isfinite(difference), difference, 0.0), int(odd.sum())


def judge(found: Figures, tolerance: Tolerance, meaning: Meaning, *, integer: bool) -> tuple[str, ...]:
    """What leaves the tolerance, as `largest difference 0.26, at most 0.001`; empty when all is within."""
    if found.problem:
        return (found.problem,)
    if found.finite:
        return (f"{found.finite} values are not finite on one side",)
    if found.identical or found.count == 0:
        return ()
    step = meaning.scale if meaning.scale and not integer else 1.0
    limits = (
        ("largest difference", found.max_abs, tolerance.absolute),
        ("largest difference, of the range,", found.relative, tolerance.relative),
        ("steps", found.max_abs / step, tolerance.lsb),
    )
    beyond = [
        f"{name} {value:.3g}, at most {limit:g}"
        for name, value, limit in limits
        if limit is not None and not value <= limit
    ]
    if tolerance.share is not None and found.differing > _allowed(tolerance.share, found.count):
        beyond.append(f"{found.differing} of {found.count} elements differ, at most {tolerance.share:.0%} may")
    if tolerance.snr_db is not None and not found.snr_db >= tolerance.snr_db:
        beyond.append(f"{found.snr_db:.1f} dB, at least {tolerance.snr_db:g}")
    return tuple(beyond)


def _allowed(share: float, count: int) -> float:
    """How many of `count` may differ where each does with a chance of `share`: three deviations and one above."""
    return share * count + 3 * math.sqrt(share * count) + 1


def needed(found: Figures, tolerance: Tolerance, meaning: Meaning, *, integer: bool) -> Tolerance:
    """The least tolerance, in the fields that `tolerance` sets, that lets `found` pass."""
    step = meaning.scale if meaning.scale and not integer else 1.0
    return Tolerance(
        absolute=None if tolerance.absolute is None else max(tolerance.absolute, _up(found.max_abs)),
        relative=None if tolerance.relative is None else max(tolerance.relative, _up(found.relative)),
        lsb=None if tolerance.lsb is None else max(tolerance.lsb, _up(found.max_abs / step)),
        snr_db=None if tolerance.snr_db is None else min(tolerance.snr_db, math.floor(found.snr_db * 10) / 10),
        share=None if tolerance.share is None else max(tolerance.share, _up(found.differing / max(1, found.count))),
    )


def _up(value: float) -> float:
    """Three significant digits, rounded up."""
    if value <= 0 or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.6g}")
