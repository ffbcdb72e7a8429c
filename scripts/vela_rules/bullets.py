"""What a bullet of Vela's report means for an operator: `bullets.toml`, and the words in it that differ by operator."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from tflite_families import CONVOLUTIONS
from vela_rules.fragments import (
    axes_of_mean,
    bias,
    feature_maps,
    maps_and_outputs,
    resize,
    resize_power,
    resize_scale,
    strided_slice,
    transpose_8_16,
    transpose_32,
    unpadded,
    weights,
)
from vela_rules.limits import QUANTIZE_HELP, Limit
from vela_rules.operators import SHAPE_FROM_INPUTS

WEIGHTED = (*CONVOLUTIONS, "FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM")


@cache
def _stated() -> list[dict[str, str]]:
    bullets: list[dict[str, str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())["bullet"]
    return bullets


def bullets(target: str, op: str) -> list[tuple[str, Limit]]:
    """The start of a bullet of the report, and what it means for this operator."""
    words = {**_tensors(op), **_numbers(target, op), **_shapes(op), **_windows(op)}
    return [(one["starts"], _limit(one, words)) for one in _stated()]


def _limit(stated: dict[str, str], words: dict[str, str]) -> Limit:
    said = {key: stated.get(key, "").format_map(words) for key in ("require", "say", "source", "help")}
    return Limit(stated["id"], said["require"], said["say"], (said["source"],), help=said["help"])


def _tensors(op: str) -> dict[str, str]:
    """Which tensors of the operator are feature maps, weights, bias and parameters."""
    w = weights(op)
    placed = {"SLICE": (1, 2), "STRIDED_SLICE": (1, 2, 3)}.get(op, (1,))
    constant = "(not exists(in[{i}]) or const(in[{i}]))" if op == "SLICE" else "exists(in[{i}]) and const(in[{i}])"
    return {
        "fm": maps_and_outputs(op),
        "own_maps": feature_maps(op),
        "w": w,
        "b": bias(op),
        "weighted": f'(quantized({w}) or {w}.dtype in ["int64", "bool"])' if op in WEIGHTED else "True",
        "dynamic": "True" if op == "BATCH_MATMUL" else f"not const({w})",
        "static": {"READ_VARIABLE": "outputs", "ASSIGN_VARIABLE": "[in[1]]"}.get(op, "inputs + outputs"),
        "plain": '["int64", "bool"]' if op == "QUANTIZE" else '["int32", "int64", "bool"]',
        "variable": "in[1]" if op == "ASSIGN_VARIABLE" else "out[0]",
        "constant_parameters": " and ".join(constant.format(i=i) for i in placed),
        "all_gates": " and ".join(f"exists(in[{i}])" for i in range(1, 9)),
        "no_peephole": " and ".join(f"not exists(in[{i}])" for i in (9, 10, 11)),
        "quantize_help": QUANTIZE_HELP,
    }


def _numbers(target: str, op: str) -> dict[str, str]:
    """What differs between the accelerators: the source file, and the largest sums."""
    newest = target == "ethos-u85"
    large = "2130706432" if newest else "8323072"
    maps = 2 if op == "TRANSPOSE_CONV" else 0
    return {
        "shared": "operators",
        "own": "operators-u85" if newest else "operators-u55",
        "op_title": op.capitalize(),
        "large": large,
        "largest_bias": "281474976710655" if newest else "1099511627775",
        "sums": f'8323072 if in[{maps}].dtype in ["int8", "uint8", "bool"] else {large}',
    }


def _shapes(op: str) -> dict[str, str]:
    depthwise = op == "DEPTHWISE_CONV_2D"
    lines = (
        f"shape1(out[0])[{place}] == shape1(in[2])[{place}] * attr.stride_{axis} + "
        f'(max(shape1(in[1])[{place}] - attr.stride_{axis}, 0) if attr.padding == "VALID" else 0)'
        for axis, place in (("h", 1), ("w", 2))
    )
    return {
        "shapes": "True" if op in SHAPE_FROM_INPUTS else "all(t.rank > 0 for t in outputs)",
        "channels": f"shape1({weights(op)})[{3 if depthwise else 0}]",
        "axis": ", 3" if depthwise else "",
        "depth": "shape1(in[0])[-2 if attr.adj_x else -1]" if op == "BATCH_MATMUL" else "shape1(in[0])[-1]",
        "mean_axes": axes_of_mean(),
        "strided_slice": strided_slice(),
        "transpose_32": transpose_32(),
        "transpose_8_16": transpose_8_16(),
        "transposed_shape": " and ".join(lines),
    }


def _windows(op: str) -> dict[str, str]:
    """Kernels, strides and scales; "True" where a bullet says nothing of this operator."""
    window = "attr.filter_height in 1..256 and attr.filter_height * attr.filter_width <= 65536"
    small = "attr.filter_width in 1..8 and attr.filter_height in 1..8"
    pooled = f"not written(attr.filter_width) or (({window}) if {unpadded(op)} else ({small}))"
    strides = "attr.stride_w <= 3 and attr.stride_h <= 3"
    return {
        "unpadded": unpadded(op),
        "average_window": pooled if op == "AVERAGE_POOL_2D" else "True",
        "depthwise_stride": strides if op == "DEPTHWISE_CONV_2D" else "True",
        "undilated": "attr.dilation_w_factor == 1 and attr.dilation_h_factor == 1" if op == "CONV_2D" else "True",
        "resize": resize(op),
        "resize_power": resize_power(op),
        "resize_scale": resize_scale(op),
    }
