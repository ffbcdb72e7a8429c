"""Latency samples of a golden run, launch by launch, and what is measured of them; nothing here judges.

The launch is the sampling unit: samples of one process share its memory layout, its place on the cores and its heat, so
a thousand of them say little more than one.

On a calm machine a launch is its median. Where the process had to wait for processors, wall time says how busy the
others were; then a launch is the lowest tenth of its processor time, which the others disturb least.

A `DeviceTiming` was taken on a device, a `HostTiming` on the machine that edgecheck ran on or on an emulator. Only the
first can be held against a device's budget; dividing one by the other is an error of the type checker.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

from edgecheck.golden import GoldenRun
from edgecheck.golden.comparable import is_host
from edgecheck.golden.resampling import DRAWS, SEED, Interval, chance, interval, log_ratio

if TYPE_CHECKING:
    import numpy

CANARY = "canary"  # a fixed piece of work before every sample: how fast the machine was just then
CPU = "_cpu"  # `model_cpu`: the processor time of the thread that ran `model`
END_TO_END = "end_to_end"
CONTENDED = 1.1  # wall time over processor time, in the middle launch: beyond it the process waited for processors
MIDDLE, CALM = 0.5, 0.1  # the quantile that a launch is, and the one it is where the machine was busy
BLOCKS, LEAST_BLOCK = 5, 20  # of a launch's samples, to see how a span moves with the canary
FELT = (0.5, 2.0)  # that is believed
MOST_POINTS = 4096  # of a distribution that quantiles are read from

Clock = Literal["wall", "processor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """One launch: nanoseconds, float64; `canary` and `processor` are sample by sample beside `wall`, where recorded."""

    name: str
    wall: numpy.ndarray
    processor: numpy.ndarray | None = None
    canary: numpy.ndarray | None = None

    def of(self, clock: Clock) -> numpy.ndarray:
        return self.processor if clock == "processor" and self.processor is not None else self.wall

    def waited(self) -> float:
        """Wall over processor time, all samples together; NaN without processor time."""
        return math.nan if self.processor is None else float(self.wall.sum() / self.processor.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timing:
    place: str  # the device's name
    span: str
    session: str  # of interleaved launches, else empty
    launches: tuple[Samples, ...]  # without those that have no sample
    one_thread: bool  # on the processor alone: only then does processor time stand for latency

    @property
    def samples(self) -> int:
        return sum(one.wall.size for one in self.launches)

    @property
    def has_canary(self) -> bool:
        return bool(self.launches) and all(one.canary is not None for one in self.launches)

    def waited(self) -> float | None:
        """Wall over processor time, of the middle launch; None where processor time is missing or says nothing."""
        import numpy

        if not self.one_thread or not self.launches or any(one.processor is None for one in self.launches):
            return None
        return float(numpy.median([one.waited() for one in self.launches]))

    def contended(self) -> bool:
        waited = self.waited()
        return waited is not None and waited > CONTENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTiming(_Timing):
    """Taken on the device that `place` names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTiming(_Timing):
    """Taken on the machine that edgecheck ran on, or on an emulator: the latency of no device."""


Timing = DeviceTiming | HostTiming
AnyTiming = TypeVar("AnyTiming", DeviceTiming, HostTiming)


def timing(run: GoldenRun, span: str) -> Timing:
    """The samples of one span of a run; launches without a sample are left out."""
    launches = tuple(one for name in (launch.name for launch in run.launches) if (one := _samples(run, span, name)))
    plain = str(run.runtime.get("delegate_applied", "")).lower() in ("", "none", "cpu", "xnnpack")
    kind = HostTiming if is_host(run) else DeviceTiming
    return kind(
        place=run.device.get("model", "") or "a device without a name", span=span, launches=launches,
        session=str(run.conditions.get("session", "")), one_thread=plain and str(run.runtime.get("threads", "")) == "1",
    )  # fmt: skip


def _samples(run: GoldenRun, span: str, launch: str) -> Samples | None:
    import numpy

    wall = run.latency(span, launch).astype(numpy.float64)
    if not wall.size or bool((wall <= 0).any()):
        return None
    beside: dict[str, numpy.ndarray] = {}
    for key, name in (("processor", span + CPU), ("canary", CANARY)):
        if name in run.spans and name != span:
            found = run.latency(name, launch).astype(numpy.float64)
            if found.size == wall.size and bool((found > 0).all()):
                beside[key] = found
    return Samples(name=launch, wall=wall, **beside)


def slowing(run: GoldenRun) -> float | None:
    """How much longer the canary took in the last third of the launches than in the first; None where nobody can tell.

    By the lowest tenth of each launch, which a busy machine hardly moves and a lowered clock does.
    """
    import numpy

    beats = [run.latency(CANARY, one.name) for one in run.launches] if CANARY in run.spans else []
    beats = [one for one in beats if one.size and bool((one > 0).all())]
    third = len(beats) // 3
    if third < 2:
        return None
    centres = numpy.log(_quantiles(beats, CALM))
    first, last = centres[:third], centres[-third:]
    return math.exp(float(last.mean() - first.mean())) if bool(last.min() > first.max()) else None


def only(found: AnyTiming, names: set[str]) -> AnyTiming:
    """The same with some of its launches."""
    return replace(found, launches=tuple(one for one in found.launches if one.name in names))


