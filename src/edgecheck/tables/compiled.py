"""A table from TOML, strictly: unknown keys refused, the place in every error, limits parsed.

The result is the compiled form: plain JSON that the bundle holds and `optable` reads lazily.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from edgecheck.errors import TableError
from edgecheck.tables.language import LanguageError, parse
from edgecheck.tables.phrases import Tree

_TARGET = {
    "id": str,
    "title": str,
    "format": str,
    "version_axis": str,
    "versions": list,
    "closed_world": bool,
    "same_processor": bool,
    "stored_sizes": bool,
    "folds_sizes": bool,
    "falls_to": str,
    "on_miss": str,
    "partition": str,
    "notes": str,
    "settings": dict,
}
_NEEDED = ("id", "format", "version_axis", "versions", "closed_world")
_SOURCE = {
    "package": str,
    "version": str,
    "path": str,
    "command": str,
    "repo": str,
    "commit": str,
    "url": str,
    "title": str,
    "licence": str,
    "seen": object,
    "kind": str,
}
_ENTRY = {
    "op": str,
    "since": str,
    "removed": str,
    "op_version": (str, int),
    "when": str,
    "verdict": str,
    "say": str,
    "source": list,
    "note": str,
    "help": str,
    "limit": list,
}
_LIMIT = {
    "id": str,
    "require": str,
    "opaque": str,
    "otherwise": str,
    "say": str,
    "source": list,
    "help": str,
    "since": str,
    "removed": str,
    "when": str,
    "of": str,
}
_CHOICES = {
    "of": ("supported", "fallback"),
    "format": ("onnx", "tflite", "coreml", "executorch"),
    "on_miss": ("fallback", "rejected"),
    "partition": ("islands", "largest", "prefix", "whole"),
    "otherwise": ("fallback", "rejected"),
    "verdict": ("supported", "fallback", "rejected"),
}


def compile_table(document: Mapping[str, Any], *, where: str) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The compiled header and ops of a table read by `tomllib`; raises `TableError` with the place."""
    _keys(document, {"target": dict, "source": dict, "limit": list, "op": list, "op_limit": list}, where, "")
    target = dict(document.get("target", {}))
    _keys(target, _TARGET, where, "target.", needed=_NEEDED)
    sources = {name: dict(one) for name, one in document.get("source", {}).items()}
    for name, one in sources.items():
        _keys(one, _SOURCE, where, f"source.{name}.")
        if "package" not in one and "repo" not in one and "url" not in one:
            raise TableError(f"{where}: 'source.{name}' names neither a package, nor a repo, nor a url")
        if "seen" in one:
            one["seen"] = str(one["seen"])
    limits = [_limit(raw, where, f"limit[{i}].", sources) for i, raw in enumerate(document.get("limit", ()))]
    ops = _ops(document, where, sources)
    header = {
        "id": target["id"],
        "title": target.get("title", target["id"]),
        "format": target["format"],
        "version_axis": target["version_axis"],
        "versions": [str(version) for version in target["versions"]],
        "closed_world": target["closed_world"],
        "on_miss": target.get("on_miss", "fallback"),
        "partition": target.get("partition", "islands"),
        "same_processor": target.get("same_processor", False),
        "stored_sizes": target.get("stored_sizes", False),
        "folds_sizes": target.get("folds_sizes", False),
        "falls_to": target.get("falls_to"),
        "notes": target.get("notes", ""),
        "settings": target.get("settings", {}),
        "sources": sources,
        "limits": limits,
        "facts": len(limits) + sum(len(entry["limit"]) + 1 for entries in ops.values() for entry in entries),
    }
    return header, ops


