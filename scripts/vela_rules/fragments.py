"""Pieces of the limit language: which inputs of an operator are what."""

from __future__ import annotations

import re

from vela_rules.operators import FEATURE_MAPS


def feature_maps(op: str) -> str:
    return FEATURE_MAPS.get(op, "[in[0]]")


def first(op: str) -> str:
    """The first feature map."""
    return {"SPLIT": "in[1]", "TRANSPOSE_CONV": "in[2]", "ASSIGN_VARIABLE": "in[1]"}.get(op, "in[0]")


def maps_and_outputs(op: str) -> str:
    inputs = feature_maps(op)
    return "outputs" if inputs == "[]" else f"{inputs} + outputs"


def weights(op: str) -> str:
    return "in[1]"


def bias(op: str) -> str:
    return "in[3]" if op == "TRANSPOSE_CONV" else "in[2]"


def _padding(axis: str) -> str:
    """The padding SAME needs along `h` or `w`, as an expression."""
    place = {"h": 1, "w": 2}[axis]
    size, stride = f"shape1(in[0])[{place}]", f"attr.stride_{axis}"
    kernel = f"(KERNEL_{axis.upper()})"
    return f"((({size} + {stride} - 1) // {stride} - 1) * {stride} + {kernel} - {size})"


def unpadded(op: str) -> str:
    if op == "CONV_2D":
        sizes = {a: f"(shape1(in[1])[{p}] - 1) * attr.dilation_{a}_factor + 1" for a, p in (("h", 1), ("w", 2))}
    else:
        sizes = {"h": "attr.filter_height", "w": "attr.filter_width"}
    parts = [_padding(a).replace(f"KERNEL_{a.upper()}", sizes[a]) + " <= 0" for a in "hw"]
    return f'(attr.padding == "VALID" or ({parts[0]} and {parts[1]}))'


def dtypes(text: str) -> list[str]:
    return sorted(name.lower() for name in re.findall(r'"(\w+)"', text))


def axes_of_mean() -> str:
    return "[(a if a >= 0 else a + in[0].rank) for a in value(in[1])]"


def resize(op: str) -> str:
    """Ethos-U55's rule for both resizes, on height and width as in tflite_supported_operators_u55.cpp Resize."""
    i, o = "shape4(in[0])", "shape4(out[0])"

    def scale(p: int) -> str:
        return f"((1 if {o}[{p}] == 1 else ({o}[{p}] - 1) / ({i}[{p}] - 1) if {i}[{p}] > 1 else 1000000) if attr.align_corners else {o}[{p}] / {i}[{p}])"

    h, w = scale(1), scale(2)
    half = "attr.half_pixel_centers" if op == "RESIZE_BILINEAR" else "False"
    unequal = f"((({o}[1] == 1 and {h} == 1) or ({o}[2] == 1 and {w} == 1)) and not {half})"
    top = f"max({h}, {w})"
    same = f"({i}[1] == {o}[1] and {i}[2] == {o}[2])"
    return (
        f"({i}[1] == 1 and {i}[2] == 1) or (not {half} if {same} else (({h} == {w} or {unequal}) and "
        f"{top} in [2, 4, 8] and {top} <= (2 if {half} else 8)))"
    )


def resize_scale(op: str) -> str:
    i, o = "shape1(in[0])", "shape1(out[0])"
    half = (
        "attr.half_pixel_centers" if op == "RESIZE_BILINEAR" else "(not attr.align_corners or attr.half_pixel_centers)"
    )
    parts = []
    for p in (-3, -2):
        less = f"(1 if attr.align_corners and {i}[{p}] > 1 else 0)"
        parts.append(
            f"({o}[{p}] - {less} > 0 and ({o}[{p}] - {less}) // ({i}[{p}] - {less}) <= (1024 if {half} else 2048))"
        )
    return " and ".join(parts)


def resize_power(op: str) -> str:
    i, o = "shape1(in[0])", "shape1(out[0])"
    parts = []
    for p in (-3, -2):
        less = f"(1 if attr.align_corners and {i}[{p}] > 1 else 0)"
        parts.append(
            f"(({o}[{p}] - {less}) % ({i}[{p}] - {less}) == 0 and pow2(({o}[{p}] - {less}) // ({i}[{p}] - {less})))"
        )
    return f"({i}[-3] == 1 and {i}[-2] == 1) or ({' and '.join(parts)})"


def strided_slice() -> str:
    """tflite_supported_operators.cpp StridedSlice: strides only over H and W, none negative, every slice at least one long.

    What stands behind an ellipsis counts from the last dimension.
    """
    count = "min(size(in[1]), size(in[2]), size(in[3]))"
    read = f"({count} if attr.ellipsis_mask != 0 else min({count}, in[0].rank))"  # more than the rank is not looked at
    at = f"(i if attr.ellipsis_mask % 2 ** i == 0 else in[0].rank - {count} + i)"
    x = f"shape1(in[0])[{at}]"
    bit = "(attr.{m} // 2 ** i) % 2 == 1"
    begin_m, end_m, shrink, dots = (
        bit.format(m=m) for m in ("begin_mask", "end_mask", "shrink_axis_mask", "ellipsis_mask")
    )
    b = f"(value(in[1])[i] + ({x} if value(in[1])[i] < 0 else 0))"
    start = f"(0 if {begin_m} and not {shrink} else min(max({b}, 0), {x} - 1))"
    e = f"(value(in[2])[i] + ({x} if value(in[2])[i] < 0 else 0))"
    length = f"({shrink} or ({x} if {end_m} else min(max({e}, 1), {x})) > {start})"
    stride = f"(value(in[3])[i] == 1 or (value(in[3])[i] >= 0 and {at} in [in[0].rank - 2, in[0].rank - 3]))"
    return (
        f'in[3].dtype not in ["float32", "float16"] and all({dots} or ({stride} and {length}) for i in 0..{read} - 1)'
    )


def transpose_32() -> str:
    s, p = "shape4(in[0])", "value(in[1])"
    full = f"([0, 1, 2, 3][0:4 - in[0].rank] + [v + 4 - in[0].rank for v in {p}])"
    return (
        f'in[0].dtype != "int32" or (in[0].rank <= 4 and (({full} == [0, 1, 2, 3] and {s}[3] <= 32768) or '
        f"({full} == [0, 2, 1, 3] and {s}[0] <= 1 and {s}[1] <= 65536 and {s}[2] <= 65536 and {s}[3] <= 16384) or "
        f"({full} == [0, 1, 3, 2] and {s}[0] * {s}[1] <= 65536 and {s}[2] <= 65536 and {s}[3] <= 65536)))"
    )


def transpose_8_16() -> str:
    s, p = "shape1(in[0])", "value(in[1])"
    still = f"{p} == [i for i in 0..in[0].rank - 1]"
    three = (
        f"(prod({s}[0:max(in[0].rank - 3, 0)]) == 1 and all(d <= 65536 for d in {s}) and "
        f"{p}[0:max(in[0].rank - 3, 0)] == [i for i in 0..in[0].rank - 4])"
    )
    many = (
        f"all(all(i >= j or size4 // ({s}[i] * {s}[j]) <= 65536 for j in 0..in[0].rank - 1) for i in 0..in[0].rank - 1)"
    )
    return f'in[0].dtype == "int32" or {still} or {three} or {many.replace("size4", f"prod({s})")}'
