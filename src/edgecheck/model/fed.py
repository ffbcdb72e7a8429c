"""The model as a runtime first sees it: inputs with the sizes that the file stores below open dimensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from edgecheck.model.graph import Graph, Model, Node, Tensor


@lru_cache(maxsize=1)
def with_stored_sizes(model: Model) -> Model:
    """The model, its inputs' open dimensions taken as stored; the very same where there is nothing to take.

    A TFLite runtime prepares a file with those sizes, unless the application has given others before.
    """
    fed = {id(t): replace(t, shape=t.stored) for t in model.graphs[0].inputs if t.stored is not None}
    if not fed:
        return model

    def taken(tensor: Tensor) -> Tensor:
        return fed.get(id(tensor), tensor)

    return replace(model, graphs=tuple(_graph(graph, taken) for graph in model.graphs))


def _graph(graph: Graph, taken: Callable[[Tensor], Tensor]) -> Graph:
    return replace(
        graph,
        inputs=tuple(map(taken, graph.inputs)),
        outputs=tuple(map(taken, graph.outputs)),
        nodes=tuple(_node(node, taken) for node in graph.nodes),
    )


def _node(node: Node, taken: Callable[[Tensor], Tensor]) -> Node:
    """The node itself where it reads and makes none of them."""
    inputs, outputs = (tuple(t and taken(t) for t in side) for side in (node.inputs, node.outputs))
    if all(a is b for a, b in zip((*inputs, *outputs), (*node.inputs, *node.outputs), strict=True)):
        return node
    return replace(node, inputs=inputs, outputs=outputs)
