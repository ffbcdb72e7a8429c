"""Real models to an oracle: node by node beside the table, and kept compactly.

op_tables/evidence/models/<oracle>-<version>.jsonl: one line for each model and target, `{"target", "oracle", "version",
"date", "model", "sha256", "nodes", "verdicts"}` with the oracle's verdicts in the file's order, run lengths and first
letters: "12s3f" is twelve supported and three fallback; r rejected, i inconclusive, v invalid.
"""

from __future__ import annotations

import datetime
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from edgecheck.check import check, point
from edgecheck.errors import EdgecheckError
from edgecheck.model import formats
from edgecheck.model.graph import Model
from edgecheck.oracles import Outcome, onnx_cut
from edgecheck.probing import evidence
from edgecheck.probing.asking import Say, Witness, ask_all
from edgecheck.probing.replay import Agreement, at_point
from edgecheck.probing.running import answer, settings
from edgecheck.results import TargetPoint
from edgecheck.tables.optable import OpTable

_LETTERS = {"supported": "s", "fallback": "f", "rejected": "r", "inconclusive": "i", "invalid": "v"}
_SUFFIXES = {
    "onnx": (".onnx",),
    "tflite": (".tflite", ".lite"),
    "executorch": (".pt2", ".pte"),
    "coreml": (".mlmodel", ".mlpackage"),
}


def found(paths: Iterable[Path], format: str) -> list[Path]:
    """The model files of the format among files and in folders. EdgecheckError (2) where there is none."""
    suffixes = _SUFFIXES.get(format, ())
    files: list[Path] = []
    for path in paths:
        if path.is_dir() and path.suffix != ".mlpackage":
            files += sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes and _whole(p))
        elif path.exists():
            files.append(path)
        else:
            raise EdgecheckError(f"{path} does not exist", help=f"give .{format} files or folders with some")
    if not files:
        raise EdgecheckError(f"no {format} model was found", help=f"give .{format} files or folders with some")
    return files


def _whole(path: Path) -> bool:
    """A file, or a package, which is a folder; not the .mlmodel inside of one."""
    if path.suffix == ".mlpackage":
        return path.is_dir()
    return path.is_file() and not any(part.suffix == ".mlpackage" for part in path.parents)


def measured(
    witness: Witness, target: TargetPoint, paths: Sequence[Path], *, jobs: int, seconds: float, say: Say
) -> Iterator[tuple[Path, Model, list[str]]]:
    """Each model with the oracle's verdict on every node, in the file's order; one that cannot be read is left out."""
    known = {"jobs": jobs, "seconds_each": seconds, "say": say}
    models = [(path, model) for path in paths if (model := _read(path, say)) is not None]
    if getattr(witness.plugin, "ONE_OPERATOR", False):
        for path, model in models:
            yield path, model, _in_pieces(witness, target, model, known)
        return
    outcomes = ask_all(witness, [path for path, _ in models], target.table.id, settings(target), **known)  # type: ignore[arg-type]
    for (path, model), outcome in zip(models, outcomes):
        if outcome.failure:
            say(f"{path.name}: no answer: {outcome.failure}")
        yield path, model, _in_order(model, outcome)


def _read(path: Path, say: Say) -> Model | None:
    try:
        return formats.read(path)
    except EdgecheckError as error:
        say(f"left out: {error}")
        return None


def _in_order(model: Model, outcome: Outcome) -> list[str]:
    by_place = {(one.graph, one.index): one.verdict for one in outcome.answers}
    return [by_place.get((node.graph, node.index), "inconclusive") for node in model.nodes]


def _in_pieces(witness: Witness, target: TargetPoint, model: Model, known: Mapping[str, Any]) -> list[str]:
    """For an oracle that answers for files of one operator: the model is cut, and each piece asked about."""
    with tempfile.TemporaryDirectory() as place:
        pieces = list(onnx_cut.pieces(model))
        asked = [piece for piece in pieces if piece.content is not None]
        paths = [Path(place, f"{number:06}.onnx") for number in range(len(asked))]
        for piece, path in zip(asked, paths):
            path.write_bytes(piece.content or b"")
        outcomes = ask_all(witness, paths, target.table.id, settings(target), **known)
    said = {(piece.graph, piece.index): answer(outcome, piece.at)[0] for piece, outcome in zip(asked, outcomes)}
    return [said.get((node.graph, node.index), "inconclusive") for node in model.nodes]


