"""What the names of a limit stand for: a node, its tensors, settings; and what not knowing looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from edgecheck.model.graph import Graph, Node, Tensor

LARGEST_VALUE = 65_536  # elements of a constant, or numbers of a range, that a limit looks at

#: Bare names of the language: of the node, its graph, and the graphs within it.
NAMES = frozenset({
    "inputs", "outputs", "op", "op_version", "graph", "arity", "named", "inside", "inner_ops", "given_back", "captures",
    "ranks_meet",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is not known, and why. It is equal to nothing and never true."""

    reason: str


@dataclass(frozen=True, slots=True)
class Absent:
    """An optional input or an attribute that is not there; any use of it but `exists` is unknown."""

    what: str


@dataclass(frozen=True, slots=True)
class Edges:
    """Who makes and who reads each tensor, by the tensor's identity."""

    producer: Mapping[int, Node]
    consumers: Mapping[int, tuple[Node, ...]]
    nodes: Mapping[int, tuple[Node, ...]] = field(default_factory=dict)  # of each graph, by its number
    computed: dict[int, bool] = field(default_factory=dict)  # what is known by now of tensors, by their identity
    outer: frozenset[int] = frozenset()  # the model's inputs and outputs
    given_back: frozenset[int] = frozenset()  # graphs of which an input is itself an output
    captures: frozenset[int] = frozenset()  # graphs within others that read a constant of a graph around them
    results: Mapping[int, tuple[Tensor, ...]] = field(default_factory=dict)  # of each graph, by its number

    @classmethod
    @lru_cache(maxsize=2)  # a model, and the same with its stored sizes: every target asks
    def of(cls, graphs: tuple[Graph, ...]) -> Edges:
        producer: dict[int, Node] = {}
        consumers: dict[int, list[Node]] = {}
        for graph in graphs:
            for node in graph.nodes:
                for tensor in node.outputs:
                    if tensor is not None:
                        producer[id(tensor)] = node
                for tensor in node.inputs:
                    if tensor is not None:
                        consumers.setdefault(id(tensor), []).append(node)
        read = {key: tuple(nodes) for key, nodes in consumers.items()}
        outer = frozenset(id(tensor) for graph in graphs[:1] for tensor in (*graph.inputs, *graph.outputs))
        given_back = frozenset(
            graph.index for graph in graphs if {id(t) for t in graph.inputs} & {id(t) for t in graph.outputs}
        )
        captures = frozenset(graph.index for graph in graphs if graph.parent and _captures(graph, producer))
        nodes = {graph.index: graph.nodes for graph in graphs}
        results = {graph.index: tuple(graph.outputs) for graph in graphs}
        return cls(producer, read, nodes, outer=outer, given_back=given_back, captures=captures, results=results)


def _captures(graph: Graph, producer: Mapping[int, Node]) -> bool:
    """Whether its operators read constants that neither it holds nor an operator makes."""
    constants = (t for node in graph.nodes for t in node.inputs if t is not None and t.const)
    return any(t.name not in graph.constants and id(t) not in producer for t in constants)


@dataclass(slots=True)
class Scope:
    """What the names of a limit stand for: one node, the target's settings, the edges of the model."""

    node: Node
    env: Mapping[str, Any]
    edges: Edges
    verdict: Callable[[Node], str] | None = None  # of another node on the same target
    bound: dict[str, Any] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)  # near limits known to hold for nodes of the same signature
    point: str = ""  # the target's version and settings, for limits that ask of them


def tensor_field(tensor: Tensor, name: str, edges: Edges) -> Any:
    """One field of a tensor as the language sees it; `Unknown` where the file does not say."""
    match name:
        case "shape":
            if tensor.shape is None:
                return Unknown(f"the rank of '{tensor.name}' is not known")
            return [
                Unknown(f"dimension {i} of '{tensor.name}' is dynamic") if d is None else d
                for i, d in enumerate(tensor.shape)
            ]
        case "producer":
            node = edges.producer.get(id(tensor))
            return node.op if node else ""
        case "consumers":
            return [node.op for node in edges.consumers.get(id(tensor), ())]
        case "scale" | "scales" | "zero_point" | "zero_points" | "axis":
            return _quantization_field(tensor, name)
        case "const" | "name":
            return getattr(tensor, name)
        case _:
            value = getattr(tensor, name)
            if value is not None:
                return value
            return Unknown(f"the {name if name in {'dtype', 'rank'} else 'size'} of '{tensor.name}' is not known")


def _quantization_field(tensor: Tensor, name: str) -> Any:
    quantization = tensor.quantization
    if quantization is None or not quantization.scales:
        return Unknown(f"'{tensor.name}' has no quantisation")
    match name:
        case "scales":
            return list(quantization.scales)
        case "zero_points":
            return list(quantization.zero_points)
        case "axis":
            return (
                Unknown(f"'{tensor.name}' is quantised per tensor") if quantization.axis is None else quantization.axis
            )
        case "scale":
            return quantization.scales[0]
        case _:
            return quantization.zero_points[0] if quantization.zero_points else 0
