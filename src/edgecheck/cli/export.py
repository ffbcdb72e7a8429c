"""`edgecheck export`: a PyTorch or TensorFlow model becomes ONNX, TFLite and Core ML files, each with its proof."""

from __future__ import annotations

import argparse
import json
import math
import re
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecheck import __version__, exporting, manifest, proof, sources
from edgecheck.cli import output
from edgecheck.deliverables import Artefact, Job, Result, Say
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import PRECISIONS, SUFFIXES, Dynamic, InputOption
from edgecheck.proof import Tolerance

HELP = "Turn a trained model into ONNX, TFLite and Core ML files, and prove that each still computes the same."
EPILOG = """examples:
  edgecheck export net.py:make_net --to onnx,tflite,coreml
  edgecheck export shop.models:detector --to tflite --precision fp32,int8-static --calibration samples.npz
  edgecheck export encoder.py:build --to onnx --dynamic ids:1:1..512
  edgecheck export net.pt2 --to coreml --input x:1x3x224x224:float32
  edgecheck export net.py:make_net --prove shipped.onnx
  edgecheck export saved_model/ --to tflite --signature serving_default

A source is file.py:callable or package.module:callable (it returns an nn.Module or a Keras model, by convention with
its example inputs: `return model, (x,)`), .pt2, TorchScript .pt, .keras, .h5, a SavedModel folder, or .onnx.
Every file gets a manifest beside it, NAME.SUFFIX.edgecheck.json, with hashes, versions and all measured distances.
NAME.SUFFIX is a proven file; one whose proof failed or is undecided is NAME.unproven.SUFFIX.
"""
FORMATS = ("full", "json", "github")
HEAD = ["file", "verdict", "SNR dB", "null dB", "error", "ran by", "way"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("source", metavar="SOURCE", help="where the model comes from")
    parser.add_argument(
        "--to", default="onnx", metavar="FORMAT", help="onnx, tflite, coreml, or a comma list (default: onnx)"
    )
    parser.add_argument(
        "--precision", default="fp32", metavar="P", help=f"{', '.join(PRECISIONS)}, or a comma list (default: fp32)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="folder for the files (default: this one)"
    )
    parser.add_argument("--name", metavar="NAME", help="file name without suffix (default: from the source)")
    _inputs(parser)
    _proof(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    output.configure(parser, FORMATS)


def _inputs(parser: argparse.ArgumentParser) -> None:
    """What the model takes, and how it is to be read."""
    parser.add_argument(
        "--input", action="append", default=[], metavar="NAME:SHAPE:DTYPE", help="x:1x3x224x224:float32; repeatable"
    )
    parser.add_argument(
        "--dynamic",
        action="append",
        default=[],
        metavar="NAME:AXIS:LOW..HIGH",
        help="ids:1:1..512 keeps a dimension free",
    )
    parser.add_argument(
        "--calibration", metavar="DATA", help="samples for int8-static: .npz by input name, or file.py:callable"
    )
    parser.add_argument("--framework", choices=("torch", "tf"), help="of a callable, where its imports do not tell")
    parser.add_argument("--signature", metavar="NAME", help="which signature of a SavedModel")
    parser.add_argument("--opset", type=_count, metavar="N", help="ONNX operator set (default: the exporter's)")
    parser.add_argument(
        "--seed", type=_count, default=0, metavar="N", help="of random weights and random inputs (default: 0)"
    )


def _proof(parser: argparse.ArgumentParser) -> None:
    """How long, how exact, in what, and what becomes of a file that is not proven."""
    parser.add_argument(
        "--timeout", type=_seconds, default=900, metavar="S", help="seconds for each child process (default: 900)"
    )
    parser.add_argument(
        "--min-snr", type=_finite, metavar="DB", help="signal over error that is needed, instead of the precision's own"
    )
    parser.add_argument(
        "--prove",
        type=Path,
        metavar="FILE",
        help="export nothing: hold this file against the source (fp32, or --precision)",
    )
    parser.add_argument(
        "--keep-unproven",
        action="store_true",
        help="write a file whose proof failed or is undecided under its plain name, not as NAME.unproven.SUFFIX",
    )
    parser.add_argument(
        "--tflite-runtime",
        action="store_true",
        help="run TFLite files in tflite-runtime, as older boards do, not LiteRT",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export, report, and the exit code."""
    format = output.chosen_format(arguments, FORMATS)
    result = _result(arguments, (lambda text: None) if arguments.quiet else _say)
    text = (
        json.dumps(described(result), indent=1)
        if format == "json"
        else _text(result, format, output.coloured(arguments))
    )
    output.write(text, arguments.output_file)
    return output.exit_code(result.findings, arguments)


def _result(arguments: argparse.Namespace, say: Say) -> Result:
    if arguments.prove is None:
        return exporting.export(job(arguments), say)
    format = next((f for f, suffix in SUFFIXES.items() if arguments.prove.suffix == suffix), None)
    if format is None or not arguments.prove.exists():
        problem = "is not there" if format else "is no .onnx, .tflite or .mlpackage"
        raise EdgecheckError(f"{arguments.prove} {problem}")
    precision = _list(arguments.precision, PRECISIONS, "precision")[0]
    return exporting.prove_file(job(arguments), format, arguments.prove, say, precision)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def job(arguments: argparse.Namespace) -> Job:
    """The command line as a job; whatever is wrong with it is said here."""
    source = sources.find(arguments.source, arguments.framework)
    formats = _list(arguments.to, tuple(SUFFIXES), "format")
    precisions = _list(arguments.precision, PRECISIONS, "precision")
    if "int8-static" in precisions and not arguments.calibration:
        raise EdgecheckError(
            "int8-static needs calibration data",
            help="say --calibration samples.npz, or --calibration file.py:callable",
        )
    return Job(
        source=source, formats=formats, precisions=precisions, out=arguments.out,
        name=_name(arguments), inputs=options(arguments.input, arguments.dynamic),
        opset=arguments.opset, seed=arguments.seed,
        signature=arguments.signature, calibration=arguments.calibration, timeout=arguments.timeout,
        tolerance=_tolerance(arguments), tflite_runtime=arguments.tflite_runtime, keep_unproven=arguments.keep_unproven,
        command=shlex.join(["edgecheck", *sys.argv[1:]]),
    )  # fmt: skip


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 11 else -1
    if not 0 <= number < 1 << 32:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {(1 << 32) - 1}")
    return number


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return number


def _seconds(text: str) -> float:
    number = _finite(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time")
    return number


def _name(arguments: argparse.Namespace) -> str:
    """A file name, which stays in --out."""
    name = str(arguments.name if arguments.name is not None else _stem(arguments.source))
    if not name or name in {".", ".."} or any(sign in name for sign in "/\\\0"):
        raise EdgecheckError(f"--name {name!r} is no file name", help="--out says the folder")
    return name


def _tolerance(arguments: argparse.Namespace) -> Tolerance | None:
    if arguments.min_snr is None:
        return None
    return Tolerance(snr_db=arguments.min_snr, max_relative=1.0, mismatches=0.0, edges=False)


def _list(text: str, allowed: tuple[str, ...], what: str) -> tuple[str, ...]:
    items = tuple(dict.fromkeys(item.strip() for item in text.split(",") if item.strip()))
    unknown = [item for item in items if item not in allowed]
    if unknown or not items:
        raise EdgecheckError(f"there is no {what} {(unknown or [''])[0]!r}; there are {', '.join(allowed)}")
    return items


def _stem(text: str) -> str:
    """`make_net` of net.py:make_net, `net` of net.pt2."""
    path, separator, name = text.rpartition(":")
    return name if separator and name.isidentifier() and path else Path(text).stem


def options(inputs: list[str], dynamic: list[str]) -> tuple[InputOption, ...]:
    """`--input` and `--dynamic` by input name."""
    found: dict[str, InputOption] = {}
    for text in inputs:
        match = re.fullmatch(r"([^:]+):(scalar|\d+(?:x\d+)*)(?::(\w+))?", text)
        if match is None:
            raise EdgecheckError(f"--input {text} is not NAME:SHAPE:DTYPE", help="for example x:1x3x224x224:float32")
        shape = () if match[2] == "scalar" else tuple(int(size) for size in match[2].split("x"))
        found[match[1]] = InputOption(name=match[1], shape=shape, dtype=match[3])
    for text in dynamic:
        match = re.fullmatch(r"([^:]+):(-?\d+):(\d+)\.\.(\d+)", text)
        if match is None or not 0 < int(match[3]) <= int(match[4]):
            raise EdgecheckError(f"--dynamic {text} is not NAME:AXIS:LOW..HIGH", help="for example ids:1:1..512")
        old = found.get(match[1], InputOption(name=match[1]))
        item = Dynamic(axis=int(match[2]), low=int(match[3]), high=int(match[4]))
        found[match[1]] = InputOption(name=old.name, shape=old.shape, dtype=old.dtype, dynamic=(*old.dynamic, item))
    return tuple(found.values())


def described(result: Result) -> dict[str, Any]:
    """The result as data, schema `edgecheck.export/1`."""
    return {
        "schema": "edgecheck.export/1", "edgecheck": __version__,
        "source": manifest.source(result.job.source), "signature": asdict(result.reference.signature),
        "parameters": result.reference.parameters, "notes": list(result.reference.notes),
        "artefacts": [_described(artefact) for artefact in result.artefacts],
        "findings": [asdict(finding) for finding in result.findings],
    }  # fmt: skip


def _described(artefact: Artefact) -> dict[str, Any]:
    return {
        "format": artefact.format, "precision": artefact.precision,
        "path": None if artefact.path is None else str(artefact.path),
        "manifest": None if artefact.manifest is None else str(artefact.manifest),
        "bytes": None if artefact.path is None else manifest.size(artefact.path),
        "rung": artefact.rung, "gave_up": artefact.fixes,
        "attempts": [asdict(attempt) for attempt in artefact.attempts],
        **manifest.summary(artefact),
    }  # fmt: skip


def _text(result: Result, format: str, colour: bool) -> str:
    from importlib import import_module

    reporter = import_module(f"edgecheck.reports.{format}")
    words = import_module("edgecheck.reports.words")
    lines = [f"note: {note}" for note in result.reference.notes]
    rows = [_row(artefact) for artefact in result.artefacts]
    lines += words.table([HEAD, *rows], right=(2, 3, 4))
    if format == "github":
        notes = [reporter.annotation(finding) for finding in result.findings]
        return "\n".join([*notes, "::group::edgecheck export", *lines, "::endgroup::"])
    for finding in result.findings:
        lines += ["", *words.block(finding, colour=colour, verbose=True)]
    return "\n".join(lines)


def _row(artefact: Artefact) -> list[str]:
    name = f"{artefact.format} {artefact.precision}" if artefact.path is None else artefact.path.name
    state = "converter cannot" if artefact.path is None else artefact.verdict.state
    if artefact.measured is None:
        return [name, state, "", "", "", artefact.ran_by, artefact.says]
    typical_only = artefact.tolerance is not None and not artefact.tolerance.edges
    figures = proof.worst(artefact.measured, typical_only=typical_only)
    nulls = [item.null_db for item in artefact.measured.sensitivities if item.null_db is not None]
    snr = figures["snr_db"]
    return [
        name, state, "exact" if snr is None else f"{snr:.1f}", f"{max(nulls):.1f}" if nulls else "",
        f"{figures['max_relative']:.1e}", artefact.ran_by, artefact.says,
    ]  # fmt: skip
