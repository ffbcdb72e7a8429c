"""Source × format × precision over the architectures people ship: proven, not proven and why, or the converter cannot.

    python scripts/matrix.py [--rows gru,cond] [--precision fp32] [--format onnx] [--json FILE] [--page docs/exports.md]
    python scripts/matrix.py --rows none --json FILE --page docs/exports.md      only the page, from what FILE holds

Each cell is a whole `edgecheck export`: the ladder is walked, the file is run and proven. Two rows run at a time.
Cells are added to those FILE holds already. The exit code is 1 when a cell that is held to be proven is not.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecheck import environments, exporting, packages, sources
from edgecheck.deliverables import Artefact, Job
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import PRECISIONS, SUFFIXES, Dynamic, InputOption

CASES = Path(__file__).parents[1] / "tests" / "cases"
#: Cells that the converters are known to fail on by themselves; `*` marks them where a ladder works.
FAILING = {
    ("encoder", "tflite"), ("detector_dynamic", "tflite"), ("cond", "tflite"), ("cond", "coreml"), ("encoder", "coreml"),
    ("keras_gru", "tflite"), ("keras_gru", "coreml"), ("keras_mobilenet_v2", "coreml"), ("basic_pitch", "coreml"),
    ("basic_pitch", "onnx"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """An architecture: its source, what it needs on the command line."""

    name: str
    source: str
    calibration: str | None = None
    dynamic: tuple[InputOption, ...] = ()


def rows(models: Path) -> list[Row]:
    """All of them, in the order of the table."""
    zoo, keras, facenet = CASES / "zoo.py", CASES / "zoo_keras.py", CASES / "facenet.py"
    images = ("mobilenet_v2", "mobilenet_v3", "efficientnet_lite0", "resnet50", "vit_tiny")
    free = InputOption(name="ids", dynamic=(Dynamic(axis=1, low=2, high=64),))
    pitch = models / "basic_pitch" / "basic_pitch" / "saved_models" / "icassp_2022" / "nmp"
    return [
        Row(name="small_cnn", source=f"{zoo}:small_cnn", calibration=f"{zoo}:calibration_32"),
        *(Row(name=name, source=f"{zoo}:{name}", calibration=f"{zoo}:calibration") for name in images),
        Row(name="lstm", source=f"{zoo}:lstm"),
        Row(name="gru", source=f"{zoo}:gru"),
        Row(name="encoder", source=f"{zoo}:encoder", dynamic=(free,)),
        Row(name="detector_unrolled", source=f"{zoo}:detector_unrolled"),
        Row(name="detector_dynamic", source=f"{zoo}:detector_dynamic"),
        Row(name="cond", source=f"{zoo}:cond"),
        Row(name="pnet", source=f"{facenet}:pnet", calibration=f"{zoo}:calibration_48"),
        Row(name="rnet", source=f"{facenet}:rnet", calibration=f"{zoo}:calibration_24"),
        Row(name="onet", source=f"{facenet}:onet", calibration=f"{zoo}:calibration_48"),
        Row(name="basic_pitch", source=str(pitch)),
        Row(name="keras_mobilenet_v2", source=f"{keras}:mobilenet_v2", calibration=f"{keras}:calibration"),
        Row(name="keras_gru", source=f"{keras}:gru"),
    ]


def cells(row: Row, formats: tuple[str, ...], precisions: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """`format precision` → state, detail, way; one export a format, so that one format's trouble is its own."""
    wanted = tuple(p for p in precisions if p != "int8-static" or row.calibration)
    found: dict[str, dict[str, str]] = {}
    for format in formats:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="edgecheck-matrix-") as out:
            try:
                job = Job(
                    source=sources.find(row.source, None),
                    formats=(format,),
                    precisions=wanted,
                    out=Path(out),
                    name=row.name,
                    inputs=row.dynamic,
                    calibration=row.calibration,
                )
                artefacts = exporting.export(job).artefacts
            except EdgecheckError as error:
                for precision in wanted:
                    found[f"{format} {precision}"] = {"state": "failed", "detail": str(error), "way": ""}
                continue
        seconds = time.monotonic() - began
        for one in artefacts:
            found[f"{format} {one.precision}"] = cell(one)
            told = found[f"{format} {one.precision}"]
            star = "*" if (row.name, format) in FAILING and told["state"].startswith("proven") else " "
            print(
                f"{row.name:<19} {format:<7} {one.precision:<13}{star}{told['state']:<18} {told['detail']}  [{told['way']}]",
                flush=True,
            )
        print(f"{'':<19} {format:<7} {seconds:.0f} s", file=sys.stderr, flush=True)
    return found


