"""A model against an op table: one verdict per node, with reason, evidence and remedy. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from sys import intern
from typing import Any

from edgecheck.errors import EdgecheckError
from edgecheck.model import formats
from edgecheck.model.fed import with_stored_sizes
from edgecheck.model.graph import Model, Node
from edgecheck.results import NodeVerdict, TargetPoint
from edgecheck.tables import bundle, versions
from edgecheck.tables.evaluation import holds
from edgecheck.tables.observed import observed
from edgecheck.tables.optable import VERDICTS, Entry, Limit, OpTable, Verdict
from edgecheck.tables.scope import Edges, Scope, Unknown


def point(table: OpTable, version: str | None = None, settings: Mapping[str, Any] | None = None) -> TargetPoint:
    """The table at `version` (default: the newest) with `settings` over the defaults.

    Raises `EdgecheckError` (2) for a version outside the axis or a setting the target does not have.
    """
    given = dict(settings or {})
    if version is not None:
        _refuse_outside(table, version)
    values = {name: one.default for name, one in table.settings.items() if one.default is not None}
    for name, value in given.items():
        values[name] = _setting(table, name, value)
    chosen = version or (table.versions[-1] if table.versions else None)
    return TargetPoint(table=table, version=chosen, settings=values)


def _refuse_outside(table: OpTable, version: str) -> None:
    known = f"{table.version_axis} {', '.join(table.versions)}"
    if not _VERSION.fullmatch(version):
        raise EdgecheckError(f"'{version}' is no version of {table.id}", help=f"versions: {known}")
    if not table.versions:
        return
    of_its_name = [one for one in table.versions if versions.name(one) == versions.name(version)] or table.versions[:1]
    at, newest = versions.order(version), versions.order(of_its_name[-1])
    if at < versions.order(of_its_name[0]) or at[: len(newest)] > newest:  # 1.31.1 is a release of 1.31
        raise EdgecheckError(f"{table.id}@{version} lies outside what the table knows", help=f"versions: {known}")


def _setting(table: OpTable, name: str, value: Any) -> Any:
    setting = table.settings.get(name)
    if setting is None:
        known = ", ".join(sorted(table.settings)) or "none"
        raise EdgecheckError(f"{table.id} has no setting '{name}'", help=f"its settings: {known}")
    for choice in setting.values:
        if str(choice) == str(value):
            return choice
    if setting.values:
        raise EdgecheckError(
            f"setting {name} of {table.id} cannot be '{value}'", help=f"one of {', '.join(map(str, setting.values))}"
        )
    return int(value) if re.fullmatch(r"-?[0-9]{1,18}", str(value)) else value


#: What may follow the @ of a target: 17, 2.10.1, v75, 1.31.0rc1, litert-2.1.
_VERSION = re.compile(r"(v|[a-z]{2,15}-)?[0-9]{1,9}(\.[0-9]{1,9}){0,5}([.+-]?[a-z][a-z0-9.]{0,15})?")


def _number(target: TargetPoint) -> int | str | None:
    """A point of an axis that counts in whole numbers is one in limits, 17.4 too: `env.version >= 17`."""
    whole = target.version is not None and all(one.isdigit() for one in target.table.versions)
    return versions.order(target.version)[0] if whole and target.version is not None else target.version


def _in_force(item: Entry | Limit, version: str | None) -> bool:
    """Whether a fact holds at a point of the axis."""
    if version is None or (item.since is None and item.removed is None):
        return True
    at = versions.order(version)
    if item.since is not None and versions.order(item.since) > at:
        return False
    return item.removed is None or versions.order(item.removed) > at


_FAR = 32  # nodes between one that is judged and one whose verdict it waits for


def check(model: Model, target: TargetPoint) -> list[NodeVerdict]:
    """A verdict for every node of every graph, in the file's order."""
    fed = _as_fed(model, target)
    if fed is model:
        return _check(model, target)
    remedy = _RESIZE if target.table.stored_sizes else None
    return [_fed(one, node, remedy) for one, node in zip(_check(fed, target), model.nodes, strict=True)]