def quantile(found: Timing, q: float) -> Interval:
    """The `q` quantile of all samples, every launch weighing the same; nanoseconds."""
    import numpy

    pooled = numpy.sort(numpy.concatenate([one.wall for one in found.launches]))
    points = pooled[:: max(1, pooled.size // MOST_POINTS)]
    points = points if points[-1] == pooled[-1] else numpy.append(points, pooled[-1])
    shares = numpy.stack([numpy.searchsorted(numpy.sort(one.wall), points, "right") / one.wall.size
                          for one in found.launches])  # fmt: skip
    count = len(found.launches)
    estimate = float(points[int(numpy.argmax(shares.mean(0) >= q - 1e-12))])
    weights = numpy.random.default_rng(SEED).multinomial(count, [1 / count] * count, DRAWS) / count
    drawn = [points[numpy.argmax(some @ shares >= q - 1e-12, axis=1)] for some in numpy.array_split(weights, 8)]
    return interval(estimate, numpy.concatenate(drawn), count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How much longer `ours` took than `theirs`, launch by launch, in the middle half of the launches; unjudged."""

    value: Interval
    chance: float  # that launches of identical code lie as far apart: a rank test over launches, two-sided
    clock: Clock
    canary: bool  # both sides in canaries
    paired: bool  # neighbours in time of one interleaved session, one against the other
    launches: tuple[int, int]
    interleaved: bool  # launches of one session, in turns: no hour of the day lies between the sides
    busy: bool  # one of the sides waited for processors
    host: bool  # of two host timings: says nothing about a device


def ratio(ours: AnyTiming, theirs: AnyTiming) -> Ratio:
    """`ours` over `theirs`. The sides are of one kind: a device's time is never divided by a host's.

    Processor time where either side waited for processors and both recorded it; canaries where both recorded one, else
    pairs where the launches were interleaved. What is compared never depends on how the launches came out.
    """
    busy = ours.contended() or theirs.contended()
    known = ours.waited() is not None and theirs.waited() is not None
    clock: Clock = "processor" if busy and known else "wall"
    canary = ours.has_canary and theirs.has_canary
    sides = _sides(ours, theirs, clock, canary=canary)
    pairs = [] if canary else _pairs(ours, theirs)
    launches = (sides[0][[i for i, _ in pairs]] - sides[1][[j for _, j in pairs]],) if pairs else sides
    return Ratio(
        value=log_ratio(*launches).map(math.exp), chance=chance(*launches), clock=clock, canary=canary,
        paired=bool(pairs), launches=(len(ours.launches), len(theirs.launches)), host=isinstance(ours, HostTiming),
        interleaved=_one_session(ours, theirs), busy=busy,
    )  # fmt: skip


def _one_session(ours: Timing, theirs: Timing) -> bool:
    return bool(ours.session) and ours.session == theirs.session


def _pairs(ours: Timing, theirs: Timing) -> list[tuple[int, int]]:
    """Neighbours in time, one of each side: launches of one session are named by their place in it."""
    if not _one_session(ours, theirs):
        return []
    first, second = _places(ours), _places(theirs)
    found = [(first[place], second[place ^ 1]) for place in sorted(first) if place ^ 1 in second]  # 0 and 1, 2 and 3, …
    return found if 4 * len(found) >= 3 * max(len(ours.launches), len(theirs.launches)) else []


def _places(side: Timing) -> dict[int, int]:
    """Place in the session → index, of launches that are named by a place."""
    return {int(one.name): i for i, one in enumerate(side.launches) if re.fullmatch(r"[0-9]{1,9}", one.name)}


def _sides(ours: Timing, theirs: Timing, clock: Clock, *, canary: bool) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Logarithms of the launches of both sides, less what the canary says of the machine."""
    import numpy

    share = CALM if clock == "processor" else MIDDLE
    felt = _felt([*ours.launches, *theirs.launches], clock, share) if canary else 0.0
    found = []
    for side in (ours, theirs):
        centres = numpy.log(_quantiles([one.of(clock) for one in side.launches], share))
        if canary:
            beats = [one.canary for one in side.launches if one.canary is not None]
            centres -= felt * numpy.log(_quantiles(beats, share))
        found.append(centres)
    return found[0], found[1]


def _felt(launches: Sequence[Samples], clock: Clock, share: float) -> float:
    """How many per cent the span moves where the canary moves by one, from what happened within launches.

    A model of large tensors suffers more from its neighbours than a small product. Blocks of a launch are held against
    the launch's own mean, so that neither launches nor sides, far apart as they may lie, have a say. 1 where there are
    too few samples to ask.
    """
    import numpy

    both = [(one.of(clock), one.canary) for one in launches if one.canary is not None]
    if min(span.size for span, _ in both) < BLOCKS * LEAST_BLOCK:
        return 1.0
    moves: list[numpy.ndarray] = []
    for which in (0, 1):
        blocks = [block for pair in both for block in numpy.array_split(pair[which], BLOCKS)]
        centres = numpy.log(_quantiles(blocks, share)).reshape(-1, BLOCKS)
        moves.append(centres - centres.mean(axis=1, keepdims=True))
    span, canary = moves
    moved = float((canary**2).sum())
    return float(numpy.clip((span * canary).sum() / moved, *FELT)) if moved else 1.0


def _quantiles(launches: Sequence[numpy.ndarray], share: float) -> numpy.ndarray:
    """One quantile of each launch; at once where they are of one size."""
    import numpy

    if len({one.size for one in launches}) == 1:
        found: numpy.ndarray = numpy.quantile(numpy.stack(launches), share, axis=1)
        return found
    return numpy.array([numpy.quantile(one, share) for one in launches])
