"""`edgecheck compare --against now`: the launches of a golden run, taken once more on this machine."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from edgecheck import child
from edgecheck.cli.record import interpreter, launches, replay_options
from edgecheck.errors import EdgecheckError
from edgecheck.golden import GoldenRun, pipelines
from edgecheck.golden.comparable import is_host
from edgecheck.golden.reading import read

NOW = "now"


@contextmanager
def measured(run: GoldenRun, arguments: argparse.Namespace) -> Iterator[GoldenRun]:
    """A run with as many launches, samples and warm-ups as `run` has, for as long as it is looked at.

    Raises `EdgecheckError` where `run` was taken on a device: this machine is none.
    """
    if not run.launches or not run.spans:
        raise EdgecheckError(f"{run.folder} holds no latencies", help="record them: --launches 12")
    if not is_host(run):
        raise EdgecheckError(
            f"--against now measures on this machine; {run.folder} was taken on {run.device.get('model', 'a device')}",
            help="record on the device again, and say --against RUN",
        )
    first = run.launches[0]
    count = int(run.latency(run.spans[0], first.name).size)
    asked = argparse.Namespace(**{**vars(arguments), "warmup": first.warmup, "runs": count})
    common = replay_options(asked, pipelines.of(run.folder, asked.pipeline))
    session = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with tempfile.TemporaryDirectory(prefix="edgecheck-now-") as folder:
        child.call(
            interpreter(asked), "edgecheck.golden.sides:record", timeout=asked.timeout, label=common["source"],
            out=str(Path(folder) / NOW), samples=launches(asked, common, len(run.launches)), session=session, **common,
        )  # fmt: skip
        yield read(Path(folder) / NOW)