def _as_fed(model: Model, target: TargetPoint) -> Model:
    """The model with the sizes that the engine takes where the file leaves some open."""
    if target.table.stored_sizes:
        return with_stored_sizes(model)
    if target.table.folds_sizes and model.format == "onnx":
        return formats.with_known_sizes(model)
    return model


def _fed(found: NodeVerdict, node: Node, remedy: str | None) -> NodeVerdict:
    """The verdict on the file's own node; a refusal of sizes that are stored below open ones says what to do."""
    if found.node is node or found.verdict != "rejected":
        return replace(found, node=node)
    return replace(found, node=node, help=found.help or remedy)


_RESIZE = (
    "the file leaves input sizes open: set them (resize_tensor_input) before allocate_tensors, or store ones that fit"
)


def _check(model: Model, target: TargetPoint) -> list[NodeVerdict]:
    edges = Edges.of(model.graphs)
    env = {**target.settings, "version": _number(target), **_file_facts(model)}

    point = repr((env["version"], target.settings))
    held = twins(model)
    done: dict[int, NodeVerdict] = {}
    asked: set[int] = set()
    waiting: list[Node] = []

    def verdict(node: Node) -> str:
        """Of another node that a limit looks at; one that is being judged itself, or far away, is not known."""
        if id(node) not in done and id(node) not in asked and len(waiting) < _FAR:
            asked.add(id(node))
            waiting.append(node)
            scope = Scope(node=node, env=env, edges=edges, verdict=verdict, held=held[id(node)], point=point)
            done[id(node)] = judge(node, target, scope)
            waiting.pop()
        return done[id(node)].verdict if id(node) in done else "unknown"

    for node in model.nodes:
        verdict(node)
    verdicts = _refused_below([done[id(node)] for node in model.nodes], target, model, edges)
    return _after_the_first_miss(verdicts) if target.table.partition == "prefix" else verdicts


@lru_cache(maxsize=2)  # a model, and the same with its stored sizes
def twins(model: Model) -> dict[int, set[str]]:
    """For each node (by its id) a set that it shares with those of equal attributes, types, shapes and quantisation.

    In it goes what is known to hold for one of them, on whatever target, and so for all: digests of near limits.
    """
    shared: dict[str, set[str]] = {}
    return {id(node): shared.setdefault(_signature(node), set()) for node in model.nodes}


def _signature(node: Node) -> str:
    tensors = [
        None if t is None else (t.dtype, t.shape, t.const, t.quantization, t.sparse, t.variable)
        for t in (*node.inputs, *node.outputs)
    ]
    told = None if node.written is None else sorted(node.written)
    return repr((node.op, node.version, node.input_names, len(node.inputs), sorted(node.attrs.items()), told, tensors))


def _refused_below(verdicts: list[NodeVerdict], target: TargetPoint, model: Model, edges: Edges) -> list[NodeVerdict]:
    """Rejected instead of fallback, where the engine behind the target (`falls_to`) does not take the node either."""
    if target.table.falls_to is None or all(one.verdict != "fallback" for one in verdicts):
        return verdicts
    name, _, version = target.table.falls_to.partition("@")
    below = point(bundle.load(name), version or None)
    env = {**below.settings, "version": _number(below), **_file_facts(model)}
    out = []
    for one in verdicts:
        found = (
            judge(one.node, below, Scope(node=one.node, env=env, edges=edges)) if one.verdict == "fallback" else None
        )
        if found is not None and found.verdict == "rejected":
            reason = f"{one.reason}; and {below.table.id} does not take it either: {found.reason}"
            one = replace(one, verdict="rejected", reason=reason, evidence=(*one.evidence, *found.evidence))
        out.append(one)
    return out


def _file_facts(model: Model) -> dict[str, Any]:
    """What limits may ask of the whole file: `env.file_<key>` for the plain values of its metadata."""
    plain = {key: value for key, value in model.metadata.items() if isinstance(value, (int, float, str, bool))}
    facts: dict[str, Any] = {f"file_{key}": value for key, value in plain.items()}
    return facts | {"file_functions": model.metadata.get("functions", ())}


