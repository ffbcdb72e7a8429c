"""A probe of ExecuTorch as a program of torch.export: one call of an ATen operator, written from a short description.

`{"op": "aten.add.Tensor", "n": argument names, "i": [[dtype, shape, constant]], "o": […], "a": {arguments}, "r": […]}`:
the tensors in the order of the call, a list of tensors as the same name several times; a null dimension is dynamic. The
values are random (the same for the same description), indices are zero. `"u": [0, 0]`: both are the same tensor.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

_FORMATS = {"contiguous": "contiguous_format", "channels_last": "channels_last", "preserve": "preserve_format"}
_EXAMPLE = 6  # the size of a dynamic dimension in the example that the program is traced with


def write(spec: Mapping[str, Any]) -> bytes:
    """The `.pt2` file. Raises what torch raises where the description is no call that it can run or export."""
    import torch

    if spec.get("p"):
        raise ValueError("what makes an argument is described by its name only, and cannot be written again")
    torch.manual_seed(0)
    call = _operator(str(spec["op"]))
    tensors = [None if one is None else _tensor(one) for one in spec["i"]]
    module = _module(call, spec, tensors)
    asked = [one for place, one in enumerate(spec["i"]) if _given(spec, place)]
    given = tuple(tensor for place, tensor in enumerate(tensors) if _given(spec, place))
    moving = tuple(
        {place: torch.export.Dim.AUTO for place, n in enumerate(one[1]) if n is None} or None for one in asked
    )
    program = torch.export.export(module, given, dynamic_shapes=(moving,) if any(moving) else None)
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def _operator(name: str) -> Any:
    """`torch.ops.aten.add.Tensor` of "aten.add.Tensor"."""
    import torch

    space, _, rest = name.partition(".")
    packet, _, overload = rest.rpartition(".")
    return getattr(getattr(getattr(torch.ops, space), packet), overload)


def _given(spec: Mapping[str, Any], place: int) -> bool:
    """Whether this argument is an input of the program of its own: no constant, and not given before."""
    one = spec["i"][place]
    return one is not None and not one[2] and (spec.get("u") or range(place + 1))[place] == place


def _tensor(one: Sequence[Any]) -> Any:
    """A tensor of [dtype, shape, constant]: floats in 0.1 to 0.9, small positive integers, zeros for int64 indices."""
    import torch

    dtype = getattr(torch, str(one[0]))
    shape = [_EXAMPLE if size is None else int(size) for size in one[1]]
    if dtype == torch.bool:
        return torch.rand(shape) > 0.5
    if dtype.is_floating_point:
        return (torch.rand(shape) * 0.8 + 0.1).to(dtype)
    return torch.zeros(shape, dtype=dtype)


def _module(call: Any, spec: Mapping[str, Any], tensors: Sequence[Any]) -> Any:
    """A module that makes the call, its constants as buffers."""
    import torch

    constant = [one is not None and bool(one[2]) for one in spec["i"]]
    first = spec.get("u") or range(len(tensors))

    class Call(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for place, tensor in enumerate(tensors):
                if constant[place]:
                    self.register_buffer(f"p{place}", tensor)

        def forward(self, *given: Any) -> Any:
            waiting = iter(given)
            found: list[Any] = []
            for place, fixed in enumerate(constant):
                if first[place] != place:
                    found.append(found[first[place]])
                else:
                    found.append(
                        getattr(self, f"p{place}") if fixed else next(waiting) if _given(spec, place) else None
                    )
            return _called(call, spec, found)

    return Call().eval()


def _called(call: Any, spec: Mapping[str, Any], tensors: Sequence[Any]) -> Any:
    """The operator's result: arguments by position and by name as its schema has them."""
    by_name: dict[str, list[Any]] = {}
    for name, tensor in zip(spec["n"], tensors):
        by_name.setdefault(name, []).append(tensor)
    plain, named = [], {}
    for argument in call._schema.arguments:
        if argument.name in by_name:
            found = by_name[argument.name]
            value = found if str(argument.type).startswith(("List", "Optional[List")) else found[0]
        elif argument.name in spec["a"]:
            value = _value(spec["a"][argument.name], str(argument.type), argument.name)
        else:
            value = argument.default_value if argument.has_default_value() else None
        if argument.kwarg_only:
            named[argument.name] = value
        else:
            plain.append(value)
    return call(*plain, **named)


def _value(value: Any, kind: str, name: str) -> Any:
    """An argument as torch takes it: the names of dtypes and memory formats are words in a description."""
    import torch

    if name == "memory_format":
        return getattr(torch, _FORMATS[value]) if isinstance(value, str) else torch.contiguous_format
    if name in ("dtype", "out_dtype") and isinstance(value, str):
        return getattr(torch, value)
    if name == "layout":
        return torch.strided if value is not None else None
    if isinstance(value, (list, tuple)):
        return list(value)
    return value
