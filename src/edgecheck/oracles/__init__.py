"""Real compilers and runtimes that decide, on this machine, which operators an engine takes.

An oracle is one file in this folder, a module with

- `NAME`: what evidence calls it ("ethos-u-vela"),
- `ENVIRONMENT`: the locked environment it runs in (`requirements/<ENVIRONMENT>.txt`),
- `NEEDS`: the distributions it imports, all inside functions; the first one's version is the oracle's version,
- `TARGETS`: the op tables whose question it decides,
- `verdicts(model, target, settings)`: a list of `Answer`, one for each operator of the file.

`verdicts` runs in the oracle's own environment. `ask` starts that interpreter once for many models; there every
model runs in a forked child with a time limit, so that a crash costs one model and is never evidence.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from edgecheck.errors import EdgecheckError
from edgecheck.lifetime import end_with_parent

#: What an oracle can say of an operator. `inconclusive`: it crashed or ran out of time;
#: `invalid`: the file itself was refused for a reason that says nothing of the operator.
VERDICTS = ("supported", "fallback", "rejected", "inconclusive", "invalid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One operator's verdict; `graph` and `index` count as in the file. `reason` is the oracle's own text."""

    graph: int
    index: int
    op: str
    verdict: str
    reason: str = ""


class Oracle(Protocol):
    """What a module in this folder offers."""

    NAME: str
    ENVIRONMENT: str
    NEEDS: tuple[str, ...]
    TARGETS: tuple[str, ...]

    def verdicts(self, model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
        """One answer for each operator of the file `model`. Raises what the framework raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answers about one model, or why there are none."""

    model: Path
    answers: tuple[Answer, ...]
    failure: str | None = None  # a crash, a time-out, or an exception's sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a call in a forked child: its value (JSON types), or `failure`; `text` is what it printed."""

    value: Any
    text: str
    failure: str | None


# The child sees edgecheck and its own environment, and nothing else of ours.
_CHILD = """\
import sys, types
package = types.ModuleType("edgecheck")
package.__path__ = [sys.argv[1]]
sys.modules["edgecheck"] = package
from edgecheck.oracles import serve
serve(sys.argv[2], int(sys.argv[3]))
"""


def ask(
    oracle: str,
    python: Path,
    models: Sequence[Path],
    target: str,
    settings: Mapping[str, str] | None = None,
    *,
    seconds_each: float = 60.0,
) -> Iterator[Outcome]:
    """Ask `oracle` (its module name) about each model, in order, in the environment of `python`.

    Raises `EdgecheckError` (code 3) when the environment cannot even start.
    """
    read, write = os.pipe()
    package = Path(__file__).parent.parent
    command = [str(python), "-c", _CHILD, str(package), oracle, str(write)]
    request = {"target": target, "settings": dict(settings or {}), "seconds": seconds_each}
    with (
        tempfile.TemporaryFile() as orders, tempfile.TemporaryFile() as errors,
        tempfile.TemporaryDirectory(prefix="edgecheck-oracle-", ignore_cleanup_errors=True) as place,
    ):  # fmt: skip
        orders.write("".join(json.dumps({"model": str(m), **request}) + "\n" for m in models).encode())
        orders.seek(0)
        child = subprocess.Popen(
            command, stdin=orders, stdout=subprocess.DEVNULL, stderr=errors, pass_fds=[write],
            env=_clean_environment() | {"TMPDIR": place},  # what a fork that is killed leaves behind goes too
        )  # fmt: skip
        os.close(write)
        try:
            with os.fdopen(read) as lines:
                done = 0
                for line in lines:
                    yield _outcome(json.loads(line))
                    done += 1
            child.wait()
        finally:
            child.kill()
            child.wait()
        if done < len(models):
            errors.seek(0)
            raise _stopped(oracle, f"in {python} after {done} of {len(models)} models", errors.read())


def _stopped(oracle: str, where: str, errors: bytes) -> EdgecheckError:
    last = errors.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
    help = "`edgecheck doctor` shows and repairs the environments"
    return EdgecheckError(f"the oracle {oracle} stopped {where}: {last[0]}", code=3, help=help)


def serve(oracle: str, answers: int) -> None:
    """In the oracle's environment: read one request a line from stdin, write one JSON line each to `answers`."""
    import importlib
    import sys

    plugin: Oracle = importlib.import_module(f"edgecheck.oracles.{oracle}")
    getattr(plugin, "warm_up", lambda: None)()
    with os.fdopen(answers, "w") as out:
        for line in sys.stdin:
            request = json.loads(line)
            model = Path(request["model"])
            ran = isolated(lambda: _ask_plugin(plugin, model, request), seconds=request["seconds"])  # noqa: B023
            row = {"model": str(model), "answers": ran.value or [], "failure": ran.failure}
            out.write(json.dumps(row) + "\n")
            out.flush()


def isolated(call: Callable[[], Any], *, seconds: float) -> Ran:
    """Run `call` in a fork of this process, its file descriptors 1 and 2 caught.

    `call` returns JSON types. A signal, a time-out and an exception become `failure`, never an exception here.
    """
    read, write = os.pipe()
    with tempfile.TemporaryFile() as text:
        pid = os.fork()
        if pid == 0:
            os.close(read)
            _child(call, write, text.fileno())
        os.close(write)
        late, data = _drain(read, pid, seconds)
        _, status = os.waitpid(pid, 0)
        text.seek(0)
        printed = text.read().decode(errors="replace")
    if late:
        return Ran(value=None, text=printed, failure=f"no answer in {seconds:g} s")
    if os.WIFSIGNALED(status):
        return Ran(value=None, text=printed, failure=f"killed by {signal.Signals(os.WTERMSIG(status)).name}")
    result = json.loads(data) if data else {"failure": f"exit {os.waitstatus_to_exitcode(status)} without an answer"}
    return Ran(value=result.get("value"), text=printed, failure=result.get("failure"))


def _child(call: Callable[[], Any], write: int, text: int) -> None:
    """The forked half of `isolated`; never returns, and does not outlive its parent."""
    end_with_parent()
    os.dup2(text, 1)
    os.dup2(text, 2)
    try:
        result = {"value": call()}
    except BaseException as error:  # a child's boundary: whatever a framework raises is the answer
        result = {"failure": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"}
    with os.fdopen(write, "w") as out:
        json.dump(result, out)
    os._exit(0)


def _drain(read: int, pid: int, seconds: float) -> tuple[bool, bytes]:
    """All bytes of the pipe; the child is killed when `seconds` have passed."""
    end = time.monotonic() + seconds
    chunks: list[bytes] = []
    with os.fdopen(read, "rb", buffering=0) as pipe:
        while True:
            ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                os.kill(pid, signal.SIGKILL)
                return True, b""
            chunk = pipe.read(1 << 16)
            if not chunk:
                return False, b"".join(chunks)
            chunks.append(chunk)


def _ask_plugin(plugin: Oracle, model: Path, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [asdict(a) for a in plugin.verdicts(model, request["target"], request["settings"])]


def _outcome(row: Mapping[str, Any]) -> Outcome:
    answers = tuple(Answer(**a) for a in row["answers"])
    return Outcome(model=Path(row["model"]), answers=answers, failure=row["failure"])


def _clean_environment() -> dict[str, str]:
    """This process's environment without what would leak our packages into the oracle's interpreter."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {k: v for k, v in os.environ.items() if k not in dropped} | {"OMP_NUM_THREADS": "1"}
