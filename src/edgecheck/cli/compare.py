"""`edgecheck compare`: golden runs against our pipeline, against another run, against a latency budget."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from edgecheck import child
from edgecheck.cli import now, output
from edgecheck.cli.record import RUNNERS, add_replay_options, interpreter, replay_options, say_progress
from edgecheck.errors import EdgecheckError
from edgecheck.findings import Finding
from edgecheck.golden import GoldenRun, pipelines
from edgecheck.golden.budget import Budget, parse
from edgecheck.golden.compared import ComparedRun, Comparison
from edgecheck.golden.findings import findings
from edgecheck.golden.reading import read
from edgecheck.golden.shelf import find
from edgecheck.pipeline import Meaning

HELP = "Replay golden runs through our pipeline, name the first stage that differs and the likely cause; judge latency."
EPILOG = """examples:
  edgecheck compare golden/face/pixel-8/run-1                  with the pipeline.py in golden/face
  edgecheck compare golden/                                    every run below it
  edgecheck compare run-1 --pipeline apps/face.py
  edgecheck compare run-1 --model model=shipped.tflite         with the file that was shipped
  edgecheck compare canary/run-7 --against golden/face/pixel-8/run-1     two recordings: a canary, a shadow run
  edgecheck compare v2/run-1 --against v1/run-1 --allow model --span model     is the new model slower?
  edgecheck compare run-1 --budget "p90 model <= 12 ms on pixel-8"
  edgecheck compare run-1 --output-format html --output-file face.html

Every stage is run here with the device's own input to it, so a stage that differs is at fault by itself; the ladder
also shows how far the whole is from the start. What the device withheld or did not record is said (EC921, exit 3);
where it kept what its values are like, drift is named (EC409). Runs below a folder each take the nearest pipeline.py.

Exit codes: 0 the same; 1 a stage differs, or a budget is broken; 2 the pipeline, a run or the command is wrong;
3 nothing failed, but something could not be compared (--allow-unknown makes that 0).
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a golden run, or a folder of them")
    parser.add_argument(
        "--pipeline", default="", metavar="FILE", help="default: pipeline.py in the run's folder or above"
    )
    parser.add_argument(
        "--against", type=Path, metavar="RUN",
        help="another golden run instead of a replay; `now`: a replay, and latencies measured on this machine again",
    )  # fmt: skip
    parser.add_argument(
        "--budget", action="append", default=[], metavar="TEXT", help="such as 'p90 model <= 12 ms'; repeatable"
    )
    parser.add_argument(
        "--span", action="append", default=[], metavar="NAME", help="the span that --against compares; repeatable"
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="FACT",
        help="what may differ from --against where latencies are compared, such as model, runtime.version; repeatable",
    )  # fmt: skip
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
    runs, broken = _folders(arguments.runs, timed=bool(budgets or arguments.against))
    compared = [_compared(folder, arguments, budgets, pictures=format == "html") for folder in runs]
    renderer = import_module(f"edgecheck.reports.{format}")
    found = [*broken, *(finding for one in compared for finding in one.findings)]
    output.write(_rendered(renderer, compared, broken, arguments), arguments.output_file)
    return output.exit_code(found, arguments)


def _rendered(
    renderer: Any, compared: Sequence[ComparedRun], broken: Sequence[Finding], arguments: argparse.Namespace
) -> str:
    """The format's own page for comparisons; the formats that only know findings get those."""
    colour = output.coloured(arguments)
    if hasattr(renderer, "compare"):
        return str(renderer.compare(compared, broken, verbose=arguments.verbose, colour=colour))
    found = [*broken, *(finding for one in compared for finding in one.findings)]
    return str(renderer.check((), found, verbose=arguments.verbose, colour=colour))


def _folders(named: Sequence[Path], *, timed: bool) -> tuple[list[Path], list[Finding]]:
    """The runs to compare, and those below a folder that are broken; of latency alone, only where that is judged."""
    found: list[Path] = []
    broken: list[Finding] = []
    for one in named:
        if (one / "run.json").is_file():
            found.append(_whole(one, timed=timed))
            continue
        inside = find(one)
        if not inside:
            raise EdgecheckError(f"no golden run in {one}", help="a golden run is a folder with run.json")
        broken += [
            Finding(rule="EC401", severity="error", message=item.problem, model=str(item.folder), help=item.help)
            for item in inside
            if item.run is None
        ]
        found += [item.folder for item in inside if item.run is not None and (timed or item.run.cases)]
        silent = sum(item.run is not None and not item.run.cases for item in inside)
        if silent and not timed:
            output.warn([f"{one}: {silent} runs hold latencies only and were passed over: --budget judges them"])
    return found, broken


def _whole(folder: Path, *, timed: bool) -> Path:
    if not read(folder).cases and not timed:
        raise EdgecheckError(f"{folder} holds latencies only", help="--budget or --against judges them")
    return folder


