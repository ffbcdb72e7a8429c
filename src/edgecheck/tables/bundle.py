"""The bundle in the wheel: every table compiled, read a target and an op at a time.

Layout: one JSON object a line. The first line is the index: for each target where its header and each of its
ops lie (offset and length in bytes, counted behind the index line), and the devices. A limit that several ops of
a target have is a line of its own, and they hold its place. So a check reads a few kilobytes, whatever the number of
targets.
"""

from __future__ import annotations

import json
import mmap
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from edgecheck.errors import EdgecheckError, TableError
from edgecheck.tables.optable import OpTable, from_compiled

BUNDLE = Path(__file__).with_name("bundle.jsonl")


def source_folder() -> Path | None:
    """`op_tables/` of a source checkout, where there is one."""
    folder = Path(__file__).parents[3] / "op_tables"
    return folder if (folder / "targets").is_dir() else None


def compile_folder(folder: Path) -> bytes:
    """The bundle of `folder` (op_tables/); raises `TableError` with the place where the format is broken."""
    import tomllib

    from edgecheck.tables.compiled import compile_table

    body = bytearray()
    targets: dict[str, Any] = {}

    def put(value: Any) -> list[int]:
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode() + b"\n"
        body.extend(line)
        return [len(body) - len(line), len(line)]

    probes = _probe_names(folder / "evidence")
    for path in sorted((folder / "targets").glob("*.toml")):
        document = _toml(path, tomllib.loads)
        header, ops = compile_table(document, where=path.name)
        if header["id"] != path.stem:
            raise TableError(f"{path.name}: 'target.id' is {header['id']!r}; the file's name says {path.stem!r}")
        _add_probes(header, ops, probes)
        _share(ops, put)
        places = {op: put(entries) for op, entries in ops.items()}
        about = {"format": header["format"], "title": header["title"]}
        targets[header["id"]] = {**about, "header": put(header), "ops": places}
    devices = folder / "devices.toml"
    catalogue = put(_toml(devices, tomllib.loads) if devices.is_file() else {})
    index = {"schema": "edgecheck.tables/1", "targets": targets, "devices": catalogue}
    return json.dumps(index, separators=(",", ":")).encode() + b"\n" + bytes(body)


def _toml(path: Path, loads: Any) -> Any:
    try:
        return loads(path.read_text("utf-8"))
    except ValueError as error:
        raise TableError(f"{path.name}: {error}") from None


def _probe_names(folder: Path) -> dict[tuple[str, str, str], list[str]]:
    """(target, op, limit or "") → the names of the probes that measured it, two of each side."""
    found: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    probe = json.loads(line)
                    key = (probe["target"], probe["op"], probe.get("limit") or "")
                    conclusive = probe["verdict"] in {"supported", "fallback", "rejected"}
                except (ValueError, KeyError, TypeError) as error:
                    raise TableError(f"evidence/{path.name}:{number}: not a probe result ({error})") from None
                sides = found.setdefault(key, {})
                names = sides.setdefault(str(probe.get("side", "base")), [])
                if conclusive and len(names) < 1:
                    names.append(f"probe {probe['probe']} ({probe['oracle']} {probe['version']})")
    return {key: [name for side in sorted(sides) for name in sides[side]] for key, sides in found.items()}


def _add_probes(
    header: dict[str, Any], ops: Mapping[str, list[dict[str, Any]]], probes: Mapping[tuple[str, str, str], list[str]]
) -> None:
    for op, entries in ops.items():
        for entry in entries:
            names = probes.get((header["id"], op, ""))
            if names:
                entry["probes"] = names
            for i, one in enumerate(entry["limit"]):
                names = probes.get((header["id"], op, one["id"]))
                if names:
                    entry["limit"][i] = {**one, "probes": names}
    of_any_op: dict[str, list[str]] = {}
    for (target, _, limit), names in sorted(probes.items()):
        if target == header["id"] and limit:
            of_any_op.setdefault(limit, names)
    header["limits"] = [
        {**one, "probes": of_any_op[one["id"]]} if one["id"] in of_any_op else one for one in header["limits"]
    ]