def judge(node: Node, target: TargetPoint, scope: Scope) -> NodeVerdict:
    """The verdict of one node: the best that an entry in force gives it."""
    table = target.table
    entries = table.entries(node.op)
    if not entries and node.subgraphs and node.op in scope.env.get("file_functions", ()):
        return NodeVerdict(node=node, verdict="supported")  # a function of the file: its body is judged, node by node
    if not entries:
        return _miss(node, table, f"{node.op} is not in the table of {table.id}", ())
    best: NodeVerdict | None = None
    for entry in entries:
        verdict = _judge_entry(node, entry, target, scope)
        if verdict is not None and (best is None or VERDICTS.index(verdict.verdict) < VERDICTS.index(best.verdict)):
            best = verdict
    return best or _out_of_range(node, entries, target)


def _judge_entry(node: Node, entry: Entry, target: TargetPoint, scope: Scope) -> NodeVerdict | None:
    """None where the entry does not speak of this node."""
    if not _in_force(entry, target.version):
        return None
    if entry.op_version is not None:
        low, high = entry.op_version
        if node.version is None:
            return NodeVerdict(
                node=node,
                verdict="unknown",
                reason="the operator's version is not known",
                evidence=_cite(target.table, entry),
            )
        if node.version < low or (high is not None and node.version > high):
            return None
    applies = True if entry.when is None else holds(entry.when, scope)
    if applies is False:
        return None
    evidence = _cite(target.table, entry)
    if isinstance(applies, Unknown):
        return NodeVerdict(node=node, verdict="unknown", reason=applies.reason, evidence=evidence, help=entry.help)
    if entry.verdict != "supported":
        said = NodeVerdict(node=node, verdict=entry.verdict, reason=entry.say, evidence=evidence, help=entry.help)
        return _judge_fallback(said, entry, target, scope)
    refused = _judge_limits(node, entry, target, scope) or _judge_of("supported", node, entry, target, scope)
    return refused or NodeVerdict(node=node, verdict="supported", evidence=evidence)


def _judge_limits(node: Node, entry: Entry, target: TargetPoint, scope: Scope) -> NodeVerdict | None:
    """The worst outcome of the limits: the first rejected, else fallback, unless an unknown one could be worse.

    Limits that could reject are asked first, and what cannot change the verdict any more is not asked at all: a
    limit may have to read weights.
    """
    limits = [one for one in (*target.table.limits, *entry.limits) if one.of is None and _in_force(one, target.version)]
    unknown: NodeVerdict | None = None
    for kind in ("rejected", "fallback"):
        for limit in limits:
            if limit.otherwise != kind:
                continue
            outcome = _judge_limit(node, limit, target, scope)
            if outcome is None:
                continue
            if outcome.verdict != "unknown":
                return _judge_fallback(outcome, entry, target, scope)
            unknown = unknown or outcome
        if unknown is not None and kind == "rejected":
            return unknown
    return unknown


def _judge_fallback(found: NodeVerdict, entry: Entry, target: TargetPoint, scope: Scope) -> NodeVerdict:
    """A node that falls back, held against the limits of what runs it then (`of = "fallback"`)."""
    if found.verdict != "fallback":
        return found
    return _judge_of("fallback", found.node, entry, target, scope) or found


def _judge_of(said: str, node: Node, entry: Entry, target: TargetPoint, scope: Scope) -> NodeVerdict | None:
    """The first limit left by a node that the others gave the verdict `said`; an unknown one where none is sure."""
    unknown: NodeVerdict | None = None
    for limit in (*target.table.limits, *entry.limits):
        if limit.of != said or not _in_force(limit, target.version):
            continue
        outcome = _judge_limit(node, limit, target, scope)
        if outcome is not None and outcome.verdict != "unknown":
            return outcome
        unknown = unknown or outcome
    return unknown


