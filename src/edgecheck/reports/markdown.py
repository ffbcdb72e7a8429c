"""Markdown, for a comment on a pull request or a job summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgecheck.findings import Finding
from edgecheck.golden.compared import ComparedRun
from edgecheck.reports.words import counted, line, plural, share, size, work
from edgecheck.results import CheckedModel

NAME = "markdown"
_MARKS = {**{ord(sign): f"\\{sign}" for sign in "\\|*_`[]~"}, ord("<"): "&lt;", ord(">"): "&gt;", ord("&"): "&amp;"}


def check(
    models: Sequence[CheckedModel], unchecked: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """A table a model, then its findings."""
    lines = [line for one in models for line in _model(one)]
    lines += ["### Files not checked", "", *map(_finding, unchecked), ""] if unchecked else []
    return "\n".join(lines) + "\n"


def compare(
    runs: Sequence[ComparedRun], broken: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """A table a golden run: its stages; then its findings."""
    lines = [line for one in runs for line in _run(one)]
    lines += ["### Runs not read", "", *map(_finding, broken), ""] if broken else []
    return "\n".join(lines) + "\n"


def _run(one: ComparedRun) -> Iterator[str]:
    compared = one.comparison
    yield f"### {_cell(compared.device)}"
    yield f"{_cell(compared.pipeline)}, against {_cell(compared.ours)}"
    yield ""
    if compared.stages:
        yield "| stage | by itself | cases | differ | worst |"
        yield "|---|---|---:|---:|---|"
    for stage in compared.stages:
        tensors = sorted(stage.tensors, key=lambda t: (bool(t.beyond), t.figures.relative), reverse=True)
        worst = f"{tensors[0].name}: {tensors[0].units or 'equal'}" if tensors else ""
        cells = [stage.name, stage.state, str(stage.cases), str(stage.differing or ""), worst]
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""
    for note in compared.notes:
        yield f"- {_cell(note)}"
    for finding in one.findings:
        yield _finding(finding)
    yield ""


def _model(one: CheckedModel) -> Iterator[str]:
    yield f"### {_cell(one.model.path.name)}"
    yield f"{one.model.format}, {plural(one.model.node_count, 'operator')}, {work(one.cost)}"
    yield ""
    yield "| target | supported | fallback | rejected | unknown | MACs | islands | crossing |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for target in one.targets:
        counts = [str(target.count(verdict)) for verdict in ("supported", "fallback", "rejected", "unknown")]
        cut = target.partition
        cells = [target.point.title, *counts, share(cut.macs_supported), str(cut.islands), size(cut.crossing_bytes)]
        yield f"| {' | '.join(map(_cell, cells))} |"
    yield ""
    for finding in one.all_findings:
        yield _finding(finding)
    yield ""


def _finding(finding: Finding) -> str:
    more = f" ({counted(finding)})" if finding.count > 1 else ""
    place = f" {_cell(finding.place)}" if finding.place else ""
    help = f" **Help:** {_cell(finding.help)}" if finding.help else ""
    return f"- **{finding.severity}[{finding.rule}]** {_cell(finding.message)}{more}{place}{help}"


def _cell(text: str) -> str:
    """Text that no table and no mark-up takes for its own."""
    return line(text).translate(_MARKS)
