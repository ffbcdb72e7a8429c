"""`edgecheck fix`: rewrite the operators a target refuses, where both files are proven to compute the same."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecheck import __version__, fixing, manifest, proof, selection
from edgecheck.cli import export, output
from edgecheck.errors import EdgecheckError
from edgecheck.fixing import Fixed, Order, Step
from edgecheck.reports import words
from edgecheck.results import CheckedTarget, NodeVerdict

HELP = "Rewrite operators that targets refuse, keep what is proven to compute the same, show verdicts before and after."
EPILOG = """examples:
  edgecheck fix model.onnx --target ort-cpu@1.17
  edgecheck fix model.tflite --target ethos-u55,litert-gpu --out model.better.tflite
  edgecheck fix model.onnx --device pixel-8 --input ids:1x128:int64
  edgecheck fix model.tflite --target litert-gpu --dry-run
  edgecheck fix model.tflite --target litert-gpu --freeze          a free batch becomes 1, shape arithmetic constant

Each rewrite keeps the mathematics (HARD_SWISH as x * relu6(x + 3) / 6, a split as slices, shape arithmetic folded,
another opset, ...).
It is kept only if fewer operators are refused on a target and none more on any other, and if the original and the new
file, run on the same inputs, agree to 80 dB. The new file gets a manifest beside it. The original is never changed.

