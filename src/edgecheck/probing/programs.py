"""ExecuTorch's lines of evidence as models: a node of an edge program with those that read its outputs.

`"model": {"n": argument names, "i": [[dtype, shape, constant]], "o": […], "a": {arguments}, "r": [names of the
operators that read each output]}`; a null is an argument left out. `"u": [0, 0]`, where a tensor is given twice: for
each argument the first one that is the same tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecheck.model.graph import Graph, Model, Node, Tensor


def described(node: Node, readers: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    """The description of a node; `readers` has the operators that read a tensor, by the tensor's `id`."""
    places: dict[int, int] = {}
    first = [places.setdefault(id(tensor), place) for place, tensor in enumerate(node.inputs)]
    twice = {"u": first} if first != list(range(len(first))) and None not in node.inputs else {}
    return {
        **twice,
        "n": list(node.input_names),
        "i": [_in_words(tensor) for tensor in node.inputs],
        "o": [_in_words(tensor) for tensor in node.outputs],
        "a": {name: value for name, value in node.attrs.items() if value is not None},
        "r": [list(readers.get(id(tensor), ())) for tensor in node.outputs],
    }


def _in_words(tensor: Tensor | None) -> list[Any] | None:
    return None if tensor is None else [tensor.dtype, list(tensor.shape or ()), int(tensor.const)]


class Stored:
    """Stands for the values of a constant, which the line does not hold."""

    nbytes = 0

    def array(self) -> Any:
        """There are none: a limit that asks for them has no answer."""
        raise ValueError("the probe has no values")


def model_of(row: Mapping[str, Any]) -> Model:
    """The line's node is the first of the only graph."""
    spec = row.get("spec") or row["model"]
    names = spec.get("u") or range(len(spec["i"]))
    inputs = tuple(_tensor(one, f"i{number}") for number, one in zip(names, spec["i"], strict=True))
    outputs = tuple(_tensor(one, f"o{number}") for number, one in enumerate(spec["o"]))
    attrs = {name: tuple(value) if isinstance(value, list) else value for name, value in spec["a"].items()}
    node = Node(
        graph=0, index=0, name="probe", op=row["op"], version=None, inputs=inputs, outputs=outputs, attrs=attrs,
        input_names=tuple(spec["n"]),
    )  # fmt: skip
    readers = tuple(
        Node(graph=0, index=number, name="reader", op=op, version=None, inputs=(tensor,), outputs=(), attrs={})
        for number, (tensor, op) in enumerate(
            ((tensor, op) for tensor, ops in zip(outputs, spec["r"], strict=True) for op in ops), 1
        )
    )
    made = tuple(one for one in outputs if one is not None)
    graph = Graph(index=0, name="", inputs=(), outputs=made, nodes=(node, *readers))
    return Model(path=Path("probe"), format="executorch", sha256="", graphs=(graph,))


def _tensor(one: Any, name: str) -> Tensor | None:
    if one is None:
        return None
    dtype, shape, const = one
    return Tensor(name=name, dtype=dtype, shape=tuple(shape), data=Stored() if const else None)
