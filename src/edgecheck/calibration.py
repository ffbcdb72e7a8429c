"""The user's calibration data for static quantisation: an `.npz`, or a callable that gives mappings of arrays."""

from __future__ import annotations

import importlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecheck import child, environments
from edgecheck.deliverables import Job
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import ExportRequest, InputSpec, Signature, Source
from edgecheck.sources import find

MOST = 512  # samples; more only cost time


def load(job: Job, signature: Signature) -> list[dict[str, Any]]:
    """One mapping of arrays for each sample, in the shapes of the example inputs."""
    assert job.calibration is not None
    if job.calibration.endswith(".npz"):
        return _from_file(Path(job.calibration), signature)
    source = find(job.calibration, job.source.framework)
    plugin = importlib.import_module(f"edgecheck.sources.{source.framework}_model")
    python = environments.choose(plugin.NEEDS, plugin.ENVIRONMENT)
    raw = child.call(
        python, "edgecheck.calibration:collect", source=source, names=[spec.name for spec in signature.inputs],
        timeout=job.timeout, label=f"calibration by {job.calibration}",
    )  # fmt: skip
    return [_sample(sample, signature, job.calibration) for sample in raw]


def samples_here(request: ExportRequest, signature: Signature) -> list[dict[str, Any]]:
    """The same, inside a child that already is in the source's interpreter."""
    assert request.calibration is not None
    if request.calibration.endswith(".npz"):
        return _from_file(Path(request.calibration), signature)
    source = find(request.calibration, request.source.framework)
    raw = collect(source, [spec.name for spec in signature.inputs])
    return [_sample(sample, signature, request.calibration) for sample in raw]


def _from_file(path: Path, signature: Signature) -> list[dict[str, Any]]:
    """Each input's array holds the samples along its first dimension, with or without a batch dimension after it."""
    arrays = _arrays(path)
    missing = [spec.name for spec in signature.inputs if spec.name not in arrays]
    if missing:
        raise EdgecheckError(f"{path} has no array {missing[0]!r}", help=f"it has {', '.join(arrays) or 'none'}")
    flat = [spec.name for spec in signature.inputs if not arrays[spec.name].shape]
    if flat:
        raise EdgecheckError(f"array {flat[0]!r} of {path} is one number, not samples along its first dimension")
    count = min(MOST, *(len(arrays[spec.name]) for spec in signature.inputs))
    if not count:
        raise EdgecheckError(f"{path} holds no sample")
    rows = [{spec.name: arrays[spec.name][i] for spec in signature.inputs} for i in range(count)]
    return [_sample(row, signature, str(path)) for row in rows]


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays of an .npz file by name; raises (2) for what is none, is cut off, or holds Python objects."""
    import numpy

    make = f"make it with numpy.savez({path.name!r}, input_name=samples)"
    try:
        if not zipfile.is_zipfile(path):
            raise EdgecheckError(f"{path} {'is no .npz file' if path.is_file() else 'does not exist'}", help=make)
        with numpy.load(path, allow_pickle=False) as packed:
            return {name: _numbers(packed, name, path) for name in packed.files}
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "it is damaged or was cut off"
        raise EdgecheckError(f"{path} cannot be read: {why}", help=make) from error


def _numbers(packed: Any, name: str, path: Path) -> Any:
    cause: ValueError | None = None
    try:
        array = packed[name]
    except ValueError as error:  # numpy speaks of its own option allow_pickle here
        array, cause = None, error
    if getattr(getattr(array, "dtype", None), "kind", "O") not in "biuf":
        raise EdgecheckError(
            f"{name!r} of {path} is no array of numbers: Python objects are never loaded",
            help="give every sample the same shape, and save numbers: numpy.stack(samples)",
        ) from cause
    return array


def _sample(row: Mapping[str, Any], signature: Signature, where: str) -> dict[str, Any]:
    missing = [spec.name for spec in signature.inputs if spec.name not in row]
    if missing:
        raise EdgecheckError(f"{where} gives no {missing[0]!r}", help=f"it gives {', '.join(row) or 'nothing'}")
    return {spec.name: _shaped(row[spec.name], spec, where) for spec in signature.inputs}


def _shaped(array: Any, spec: InputSpec, where: str) -> Any:
    import numpy

    value = numpy.asarray(array)
    fixed = [size if spec.free(axis) is None else None for axis, size in enumerate(spec.shape)]
    for candidate in (value, value[None]):
        if len(candidate.shape) == len(fixed) and all(f in (None, s) for f, s in zip(fixed, candidate.shape)):
            return candidate.astype(spec.dtype)
    given, wanted = "x".join(map(str, value.shape)), "x".join(map(str, spec.shape))
    raise EdgecheckError(f"{where}: a sample of {spec.name!r} is {given}, the input is {wanted}")


def collect(source: Source, names: list[str]) -> list[dict[str, Any]]:
    """Runs in a child: what the user's callable gives, as arrays. A single array is the only input's."""
    from edgecheck.sources import user_code

    value = user_code.call(source)
    samples = []
    for item in value:
        row = (
            item if isinstance(item, Mapping) else dict(zip(names, item if isinstance(item, tuple | list) else (item,)))
        )
        samples.append({name: _array(part) for name, part in row.items()})
        if len(samples) == MOST:
            break
    if not samples:
        raise EdgecheckError(f"{source.text} gives no sample")
    return samples


def _array(part: Any) -> Any:
    import numpy

    return numpy.asarray(part.detach().cpu().numpy() if hasattr(part, "detach") else part)
