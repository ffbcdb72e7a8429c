"""`edgecheck record`: run a pipeline and write down what happened, as a golden run."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgecheck import child
from edgecheck.errors import EdgecheckError
from edgecheck.golden.naming import slug

HELP = "Run a pipeline's cases on a runner and write every stage's tensors, and latencies, as a golden run."
EPILOG = """examples:
  edgecheck record face.py                             this machine, with the usual runtime of the model's format
  edgecheck record face.py --runtime litert-builtin    LiteRT's own kernels instead of XNNPACK
  edgecheck record wake.py --on tflm                   TensorFlow Lite Micro's reference kernels
  edgecheck record face.py --model model=face.onnx     another file for the stage `model`
  edgecheck record face.py --withhold photo=hash       keep the hash of a private input instead of its values
  edgecheck record face.py --withhold photo=hash --aggregates     and what its values are like: drift can be named
  edgecheck record face.py --launches 8 --runs 50      latencies too, of eight process launches

The run is written to golden/PIPELINE/DEVICE/RUN, whole or not at all. An app on a phone records with one of the files
in recorders/ (docs/recorders.md); what it writes is the same format.

Exit codes: 0 recorded; 2 the pipeline or the command is wrong; 3 a stage or a runtime failed.
"""
RUNNERS = ("local", "tflm")
SECTIONS = ("model", "wrapper", "device", "runtime", "conditions")


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("pipeline", metavar="PIPELINE", help="file.py or file.py:NAME; `edgecheck init` writes one")
    parser.add_argument("--on", choices=RUNNERS, default="local", metavar="RUNNER", help=", ".join(RUNNERS))
    add_replay_options(parser)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default golden/PIPELINE/DEVICE/RUN")
    parser.add_argument("--name", metavar="RUN", help="the run's name; default runtime and time")
    parser.add_argument(
        "--case", action="append", default=[], metavar="NAME", help="only this case, or this sequence; repeatable"
    )
    parser.add_argument(
        "--withhold", action="append", default=[], metavar="[STAGE/]TENSOR=HOW", help="hash or omitted; repeatable"
    )
    parser.add_argument(
        "--aggregates", action="store_true", help="of what is withheld keep the mean, least, …: drift can be named"
    )
    parser.add_argument(
        "--fact",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="such as device.model='Pixel 8'; repeatable",
    )
    parser.add_argument("--launches", type=int, default=0, metavar="N", help="measure latency in N process launches")
    parser.add_argument("--runs", type=int, default=50, metavar="N", help="samples of each launch (default 50)")
    parser.add_argument("--warmup", type=int, default=5, metavar="N", help="runs before them (default 5)")


def add_replay_options(parser: argparse.ArgumentParser) -> None:
    """What `record` and `compare` have in common: how our side of a pipeline is run."""
    parser.add_argument(
        "--runtime", default="", metavar="NAME", help="litert, litert-builtin, tflite-runtime, onnxruntime, tflm"
    )
    parser.add_argument(
        "--model", action="append", default=[], metavar="STAGE=FILE", help="another model file for a stage; repeatable"
    )
    parser.add_argument(
        "--python",
        type=Path,
        metavar="FILE",
        help="the interpreter that has what the pipeline imports (default: this one)",
    )
    parser.add_argument("--timeout", type=float, default=1800.0, metavar="SECONDS", help="of one launch (default 1800)")


def run(arguments: argparse.Namespace) -> int:
    """Measure where asked, record, say where it lies."""
    common = replay_options(arguments, arguments.pipeline)
    withhold = {key: _how(key, value) for key, value in pairs(arguments.withhold, "--withhold").items()}
    facts: dict[str, dict[str, Any]] = {}
    for key, value in pairs(arguments.fact, "--fact").items():
        section, _, name = key.partition(".")
        if section not in SECTIONS or not name:
            raise EdgecheckError(f"--fact {key}: a fact is SECTION.KEY", help=f"sections: {', '.join(SECTIONS)}")
        facts.setdefault(section, {})[name] = value
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    samples = launches(arguments, common, arguments.launches)
    pending = _pending(arguments.out or Path("golden"))
    told = child.call(
        interpreter(arguments), "edgecheck.golden.sides:record", timeout=arguments.timeout, label=arguments.pipeline,
        progress=say_progress, out=str(pending), only=arguments.case, withhold=withhold,
        aggregates=arguments.aggregates, facts=facts, time=now, samples=samples,
        session=f"{now}-{secrets.token_hex(4)}", **common,
    )  # fmt: skip
    folder = arguments.out or _place(told, arguments, now)
    settle(pending, folder)
    print(
        f"{folder}: {told['cases']} cases of {', '.join(told['stages'])}"
        f", with {told['runtime'].get('name', 'no model')}"
    )
    return 0


def replay_options(arguments: argparse.Namespace, source: str) -> dict[str, Any]:
    """The arguments of `edgecheck.golden.sides` that say how our side runs."""
    return {
        "source": _absolute(source), "on": arguments.on, "runtime": arguments.runtime,
        "models": {stage: str(Path(file).resolve()) for stage, file in pairs(arguments.model, "--model").items()},
    }  # fmt: skip


def _absolute(text: str) -> str:
    """The pipeline with its path made absolute: the child runs elsewhere."""
    path, colon, name = (text, "", "") if Path(text).exists() else text.partition(":")
    return f"{Path(path).resolve()}{colon}{name}" if Path(path).exists() else text


def pairs(values: list[str], option: str) -> dict[str, str]:
    """`KEY=VALUE` of a repeatable option."""
    found = {}
    for one in values:
        key, mark, value = one.partition("=")
        if not mark or not key or not value:
            raise EdgecheckError(f"{option} {one!r} is not KEY=VALUE")
        found[key] = value
    return found


def _how(key: str, value: str) -> str:
    if value not in ("hash", "omitted"):
        raise EdgecheckError(f"--withhold {key}={value}: it is 'hash' or 'omitted'")
    return value


def interpreter(arguments: argparse.Namespace) -> Path:
    """The Python that runs the user's wrapper code."""
    given: Path | None = arguments.python
    return given if given is not None else Path(sys.executable)


