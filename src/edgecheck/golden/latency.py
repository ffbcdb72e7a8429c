"""The latency verdict: a golden run against a budget, or against another run. Measured first (`timing`), judged here.

`judge` and `against` give findings; `hold` and `compare` also give what was measured and the answer. No answer is ever
wrung out of too little: what cannot be told is EC952 with how many launches more would help, what does not measure the
same thing is EC951 with what differs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgecheck.findings import Finding, Severity
from edgecheck.golden import GoldenRun
from edgecheck.golden.budget import Budget, milliseconds, quantile_name
from edgecheck.golden.comparable import (
    HOSTS,
    Difference,
    delegate_lost,
    differences,
    is_host,
    same_device,
    spelled,
    throttled,
)
from edgecheck.golden.resampling import LEVEL, Interval
from edgecheck.golden.timing import (
    CANARY,
    CPU,
    END_TO_END,
    DeviceTiming,
    HostTiming,
    Ratio,
    Timing,
    quantile,
    ratio,
    slowing,
    timing,
)

LEAST_LAUNCHES = 8  # of each side; fewer are no sample (`make latency-study` shows what eight can tell)
LEAST_BEYOND = 5  # samples that must lie beyond a quantile: p99 needs 500
LEAST_EFFECT = 0.025  # a smaller change is not worth a finding
LEAST_APART = 0.1  # of two sessions on a busy machine: identical code was 4 % apart half an hour later
CHANCE = 0.02  # two-sided: identical code is called slower once in a hundred at most, however noisy the machine
CHANCE_PER_INTERVAL = 2.0  # launches that CHANCE asks for over those that LEVEL asks for: (2.33 / 1.64) squared
SAME = 0.05  # "same" means: a change of this size is excluded
THROTTLED = 0.1  # the canary's last launches over its first
MOST_LAUNCHES = 1024  # to ask for

Answer = Literal["within", "over", "slower", "faster", "same", "cannot tell", "not comparable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A run against a budget. `value` is in nanoseconds; None where nothing could be measured."""

    budget: Budget
    answer: Answer
    value: Interval | None
    timing: Timing | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One span of a run against a reference's. `ratio` above 1: the run took longer; None where not comparable."""

    span: str
    answer: Answer
    ratio: Ratio | None
    differences: tuple[Difference, ...]
    findings: tuple[Finding, ...]


def judge(run: GoldenRun, budget: Budget) -> Iterator[Finding]:
    """What a run's latency says to a budget; nothing where it holds."""
    yield from hold(run, budget).findings


def against(
    run: GoldenRun, reference: GoldenRun, *, span: str | None = None, allow: Collection[str] = ()
) -> Iterator[Finding]:
    """What is slower than in the reference. `allow`: what may differ: `runtime.version`; `model`, another file."""
    seen: set[Finding] = set()
    for one in compare(run, reference, span=span, allow=allow):
        for finding in one.findings:
            if finding not in seen:
                seen.add(finding)
                yield finding


def spans(run: GoldenRun) -> tuple[str, ...]:
    """What was timed of the pipeline: neither the canary nor processor time beside a span."""
    beside = {CANARY} | {f"{one}{CPU}" for one in run.spans}
    return tuple(one for one in run.spans if one not in beside)


def hold(run: GoldenRun, budget: Budget) -> Held:
    """The run against the budget, with what was measured."""
    conditions = tuple(_conditions(run))
    reason = _unfit(run, budget)
    if reason:
        text = f"not comparable with the budget `{budget}`: {reason[0]}"
        finding = _finding(run, "EC951", "warning", text, reason[1])
        return Held(budget=budget, answer="not comparable", value=None, timing=None, findings=(*conditions, finding))
    found = timing(run, _span(run, budget.span) or "")
    q = float(budget.quantile)
    short = _too_few(found, q)
    if short:
        finding = _finding(run, "EC952", "warning", f"`{budget}` cannot be told: {short[0]}", short[1])
        return Held(budget=budget, answer="cannot tell", value=None, timing=found, findings=(*conditions, finding))
    value = quantile(found, q)
    answer, findings = _verdict(run, budget, found, value)
    return Held(budget=budget, answer=answer, value=value, timing=found, findings=(*conditions, *findings))


