"""A folder of golden runs: `<pipeline>/<device>/<run>/run.json`. Listing reads no tensors; removing asks nobody."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecheck.errors import EdgecheckError, FormatError
from edgecheck.golden import GoldenRun
from edgecheck.golden.reading import read

DEEPEST = 4  # folders below the shelf in which a run is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A folder with a run.json: the run, or what is wrong with it."""

    folder: Path
    run: GoldenRun | None
    problem: str = ""
    help: str | None = None


def find(shelf: Path) -> list[Found]:
    """Every run at or below `shelf`, by path. Raises `EdgecheckError` where there is no such folder."""
    if not shelf.is_dir():
        raise EdgecheckError(f"{shelf} is no folder", help="a golden run is a folder with run.json")
    return [_found(folder) for folder in sorted(_folders(shelf, DEEPEST))]


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "run.json").is_file():
        yield folder
    elif depth:
        try:
            inner = [one for one in folder.iterdir() if one.is_dir() and not one.is_symlink()]
        except OSError as error:
            raise EdgecheckError(f"cannot read {folder}: {error.strerror}") from None
        for one in inner:
            if ".part" not in one.name:  # a run that a recorder or a transfer has not finished
                yield from _folders(one, depth - 1)


def _found(folder: Path) -> Found:
    try:
        return Found(folder=folder, run=read(folder))
    except FormatError as error:
        return Found(folder=folder, run=None, problem=str(error), help=error.help)


def superseded(found: Sequence[Found], keep: int) -> list[Found]:
    """All but the newest `keep` runs of each pipeline and device, oldest first; one without a time is oldest."""
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        if one.run is not None:
            groups.setdefault((one.run.pipeline, one.run.device.get("model", "")), []).append(one)
    old = []
    for group in groups.values():
        ordered = sorted(group, key=lambda one: (one.run.time if one.run else "", str(one.folder)))
        old += ordered[: max(0, len(ordered) - keep)]
    return old


def remove(one: Found) -> None:
    """Delete a run: renamed first, so that nobody sees half of one."""
    marked = one.folder.with_name(f".{one.folder.name}.part-removed")
    try:
        one.folder.rename(marked)
        shutil.rmtree(marked)
    except OSError as error:
        raise EdgecheckError(f"cannot remove {one.folder}: {error.strerror}") from None
