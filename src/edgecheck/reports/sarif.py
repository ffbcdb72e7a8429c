"""SARIF 2.1.0, for code-scanning services."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from edgecheck import __version__
from edgecheck.findings import Finding
from edgecheck.reports.words import counted, source_line
from edgecheck.results import CheckedModel, all_findings

NAME = "sarif"
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def check(
    models: Sequence[CheckedModel], unchecked: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """One run; a result a finding, with a fingerprint that survives a change of observed values."""
    found = all_findings(models, unchecked)
    driver = {
        "name": "edgecheck",
        "version": __version__,
        "rules": [{"id": rule} for rule in sorted({finding.rule for finding in found})],
    }
    run = {"tool": {"driver": driver}, "results": [_result(finding) for finding in found]}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _result(finding: Finding) -> dict[str, Any]:
    file, line = source_line(finding)
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(file, safe="/:+@,", errors="surrogateescape")}}
    if line:
        physical["region"] = {"startLine": line}
    text = finding.message + (f" ({counted(finding)})" if finding.count > 1 else "")
    text += f" Help: {finding.help}" if finding.help else ""
    return {
        "ruleId": finding.rule,
        "level": finding.severity,
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": physical,
                "logicalLocations": [{"fullyQualifiedName": finding.place or finding.model or ""}],
            }
        ],
        "partialFingerprints": {"edgecheck/1": _fingerprint(finding)},
        "properties": {"target": finding.target, "device": finding.device, "evidence": list(finding.evidence)},
    }


def _fingerprint(finding: Finding) -> str:
    """Of the cause: rule, target, model and operator, not the observed value."""
    cause = (finding.rule, finding.target or "", finding.model or "", finding.message.partition(":")[0])
    return hashlib.sha256("\0".join(cause).encode("utf-8", "surrogatepass")).hexdigest()[:32]
