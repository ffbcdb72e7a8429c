"""`edgecheck check`: model files against op tables."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from edgecheck import checking, selection
from edgecheck.cli import output
from edgecheck.errors import EdgecheckError
from edgecheck.results import all_findings

HELP = "Hold model files against the op tables of targets: per node a verdict, a reason, the evidence and a way out."
EPILOG = """examples:
  edgecheck check model.tflite                        every bundled target of the file's format
  edgecheck check model.tflite --target ethos-u55 --set config=ethos-u55-256
  edgecheck check Net.mlpackage --target coreml@16    as on iOS 16
  edgecheck check models/ --device pixel-8,raspberry-pi-5
  edgecheck check model.onnx --output-format json --output-file report.json

A file named must be readable and for one of the targets; one that lies in a folder and is not is a note (EC103), or
not decided where it is damaged (EC905), and the others are checked all the same.

Targets, devices, set and fail-on may stand in edgecheck.toml, or in [tool.edgecheck] of a pyproject.toml: the nearest
one in this folder or above, up to the root of the repository. A pyproject.toml that cannot be read is passed over with
a warning, unless it names edgecheck.

Exit codes: 0 every node runs on every target; 1 a node falls back or is rejected (--fail-on); 2 the command or
the file is wrong; 3 nothing failed, but a verdict is unknown (--allow-unknown makes that 0).
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help=".onnx, .tflite, .mlpackage, .mlmodel, or a folder of them"
    )
    parser.add_argument(
        "--target",
        action="append",
        metavar="TARGET[@VERSION]",
        help="repeatable, or a comma list; `edgecheck ops` lists them",
    )
    parser.add_argument(
        "--device",
        action="append",
        metavar="DEVICE",
        help="every target the device offers; `edgecheck devices` lists them",
    )
    parser.add_argument(
        "--set", action="append", metavar="NAME=VALUE", help="a setting of a target, such as config=ethos-u55-256"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show every node and all evidence")
    output.configure(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check, report, and the exit code."""
    format = output.chosen_format(arguments)
    configured = selection.configuration(_here())
    output.warn(configured.warnings)
    targets = selection.separated(arguments.target, "--target")
    devices = selection.separated(arguments.device, "--device")
    if not targets and not devices:
        targets, devices = list(configured.targets), list(configured.devices)
    settings = {**configured.settings, **selection.assignments(arguments.set)}
    files = selection.models(arguments.models)
    wanted = selection.selections(targets, devices, settings)
    checked, unchecked = checking.check_files(files, wanted, settings)
    if not any(finding.undecided for finding in unchecked):
        checking.refuse_idle([one.partition("@")[0] for one in selection.separated(arguments.target)], checked)
    renderer = import_module(f"edgecheck.reports.{format}")
    text = renderer.check(checked, unchecked, verbose=arguments.verbose, colour=output.coloured(arguments))
    output.write(text, arguments.output_file)
    return output.exit_code(all_findings(checked, unchecked), arguments, fail_on=configured.fail_on)


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise EdgecheckError("the current folder is no longer there", help="cd to one that is") from None