def _share(ops: Mapping[str, list[dict[str, Any]]], put: Callable[[Any], list[int]]) -> None:
    """A limit that several ops of a target have is one line of the bundle; they hold its place."""
    texts = {
        id(one): json.dumps(one, default=str) for entries in ops.values() for entry in entries for one in entry["limit"]
    }
    often = Counter(texts[id(one)] for entries in ops.values() for entry in entries for one in entry["limit"])
    places: dict[str, list[int]] = {}
    for entries in ops.values():
        for entry in entries:
            for i, one in enumerate(entry["limit"]):
                text = texts[id(one)]
                if often[text] > 1 and len(text) > _SHORT:
                    if text not in places:
                        places[text] = put(one)
                    entry["limit"][i] = places[text]


_SHORT = 100  # characters of a limit that its place would hardly shorten


def write(folder: Path, out: Path = BUNDLE) -> Path:
    """Compile `folder` into the bundle file."""
    content = compile_folder(folder)
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(out)
    return out


class _Body:
    """What follows the index line of the mapped bundle: nothing is read before it is asked for."""

    def __init__(self, content: mmap.mmap, start: int) -> None:
        self._content, self._start = content, start

    def read(self, place: Sequence[int]) -> Any:
        """The JSON object at (offset, length)."""
        start = self._start + place[0]
        return json.loads(self._content[start : start + place[1]])


class _Ops(Mapping[str, list[Mapping[str, Any]]]):
    """The ops of one target, each parsed when it is asked for."""

    def __init__(self, body: _Body, places: Mapping[str, list[int]]) -> None:
        self._body, self._places = body, places
        self._shared: dict[int, Mapping[str, Any]] = {}

    def __getitem__(self, op: str) -> list[Mapping[str, Any]]:
        entries: list[Mapping[str, Any]] = self._body.read(self._places[op])
        return [{**entry, "limit": [self._limit(one) for one in entry["limit"]]} for entry in entries]

    def _limit(self, one: Any) -> Any:
        """The limit, or what stands at its place: parsed once."""
        if not isinstance(one, list):
            return one
        if one[0] not in self._shared:
            self._shared[one[0]] = self._body.read(one)
        return dict(self._shared[one[0]])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@cache
def _opened() -> tuple[dict[str, Any], _Body]:
    """Index and body; in a source checkout the bundle is made again when a table, or what compiles it, is newer."""
    folder = source_folder()
    if folder is not None and _stale(folder):
        write(folder)
    if not BUNDLE.is_file():
        raise EdgecheckError(
            "the bundle of op tables is missing from this installation",
            code=3,
            help="pip install --force-reinstall edgecheck-ml",
        )
    with BUNDLE.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    line = content.find(b"\n") + 1
    return json.loads(content[:line]), _Body(content, line)


def _stale(folder: Path) -> bool:
    if not BUNDLE.is_file():
        return True
    made = BUNDLE.stat().st_mtime_ns
    files = [
        *folder.glob("targets/*.toml"),
        *folder.glob("evidence/*.jsonl"),
        folder / "devices.toml",
        folder / "targets",
        *Path(__file__).parent.glob("*.py"),
    ]
    return any(path.stat().st_mtime_ns > made for path in files if path.exists())


def targets(format: str | None = None) -> list[str]:
    """The ids of the bundled targets, of one model format or of all."""
    index, _ = _opened()
    return sorted(id for id, entry in index["targets"].items() if format in (None, entry["format"]))


def deciding(format: str) -> list[str]:
    """The targets of a format whose tables hold a fact; one where nothing is measured yet is asked by name only."""
    index, _ = _opened()
    return sorted(id for id, entry in index["targets"].items() if entry["format"] == format and entry["ops"])


def load(target: str) -> OpTable:
    """The table of one target; raises `EdgecheckError` naming the near misses when there is none."""
    index, body = _opened()
    entry = index["targets"].get(target)
    if entry is None:
        import difflib

        near = difflib.get_close_matches(target, index["targets"], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`edgecheck ops` lists them"
        raise EdgecheckError(f"there is no target '{target}'", help=hint)
    return from_compiled(body.read(entry["header"]), _Ops(body, entry["ops"]))


def raw_devices() -> dict[str, Any]:
    """`devices.toml` as it was read."""
    index, body = _opened()
    devices: dict[str, Any] = body.read(index["devices"])
    return devices
