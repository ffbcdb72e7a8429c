"""A call made again and again in one forked child, so that what is slow to start is started once.

The call may end the child, as an unhandled exception of .NET does: that is the answer to the one question, and the next
one is put to a new child.
"""

from __future__ import annotations

import json
import os
import select
import signal
import tempfile
import time
from collections.abc import Callable
from typing import Any, Self

from edgecheck.lifetime import end_with_parent
from edgecheck.oracles import Ran


class Lasting:
    """`call` takes a text without line ends and gives JSON types; a child answers `most` questions at most.

    A context manager: its end is the child's.
    """

    def __init__(self, call: Callable[[str], Any], *, most: int = 100) -> None:
        self._call, self._most, self._left, self._pid = call, most, 0, 0
        self._text = tempfile.TemporaryFile()  # noqa: SIM115 as long as this object lasts
        self._questions = self._answers = -1

    def ask(self, question: str, *, seconds: float) -> Ran:
        """As `isolated`: a signal, a time-out and an exception become `failure`; `text` is what was printed."""
        if not self._left:
            self._start()
        self._left -= 1
        self._text.seek(0)
        self._text.truncate()
        os.write(self._questions, f"{question}\n".encode())
        line, late = self._line(seconds)
        failure = None if line else self._end(late, seconds)
        if not self._left and line:
            self._end(True, seconds)
        self._text.seek(0)
        told = self._text.read().decode(errors="replace")
        result = json.loads(line) if line else {"failure": failure}
        return Ran(value=result.get("value"), text=told, failure=result.get("failure"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """The child has copies of all that this process has open: pipes stay open as long as it lives."""
        if self._left:
            self._end(True, 0)
        self._text.close()

    def _start(self) -> None:
        asked, self._questions = os.pipe()
        self._answers, told = os.pipe()
        self._left = self._most
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._questions)
            os.close(self._answers)
            self._serve(asked, told)
        os.close(asked)
        os.close(told)

    def _serve(self, asked: int, told: int) -> None:
        """The child; never returns, and does not outlive its parent."""
        end_with_parent()
        os.dup2(self._text.fileno(), 1)
        os.dup2(self._text.fileno(), 2)
        with os.fdopen(asked, encoding="utf-8") as questions, os.fdopen(told, "w") as answers:
            for line in questions:
                try:
                    result = {"value": self._call(line.rstrip("\n"))}
                except Exception as error:  # a child's boundary: whatever a framework raises is the answer
                    result = {"failure": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"}
                answers.write(json.dumps(result) + "\n")
                answers.flush()
        os._exit(0)

    def _line(self, seconds: float) -> tuple[bytes, bool]:
        """The child's next line, b"" where it ended; and whether the time ran out."""
        end, found = time.monotonic() + seconds, b""
        while not found.endswith(b"\n"):
            ready, _, _ = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
            chunk = os.read(self._answers, 1 << 16) if ready else b""
            if not chunk:
                return b"", not ready
            found += chunk
        return found, False

    def _end(self, kill: bool, seconds: float) -> str:
        """End the child, and say how it ended."""
        if kill:
            os.kill(self._pid, signal.SIGKILL)
        os.close(self._questions)
        os.close(self._answers)
        _, status = os.waitpid(self._pid, 0)
        self._left = 0
        if kill:
            return f"no answer in {seconds:g} s"
        if os.WIFSIGNALED(status):
            return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
        return f"exit {os.waitstatus_to_exitcode(status)} without an answer"
