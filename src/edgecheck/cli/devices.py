"""`edgecheck devices`: what people own, and what it offers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from edgecheck.cli import output
from edgecheck.errors import EdgecheckError
from edgecheck.reports.words import table
from edgecheck.tables import bundle, devices

HELP = "List devices, or what one of them offers."
EPILOG = """examples:
  edgecheck devices                    every device, a line each
  edgecheck devices --kind phone
  edgecheck devices --target ethos-u55
  edgecheck devices pixel-8            chip, system, targets, and where that stands
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("device", nargs="?", metavar="DEVICE", help="a device's id")
    parser.add_argument("--kind", help="only this kind: phone, tablet, board, mcu, desktop, browser")
    parser.add_argument("--target", metavar="TARGET", help="only devices that offer this target")


def run(arguments: argparse.Namespace) -> int:
    """Print the list, or one device."""
    if arguments.device is not None:
        output.write("\n".join(_one(devices.get(arguments.device))), None)
        return 0
    output.write("\n".join(_list(arguments.kind, arguments.target)), None)
    return 0


def _list(kind: str | None, target: str | None) -> list[str]:
    """A row a device."""
    if kind is not None and kind not in devices.KINDS:
        raise EdgecheckError(f"there is no kind '{kind}'", help=f"one of {', '.join(devices.KINDS)}")
    if target is not None:
        bundle.load(target)
    chosen = [
        one
        for one in devices.every()
        if kind in (None, one.kind) and (target is None or any(offer.id == target for offer in one.targets))
    ]
    rows = [[one.id, one.kind, one.title, ", ".join(offer.name for offer in one.targets)] for one in chosen]
    return table(rows) if rows else ["no device offers that"]


def _one(device: devices.Device) -> Iterator[str]:
    yield f"{device.id}: {device.title} ({device.kind})"
    if device.chip:
        yield f"  chip    {device.chip}"
    if device.os:
        yield f"  system  {device.os}"
    for offer in device.targets:
        yield f"  target  {offer.name}"
    if device.note:
        yield f"  note    {device.note}"
    for source in device.source:
        yield f"  source  {source}"
    yield f"  check   edgecheck check MODEL --device {device.id}"
