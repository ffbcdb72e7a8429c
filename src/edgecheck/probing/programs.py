"""ExecuTorch's lines of evidence as models: a node of an edge program with those that read its outputs.

`"model": {"n": argument names, "i": [[dtype, shape, constant]], "o": […], "a": {arguments}, "r": [names of the
operators that read each output]}`; constant is 0, 1, or 2 for a buffer that the program changes; a null is an argument
left out. `"u": [0, 0]`, where a tensor is given twice: for each argument the first one that is the same tensor. `"p":
[["aten.x.default", 1], null]`, where an argument is made by another operator: its name, and whether it reads constants
only (2: a buffer that the program changes). `"x": [0]`: of several outputs the places of those that are returned, if
not all. `"b": [names]`, where one operator alone reads the first output: the operators that read what it makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecheck.model.graph import Graph, Model, Node, Tensor


def described(
    node: Node, readers: Mapping[int, Sequence[str]], makers: Mapping[int, Node] | None = None
) -> dict[str, Any]:
    """The description of a node; `readers` has the operators that read a tensor, by the tensor's `id`; `makers` the
    node that makes it."""
    places: dict[int, int] = {}
    first = [places.setdefault(id(tensor), place) for place, tensor in enumerate(node.inputs)]
    twice = {"u": first} if first != list(range(len(first))) and None not in node.inputs else {}
    made = [_maker((makers or {}).get(id(tensor))) for tensor in node.inputs]
    return {
        **twice,
        **({"p": made} if any(made) else {}),
        "n": list(node.input_names),
        "i": [_in_words(tensor) for tensor in node.inputs],
        "o": [_in_words(tensor) for tensor in node.outputs],
        "a": {name: value for name, value in node.attrs.items() if value is not None},
        "r": [list(readers.get(id(tensor), ())) for tensor in node.outputs],
    }


def _maker(node: Node | None) -> list[Any] | None:
    if node is None:
        return None
    first = node.inputs[0] if node.inputs else None
    folded = all(one is not None and one.const for one in node.inputs)
    return [node.op, 2 if first is not None and first.variable else int(folded)]


def _in_words(tensor: Tensor | None) -> list[Any] | None:
    if tensor is None:
        return None
    return [tensor.dtype, list(tensor.shape or ()), 2 if tensor.variable else int(tensor.const)]


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
    further = Tensor(name="b", dtype=None, shape=None) if "b" in spec else None
    readers = tuple(
        _reading(op, tensor, number, further)
        for number, (tensor, op) in enumerate(
            ((tensor, op) for tensor, ops in zip(outputs, spec["r"], strict=True) for op in ops), 1
        )
    ) + tuple(_reading(op, further, 200 + number, None) for number, op in enumerate(spec.get("b", ())))
    made = tuple(one for one in outputs if one is not None)
    named = enumerate(zip(spec.get("p", ()), inputs))
    makers = tuple(_making(one, tensor, 100 + number) for number, (one, tensor) in named if one)
    returned = [outputs[place] for place in spec["x"]] if "x" in spec else made
    given_back = tuple(one for one in returned if one is not None)
    graph = Graph(index=0, name="", inputs=(), outputs=given_back, nodes=(node, *readers, *makers))
    return Model(path=Path("probe"), format="executorch", sha256="", graphs=(graph,))


def _reading(op: str, tensor: Tensor | None, index: int, made: Tensor | None) -> Node:
    outputs = () if made is None else (made,)
    return Node(graph=0, index=index, name="reader", op=op, version=None, inputs=(tensor,), outputs=outputs, attrs={})


def _making(maker: Any, tensor: Tensor | None, index: int) -> Node:
    """The node that makes an argument, of a constant where it reads constants only."""
    op, folded = maker
    data = Stored() if folded == 1 else None
    source = Tensor(name="source", dtype="int8", shape=(1,), data=data, variable=folded == 2)
    outputs = () if tensor is None else (tensor,)
    return Node(
        graph=0, index=index, name="maker", op=op, version=None, inputs=(source,), outputs=outputs, attrs={}
    )  # fmt: skip


def _tensor(one: Any, name: str) -> Tensor | None:
    if one is None:
        return None
    dtype, shape, const = one
    data = Stored() if const == 1 else None
    return Tensor(name=name, dtype=dtype, shape=tuple(shape), data=data, variable=const == 2)
