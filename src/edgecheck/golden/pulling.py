"""A run out of a bucket: ranges, continued where the last try stopped, held against the marker's hashes, renamed."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from edgecheck.errors import EdgecheckError
from edgecheck.golden.bucket import ABREAST, PIECE, Bucket, DamagedError, Sent
from edgecheck.golden.folder_store import settle, sha256, taken
from edgecheck.golden.store import Transfer
from edgecheck.golden.stored import Content, Marker, digest

Moved = Callable[[int], None]
CHUNK = 1 << 20


def pull(bucket: Bucket, marker: Marker, keys: Mapping[str, str], target: Path, moved: Moved) -> Transfer:
    """The files of `marker` as the folder `target`, or nothing; what has come of them is kept for the next try."""
    if target.exists():
        return _there(marker, target, moved)
    part = target.with_name(f".{target.name}.part-{digest(marker.files)[:16]}")
    try:
        with _alone(part):
            if target.exists():  # somebody was faster
                with suppress(OSError):
                    part.rmdir()
                return _there(marker, target, moved)
            sent = [_file(bucket, keys[name], part / name, marker.files[name], moved) for name in marker.files]
            settle(part, target)
    except OSError as error:
        raise EdgecheckError(f"cannot write {target}: {error.strerror or error}") from None
    return Transfer(
        name=str(target), size=marker.size, sent=sum(one.sent for one in sent), there=sum(one.there for one in sent)
    )


def _there(marker: Marker, target: Path, moved: Moved) -> Transfer:
    if not all(_whole(target / name, content) for name, content in marker.files.items()):
        raise taken(target)
    moved(marker.size)
    return Transfer(name=str(target), size=marker.size, sent=0, there=marker.size)


def _whole(path: Path, content: Content) -> bool:
    return path.is_file() and path.stat().st_size == content.size and sha256(path) == content.sha256


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """The folder of an unfinished pull, and nobody else in it: another pull of the same run waits here."""
    part.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with suppress(FileExistsError):  # exist_ok would look again, and it may have its name by then
            part.mkdir()
        try:
            folder = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # another pull has just given it its name
            continue
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if _same_folder(folder, part):
                yield
                return
        finally:
            os.close(folder)


def _same_folder(folder: int, path: Path) -> bool:
    try:
        return os.fstat(folder).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _file(bucket: Bucket, key: str, path: Path, content: Content, moved: Moved) -> Sent:
    """One file; where its hash is wrong it is fetched once more from the beginning."""
    there = path.stat().st_size if path.exists() else 0
    sent = _fetched(bucket, key, path, content, moved)
    if sha256(path) == content.sha256:
        return sent
    path.unlink()
    moved(-content.size)
    more = _fetched(bucket, key, path, content, moved)
    if sha256(path) != content.sha256:
        path.unlink()
        raise DamagedError(
            f"{bucket.url}/{key} does not have the SHA-256 that its marker names, twice", code=3,
            help="the stored object or the way to it is damaged: prune the run and push it again",
        )  # fmt: skip
    return Sent(sent=sent.sent + more.sent, there=0 if there else sent.there)


def _fetched(bucket: Bucket, key: str, path: Path, content: Content, moved: Moved) -> Sent:
    """Ranges, some at a time, written in order: the file is the beginning of what it will be at every moment."""
    there = path.stat().st_size if path.exists() else 0
    if there > content.size:
        path.unlink()
        there = 0
    moved(there)
    with path.open("ab") as file, ThreadPoolExecutor(ABREAST) as pool:
        for piece in _ranges(pool, bucket, key, there, content.size):
            file.write(piece)
            file.flush()
            moved(len(piece))
        os.fsync(file.fileno())
    return Sent(sent=content.size - there, there=there)


def _ranges(pool: ThreadPoolExecutor, bucket: Bucket, key: str, start: int, size: int) -> Iterator[bytes]:
    def whole(at: int) -> bytes:
        wanted = min(PIECE, size - at)
        piece = bucket.read(key, at, at + wanted)
        if len(piece) != wanted:
            raise DamagedError(f"{bucket.url}/{key} ends before its {size:,} bytes", code=3, help="verify the store")
        return piece

    ahead: deque[Future[bytes]] = deque()
    at = start
    try:
        while at < size or ahead:
            while at < size and len(ahead) < ABREAST:
                ahead.append(pool.submit(whole, at))
                at += PIECE
            yield ahead.popleft().result()
    finally:
        for one in ahead:
            one.cancel()
