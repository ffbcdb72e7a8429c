"""PyTorch sources: a callable that returns a module, a `.pt2` program, a TorchScript file.

Whatever shape the user's inputs and outputs have (dicts, tuples, None, keyword arguments), the module is wrapped into
`Flat`: tensors in by name, a tuple of tensors out. Every exporter sees only that.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgecheck.errors import EdgecheckError
from edgecheck.exporters import Dynamic, ExportRequest, InputOption, InputSpec, Loaded, OutputSpec, Signature
from edgecheck.sources import torch_float, torch_taps, user_code
from edgecheck.sources.torch_flat import Tree, array, flat_module, run
from edgecheck.sources.torch_parts import parameters, parts, quantised

if TYPE_CHECKING:
    import numpy
    import torch

NEEDS = ("torch", "numpy")
ENVIRONMENT = "torch"


def load(request: ExportRequest) -> Loaded:
    """The source's module in evaluation mode, with its example inputs; weights are the same for the same seed."""
    import torch

    torch.manual_seed(request.seed)
    _seed_numpy(request.seed)
    source = request.source
    if source.kind == "callable":
        module, args, kwargs, dynamic = parts(user_code.call(source), source.text)
        form = "module"
    elif source.kind == "pt2":
        module, args, kwargs, dynamic = _program(str(source.path), source.text)
        form = "exported"
    else:
        module, args, kwargs, dynamic = torch.jit.load(str(source.path), map_location="cpu"), None, {}, {}
        form = "script"
    return _loaded(request, module, form, args, kwargs, dynamic)


def _seed_numpy(seed: int) -> None:
    import numpy

    random.seed(seed)
    numpy.random.seed(seed % 2**32)


def _program(path: str, text: str) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    import torch

    try:
        program = torch.export.load(path)
    except (RuntimeError, ValueError, KeyError, OSError, AttributeError, AssertionError) as error:
        raise EdgecheckError(f"{text} cannot be read as a torch.export program: {user_code.line(error)}") from error
    if program.example_inputs is None:
        raise EdgecheckError(
            f"{text} holds no example inputs",
            help="save it with torch.export.save of a program made by torch.export.export",
        )
    args, kwargs = program.example_inputs
    return program, tuple(args), dict(kwargs), {}


def _loaded(request: ExportRequest, module: Any, form: str, args: Any, kwargs: dict[str, Any], dynamic: Any) -> Loaded:
    import torch

    if isinstance(module, torch.export.ExportedProgram):
        form = "exported"
    elif isinstance(module, torch.jit.ScriptModule):
        form = "script"
    _refuse_weightless(request, module)
    notes = _evaluate(module)
    names = parameters(module if form != "exported" else module.module())
    if args is None:
        args = _from_options(request, names, module)
        kwargs = {}
    notes = (*notes, *_quantised_note(module)) if form == "module" else notes
    if form == "module" and (was := torch_float.other_type(module)):
        args, kwargs = torch_float.widened(module, args, kwargs)
        notes = (*notes, f"the model computed in {was}: it is taken in float32; --precision says how it is written")
    tree = Tree(args, kwargs, names)
    examples = _replace(tree.examples(), request)
    _refuse_empty(request, examples)
    flat = flat_module(module if form != "exported" else module.module(), tree)
    outputs = _first_run(flat, examples, request)
    if form == "module" and any(isinstance(inner, torch.jit.ScriptModule) for inner in module.modules()):
        module, form = _as_script(flat, examples), "script"
    specs = tuple(_spec(name, value, request.inputs, dynamic, module) for name, value in examples.items())
    _check_dynamic(request.inputs, examples)
    signature = Signature(inputs=specs, outputs=tuple(_output(n, a) for n, a in outputs.items()))
    weights = module.module() if form == "exported" else module
    return Loaded(
        object=module, form=form, signature=signature, examples=examples,
        run=lambda arrays: run(flat, arrays), weights=lambda: weight_arrays(weights),
        taps=None if form == "script" else lambda arrays: torch_taps.taps(flat, arrays),
        notes=notes, parameters=sum(p.numel() for p in weights.parameters()),
        extra={"flat": flat, "tree": tree},
    )  # fmt: skip


def _quantised_note(module: Any) -> tuple[str, ...]:
    """What to know about a module that torch has quantised; nothing of another."""
    place = quantised(module)
    if not place:
        return ()
    remedy = "return the float module and say --precision int8-dynamic or int8-static"
    return (f"{place} is quantised by torch already, which few converters take: {remedy}",)


def _refuse_empty(request: ExportRequest, examples: Mapping[str, Any]) -> None:
    for name, value in examples.items():
        if not value.size:
            raise EdgecheckError(
                f"{request.source.text}: the example of {name} is empty ({'x'.join(map(str, value.shape))})",
                help="give an example with at least one element in every dimension",
            )


def _refuse_weightless(request: ExportRequest, module: Any) -> None:
    """Layers without weights: lazy ones, and those of the meta device."""
    import torch
    from torch.nn.parameter import is_lazy

    if isinstance(module, torch.export.ExportedProgram):
        return
    for name, parameter in module.named_parameters():
        if is_lazy(parameter):
            raise EdgecheckError(
                f"{request.source.text}: {name} is of a lazy layer and has no values yet",
                help="call the module once on an example before it is returned",
            )
        if parameter.is_meta:
            raise EdgecheckError(
                f"{request.source.text}: {name} lies on the meta device and has no values",
                help="build the module on the CPU and load its weights",
            )


