"""Nodes of an ONNX graph, made with fresh names: what the ONNX rewrites build with. Runs in a child that has onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Builder:
    """Replaces one node: collects the new nodes and constants, and knows shapes, types and constants of the graph."""

    def __init__(self, model: Any, node: Any, number: int, known: Known) -> None:
        self.node, self.known = node, known
        self.opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 1)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.dropped: list[Any] = []  # other nodes that the new ones stand for too
        self.prefix = f"{node.name or node.output[0]}_as{number}"
        self.attrs = {one.name: _attribute(one) for one in node.attribute}

    def add(self, op: str, *inputs: str, out: str | None = None, **attrs: Any) -> str:
        """A node with one output; gives the output's name."""
        return self.many(op, inputs, [out], **attrs)[0]

    def many(self, op: str, inputs: Sequence[str], outs: Sequence[str | None], **attrs: Any) -> list[str]:
        """A node with several outputs."""
        import onnx

        names = [out or f"{self.prefix}_{op}_{len(self.nodes)}_{i}" for i, out in enumerate(outs)]
        made = onnx.helper.make_node(op, inputs, names, name=f"{self.prefix}_{op}_{len(self.nodes)}", **attrs)
        made.metadata_props.extend(self.node.metadata_props)  # the source line stays on what replaces the node
        self.nodes.append(made)
        return names

    def constant(self, value: Any, like: str | None = None) -> str:
        """An initialiser; of the element type of tensor `like`, else as the array is."""
        import numpy
        import onnx

        array = numpy.asarray(value)
        if like is not None:
            array = array.astype(onnx.helper.tensor_dtype_to_np_dtype(self.known.types[like]))
        name = f"{self.prefix}_c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(array, name))
        return name

    def ints(self, *values: int) -> str:
        """An int64 vector."""
        import numpy

        return self.constant(numpy.array(values, numpy.int64))

    @property
    def x(self) -> str:
        return str(self.node.input[0])

    @property
    def y(self) -> str:
        return str(self.node.output[0])

    def input(self, position: int) -> str:
        """The name of an optional input, or ''."""
        return str(self.node.input[position]) if position < len(self.node.input) else ""

    def shape(self, name: str) -> list[int] | None:
        """Where every dimension is known."""
        return self.known.shapes.get(name)

    def reader(self, name: str) -> Any:
        """The one node that reads a value; None where there are more, or none, or it leaves the graph."""
        found = self.known.readers.get(name, [])
        return found[0] if len(found) == 1 else None

    def is_near(self, name: str, value: float) -> bool:
        """Whether a value is a constant of one number, this one."""
        found = self.value(name)
        return found is not None and found.size == 1 and abs(float(found.reshape(-1)[0]) - value) <= 1e-5 * abs(value)

    def rank(self, name: str) -> int | None:
        return self.known.ranks.get(name)

    def value(self, name: str) -> Any:
        """A constant's array; None for all else."""
        return self.known.constant(name)

    def axes(self, rank: int) -> list[int] | None:
        """`axes` of a reduction, from the attribute or the constant input, counted from the front."""
        raw = self.attrs.get("axes")
        if raw is None and self.input(1):
            found = self.value(self.input(1))
            if found is None:
                return None
            raw = found.reshape(-1).tolist()
        if not raw:
            return [] if self.attrs.get("noop_with_empty_axes") else list(range(rank))
        return sorted(int(axis) % rank for axis in raw)

    def reduce(self, op: str, name: str, axes: Sequence[int], *, keep: int, out: str | None = None) -> str:
        """A reduction in the form of the file's opset: axes as attribute or as input."""
        if self.opset >= (13 if op == "ReduceSum" else 18):
            return self.add(op, name, self.ints(*axes), keepdims=keep, out=out)
        return self.add(op, name, axes=list(axes), keepdims=keep, out=out)

    def unsqueeze(self, op: str, name: str, axes: Sequence[int], out: str | None = None) -> str:
        """Squeeze or Unsqueeze in the form of the file's opset."""
        if self.opset >= 13:
            return self.add(op, name, self.ints(*axes), out=out)
        return self.add(op, name, axes=list(axes), out=out)


def inner_names(nodes: Sequence[Any]) -> set[str]:
    """What bodies of If, Loop and Scan read from outside."""
    names: set[str] = set()
    for node in nodes:
        for attribute in node.attribute:
            for graph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                names |= {name for one in graph.node for name in one.input} | inner_names(graph.node)
    return names


def _attribute(proto: Any) -> Any:
    import onnx

    value = onnx.helper.get_attribute_value(proto)
    return value.decode() if isinstance(value, bytes) else value


class Known:
    """Shapes, types and constants of a graph, by name."""

    def __init__(self, model: Any) -> None:
        import onnx

        try:
            inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        except (ValueError, RuntimeError, onnx.shape_inference.InferenceError):
            inferred = model
        self.shapes: dict[str, list[int]] = {}
        self.ranks: dict[str, int] = {}
        self.types: dict[str, int] = {}
        graph = inferred.graph
        for info in (*graph.input, *graph.value_info, *graph.output):
            self._declared(info)
        self._tensors: Mapping[str, Any] = {one.name: one for one in model.graph.initializer}
        self._nodes = {node.output[0]: node for node in model.graph.node if node.op_type == "Constant"}
        self.makers = {name: node for node in model.graph.node for name in node.output}
        self.readers: dict[str, list[Any]] = {one.name: [None] for one in model.graph.output}
        for node in model.graph.node:
            for name in (*node.input, *inner_names([node])):
                self.readers.setdefault(name, []).append(node)
        for name, tensor in self._tensors.items():
            self.shapes[name], self.ranks[name], self.types[name] = (
                list(tensor.dims),
                len(tensor.dims),
                tensor.data_type,
            )

    def _declared(self, info: Any) -> None:
        if not info.type.HasField("tensor_type"):
            return
        kind = info.type.tensor_type
        self.types[info.name] = kind.elem_type
        if not kind.HasField("shape"):
            return
        dims = kind.shape.dim
        self.ranks[info.name] = len(dims)
        if all(one.HasField("dim_value") for one in dims):
            self.shapes[info.name] = [int(one.dim_value) for one in dims]

    def constant(self, name: str) -> Any:
        """An initialiser's or Constant node's array; None for all else."""
        import onnx

        if name in self._tensors:
            return onnx.numpy_helper.to_array(self._tensors[name])
        node = self._nodes.get(name)
        for attribute in node.attribute if node is not None else ():
            if attribute.name == "value":
                return onnx.numpy_helper.to_array(attribute.t)
        return None