def _span(run: GoldenRun, asked: str | None) -> str | None:
    timed = spans(run)
    if asked is not None:
        return asked if asked in timed else None
    return END_TO_END if END_TO_END in timed else timed[0] if len(timed) == 1 else None


def _unfit(run: GoldenRun, budget: Budget) -> tuple[str, str] | None:
    """Why the run is no measurement of what the budget speaks of, and what to do; None where it is."""
    if is_host(run) and (budget.device is None or spelled(budget.device) not in HOSTS):
        place = f"{run.device.get('model', '')} is no device but {_kind(run)}"
        return f"{place}, and its latency is that of no device", "record on the device; `on host` judges the host alone"
    if budget.device is not None and not _is_place(run, budget.device):
        return f"it was recorded on {run.device.get('model') or 'a device without a name'}", "record on that device"
    if _span(run, budget.span) is None:
        timed = ", ".join(spans(run)) or "nothing"
        wanted = f"{budget.span!r} was not timed" if budget.span else "it does not say which span"
        return f"{wanted}; the run timed {timed}", "name a span that the run timed: `p90 model <= …`"
    return None


def _is_place(run: GoldenRun, named: str) -> bool:
    return same_device(named, run) or (spelled(named) in HOSTS and run.device.get("kind") == spelled(named))


def _kind(run: GoldenRun) -> str:
    return "an emulator" if run.device.get("kind") == "emulated" else "the host"


def _too_few(found: Timing, q: float) -> tuple[str, str] | None:
    count = len(found.launches)
    if count < LEAST_LAUNCHES:
        text = f"{count} launch{'es' if count != 1 else ''} with samples, at least {LEAST_LAUNCHES} are needed"
        return (
            text,
            f"start the app {LEAST_LAUNCHES - count} times more: samples of one launch say little more than one",
        )
    needed = math.ceil(LEAST_BEYOND / min(q, 1 - q))
    if found.samples < needed:
        return (
            f"{found.samples} samples, this quantile needs {needed:,}",
            "take more samples, or judge another quantile",
        )
    return None


def _verdict(run: GoldenRun, budget: Budget, found: Timing, value: Interval) -> tuple[Answer, tuple[Finding, ...]]:
    measured = f"{quantile_name(budget.quantile)} {found.span} is {_range(value)}"
    where = f"{_place(found)}, {len(found.launches)} launches, {found.samples:,} samples"
    if value.high <= budget.at_most:
        return "within", ()
    if found.contended():
        text = f"`{budget}` cannot be told: {measured}, and the process waited for a processor ({_waited(found)})"
        return "cannot tell", (_finding(run, "EC952", "warning", text, "measure again when nothing else runs", where),)
    if value.low > budget.at_most:
        text = f"over budget: {measured}, at most {milliseconds(budget.at_most)} is allowed"
        return "over", (_finding(run, "EC501", "error", text, _over_help(value, budget), where),)
    more = _more(value.estimate - budget.at_most, value, len(found.launches))
    text = f"`{budget}` cannot be told: {measured}, the budget lies inside"
    return "cannot tell", (_finding(run, "EC952", "warning", text, more, where),)


def _place(found: Timing) -> str:
    return f"{found.place}, the latency of no device" if isinstance(found, HostTiming) else found.place


def _over_help(value: Interval, budget: Budget) -> str:
    share = 1 - budget.at_most / value.estimate
    return f"{share:.0%} less time is needed; `edgecheck check` names what falls back to the CPU"


def _more(distance: float, value: Interval, count: int, *, times: float = 1.0) -> str:
    """How many launches would tell: an interval narrows with the root of their number."""
    half = value.estimate - value.low if distance > 0 else value.high - value.estimate
    needed = math.ceil(min(MOST_LAUNCHES, times * count * (half / distance) ** 2)) if distance else MOST_LAUNCHES
    if not math.isfinite(half) or needed >= MOST_LAUNCHES:
        return "it lies so near that no number of launches will tell"
    more = max(1, needed - count)
    return f"about {more} launch{'es' if more > 1 else ''} more would tell"


