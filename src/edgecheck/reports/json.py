"""The report for programs: schemas `edgecheck.check/1` and `edgecheck.compare/1`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from edgecheck import __version__
from edgecheck.findings import Finding
from edgecheck.golden.compared import ComparedRun, Comparison, pack
from edgecheck.results import CheckedModel, CheckedTarget, NodeVerdict, all_findings

NAME = "json"


def check(
    models: Sequence[CheckedModel], unchecked: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """Sorted as the files and targets were given; byte-identical on a rerun."""
    document = {
        "schema": "edgecheck.check/1",
        "edgecheck": __version__,
        "models": [_model(one) for one in models],
        "findings": [as_json(finding) for finding in all_findings(models, unchecked)],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def compare(
    runs: Sequence[ComparedRun], broken: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """Schema `edgecheck.compare/1`: each run's ladder with its figures, causes and tolerances, and the findings."""
    document = {
        "schema": "edgecheck.compare/1",
        "edgecheck": __version__,
        "runs": [_compared(one.comparison) for one in runs],
        "findings": [as_json(finding) for finding in (*broken, *(f for one in runs for f in one.findings))],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _compared(comparison: Comparison) -> dict[str, Any]:
    first = comparison.first
    plain: dict[str, Any] = _plain({**pack(comparison), "pictures": None})
    return {"first": first.name if first else None, **plain}


def _plain(tree: Any) -> Any:
    """Packed data without its type marks; what has no value is left out, infinities are null."""
    if isinstance(tree, dict):
        if tree.get("$") == "float":
            return None
        kept = {key: _plain(value) for key, value in tree.items() if key != "$"}
        return {key: value for key, value in kept.items() if value not in (None, "", [], {})}
    return [_plain(one) for one in tree] if isinstance(tree, list) else tree


def as_json(finding: Finding) -> dict[str, Any]:
    """A finding with the keys that have a value."""
    values = {name: getattr(finding, name) for name in Finding.__slots__}
    values["evidence"] = list(finding.evidence)
    return {name: value for name, value in values.items() if value not in (None, [])}


def _model(one: CheckedModel) -> dict[str, Any]:
    return {
        "path": str(one.model.path),
        "format": one.model.format,
        "sha256": one.model.sha256,
        "nodes": one.model.node_count,
        "cost": {
            "macs": one.cost.macs,
            "macs_unknown_nodes": one.cost.macs_unknown_nodes,
            "parameters": one.cost.parameters,
            "weight_bytes": one.cost.weight_bytes,
        },
        "targets": [_target(target) for target in one.targets],
    }


def _target(target: CheckedTarget) -> dict[str, Any]:
    table, cut = target.point.table, target.partition
    return {
        "target": table.id,
        "version": target.point.version,
        "devices": list(target.devices),
        "settings": dict(target.point.settings),
        "table": {"facts": table.facts, "oldest_evidence": table.oldest_evidence},
        "summary": {
            **{verdict: target.count(verdict) for verdict in ("supported", "fallback", "rejected", "unknown")},
            "macs_supported": None if cut.macs_supported is None else round(cut.macs_supported, 6),
            "islands": cut.islands,
            "crossing_bytes": cut.crossing_bytes,
        },
        "nodes": [_node(verdict) for verdict in target.verdicts],
    }


def _node(one: NodeVerdict) -> dict[str, Any]:
    node = one.node
    return {
        "graph": node.graph,
        "index": node.index,
        "name": node.name,
        "op": node.op,
        "verdict": one.verdict,
        "limit": one.limit,
        "reason": one.reason,
        "evidence": list(one.evidence),
        "source": node.source,
        "help": one.help,
    }
