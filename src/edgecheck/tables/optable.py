"""An op table: one target's facts, read strictly from TOML or lazily from the bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edgecheck.tables.phrases import Tree

Verdict = Literal["supported", "fallback", "rejected", "unknown"]
#: Best first: several entries for one op are alternatives.
VERDICTS: tuple[Verdict, ...] = ("supported", "unknown", "fallback", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A condition on a node and what happens otherwise. `require` None: opaque, always unknown."""

    id: str
    require: Tree
    text: str  # the condition as written, or the opaque sentence
    opaque: bool = False
    otherwise: Verdict = "fallback"
    say: str = ""
    source: tuple[str, ...] = ()
    help: str | None = None
    since: str | None = None
    removed: str | None = None
    when: Tree = None
    of: str | None = None  # asked only of nodes with this verdict: "fallback", "supported"
    probes: tuple[str, ...] = ()
    near: str = ""  # a digest of the condition, where it looks at no weights, names or neighbours: twins share it
    of_settings: bool = False  # a near one that asks of the target's version or settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One fact about an op: from where on it is supported (or refused), and under which limits."""

    op: str
    verdict: Verdict = "supported"
    say: str = ""
    since: str | None = None
    removed: str | None = None
    op_version: tuple[int, int | None] | None = None
    when: Tree = None
    source: tuple[str, ...] = ()
    note: str | None = None
    help: str | None = None
    probes: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting of a target, `--set NAME=VALUE`."""

    default: str | int | float | bool | None = None
    values: tuple[Any, ...] = ()
    help: str = ""


@dataclass(slots=True, kw_only=True)
class OpTable:
    """The facts of one target. `raw_ops` stays as read until an op is asked for."""

    id: str
    title: str
    format: str
    version_axis: str
    versions: tuple[str, ...]
    closed_world: bool
    on_miss: Verdict
    partition: Literal["islands", "largest", "prefix", "whole"]
    notes: str
    settings: Mapping[str, Setting]
    sources: Mapping[str, Mapping[str, Any]]
    limits: tuple[Limit, ...]  # for every listed op
    raw_ops: Mapping[str, list[Mapping[str, Any]]]
    facts: int
    same_processor: bool = False  # what falls back runs on the same processor: a crossing costs next to nothing
    stored_sizes: bool = False  # an input's open dimensions have the sizes that the file stores below them
    folds_sizes: bool = False  # ONNX: an open batch is 1, and what sizes alone decide a constant
    falls_to: str | None = None  # TARGET@VERSION: what runs the nodes that fall back; it may refuse them
    _entries: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    _cited: dict[str, str] = field(default_factory=dict)

    def entries(self, op: str) -> tuple[Entry, ...]:
        """The alternatives for an op; empty when the table does not list it."""
        if op not in self._entries:
            self._entries[op] = tuple(_entry(raw) for raw in self.raw_ops.get(op, ()))
        return self._entries[op]

    @property
    def ops(self) -> list[str]:
        return sorted(self.raw_ops)

    @property
    def oldest_evidence(self) -> str | None:
        """The oldest day on which a source was seen."""
        return min((str(source["seen"]) for source in self.sources.values() if "seen" in source), default=None)

    def cite(self, reference: str) -> str:
        """`report:215` as `ethos-u-vela 5.2.0 SUPPORTED_OPS.md:215`."""
        if reference not in self._cited:
            self._cited[reference] = self._citation(reference)
        return self._cited[reference]

    def _citation(self, reference: str) -> str:
        name, _, place = reference.partition(":")
        source = self.sources.get(name)
        if source is None:
            return reference
        if "package" in source:
            origin = f"{source['package']} {source.get('version', '')}".strip()
        elif "repo" in source:
            origin = "@".join((source["repo"], *filter(None, [source.get("commit", "")[:10]])))
        else:
            return f"{source['url']} {place}".strip()  # a colon behind it would be taken for a part of the address
        where = " ".join(part for part in (origin, str(source.get("path") or source.get("command") or "")) if part)
        return f"{where}:{place}" if place else where


def _entry(raw: Mapping[str, Any]) -> Entry:
    values = dict(raw)
    values["limits"] = tuple(limit(one) for one in values.pop("limit", ()))
    for name in ("source", "probes"):
        values[name] = tuple(values.get(name, ()))
    if values.get("op_version") is not None:
        values["op_version"] = tuple(values["op_version"])
    return Entry(**values)


def limit(raw: Mapping[str, Any]) -> Limit:
    """A limit from its compiled form."""
    return Limit(**{**raw, "source": tuple(raw.get("source", ())), "probes": tuple(raw.get("probes", ()))})


def from_compiled(header: Mapping[str, Any], ops: Mapping[str, list[Mapping[str, Any]]]) -> OpTable:
    """A table from the bundle's header and its ops."""
    values = dict(header)
    values["settings"] = {
        name: Setting(**{**raw, "values": tuple(raw.get("values", ()))}) for name, raw in values["settings"].items()
    }
    values["limits"] = tuple(limit(one) for one in values["limits"])
    values["versions"] = tuple(values["versions"])
    return OpTable(raw_ops=ops, **values)


def every_limit(table: OpTable) -> Iterator[tuple[Entry | None, Limit]]:
    """All limits with the entry they belong to (None: of the whole table)."""
    for one in table.limits:
        yield None, one
    for op in table.ops:
        for entry in table.entries(op):
            for one in entry.limits:
                yield entry, one
