"""A module of another float type in float32: what is written is asked for with `--precision`, not by the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def other_type(module: Any) -> str:
    """ "float16", "bfloat16" or "float64" when the module computes in it; "" for float32.

    One parameter of half precision is enough, since no device format has such a mixture; of double precision all must
    be, since a double constant in a float model is common.
    """
    import torch

    types = {parameter.dtype for parameter in module.parameters() if parameter.dtype.is_floating_point}
    for type in (torch.float16, torch.bfloat16):
        if type in types:
            return str(type).removeprefix("torch.")
    return "float64" if types == {torch.float64} else ""


def widened(module: Any, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The example inputs in float32, after the module (changed in place) was."""
    import torch
    from torch.utils import _pytree

    def wide(leaf: Any) -> Any:
        return leaf.float() if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf

    module.float()
    new_args, new_kwargs = _pytree.tree_map(wide, (tuple(args), dict(kwargs)))
    return new_args, new_kwargs
