"""Sizes that a TFLite file stores of dimensions it leaves open: a refusal of them says nothing of the operator.

A converter stores 1 (or whatever it was traced with) for an open dimension. An operator that is asked alone meets that
size; in its model another one comes.
"""

from __future__ import annotations

import re

from edgecheck.oracles.tflite_probe import schema

#: What a kernel says of sizes that do not fit each other.
_SIZES = re.compile(
    r"dims->data|accum_dim|output_batch_size|num_input_elements|SizeOfDimension|NumElements|HaveSameShapes|Dims\(i"
    r"|computed_input_|even split|must sum to the dimension|number of elements overflowed|low_rank_input_condition"
)
#: All that is said of a window that does not fit into its input, and where a kernel says more.
_WINDOW = re.compile(r"Node number \d+ \(\w*(?:CONV|POOL)\w*\) failed to prepare")
_MORE = re.compile(r"(?<!delegate_webgpu)\.cc:")


def stored_for_open(content: bytes | None, reason: str) -> bool:
    """Whether a refusal of a one-operator model is about the sizes that it stores of open dimensions."""
    sizes = _SIZES.search(reason) or (_WINDOW.search(reason) and not _MORE.search(reason))
    return content is not None and bool(sizes) and _is_variable(content)


def _is_variable(content: bytes) -> bool:
    """Whether an input has a dimension that the file leaves open."""
    graph = schema().Model.GetRootAs(content, 0).Subgraphs(0)
    inputs = [graph.Tensors(graph.Inputs(place)) for place in range(graph.InputsLength())]
    return any(one.ShapeSignature(place) < 0 for one in inputs for place in range(one.ShapeSignatureLength()))
