"""What makes Vela refuse an elementwise operator: types and shapes that do not fit."""

from __future__ import annotations

from collections.abc import Iterator

from tflite_families import CURVES, SUMS
from vela_rules.limits import QUANTIZE_HELP, Limit, refuse
from vela_rules.operators import BROADCAST, ONE_TYPE


def types(op: str) -> Iterator[Limit]:
    """Operators whose input and output have one type."""
    if op in ONE_TYPE:
        yield refuse(
            "same-dtype",
            "in[0].dtype == out[0].dtype",
            "input and output types must be equal",
            "ConstraintMatchingInOutTypes",
        )


def shapes(op: str) -> Iterator[Limit]:
    """Elementwise operators: shapes that fit."""
    if op in CURVES:
        yield refuse(
            "matching-shapes",
            "shape4(in[0]) == shape4(out[0])",
            "input and output shapes must be equal",
            "ConstraintMatchingEitherShapes",
        )
    if op in BROADCAST:
        a, b, o = "shape4(in[0])", "shape4(in[1])", "shape4(out[0])"
        last = f"min(len({a}), len({b})) - 1"
        yield refuse(
            "matching-shapes",
            f"{a} == {o} or {b} == {o} or (all({a}[i] == {b}[i] or {a}[i] == 1 or {b}[i] == 1 for i in 0..{last}) and len({a}) == len({b}) and [max({a}[i], {b}[i]) for i in 0..{last}] == {o})",
            "an input's shape or the broadcast shape must equal the output's",
            "ConstraintMatchingEitherShapes",
        )


def arithmetic(op: str) -> Iterator[Limit]:
    """ADD, SUB and MUL: types that fit."""
    if op in SUMS:
        signed = '["int4", "int8", "int16", "int32", "int64"]'
        yield refuse(
            "same-input-dtypes",
            "in[0].dtype == in[1].dtype",
            "both inputs must have the same type",
            "ConstraintMatchingInputsTypes",
        )
        yield refuse(
            "signed-output",
            f"in[0].dtype not in {signed} or out[0].dtype in {signed}",
            "the output of signed inputs must be signed",
            "ConstraintMatchingSigned",
        )
        yield refuse(
            "unsigned-output",
            'in[0].dtype not in ["uint8", "uint16", "uint32", "uint64"] or out[0].dtype in [in[0].dtype, "int32"]',
            "the output of unsigned inputs must have their type or be int32",
            "ConstraintUnsignedValid",
        )


def bytes(op: str) -> Iterator[Limit]:
    """HARD_SWISH and ARG_MAX: 8 bits."""
    if op in ("HARD_SWISH", "ARG_MAX"):
        yield refuse(
            "input-8-bit",
            'in[0].dtype in ["int8", "uint8"]',
            "the input must be int8 or uint8",
            "ConstraintInput8bit",
            QUANTIZE_HELP,
        )
    if op == "ARG_MAX":
        yield refuse(
            "index-dtype",
            'out[0].dtype in ["int32", "int64"]',
            "the output must be int32 or int64",
            "ConstraintArgmaxOutput",
        )
