"""What no runtime can put in order: nodes in a ring, and nodes of a nested graph that stand before their makers.

The format wants every graph sorted. ONNX Runtime sorts the main graph itself, and loads it in any order; a graph
inside a node and a model-local function it takes only as they stand (measured with 1.31: `Graph::BuildConnections`
refuses a ring, shape inference an unsorted nested graph). This reader does the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.errors import FormatError
from edgecheck.model.formats.onnx_messages import AttributeProto, GraphProto, ModelProto, NodeProto

_Reads = dict[int, frozenset[str]]  # id of a node → the names it reads, those inside its graphs included


def refuse_disorder(model: ModelProto) -> None:
    """Raises FormatError for nodes that wait for each other, or in a nested graph for a later one."""
    reads: _Reads = {}
    for graph in ([model.graph] if model.graph else []) + [function.graph for function in model.functions]:
        _free(graph, reads)
    if model.graph is not None:
        _refuse_ring(model.graph, reads)
        for inner in _inside(model.graph):
            _refuse_unsorted(inner, reads)
    for function in model.functions:
        for graph in (function.graph, *_inside(function.graph)):
            _refuse_unsorted(graph, reads)


def _free(graph: GraphProto, reads: _Reads) -> frozenset[str]:
    """The names that a graph takes from around it; fills `reads` for its nodes and all within."""
    for node in graph.nodes:
        inner = (_free(nested, reads) for nested in nested_graphs(node))
        reads[id(node)] = frozenset(filter(None, node.inputs)).union(*inner)
    own = {value.name for value in graph.inputs} | {one.name for one in graph.constants}
    own |= {one.values.name for one in graph.sparse_constants}
    own |= {name for node in graph.nodes for name in node.outputs}
    wanted = frozenset(value.name for value in graph.outputs).union(*(reads[id(node)] for node in graph.nodes))
    return wanted - own


def nested_graphs(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs in a node's attributes, in the file's order."""
    for attribute in node.attributes:
        yield from _graphs(attribute)


def _graphs(attribute: AttributeProto) -> Iterator[GraphProto]:
    values = attribute.value if isinstance(attribute.value, tuple) else (attribute.value,)
    yield from (value for value in values if isinstance(value, GraphProto))


def _inside(graph: GraphProto) -> Iterator[GraphProto]:
    for node in graph.nodes:
        for inner in nested_graphs(node):
            yield inner
            yield from _inside(inner)


def _refuse_ring(graph: GraphProto, reads: _Reads) -> None:
    """Take away what is ready until nothing is; what is left waits for itself."""
    maker = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs if name}
    waits = [{maker[name] for name in reads[id(node)] if name in maker} for node in graph.nodes]
    readers: list[list[int]] = [[] for _ in graph.nodes]
    for i, makers in enumerate(waits):
        for one in makers:
            readers[one].append(i)
    left = [len(makers) for makers in waits]
    ready = [i for i, count in enumerate(left) if not count]
    for i in ready:  # grows while it is walked
        for reader in readers[i]:
            left[reader] -= 1
            if not left[reader]:
                ready.append(reader)
    if len(ready) < len(left):
        raise FormatError(_ring(graph, waits, next(i for i, count in enumerate(left) if count), left, reads))


def _ring(graph: GraphProto, waits: list[set[int]], start: int, left: list[int], reads: _Reads) -> str:
    """From any node that is left, its makers that are left lead into the ring; its first node is named."""
    walked: list[int] = []
    at = start
    seen: set[int] = set()
    while at not in seen:
        seen.add(at)
        walked.append(at)
        at = min(one for one in waits[at] if left[one])
    first = min(walked[walked.index(at) :])
    node = graph.nodes[first]
    ring = {name for i in walked[walked.index(at) :] for name in graph.nodes[i].outputs}
    name = min(reads[id(node)] & ring)
    return f"node {first} ({node.op}) of graph {graph.name!r} reads {name!r}, which is made from the node's own output"


def _refuse_unsorted(graph: GraphProto, reads: _Reads) -> None:
    later = {name for node in graph.nodes for name in node.outputs if name}
    for i, node in enumerate(graph.nodes):
        early = sorted(reads[id(node)] & later)
        if early:
            raise FormatError(
                f"node {i} ({node.op}) of the nested graph {graph.name!r} reads {early[0]!r}, "
                "which is made by the node itself or a later one"
            )
        later.difference_update(node.outputs)
