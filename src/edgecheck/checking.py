"""A model file on the targets asked for, from reading to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from edgecheck import residency, risks
from edgecheck.check import check
from edgecheck.check_findings import findings
from edgecheck.errors import EdgecheckError, FormatError
from edgecheck.findings import Finding
from edgecheck.model.cost import cost, macs
from edgecheck.model.formats import read
from edgecheck.model.graph import Model, Node
from edgecheck.partition import partition
from edgecheck.results import CheckedModel, CheckedTarget
from edgecheck.selection import ModelFile, Selection, bundled


class NoTargetError(EdgecheckError):
    """No target asked for takes the format of a file."""


def check_files(
    files: Sequence[ModelFile], wanted: Sequence[Selection], settings: Mapping[str, str]
) -> tuple[list[CheckedModel], list[Finding]]:
    """Every file checked, and a finding for each that was found in a folder and could not be.

    A file that was named must be readable and meet a target: raises `EdgecheckError` (2) as `check_file` does. Raises
    it too where no file at all was checked because no target asked for takes any.
    """
    checked: list[CheckedModel] = []
    unchecked: list[Finding] = []
    for one in files:
        try:
            checked.append(check_file(one.path, wanted, settings))
        except (FormatError, NoTargetError) as error:
            if not one.found:
                raise
            unchecked.append(_unchecked(one.path, error))
    if not checked and all(finding.rule == "EC103" for finding in unchecked):
        names = ", ".join(sorted({one.point.table.id for one in wanted}))
        raise EdgecheckError(
            f"none of the {len(unchecked)} files found is for {names}", help=unchecked[0].help if unchecked else None
        )
    return checked, unchecked


def _unchecked(path: Path, error: EdgecheckError) -> Finding:
    """A file found in a folder: one for other targets is a note; one that cannot be read leaves its verdict open."""
    rule = "EC103" if isinstance(error, NoTargetError) else "EC905"
    message = str(error) if rule == "EC103" else f"not checked: {error}"
    return Finding(rule=rule, severity="note", message=message, model=str(path), help=error.help)


def check_file(path: Path, wanted: Sequence[Selection], settings: Mapping[str, str]) -> CheckedModel:
    """Read `path` and check it on the targets that take its format (all bundled ones when `wanted` is empty).

    Raises `EdgecheckError` (2) when the file cannot be read or no target asked for takes its format.
    """
    model = read(path)
    chosen = (
        [one for one in wanted if one.point.table.format == model.format] if wanted else bundled(model.format, settings)
    )
    if wanted and not chosen:
        names = ", ".join(sorted({one.point.table.id for one in wanted}))
        fitting = ", ".join(one.point.table.id for one in bundled(model.format, {}))
        kind = f"{'an' if model.format[0] in 'aeio' else 'a'} {model.format} file"
        raise NoTargetError(
            f"{path} is {kind}, and {names} takes another format",
            help=f"{_export_first(model)}targets for {model.format}: {fitting}",
        )
    return check_model(model, chosen)


def _export_first(model: Model) -> str:
    """A program of torch.export is also a source: what else can be done with it."""
    source = model.metadata.get("kind") == "torch.export"
    return f"export it first (edgecheck export {model.path}), or check it on the " if source else ""


def refuse_idle(names: Sequence[str], checked: Sequence[CheckedModel]) -> None:
    """Raises (2) for a target asked for by name that takes the format of no model: nothing was checked on it."""
    met = {target.point.table.id for one in checked for target in one.targets}
    idle = [name for name in names if name not in met]
    if idle:
        formats = ", ".join(sorted({one.model.format for one in checked}))
        raise EdgecheckError(
            f"{idle[0]} takes none of the models ({formats})", help=f"leave {idle[0]} out, or add a model for it"
        )


def check_model(model: Model, chosen: Sequence[Selection]) -> CheckedModel:
    """A model already read, on the given points."""
    targets = []
    rewrites = _rewrites(model.format)
    for one in chosen:
        verdicts = tuple(check(model, one.point))
        made = partition(model, verdicts, partial(macs, dynamic=1), taken=one.point.table.partition)
        device = ", ".join(one.devices) or None
        found = (
            *findings(model, one.point, verdicts, device=device, rewrites=rewrites),
            *residency.findings(model, one.point, verdicts, made, device=device),
        )
        targets.append(
            CheckedTarget(point=one.point, devices=one.devices, verdicts=verdicts, partition=made, findings=found)
        )
    return CheckedModel(
        model=model, cost=cost(model), targets=tuple(targets), findings=(*_file_findings(model), *risks.find(model))
    )


@cache
def _rewrites(format: str) -> Callable[[Node, str], Sequence[str]]:
    """What names the rewrites of `edgecheck fix` that may fit a node, refused for a reason."""
    if find_spec(f"edgecheck.rewrites.{format}") is None:
        return lambda node, why: ()
    hints: Callable[[Node, str], Sequence[str]] = import_module(f"edgecheck.rewrites.{format}").hints
    return hints


def _file_findings(model: Model) -> Iterator[Finding]:
    """What is wrong with the file whatever the target."""
    if not model.node_count:
        yield Finding(
            rule="EC901",
            severity="note",
            message=f"{model.path} has no operator: there is nothing to judge",
            model=str(model.path),
            help="export the model again",
        )
    for name, problem in _missing(model).items():
        yield Finding(
            rule="EC904",
            severity="note",
            message=f"{model.path} refers to {name}, {problem}: its weights cannot be read",
            model=str(model.path),
            help=f"ship {name} in the model's folder, whole",
        )


def _missing(model: Model) -> dict[str, str]:
    """Files that should hold the model's weights, and what is wrong with each."""
    if model.format == "coreml":
        return {name: "which is not there" for name, size in model.metadata.get("weights", {}).items() if size is None}
    if model.format != "onnx":
        return {}
    from edgecheck.model.formats.onnx_data import ExternalData

    held = (tensor.data for node in model.nodes for tensor in node.inputs if tensor is not None)
    found = ((one.location, one.problem()) for one in held if isinstance(one, ExternalData))
    return dict(sorted((location, problem) for location, problem in found if problem is not None))
