"""Launches of a measuring program, in turns: A B B A A B B A …, each in a process of its own.

The program is anything that writes a golden run of one launch into the folder that the environment's EDGECHECK_RUN
names: an app with a recorder linked, `scripts/latency_child.py`, a command that runs it on a board. Every side gets
one launch first that is not kept, for caches that only a first start fills. A launch that dies or hangs is left out
and counted; it never ends the measurement.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgecheck.errors import EdgecheckError, FormatError
from edgecheck.golden import GoldenRun
from edgecheck.golden.reading import read
from edgecheck.golden.recorder import Recorder

VARIABLE = "EDGECHECK_RUN"
SESSION = "session"  # the condition that two runs share whose launches were interleaved
MOST_LOST = 0.25  # of all launches: then the program is broken, not unlucky
SECTIONS = ("model", "wrapper", "device", "runtime", "conditions")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start, how often, and how long to wait."""

    sides: Mapping[str, Sequence[str]]  # name → argv; one or two
    launches: int  # of each side
    timeout: float = 300.0  # seconds a launch may take
    pause: float = 0.0  # seconds between launches, to cool down
    environment: Mapping[str, str] | None = None


def turns(sides: Sequence[str], launches: int) -> Iterator[str]:
    """A B B A A B B A …: a drift that is a straight line over time falls on both sides alike."""
    for i in range(launches):
        yield from sides if i % 2 == 0 else reversed(sides)


def launch(plan: Plan, into: Path, *, say: Say = lambda _: None) -> dict[str, GoldenRun]:
    """One golden run for each side, written to `into`/<side>, its launches named by their place in time.

    Raises `EdgecheckError`: code 2 where `into`/<side> exists, code 3 where too many launches were lost.
    """
    for side in plan.sides:
        if (into / side).exists():
            raise EdgecheckError(f"{into / side} is there already", help="name another folder, or remove it")
    session = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    order = [*plan.sides, *turns(list(plan.sides), plan.launches)]
    kept: dict[str, list[tuple[str, GoldenRun]]] = {side: [] for side in plan.sides}
    lost: list[str] = []
    with tempfile.TemporaryDirectory(prefix="edgecheck-launches-") as folder:
        for position, side in enumerate(order, -len(plan.sides)):
            say(f"launch {position + 1} of {len(order) - len(plan.sides)}: {side}")
            found = _once(plan, side, Path(folder) / f"{position}")
            if isinstance(found, str):
                lost.append(f"{side}: {found}")
                _bearable(lost, len(order))
            elif position >= 0:
                kept[side].append((f"{position:04d}", found))
            time.sleep(plan.pause)
        return {side: _together(found, into / side, session, len(lost)) for side, found in kept.items()}


def _bearable(lost: Sequence[str], total: int) -> None:
    if len(lost) > MOST_LOST * total:
        raise EdgecheckError(
            f"{len(lost)} of {total} launches were lost; the last: {lost[-1]}", code=3,
            help=f"the program must write a golden run into the folder that {VARIABLE} names",
        )  # fmt: skip


def _once(plan: Plan, side: str, folder: Path) -> GoldenRun | str:
    """The run of one launch, or what became of it."""
    environment = {**os.environ, **(plan.environment or {}), VARIABLE: str(folder)}
    with (folder.with_suffix(".log")).open("w+b") as log:
        try:
            process = subprocess.Popen(
                list(plan.sides[side]), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise EdgecheckError(f"{side}: {plan.sides[side][0]} cannot be started: {error.strerror}") from None
        ended = _ended(process, plan.timeout)
        if ended:
            log.seek(0)
            lines = log.read()[-2000:].decode("utf-8", "replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            return f"{ended}{': ' + last[:200] if last else ''}"
    try:
        found = read(folder)
    except FormatError as error:
        return str(error)
    return found if len(found.launches) == 1 and found.spans else f"it wrote {len(found.launches)} launches, not one"


def _ended(process: subprocess.Popen[bytes], timeout: float) -> str:
    """How the program failed, or nothing; it and its children are gone afterwards."""
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        return f"no end after {timeout:g} s"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it ended by itself, and left nobody behind
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return "" if code == 0 else f"ended with code {code}" if code > 0 else f"died of signal {-code}"


def _together(found: Sequence[tuple[str, GoldenRun]], folder: Path, session: str, lost: int) -> GoldenRun:
    """The launches of one side as one run. Facts must not change from launch to launch."""
    if not found:
        raise EdgecheckError(f"no launch of {folder.name} was kept", code=3, help="raise the number of launches")
    first, last = found[0][1], found[-1][1]
    facts: dict[str, Any] = {section: dict(getattr(first, section)) for section in SECTIONS}
    for name, run in found:
        _unchanged(folder.name, name, first, run)
    after = last.conditions.get("thermal_after")
    facts["conditions"] |= {SESSION: session, "launches_lost": lost} | ({"thermal_after": after} if after else {})
    recorder = Recorder(str(folder), first.pipeline, list(first.stages), time=session, **facts)
    for name, run in found:
        recorder.launch(name, run.launches[0].warmup)
        for span in run.spans:
            for sample in run.latency(span, run.launches[0].name).tolist():
                recorder.sample(span, sample)
    if not recorder.finish():
        raise EdgecheckError(recorder.error, code=3)
    return read(folder)


def _unchanged(side: str, name: str, first: GoldenRun, run: GoldenRun) -> None:
    ours, theirs = ((one.pipeline, one.spans, one.model, one.device, one.runtime) for one in (run, first))
    if ours != theirs:
        raise EdgecheckError(f"{side}: launch {name} has another model, device, runtime or spans than the first",
                             code=3, help="one side of a comparison is one program with one configuration")  # fmt: skip
