"""What a user's callable returned, as a PyTorch module and its example inputs.

People return what their trainer holds: a module alone or with inputs, a fastai Learner, a LightningModule, a module
in a wrapper for several GPUs or from `torch.compile`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from edgecheck.errors import EdgecheckError

WHAT = "an nn.Module, or (module, example inputs)"


def parts(value: Any, text: str) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """(module, args or None, kwargs, dynamic) of what the user's callable returned."""
    if isinstance(value, Mapping) and "model" in value:
        return _parts_of_mapping(value, text)
    rest: Sequence[Any] = ()
    if isinstance(value, tuple):
        if not value:
            raise EdgecheckError(f"{text} returned an empty tuple; it should return {WHAT}")
        value, *rest = value
    module = _module(value, text)
    if len(rest) == 2 and isinstance(rest[1], Mapping):
        return module, _tuple(_tensors(rest[0])), dict(_tensors(dict(rest[1]))), {}
    if len(rest) > 1:
        raise EdgecheckError(
            f"{text} returned a tuple of {len(rest) + 1}; it should return {WHAT}, or (module, args, kwargs)"
        )
    if rest:
        return module, *_split(rest[0], module), {}
    example = _own_example(value, module)
    return (module, None, {}, {}) if example is None else (module, *_split(example, module), {})


def _own_example(value: Any, module: Any) -> Any:
    """Inputs that the object itself holds: Lightning's `example_input_array`, the first item of fastai's `dls`."""
    example = getattr(module, "example_input_array", None)
    loaders: Any = getattr(value, "dls", None)
    if example is not None or not hasattr(loaders, "one_batch"):
        return example
    batch = loaders.one_batch()
    return tuple(tensor[:1] for tensor in batch[: getattr(loaders, "n_inp", None) or len(batch) - 1])


def _parts_of_mapping(value: Mapping[str, Any], text: str) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    unknown = sorted(set(value) - {"model", "inputs", "dynamic"})
    if unknown:
        raise EdgecheckError(f"{text} returned a dict with {unknown[0]!r}; it may have 'model', 'inputs' and 'dynamic'")
    module = _module(value["model"], text)
    args, kwargs = _split(value["inputs"], module) if "inputs" in value else (None, {})
    return module, args, kwargs, dict(value.get("dynamic") or {})


def _module(value: Any, text: str) -> Any:
    import torch

    if isinstance(value, torch.nn.Module | torch.export.ExportedProgram):
        return _unwrapped(value)
    inner = getattr(value, "model", None)  # a fastai Learner, a Lightning-like wrapper
    if isinstance(inner, torch.nn.Module):
        return _unwrapped(inner)
    raise EdgecheckError(f"{text} returned {_kind(value)}; it should return {WHAT}")


def _unwrapped(module: Any) -> Any:
    """The user's own module inside DataParallel, DistributedDataParallel or what `torch.compile` gave."""
    import torch

    parallel = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(module, parallel):
            module = module.module
        elif "_orig_mod" in getattr(module, "_modules", {}):
            module = module._orig_mod
        else:
            return module


def _kind(value: Any) -> str:
    import torch

    name = type(value).__name__
    if isinstance(value, Mapping) and value and any(isinstance(item, torch.Tensor) for item in value.values()):
        return "weights without a module (a state dict)"
    if isinstance(value, Mapping) and "state_dict" in value:
        return "a checkpoint (weights without a module)"
    if isinstance(value, type) and issubclass(value, torch.nn.Module):
        return f"the class {value.__name__}, not an instance of it"
    return "None" if value is None else f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"


def _split(example: Any, module: Any) -> tuple[Any, dict[str, Any]]:
    """Example inputs into positional and keyword ones: a dict keyed by the parameters of forward is the latter."""
    example = _tensors(example)
    if isinstance(example, Mapping):
        if set(example) <= set(parameters(module)):
            return (), dict(example)
        return (example,), {}
    return _tuple(example), {}


def _tensors(example: Any) -> Any:
    """NumPy arrays among the inputs as tensors."""
    import numpy
    import torch
    from torch.utils import _pytree

    return _pytree.tree_map(lambda leaf: torch.from_numpy(leaf) if isinstance(leaf, numpy.ndarray) else leaf, example)


def quantised(module: Any) -> str:
    """The first submodule that torch.ao has quantised already, as "head (Linear)"; "" where there is none."""
    for name, inner in module.named_modules():
        if ".quantized" in type(inner).__module__ and type(inner).__module__.startswith("torch.ao."):
            return f"{name or 'the module'} ({type(inner).__name__})"
    return ""


def _tuple(example: Any) -> tuple[Any, ...]:
    return tuple(example) if isinstance(example, tuple | list) else (example,)


def parameters(module: Any) -> list[str]:
    """Names of forward's parameters; of a script module, from its schema."""
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        return [argument.name for argument in module.forward.schema.arguments[1:]]
    try:
        return [
            name
            for name, parameter in inspect.signature(module.forward).parameters.items()
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):
        return []
