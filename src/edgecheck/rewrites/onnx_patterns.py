"""Several ONNX operators that are one: what exporters write of an operator that an older opset lacks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from edgecheck.rewrites.onnx_build import Builder
from edgecheck.rewrites.onnx_operators import rule


@rule("erf-as-gelu", "Erf", says="one Gelu for the x / 2 * (1 + erf(x / sqrt 2)) around it")
def _erf(b: Builder) -> bool:
    scaled, plus = b.known.makers.get(b.x), b.reader(b.y)
    x = None if scaled is None else _scaled(b, scaled, math.sqrt(0.5))
    if x is None or plus is None or plus.op_type != "Add" or not any(b.is_near(name, 1.0) for name in plus.input):
        return False
    product = _product(b, x, plus.output[0])
    if product is None:
        return False
    b.add("Gelu", x, out=product[-1].output[0], **({} if b.opset >= 20 else {"domain": "com.microsoft"}))
    inner = [one for one in (scaled, *product[:-1]) if b.reader(one.output[0]) is not None]
    b.dropped += [*inner, plus, product[-1]]
    return True


def _scaled(b: Builder, node: Any, factor: float) -> str | None:
    """What a node multiplies by a constant."""
    if node.op_type == "Div" and b.is_near(node.input[1], 1 / factor):
        return str(node.input[0])
    if node.op_type == "Mul":
        return next((str(one) for one, other in (node.input, node.input[::-1]) if b.is_near(other, factor)), None)
    return None


def _product(b: Builder, x: str, factor: str) -> list[Any] | None:
    """The nodes that make 0.5 * x * factor, in whatever order; the last of them last."""
    name = factor
    for _ in range(2):
        node = b.reader(name)
        if node is None or node.op_type != "Mul":
            return None
        name = node.output[0]
        nodes = list(_muls(b, name, {x, factor}))
        made = {one.output[0] for one in nodes}
        leaves = [one for node in nodes for one in node.input if one not in made]
        rest = [one for one in leaves if one not in (x, factor)]
        if sorted(leaves) == sorted([x, factor, *rest]) and len(rest) == 1 and b.is_near(rest[0], 0.5):
            return nodes
    return None


def _muls(b: Builder, name: str, leaves: set[str]) -> Iterator[Any]:
    """The products behind a value, the last of them last."""
    node = b.known.makers.get(name)
    if name not in leaves and node is not None and node.op_type == "Mul":
        for one in node.input:
            yield from _muls(b, one, leaves)
        yield node
