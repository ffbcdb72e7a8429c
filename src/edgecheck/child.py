"""Run one function of edgecheck in a child process: another interpreter, a time limit, no shared fate.

Arguments and results are JSON and numpy arrays, exchanged through a folder (`job.json`, `job.npz`, `result.json`,
`result.npz`); there is no pickle anywhere. What the child prints is captured. A child that dies is a `ChildError`
with what happened, never a crash of the caller.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgecheck import exporters
from edgecheck.errors import EdgecheckError

Progress = Callable[[str, Mapping[str, Any]], None]

#: Contract types that may cross the border, by name.
TYPES: Mapping[str, type] = {
    cls.__name__: cls
    for cls in (
        exporters.Source, exporters.Dynamic, exporters.InputSpec, exporters.OutputSpec, exporters.Signature,
        exporters.InputOption, exporters.ExportRequest, exporters.Rung, exporters.Exported, exporters.Attempt,
        exporters.Tap,
    )
}  # fmt: skip

WORKER = Path(__file__).with_name("worker.py")


class ChildError(EdgecheckError):
    """A child process that raised, died or ran out of time.

    `what` is "raised", "crashed" or "timed out"; `detail` the one-line message; `tail` the last lines it printed;
    `events` what it had reported before.
    """

    def __init__(self, sentence: str, *, what: str, detail: str, tail: str, events: list[dict[str, Any]]) -> None:
        super().__init__(sentence, code=3)
        self.what = what
        self.detail = detail
        self.tail = tail
        self.events = events


def call(
    interpreter: Path | str,
    function: str,
    /,
    *,
    timeout: float = 600.0,
    memory: int | None = None,
    progress: Progress | None = None,
    label: str | None = None,
    environment: Mapping[str, str] | None = None,
    **arguments: Any,
) -> Any:
    """The result of `package.module:function(**arguments)`, run by `interpreter`.

    `timeout` is in seconds, `memory` a limit of the address space in bytes. `progress` gets each event the
    child reports with `worker.report(name, **fields)`. Raises `ChildError` (code 3) when the child raised
    something unforeseen, died or hung, and the child's own `EdgecheckError` when it raised one.
    """
    with tempfile.TemporaryDirectory(prefix="edgecheck-", ignore_cleanup_errors=True) as folder:
        job = Path(folder)
        save(job, "job", {"function": function, "arguments": arguments, "memory": memory, "path": _extra_path()})
        process = _start(interpreter, job, environment)
        events = _wait(process, job, timeout, progress)
        return _result(process.returncode, job, events, label or function, timeout)


def _extra_path() -> list[str]:
    """Where the user's own packages lie, for a source that needs one that the locked environment lacks."""
    return [entry for entry in sys.path if entry.endswith("site-packages")]


