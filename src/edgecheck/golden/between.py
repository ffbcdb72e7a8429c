"""Two recordings held against each other, stage by stage, without running anything: a canary, a shadow, another device.

Nothing is replayed, so a stage that differs may only have been handed something else; the first one that differs is
where to look. Large tensors are read in blocks: the memory does not grow with the run.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.golden import Case, GoldenRun, Recorded, tolerance
from edgecheck.golden.blocks import blocks
from edgecheck.golden.compared import Comparison, Mismatch, StageCompared, State, TensorCompared
from edgecheck.golden.describing import MOST, units, where
from edgecheck.golden.judging import worst
from edgecheck.golden.measure import Figures, figures, judge, needed, over
from edgecheck.pipeline import INPUT, Meaning


def compare(run: GoldenRun, reference: GoldenRun) -> Comparison:
    """`run` against `reference`, which takes the place of ours."""
    mismatches = {(one.stage, one.kind, one.say): one for one in _mismatches(run, reference)}
    facts = {
        side: {"model": dict(one.model), "runtime": dict(one.runtime), "device": dict(one.device)}
        for side, one in (("ours", reference), ("device", run))
    }
    return Comparison(
        replayed=False,
        pipeline=run.pipeline, ours=str(reference.folder), device=str(run.folder), facts=facts,
        stages=tuple(_stage(name, run, reference) for name in run.stages),
        mismatches=tuple(mismatches.values()),
        notes=("two recordings were compared: a stage that differs may have been handed something else",),
    )  # fmt: skip


def _stage(name: str, run: GoldenRun, reference: GoldenRun) -> StageCompared:
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
                reasons |= {} if same else {f"'{one.name}': its values are withheld": None}
                compared |= {case.name} if same else set()
                continue
            found = _tensor(run, reference, case, one, mine)
            compared.add(case.name)
            differing |= {case.name} if found.beyond else set()
            kept = worst([*kept, found])
    if not compared:
        reasons.setdefault("no case has tensors of it on both sides", None)
    state: State = "differs" if differing else "same" if compared else "not compared"
    return StageCompared(
        name=name, state=state, reason="" if differing else "; ".join(reasons), tensors=tuple(kept),
        cases=len(compared), differing=len(differing),
    )  # fmt: skip


def _tensor(run: GoldenRun, reference: GoldenRun, case: Case, one: Recorded, mine: Recorded) -> TensorCompared:
    exactness = tolerance.coarser(str(reference.runtime.get("precision", "")), str(run.runtime.get("precision", "")))
    limit = tolerance.of(Meaning(), one.dtype, None if one.stage == INPUT else exactness)
    found = _figures(run, reference, case.name, one, mine)
    integer = not one.dtype.startswith(("float", "bfloat"))
    beyond = judge(found, limit, Meaning(), integer=integer)
    return TensorCompared(
        case=case.name, stage=one.stage, name=one.name, dtype=one.dtype, figures=found, tolerance=limit, beyond=beyond,
        needed=needed(found, limit, Meaning(), integer=integer) if beyond and not found.problem else None,
        units=units(found, Meaning(), one.dtype), where=_where(run, reference, case.name, one, mine) if beyond else "",
    )  # fmt: skip


def _figures(run: GoldenRun, reference: GoldenRun, case: str, one: Recorded, mine: Recorded) -> Figures:
    if one.dtype != mine.dtype or one.shape != mine.shape or one.dtype == "string":
        return figures(reference.values(case, mine), run.values(case, one))
    return over(lambda: zip(blocks(reference, case, mine), blocks(run, case, one), strict=True))


def _where(run: GoldenRun, reference: GoldenRun, case: str, one: Recorded, mine: Recorded) -> str:
    """Only of tensors that fit in little memory."""
    if max(one.size, mine.size) > MOST // 8:
        return ""
    return where(reference.values(case, mine), run.values(case, one), Meaning())


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
