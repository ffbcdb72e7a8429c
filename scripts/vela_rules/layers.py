"""What makes Vela refuse a layer with weights or a sum over an axis."""

from __future__ import annotations

from collections.abc import Iterator

from vela_rules.limits import QUANTIZE_HELP, Limit, refuse


def convolutions(op: str) -> Iterator[Limit]:
    """CONV_2D and DEPTHWISE_CONV_2D: depths that fit."""
    if op == "CONV_2D":
        yield refuse(
            "group-depth",
            "([1] + shape1(in[0]))[-1] % ([1] + shape1(in[1]))[-1] == 0",
            "the input depth must be a multiple of the filter depth",
            "ConstraintConvGroupsIfmDepth",
        )
        yield refuse(
            "group-filters",
            "(shape1(in[1]) + [1])[0] % max(([1] + shape1(in[0]))[-1] // ([1] + shape1(in[1]))[-1], 1) == 0",
            "the number of filters must be a multiple of the number of groups",
            "ConstraintConvGroupsNumFilters",
        )
    if op == "DEPTHWISE_CONV_2D":
        yield refuse(
            "depth-multiplier",
            "([1] + shape1(in[0]))[-1] * attr.depth_multiplier == ([1] + shape1(out[0]))[-1]",
            "the output depth must be input depth times depth_multiplier",
            "ConstraintDepthwiseConvOfmDepth",
        )


def softmax(op: str) -> Iterator[Limit]:
    """SOFTMAX."""
    if op == "SOFTMAX":
        yield refuse(
            "same-shape",
            "shape1(in[0]) == shape1(out[0]) or in[0].rank == 0 and shape1(out[0]) == [1] or out[0].rank == 0 and shape1(in[0]) == [1]",
            "input and output shapes must be equal",
            "ConstraintMatchingShapes",
        )
        yield refuse(
            "softmax-dtype",
            'in[0].dtype == out[0].dtype or (in[0].dtype == "int8" and out[0].dtype == "int16")',
            "input and output types must be equal, or int8 to int16",
            "ConstraintSoftmaxInOutTypes",
        )
        yield refuse("beta", "attr.beta >= 0", "beta must not be negative", "ConstraintBetaValueRange")


def lstm(op: str) -> Iterator[Limit]:
    """UNIDIRECTIONAL_SEQUENCE_LSTM."""
    if op == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        yield refuse(
            "input-signed",
            'in[0].dtype in ["int8", "int16"]',
            "the input must be int8 or int16",
            "ConstraintInputSigned",
            QUANTIZE_HELP,
        )
        yield refuse(
            "rank-3",
            "in[0].rank == 3 and out[0].rank == 3",
            "input and output must have three dimensions",
            "ConstraintLstmInputRank",
        )
        yield refuse(
            "inputs-24",
            "arity == 24",
            "there must be 24 inputs",
            "ConstraintLstmInputs",
        )
        yield refuse(
            "intermediates-5",
            "exists(attr.intermediates) and len(attr.intermediates) == 5",
            "there must be five intermediate tensors",
            "ConstraintLstmIntermediates",
            "convert with full integer quantisation, which writes them",
        )


def matmul(op: str) -> Iterator[Limit]:
    """BATCH_MATMUL: ranks and batches that fit."""
    if op == "BATCH_MATMUL":
        batch = "shape1({t})[0:max({t}.rank - 2, 0)]"
        a, b = batch.format(t="in[0]"), batch.format(t="in[1]")
        full = "([1 for i in 1..out[0].rank - {t}.rank] + shape1({t}))"
        a, b = full.format(t="in[0]"), full.format(t="in[1]")
        yield refuse(
            "ranks",
            "in[0].rank >= 2 and in[1].rank >= 2 and out[0].rank == max(in[0].rank, in[1].rank)",
            "ranks must be at least 2 and the output's the larger one",
            "ConstraintBatchMatMulRanks",
        )
        yield refuse(
            "batches",
            f"all(({a}[i] == {b}[i] or {a}[i] == 1 or {b}[i] == 1) and max({a}[i], {b}[i]) == shape1(out[0])[i] for i in 0..out[0].rank - 3)",
            "leading dimensions must broadcast to the output's",
            "ConstraintBatchMatMulBroadcastShapes",
        )
