"""One line a finding, for grep and editors."""

from __future__ import annotations

from collections.abc import Sequence

from edgecheck.findings import Finding
from edgecheck.reports.words import counted, line
from edgecheck.results import CheckedModel, all_findings

NAME = "concise"


def check(
    models: Sequence[CheckedModel], unchecked: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """`model: place: severity[rule] message (n nodes)`."""
    lines = [
        line(f"{finding.model}: {finding.place or '-'}: {finding.severity}[{finding.rule}] {finding.message}")
        + (f" ({counted(finding)})" if finding.count > 1 else "")
        for finding in all_findings(models, unchecked)
    ]
    return "".join(f"{one}\n" for one in lines)
