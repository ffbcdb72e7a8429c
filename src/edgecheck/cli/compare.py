"""`edgecheck compare`: golden runs against our pipeline, against another run, against a latency budget."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from edgecheck import child
from edgecheck.cli import output
from edgecheck.cli.record import RUNNERS, add_replay_options, interpreter, replay_options, say_progress
from edgecheck.errors import EdgecheckError
from edgecheck.findings import Finding
from edgecheck.golden import pipelines
from edgecheck.golden.budget import Budget, parse
from edgecheck.golden.compared import ComparedRun, Comparison
from edgecheck.golden.findings import findings
from edgecheck.golden.reading import read
from edgecheck.golden.shelf import find

HELP = "Replay golden runs through our pipeline, name the first stage that differs and the likely cause; judge latency."
EPILOG = """examples:
  edgecheck compare golden/face/pixel-8/run-1                  with the pipeline.py in golden/face
  edgecheck compare golden/                                    every run below it
  edgecheck compare run-1 --pipeline apps/face.py
  edgecheck compare run-1 --model model=shipped.tflite         with the file that was shipped
  edgecheck compare canary/run-7 --against golden/face/pixel-8/run-1     two recordings: a canary, a shadow run
  edgecheck compare run-1 --budget "p90 model <= 12 ms on pixel-8"
  edgecheck compare run-1 --output-format html --output-file face.html

Every stage is run here with the device's own input to it, so a stage that differs is at fault by itself; the ladder
also shows how far the whole is from the start. What the device withheld or did not record is said (EC921, exit 3).

Exit codes: 0 the same; 1 a stage differs, or a budget is broken; 2 the pipeline, a run or the command is wrong;
3 nothing failed, but something could not be compared (--allow-unknown makes that 0).
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a golden run, or a folder of them")
    parser.add_argument(
        "--pipeline", default="", metavar="FILE", help="default: pipeline.py in the run's folder or above"
    )
    parser.add_argument("--against", type=Path, metavar="RUN", help="another golden run instead of a replay")
    parser.add_argument(
        "--budget", action="append", default=[], metavar="TEXT", help="such as 'p90 model <= 12 ms'; repeatable"
    )
    parser.add_argument(
        "--on", choices=RUNNERS, default="local", metavar="RUNNER", help="what replays: " + ", ".join(RUNNERS)
    )
    add_replay_options(parser)
    parser.add_argument("--no-causes", action="store_true", help="measure only; do not search for causes")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every tensor of every stage")
    output.configure(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare, report, and the exit code."""
    format = output.chosen_format(arguments)
    budgets = [parse(text) for text in arguments.budget]
    compared = [_compared(folder, arguments, budgets, pictures=format == "html") for folder in _folders(arguments.runs)]
    renderer = import_module(f"edgecheck.reports.{format}")
    found = [finding for one in compared for finding in one.findings]
    text = _rendered(renderer, compared, found, arguments)
    output.write(text, arguments.output_file)
    return output.exit_code(found, arguments)


def _rendered(
    renderer: Any, compared: Sequence[ComparedRun], found: Sequence[Finding], arguments: argparse.Namespace
) -> str:
    """The format's own page for comparisons; the formats that only know findings get those."""
    colour = output.coloured(arguments)
    if hasattr(renderer, "compare"):
        return str(renderer.compare(compared, verbose=arguments.verbose, colour=colour))
    return str(renderer.check((), found, verbose=arguments.verbose, colour=colour))


def _folders(named: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for one in named:
        if (one / "run.json").is_file():
            found.append(one)
            continue
        inside = [item.folder for item in find(one)]
        if not inside:
            raise EdgecheckError(f"no golden run in {one}", help="a golden run is a folder with run.json")
        found += inside
    return found


def _compared(folder: Path, arguments: argparse.Namespace, budgets: Sequence[Budget], *, pictures: bool) -> ComparedRun:
    comparison = _between(folder, arguments) if arguments.against else _replayed(folder, arguments, pictures=pictures)
    found = [*findings(comparison), *_latency(folder, arguments.against, budgets)]
    return ComparedRun(folder=folder, comparison=comparison, findings=tuple(found))


def _replayed(folder: Path, arguments: argparse.Namespace, *, pictures: bool) -> Comparison:
    from edgecheck.golden.compared import unpack

    source = pipelines.of(folder, arguments.pipeline)
    packed = child.call(
        interpreter(arguments), "edgecheck.golden.sides:compare", timeout=arguments.timeout, label=str(folder),
        progress=say_progress, run=str(folder.resolve()), search=not arguments.no_causes, pictures=pictures,
        **replay_options(arguments, source),
    )  # fmt: skip
    found: Comparison = unpack(packed)
    return found


def _between(folder: Path, arguments: argparse.Namespace) -> Comparison:
    from edgecheck.golden.between import compare

    return compare(read(folder), read(arguments.against))


def _latency(folder: Path, reference: Path | None, budgets: Sequence[Budget]) -> Iterator[Finding]:
    from edgecheck.golden import latency

    if budgets:
        recorded = read(folder)
        for budget in budgets:
            yield from latency.judge(recorded, budget)
    if reference is not None:
        one, other = read(folder), read(reference)
        if one.spans and other.spans:
            yield from latency.against(one, other)
