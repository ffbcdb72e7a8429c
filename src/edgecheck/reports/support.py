"""The support browser: every op table as one page that needs no server: op × target, and behind each cell its facts."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecheck.tables.devices import Device
from edgecheck.tables.optable import OpTable
from edgecheck.tables.versions import order

FORMATS = {"tflite": "TFLite", "onnx": "ONNX", "coreml": "Core ML", "executorch": "ExecuTorch"}


class _Strings:
    """Strings once each, by number: the same source stands behind a thousand facts."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, text: str | None) -> int:
        return self.numbers.setdefault(text or "", len(self.numbers))


def page(tables: Sequence[OpTable], devices: Sequence[Device], *, version: str) -> str:
    """The whole page; `version` is edgecheck's."""
    folder = Path(__file__).parent
    content = json.dumps(data(tables, devices), ensure_ascii=False, separators=(",", ":"))
    packed = base64.b64encode(gzip.compress(content.encode(), 9, mtime=0)).decode()
    facts = sum(table.facts for table in tables)
    about = f"{len(tables)} targets, {facts:,} facts, each with its place; {len(devices)} devices; edgecheck {version}"
    return (folder / "support.html").read_text("utf-8").format(
        style=(folder / "support.css").read_text("utf-8"),
        script=(folder / "support.js").read_text("utf-8"),
        about=html.escape(about),
        data=packed,
    )  # fmt: skip


def data(tables: Sequence[OpTable], devices: Sequence[Device]) -> dict[str, Any]:
    """What the page shows, texts as numbers into `strings`: `{"formats", "targets", "devices", "ops", "order", …}`."""
    strings = _Strings()
    offered: dict[str, list[str]] = {}
    for device in devices:
        for target in dict.fromkeys(one.id for one in device.targets):
            offered.setdefault(target, []).append(device.id)
    ops = {
        table.id: {op: [_entry(table, raw, strings) for raw in table.raw_ops[op]] for op in table.ops}
        for table in tables
    }
    limits = {table.id: [_own_limit(table, one, strings) for one in table.limits] for table in tables}
    shown = [_device(device) for device in devices]
    facts = [one for held in ops.values() for entries in held.values() for entry in entries
             for one in (entry, *entry.get("l", ()))]  # fmt: skip
    facts += [one for held in limits.values() for one in held]
    spelled = {one[key] for one in facts for key in ("since", "removed") if key in one}
    spelled |= {one for table in tables for one in table.versions}
    spelled |= {one["version"] for device in shown for one in device["targets"] if one["version"]}
    return {
        "formats": FORMATS,
        "targets": [_target(table, offered.get(table.id, ())) | {"limits": limits[table.id]} for table in tables],
        "devices": shown,
        "ops": ops,
        "order": {one: order(one) for one in sorted(spelled)},  # what comes before what on an axis
        "strings": list(strings.numbers),
    }


def _target(table: OpTable, devices: Iterable[str]) -> dict[str, Any]:
    return {
        "id": table.id, "title": table.title, "format": table.format, "axis": table.version_axis,
        "versions": list(table.versions), "miss": table.on_miss if table.closed_world else "unknown",
        "notes": table.notes, "facts": table.facts, "devices": list(devices), "partition": table.partition,
    }  # fmt: skip


def _device(device: Device) -> dict[str, Any]:
    targets = [{"id": one.id, "version": one.version} for one in device.targets]
    return {
        "id": device.id, "title": device.title, "kind": device.kind, "os": device.os, "chip": device.chip,
        "targets": targets,
    }  # fmt: skip


def _entry(table: OpTable, raw: Mapping[str, Any], strings: _Strings) -> dict[str, Any]:
    made: dict[str, Any] = {"s": _cited(table, raw.get("source", ()), raw.get("probes", ()), strings)}
    for short, key in (("v", "verdict"), ("since", "since"), ("removed", "removed"), ("opv", "op_version")):
        if raw.get(key) not in (None, "supported"):
            made[short] = raw[key]
    for short, key in (("say", "say"), ("note", "note"), ("help", "help"), ("when", "when_text")):
        if raw.get(key):
            made[short] = strings(raw[key])
    if raw.get("limit"):
        made["l"] = [_limit(table, one, strings) for one in raw["limit"]]
    return made


def _limit(table: OpTable, raw: Mapping[str, Any], strings: _Strings) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": raw["id"], "t": strings(raw.get("text")), "say": strings(raw.get("say")),
        "s": _cited(table, raw.get("source", ()), raw.get("probes", ()), strings),
    }  # fmt: skip
    made["o"] = "unknown" if raw.get("opaque") else raw.get("otherwise", "fallback")
    for key in ("since", "removed"):
        if raw.get(key):
            made[key] = raw[key]
    if raw.get("when") is not None:
        made["where"] = True  # it speaks of some nodes only
    if raw.get("help"):
        made["help"] = strings(raw["help"])
    return made


def _own_limit(table: OpTable, limit: Any, strings: _Strings) -> dict[str, Any]:
    """A limit of the whole table."""
    raw = {
        name: getattr(limit, name) for name in ("id", "text", "say", "source", "probes", "opaque", "otherwise", "help")
    }
    return _limit(table, raw | {"since": limit.since, "removed": limit.removed, "when": limit.when}, strings)


def _cited(table: OpTable, sources: Iterable[str], probes: Iterable[str], strings: _Strings) -> list[int]:
    return [strings(table.cite(one)) for one in sources] + [strings(one) for one in probes]
