"""GitHub Actions' workflow commands: annotations on the pull request, then the rows."""

from __future__ import annotations

from collections.abc import Sequence

from edgecheck.findings import Finding
from edgecheck.golden.compared import ComparedRun
from edgecheck.reports.full import check as full
from edgecheck.reports.full import compare as ladder
from edgecheck.reports.words import counted, source_line
from edgecheck.reports.words import line as one_line
from edgecheck.results import CheckedModel, all_findings

NAME = "github"
_LEVEL = {"error": "error", "warning": "warning", "note": "notice"}


def check(
    models: Sequence[CheckedModel], unchecked: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """An annotation a finding, on the user's own line where it is known; then the full report."""
    lines = [annotation(finding) for finding in all_findings(models, unchecked)]
    return (
        "".join(f"{line}\n" for line in lines)
        + "::group::edgecheck\n"
        + full(models, unchecked, verbose=verbose)
        + "::endgroup::\n"
    )


def compare(
    runs: Sequence[ComparedRun], broken: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """An annotation a finding; then the ladders."""
    lines = [annotation(finding) for finding in (*broken, *(f for one in runs for f in one.findings))]
    return (
        "".join(f"{line}\n" for line in lines)
        + "::group::edgecheck\n"
        + ladder(runs, broken, verbose=verbose)
        + "::endgroup::\n"
    )


def annotation(finding: Finding) -> str:
    """One workflow command, escaped as GitHub wants it."""
    file, line = source_line(finding)
    title = f"{finding.rule} {finding.target}" if finding.target else finding.rule
    properties = f"file={_property(file)}" + (f",line={line}" if line else "") + f",title={_property(title)}"
    text = one_line(finding.message) + (f" ({counted(finding)})" if finding.count > 1 else "")
    text += f"\n{one_line(finding.place)}" if finding.place else ""
    text += f"\nhelp: {finding.help}" if finding.help else ""
    return f"::{_LEVEL[finding.severity]} {properties}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
