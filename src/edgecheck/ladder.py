"""Runs in a child: load the source once, then try the exporter's rungs until one writes a file.

Every rung is reported before it starts, so that the parent knows which one killed the process or hung, and starts
another child at the next.
"""

from __future__ import annotations

import importlib
import shutil
import traceback
from pathlib import Path
from typing import Any

from edgecheck import reference
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import Attempt, Exported, ExportRequest, Rung, SkipRungError
from edgecheck.worker import first_line, report


def names(exporter: str) -> list[str]:
    """The rungs in order; cheap, runs in the parent too."""
    return [rung.name for rung in importlib.import_module(f"edgecheck.exporters.{exporter}").RUNGS]


def climb(exporter: str, request: ExportRequest, rungs: list[str], out: Path, fingerprint: str) -> dict[str, Any]:
    """`{"attempts", "rung", "exported"}`: the first of `rungs` that wrote a file; `rung` is None when none did."""
    report("loading")
    plugin = importlib.import_module(f"edgecheck.exporters.{exporter}")
    loaded = reference.load(request)
    if reference.fingerprint(loaded) != fingerprint:
        raise EdgecheckError(
            f"{request.source.text} builds a model with other weights each time it is called",
            help="load its weights from a file, or set the seed inside the callable",
        )
    says = {rung.name: rung for rung in plugin.RUNGS}
    attempts: list[Attempt] = []
    applies = getattr(plugin, "applies", None)
    for name in rungs:
        if applies is not None and not applies(loaded, name):
            continue
        report("rung", rung=name)
        try:
            exported = _try(plugin, loaded, request, says[name], out)
        except SkipRungError:
            report("failed", rung=name, message="")
            continue
        except Exception as error:  # a converter may raise anything; the ladder is there for that
            traceback.print_exc()
            message = f"{type(error).__name__}: {first_line(error)}"
            report("failed", rung=name, message=message)
            attempts.append(Attempt(rung=name, says=says[name].says, outcome="failed", message=message))
            continue
        return {"attempts": attempts, "rung": name, "exported": exported, "versions": versions(plugin.NEEDS)}
    return {"attempts": attempts, "rung": None, "exported": None, "versions": {}}


def _try(plugin: Any, loaded: Any, request: ExportRequest, rung: Rung, out: Path) -> Exported:
    folder = out / rung.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    exported: Exported = plugin.export(loaded, request, rung.name, folder)
    if not exported.artefact.exists():
        raise FileNotFoundError("the converter ended without an error and wrote nothing")
    return exported


def versions(needs: tuple[str, ...]) -> dict[str, str]:
    """Exact versions of the distributions behind importable names."""
    from importlib import metadata

    owners = metadata.packages_distributions()
    found = {}
    for need in (*needs, "numpy"):
        for distribution in owners.get(need, [])[:1]:
            found[distribution] = metadata.version(distribution)
    return dict(sorted(found.items()))
