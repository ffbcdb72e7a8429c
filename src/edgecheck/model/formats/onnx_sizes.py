"""An ONNX model as a converter sees it that takes an open batch as one and computes beforehand what sizes decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from edgecheck.model.formats import onnx_schema
from edgecheck.model.formats.onnx import static_inputs
from edgecheck.model.formats.onnx_control import conclude
from edgecheck.model.formats.onnx_data import ListData
from edgecheck.model.formats.onnx_shapes import Call, Value, infer, refine
from edgecheck.model.graph import Graph, Model, Node, Tensor

_RUNS = ("If", "Loop", "Scan", "SequenceMap")  # operators with graphs of their own; other graphs are functions' bodies


@lru_cache(maxsize=1)
def with_known_sizes(model: Model) -> Model:
    """The model; its inputs' open first dimensions are 1 where no other is open, and what follows is inferred again.

    Numbers that follow from constants and sizes alone are constants then, and the operators that make them no readers
    of their inputs any more. Where other dimensions are open too, that holds of what follows from constants alone.
    """
    shapes = {id(t): t.shape for t in model.graphs[0].inputs}
    folds = all(shape is not None and None not in shape[1:] for shape in shapes.values())
    batches = {key: (1, *shape[1:]) for key, shape in shapes.items() if folds and shape and shape[0] is None}
    fed = _Fed(model, batches, folds=folds)
    graphs = tuple(fed.graph(graph) for graph in model.graphs)
    return replace(model, graphs=graphs, metadata={**model.metadata, "static_inputs": static_inputs(graphs)})


def _whole(value: Value) -> ListData | None:
    """What a value holds, where every number of it is known."""
    if value.known is None or value.dtype is None or value.shape is None:
        return None
    numbers = tuple(one for one in value.known if one is not None)
    shape = tuple(one for one in value.shape if one is not None)
    if len(numbers) < len(value.known) or len(shape) < len(value.shape):
        return None
    return ListData(numbers, value.dtype, shape)


class _Fed:
    """What is known of each tensor, by its identity, once the model was gone through from front to back."""

    def __init__(self, model: Model, given: Mapping[int, tuple[int | None, ...]], *, folds: bool) -> None:
        self.model, self.folds = model, folds
        self.values: dict[int, Value] = {}
        self.tensors: dict[int, Tensor] = {}
        self.sized: set[int] = set()  # what comes from sizes
        for tensor in model.graphs[0].inputs:
            self._value(tensor).shape = given.get(id(tensor), tensor.shape)
        self._walk(model.graphs[0])

    def graph(self, graph: Graph) -> Graph:
        inputs, outputs = (tuple(map(self._tensor, side)) for side in (graph.inputs, graph.outputs))
        return replace(graph, inputs=inputs, outputs=outputs, nodes=tuple(map(self._node, graph.nodes)))

    def _walk(self, graph: Graph) -> None:
        for node in graph.nodes:
            inner = [self.model.graphs[number] for number in node.subgraphs] if node.op in _RUNS else []
            for one in inner:
                self._walk(one)
            since = node.version or (0 if onnx_schema.standard(node.op.rpartition("::")[0]) else 1)
            call = Call(node.op, since, node.attrs, [None if t is None else self._value(t) for t in node.inputs])
            call.out = [Value() for _ in node.outputs]
            if inner:
                conclude(call, [[self._value(t) for t in one.outputs] for one in inner])
            elif since and not node.subgraphs:
                infer(call)
            sized = node.op in ("Shape", "Size") or any(id(t) in self.sized for t in node.inputs)
            for tensor, found in zip(node.outputs, call.out, strict=True):
                if tensor is not None:
                    self.sized |= {id(tensor)} if sized else set()
                    value = self._value(tensor)
                    value.known, value.shape = found.known, refine(tensor.shape, found.shape)

    def _value(self, tensor: Tensor) -> Value:
        if id(tensor) not in self.values:
            value = Value(tensor.name, tensor.dtype, tensor.shape, tensor.data, tensor.sparse)
            self.values[id(tensor)] = value
        return self.values[id(tensor)]

    def _tensor(self, tensor: Tensor) -> Tensor:
        """The tensor itself where nothing more is known of it; numbers that follow from sizes are a constant."""
        value = self.values.get(id(tensor))
        settled = tensor.data is None and (self.folds or id(tensor) not in self.sized)
        known = _whole(value) if value is not None and settled else None
        if value is None or (known is None and value.shape == tensor.shape):
            return tensor
        if id(tensor) not in self.tensors:
            self.tensors[id(tensor)] = replace(tensor, shape=value.shape, data=known or tensor.data)
        return self.tensors[id(tensor)]

    def _node(self, node: Node) -> Node:
        """The node itself where it reads and makes none of those; one whose numbers are known reads for itself."""
        inputs, outputs = (tuple(t and self._tensor(t) for t in side) for side in (node.inputs, node.outputs))
        if any(a is not b and b and b.const for a, b in zip(node.outputs, outputs, strict=True)):
            inputs = tuple(t and replace(t) for t in inputs)
        if all(a is b for a, b in zip((*inputs, *outputs), (*node.inputs, *node.outputs), strict=True)):
            return node
        return replace(node, inputs=inputs, outputs=outputs)