Exit codes: those of `edgecheck check` for the file as it is afterwards; 3 too where the original does not run here.
"""
FORMATS = ("full", "json")
SCHEMA = "edgecheck.fix/1"


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("model", metavar="MODEL", type=Path, help=".onnx or .tflite")
    parser.add_argument("--target", action="append", metavar="TARGET[@VERSION]", help="repeatable, or a comma list")
    parser.add_argument("--device", action="append", metavar="DEVICE", help="every target the device offers")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="a setting of a target")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the new file (default: NAME.fixed.SUFFIX beside the model)"
    )
    parser.add_argument(
        "--freeze", action="store_true", help="fix free dimensions first: at 1 for a batch, else as --input says"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, write nothing")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME:SHAPE:DTYPE",
        help="sizes of an input whose dimensions are free",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the inputs of the proof (default: 0)")
    parser.add_argument(
        "--timeout", type=float, default=300.0, metavar="S", help="seconds for each child process (default: 300)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    output.configure(parser, FORMATS)


def run(arguments: argparse.Namespace) -> int:
    """Fix, report, and the exit code of a check of the result."""
    format = output.chosen_format(arguments, FORMATS)
    order = _order(arguments)
    fixed = fixing.fix(order, (lambda text: None) if arguments.quiet else _say)
    if fixed.path is not None and not order.dry:
        _finish(order, fixed)
    text = json.dumps(described(fixed), indent=1) if format == "json" else _text(fixed, order)
    output.write(text, arguments.output_file)
    return output.exit_code(fixed.after.all_findings, arguments)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _order(arguments: argparse.Namespace) -> Order:
    targets = selection.separated(arguments.target, "--target")
    devices = selection.separated(arguments.device, "--device")
    if not targets and not devices:
        raise EdgecheckError("nothing to fix it for", help="say --target TARGET or --device DEVICE")
    suffix = arguments.model.suffix
    wanted = selection.selections(targets, devices, selection.assignments(arguments.set))
    fitting = tuple(one for one in wanted if one.point.table.format == suffix.removeprefix("."))
    if not fitting and suffix in (".onnx", ".tflite"):
        raise EdgecheckError(
            f"{wanted[0].point.table.id} takes no {suffix} files", help="`edgecheck ops` lists the targets"
        )
    out = arguments.out or arguments.model.with_name(f"{arguments.model.stem}.fixed{suffix}")
    if out.resolve() == arguments.model.resolve():
        raise EdgecheckError("--out is the model itself, which is never changed", help="choose another name")
    return Order(
        model=arguments.model, out=out, wanted=fitting or tuple(wanted), inputs=export.options(arguments.input, []),
        seed=arguments.seed, timeout=arguments.timeout, freeze=arguments.freeze, dry=arguments.dry_run,
    )  # fmt: skip


def _finish(order: Order, fixed: Fixed) -> None:
    """The manifest beside the file."""
    assert fixed.path is not None
    content = {
        "command": shlex.join(["edgecheck", *sys.argv[1:]]),
        "source": {"name": order.model.name, "sha256": fixed.before.model.sha256},
        "artefact": {
            "name": fixed.path.name,
            "sha256": manifest.sha256(fixed.path),
            "bytes": manifest.size(fixed.path),
        },
        "versions": dict(fixed.versions),
        **described(fixed),
    }
    manifest.write(content, fixed.path.with_name(f"{fixed.path.name}.edgecheck.json"))


def described(fixed: Fixed) -> dict[str, Any]:
    """The result as data, schema `edgecheck.fix/1`."""
    return {
        "schema": SCHEMA,
        "edgecheck": __version__,
        "model": str(fixed.before.model.path),
        "written": None if fixed.path is None else str(fixed.path),
        "steps": [_step(step) for step in fixed.steps],
        "targets": [
            {"target": one.point.table.id, "version": one.point.version, "before": _counts(one), "after": _counts(two)}
            for one, two in zip(fixed.before.targets, fixed.after.targets, strict=True)
        ],
        "findings": [asdict(finding) for finding in fixed.after.all_findings],
    }


def _step(step: Step) -> dict[str, Any]:
    found = {
        "rewrite": step.rewrite,
        "says": step.says,
        "nodes": list(step.nodes),
        "state": step.state,
        "reason": step.reason,
    }
    return found if step.measured is None else found | {"distances": proof.worst(step.measured, typical_only=False)}


def _counts(target: CheckedTarget) -> dict[str, int]:
    return {name: target.count(name) for name in ("supported", "fallback", "rejected", "unknown")}


def _text(fixed: Fixed, order: Order) -> str:
    lines = []
    for step in fixed.steps:
        if step.state == "failed":
            continue
        where = f" ({len(step.nodes)} operators)" if step.nodes else ""
        state = {"applied": "applied", "not proven": "left out, not proven", "undecided": "left out, undecided"}[
            step.state
        ]
        lines.append(f"{state}: {step.rewrite}{where}: {step.says}{_distance(step)}")
    rows = [
        [one.point.title, _told(one), _told(two)]
        for one, two in zip(fixed.before.targets, fixed.after.targets, strict=True)
    ]
    lines += ["", *words.table([["target", "before", "after"], *rows])]
    for finding in fixed.after.all_findings:
        if finding.severity != "note":
            lines += ["", *words.block(finding, colour=False, verbose=False)]
    lines += ["", _conclusion(fixed, order)]
    return "\n".join(lines).lstrip("\n")


def _distance(step: Step) -> str:
    if step.reason:
        return f": {step.reason}"
    if step.measured is None:
        return ""
    snr = proof.worst(step.measured, typical_only=False)["snr_db"]
    return "; the outputs are equal" if snr is None else f"; the signal is {snr:.0f} dB above the difference"


def _told(target: CheckedTarget) -> str:
    counts = {name: number for name, number in _counts(target).items() if number}
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _conclusion(fixed: Fixed, order: Order) -> str:
    hint = "" if order.freeze or not _free(fixed) else "\n  help: --freeze fixes the free dimensions first"
    if fixed.path is not None:
        return (f"would write {fixed.path}" if order.dry else f"written: {fixed.path}") + hint
    refused = any(_refusals(target) for target in fixed.before.targets)
    return f"nothing written: no rewrite known here helps{hint}" if refused else "nothing to fix"


def _free(fixed: Fixed) -> bool:
    """Whether operators are still refused, of a model whose inputs have free dimensions."""
    inputs = fixed.after.model.graphs[0].inputs
    return any(None in (one.shape or ()) for one in inputs) and any(_refusals(t) for t in fixed.after.targets)


def _refusals(target: CheckedTarget) -> list[NodeVerdict]:
    return [one for one in target.verdicts if one.verdict in ("fallback", "rejected")]
