"""PyTorch to Core ML (an ML Program package): traced, or through torch.export, whichever the converter takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecheck import coreml_operations, named, rewrite
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import Exported, ExportRequest, Loaded, OutputSpec, Rung, SkipRungError

SOURCE = "torch"
FORMAT = "coreml"
NEEDS = ("torch", "coremltools")
ENVIRONMENT = "torch"
PRECISIONS = ("fp32", "fp16", "int8-dynamic", "int8-static")
RUNGS = (
    Rung(name="trace", says="traced"),
    Rung(name="program", says="captured by torch.export"),
    Rung(name="decomposed", says="captured by torch.export and broken down to core operations"),
    Rung(name="rewritten", says="control flow and picked elements replaced, then traced"),
    Rung(name="frozen", says="TorchScript, frozen: branches on constants are gone"),
    Rung(name="fixed", says="traced with every dimension fixed at the example's size", fixes="dynamic dimensions"),
)

#: Types that Core ML's inputs have no place for, and what goes in instead.
INPUT_TYPES: Mapping[str, str] = {
    "int64": "int32", "float64": "float32", "bool": "int32", "uint8": "int32", "int8": "int32", "int16": "int32",
}  # fmt: skip


def applies(loaded: Loaded, rung: str) -> bool:
    """Without a free dimension there is none to fix; a script module is traced already, and cannot be captured."""
    if rung == "fixed" and not any(spec.dynamic for spec in loaded.signature.inputs):
        return False
    return rung in ("trace", "frozen", "fixed") if loaded.form == "script" else rung != "frozen"


def export(loaded: Loaded, request: ExportRequest, rung: str, out: Path) -> Exported:
    """Write `model.mlpackage` into `out`, in the precision asked for."""
    import coremltools as ct
    import torch

    torch.backends.mha.set_fastpath_enabled(False)  # its fused kernel has no counterpart in Core ML
    coreml_operations.register()
    source = _source(loaded, request, rung)
    # A float output stays float32 whatever the arithmetic is; of the others the converter knows the type itself.
    outputs = [_output(spec) for spec in loaded.signature.outputs]
    half = request.precision in ("fp16", "int8-dynamic")
    model = ct.convert(
        source,
        inputs=_inputs(loaded, dynamic=rung != "fixed"),
        outputs=outputs, convert_to="mlprogram", skip_model_load=True,
        compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS17 if request.precision == "int8-static" else ct.target.iOS16,
        pass_pipeline=_passes(),
    )  # fmt: skip
    if request.precision == "int8-dynamic":
        model = _int8_weights(model)
    target = out / "model.mlpackage"
    model.save(str(target))
    return Exported(artefact=target, notes=_notes(request))


def _passes() -> Any:
    """All of coremltools' passes but one: it moves a reshape between a quantize and its dequantize, after which another
    pass takes the zero point from the one and leaves it with the other (coremltools 9.0; found by the proof).
    """
    import coremltools as ct

    passes = ct.PassPipeline()
    passes.remove_passes({"common::int_op_canonicalization"})
    return passes


def _notes(request: ExportRequest) -> tuple[str, ...]:
    if request.precision == "int8-dynamic":
        return ("Core ML has no dynamic int8: the weights are int8, the arithmetic is float16",)
    return ()


def _int8_weights(model: Any) -> Any:
    from coremltools.optimize import coreml as compress

    config = compress.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8", weight_threshold=512)
    return compress.linear_quantize_weights(model, config=compress.OptimizationConfig(global_config=config))


def _source(loaded: Loaded, request: ExportRequest, rung: str) -> Any:
    """What ct.convert is given."""
    import torch

    flat = _quantized(loaded, request) if request.precision == "int8-static" else _apart(loaded)
    tensors = tuple(torch.from_numpy(value.copy()) for value in loaded.examples.values())
    if rung == "frozen":
        return torch.jit.freeze(loaded.object)
    if rung in ("trace", "fixed"):
        return loaded.object if loaded.form == "script" else _traced(flat, tensors)
    if rung == "rewritten":
        program = torch.export.export(flat, tensors, strict=False)
        if not rewrite.applies(program):
            raise SkipRungError
        names = [spec.name for spec in loaded.signature.outputs]
        inputs = [spec.name for spec in loaded.signature.inputs]
        return _traced(named.tuple_module(rewrite.rewritten(program), inputs, names), tensors)
    program = torch.export.export(
        flat, tensors, dynamic_shapes=rewrite.free_shapes(loaded.signature.inputs), strict=False
    )
    return program.run_decompositions() if rung == "decomposed" else program.run_decompositions({})


def _apart(loaded: Loaded) -> Any:
    """The module; where it gives an input, or one value twice, with an operation between, which Core ML needs."""
    import torch

    flat = loaded.extra["flat"]
    tensors = tuple(torch.from_numpy(value.copy()) for value in loaded.examples.values())
    with torch.no_grad():
        values = flat(*tensors)
    given = [any(value is other for other in (*tensors, *values[:i])) for i, value in enumerate(values)]
    if not any(given):
        return flat

    def between(*tensors: Any) -> tuple[Any, ...]:
        return tuple(_again(value) if same else value for value, same in zip(flat(*tensors), given, strict=True))

    inputs = [spec.name for spec in loaded.signature.inputs]
    return named.tuple_module(between, inputs, [spec.name for spec in loaded.signature.outputs])


def _again(value: Any) -> Any:
    """The same values out of an operation."""
    return value.logical_or(value) if str(value.dtype) == "torch.bool" else value * 1


def _traced(module: Any, tensors: tuple[Any, ...]) -> Any:
    import torch

    with torch.no_grad():
        return torch.jit.trace(module, tensors, check_trace=False)


def _inputs(loaded: Loaded, *, dynamic: bool) -> list[Any]:
    import coremltools as ct
    import numpy

    made = []
    ranges: dict[tuple[int, int, int], Any] = {}
    for spec in loaded.signature.inputs:
        shape: list[Any] = list(spec.shape)
        for item in spec.dynamic if dynamic else ():
            size = spec.shape[item.axis]
            # Dimensions of one size and range are one dimension of the model, and must be one symbol.
            key = (size, item.low, item.high)
            ranges.setdefault(key, ct.RangeDim(lower_bound=item.low, upper_bound=item.high, default=size))
            shape[item.axis] = ranges[key]
        dtype = numpy.dtype(INPUT_TYPES.get(spec.dtype, spec.dtype)).type
        made.append(ct.TensorType(name=spec.name, shape=shape, dtype=dtype))
    return made


def _output(spec: OutputSpec) -> Any:
    import coremltools as ct
    import numpy

    return ct.TensorType(name=spec.name, **({"dtype": numpy.float32} if spec.dtype.startswith("float") else {}))


def _quantized(loaded: Loaded, request: ExportRequest) -> Any:
    """The module with int8 weights and activations, calibrated on the user's samples."""
    import torch
    from coremltools.optimize.torch.quantization import (
        LinearQuantizer,
        LinearQuantizerConfig,
        ModuleLinearQuantizerConfig,
    )

    from edgecheck import calibration

    module = loaded.object
    tree = loaded.extra["tree"]
    if loaded.form != "module" or not tree.plain:
        raise EdgecheckError("int8-static for Core ML takes modules whose inputs are tensors by position only")
    tensors = tuple(torch.from_numpy(value.copy()) for value in loaded.examples.values())
    config = ModuleLinearQuantizerConfig(quantization_scheme="symmetric", milestones=[0, 1000, 1000, 0])
    quantizer = LinearQuantizer(module, LinearQuantizerConfig(global_config=config))
    prepared = quantizer.prepare(example_inputs=tensors, inplace=False)
    quantizer.step()
    _widest(prepared)
    with torch.no_grad():
        for sample in calibration.samples_here(request, loaded.signature):
            prepared(*(torch.from_numpy(sample[name].copy()) for name in loaded.examples))
    return quantizer.finalize(inplace=False)


def _widest(prepared: Any) -> None:
    """Let the observers keep the widest range they see: the moving average they use by default clips."""
    from torch.ao.quantization import observer

    for module in prepared.modules():
        if type(module) is observer.MovingAverageMinMaxObserver:
            module.__class__ = observer.MinMaxObserver
