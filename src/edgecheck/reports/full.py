"""The report for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edgecheck.findings import Finding
from edgecheck.reports.words import amount, block, line, paint, plural, share, size, table, work
from edgecheck.results import CheckedModel, CheckedTarget, all_findings

if TYPE_CHECKING:
    from edgecheck.golden.compared import ComparedRun

NAME = "full"
_COLOUR = {"supported": "ok", "fallback": "warning", "rejected": "error", "unknown": "note"}


def check(
    models: Sequence[CheckedModel], unchecked: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """Each model: what it is, the findings by target, then one row a target and a last line for all."""
    lines: list[str] = []
    for one in models:
        lines += _model(one, verbose, colour)
    for finding in unchecked:
        lines += [*block(finding, colour=colour, verbose=verbose), ""]
    lines.append(_last(models, unchecked, colour))
    return "\n".join(lines) + "\n"


def compare(
    runs: Sequence[ComparedRun], broken: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """Each run: the ladder, the findings; then a last line for all."""
    from edgecheck.reports import ladder  # a check pays for none of it

    return ladder.compare(runs, broken, verbose=verbose, colour=colour)


def _model(one: CheckedModel, verbose: bool, colour: bool) -> Iterator[str]:
    model, cost = one.model, one.cost
    graphs = f" in {plural(len(model.graphs), 'graph')}" if len(model.graphs) > 1 else ""
    macs = work(cost)
    about = f"{model.format}, {plural(model.node_count, 'operator')}{graphs}"
    yield f"{paint(line(str(model.path)), 'bold', colour)}  {about}, {macs}, {amount(cost.parameters)} parameters"
    yield ""
    risks = [finding for finding in one.findings if finding.rule.startswith("EC6")]  # last: they fail nothing
    for finding in one.findings:
        if finding not in risks:
            yield from block(finding, colour=colour, verbose=verbose)
            yield ""
    for target in one.targets:
        for finding in target.findings:
            yield from block(finding, colour=colour, verbose=verbose)
            yield ""
        if verbose:
            yield from _nodes(target, colour)
    for finding in risks:
        yield from block(finding, colour=colour, verbose=verbose)
        yield ""
    yield from _rows(one.targets)
    yield ""


def _nodes(target: CheckedTarget, colour: bool) -> Iterator[str]:
    yield paint(target.point.title, "bold", colour)
    for one in target.verdicts:
        where = f"{one.node.graph}:{one.node.index}"
        verdict = paint(f"{one.verdict:<9}", _COLOUR[one.verdict], colour)
        yield (
            line(f"  {where:>7}  ")
            + verdict
            + line(f"  {one.node.op}  {one.node.name}  {one.node.source or ''}".rstrip())
        )
    yield ""


def _rows(targets: Sequence[CheckedTarget]) -> list[str]:
    head = ["target", "supported", "fallback", "rejected", "unknown", "MACs", "islands", "crossing"]
    rows = [
        [
            one.point.title,
            *(str(one.count(verdict)) for verdict in ("supported", "fallback", "rejected", "unknown")),
            share(one.partition.macs_supported),
            str(one.partition.islands),
            size(one.partition.crossing_bytes),
        ]
        for one in targets
    ]
    return ["  " + row for row in table([head, *rows], right=range(1, 8))]


def _last(models: Sequence[CheckedModel], unchecked: Sequence[Finding], colour: bool) -> str:
    targets = sum(len(one.targets) for one in models)
    about = f"{plural(len(models), 'model')} on {plural(targets, 'target')}"
    left = f"; {plural(len(unchecked), 'file')} not checked" if unchecked else ""
    found = all_findings(models, unchecked)
    if models and all(finding.rule == "EC103" for finding in found):
        return paint(f"{about}: every operator is supported{left}", "ok", colour)
    counts = [plural(sum(f.severity == s and not f.undecided for f in found), s) for s in ("error", "warning")]
    unknown = sum(finding.undecided for finding in found)
    return f"{about}: {', '.join(counts)}, {unknown} not decided{left}"