def _compared(folder: Path, arguments: argparse.Namespace, budgets: Sequence[Budget], *, pictures: bool) -> ComparedRun:
    try:
        comparison = _comparison(folder, arguments, pictures=pictures)
    except child.ChildError as error:
        found = [_crashed(folder, error), *_latency(folder, arguments, budgets)]
        nothing = Comparison(pipeline=read(folder).pipeline, ours="a replay that ended", device=str(folder), stages=())
        return ComparedRun(folder=folder, comparison=nothing, findings=tuple(found))
    meant = {"model", "model.sha256"} & set(arguments.allow)
    found = [one for one in findings(comparison) if not (meant and one.rule == "EC407")]
    found += _latency(folder, arguments, budgets)
    return ComparedRun(folder=folder, comparison=comparison, findings=tuple(found))


def _comparison(folder: Path, arguments: argparse.Namespace, *, pictures: bool) -> Comparison:
    if _other(arguments):
        return _between(folder, arguments)
    recorded = read(folder)
    if not recorded.cases:
        return Comparison(pipeline=recorded.pipeline, ours="a budget", device=str(folder), stages=())
    return _replayed(folder, arguments, pictures=pictures)


def _crashed(folder: Path, error: child.ChildError) -> Finding:
    """The wrapper code took its process along: where it was, and what it said last."""
    last = next((one for one in reversed(error.events) if one["event"] in ("stage", "search")), None)
    place = (
        f"stage '{last['name']}'" + (f" of case {last['case']}" if "case" in last else "") if last else "the pipeline"
    )
    how = {"crashed": "ended the process", "timed out": "gave no answer"}.get(error.what, "raised")
    return Finding(
        rule="EC921", severity="error", model=str(folder), place=place,
        message=f"{place} {how}: {error.detail}; nothing of this run was compared",
        evidence=tuple(error.tail.splitlines()[-2:]),
        help="run the stage by itself on that case; --timeout allows more time" if last else "run the file by itself",
    )  # fmt: skip


def _replayed(folder: Path, arguments: argparse.Namespace, *, pictures: bool) -> Comparison:
    from edgecheck.golden.compared import unpack

    source = pipelines.of(folder, arguments.pipeline)
    packed = child.call(
        interpreter(arguments), "edgecheck.golden.sides:compare", timeout=arguments.timeout, label=str(folder),
        progress=say_progress, run=str(folder.resolve()), search=not arguments.no_causes, pictures=pictures,
        **replay_options(arguments, source),
    )  # fmt: skip
    found: Comparison = unpack(packed)
    return replace(found, device=str(folder))


def _between(folder: Path, arguments: argparse.Namespace) -> Comparison:
    from edgecheck.golden.between import compare

    run, reference = read(folder), read(arguments.against)
    return compare(run, reference, _meanings(folder, arguments) if run.cases and reference.cases else {})


def _meanings(folder: Path, arguments: argparse.Namespace) -> dict[tuple[str, str], Meaning]:
    """What the pipeline file says of the tensors, where there is one; two recordings can be compared without."""
    try:
        source = pipelines.of(folder, arguments.pipeline)
    except EdgecheckError:
        return {}
    told = child.call(
        interpreter(arguments), "edgecheck.golden.sides:declared", timeout=arguments.timeout, label=source,
        source=replay_options(arguments, source)["source"],
    )  # fmt: skip
    return {(one["stage"], one["name"]): Meaning(**one["meaning"]) for one in told}


def _latency(folder: Path, arguments: argparse.Namespace, budgets: Sequence[Budget]) -> Iterator[Finding]:
    from edgecheck.golden import latency

    seen: set[Finding] = set()
    for finding in _judged(folder, arguments, budgets, latency):
        if finding not in seen:  # what a measurement suffered is said by every verdict on it
            seen.add(finding)
            yield finding


def _judged(folder: Path, arguments: argparse.Namespace, budgets: Sequence[Budget], latency: Any) -> Iterator[Finding]:
    if not budgets and arguments.against is None:
        return
    run = read(folder)
    for budget in budgets:
        yield from latency.judge(run, budget)
    if str(arguments.against) == now.NOW:
        with now.measured(run, arguments) as again:
            yield from _spans(run, again, arguments, latency)
    elif arguments.against is not None:
        yield from _spans(run, read(arguments.against), arguments, latency)


def _spans(run: GoldenRun, reference: GoldenRun, arguments: argparse.Namespace, latency: Any) -> Iterator[Finding]:
    if run.spans and reference.spans:
        for span in arguments.span or [None]:
            yield from latency.against(run, reference, span=span, allow=arguments.allow)


def _other(arguments: argparse.Namespace) -> bool:
    """Whether another recording takes the place of a replay."""
    return arguments.against is not None and str(arguments.against) != now.NOW
