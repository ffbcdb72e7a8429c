"""A comparison for a person at a terminal: the ladder of stages, then what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgecheck.findings import Finding
from edgecheck.golden.compared import ComparedRun, Comparison, StageCompared, TensorCompared
from edgecheck.reports.words import block, line, paint, plural, table

_COLOUR = {"same": "ok", "differs": "error", "not compared": "note"}


def compare(
    runs: Sequence[ComparedRun], broken: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """Each run: the ladder, the findings; then a last line for all."""
    lines: list[str] = []
    for one in runs:
        lines += _run(one, verbose, colour)
    for finding in broken:
        lines += [*block(finding, colour=colour, verbose=verbose), ""]
    lines.append(_last(runs, broken, colour))
    return "\n".join(lines) + "\n"


def _run(one: ComparedRun, verbose: bool, colour: bool) -> Iterator[str]:
    compared = one.comparison
    yield f"{paint(line(compared.device), 'bold', colour)}  {line(compared.pipeline)}, against {line(compared.ours)}"
    for note in compared.notes:
        yield f"  note: {line(note)}"
    yield ""
    if compared.stages:
        yield from _ladder(compared.stages, colour)
    if verbose:
        yield from _tensors(compared.stages)
        yield from _monitors(compared)
    yield ""
    for finding in one.findings:
        yield from block(finding, colour=colour, verbose=True)
        yield ""


def _ladder(stages: Sequence[StageCompared], colour: bool) -> Iterator[str]:
    rows = [
        [
            line(one.name),
            one.state,
            str(one.cases),
            str(one.differing) if one.differing else "",
            _least(one.tensors),
            _least(one.along),
        ]
        for one in stages
    ]
    head = ["stage", "by itself", "cases", "differ", "worst by itself", "worst from the start"]
    for number, row in enumerate(table([head, *rows], right=(2, 3))):
        state = stages[number - 1].state if number else "note"
        yield "  " + (paint(row, _COLOUR[state], colour) if state == "differs" else row)


def _least(tensors: Sequence[TensorCompared]) -> str:
    """The tensor that is furthest out, in its own units."""
    if not tensors:
        return ""
    worst = max(tensors, key=lambda one: (bool(one.beyond), one.figures.relative))
    return f"{line(worst.name)}: {worst.units or 'equal'}"


def _tensors(stages: Sequence[StageCompared]) -> Iterator[str]:
    rows = [
        [
            line(stage.name),
            line(one.name),
            one.dtype,
            line(one.case),
            one.units or "equal",
            one.where,
            "; ".join(one.beyond),
        ]
        for stage in stages
        for one in stage.tensors
    ]
    if rows:
        yield ""
        yield from (
            "  " + row for row in table([["stage", "tensor", "type", "case", "difference", "where", "beyond"], *rows])
        )


def _monitors(compared: Comparison) -> Iterator[str]:
    """What tensors are like on both sides, drifted or not."""
    rows = [
        [line(one.stage), line(one.name), "drifted" if one.drifted else "", one.told()] for one in compared.monitors
    ]
    if rows:
        yield ""
        yield from ("  " + row for row in table([["stage", "tensor", "", "what it is like"], *rows]))


def _last(runs: Sequence[ComparedRun], broken: Sequence[Finding], colour: bool) -> str:
    found = [*broken, *(finding for one in runs for finding in one.findings)]
    about = plural(len(runs) + len(broken), "run")
    if not found:
        staged = any(one.comparison.stages for one in runs)
        return paint(f"{about}: {'every stage computes the same' if staged else 'nothing was found'}", "ok", colour)
    counts = [plural(sum(f.severity == s and not f.undecided for f in found), s) for s in ("error", "warning")]
    unknown = sum(finding.undecided for finding in found)
    return f"{about}: {', '.join(counts)}, {unknown} not decided"
