"""Verdicts of nodes as findings: one for each cause, worst first, with its place and number of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edgecheck.findings import Finding, Severity
from edgecheck.model.graph import Model, Node
from edgecheck.results import NodeVerdict, TargetPoint
from edgecheck.tables.optable import VERDICTS, Verdict

_RULES: dict[Verdict, tuple[str, Severity]] = {
    "rejected": ("EC101", "error"),
    "fallback": ("EC102", "warning"),
    "unknown": ("EC901", "note"),
}


def findings(
    model: Model,
    target: TargetPoint,
    verdicts: Sequence[NodeVerdict],
    *,
    device: str | None = None,
    rewrites: Callable[[str], Sequence[str]] = lambda op: (),
) -> Iterator[Finding]:
    """One finding per cause (op and limit; the file for a limit on it), worst first, with its number of nodes.

    `rewrites` names what `edgecheck fix` knows for an operator: the way out where the table has none.
    """
    causes: dict[tuple[str, str, str], list[NodeVerdict]] = {}
    on_the_file = {limit.id for limit in target.table.limits if not _reads_the_node(limit.require)}
    for verdict in verdicts:
        if verdict.verdict != "supported":
            subject = "the file" if verdict.limit in on_the_file else verdict.node.op
            key = (verdict.verdict, subject, verdict.limit or verdict.reason or "")
            causes.setdefault(key, []).append(verdict)
    for (_, op, _), group in sorted(causes.items(), key=lambda item: -VERDICTS.index(item[1][0].verdict)):
        rule, severity = _RULES[group[0].verdict]
        first = group[0]
        yield Finding(
            rule=rule,
            severity=severity,
            message=f"{op} {_PREDICATE[first.verdict]} on {target.table.id}: {first.reason}",
            model=str(model.path),
            target=target.table.id,
            device=device,
            place=place(first.node),
            evidence=first.evidence,
            help=first.help or _rewritable(first, target, rewrites),
            count=len(group),
        )


def _rewritable(found: NodeVerdict, target: TargetPoint, rewrites: Callable[[str], Sequence[str]]) -> str | None:
    names = rewrites(found.node.op) if found.verdict != "unknown" else ()
    return f"`edgecheck fix --target {target.table.id}` may rewrite it ({', '.join(names)})" if names else None


def _reads_the_node(tree: Any) -> bool:
    """Whether a limit asks anything of a node; one that does not speaks of the file, and fails for all of it."""
    if not isinstance(tree, list):
        return False
    of_a_node = {"input", "output", "inputs", "outputs", "attr", "op", "op_version", "graph", "for"}
    return tree[0] in of_a_node or any(_reads_the_node(part) for part in tree[1:])


_PREDICATE: dict[Verdict, str] = {
    "rejected": "is rejected",
    "fallback": "falls back",
    "unknown": "cannot be decided",
    "supported": "runs",
}


def place(node: Node) -> str:
    """`graph 0 node 17 'name' (model.py:23)`."""
    name = f" '{node.name}'" if node.name else ""
    return f"graph {node.graph} node {node.index}{name}" + (f" ({node.source})" if node.source else "")
