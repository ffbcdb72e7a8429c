"""A folder as a store: `<pipeline>/<device>/<run>/{run.json, tensors.safetensors}`, each run renamed into place."""

from __future__ import annotations

import filecmp
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edgecheck.errors import EdgecheckError
from edgecheck.golden.reading import read
from edgecheck.golden.shelf import Found, find, remove
from edgecheck.golden.store import MOST_DAYS, Entry, Filter, Transfer
from edgecheck.golden.stored import FILES, address, facts

Moved = Callable[[int], None]
CHUNK = 1 << 20
_UNFINISHED = re.compile(r"\.?.+\.part-[0-9a-z]+")


class FolderStore:
    """See `store.Store`. A rename is the marker here: a run is whole where there is a folder of its name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self, wanted: Filter) -> list[Entry]:
        """Every run, and every folder that would be one and breaks the format."""
        found = [_entry(one) for one in find(self.root)]
        return [one for one in found if one.problem or wanted.admits(one.facts)]

    def push(self, folder: Path, moved: Moved) -> Transfer:
        """Copy the run in."""
        return copy(folder, self.root / address(read(folder)), moved)

    def pull(self, entry: Entry, into: Path, moved: Moved) -> Transfer:
        """Copy the run out."""
        return copy(Path(entry.name), into / entry.address, moved)

    def remove(self, entry: Entry) -> None:
        """Rename, then delete."""
        remove(Found(folder=Path(entry.name), run=None))

    def sweep(self, *, dry: bool) -> list[str]:
        """Folders of recordings and transfers that nobody finished."""
        old = [one for one in _folders(self.root, 4) if _UNFINISHED.fullmatch(one.name) and _aged(one)]
        for one in old:
            if not dry:
                shutil.rmtree(one, ignore_errors=True)
        return [str(one) for one in old]


def _entry(one: Found) -> Entry:
    if one.run is None:
        return Entry(name=str(one.folder), address="", facts={}, problem=one.problem, help=one.help)
    return Entry(name=str(one.folder), address=address(one.run), facts=facts(one.run), size=_size(one.folder))


def _size(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in FILES)


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    for one in sorted(folder.iterdir()) if folder.is_dir() else ():
        if one.is_dir() and not one.is_symlink():
            yield one
            if depth > 1 and ".part" not in one.name:
                yield from _folders(one, depth - 1)


def _aged(folder: Path) -> bool:
    newest = max((one.stat().st_mtime for one in [folder, *folder.iterdir()]), default=0.0)
    return time.time() - newest > MOST_DAYS * 86_400


def copy(source: Path, target: Path, moved: Moved) -> Transfer:
    """Copy a run's two files beside `target`, then rename. The same content is no work, another is refused."""
    size = _size(source)
    if target.exists():
        if all(_same(source / name, target / name) for name in FILES):
            moved(size)
            return Transfer(name=str(target), size=size, sent=0, there=size)
        raise taken(target)
    part = target.with_name(f".{target.name}.part-{os.getpid()}")
    try:
        part.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            _copied(source / name, part / name, moved)
        settle(part, target)
    except OSError as error:
        raise EdgecheckError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Transfer(name=str(target), size=size, sent=size, there=0)


def taken(target: Path) -> EdgecheckError:
    """What is said where a name stands for something else already."""
    return EdgecheckError(
        f"{target} is there already and holds something else", help="rename one of the two runs, or remove the old one"
    )


def settle(part: Path, target: Path) -> None:
    """Give a whole folder its name. Somebody faster with the same content is no fault."""
    try:
        part.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        if not all(_same(part / name, target / name) for name in FILES):
            raise taken(target) from None
        shutil.rmtree(part, ignore_errors=True)


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)


def _copied(source: Path, target: Path, moved: Moved) -> None:
    """One file, and that what lies there now is what was read."""
    sent = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK):
            sent.update(chunk)
            writer.write(chunk)
            moved(len(chunk))
        writer.flush()
        os.fsync(writer.fileno())
    if sha256(target) != sent.hexdigest():
        raise EdgecheckError(f"{target} does not hold what was written to it", code=3, help="look after that disk")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in little memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
