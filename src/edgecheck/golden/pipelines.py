"""Which pipeline file belongs to a run: the one that is named, else `pipeline.py` in the run's folder or above."""

from __future__ import annotations

from pathlib import Path

from edgecheck.errors import EdgecheckError

FILE = "pipeline.py"


def of(run: Path, named: str) -> str:
    """Raises `EdgecheckError` where there is none."""
    if named:
        return named
    folders = [run.resolve(), *run.resolve().parents][:4]
    found = next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
    if found is None:
        raise EdgecheckError(
            f"no {FILE} beside {run} or above",
            help="name it: --pipeline FILE; `edgecheck init` writes one to start from",
        )
    return str(found)