def compare(
    run: GoldenRun, reference: GoldenRun, *, span: str | None = None, allow: Collection[str] = ()
) -> list[Compared]:
    """Span by span, with what was measured. No `span`: end_to_end where both timed it, else all of the reference's."""
    conditions = tuple(_conditions(run))
    unlike = tuple(differences(run, reference, allow=allow))
    if unlike:
        return [Compared(span=span or "", answer="not comparable", ratio=None, differences=unlike,
                         findings=(*conditions, _unlike(run, reference, unlike)))]  # fmt: skip
    return [_compared(run, reference, one, conditions) for one in _wanted(run, reference, span)]


def _wanted(run: GoldenRun, reference: GoldenRun, span: str | None) -> tuple[str, ...]:
    if span is not None:
        return (span,)
    if END_TO_END in spans(run) and END_TO_END in spans(reference):
        return (END_TO_END,)
    return spans(reference) or spans(run) or (END_TO_END,)


def _compared(run: GoldenRun, reference: GoldenRun, span: str, conditions: tuple[Finding, ...]) -> Compared:
    for one, words in ((run, "this run"), (reference, "the reference")):
        if span not in spans(one):
            gap = Difference(fact=f"span {span}", ours=_timed(run), theirs=_timed(reference))
            text = f"{words} did not time {span!r}"
            finding = _finding(run, "EC951", "warning", f"not comparable: {text}", "time the same span", str(gap))
            return Compared(span=span, answer="not comparable", ratio=None, differences=(gap,),
                            findings=(*conditions, finding))  # fmt: skip
    ours, theirs = timing(run, span), timing(reference, span)
    short = _too_few(ours, 0.5) or _too_few(theirs, 0.5)
    if short:
        finding = _finding(run, "EC952", "warning", f"{span}: cannot be told: {short[0]}", short[1], _beside(reference))
        return Compared(span=span, answer="cannot tell", ratio=None, differences=(), findings=(*conditions, finding))
    found = _ratio(ours, theirs)
    answer, findings = _answer(run, reference, span, found)
    return Compared(span=span, answer=answer, ratio=found, differences=(), findings=(*conditions, *findings))


def _ratio(ours: Timing, theirs: Timing) -> Ratio:
    if isinstance(ours, HostTiming):
        assert isinstance(theirs, HostTiming)  # `differences` has seen the kind of both
        return ratio(ours, theirs)
    assert isinstance(theirs, DeviceTiming)
    return ratio(ours, theirs)


def answer_of(found: Ratio) -> Answer:
    """slower, faster, same or cannot tell, of a measured ratio."""
    value, sure, least = found.value, found.chance <= CHANCE, _least(found)
    if sure and value.low > 1 and value.estimate >= 1 + least:
        return "slower"
    if sure and value.high < 1 and value.estimate <= 1 / (1 + least):
        return "faster"
    near = value.low > 1 / (1 + SAME) and value.high < 1 + SAME
    return "same" if near and least <= SAME else "cannot tell"


def _least(found: Ratio) -> float:
    return LEAST_APART if found.busy and not found.interleaved else LEAST_EFFECT


def _answer(run: GoldenRun, reference: GoldenRun, span: str, found: Ratio) -> tuple[Answer, tuple[Finding, ...]]:
    answer = "cannot tell" if found.busy and found.clock == "wall" else answer_of(found)
    measured = f"{_percent(found.value)}{_how(found)}"
    place = f" on {_kind(run)} (this says nothing about a device)" if found.host else ""
    if answer == "slower":
        severity: Severity = "warning" if found.host else "error"
        text = f"{span} is slower than the reference{place}: {measured}"
        help = "look at what changed between the two: model, runtime, delegate, wrapper"
        return answer, (_finding(run, "EC502", severity, text, help, _beside(reference)),)
    if answer != "cannot tell":
        return answer, ()
    text = f"{span}: whether it is slower than the reference{place} cannot be told: {measured}"
    if _least(found) > LEAST_EFFECT:
        help = "a busy machine is another one half an hour later: measure both now, in turns, or when nothing else runs"
    elif found.busy and found.clock == "wall":
        help = "the process waited for a processor: measure when nothing else runs, or record processor time"
    else:
        times = CHANCE_PER_INTERVAL if abs(found.value.estimate - 1) >= LEAST_EFFECT else 1.0
        help = _more(_to_decide(found.value), found.value, min(found.launches), times=times)
    return answer, (_finding(run, "EC952", "warning", text, help, _beside(reference)),)