def _evaluate(module: Any) -> tuple[str, ...]:
    """Evaluation mode, on the CPU, without gradients."""
    import torch

    if isinstance(module, torch.export.ExportedProgram):
        return ()
    training = module.training or any(inner.training for inner in module.modules())
    # A pretrained net often sets `training = False` on itself only: that is no training mode worth a word.
    loud = module.training
    module.eval()
    module.cpu()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return ("the model was in training mode: eval() was called",) if training and loud else ()


def _from_options(request: ExportRequest, names: list[str], module: Any) -> tuple[Any, ...]:
    """Example inputs made from `--input` alone: normal noise for floats, zeros for integers."""
    given = {option.name: option for option in request.inputs if option.shape is not None}
    if not given:
        hint = f"--input {names[0] if names else 'x'}:1x3x224x224:float32"
        raise EdgecheckError(
            f"{request.source.text} has no example inputs", help=f"return them with the module, or say {hint}"
        )
    if names and (unknown := [name for name in given if name not in names]):
        raise EdgecheckError(f"there is no input {unknown[0]!r}; the model has {', '.join(names)}")
    ordered = [name for name in names if name in given] or list(given)
    return tuple(_make(given[name], request.seed) for name in ordered)


def _make(option: InputOption, seed: int) -> torch.Tensor:
    import torch

    generator = torch.Generator().manual_seed(seed)
    dtype = getattr(torch, option.dtype or "float32", None)
    if not isinstance(dtype, torch.dtype):
        raise EdgecheckError(f"--input {option.name}: {option.dtype} is no dtype of PyTorch")
    noise = torch.randn(option.shape or (), generator=generator)
    return noise.to(dtype) if dtype.is_floating_point else torch.zeros(option.shape or (), dtype=dtype)


def _replace(examples: dict[str, Any], request: ExportRequest) -> dict[str, Any]:
    """Examples with those of `--input` put in place."""
    for option in request.inputs:
        if option.name not in examples:
            raise EdgecheckError(f"there is no input {option.name!r}; the model has {', '.join(examples)}")
        old = examples[option.name]
        if option.shape is None and option.dtype is None:
            continue
        dtype = option.dtype or old.dtype.name
        if option.shape is not None and (tuple(old.shape) != option.shape or old.dtype.name != dtype):
            made = _make(InputOption(name=option.name, shape=option.shape, dtype=dtype), request.seed)
            examples[option.name] = made.numpy()
    return examples


def _spec(name: str, value: Any, options: Sequence[InputOption], dynamic: Any, module: Any) -> InputSpec:
    ranges: dict[int, Dynamic] = {}
    for axis, pair in (dynamic.get(name) or {}).items():
        ranges[int(axis)] = Dynamic(axis=int(axis), low=int(pair[0]), high=int(pair[1]))
    for option in options:
        if option.name == name:
            ranges.update({item.axis: item for item in option.dynamic})
    for item in _program_ranges(module, name) if not ranges else ():
        ranges[item.axis] = item
    return InputSpec(
        name=name, shape=tuple(value.shape), dtype=value.dtype.name, dynamic=tuple(ranges[a] for a in sorted(ranges))
    )


def _program_ranges(module: Any, name: str) -> list[Dynamic]:
    """The free dimensions an ExportedProgram was captured with, its own bounds cut to what can be tried."""
    import torch

    if not isinstance(module, torch.export.ExportedProgram):
        return []
    found = []
    for node in module.graph.nodes:
        if node.op == "placeholder" and node.name == name:
            for axis, size in enumerate(getattr(node.meta.get("val"), "shape", ())):
                if isinstance(size, torch.SymInt):
                    bounds = module.range_constraints.get(size.node.expr)
                    low = max(2, int(bounds.lower)) if bounds else 2
                    high = (
                        min(4096, int(bounds.upper)) if bounds and str(bounds.upper).isdigit() else 4 * size.node.hint
                    )
                    found.append(Dynamic(axis=axis, low=low, high=high))
    return found


def _check_dynamic(options: Sequence[InputOption], examples: Mapping[str, Any]) -> None:
    for option in options:
        shape = examples[option.name].shape
        for item in option.dynamic:
            if not -len(shape) <= item.axis < len(shape):
                raise EdgecheckError(f"--dynamic {option.name}:{item.axis}: the input has {len(shape)} dimensions")
            if not item.low <= shape[item.axis] <= item.high:
                raise EdgecheckError(
                    f"--dynamic {option.name}:{item.axis}:{item.low}..{item.high}: the example's size "
                    f"{shape[item.axis]} is not in it"
                )


def _first_run(flat: Any, examples: Mapping[str, Any], request: ExportRequest) -> dict[str, Any]:
    """Outputs of the user's own example; what the model raises becomes a sentence with its place."""
    try:
        return run(flat, examples)
    except Exception as error:  # the user's forward may raise anything
        raise user_code.failure(
            f"{request.source.text}: the model fails on its example input", error, "torch"
        ) from error


def _as_script(flat: Any, examples: Mapping[str, Any]) -> Any:
    """A module with script modules inside as one script: torch.export cannot look into those, tracing keeps them."""
    import torch

    with torch.no_grad():
        tensors = tuple(torch.from_numpy(value.copy()) for value in examples.values())
        return torch.jit.trace(flat, tensors, check_trace=False)


def _output(name: str, array: Any) -> OutputSpec:
    return OutputSpec(name=name, shape=tuple(array.shape), dtype=array.dtype.name)


def weight_arrays(module: Any) -> dict[str, numpy.ndarray]:
    """Every parameter and buffer by name; what is sparse or quantised inside is left out."""
    import torch

    state = dict(module.named_parameters()) | dict(module.named_buffers())
    return {n: array(t) for n, t in state.items() if t.layout == torch.strided and not t.is_quantized}
