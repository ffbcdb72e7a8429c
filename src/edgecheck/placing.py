"""Finished artefacts into the user's folder: in one step each, and under a name that does not promise too much."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from edgecheck import manifest
from edgecheck.deliverables import Artefact, Job, Reference
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import SUFFIXES
from edgecheck.findings import Finding


class workplace:  # noqa: N801 - a context manager, used like a function
    """A temporary folder inside `out`, so that a finished artefact moves into place in one step."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.created = not out.exists()

    def __enter__(self) -> Path:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self.work = Path(tempfile.mkdtemp(prefix=".edgecheck-", dir=self.out))
        except OSError as error:
            raise EdgecheckError(
                f"cannot write into {self.out}: {error.strerror}", help="choose another --out"
            ) from error
        return self.work.resolve()

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        if self.created and not any(self.out.iterdir()):
            self.out.rmdir()


def place(job: Job, reference: Reference, artefact: Artefact) -> Artefact:
    """Move a finished artefact to its name in `out`, and write its manifest beside it.

    NAME.SUFFIX is there afterwards only if it is proven; else the file is NAME.unproven.SUFFIX, so that nobody ships it
    by its name. What an earlier export wrote under the other name goes; a file without a manifest stays.
    """
    suffix = SUFFIXES[artefact.format]
    stem = job.name if artefact.precision == "fp32" else f"{job.name}.{artefact.precision}"
    plain, marked = job.out / f"{stem}{suffix}", job.out / f"{stem}.unproven{suffix}"
    good = artefact.verdict.state == "proven" or job.keep_unproven
    target = plain if good else marked
    try:
        for earlier in (plain, marked):
            if earlier != target or artefact.path is None:
                _forget(earlier)
        if artefact.path is None:
            return artefact
        _move(artefact.path, target)
        described = manifest.describe(job, reference, replace(artefact, path=target))
        written = manifest.write(described, manifest.beside(target))
    except OSError as error:
        raise EdgecheckError(f"cannot write {target}: {error.strerror}", help="choose another --out") from error
    placed = replace(artefact, path=target, manifest=written)
    return placed if good else replace(placed, findings=tuple(_with_name(f, target) for f in placed.findings))


def _with_name(finding: Finding, target: Path) -> Finding:
    """A finding that an artefact is not proven, with the name it therefore has."""
    if finding.rule not in ("EC302", "EC303", "EC305", "EC911"):
        return finding
    said = f"it is written as {target.name}; --keep-unproven leaves the word out"
    return replace(finding, help=f"{finding.help}; {said}" if finding.help else said)


def _forget(path: Path) -> None:
    """Take away a file or package that an earlier export wrote: it has a manifest beside it."""
    if not manifest.beside(path).is_file():
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    manifest.beside(path).unlink()


def _move(made: Path, target: Path) -> None:
    """Into place, over whatever an earlier export left. Files beside an ONNX file (external data) go with it."""
    companions = (
        [p for p in made.parent.iterdir() if p.name.startswith(made.name) and p != made] if made.is_file() else []
    )
    if target.is_dir() and not target.is_symlink():
        old = made.parent / "old"
        target.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    for companion in companions:
        companion.replace(target.parent / companion.name)
    made.replace(target)