def _to_decide(value: Interval) -> float:
    """How far the interval's near end must come in for an answer: to 1, or to what "same" excludes."""
    apart = value.estimate - 1
    if abs(apart) >= LEAST_EFFECT:
        return apart
    return -(SAME - abs(apart)) if apart > 0 else SAME - abs(apart)


def _how(found: Ratio) -> str:
    words = [f"{found.launches[0]} and {found.launches[1]} launches"]
    words += ["interleaved" if found.interleaved else "not interleaved"]
    words += ["of processor time"] if found.clock == "processor" else []
    words += ["in canaries"] if found.canary else []
    return f" ({', '.join(words)})"


def _percent(value: Interval) -> str:
    change, low, high = (100 * (one - 1) for one in (value.estimate, value.low, value.high))
    return f"{change:+.1f} %, {LEVEL:.0%} interval {low:+.1f} to {high:+.1f} %"


def _range(value: Interval) -> str:
    low, high = milliseconds(value.low), milliseconds(value.high)
    return f"{milliseconds(value.estimate)} ({LEVEL:.0%} interval {low} to {high})"


def _waited(found: Timing) -> str:
    return f"wall time is {found.waited() or math.nan:.2f} times processor time"


def _timed(run: GoldenRun) -> str:
    return ", ".join(spans(run)) or "nothing timed"


def _beside(reference: GoldenRun) -> str:
    return f"reference {_label(reference)}"


def _unlike(run: GoldenRun, reference: GoldenRun, unlike: tuple[Difference, ...]) -> Finding:
    facts = ", ".join(one.fact for one in unlike[:4]) + (", …" if len(unlike) > 4 else "")
    model = any(one.fact == "model.sha256" for one in unlike)
    return Finding(
        rule="EC951", severity="warning", model=run.model.get("name"), device=run.device.get("model"),
        message=f"not comparable with {_label(reference)}: {facts} differ{'s' if len(unlike) == 1 else ''}",
        place=_label(run), evidence=tuple(map(str, unlike)),
        help="to compare two models, allow `model` to differ" if model else "record again under the same conditions",
    )  # fmt: skip


def _conditions(run: GoldenRun) -> Iterator[Finding]:
    """What a measurement suffered, whatever it is held against."""
    lost = delegate_lost(run)
    if lost:
        asked, applied = map(repr, lost)
        text = f"the delegate {asked} was asked for and {applied} was applied: this is the latency of another engine"
        help = f"`edgecheck check` names the operators that {lost[0]} does not take"
        yield _finding(run, "EC503", "error", text, help)
    hot = throttled(run)
    if hot:
        text = f"the device went from {hot[0]!r} to {hot[1]!r} while it was measured: later samples may be throttled"
        yield _finding(run, "EC504", "warning", text, "let it cool between launches, and record a canary span")
    slower = slowing(run)
    if slower is not None and slower >= 1 + THROTTLED:
        text = f"the canary took {slower - 1:.0%} longer in the last launches than in the first"
        yield _finding(run, "EC504", "warning", text, "let it cool between launches; compare only in canaries")


def _finding(run: GoldenRun, rule: str, severity: Severity, message: str, help: str, *evidence: str) -> Finding:
    return Finding(
        rule=rule, severity=severity, message=message, model=run.model.get("name"), device=run.device.get("model"),
        place=_label(run), evidence=evidence, help=help,
    )  # fmt: skip


def _label(run: GoldenRun) -> str:
    return Path(run.folder).as_posix()