def row(path: Path, model: Model, said: Sequence[str], witness: Witness, target: TargetPoint) -> evidence.Row:
    """One line of evidence. The model is named by its file and the folder that holds it, never by a machine's path."""
    made: evidence.Row = {"target": target.table.id, "oracle": witness.name, "version": witness.version}
    made |= {"date": datetime.date.today().isoformat(), "model": named(path), "sha256": model.sha256}
    made |= {"nodes": model.node_count, "verdicts": packed(said), **_figures(model, said, target)}
    if target.table.versions and at_point(made, target.table).version != target.version:
        made["at"] = target.version
    defaults = {name: one.default for name, one in target.table.settings.items()}
    changed = {name: value for name, value in target.settings.items() if defaults.get(name) != value}
    return {**made, **({"settings": changed} if changed else {})}


def figured(one: evidence.Row, model: Model, table: OpTable) -> evidence.Row:
    """A stored line with the figures of the table as it is now."""
    target = at_point(one, table) if table.versions else point(table, None, one.get("settings"))
    kept = {key: value for key, value in one.items() if key not in ("asked", "same", "supported", *_DIFFERENCES)}
    tail: evidence.Row = {key: kept.pop(key) for key in ("at", "settings") if key in kept}
    return {**kept, **_figures(model, unpacked(one["verdicts"]), target), **tail}


_DIFFERENCES = ("unknown", "false_supported", "false_refused", "mixed")


def _figures(model: Model, said: Sequence[str], target: TargetPoint) -> evidence.Row:
    """How the table stood to it on that day."""
    agreement = Agreement()
    compared(model, said, target, agreement, "")
    figures: evidence.Row = {"asked": agreement.asked, "same": agreement.same, "supported": agreement.supported}
    for name in _DIFFERENCES:
        sentences = [one.strip() for one in getattr(agreement, name)]
        figures |= {name: sentences} if sentences else {}
    return figures


def named(path: Path) -> str:
    """`package/file.onnx`: below the cache's folder of models all of it, elsewhere the file and its folder."""
    from edgecheck.environments import cache

    place = cache() / "models"
    return str(path.relative_to(place)) if path.is_relative_to(place) else f"{path.parent.name}/{path.name}"


def packed(said: Sequence[str]) -> str:
    """Run lengths and first letters."""
    return "".join(f"{len(list(run))}{letter}" for letter, run in groupby(_LETTERS[one] for one in said))


def unpacked(text: str) -> list[str]:
    """The verdicts of `packed`."""
    words = {letter: word for word, letter in _LETTERS.items()}
    return [words[letter] for count, letter in re.findall(r"(\d+)([a-z])", text) for _ in range(int(count))]


def folder() -> Path:
    return evidence.folder() / "models"


def stored(target: str) -> list[evidence.Row]:
    """What was measured of real models on a target."""
    return [one for path in sorted(folder().glob("*.jsonl")) for one in evidence.read(path) if one["target"] == target]


def keep(witness: Witness, rows: Sequence[evidence.Row], out: Path | None = None) -> Path:
    """Into `out` or the file of the oracle's version; a model that is there already is replaced."""
    path = out or folder() / f"{witness.module}-{witness.version}.jsonl"
    old = list(evidence.read(path)) if path.is_file() else []

    def key(one: Mapping[str, Any]) -> tuple[Any, ...]:
        return one["target"], one["sha256"], one.get("at"), str(one.get("settings"))

    merged = {key(one): one for one in (*old, *rows)}
    evidence.write(
        path, sorted(merged.values(), key=lambda one: (one["target"], one["model"], one["sha256"], str(one.get("at"))))
    )
    return path


def compared(model: Model, said: Sequence[str], target: TargetPoint, agreement: Agreement, name: str) -> None:
    """Every node's verdict of the table beside the oracle's."""
    for ours, theirs in zip(check(model, target), said, strict=True):
        place = f"{name} graph {ours.node.graph} node {ours.node.index} {ours.node.op}"
        limit = f" {ours.limit}" if ours.limit else ""
        agreement.add(theirs, ours.verdict, f"{place}: measured {theirs}, the table {ours.verdict}{limit}")


def replayed(row: Mapping[str, Any], model: Model, table: OpTable, agreement: Agreement) -> None:
    """A stored line beside the table as it is now."""
    target = at_point(row, table) if table.versions else point(table, None, row.get("settings"))
    compared(model, unpacked(row["verdicts"]), target, agreement, row["model"])
