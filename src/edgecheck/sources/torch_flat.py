"""A PyTorch module of any signature as one with tensors in by name and a tuple of tensors out."""

from __future__ import annotations

import dataclasses
import keyword
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgecheck import named
from edgecheck.errors import EdgecheckError

if TYPE_CHECKING:
    import numpy
    import torch


class Tree:
    """How flat tensors become the user's arguments again. None and plain numbers stay as they are."""

    def __init__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], parameters: Sequence[str]) -> None:
        import torch
        from torch.utils import _pytree

        positional = {self._positional(i, parameters): value for i, value in enumerate(args)}
        self.count = len(args)
        self.keys = list(kwargs)
        paths, self.spec = _pytree.tree_flatten_with_path([*positional.values(), *kwargs.values()])
        roots = [*positional, *kwargs]
        self.leaves = [leaf for _, leaf in paths]
        self.names: list[str] = []
        self.plain = not kwargs and all(isinstance(value, torch.Tensor) for value in args)  # f(x, y), nothing nested
        self.slots = [i for i, leaf in enumerate(self.leaves) if isinstance(leaf, torch.Tensor)]
        for slot in self.slots:
            path = paths[slot][0]
            self.names.append(unique(_name(roots[path[0].idx], path[1:]), self.names))

    @staticmethod
    def _positional(index: int, parameters: Sequence[str]) -> str:
        return parameters[index] if index < len(parameters) else f"input_{index}"

    def examples(self) -> dict[str, numpy.ndarray]:
        """The tensors among the leaves, as arrays by name."""
        return {n: array(self.leaves[slot]) for n, slot in zip(self.names, self.slots, strict=True)}

    def arguments(self, tensors: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """(args, kwargs) of the user's module with `tensors` in place of its examples."""
        from torch.utils import _pytree

        leaves = list(self.leaves)
        for slot, tensor in zip(self.slots, tensors, strict=True):
            leaves[slot] = tensor
        values = _pytree.tree_unflatten(leaves, self.spec)
        return values[: self.count], dict(zip(self.keys, values[self.count :], strict=True))


def _name(root: str, path: Sequence[Any]) -> str:
    return identifier("_".join([root, *(str(getattr(key, "key", getattr(key, "idx", key))) for key in path)]))


def identifier(text: str) -> str:
    """`text` as a name every format takes."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "value"
    return f"_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name


def unique(name: str, taken: Sequence[str]) -> str:
    """`name`, or `name_1`, `name_2` … where it is taken."""
    if name not in taken:
        return name
    return next(f"{name}_{i}" for i in range(1, len(taken) + 2) if f"{name}_{i}" not in taken)


def flat_module(module: Any, tree: Tree) -> Any:
    """A module with one tensor parameter per input, named, that gives a tuple of tensors."""
    import torch
    from torch.utils import _pytree

    class Flat(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = module
            self.output_names: list[str] = []
            self.training = False

        def call(self, *tensors: Any) -> tuple[Any, ...]:
            args, kwargs = tree.arguments(tensors)
            found, _ = _pytree.tree_flatten_with_path(plain(self.model(*args, **kwargs)))
            kept = [(path, leaf) for path, leaf in found if isinstance(leaf, torch.Tensor)]
            if not self.output_names:
                self.output_names = output_names([path for path, _ in kept], tree.names)
            return tuple(leaf for _, leaf in kept)

    Flat.forward = named.forward(tree.names)
    named.plain(Flat)
    return Flat()


def plain(value: Any) -> Any:
    """A model's answer with dataclasses and mappings of any class (transformers' ModelOutput) as dicts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, Mapping | type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(plain, value))
    return type(value)(map(plain, value)) if type(value) in (tuple, list) else value


def output_names(paths: Sequence[Sequence[Any]], inputs: Sequence[str]) -> list[str]:
    """Names from dict keys and positions: `logits`, `output_0`; a single tensor is `output`; none is an input's."""
    names: list[str] = []
    for path in paths:
        keys = [str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path]
        words = keys if keys and not keys[0].isdigit() else ["output", *keys]
        names.append(unique(identifier("_".join(words)), [*inputs, *names]))
    return names


def run(flat: Any, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The module's outputs by name; the inputs are copied first."""
    import torch

    tensors = [torch.from_numpy(value.copy()) for value in arrays.values()]
    with torch.no_grad():
        outputs = flat(*tensors)
    if not outputs:
        raise EdgecheckError("the model returns no tensor")
    return {name: array(value) for name, value in zip(flat.output_names, outputs, strict=True)}


def array(tensor: torch.Tensor) -> numpy.ndarray:
    """A tensor as an array of its own; bfloat16 as float32."""
    import torch

    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    if plain.dtype == torch.bfloat16:
        plain = plain.float()
    values: numpy.ndarray = plain.contiguous().numpy().copy()
    return values
