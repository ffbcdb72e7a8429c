"""Verdicts of nodes as findings: one for each cause, worst first, with its place and number of nodes."""

from __future__ import annotations

import re
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
    rewrites: Callable[[Node, str], Sequence[str]] = lambda node, why: (),
) -> Iterator[Finding]:
    """One finding per cause, worst first, with its number of nodes.

    A cause is a limit that an operator fails; of several operators where all is said in the same words but for the
    tensors' names, or where the limit is the whole target's. `rewrites` names what `edgecheck fix` knows for an
    operator: the way out where the table has none.
    """
    on_the_file = {limit.id for limit in target.table.limits if not _reads_the_node(limit.require)}
    for group in _causes(target, verdicts):
        first = group[0]
        rule, severity = _RULES[first.verdict]
        yield Finding(
            rule=rule,
            severity=severity,
            message=_message(group, target, first.limit in on_the_file),
            model=str(model.path),
            target=target.table.id,
            device=device,
            place=place(first.node),
            evidence=first.evidence,
            help=first.help or _rewritable(group, target, rewrites),
            count=len(group),
        )


def _causes(target: TargetPoint, verdicts: Sequence[NodeVerdict]) -> list[list[NodeVerdict]]:
    """What is not supported, by cause: the worst first, else in the order of the file."""
    of_all = {limit.id for limit in target.table.limits}
    of_one_op: dict[tuple[str, str, str], list[NodeVerdict]] = {}
    for one in verdicts:
        if one.verdict != "supported":
            subject = "" if one.limit in of_all else one.node.op
            of_one_op.setdefault((one.verdict, subject, one.limit or one.reason or ""), []).append(one)
    causes: dict[tuple[str | None, ...], list[NodeVerdict]] = {}
    for group in of_one_op.values():
        first = group[0]
        words = _unlisted(first) or _NAME.sub("''", first.reason or "")
        causes.setdefault((first.verdict, words, first.help), []).extend(group)
    return sorted(causes.values(), key=lambda group: -VERDICTS.index(group[0].verdict))


_NAME = re.compile("'[^']*'")


def _message(group: Sequence[NodeVerdict], target: TargetPoint, on_the_file: bool) -> str:
    first = group[0]
    kinds = list(dict.fromkeys(one.node.op for one in group))
    missing = _unlisted(first)
    subject = "the file" if on_the_file else _named(kinds, 12 if first.limit is None else 3)
    does = _PREDICATES[first.verdict][len(kinds) > 1 and not on_the_file]
    reason = f"they are{missing}" if missing and len(kinds) > 1 else first.reason
    return f"{subject} {does} on {target.table.id}: {reason}"


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
    group: Sequence[NodeVerdict], target: TargetPoint, rewrites: Callable[[Node, str], Sequence[str]]
) -> str | None:
    offered = [rewrites(one.node, one.reason or "") for one in group if one.verdict != "unknown"]
    names = list(dict.fromkeys(name for of_one in offered for name in of_one))
    it = "some of them" if not all(offered) else "it" if len(group) == 1 else "them"
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
