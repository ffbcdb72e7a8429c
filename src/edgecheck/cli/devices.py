"""`edgecheck devices`: what people own, and what it offers."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgecheck.check import point
from edgecheck.cli import output
from edgecheck.errors import EdgecheckError
from edgecheck.reports.words import table
from edgecheck.tables import bundle, devices

HELP = "List devices, or what one of them offers."
EPILOG = """examples:
  edgecheck devices                    every device by kind, a line each
  edgecheck devices --kind phone
  edgecheck devices --target ethos-u55
  edgecheck devices pixel-8            chip, system, targets with what their tables hold, and where that stands
  edgecheck devices --output-format json
"""
FORMATS = ("full", "json")
_PLURAL = {"phone": "phones", "tablet": "tablets", "desktop": "desktops and laptops", "browser": "browsers",
           "board": "boards", "mcu": "microcontrollers"}  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("device", nargs="?", metavar="DEVICE", help="a device's id")
    parser.add_argument("--kind", help=f"only this kind: {', '.join(devices.KINDS)}")
    parser.add_argument("--target", metavar="TARGET", help="only devices that offer this target")
    parser.add_argument("--output-format", choices=FORMATS, metavar="FORMAT", help="full (default) or json")
    parser.add_argument("--output-file", type=Path, metavar="FILE", help="write it there instead of stdout")


def run(arguments: argparse.Namespace) -> int:
    """Print the list, or one device."""
    chosen = _chosen(arguments.device, arguments.kind, arguments.target)
    if output.chosen_format(arguments, FORMATS) == "json":
        document = {"schema": "edgecheck.devices/1", "devices": [_record(device) for device in chosen]}
        text = json.dumps(document, indent=1, ensure_ascii=False)
    elif arguments.device is not None:
        text = "\n".join(_one(chosen[0]))
    else:
        text = "\n".join(_list(chosen, arguments.target))
    output.write(text, arguments.output_file)
    return 0


def _chosen(device: str | None, kind: str | None, target: str | None) -> list[devices.Device]:
    """Raises `EdgecheckError` (2) for a device, a kind or a target that is not there, and says what was meant."""
    if kind is not None and kind not in devices.KINDS:
        near = difflib.get_close_matches(kind, devices.KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(devices.KINDS)}"
        raise EdgecheckError(f"there is no kind '{kind}'", help=hint)
    if target is not None:
        bundle.load(target)
    found = devices.every() if target is None else devices.offering(target)
    if device is None:
        return [one for one in found if kind in (None, one.kind)]
    one = devices.get(device)
    if kind not in (None, one.kind):
        raise EdgecheckError(f"{one.id} is a {one.kind}, not a {kind}")
    if one not in found:
        raise EdgecheckError(
            f"{one.id} does not offer {target}", help=f"`edgecheck devices {one.id}` lists what it does"
        )
    return [one]


def _list(chosen: Sequence[devices.Device], target: str | None) -> Iterator[str]:
    """Kind by kind, a row a device: with a target asked for, the points of it that the device offers."""
    if not chosen:
        yield devices.unoffered().get(target or "", "no device offers that")
    for kind in devices.KINDS:
        of_kind = [device for device in chosen if device.kind == kind]
        if of_kind:
            yield f"{_PLURAL[kind]} ({len(of_kind)})"
            yield from (f"  {row}" for row in table([_row(device, target) for device in of_kind]))


def _row(device: devices.Device, target: str | None) -> list[str]:
    if target is not None:
        return [device.id, device.title, ", ".join(offer.name for offer in device.targets if offer.id == target)]
    return [device.id, device.title, device.chip or "", f"{len(device.targets)} targets"]


def _one(device: devices.Device) -> Iterator[str]:
    yield f"{device.id}: {device.title} ({device.kind})"
    if device.chip:
        yield f"  chip    {device.chip}"
    if device.os:
        yield f"  system  {device.os}"
    yield "  targets"
    rows = []
    for offer in device.targets:
        held = bundle.load(offer.id)
        rows.append([offer.name, held.format, f"{len(held.raw_ops)} ops", f"{held.facts} facts", held.title])
    yield from (f"    {row}" for row in table(rows))
    for note in device.notes:
        yield f"  note    {note}"
    for source in device.source:
        yield f"  source  {source}"
    yield f"  check   edgecheck check MODEL --device {device.id}"


def _record(device: devices.Device) -> dict[str, Any]:
    return {
        "id": device.id, "title": device.title, "kind": device.kind, "os": device.os, "chip": device.chip,
        "targets": [_offer(offer) for offer in device.targets],
        "notes": list(device.notes), "sources": list(device.source),
    }  # fmt: skip


def _offer(offer: devices.DeviceTarget) -> dict[str, Any]:
    """The point that a check of the device takes: the version and every setting that it has by then."""
    held = bundle.load(offer.id)
    made = point(held, offer.version, offer.settings)
    return {
        "target": offer.id, "format": held.format, "version": made.version, "settings": dict(made.settings),
        "ops": len(held.raw_ops), "facts": held.facts,
    }  # fmt: skip