def cell(one: Artefact) -> dict[str, str]:
    """What to print of an artefact."""
    if one.path is None:
        return {
            "state": "converter cannot",
            "detail": one.verdict.reason.removeprefix("converter cannot: ")[:200],
            "way": "",
        }
    figure = "" if one.measured is None else "exact" if one.signal_db is None else f"{one.signal_db:.0f} dB"
    detail = figure if one.verdict.state == "proven" else one.verdict.reason
    return {
        "state": one.verdict.state,
        "detail": detail[:200],
        "way": one.says + (f"; gave up: {one.fixes}" if one.fixes else ""),
    }


def table(
    found: dict[str, dict[str, dict[str, str]]], formats: tuple[str, ...], precisions: tuple[str, ...]
) -> list[str]:
    """One line an architecture, one column a format and precision."""
    signs = {
        "proven": "proven",
        "not proven": "NOT",
        "unknown": "unknown",
        "converter cannot": "cannot",
        "failed": "FAILED",
    }
    heads = [f"{format} {precision}" for format in formats for precision in precisions]
    lines = [f"{'':<19}" + "".join(f"{head:<21}" for head in heads)]
    for name, row in found.items():
        shown = []
        for head in heads:
            told = row.get(head)
            star = "*" if told and (name, head.split()[0]) in FAILING and told["state"] == "proven" else ""
            shown.append(
                "-"
                if told is None
                else f"{signs[told['state']]}{star} {told['detail'].split('  ')[0][:9] if told['state'] == 'proven' else ''}"
            )
        lines.append(f"{name:<19}" + "".join(f"{text:<21}" for text in shown))
    return lines


def page(held: dict[str, Any]) -> str:
    """docs/exports.md: every cell that FILE holds, what is behind those that are not proven, and where from."""
    found = held["cells"]
    heads = [f"{format} {precision}" for format in SUFFIXES for precision in PRECISIONS]
    lines = [
        "# Exports that were proven", "", "<!-- made by scripts/matrix.py (make matrix): do not edit -->", "",
        "Every cell is a whole `edgecheck export`: converted, run by the format's runtime (Core ML by edgecheck's own "
        "evaluator), and held against the source. The figure is the lowest signal over error, in dB, of the cases that "
        "were judged; `exact` is bit-identical. **↻** marks a cell where the converter fails by itself and a ladder "
        "of other ways worked. Recurrent nets, encoders and detectors have no samples for static int8 here.", "",
        f"Measured {held['date']} with `{held['command']}`: {held['versions']}.", "",
        "The image networks are untrained (batch norms calibrated); "
        "`pnet`, `rnet`, `onet` and `basic_pitch` are trained.", "",
        f"| model | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}",
    ]  # fmt: skip
    lines += [f"| `{name}` | {' | '.join(_shown(row.get(head)) for head in heads)} |" for name, row in found.items()]
    rest = [
        f"- `{name}` {head}: {told['state']}: {told['detail']}"
        for name, row in found.items() for head, told in row.items() if told["state"] != "proven"
    ]  # fmt: skip
    counted = sum(len(row) for row in found.values())
    lines += ["", f"{counted - len(rest)} of {counted} cells are proven.", "", "## What is not proven", "", *rest]
    ways = sorted({
        (name, head, told["way"]) for name, row in found.items() for head, told in row.items()
        if head.endswith("fp32") and told.get("ladder")
    })  # fmt: skip
    lines += ["", "## Ways round a converter that fails", "", *(f"- `{n}` {h}: {way}" for n, h, way in ways)]
    return "\n".join(lines) + "\n"