def launches(arguments: argparse.Namespace, common: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """So many processes, measured one after the other; `arguments` holds `warmup` and `runs`."""
    return [_launch(arguments, common, number, count) for number in range(count)]


def _launch(arguments: argparse.Namespace, common: Mapping[str, Any], number: int, count: int) -> dict[str, Any]:
    print(f"\rlaunch {number + 1} of {count}", end="", file=sys.stderr, flush=True)
    found = child.call(
        interpreter(arguments), "edgecheck.golden.sides:measure", timeout=arguments.timeout, label=arguments.pipeline,
        warmup=arguments.warmup, runs=arguments.runs, **common,
    )  # fmt: skip
    print(file=sys.stderr)
    return {"name": f"{number:04d}", "warmup": arguments.warmup, "samples": found}


def say_progress(event: str, fields: Mapping[str, Any]) -> None:
    """One line that moves, for a person who waits."""
    if not sys.stderr.isatty():
        return
    if event == "case":
        print(
            f"\rcase {fields['number'] + 1} of {fields['total']} {fields['name']}\x1b[K",
            end="",
            file=sys.stderr,
            flush=True,
        )
        if fields["number"] + 1 == fields["total"]:
            print("\r\x1b[K", end="", file=sys.stderr)
    if event == "search":
        print(f"\rlooking for the cause at {fields['name']}\x1b[K\r", end="", file=sys.stderr, flush=True)


def _pending(near: Path) -> Path:
    return near.absolute().parent / f".edgecheck-{os.getpid()}.part"


def _place(told: Mapping[str, Any], arguments: argparse.Namespace, now: str) -> Path:
    name = arguments.name or f"{told['runtime'].get('name', 'run')}-{now.replace(':', '').replace('-', '')}"
    return Path("golden") / slug(told["pipeline"]) / slug(told["device"]) / slug(name)


def settle(pending: Path, folder: Path) -> None:
    """Give a finished run its name."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        pending.rename(folder)
    except OSError as error:
        raise EdgecheckError(
            f"cannot write {folder}: {error.strerror}", help=f"the run is kept as {pending}; say --out FOLDER"
        ) from None
