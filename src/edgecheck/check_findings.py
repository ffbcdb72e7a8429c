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
    """One finding per cause, worst first, with its number of nodes.

    A cause is an operator and a limit of it; a limit of the whole target is one cause for all that fail it, and one
    that asks nothing of a node speaks of the file. `rewrites` names what `edgecheck fix` knows for an operator: the
    way out where the table has none.
    """
    causes: dict[tuple[str, str, str], list[NodeVerdict]] = {}
    of_all = {limit.id for limit in target.table.limits}
    on_the_file = {limit.id for limit in target.table.limits if not _reads_the_node(limit.require)}
    for verdict in verdicts:
        if verdict.verdict != "supported":
            missing = _unlisted(verdict)
            subject = "" if verdict.limit in of_all or missing else verdict.node.op
            key = (verdict.verdict, subject, missing or verdict.limit or verdict.reason or "")
            causes.setdefault(key, []).append(verdict)
    for group in sorted(causes.values(), key=lambda group: -VERDICTS.index(group[0].verdict)):
        rule, severity = _RULES[group[0].verdict]
        first = group[0]
        kinds = list(dict.fromkeys(one.node.op for one in group))
        missing = _unlisted(first)
        subject = "the file" if first.limit in on_the_file else _named(kinds, 12 if missing else 3)
        does = _PREDICATES[first.verdict][len(kinds) > 1 and subject != "the file"]
        reason = f"they are{missing}" if missing and len(kinds) > 1 else first.reason
        yield Finding(
            rule=rule,
            severity=severity,
            message=f"{subject} {does} on {target.table.id}: {reason}",
            model=str(model.path),
            target=target.table.id,
            device=device,
            place=place(first.node),
            evidence=first.evidence,
            help=first.help or _rewritable(group, target, rewrites),
            count=len(group),
        )


def _unlisted(found: NodeVerdict) -> str:
    """What the reason says after `OP is` of an operator that the table does not list; "" of any other."""
    start = f"{found.node.op} is"
    reason = found.reason or ""
    return reason.removeprefix(start) if reason.startswith(f"{start} not in the table of ") else ""


def _named(kinds: Sequence[str], most: int) -> str:
    """`Conv`, `Conv and Add`, `Conv, Add, Mul and 12 more operators`: in the order of the file."""
    cut = len(kinds) > most + 1
    *names, last = [*kinds[:most], f"{len(kinds) - most} more operators"] if cut else kinds
    return f"{', '.join(names)} and {last}" if names else last


def _rewritable(
    group: Sequence[NodeVerdict], target: TargetPoint, rewrites: Callable[[str], Sequence[str]]
) -> str | None:
    ops = dict.fromkeys(one.node.op for one in group if one.verdict != "unknown")
    names = list(dict.fromkeys(name for op in ops for name in rewrites(op)))
    it = "it" if len(ops) == 1 else "some of them"
    return f"`edgecheck fix --target {target.table.id}` may rewrite {it} ({', '.join(names)})" if names else None


def _reads_the_node(tree: Any) -> bool:
    """Whether a limit asks anything of a node; one that does not speaks of the file, and fails for all of it."""
    if not isinstance(tree, list):
        return False
    of_a_node = {"input", "output", "inputs", "outputs", "attr", "op", "op_version", "graph", "for"}
    return tree[0] in of_a_node or any(_reads_the_node(part) for part in tree[1:])


#: Of one kind of operator, and of several.
_PREDICATES: dict[Verdict, tuple[str, str]] = {
    "rejected": ("is rejected", "are rejected"),
    "fallback": ("falls back", "fall back"),
    "unknown": ("cannot be decided", "cannot be decided"),
    "supported": ("runs", "run"),
}


def place(node: Node) -> str:
    """`graph 0 node 17 'name' (model.py:23)`."""
    name = f" '{node.name}'" if node.name else ""
    return f"graph {node.graph} node {node.index}{name}" + (f" ({node.source})" if node.source else "")
