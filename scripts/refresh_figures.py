"""How the tables stand today to what was measured of model files: `python scripts/refresh_figures.py [FOLDER...]`.

A line of op_tables/evidence/models/ says how its table stood on the day it was asked. This looks for the files in the
cache and in the folders given, by their hash, and writes today's figures; lines whose files are not at hand stay.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgecheck.environments import cache
from edgecheck.errors import EdgecheckError
from edgecheck.model import formats
from edgecheck.model.graph import Model
from edgecheck.probing import evidence, models
from edgecheck.tables import bundle

SUFFIXES = (".tflite", ".onnx", ".pt2", ".pte", ".mlmodel", ".mlpackage")


def at_hand(folders: Iterable[Path], wanted: set[str]) -> Iterator[Path]:
    """Files whose names stand in the evidence."""
    for folder in folders:
        yield from (path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES and path.name in wanted)


def read(path: Path) -> Model | None:
    try:
        return formats.read(path)
    except EdgecheckError:
        return None


def refreshed(row: evidence.Row, model: Model) -> evidence.Row:
    """The line with the figures of today's table."""
    return models.figured(row, model, bundle.load(row["target"]))


def main() -> int:
    """Go through the files once; write each evidence file that changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--target", action="append", help="only these")
    arguments = parser.parse_args()
    files = {path: list(evidence.read(path)) for path in sorted(models.folder().glob("*.jsonl"))}
    lines: dict[str, list[tuple[Path, int]]] = {}
    for path, rows in files.items():
        for place, row in enumerate(rows):
            if not arguments.target or row["target"] in arguments.target:
                lines.setdefault(row["sha256"], []).append((path, place))
    wanted = {files[path][place]["model"].rsplit("/", 1)[-1] for places in lines.values() for path, place in places}
    changed: set[Path] = set()
    for file in at_hand([cache() / "models", *arguments.folders], wanted):
        model = read(file)
        for path, place in lines.pop(model.sha256, ()) if model is not None else ():
            row = files[path][place]
            new = refreshed(row, model)
            if new != row:
                print(f"{row['target']} {row['model']}: {row['same']} of {row['asked']}, now {new['same']}", flush=True)
                files[path][place] = new
                changed.add(path)
    for path in sorted(changed):
        evidence.write(path, files[path])
    print(f"{sum(map(len, lines.values()))} lines are of files that are not at hand")
    return 0


if __name__ == "__main__":
    sys.exit(main())
