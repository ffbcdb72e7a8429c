"""How far a long transfer is, on stderr: a line that is written over on a terminal, one now and then elsewhere."""

from __future__ import annotations

import sys
import time
from threading import Lock
from types import TracebackType

QUIET = 2.0  # seconds: a transfer that is over by then says nothing
RHYTHM = (0.2, 15.0)  # seconds between lines: on a terminal, elsewhere


class Progress:
    """`with Progress("pushing", 1_000_000) as progress: … progress.moved(1000)`, from any thread."""

    def __init__(self, verb: str, total: int) -> None:
        self._verb, self._total, self._done = verb, total, 0
        self._next = time.monotonic() + QUIET
        self._terminal = bool(sys.stderr) and sys.stderr.isatty()
        self._lock, self._open = Lock(), False

    def __enter__(self) -> Progress:
        return self

    def moved(self, size: int) -> None:
        """So many bytes more; fewer where something begins anew."""
        with self._lock:
            self._done += size
            if time.monotonic() < self._next or sys.stderr is None:
                return
            self._next = time.monotonic() + RHYTHM[not self._terminal]
            done, total = self._done / 1e6, max(self._total, self._done) / 1e6
            line = f"{self._verb}: {done:,.1f} of {total:,.1f} MB"
            print(
                f"\r{line}" if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr, flush=True
            )
            self._open = self._terminal

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open and sys.stderr is not None:
            print(file=sys.stderr)
