"""Two recordings held against each other, stage by stage, without running anything: a canary, a shadow, another device.

Nothing is replayed, so a stage that differs may only have been handed something else; the first one that differs is
where to look. Large tensors are read in blocks: the memory does not grow with the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgecheck.golden import Case, GoldenRun, Recorded, tolerance
from edgecheck.golden.blocks import blocks
from edgecheck.golden.compared import Comparison, Mismatch, StageCompared, State, TensorCompared
from edgecheck.golden.describing import MOST, decision, units, where
from edgecheck.golden.judging import worst
from edgecheck.golden.measure import Figures, figures, judge, needed, over
from edgecheck.golden.monitors import Add, Gathered, summarised, summary, too_few
from edgecheck.pipeline import INPUT, Meaning

Meanings = Mapping[tuple[str, str], Meaning]  # of (stage, tensor)


def compare(run: GoldenRun, reference: GoldenRun, meanings: Meanings | None = None) -> Comparison:
    """`run` against `reference`, which takes the place of ours. Cases of one name are the same case."""
    known = meanings or {}
    monitors = _gathered(run, reference, known).monitors()
    few = too_few(monitors)
    mismatches = {(one.stage, one.kind, one.say): one for one in _mismatches(run, reference)}
    facts = {
        side: {"model": dict(one.model), "runtime": dict(one.runtime), "device": dict(one.device)}
        for side, one in (("ours", reference), ("device", run))
    }
    return Comparison(
        replayed=False,
        pipeline=run.pipeline, ours=str(reference.folder), device=str(run.folder), facts=facts,
        stages=tuple(_stage(name, run, reference, known) for name in run.stages if run.cases or reference.cases),
        mismatches=tuple(mismatches.values()), monitors=monitors,
        notes=(
            "two recordings were compared: a stage that differs may have been handed something else",
            *((few,) if few else ()),
        ),
    )  # fmt: skip


def _gathered(run: GoldenRun, reference: GoldenRun, meanings: Meanings) -> Gathered:
    """What tensors are like that cannot be held against each other: withheld ones, and those of other cases."""
    gathered = Gathered()
    shared = {case.name for case, _ in _cases(run, reference)}
    if shared:
        for case, other in _cases(run, reference):
            known = {(one.stage, one.name): one for one in other.tensors}
            for one in case.tensors:
                mine = known.get((one.stage, one.name))
                if mine is not None and (one.withheld or mine.withheld) and one.aggregates | mine.aggregates:
                    _watch(gathered.device, run, case, one, meanings)
                    _watch(gathered.ours, reference, other, mine, meanings)
        return gathered
    for side, add in ((run, gathered.device), (reference, gathered.ours)):
        for case in side.cases:
            for one in case.tensors:
                _watch(add, side, case, one, meanings)
    return gathered


def _watch(add: Add, run: GoldenRun, case: Case, one: Recorded, meanings: Meanings) -> None:
    """Values in one piece where they are small or strings; else what the recorder's own sums give."""
    meaning = meanings.get((one.stage, one.name), Meaning())
    if not one.withheld and (one.size <= MOST // 8 or one.dtype == "string"):
        add(one.stage, one.name, meaning, case.name, summarised(run.values(case.name, one), meaning, one.stage))
        return
    told = run.aggregates(case.name, one)
    if told is not None:
        add(one.stage, one.name, meaning, case.name, summary(told, one.shape, one.dtype, meaning, one.stage))


def _stage(name: str, run: GoldenRun, reference: GoldenRun, meanings: Meanings) -> StageCompared:
    kept: list[TensorCompared] = []
    compared: set[str] = set()
    differing: set[str] = set()
    reasons: dict[str, None] = {}
    for case, other in _cases(run, reference):
        known = {one.name: one for one in other.of(name)}
        for one in case.of(name):
            mine = known.get(one.name)
            if mine is None:
                continue
            if one.withheld or mine.withheld:
                same = one.sha256 is not None and one.sha256 == mine.sha256
                reasons |= {} if same else {f"the values of '{one.name}' are withheld": None}
                compared |= {case.name} if same else set()
                continue
            found = _tensor(run, reference, case, one, mine, meanings)
            compared.add(case.name)
            differing |= {case.name} if found.beyond else set()
            kept = worst([*kept, found])
    if not compared:
        reasons.setdefault(_apart(run, reference), None)
    state: State = "differs" if differing else "same" if compared else "not compared"
    return StageCompared(
        name=name, state=state, reason="" if differing else "; ".join(reasons), tensors=tuple(kept),
        cases=len(compared), differing=len(differing),
    )  # fmt: skip


def _apart(run: GoldenRun, reference: GoldenRun) -> str:
    if any(True for _ in _cases(run, reference)):
        return "no case has tensors of it on both sides"
    return "no case is on both sides: only what its tensors are like was compared"


def _tensor(
    run: GoldenRun, reference: GoldenRun, case: Case, one: Recorded, mine: Recorded, meanings: Meanings
) -> TensorCompared:
    exactness = tolerance.coarser(str(reference.runtime.get("precision", "")), str(run.runtime.get("precision", "")))
    meaning = meanings.get((one.stage, one.name), Meaning())
    limit = tolerance.of(meaning, one.dtype, None if one.stage == INPUT else exactness)
    found = _figures(run, reference, case.name, one, mine)
    integer = not one.dtype.startswith(("float", "bfloat"))
    beyond = judge(found, limit, meaning, integer=integer)
    small = beyond and max(one.size, mine.size) <= MOST // 8
    both = (reference.values(case.name, mine), run.values(case.name, one)) if small else None
    return TensorCompared(
        case=case.name, stage=one.stage, name=one.name, dtype=one.dtype, figures=found, tolerance=limit, beyond=beyond,
        needed=needed(found, limit, meaning, integer=integer) if beyond and not found.problem else None,
        units=units(found, meaning, one.dtype), where=where(*both, meaning) if both else "",
        decision=decision(*both, meaning) if both else "",
    )  # fmt: skip


def _figures(run: GoldenRun, reference: GoldenRun, case: str, one: Recorded, mine: Recorded) -> Figures:
    if one.dtype != mine.dtype or one.shape != mine.shape or one.dtype == "string":
        return figures(reference.values(case, mine), run.values(case, one))
    return over(lambda: zip(blocks(reference, case, mine), blocks(run, case, one), strict=True))


def _cases(run: GoldenRun, reference: GoldenRun) -> Iterator[tuple[Case, Case]]:
    known = {case.name: case for case in reference.cases}
    for case in run.cases:
        if case.name in known:
            yield case, known[case.name]


def _mismatches(run: GoldenRun, reference: GoldenRun) -> Iterator[Mismatch]:
    for names, kind, say in (
        ([one for one in run.stages if one not in reference.stages], "extra", "only {run} has the stage"),
        ([one for one in reference.stages if one not in run.stages], "missing", "only {reference} has the stage"),
    ):
        for name in names:
            text = say.format(run=run.folder.name, reference=reference.folder.name)
            yield Mismatch(stage=name, kind="extra" if kind == "extra" else "missing", say=text, case="")
    for case, other in _cases(run, reference):
        here, there = ({(t.stage, t.name) for t in one.tensors} for one in (case, other))
        for stage, name in sorted(there - here):
            yield Mismatch(stage=stage, kind="missing", say=f"'{name}' is not in the recording", case=case.name)
        for stage, name in sorted(here - there):
            yield Mismatch(stage=stage, kind="extra", say=f"'{name}' is not in the reference", case=case.name)
