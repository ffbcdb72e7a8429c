"""EC602: constants that keep a division or a logarithm away from zero, and are zero in float16."""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.findings import Finding
from edgecheck.model.graph import Node
from edgecheck.risks.view import View, floating, kind, scalar

SMALLEST = 2.0**-24  # of float16, subnormal; half of it rounds to zero
_GUARDED = frozenset({"div", "log", "rsqrt", "sqrt", "reciprocal", "inverse", "pow"})
_KEEPS = frozenset({"add", "maximum", "max", "clip"})
_NORMS = frozenset({
    "layernormalization", "layernorm", "instancenormalization", "instancenorm", "groupnormalization",
    "rmsnormalization", "simplifiedlayernormalization", "skiplayernormalization", "l2normalization",
})  # fmt: skip


def find(view: View) -> Iterator[Finding]:
    """One finding, for every epsilon that float16 cannot hold."""
    found = [(node, value) for node in view.model.nodes if (value := _epsilon(view, node)) is not None]
    if not found:
        return
    value = found[0][1]
    yield view.finding(
        "EC602",
        f"{found[0][0].op} keeps what follows away from zero with {value:.3g}, which float16 rounds to 0",
        [node for node, _ in found],
        evidence=("IEEE 754 binary16: smallest value 5.96e-08", "tensorflow issue 67216"),
        help="use an epsilon of at least 1e-4 (from 6e-8 on it is held as a subnormal only, which some GPUs flush "
        "to zero), or keep this part in float32",
    )


def _epsilon(view: View, node: Node) -> float | None:
    """The constant, where it is one that rounds to zero."""
    name = kind(node)
    if name in _NORMS:
        value = node.attrs.get("epsilon")
        return value if isinstance(value, float) and _vanishes(value) else None
    if name not in _KEEPS or not node.outputs or not floating(node.outputs[0]):
        return None
    if not any(kind(reader) in _GUARDED and _guards(node, reader) for reader in view.readers(node.outputs[0])):
        return None
    for tensor in node.inputs:
        value = scalar(tensor)
        if value is not None and _vanishes(value):
            return value
    return None


def _vanishes(value: float) -> bool:
    return 0 < value <= SMALLEST / 2


def _guards(node: Node, reader: Node) -> bool:
    """Whether the result is what must not be zero: a divisor, a logarithm's or root's operand."""
    at = 1 if kind(reader) == "div" else 0
    return len(reader.inputs) > at and reader.inputs[at] is node.outputs[0]
