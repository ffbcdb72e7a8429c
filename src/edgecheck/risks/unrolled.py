"""EC605: a recurrent layer that an exporter wrote out step by step."""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.findings import Finding
from edgecheck.model.graph import Node, Tensor
from edgecheck.risks.view import View, constants, kind

LEAST = 16  # steps: fewer is a decoder's refinement or a shared head, not a sequence
_MULTIPLIES = frozenset({"matmul", "conv", "conv2d"})


def find(view: View) -> Iterator[Finding]:
    """One finding for all layers: the same weights multiplied again and again, each step behind the last."""
    steps: dict[tuple[int, object], list[Node]] = {}
    for node in view.model.nodes:
        if kind(node) in _MULTIPLIES:
            for tensor in constants(view, node):
                if len(tensor.shape or ()) >= 2:
                    steps.setdefault((node.graph, _where(tensor)), []).append(node)
    found = [nodes for nodes in steps.values() if len(nodes) >= LEAST and _in_a_row(view, nodes)]
    if not found:
        return
    longest = max(found, key=len)
    total = view.model.node_count
    yield view.finding(
        "EC605",
        f"a recurrent layer is unrolled: the same weights are multiplied {len(longest)} times in a row, "
        f"and the file has {total:,} operators",
        longest,
        evidence=("measured: a 100-step GRU through litert-torch becomes 3,812 operators",),
        help="make one step the model and keep the loop and its state in the app, or export a shorter sequence; "
        "ONNX keeps GRU and LSTM whole",
    )


def _where(tensor: Tensor) -> object:
    """Where the bytes lie: two tensors on one buffer are one weight."""
    place = getattr(tensor.data, "offset", None)
    return id(tensor) if place is None else (place, tensor.data.nbytes if tensor.data else 0)


def _in_a_row(view: View, nodes: list[Node]) -> bool:
    """Whether the second step waits for the first: it is reached from it within a few operators."""
    target = {id(node) for node in nodes}
    frontier, seen = [nodes[0]], {id(nodes[0])}
    for _ in range(48):
        following = [r for n in frontier for t in n.outputs for r in view.readers(t) if id(r) not in seen]
        if any(id(r) in target for r in following):
            return True
        seen |= {id(r) for r in following}
        frontier = following
    return False