def _judge_limit(node: Node, limit: Limit, target: TargetPoint, scope: Scope) -> NodeVerdict | None:
    """None where the limit holds or does not apply."""
    known = intern(limit.near + scope.point) if limit.of_settings else limit.near
    if known in scope.held:
        return None
    left = _left(limit, scope)
    if left is None:
        if known:
            scope.held.add(known)
        return None
    verdict, reason = left
    evidence = tuple(target.table.cite(one) for one in limit.source) + limit.probes
    return NodeVerdict(node=node, verdict=verdict, limit=limit.id, reason=reason, evidence=evidence, help=limit.help)


def _left(limit: Limit, scope: Scope) -> tuple[Verdict, str] | None:
    """What follows where the node is outside the limit, or may be, and why."""
    applies = True if limit.when is None else holds(limit.when, scope)
    if applies is False:
        return None
    if isinstance(applies, Unknown):
        return "unknown", f"{applies.reason}; where it applies: {limit.say}"
    if limit.opaque:
        return "unknown", limit.text
    value = holds(limit.require, scope)
    if value is True:
        return None
    if isinstance(value, Unknown):
        return "unknown", f"{value.reason}; {limit.say}"
    seen = observed(limit.require, scope)
    return limit.otherwise, f"{seen}; {limit.say}" if seen else limit.say


def _cite(table: OpTable, entry: Entry) -> tuple[str, ...]:
    references = entry.source or tuple(dict.fromkeys(one for limit in entry.limits for one in limit.source))[:1]
    return tuple(table.cite(one) for one in references) + entry.probes


def _miss(node: Node, table: OpTable, reason: str, evidence: tuple[str, ...]) -> NodeVerdict:
    if not table.closed_world:
        return NodeVerdict(node=node, verdict="unknown", reason=reason, evidence=evidence)
    listed = tuple(table.cite(name) for name in list(table.sources)[:1])
    return NodeVerdict(
        node=node, verdict=table.on_miss, reason=f"{reason}, which lists every op it takes", evidence=evidence or listed
    )


def _out_of_range(node: Node, entries: Sequence[Entry], target: TargetPoint) -> NodeVerdict:
    """Listed, but no entry speaks of this node at this point of the axis."""
    table = target.table
    ahead = [
        entry.since
        for entry in entries
        if entry.since and target.version and versions.order(entry.since) > versions.order(target.version)
    ]
    if ahead:
        first = min(ahead, key=versions.order)
        reason = f"{node.op} needs {table.version_axis} {first}; {table.id}@{target.version} was asked for"
    elif any(entry.op_version for entry in entries):
        reason = f"version {node.version} of {node.op} is not among those {table.id} takes ({_spans(entries)})"
    else:
        reason = f"no fact of {table.id} about {node.op} covers this node"
    return NodeVerdict(
        node=node,
        verdict=table.on_miss if table.closed_world else "unknown",
        reason=reason,
        evidence=_cite(table, entries[0]),
    )


def _spans(entries: Sequence[Entry]) -> str:
    spans = sorted({entry.op_version for entry in entries if entry.op_version}, key=lambda span: span[0])
    return ", ".join(f"{low}" if low == high else f"{low}..{'' if high is None else high}" for low, high in spans)


def _after_the_first_miss(verdicts: list[NodeVerdict]) -> list[NodeVerdict]:
    """A compiler that maps a prefix leaves everything behind the first miss to the CPU.

    What stands before the first operator it takes (a CAST or QUANTIZE of the input) is no miss.
    """
    missed: NodeVerdict | None = None
    begun = False
    out = []
    for verdict in verdicts:
        if missed is not None and verdict.verdict == "supported":
            reason = f"behind {missed.node.op} '{missed.node.name}', the first op that is not mapped"
            verdict = replace(verdict, verdict="unknown" if missed.verdict == "unknown" else "fallback", reason=reason)
        elif missed is None and begun and verdict.verdict != "supported":
            missed = verdict
        begun = begun or verdict.verdict == "supported"
        out.append(verdict)
    return out
