"""Which nodes a rewrite may be promised for: what can be seen of a node without its weights, and why it is refused.

A rewrite decides for itself when it runs; this is for the help line of a check, which should not raise false hopes.
"""

from __future__ import annotations

from collections.abc import Callable

from edgecheck.model.graph import Node, Tensor

#: Of a node, and of the reason that a target refuses it for.
Fits = Callable[[Node, str], bool]


def anything(node: Node, why: str) -> bool:
    return True


def floats(node: Node, why: str) -> bool:
    """Its first input is float32."""
    return bool(node.inputs) and node.inputs[0] is not None and node.inputs[0].dtype == "float32"


def lacks_bias(node: Node, why: str) -> bool:
    """Refused for a bias, and there is none."""
    return "bias" in why and (len(node.inputs) < 3 or node.inputs[2] is None)


def dilates(node: Node, why: str) -> bool:
    return any(node.attrs.get(f"dilation_{side}_factor", 1) != 1 for side in "hw")


def constant_second(node: Node, why: str) -> bool:
    """Floats, with a constant second input."""
    return floats(node, why) and len(node.inputs) > 1 and node.inputs[1] is not None and node.inputs[1].const


def approximate(node: Node, why: str) -> bool:
    """A GELU of floats that asks for its tanh form."""
    return floats(node, why) and bool(node.attrs.get("approximate"))


def image(node: Node, why: str) -> bool:
    """Its first input has four dimensions."""
    return len(_shape(node.inputs, 0)) == 4


def float_image(node: Node, why: str) -> bool:
    return floats(node, why) and image(node, why)


def wide(node: Node, why: str) -> bool:
    """More than 127 channels, which stand last."""
    last = _shape(node.inputs, 0)[-1:]
    return last != () and last[0] is not None and last[0] > 127


def known_sizes(node: Node, why: str) -> bool:
    """No size of its output is open."""
    shape = node.outputs[0].shape if node.outputs and node.outputs[0] is not None else None
    return shape is not None and None not in shape


def moves_only_ones(node: Node, why: str) -> bool:
    """The sizes above 1 stand in the same order in front and behind."""
    before, after = ([one for one in _shape(ends, 0) if one != 1] for ends in (node.inputs, node.outputs))
    return None not in before and before == after


def unequal_ranks(node: Node, why: str) -> bool:
    ranks = [one.rank for one in node.inputs if one is not None]
    return len(ranks) == 2 and None not in ranks and ranks[0] != ranks[1]


def beyond_four_dimensions(node: Node, why: str) -> bool:
    return len(_shape(node.inputs, 0)) > 4


def steps_of_one(node: Node, why: str) -> bool:
    """A slice whose ends are constant, and that neither adds axes nor names them by an ellipsis."""
    masks = any(node.attrs.get(name) for name in ("ellipsis_mask", "new_axis_mask"))
    return not masks and all(one is not None and one.const for one in node.inputs[1:])


def one_index(node: Node, why: str) -> bool:
    """One constant index."""
    index = node.inputs[1] if len(node.inputs) > 1 else None
    return index is not None and index.const and index.shape in ((), (1,))


def three_or_more(node: Node, why: str) -> bool:
    return len(node.inputs) > 2


def allows_zero(node: Node, why: str) -> bool:
    """Its `allowzero` is set, and its sizes are constant."""
    sizes = node.inputs[1] if len(node.inputs) > 1 else None
    return bool(node.attrs.get("allowzero")) and sizes is not None and sizes.const


def no_mode_written(node: Node, why: str) -> bool:
    return "mode" not in (node.attrs if node.written is None else node.written)


def _shape(ends: tuple[Tensor | None, ...], place: int) -> tuple[int | None, ...]:
    """The shape of one of the tensors; () where it is not known."""
    tensor = ends[place] if place < len(ends) else None
    return tensor.shape or () if tensor is not None else ()
