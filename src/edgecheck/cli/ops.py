"""`edgecheck ops`: what a target supports."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from edgecheck import __version__
from edgecheck.check import point
from edgecheck.cli import output
from edgecheck.errors import EdgecheckError
from edgecheck.reports import support
from edgecheck.tables import bundle, devices
from edgecheck.tables.optable import Entry, Limit, OpTable, every_limit

HELP = "List the targets; the ops of one target; or the facts about one op, with limits and evidence."
EPILOG = """examples:
  edgecheck ops                       every target
  edgecheck ops ethos-u55             its ops
  edgecheck ops ethos-u55 ARG_MAX     one op: limits, evidence, remedies
  edgecheck ops --html support.html   all of it as a page to search and click
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("target", nargs="?", metavar="TARGET", help="a target's id")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write all tables as one page to search and click, without a server"
    )
    parser.add_argument("op", nargs="?", metavar="OP", help="an op of that target")


def run(arguments: argparse.Namespace) -> int:
    """Print the targets, the ops or one op."""
    if arguments.html is not None:
        output.write(browser(), arguments.html)
        print(f"file://{arguments.html.resolve()}")
        return 0
    if arguments.target is None:
        output.write("\n".join(_targets()), None)
        return 0
    name, sign, version = arguments.target.partition("@")
    table = bundle.load(name)
    if sign:
        point(table, version)  # refuses one that lies outside
    output.write("\n".join(_ops(table) if arguments.op is None else _op(table, arguments.op)), None)
    return 0


def browser() -> str:
    """The support browser: every table and device as one HTML page."""
    tables = [bundle.load(name) for name in bundle.targets()]
    return support.page(tables, devices.every(), version=__version__)


def _targets() -> Iterator[str]:
    rows = [
        (table.id, table.format, f"{len(table.raw_ops)} ops", f"{table.facts} facts", table.title)
        for table in map(bundle.load, bundle.targets())
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)] if rows else []
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)) + f"  {row[4]}"


def _ops(table: OpTable) -> Iterator[str]:
    yield f"{table.id}: {table.title}"
    if table.notes:
        yield table.notes
    miss = (
        f"an op that is not listed is {table.on_miss}" if table.closed_world else "an op that is not listed is unknown"
    )
    yield f"{table.version_axis}: {', '.join(table.versions)}; {miss}"
    for name, setting in table.settings.items():
        choices = f" of {', '.join(map(str, setting.values))}" if setting.values else ""
        default = "…" if setting.default is None else setting.default
        yield f"--set {name}={default}{choices}  {setting.help}".rstrip()
    yield ""
    width = max((len(op) for op in table.ops), default=0)
    shared = Counter(limit.id for _, limit in every_limit(table))
    for op in table.ops:
        yield f"{op.ljust(width)}  {_short(table.entries(op), shared)}".rstrip()


def _short(entries: tuple[Entry, ...], shared: Counter[str]) -> str:
    """The limits that are the op's own first: those that most ops have say little."""
    own = sorted((limit for entry in entries for limit in entry.limits), key=lambda limit: shared[limit.id])
    limits = list(dict.fromkeys(limit.say for limit in own))
    if all(entry.verdict != "supported" for entry in entries):
        return entries[0].say
    since = sorted({entry.since for entry in entries if entry.since})
    shown = ([f"since {since[0]}"] if since else []) + limits[:2]
    return "; ".join(shown) + (f"; {len(limits) - 2} more" if len(limits) > 2 else "")


def _op(table: OpTable, op: str) -> Iterator[str]:
    name = next((known for known in table.ops if known.lower() == op.lower()), op)
    entries = table.entries(name)
    if not entries:
        import difflib

        near = difflib.get_close_matches(op, table.ops, n=3, cutoff=0.5)
        what = table.on_miss if table.closed_world else "unknown"
        raise EdgecheckError(
            f"{table.id} does not list {op}: the verdict is {what}", help=f"listed: {', '.join(near)}" if near else None
        )
    yield f"{name} on {table.id}"
    for entry in entries:
        yield from _entry(table, entry)


def _entry(table: OpTable, entry: Entry) -> Iterator[str]:
    span = (
        ""
        if entry.op_version is None
        else f", version {entry.op_version[0]}"
        + ("" if entry.op_version[0] == entry.op_version[1] else f"..{entry.op_version[1] or ''}")
    )
    axis = (f", since {table.version_axis} {entry.since}" if entry.since else "") + (
        f", until {entry.removed}" if entry.removed else ""
    )
    yield f"  {entry.verdict}{span}{axis}" + (f": {entry.say}" if entry.say else "")
    if entry.source:
        yield f"    evidence {'; '.join([*map(table.cite, entry.source), *entry.probes])}"
    if entry.note:
        yield f"    note {entry.note}"
    for limit in (*table.limits, *entry.limits):
        yield from _limit(table, limit)


def _limit(table: OpTable, limit: Limit) -> Iterator[str]:
    yield f"    {limit.id}: {limit.say}; otherwise {'unknown' if limit.opaque else limit.otherwise}"
    if not limit.opaque:
        yield f"      {limit.text}"
    yield f"      evidence {'; '.join([*map(table.cite, limit.source), *limit.probes])}"
    if limit.help:
        yield f"      help {limit.help}"