def _shown(told: dict[str, Any] | None) -> str:
    if told is None:
        return "–"
    if told["state"] != "proven":
        return {"not proven": "**not proven**", "converter cannot": "**cannot**"}.get(told["state"], told["state"])
    return f"{told['detail']}{' ↻' if told.get('ladder') else ''}"


def versions() -> str:
    """The converters and runtimes of both environments, as their locks pin them."""
    wanted = {
        "torch": ("onnx", "onnxruntime", "litert-torch", "ai-edge-litert", "ai-edge-quantizer", "coremltools"),
        "tf": ("tensorflow-cpu", "keras", "tf2onnx"),
    }
    pinned = [line.strip() for line in environments.lock("torch").with_suffix(".in").read_text("utf-8").splitlines()
              if line.startswith("torch==")]  # fmt: skip
    pinned = [line.replace("==", " ") for line in pinned]
    for name, packages_ in wanted.items():
        lines = environments.lock(name).read_text("utf-8").splitlines()
        pins = dict(line.split(" ")[0].split("==") for line in lines if "==" in line and line[:1].isalpha())
        pinned += [f"{package} {pins[package]}" for package in packages_ if package in pins]
    return ", ".join(pinned)


def main() -> int:
    """Fill the table, print it, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", help="only these, a comma list")
    parser.add_argument("--format", help="only these, a comma list")
    parser.add_argument("--precision", help="only these, a comma list")
    parser.add_argument("--jobs", type=int, default=2, help="rows at a time (default: 2)")
    parser.add_argument("--json", type=Path, help="add every cell to this file")
    parser.add_argument("--page", type=Path, help="write the page there")
    arguments = parser.parse_args()
    formats = tuple(arguments.format.split(",")) if arguments.format else tuple(SUFFIXES)
    precisions = tuple(arguments.precision.split(",")) if arguments.precision else PRECISIONS
    models = packages.folder_of(say=lambda text: print(text, file=sys.stderr))
    chosen = [row for row in rows(models) if not arguments.rows or row.name in arguments.rows.split(",")]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        found = dict(zip([row.name for row in chosen], pool.map(lambda row: cells(row, formats, precisions), chosen)))
    print("\n".join(["", *table(found, formats, precisions)]))
    held = _held(arguments.json, found, [row.name for row in rows(models)])
    if arguments.json:
        arguments.json.write_text(json.dumps(held, indent=1) + "\n")
    if arguments.page:
        arguments.page.write_text(page(held), "utf-8")
    return _count(found)


def _held(file: Path | None, found: dict[str, dict[str, Any]], order: list[str]) -> dict[str, Any]:
    """What the file holds with the new cells in it, rows in the table's order."""
    old = json.loads(file.read_text("utf-8"))["cells"] if file and file.is_file() else {}
    merged = {name: {**old.get(name, {}), **found.get(name, {})} for name in order if name in old or name in found}
    for name, row in merged.items():
        for head, told in row.items():
            told["ladder"] = (name, head.split()[0]) in FAILING and told["state"] == "proven"
    return {
        "date": datetime.date.today().isoformat(), "command": "python scripts/matrix.py", "versions": versions(),
        "cells": merged,
    }  # fmt: skip


def _count(found: dict[str, dict[str, dict[str, str]]]) -> int:
    """Print the sums; 1 when a cell that is held to be proven is not."""
    flat = [(name, head, told["state"]) for name, row in found.items() for head, told in row.items()]
    proven = [(name, head) for name, head, state in flat if state == "proven"]
    ladders = {(name, head) for name, head in proven if (name, head.split()[0]) in FAILING and head.endswith("fp32")}
    missed = [
        (name, head)
        for name, head, state in flat
        if head.endswith("fp32") and (name, head.split()[0]) not in FAILING and state != "proven"
    ]
    print(f"\n{len(flat)} cells: {len(proven)} proven; {len(ladders)} cells known to fail work by a ladder (*)")
    for name, head in missed:
        print(f"MISSED  {name} {head}: {found[name][head]['state']}: {found[name][head]['detail']}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
