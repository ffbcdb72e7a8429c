"""What people own: the devices of `op_tables/devices.toml`, each with the targets it offers.

What many devices share (an operating system, a chip) is a kit: its targets and sources are those of every device
that names it. `parse` is strict: a key that is not known, a missing one, a wrong type is a sentence with the place.
`every`, `get`, `offering` and `unoffered` read the bundle.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgecheck.errors import EdgecheckError, TableError

KINDS = ("phone", "tablet", "board", "mcu", "desktop", "browser")

_SOURCE = {"repo", "commit", "package", "version", "path", "url", "title", "licence", "seen"}
_DEVICE: Mapping[str, type] = {
    "id": str, "title": str, "kind": str, "os": str, "chip": str, "kits": list, "targets": list, "source": list,
    "note": str,
}  # fmt: skip
_NEEDED = ("id", "title", "kind", "source")
_KIT: Mapping[str, type] = {"targets": list, "source": list, "note": str}
_TARGET: Mapping[str, type] = {"id": str, "version": str, "settings": dict}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTarget:
    """An engine on a device; `version` None: the newest point of the target's axis."""

    id: str
    version: str | None
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`coreml@17`, `ethos-u55 (config=ethos-u55-64)`."""
        settings = ", ".join(f"{key}={value}" for key, value in sorted(self.settings.items()))
        return self.id + (f"@{self.version}" if self.version else "") + (f" ({settings})" if settings else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device. What no source says is None: most vendors do not name an old phone's chip in a lasting place."""

    id: str
    title: str
    kind: str
    os: str | None
    chip: str | None
    targets: tuple[DeviceTarget, ...]
    source: tuple[str, ...]  # ready to print: repository, commit, path and line
    notes: tuple[str, ...]  # its own, then those of its kits


def every() -> list[Device]:
    """The bundled devices by id."""
    from edgecheck.tables import bundle

    return parse(bundle.raw_devices(), where="devices.toml")


