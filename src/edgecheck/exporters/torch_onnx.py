"""PyTorch to ONNX: the dynamo exporter, which keeps source lines; TorchScript's old one where capture fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgecheck import rewrite
from edgecheck.exporters import Exported, ExportRequest, Loaded, Rung
from edgecheck.places import source_line

SOURCE = "torch"
FORMAT = "onnx"
NEEDS = ("torch", "onnx", "onnxscript")
ENVIRONMENT = "torch"
PRECISIONS = ("fp32",)
RUNGS = (
    Rung(name="dynamo", says="captured by torch.export"),
    Rung(name="trace", says="traced, by the TorchScript exporter"),
    Rung(name="fixed", says="every dimension fixed at the example's size", fixes="dynamic dimensions"),
)


def applies(loaded: Loaded, rung: str) -> bool:
    """Without a free dimension there is none to fix; a script module has only the old exporter."""
    if loaded.form == "script":
        return rung == "trace"
    return rung != "fixed" or any(spec.dynamic for spec in loaded.signature.inputs)


def export(loaded: Loaded, request: ExportRequest, rung: str, out: Path) -> Exported:
    """Write `model.onnx` into `out`."""
    target = out / "model.onnx"
    if rung == "trace":
        _trace(loaded, request, target)
        return Exported(artefact=target)
    return Exported(artefact=target, places=_dynamo(loaded, request, target, dynamic=rung != "fixed"))


def tensors(loaded: Loaded) -> tuple[Any, ...]:
    """The example inputs as tensors, in order."""
    import torch

    return tuple(torch.from_numpy(value.copy()) for value in loaded.examples.values())


def _dynamo(loaded: Loaded, request: ExportRequest, target: Path, *, dynamic: bool) -> dict[str, str]:
    import torch

    names = [spec.name for spec in loaded.signature.inputs]
    program = torch.onnx.export(
        loaded.object if loaded.form == "exported" else loaded.extra["flat"],
        tensors(loaded) if loaded.form != "exported" else (),
        dynamo=True, opset_version=request.opset, input_names=names,
        output_names=[spec.name for spec in loaded.signature.outputs],
        dynamic_shapes=rewrite.free_shapes(loaded.signature.inputs) if dynamic and loaded.form != "exported" else None,
        optimize=True, verbose=False,
    )  # fmt: skip
    assert program is not None
    written = program.model.opset_imports.get("")
    if request.opset is not None and written != request.opset:  # where it cannot convert, it warns and goes on
        raise ValueError(f"the dynamo exporter writes opset {written}, not {request.opset}")
    places = _places(program.model)
    _shorten_traces(program.model)
    program.save(str(target), external_data=_too_large(loaded))
    return places


def _too_large(loaded: Loaded) -> bool:
    """A protobuf ends at 2 GB; above, weights go into a file beside it."""
    return loaded.parameters * 4 > 1_900_000_000


def _places(model: Any) -> dict[str, str]:
    """Value name -> the module and line the exporter kept for the node that makes it."""
    found = {}
    for node in model.graph:
        line = source_line(node.metadata_props.get("pkg.torch.onnx.stack_trace") or "")
        scopes = node.metadata_props.get("pkg.torch.onnx.name_scopes") or ""
        modules = [s for s in scopes.strip("[]").replace("'", "").split(", ") if s.startswith("model.")]
        path = modules[-1].removeprefix("model.") if modules else ""
        place = f"{path} ({line})" if path and line else path or line
        for output in node.outputs:
            if place and output.name:
                found[output.name] = place
    return found


def _shorten_traces(model: Any) -> None:
    """Of each node's Python traceback keep the user's own innermost line, without the folders of this machine.

    torch writes every frame with its absolute path: the names of people's folders, and a third of a small model's size.
    """
    for node in model.graph:
        trace = node.metadata_props.pop("pkg.torch.onnx.stack_trace", "")
        file, _, line = source_line(trace).rpartition(":")
        if file:
            node.metadata_props["pkg.torch.onnx.stack_trace"] = f'File "{file}", line {line}'


def _trace(loaded: Loaded, request: ExportRequest, target: Path) -> None:
    import torch

    torch.backends.mha.set_fastpath_enabled(False)  # its fused kernel has no counterpart in ONNX
    signature = loaded.signature
    axes = {
        spec.name: {item.axis % len(spec.shape): f"{spec.name}_{item.axis % len(spec.shape)}" for item in spec.dynamic}
        for spec in signature.inputs
        if spec.dynamic
    }
    torch.onnx.export(
        # A script module inside another one cannot be traced; by itself it needs no tracing.
        loaded.object if loaded.form == "script" else loaded.extra["flat"],
        tensors(loaded), str(target), dynamo=False, opset_version=request.opset or 17,
        input_names=[spec.name for spec in signature.inputs], output_names=[spec.name for spec in signature.outputs],
        dynamic_axes=axes or None,
    )  # fmt: skip
