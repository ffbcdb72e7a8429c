"""EC604: arithmetic on 64-bit integers, which WebGPU's shaders do not have."""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.findings import Finding
from edgecheck.model.graph import Node
from edgecheck.risks.view import View, kind

#: Work on the elements of a tensor; moving shapes about on the CPU is cheap everywhere.
_WORK = frozenset({
    "add", "sub", "mul", "div", "mod", "pow", "matmul", "cumsum", "reducesum", "max_of", "min_of", "where",
    "equal", "greater", "less", "gather", "scatternd",
})  # fmt: skip
_LEAST = 64  # elements: below it is a shape, or a handful of indices


def find(view: View) -> Iterator[Finding]:
    """One finding, for the nodes that compute with wide integers on more than a shape."""
    nodes = [node for node in view.model.nodes if kind(node) in _WORK and _wide(node)]
    if nodes:
        yield view.finding(
            "EC604",
            f"{nodes[0].op} computes with int64 values; WebGPU has no 64-bit integers, so browsers use the CPU",
            nodes,
            evidence=("onnxruntime issues 22425 and 25236", "WGSL: the integer types are i32 and u32"),
            help="use int32 for ids, masks and indices (cast once at the input)",
        )


def _wide(node: Node) -> bool:
    tensors = [one for one in (*node.inputs[:1], *node.outputs[:1]) if one is not None]
    return any(one.dtype in {"int64", "uint64"} and (one.size or 0) >= _LEAST for one in tensors)
