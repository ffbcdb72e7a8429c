"""What makes Vela refuse an operator that joins, cuts or reorders: axes, sizes and parameters that do not fit."""

from __future__ import annotations

from collections.abc import Iterator

from tflite_families import RESHAPES
from vela_rules.limits import Limit, refuse


def concatenation(op: str) -> Iterator[Limit]:
    """CONCATENATION: ranks and dimensions that fit."""
    if op == "CONCATENATION":
        at = "(attr.axis if attr.axis >= 0 else attr.axis + out[0].rank)"
        yield refuse(
            "axis",
            "attr.axis >= -out[0].rank and attr.axis < out[0].rank",
            "the axis must be one of the output's",
            "ConstraintAxisValid",
        )
        yield refuse(
            "same-rank",
            "all(t.rank == out[0].rank for t in inputs)",
            "all ranks must be equal",
            "ConstraintMatchingDimensionality",
        )
        yield refuse(
            "same-dimensions",
            f"all(all(i == {at} or shape1(t)[i] == shape1(out[0])[i] for i in 0..t.rank - 1) for t in inputs) and (not exists(out[0].shape[{at}]) or sum([shape1(t)[{at}] for t in inputs]) == shape1(out[0])[{at}])",
            "the shapes must fit together",
            "ConstraintValidDimensions",
        )


def reshaping(op: str) -> Iterator[Limit]:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: elements and scales that are kept."""
    if op in RESHAPES:
        yield refuse(
            "same-scale",
            "not (quantized(in[0]) and quantized(out[0])) or in[0].scale == out[0].scale",
            "input and output must have the same scale",
            "ConstraintMatchingInOutQuant",
        )
        yield refuse(
            "same-size",
            "not all(exists(t.shape) and all(exists(d) for d in t.shape[(1 if t.rank > 1 else 0):]) for t in [in[0], out[0]]) or prod([1] + shape1(in[0])) == prod([1] + shape1(out[0]))",
            "input and output must have the same number of elements",
            "ConstraintMatchingInOutElements",
        )


def splits(op: str) -> Iterator[Limit]:
    """SPLIT and SPLIT_V: parts that come out even."""
    if op == "SPLIT":
        yield refuse(
            "split-axis",
            "const(in[0]) and scalar(in[0]) > -in[1].rank and scalar(in[0]) <= in[1].rank",
            "the axis must be constant and above minus the rank",
            "ConstraintSplitDim",
            "state the axis as a number from 0 to rank - 1",
        )
        yield refuse(
            "split-even",
            "attr.num_splits == 0 or shape1(in[1])[scalar(in[0])] % attr.num_splits == 0",
            "the axis must divide into num_splits parts",
            "ConstraintSplitNumSplits",
        )
    if op == "SPLIT_V":
        yield refuse(
            "one-inferred",
            'const(in[1]) and in[1].dtype in ["int32", "uint32", "int64", "float32", "float64"] and sum([1 for v in value(in[1]) if v == -1]) <= 1',
            "the sizes must be constant, at most one of them -1",
            "ConstraintSplitvInferred",
        )


def parameters(op: str) -> Iterator[Limit]:
    """STRIDED_SLICE, FULLY_CONNECTED and PAD."""
    if op == "STRIDED_SLICE":
        yield refuse("four-inputs", "arity == 4", "there must be four inputs", "ConstraintStridedsliceInputCount")
    if op == "FULLY_CONNECTED":
        yield refuse(
            "keep-rank",
            "not attr.keep_num_dims or in[0].rank == out[0].rank",
            "with keep_num_dims input and output ranks must be equal",
            "ConstraintKeepDimIfmOfm",
        )
    if op == "PAD":
        dynamic = "not (exists(out[0].shape) and all(exists(d) for d in out[0].shape[(1 if out[0].rank > 1 else 0):]))"
        yield refuse("two-inputs", "arity == 2", "there must be two inputs", "ConstraintPadInputCount")
        yield refuse(
            "padded-shape",
            f"{dynamic} or in[0].rank == 0 or (const(in[1]) and in[1].dtype in ['int32', 'int64', 'uint64'] and in[0].rank == out[0].rank and size(in[1]) >= 2 * in[0].rank and all(shape1(in[0])[i] + value(in[1])[2 * i] + value(in[1])[2 * i + 1] == shape1(out[0])[i] for i in 0..in[0].rank - 1))",
            "the paddings must be constant and the output's shape the input's plus the paddings",
            "ConstraintPadOutputShape",
        )


def indices(op: str) -> Iterator[Limit]:
    """GATHER and TRANSPOSE."""
    if op == "GATHER":
        yield refuse(
            "index-dtype",
            'in[1].dtype in ["int16", "int32", "int64"]',
            "the indices must be int16, int32 or int64",
            "ConstraintGatherIndicesInput",
        )
    if op == "TRANSPOSE":
        yield refuse(
            "permutation",
            'in[1].dtype in ["int32", "uint32"] and (shape1(in[1]) + [1])[-2] == max(in[0].rank, 1)',
            "the permutation must be 32-bit and as long as the rank",
            "ConstraintTransposeParamsInput",
        )
