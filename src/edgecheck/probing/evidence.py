"""Stored probe results, op_tables/evidence/<oracle>-<version>.jsonl: read, written whole, kept small.

A line is `{"target", "op", "limit", "side", "probe", "verdict", "reason", "oracle", "version", "date"}` and what was
asked: `"spec"`, a description that `oracles.tflite_probe` or `oracles.onnx_probe` reads. Optional: `"at"`, the point of
the target's axis that was measured (else the one that the oracle's version names, else the newest); `"settings"` of the
target; `"differs"`, why the table is known to say something else. Older lines have the description under `"model"`, or
only `"op_version"`, `"inputs"` and `"outputs"`: types without shapes.
"""

from __future__ import annotations

import functools
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecheck.errors import EdgecheckError
from edgecheck.tables import bundle

Row = dict[str, Any]
CONCLUSIVE = frozenset({"supported", "fallback", "rejected"})


def folder() -> Path:
    """op_tables/evidence of this checkout. Raises EdgecheckError (2) in an installation without one."""
    tables = bundle.source_folder()
    if tables is None:
        raise EdgecheckError(
            "evidence is kept in a checkout of edgecheck's repository, and this is an installed package",
            help="run it there, or name a file with --out",
        )
    return tables / "evidence"


def files() -> list[Path]:
    return sorted(folder().glob("*.jsonl"))


def read(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def of_target(target: str) -> list[Row]:
    """Every stored result about a target, of all oracles."""
    needle = f'"target":"{target}"'
    rows = []
    for path in files():
        with path.open(encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines if needle in line.replace('": "', '":"')]
    return rows


def described(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The description of what was asked; None in a line that has only types."""
    found: Mapping[str, Any] | None = row.get("spec") or row.get("model")
    return found


def write(path: Path, rows: Iterable[Row]) -> None:
    """All rows, or the file as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    text = "".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows)
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def merged(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """The old rows with the new ones; where both asked the same of the same target, the new one.

    What was said of a difference (`differs`) stays with an answer that is as it was.
    """
    by_question = {question(row): row for row in old}
    for row in new:
        before = by_question.get(question(row), {})
        said = {"differs": before["differs"]} if "differs" in before and before["verdict"] == row["verdict"] else {}
        by_question[question(row)] = row | said
    return sorted(
        by_question.values(), key=lambda row: (row["target"], row["op"], row.get("limit") or "", str(row["probe"]))
    )


def standing(old: Iterable[Row], again: Iterable[Row]) -> list[Row]:
    """The old rows without those that were asked again and answered otherwise; a crash or a time-out is no answer."""
    answers = {question(row): row["verdict"] for row in again if row["verdict"] != "inconclusive"}
    return [row for row in old if answers.get(question(row), row["verdict"]) == row["verdict"]]


def drop_overtaken(again: Sequence[Row], paths: Iterable[Path]) -> None:
    """Takes out of the files what `again` answers otherwise: one question, one answer."""
    targets = {row["target"] for row in again}
    for path in paths:
        if path.is_file() and any(_speaks_of(path, target) for target in targets):
            old = list(read(path))
            left = standing(old, again)
            if len(left) < len(old):
                write(path, left)


def _speaks_of(path: Path, target: str) -> bool:
    """Whether a file has rows of the target, without reading them one by one."""
    return f'"target":"{target}"' in path.read_text(encoding="utf-8").replace('": "', '":"')


def not_stored(rows: Sequence[Row]) -> list[Row]:
    """The rows without those whose model and answer stand in a file already, maybe of another limit or side."""

    def said(row: Row) -> tuple[str, str]:
        return question({**row, "limit": ""}), row["verdict"]

    there = {said(row) for target in {row["target"] for row in rows} for row in of_target(target)}
    return [row for row in rows if said(row) not in there]


def question(row: Mapping[str, Any]) -> str:
    """What a row asked, as a key: the target, its point and settings, and the model."""
    asked = described(row) or {key: row.get(key) for key in ("op", "op_version", "inputs", "outputs")}
    place = measured_at(row, _versions(row["target"]))
    return json.dumps([row["target"], place, row.get("settings"), row.get("limit") or "", asked], sort_keys=True)


def measured_at(row: Mapping[str, Any], versions: Sequence[str]) -> str | None:
    """The point of the axis: what the row says, else the one that the oracle's version names, else the newest.

    `versions` are the axis's own, oldest first; without any there is no point.
    """
    if row.get("at") is not None or not versions:
        return row.get("at")
    parts = str(row.get("version", "")).split(".")
    spelled = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((one for one in spelled if one in versions), versions[-1])


@functools.cache
def _versions(target: str) -> Sequence[str]:
    return bundle.load(target).versions


def thinned(rows: Iterable[Row], each: int, each_of_limit: int = 6) -> list[Row]:
    """At most `each` rows of one target, operator, side and verdict, more of one limit.

    Those that differ from the table all stay.
    """
    kept: Counter[tuple[Any, ...]] = Counter()
    out = []
    for row in rows:
        key = (row["target"], row["op"], row.get("limit") or "", row.get("side"), row["verdict"], row.get("at"))
        kept[key] += 1
        if kept[key] <= (each_of_limit if row.get("limit") else each) or row.get("differs"):
            out.append(row)
    return out


def file_for(module: str, oracle: str, version: str, target: str) -> Path:
    """Where an oracle's results on a target are kept: the file that has some, else another of its version, else new."""
    found = []
    for path in files():
        with path.open(encoding="utf-8") as lines:
            first = json.loads(next(lines, "{}"))
        if path.stem.startswith(f"{module}-") and (first.get("oracle"), first.get("version")) in (
            (oracle, version),
            (module, version),
        ):
            found.append(path)
    of_it = [path for path in found if _speaks_of(path, target)]
    return next(iter([*of_it, *found]), folder() / f"{module}-{version}.jsonl")
