"""What a store needs of the place that its objects lie in; `s3_bucket` and `fsspec_bucket` are the two that there are.

Keys are relative to the store's own root. Every call is tried again where the fault may pass, a bounded number of
times; then, and for faults that will not pass, it raises `EdgecheckError` with one sentence.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from edgecheck.errors import EdgecheckError

PIECE = 8 << 20  # bytes of a part of an upload, and of a range of a download
ABREAST = 4  # parts on their way at once: memory is PIECE * ABREAST and a little
Moved = Callable[[int], None]  # bytes that went over the wire, or were there already
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """What a listing says of one object."""

    key: str
    size: int
    modified: datetime | None  # None where the store does not know


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An upload that has begun and is not there yet."""

    key: str
    token: str
    begun: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A local file that has been read once: what it holds, and the MD5 of each piece."""

    path: Path
    size: int
    sha256: str
    piece: int
    pieces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What an upload cost: bytes sent now, and bytes that an earlier try had left there."""

    sent: int
    there: int


class GoneError(EdgecheckError):
    """An object that is not there (any more)."""


class DamagedError(EdgecheckError):
    """Stored bytes that are not those of the marker; exit code 3."""


class Passing(Exception):  # noqa: N818 - it is a fault that may pass, not an error that is reported
    """A fault that may not come again: `str` says what it was."""


class Bucket(Protocol):
    """See the module."""

    url: str  # without credentials, without a slash at its end

    def objects(self, prefix: str) -> Iterator[Object]: ...

    def read(self, key: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end` (not included), or up to the object's end; raises `GoneError`."""

    def create(self, key: str, content: bytes) -> bool:
        """Put a small object where there is none, at once or not at all; False where there is one."""

    def replace(self, key: str, content: bytes) -> None: ...

    def delete(self, keys: Sequence[str]) -> None: ...

    def upload(self, source: Source, key: str, moved: Moved) -> Sent:
        """A file of any size, checked on arrival; what an earlier try of the same file left is used."""

    def unfinished(self, prefix: str) -> list[Unfinished]: ...

    def abandon(self, upload: Unfinished) -> None: ...


def same_bytes(bucket: Bucket, key: str, source: Source) -> bool:
    """Whether an object of the right size has the right bytes: it is read, in little memory."""
    there = hashlib.sha256()
    for start in range(0, source.size, PIECE):
        there.update(bucket.read(key, start, min(start + PIECE, source.size)))
    return there.hexdigest() == source.sha256


def attempts() -> int:
    """How often something is tried: AWS_MAX_ATTEMPTS, else 6."""
    given = os.environ.get("AWS_MAX_ATTEMPTS", "")
    return min(int(given), 50) if given.isascii() and given.isdecimal() and int(given) else 6


def again(act: Callable[[], T], what: str) -> T:
    """Do it until it succeeds, with growing pauses: `Passing` is tried again; in the end one sentence, exit code 3."""
    most = attempts()
    for i in range(most):
        try:
            return act()
        except Passing as fault:
            if i + 1 == most:
                raise EdgecheckError(
                    f"{what} failed {most} times, at last: {fault}", code=3,
                    help="run the same command again when the store answers: what has arrived is kept",
                ) from None  # fmt: skip
            pause(i)
    raise AssertionError("at least one attempt is made")


def pause(i: int) -> None:
    """A quarter of a second, doubled each time, at most 20 s, less a random part, so that not all come back at once."""
    time.sleep(min(20.0, 0.25 * 2**i) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret hangs on it
