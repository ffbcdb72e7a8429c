"""Stored probe results against the op tables as they stand in op_tables/: what the tests of several targets share."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from edgecheck.check import point
from edgecheck.probing import asking, running
from edgecheck.probing.replay import Agreement, compared
from edgecheck.tables.compiled import compile_table
from edgecheck.tables.optable import OpTable, from_compiled

ROOT = Path(__file__).parent.parent

__all__ = ["ROOT", "Agreement", "compare", "evidence", "fresh", "table"]


@cache
def table(target: str) -> OpTable:
    """The target's table as it stands in op_tables/, not in the bundle."""
    path = ROOT / "op_tables/targets" / f"{target}.toml"
    return from_compiled(*compile_table(tomllib.loads(path.read_text()), where=path.name))


def evidence(name: str, target: str) -> Iterator[dict[str, Any]]:
    with (ROOT / "op_tables/evidence" / name).open() as lines:
        for line in lines:
            row = json.loads(line)
            if row["target"] == target:
                yield row


def compare(rows: Iterable[dict[str, Any]], target: str) -> Agreement:
    """The table's verdict on every conclusive probe beside the measured one."""
    return compared(rows, table(target))


def fresh(target: str, oracle: str, *, seed: int, count: int, ops: Sequence[str] = ()) -> Agreement:
    """The oracle asked about random probes, as `edgecheck probe --seed N --count M` does."""
    at = point(table(target))
    witness = asking.witness(oracle, target, at.version)
    probes = running.random_probes(at.table.format, seed, count, ops)
    rows = running.measured(witness, at, probes, jobs=1, seconds=60, say=asking.on_stderr)
    return compare(rows, target)