def _start(interpreter: Path | str, job: Path, environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})}
    env["TMPDIR"] = str(job)  # what a child that is killed leaves behind goes with the job
    env.pop("PYTHONPATH", None)
    with (job / "stdout").open("wb") as out, (job / "stderr").open("wb") as err:
        try:
            return subprocess.Popen(
                [str(interpreter), "-P", "-X", "faulthandler", str(WORKER), str(job)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise EdgecheckError(
                f"{interpreter} cannot be started: {error.strerror}", code=3, help="run `edgecheck doctor`"
            ) from error


def _wait(
    process: subprocess.Popen[bytes], job: Path, timeout: float, progress: Progress | None
) -> list[dict[str, Any]]:
    """Wait for the end, pass events on; the child and its children are gone afterwards."""
    deadline = time.monotonic() + timeout
    events: list[dict[str, Any]] = []
    pause = 0.02
    try:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                process.wait(timeout=pause)
            except subprocess.TimeoutExpired:
                pause = min(0.25, pause * 1.5)
            _pass_on(job, events, progress)
    finally:
        _kill(process)
    _pass_on(job, events, progress)
    return events


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it ended by itself, and left nobody behind
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _pass_on(job: Path, events: list[dict[str, Any]], progress: Progress | None) -> None:
    try:
        lines = (job / "events.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    except FileNotFoundError:
        return
    for line in lines[len(events) :]:
        event = json.loads(line)
        events.append(event)
        if progress is not None:
            progress(event["event"], event)


def _result(code: int, job: Path, events: list[dict[str, Any]], label: str, timeout: float) -> Any:
    tail = _tail(job)
    if (job / "result.json").is_file():
        result = load(job, "result")
        if "value" in result:
            return result["value"]
        _raise_again(result["error"], label, tail, events)
    if code == -signal.SIGKILL and not (job / "result.json").is_file() and _timed_out(job, timeout):
        detail = f"no end after {timeout:g} s"
        raise ChildError(f"{label}: {detail}", what="timed out", detail=detail, tail=tail, events=events)
    detail = f"died of {_signal_name(-code)}" if code < 0 else f"ended with code {code} and no result"
    last = tail.splitlines()[-1] if tail else ""
    raise ChildError(
        f"{label} {detail}" + (f": {last}" if last else ""), what="crashed", detail=detail, tail=tail, events=events
    )


def _timed_out(job: Path, timeout: float) -> bool:
    return time.time() - (job / "job.json").stat().st_mtime >= timeout


def _raise_again(error: Mapping[str, Any], label: str, tail: str, events: list[dict[str, Any]]) -> None:
    if error["type"] == "EdgecheckError":
        raise EdgecheckError(error["message"], code=error["code"], help=error["help"])
    place = f" ({error['place']})" if error["place"] else ""
    detail = f"{error['type']}: {error['message']}{place}"
    raise ChildError(f"{label}: {detail}", what="raised", detail=detail, tail=tail, events=events)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(job: Path, lines: int = 20) -> str:
    """The last lines of what the child printed, for a message; faulthandler's stack is left out."""
    text = (job / "stdout").read_bytes()[-20_000:] + b"\n" + (job / "stderr").read_bytes()[-20_000:]
    kept = []
    for line in text.decode("utf-8", "replace").splitlines():
        if line.startswith(("Fatal Python error", "Current thread", "Extension modules")):
            break
        if line.strip():
            kept.append(line.rstrip())
    return "\n".join(kept[-lines:])


def save(folder: Path, name: str, value: Any) -> None:
    """Write `value` as `name.json` with its arrays in `name.npz`, each under a temporary name first."""
    import numpy

    arrays: dict[str, Any] = {}
    tree = _encode(value, arrays)
    if arrays:
        with (folder / f"{name}.npz.part").open("wb") as file:
            numpy.savez(file, **arrays)
        (folder / f"{name}.npz.part").rename(folder / f"{name}.npz")
    (folder / f"{name}.json.part").write_text(json.dumps(tree), encoding="utf-8")
    (folder / f"{name}.json.part").rename(folder / f"{name}.json")


def load(folder: Path, name: str) -> Any:
    """What `save` wrote; nothing is unpickled."""
    tree = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    packed = folder / f"{name}.npz"
    if not packed.is_file():
        return _decode(tree, {})
    import numpy

    with numpy.load(packed, allow_pickle=False) as arrays:
        return _decode(tree, arrays)


def _encode(value: Any, arrays: dict[str, Any]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return {"$path": str(value)}
    if dataclasses.is_dataclass(value) and type(value).__name__ in TYPES:
        fields = {f.name: _encode(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
        return {"$type": type(value).__name__, "fields": fields}
    if isinstance(value, Mapping):
        return {"$map": [[_encode(k, arrays), _encode(v, arrays)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {"$tuple": [_encode(item, arrays) for item in value]}
    if isinstance(value, list):
        return [_encode(item, arrays) for item in value]
    return _encode_array(value, arrays)


def _encode_array(value: Any, arrays: dict[str, Any]) -> Any:
    import numpy

    array = numpy.asarray(value)
    if array.dtype.kind == "V" or array.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        array = array.astype(numpy.float32)  # ml_dtypes' types are exact in float32, and .npz cannot hold them
    if array.dtype.hasobject:
        raise TypeError(f"{type(value).__name__} cannot cross to another process")
    key = f"a{len(arrays)}"
    arrays[key] = array
    return {"$array": key}


def _decode(tree: Any, arrays: Any) -> Any:
    if isinstance(tree, list):
        return [_decode(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "$array" in tree:
        return arrays[tree["$array"]]
    if "$path" in tree:
        return Path(tree["$path"])
    if "$tuple" in tree:
        return tuple(_decode(item, arrays) for item in tree["$tuple"])
    if "$type" in tree:
        return TYPES[tree["$type"]](**{k: _decode(v, arrays) for k, v in tree["fields"].items()})
    return {_decode(k, arrays): _decode(v, arrays) for k, v in tree["$map"]}
