"""The manifest beside an artefact: where it comes from, what made it, how far it is from its source."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecheck import __version__, proof
from edgecheck.deliverables import Artefact, Job, Reference
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import Source
from edgecheck.model import formats

SCHEMA = "edgecheck.manifest/1"


def describe(job: Job, reference: Reference, artefact: Artefact) -> dict[str, Any]:
    """Everything needed to make the artefact again and to judge its proof again. No time and no user name in it."""
    assert artefact.path is not None
    return {
        "schema": SCHEMA, "edgecheck": __version__,
        "source": {**source(job.source), "parameters": reference.parameters, "weights_sha256": reference.fingerprint},
        "artefact": {
            "name": artefact.path.name, "format": artefact.format, "precision": artefact.precision,
            "sha256": sha256(artefact.path), "bytes": size(artefact.path), **_graph(artefact.path),
        },
        "command": job.command,
        "options": {
            "opset": job.opset, "seed": job.seed, "signature": job.signature,
            "inputs": [asdict(option) for option in job.inputs],
            "calibration": Path(job.calibration).name if job.calibration else None,
        },
        "signature": asdict(reference.signature),
        "rung": {"name": artefact.rung, "says": artefact.says, "gave_up": artefact.fixes},
        "attempts": [asdict(attempt) for attempt in artefact.attempts],
        "versions": {"python": platform.python_version(), **artefact.versions},
        "proof": summary(artefact),
        "notes": [*reference.notes, *artefact.notes],
    }  # fmt: skip


def summary(artefact: Artefact) -> dict[str, Any]:
    """The verdict with every figure behind it."""
    measured = artefact.measured
    found: dict[str, Any] = {
        "verdict": artefact.verdict.state, "reason": artefact.verdict.reason, "ran_by": artefact.ran_by,
        "not_run_here": artefact.not_run, "fault": None if artefact.fault is None else asdict(artefact.fault),
        "weights": None if artefact.weights is None else asdict(artefact.weights),
    }  # fmt: skip
    if measured is None:
        return found
    typical_only = artefact.tolerance is not None and not artefact.tolerance.edges
    return found | {
        "tolerance": asdict(artefact.tolerance) if artefact.tolerance else None,
        "minimum_tolerance": proof.worst(measured, typical_only=typical_only),
        "sensitivity": [asdict(item) for item in measured.sensitivities],
        "distances": [item.json() for item in measured.distances],
        "skipped": list(measured.skipped),
    }


def source(found: Source) -> dict[str, Any]:
    """What the user named, and a hash of the file it lies in."""
    described: dict[str, Any] = {"text": found.text, "kind": found.kind, "framework": found.framework}
    if found.path is not None:
        described["sha256"] = sha256(Path(found.path))
    return described


def _graph(path: Path) -> dict[str, Any]:
    try:
        model = formats.read(path)
    except EdgecheckError as error:
        return {"unreadable": str(error)}
    from edgecheck.model import cost

    costs = cost.cost(model)
    return {
        "operators": dict(costs.ops), "nodes": model.node_count,
        "macs": costs.macs, "parameters": costs.parameters,
    }  # fmt: skip


def sha256(path: Path) -> str:
    """Of a file; of a folder, of its sorted (name, hash) lines."""
    if path.is_dir():
        lines = "".join(f"{file.relative_to(path).as_posix()} {sha256(file)}\n" for file in files(path))
        return hashlib.sha256(lines.encode()).hexdigest()
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in files(path)) if path.is_dir() else path.stat().st_size


def files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, sorted."""
    return iter(sorted(file for file in folder.rglob("*") if file.is_file()))


def beside(path: Path) -> Path:
    """Where the manifest of an artefact lies."""
    return path.with_name(f"{path.name}.edgecheck.json")


def write(described: dict[str, Any], target: Path) -> Path:
    """As sorted JSON, under a temporary name first."""
    part = target.with_name(f"{target.name}.part-{os.getpid()}")
    part.write_text(json.dumps(described, indent=1, sort_keys=True, default=list) + "\n", encoding="utf-8")
    part.replace(target)
    return target
