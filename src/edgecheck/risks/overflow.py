"""EC601: sums, squares and exponentials whose values can leave float16."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, log

from edgecheck.findings import Finding
from edgecheck.model.graph import Node, Tensor
from edgecheck.risks.bounds import bounds
from edgecheck.risks.view import View, floating, kind

LARGEST = 65504.0  # IEEE 754 binary16
_SUMS = frozenset(
    {"reducesum", "reducel1", "reducel1norm", "reducesumsquare", "reducel2norm", "reducelogsumexp", "cumsum"}
)
_SQUARES = frozenset({"reducesumsquare", "reducel2norm"})
_NORMAL = 8.0  # where nothing bounds a sum's terms, activations are taken to reach this: few go beyond
_EVIDENCE = (
    "LiteRT issue 9249: a SUM beyond 65504 gives NaN in float16",
    "IEEE 754 binary16: largest finite value 65504",
)


def find(view: View) -> Iterator[Finding]:
    """One finding for the sums, one for the exponentials."""
    sums = [node for node in view.model.nodes if kind(node) in _SUMS and _sum_overflows(view, node)]
    if sums:
        terms = _terms(sums[0])
        yield view.finding(
            "EC601",
            f"{sums[0].op} adds {terms:,} values: in float16 (GPUs, Apple's and Qualcomm's NPUs) it overflows "
            f"once they average {_average(sums[0], terms or 1):.3g}",
            sums,
            evidence=_EVIDENCE,
            help="divide before adding (a mean, or x / n), or keep this operator in float32",
        )
    exponentials = [node for node in view.model.nodes if kind(node) == "exp" and _exp_overflows(view, node)]
    if exponentials:
        yield view.finding(
            "EC601",
            f"{exponentials[0].op} overflows float16 (GPUs, Apple's and Qualcomm's NPUs) once its input passes "
            f"{log(LARGEST):.2f}, and nothing in the file keeps it below",
            exponentials,
            evidence=_EVIDENCE[1:],
            help="clamp its input to at most 11, or subtract the maximum first as softmax does",
        )


def _sum_overflows(view: View, node: Node) -> bool:
    source = _first(node)
    terms = _terms(node)
    if terms is None or not floating(source):
        return False
    low, high = bounds(view, source)
    largest = max(abs(low), abs(high))
    largest = _NORMAL if largest == inf else largest
    return terms * (largest**2 if kind(node) in _SQUARES else largest) > LARGEST


def _exp_overflows(view: View, node: Node) -> bool:
    source = _first(node)
    return floating(source) and bounds(view, source)[1] > log(LARGEST)


def _first(node: Node) -> Tensor | None:
    return node.inputs[0] if node.inputs else None


def _terms(node: Node) -> int | None:
    """How many values one output adds; None where a shape is not known."""
    source, result = _first(node), node.outputs[0] if node.outputs else None
    if source is None or result is None or not source.size or not result.size:
        return None
    if kind(node) == "cumsum":
        return max((d or 1 for d in source.shape or ()), default=1)
    return source.size // result.size


def _average(node: Node, terms: int) -> float:
    """The mean magnitude of the terms at which the sum leaves float16."""
    each = LARGEST / terms
    return each**0.5 if kind(node) in _SQUARES else each
