"""The child's side of `edgecheck.child`: run by path in any interpreter, with nothing of edgecheck installed there.

`python -P worker.py FOLDER` reads the job, calls the function, writes the result; `--serve JOB` keeps a model
loaded. Only the package `edgecheck`
itself comes from this file's folder; its neighbours in site-packages stay invisible.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

#: torch.onnx's exceptions that hold the cause and say "step 1/3".
STEPS = frozenset({"TorchExportError", "ConversionError"})

_jobs: list[Path] = []  # the folder of the job that runs; empty outside one


def report(event: str, **fields: Any) -> None:
    """Tell the parent something while the job runs; outside a job it does nothing."""
    for job in _jobs:
        _append(job, {"event": event, **fields})


def _append(job: Path, event: dict[str, Any]) -> None:
    with (job / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(event) + "\n")


def main(folder: str) -> None:
    """Run the job in `folder`; the result or the error is in `result.json` afterwards."""
    _make_importable()
    importlib.import_module("edgecheck.lifetime").end_with_parent()
    worker = importlib.import_module("edgecheck.worker")  # this module again, under the name plugins import
    worker._jobs.append(Path(folder))
    child = importlib.import_module("edgecheck.child")
    child.save(Path(folder), "result", worker.run(child.load(Path(folder), "job")))


def _make_importable() -> None:
    package = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        "edgecheck", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["edgecheck"] = module
    spec.loader.exec_module(module)


def run(job: dict[str, Any]) -> dict[str, Any]:
    """`{"value": …}` or `{"error": …}`."""
    _limit(job["memory"])
    os.environ["EDGECHECK_USER_PATH"] = os.pathsep.join(job["path"])
    module, _, name = job["function"].partition(":")
    try:
        return {"value": getattr(importlib.import_module(module), name)(**job["arguments"])}
    except Exception as error:  # the border of the process: whatever happened becomes data
        traceback.print_exc()
        return {"error": describe(error)}


def _limit(memory: int | None) -> None:
    if memory is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as data: type, first line of its message, and where it came from outside the libraries."""
    from edgecheck.errors import EdgecheckError

    if isinstance(error, EdgecheckError):
        return {"type": "EdgecheckError", "message": str(error), "code": error.code, "help": error.help}
    return {"type": type(error).__name__, "message": first_line(error), "place": user_place(error)}


def first_line(error: BaseException, limit: int = 300) -> str:
    """The first line of a message that says something, shortened, without colours.

    An exporter's exception that only says at which step it failed gives way to what caused it.
    """
    while type(error).__name__ in STEPS and error.__cause__ is not None:
        error = error.__cause__
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in str(error).splitlines()]
    line = next((line for line in lines if any(c.isalnum() for c in line)), "")
    return line if len(line) <= limit else line[: limit - 1] + "…"


def user_place(error: BaseException) -> str | None:
    """`file.py:23`, the innermost frame that is neither a library's nor edgecheck's; None when there is none."""
    package = str(Path(__file__).resolve().parent)
    place = None
    for frame in traceback.extract_tb(error.__traceback__):
        ours = (
            frame.filename.startswith((package, "<", sys.prefix, sys.base_prefix)) or "site-packages" in frame.filename
        )
        if not ours:
            place = f"{Path(frame.filename).name}:{frame.lineno}"
    return place


def serve(job: str) -> None:
    """`worker.py --serve JOB`: keep a model loaded, see `edgecheck.serving`."""
    _make_importable()
    importlib.import_module("edgecheck.serving").serve(job)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    else:
        main(sys.argv[1])
