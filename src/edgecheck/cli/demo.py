"""`edgecheck demo`: two trained models through export, proof and check, and a page to look at."""

from __future__ import annotations

import argparse
import sys
import time
import webbrowser
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from edgecheck import checking, exporting, packages, sources
from edgecheck.cli import output
from edgecheck.deliverables import Artefact, Job, Result
from edgecheck.reports import html, proofs
from edgecheck.reports.words import paint, share, table
from edgecheck.results import CheckedModel

HELP = (
    "Take a trained PyTorch and a trained TensorFlow model through export, proof and check, and write a page about it."
)
EPILOG = """examples:
  edgecheck demo                      into ./edgecheck-demo
  edgecheck demo --out /tmp/demo --open

Needs the environments `edgecheck doctor --make torch,tf`; the two models come out of registry packages.
"""
_ONET = "O-Net of facenet-pytorch (PyTorch, trained): five landmarks in a crop of a face."
_PITCH = "basic-pitch (TensorFlow SavedModel, trained): notes and onsets in two seconds of audio; here of a chord."

_INTRODUCTION = (
    "<section><p>Two trained models became files for phones, boards and browsers. First each file is <b>proven</b>: "
    "it was run on the same inputs as the model it came from, and the difference is measured. Then each file is "
    "<b>checked</b> against what the engines of real devices can run: an operator is supported, falls back to the CPU, "
    "is rejected (the model will not load), or it is not known. Open a graph to see where each operator runs; open the "
    "findings to see why, on what evidence, and what to do.</p></section>"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "--out", type=Path, default=Path("edgecheck-demo"), metavar="DIR", help="folder for files and page"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")


def run(arguments: argparse.Namespace) -> int:
    """Export both models at once, check every file, print the summary, write the page."""
    began = time.monotonic()

    def say(text: str) -> None:
        if not arguments.quiet:
            print(f"[{time.monotonic() - began:5.1f} s] {text}", file=sys.stderr, flush=True)

    packages.folder_of(["facenet-pytorch", "basic-pitch"], say=say)
    jobs = _jobs(arguments.out)
    with ThreadPoolExecutor(len(jobs)) as pool:
        results = list(pool.map(lambda job: exporting.export(job, lambda text: say(f"{job.name}: {text}")), jobs))
    say("checking every file on the bundled targets")
    checked = {
        one.path: checking.check_file(one.path, [], {}) for result in results for one in result.artefacts if one.path
    }
    page = arguments.out / "index.html"
    output.write(_page(results, list(checked.values())), page)
    output.write("\n".join(_summary(results, checked, sys.stdout.isatty())), None)
    print(f"\n{time.monotonic() - began:.0f} s. The page with the graphs: {page.resolve().as_uri()}")
    if arguments.open:
        webbrowser.open(page.resolve().as_uri())
    failed = any(one.path is None or one.verdict.state != "proven" for result in results for one in result.artefacts)
    return 1 if failed else 0


def _jobs(out: Path) -> list[Job]:
    """Both models to three formats in fp32; O-Net also quantised, for the microcontrollers. Two cores: three jobs."""
    pitch = sources.find("edgecheck.demo_models:pitch", "tf")
    net = sources.find("edgecheck.demo_models:onet", "torch")
    return [
        Job(source=net, formats=("onnx", "coreml"), out=out / "onet", name="onet"),
        Job(source=net, formats=("tflite",), precisions=("fp32", "int8-static"), out=out / "onet", name="onet",
            calibration="edgecheck.demo_models:crops"),
        Job(source=pitch, formats=("onnx", "tflite", "coreml"), out=out / "basic-pitch", name="basic-pitch"),
    ]  # fmt: skip


def _summary(results: Sequence[Result], checked: dict[Path, CheckedModel], colour: bool) -> list[str]:
    """Per file: proven or not, and how much of the work each target takes."""
    lines = []
    for result in results:
        for one in result.artefacts:
            name = one.path.name if one.path else f"{result.job.name} to {one.format}"
            state = one.verdict.state if one.path else "converter cannot"
            lines.append(f"{paint(name, 'bold', colour)}: {_proof(one, state, colour)}")
            lines += _targets(checked[one.path]) if one.path else [f"  {one.verdict.reason}"]
            lines.append("")
    return lines


def _proof(one: Artefact, state: str, colour: bool) -> str:
    good = paint(state, "ok" if state == "proven" else "warning", colour)
    if one.measured is None:
        return good
    figure = "bit-identical" if one.signal_db is None else f"signal {one.signal_db:.0f} dB above the error"
    by = f", run by {one.ran_by}" if one.ran_by else ""
    return f"{good} ({figure}{by})" + (f"; {one.not_run}" if one.not_run else "")


def _targets(one: CheckedModel) -> list[str]:
    rows = []
    for target in one.targets:
        wrong = [f"{target.count(v)} {v}" for v in ("fallback", "rejected", "unknown") if target.count(v)]
        cut = target.partition
        rows.append([
            f"  {target.point.title}", f"{target.count('supported')} of {len(target.verdicts)} operators run there",
            f"{share(cut.macs_supported)} of MACs", ", ".join(wrong),
        ])  # fmt: skip
    return table(rows)


def _page(results: Sequence[Result], checked: Sequence[CheckedModel]) -> str:
    sentences = {"onet": _ONET, "basic-pitch": _PITCH}
    sections = [proofs.section(result, sentences[result.job.name]) for result in _by_name(results)]
    return html.page("edgecheck demo", [_INTRODUCTION, *sections, *(html.model_section(one) for one in checked)])


def _by_name(results: Sequence[Result]) -> list[Result]:
    """The results of jobs that export one model, as one."""
    merged: dict[str, Result] = {}
    for result in results:
        first = merged.get(result.job.name)
        merged[result.job.name] = result if first is None else replace(
            first, artefacts=(*first.artefacts, *result.artefacts), findings=(*first.findings, *result.findings)
        )  # fmt: skip
    return list(merged.values())
