"""A model that stays loaded in a child process: arrays in, arrays out, as often as one likes.

The child is another interpreter if the runtime lives in one, and may abort without taking anybody along. Messages are a
length, a JSON head and the arrays' bytes, over a pair of pipes; there is no pickle.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from edgecheck.errors import EdgecheckError

if TYPE_CHECKING:
    import numpy

_HEAD = struct.Struct("<Q")
MOST_HEAD = 16 << 20


class Served:
    """A model in a child process. Close it, or use it in `with`."""

    def __init__(
        self, interpreter: Path, runtime: str, path: Path, options: Mapping[str, Any], *, seconds: float = 120.0
    ) -> None:
        """`runtime` names a plugin of `edgecheck.runtimes` with `load`. Raises `EdgecheckError` (code 3)."""
        self.name, self._seconds = f"{runtime} with {path.name}", seconds
        self.processor = 0  # nanoseconds of processor time that the last inference took, with handing over its tensors
        worker = Path(__file__).with_name("worker.py")
        job = json.dumps({"runtime": runtime, "path": str(path), "options": dict(options)})
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": "1"}
        env.pop("PYTHONPATH", None)
        try:
            self._process = subprocess.Popen(
                [str(interpreter), "-P", str(worker), "--serve", job], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env=env,
            )  # fmt: skip
        except OSError as error:
            raise EdgecheckError(f"{interpreter} cannot be started: {error.strerror}", code=3) from None
        head, _ = self._receive()
        self.about: dict[str, Any] = head

    def __call__(self, inputs: Mapping[str, Any]) -> tuple[dict[str, numpy.ndarray], int]:
        """(outputs by the file's names, nanoseconds of the inference alone). Raises `EdgecheckError` (code 3)."""
        assert self._process.stdin is not None
        try:
            send(self._process.stdin, {}, inputs)
        except BrokenPipeError:
            self._died()
        head, outputs = self._receive()
        self.processor = int(head.get("processor", 0))
        return outputs, int(head["nanoseconds"])

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._process.poll() is None

    def reset(self) -> None:
        """Load the model again: what it remembered is gone."""
        assert self._process.stdin is not None
        send(self._process.stdin, {"reset": True}, {})
        self._receive()

    def _receive(self) -> tuple[dict[str, Any], dict[str, numpy.ndarray]]:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], self._seconds)
        if not ready:
            self.close()
            raise EdgecheckError(f"{self.name} gave no answer in {self._seconds:g} s", code=3)
        try:
            head, arrays = receive(self._process.stdout)
        except EOFError:
            self._died()
        if "error" in head:
            raise EdgecheckError(f"{self.name}: {head['error']}", code=3)
        return head, arrays

    def _died(self) -> None:
        code = self._process.wait()
        how = f"died of signal {-code}" if code < 0 else f"ended with code {code}"
        raise EdgecheckError(f"{self.name} {how}", code=3, help="the runtime aborted; edgecheck did not")

    def close(self) -> None:
        """End the child."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def serve(job: str) -> None:
    """The child's side: load, say what was loaded, answer until the parent is gone."""
    importlib.import_module("edgecheck.lifetime").end_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the runtime prints is no answer
    asked = json.loads(job)
    try:
        plugin = importlib.import_module(f"edgecheck.runtimes.{asked['runtime']}")
        model = plugin.load(Path(asked["path"]), **asked["options"])
    except Exception as error:  # the border of the process: whatever happened becomes data
        send(answers, {"error": _said(error)}, {})
        return
    send(answers, model.about, {})
    while True:
        try:
            told, inputs = receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if told.get("reset"):
                model = plugin.load(Path(asked["path"]), **asked["options"])
                send(answers, model.about, {})
                continue
            begin, busy = time.perf_counter_ns(), time.thread_time_ns()
            outputs, spent = model(inputs)
            busy, whole = time.thread_time_ns() - busy, time.perf_counter_ns() - begin
            send(answers, {"nanoseconds": spent or whole, "processor": busy}, outputs)
        except Exception as error:  # the border of the process: whatever happened becomes data
            send(answers, {"error": _said(error)}, {})


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:500]


def send(pipe: IO[bytes], head: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """One message."""
    import numpy

    ready = {name: numpy.ascontiguousarray(value) for name, value in arrays.items()}
    listed = [[name, one.dtype.str, list(numpy.shape(arrays[name])), one.nbytes] for name, one in ready.items()]
    text = json.dumps({"head": head, "arrays": listed}).encode("utf-8")
    pipe.write(_HEAD.pack(len(text)) + text)
    for one in ready.values():
        pipe.write(one.reshape(-1).view(numpy.uint8).data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[dict[str, Any], dict[str, numpy.ndarray]]:
    """One message; raises `EOFError` where the other side is gone."""
    import numpy

    (length,) = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    if length > MOST_HEAD:
        raise EOFError(f"a head of {length} bytes")
    told = json.loads(_exactly(pipe, length))
    arrays = {
        name: numpy.frombuffer(_exactly(pipe, size), numpy.dtype(kind)).reshape(shape)
        for name, kind, shape, size in told["arrays"]
    }
    return told["head"], arrays


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) != size:
        raise EOFError("the other side is gone")
    return data