def get(name: str) -> Device:
    """The device with this id; raises `EdgecheckError` (2) that names the near misses when there is none."""
    known = {device.id: device for device in every()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`edgecheck devices` lists them"
    raise EdgecheckError(f"there is no device '{name}'", help=hint)


def offering(target: str) -> list[Device]:
    """The bundled devices that offer a target, by id."""
    return [device for device in every() if any(offer.id == target for offer in device.targets)]


def unoffered() -> Mapping[str, str]:
    """Target → why no device of the catalogue offers it."""
    from edgecheck.tables import bundle

    reasons: Mapping[str, str] = bundle.raw_devices().get("unoffered", {})
    return reasons


def lint(found: Sequence[Device], targets: Collection[str], reasons: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each target on no device and without a reason, and for each reason that is not needed."""
    offered = {offer.id for device in found for offer in device.targets}
    for target in sorted(set(targets) - offered - set(reasons)):
        yield f"devices.toml: no device offers {target}, and [unoffered] does not say why"
    for target in sorted(set(reasons) & (offered | (set(reasons) - set(targets)))):
        what = "a device offers it" if target in offered else "there is no such target"
        yield f"devices.toml: [unoffered] names {target}, but {what}"


def parse(document: Mapping[str, Any], *, where: str) -> list[Device]:
    """The devices of a document, sorted by id; raises `TableError` with the place of what is wrong."""
    for key in document:
        if key not in {"source", "kit", "device", "unoffered"}:
            raise TableError(f"{where}: Unexpected key '{key}'; known: device, kit, source, unoffered")
    sources = document.get("source", {})
    for name, source in sources.items():
        for key in source:
            if key not in _SOURCE:
                raise TableError(f"{where}: Unexpected key 'source.{name}.{key}'; known: {', '.join(sorted(_SOURCE))}")
    kits = document.get("kit", {})
    for name, kit in kits.items():
        _needs(kit, _KIT, ("targets", "source"), sources, where, f"kit.{name}")
    found = [_device(raw, kits, sources, where, f"device[{i}]") for i, raw in enumerate(document.get("device", ()))]
    for device in found:
        if sum(other.id == device.id for other in found) > 1:
            raise TableError(f"{where}: the device '{device.id}' stands there twice")
    return sorted(found, key=lambda device: device.id)


def _needs(
    raw: Any, known: Mapping[str, type], needed: Sequence[str], sources: Mapping[str, Any], where: str, place: str
) -> None:
    """Refuse unknown keys, wrong types, missing keys, sources that are not there."""
    _keys(raw, known, where, place)
    for key in needed:
        if not raw.get(key):
            raise TableError(f"{where}: '{place}.{key}' is missing")
    for reference in raw["source"]:
        name = str(reference).partition(":")[0]
        if name not in sources:
            raise TableError(f"{where}: '{place}.source' names {reference!r}, and there is no [source.{name}]")


def _device(
    raw: Mapping[str, Any], kits: Mapping[str, Any], sources: Mapping[str, Any], where: str, place: str
) -> Device:
    _needs(raw, _DEVICE, _NEEDED, sources, where, place)
    if raw["kind"] not in KINDS:
        raise TableError(f"{where}: '{place}.kind' is {raw['kind']!r}; must be one of {', '.join(KINDS)}")
    for name in raw.get("kits", ()):
        if name not in kits:
            raise TableError(f"{where}: '{place}.kits' names {name!r}, and there is no [kit.{name}]")
    named = [(kits[name], f"kit.{name}") for name in raw.get("kits", ())]
    targets = [
        _target(one, where, f"{at}.targets[{i}]")
        for holder, at in [(raw, place), *named]
        for i, one in enumerate(holder.get("targets", ()))
    ]
    if not targets:
        raise TableError(f"{where}: '{place}' offers no target, neither its own nor by a kit")
    references = [reference for holder in (raw, *(kit for kit, _ in named)) for reference in holder["source"]]
    return Device(
        id=raw["id"],
        title=raw["title"],
        kind=raw["kind"],
        os=raw.get("os"),
        chip=raw.get("chip"),
        targets=tuple(_distinct(targets)),
        source=tuple(_cite(sources, reference) for reference in dict.fromkeys(references)),
        notes=tuple(holder["note"] for holder in (raw, *(kit for kit, _ in named)) if "note" in holder),
    )


def _distinct(targets: Iterable[DeviceTarget]) -> list[DeviceTarget]:
    """Each once, by name: a device may name a target that a kit brings too."""
    return sorted({one.name: one for one in targets}.values(), key=lambda one: one.name)


def _target(raw: Any, where: str, place: str) -> DeviceTarget:
    if isinstance(raw, str):
        name, _, version = raw.partition("@")
        return DeviceTarget(id=name, version=version or None, settings={})
    _keys(raw, _TARGET, where, place)
    if "id" not in raw:
        raise TableError(f"{where}: '{place}.id' is missing")
    return DeviceTarget(id=raw["id"], version=raw.get("version"), settings=raw.get("settings", {}))


def _keys(raw: Any, known: Mapping[str, type], where: str, place: str) -> None:
    if not isinstance(raw, Mapping):
        raise TableError(f"{where}: Unexpected type {type(raw).__name__} (expected table) in '{place}'")
    for key, value in raw.items():
        if key not in known:
            raise TableError(f"{where}: Unexpected key '{place}.{key}'; known: {', '.join(sorted(known))}")
        if not isinstance(value, known[key]):
            expected = known[key].__name__
            raise TableError(
                f"{where}: Unexpected type {type(value).__name__} (expected {expected}) in '{place}.{key}'"
            )


def _cite(sources: Mapping[str, Any], reference: str) -> str:
    """`lineage:_data/devices/shiba.yml` as repository, commit and place."""
    name, _, place = reference.partition(":")
    source = sources[name]
    origin = str(source.get("url") or source.get("repo") or f"{source.get('package')} {source.get('version')}")
    commit = f"@{source['commit'][:10]}" if "commit" in source else ""
    joint = ":" if place.isdigit() else "/"  # the path is a file, the place a line of it
    path = joint.join(part for part in (str(source.get("path", "")), place) if part)
    return f"{origin}{commit}: {path}" if path else f"{origin}{commit}"
