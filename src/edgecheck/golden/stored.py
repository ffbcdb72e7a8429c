"""What a store that is no folder holds of a run: a marker, written last, that names every byte of it. Types only.

A run lies at `<pipeline>/<device>/<run>/`: its two files below `data-<hash of the content>-<chance>/`, and the marker
`complete.json` beside that folder. Without the marker there is no run. Data are never written over: another push
has another folder, so whoever reads by a marker reads what it names.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgecheck.errors import FormatError
from edgecheck.golden import GoldenRun
from edgecheck.golden.tensors import FILE

SCHEMA = "edgecheck.stored/1"
MARKER = "complete.json"
MOST_MARKER = 1 << 20  # bytes
FILES = ("run.json", FILE)
SAFE = re.compile(r"[a-z0-9_][a-z0-9._-]{0,219}")
PLACE = re.compile(r"data-[0-9a-f]{16}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One file: how long it is, and what its bytes are."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A run in a store, without its tensors. `removed`: its data are on their way out; nobody sees it."""

    place: str  # the folder of the data, beside the marker
    files: Mapping[str, Content]
    facts: Mapping[str, Any] = field(default_factory=dict)  # what a list shows
    removed: bool = False

    @property
    def size(self) -> int:
        return sum(one.size for one in self.files.values())


def safe(name: str) -> str:
    """A name as part of a key: `Pixel 8` is `pixel-8`. Names that lose a letter so have a piece of their hash."""
    plain = unicodedata.normalize("NFKC", name).lower()
    made = re.sub(r"[^a-z0-9_.]+", "-", plain).replace(".part", "-part").strip("-.")
    lost = re.search(r"[^\w .()/+-]", plain, re.ASCII) is not None or len(made) > 200
    return f"{made[:200].strip('-.')}-{_digest(name)[:8]}".lstrip("-") if lost or not made else made


def address(run: GoldenRun) -> str:
    """`<pipeline>/<device>/<run>` of a run, by its facts and the name of its folder."""
    device = run.device.get("model") or "unknown-device"
    return f"{safe(run.pipeline)}/{safe(device)}/{safe(run.folder.resolve().name)}"


def digest(files: Mapping[str, Content]) -> str:
    """One hash over all files of a run."""
    return _digest("\n".join(f"{name} {files[name].size} {files[name].sha256}" for name in FILES))


def facts(run: GoldenRun) -> dict[str, Any]:
    """What a list shows of a run; the same keys as `edgecheck golden list`."""
    return {
        "pipeline": run.pipeline, "device": run.device.get("model", ""), "time": run.time, "cases": len(run.cases),
        "stages": list(run.stages), "withheld": sum(bool(t.withheld) for case in run.cases for t in case.tensors),
        "launches": len(run.launches),
    }  # fmt: skip


def write(marker: Marker) -> bytes:
    """The marker's bytes: the same for the same marker."""
    files = {name: {"size": one.size, "sha256": one.sha256} for name, one in marker.files.items()}
    raw = {"schema": SCHEMA, "place": marker.place, "files": files, "facts": dict(marker.facts)}
    return (json.dumps(raw | ({"removed": True} if marker.removed else {}), indent=1) + "\n").encode("utf-8")


def parse(content: bytes, where: str) -> Marker:
    """The marker out of its bytes; raises `FormatError`: it comes from outside, and names become paths."""
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError):
        raise FormatError(f"{where} is no JSON") from None
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise FormatError(f"{where} is no {SCHEMA}")
    files = raw.get("files")
    if not isinstance(files, dict) or set(files) != set(FILES):
        raise FormatError(f"{where} does not name {' and '.join(FILES)}")
    place, shown = raw.get("place"), raw.get("facts")
    if not isinstance(place, str) or not PLACE.fullmatch(place) or not isinstance(shown, dict):
        raise FormatError(f"{where} has no place or no facts")
    return Marker(
        place=place, files={name: _content(files[name], where) for name in FILES}, facts=_shown(shown),
        removed=raw.get("removed") is True,
    )  # fmt: skip


def _content(raw: Any, where: str) -> Content:
    size, sha256 = (raw.get("size"), raw.get("sha256")) if isinstance(raw, dict) else (None, None)
    if type(size) is not int or not 0 <= size < 1 << 53:
        raise FormatError(f"{where} has a file without a size")
    if not isinstance(sha256, str) or not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise FormatError(f"{where} has a file without its SHA-256")
    return Content(size=size, sha256=sha256)


def _shown(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The facts, each of its type; what is of another is left empty: they are only shown."""
    texts = {key: value if isinstance(value := raw.get(key), str) else "" for key in ("pipeline", "device", "time")}
    counts = {key: value if type(value := raw.get(key)) is int else 0 for key in ("cases", "withheld", "launches")}
    stages = raw.get("stages")
    names = [one for one in stages if isinstance(one, str)] if isinstance(stages, list) else []
    return {**texts, "cases": counts["cases"], "stages": names, "withheld": counts["withheld"],
            "launches": counts["launches"]}  # fmt: skip


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