def _ops(document: Mapping[str, Any], where: str, sources: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    ops: dict[str, list[dict[str, Any]]] = {}
    for i, raw in enumerate(document.get("op", ())):
        entry = _compiled_entry(raw, where, f"op[{i}].", sources)
        ops.setdefault(entry["op"], []).append(entry)
    for i, raw in enumerate(document.get("op_limit", ())):
        place = f"op_limit[{i}]."
        names = raw.get("ops")
        if not isinstance(names, list) or not names:
            raise TableError(f"{where}: '{place}ops' must list the ops the limit is for")
        shared = _limit({key: one for key, one in raw.items() if key != "ops"}, where, place, sources)
        for name in names:
            if name not in ops:
                raise TableError(f"{where}: '{place}ops' names {name}, which has no [[op]]")
            for entry in ops[name]:
                if entry["verdict"] == shared.get("of") or entry["verdict"] == "supported":
                    entry["limit"].append(shared)
    return ops


#: Functions that look at nothing but a node's attributes and its tensors' types, shapes and quantisation.
_NEAR = frozenset({
    "const", "dtype", "rank", "size", "shape", "shape1", "shape4", "static", "quantized", "per_channel", "sparse",
    "variable", "broadcast", "same", "pow2", "len", "whole", "min", "max", "sum", "prod", "abs", "round", "floor",
    "ceil", "log2", "all", "any", "exists", "known", "written", "canonical", "lone_sums", "einsum_kind",
})  # fmt: skip


def _near(tree: Tree) -> bool:
    """Whether a condition looks only at the node's own types, shapes and attributes: at no weights, no names."""
    if not isinstance(tree, list):
        return True
    if tree[0] in ("graph", "inside", "inner_ops", "given_back", "captures", "ranks_meet") or (
        tree[0] == "call" and tree[1] not in _NEAR
    ):
        return False
    if tree[0] == "get" and tree[2] in ("producer", "consumers", "name"):
        return False
    return all(_near(part) for part in tree[1:])


def _compiled_entry(raw: Mapping[str, Any], where: str, place: str, sources: Mapping[str, Any]) -> dict[str, Any]:
    _keys(raw, _ENTRY, where, place, needed=("op",))
    entry = {key: one for key, one in raw.items() if key not in {"limit", "op_version", "when"}}
    entry["verdict"] = raw.get("verdict", "supported")
    if entry["verdict"] != "supported" and not raw.get("say"):
        raise TableError(f"{where}: '{place}say' must say why {raw['op']} is not supported")
    if "op_version" in raw:
        entry["op_version"] = _span(str(raw["op_version"]), where, place)
    if "when" in raw:
        entry["when"] = _parsed(raw["when"], where, f"{place}when")
    entry["limit"] = [_limit(one, where, f"{place}limit[{j}].", sources) for j, one in enumerate(raw.get("limit", ()))]
    _cited(entry, where, place, sources)
    if not entry.get("source") and not entry["limit"]:
        raise TableError(f"{where}: '{place}source' is missing: every fact has its place")
    return entry


def _limit(raw: Mapping[str, Any], where: str, place: str, sources: Mapping[str, Any]) -> dict[str, Any]:
    _keys(raw, _LIMIT, where, place, needed=("id", "source"))
    if ("require" in raw) == ("opaque" in raw):
        raise TableError(f"{where}: '{place}' must have one of 'require' and 'opaque'")
    made = {key: one for key, one in raw.items() if key not in {"require", "opaque", "when"}}
    made["opaque"] = "opaque" in raw
    made["text"] = raw.get("opaque") or raw["require"]
    made["require"] = None if made["opaque"] else _parsed(raw["require"], where, f"{place}require")
    made["when"] = _parsed(raw["when"], where, f"{place}when") if "when" in raw else None
    if not made["opaque"] and _near(made["require"]) and _near(made["when"]):
        condition = repr((made["require"], made["when"]))
        made["near"] = blake2b(condition.encode(), digest_size=9).hexdigest()
        made["of_settings"] = "'env'" in condition
    made.setdefault("otherwise", "fallback")
    made.setdefault("say", made["text"])
    _cited(made, where, place, sources)
    if not made["source"]:
        raise TableError(f"{where}: '{place}source' is empty: every limit has its place")
    return made


def _parsed(text: str, where: str, place: str) -> Tree:
    try:
        return parse(text)
    except LanguageError as error:
        raise TableError(f"{where}: '{place}': {error}") from None


def _span(text: str, where: str, place: str) -> list[int | None]:
    low, dots, high = text.partition("..")
    if not low.isdigit() or (high and not high.isdigit()):
        raise TableError(f'{where}: \'{place}op_version\' is {text!r}; write "7..12", "13.." or "1"')
    return [int(low), int(high) if high else None if dots else int(low)]


def _cited(raw: Mapping[str, Any], where: str, place: str, sources: Mapping[str, Any]) -> None:
    for reference in raw.get("source", ()):
        name = str(reference).partition(":")[0]
        if not isinstance(reference, str) or name not in sources:
            raise TableError(f"{where}: '{place}source' names {reference!r}, and there is no [source.{name}]")


def _keys(raw: Any, known: Mapping[str, Any], where: str, place: str, *, needed: tuple[str, ...] = ()) -> None:
    if not isinstance(raw, Mapping):
        raise TableError(f"{where}: '{place.rstrip('.')}' must be a table")
    for key, value in raw.items():
        if key not in known:
            raise TableError(f"{where}: Unexpected key '{place}{key}'; known: {', '.join(sorted(known))}")
        if not isinstance(value, known[key]):
            expected = getattr(known[key], "__name__", "str")
            raise TableError(f"{where}: Unexpected type {type(value).__name__} (expected {expected}) in '{place}{key}'")
        if key in _CHOICES and value not in _CHOICES[key]:
            raise TableError(f"{where}: '{place}{key}' is {value!r}; must be one of {', '.join(_CHOICES[key])}")
    for key in needed:
        if key not in raw:
            raise TableError(f"{where}: '{place}{key}' is missing")
