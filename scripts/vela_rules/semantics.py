"""What makes Vela refuse the whole file, and what a fused activation asks for."""

from __future__ import annotations

from collections.abc import Iterator

from vela_rules import elements, layers, moves
from vela_rules.fragments import first
from vela_rules.limits import Limit, refuse
from vela_rules.operators import FUSED, FUSED_UNLISTED, READ_BOTH, READ_FIRST


def semantics(op: str) -> Iterator[Limit]:
    """What makes Vela refuse the whole file (tflite_model_semantics.cpp)."""
    for checks in CHECKS:
        yield from checks(op)


def _every(op: str) -> Iterator[Limit]:
    """What is checked of every operator."""
    f = first(op)
    yield refuse(
        "finite-scale",
        "all(not quantized(t) or all(s <= 3.4028234e38 for s in t.scales) for t in inputs + outputs)",
        "quantisation scales must be finite",
        "ConstraintTensQuantScale",
    )
    yield refuse(
        "empty-constant",
        "all(known(size(t), 1) != 0 or variable(t) or (not const(t) and (t.producer != '' or of_model(t))) for t in inputs)",
        "a constant must have values",
        "ConstraintEmptyConstTensors",
    )
    if op not in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
        yield refuse(
            "scale-ratio",
            f"not exists({f}) or not (quantized({f}) and quantized(out[0])) or (out[0].scale != 0 and {f}.scale / out[0].scale <= 3.4028234e38)",
            "input scale over output scale must be finite",
            "ConstraintQuantScaleInf",
        )


def _present(op: str) -> Iterator[Limit]:
    """The inputs that a check reads must be there: of every operator with inputs the first feature map."""
    f = first(op)
    if op in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
        return
    if op in (*READ_BOTH, "SPLIT", "TRANSPOSE_CONV"):
        there = "exists(in[0]) and exists(in[1])" + (" and exists(in[2])" if op == "TRANSPOSE_CONV" else "")
    elif op in READ_FIRST:
        there = f"exists({f})"
    else:
        yield seen(op)
        return
    yield refuse("inputs-present", there, "its inputs must be there", "TensorFromUsage")


def seen(op: str) -> Limit:
    """The check that every operator with inputs has: of its first feature map."""
    return refuse(
        "inputs-present", f"arity == 0 or exists({first(op)})", "its inputs must be there", "ConstraintQuantScaleInf"
    )


def _stated(op: str) -> Iterator[Limit]:
    """The options that a check reads must be in the file."""
    read = {
        "CONCATENATION": "axis",
        "DEPTHWISE_CONV_2D": "depth_multiplier",
        "FULLY_CONNECTED": "keep_num_dims",
        "SOFTMAX": "beta",
        "SPLIT": "num_splits",
    }
    if op in read:
        yield refuse("options", f"written(attr.{read[op]})", "the file must hold its options", "CheckedPtr")


CHECKS = (
    _every,
    _present,
    _stated,
    layers.convolutions,
    elements.types,
    moves.concatenation,
    elements.shapes,
    elements.arithmetic,
    moves.reshaping,
    layers.softmax,
    moves.splits,
    moves.parameters,
    elements.bytes,
    layers.lstm,
    moves.indices,
    layers.matmul,
)


def fused(target: str, op: str) -> Iterator[Limit]:
    """A fused activation is checked as an operator of its own, on the output's type."""
    if op not in (*FUSED, *FUSED_UNLISTED):
        return
    none = 'attr.fused_activation_function == "NONE"'
    yield Limit(
        "sign-bit",
        'attr.fused_activation_function != "SIGN_BIT"',
        "a fused SIGN_BIT cannot be read",
        ("reader:UnFuseActivation",),
        "rejected",
    )
    yield Limit(
        "activation-per-tensor",
        f"{none} or not per_channel(out[0])",
        "with a fused activation the output must be quantised per tensor",
        ("optimiser:SupportedOperatorChecks",),
    )
    if target == "ethos-u85":
        yield Limit(
            "activation-zero-point",
            f'{none} or not quantized(out[0]) or all(z in -128..127 if out[0].dtype == "int8" else z in 0..255 if out[0].dtype == "uint8" else z in [0, 32768] if out[0].dtype == "uint16" else z == 0 for z in out[0].zero_points)',
            "with a fused activation the output's zero point must lie in its type's range",
            ("operators-u85:IFMZeroPoints",),
        )
    else:
        yield Limit(
            "activation-32-bit",
            f'{none} or out[0].dtype not in ["int32", "uint32"]',
            "a fused activation needs an 8- or 16-bit output",
            ("optimiser:SupportedOperatorChecks",),
            help="requantise to int8 before the activation",
        )
