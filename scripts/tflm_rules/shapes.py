"""What the kernels of reshaping, joining, cutting, padding, reducing and resizing operators demand."""

from __future__ import annotations

from tflm_rules.checks import F8, F816, REDUCE, Rule, constant, dtype, equal_quantization, rank, same, shared

IN_RANGE = "not const(in[1]) or len(shape1(in[0])) == 0 or all(v >= -len(shape1(in[0])) and v < len(shape1(in[0])) for v in value(in[1]))"
AXES: Rule = ("axes", IN_RANGE, "the axes must lie within the rank", "reduce_common.cc:174")
AXES_FLOAT: Rule = (
    "axes",
    f'in[0].dtype != "float32" or {IN_RANGE}',
    "the axes must lie within the rank",
    "reduce_common.cc:318",
)
MEANS: Rule = (
    "output-size",
    'in[0].dtype != "float32" or not const(in[1]) or prod([1] + shape1(out[0])) >= prod([1] + [shape1(in[0])[i] for i in 0..len(shape1(in[0])) - 1 if not (i in value(in[1]) or i - len(shape1(in[0])) in value(in[1]))])',
    "the output must have room for every mean: else the kernel writes past it",
    "reduce_common.cc:326",
)
# The axis of EXPAND_DIMS, counted from the front.
AXIS = "(value(in[1])[0] if value(in[1])[0] >= 0 else value(in[1])[0] + len(shape1(in[0])) + 1)"


def _index(t: int) -> str:
    """The i-th 32-bit word of an index tensor: int64 ones are read as pairs."""
    v = f"value(in[{t}])"
    return f'({v}[i] if in[{t}].dtype == "int32" else {v}[i // 2] if i % 2 == 0 else -1 if {v}[i // 2] < 0 else 0)'


def _sliced() -> str:
    """The output's shape of a STRIDED_SLICE (strided_slice_logic.h:142)."""
    size, stride = "shape1(in[0])[i]", _index(3)
    bit = "(attr.{mask} // 2 ** i) % 2 == 1"
    begin_mask, end_mask, shrink = (bit.format(mask=mask) for mask in ("begin_mask", "end_mask", "shrink_axis_mask"))

    def place(t: int, masked: str, forward: str, backward: str) -> str:
        word = _index(t)
        at = f"({word} + ({size} if {word} < 0 else 0))"
        return (
            f"(({forward} if {masked} else min(max({at}, 0), {size})) if {stride} > 0 else "
            f"({backward} if {masked} else min(max({at}, -1), {size} - 1)))"
        )

    begin = place(1, begin_mask, "0", f"{size} - 1")
    end = place(2, end_mask, size, "-1")
    length = f"max(ceil(({end} - {begin}) / {stride}), 0)"
    return f"[{length} for i in 0..len(shape1(in[0])) - 1 if not ({shrink})]"


RULES: dict[str, list[Rule]] = {
    "RESHAPE": [
        same("reshape_common.cc:77"),
        (
            "same-size",
            "prod([1] + shape1(in[0])) == prod([1] + shape1(out[0]))",
            "input and output must have the same number of elements",
            "reshape_common.cc:78",
        ),
    ],
    "SQUEEZE": [
        (
            "output-shape",
            "[shape1(in[0])[i] for i in 0..len(shape1(in[0])) - 1 if not (shape1(in[0])[i] == 1 if len(known(attr.squeeze_dims, [])) == 0 else i in attr.squeeze_dims or i - len(shape1(in[0])) in attr.squeeze_dims)] == shape1(out[0])",
            "the output must be the input without the squeezed dimensions",
            "squeeze.cc:83",
        ),
        rank(0, 8, "squeeze.cc:61"),
        (
            "same-size",
            "prod([1] + shape1(in[0])) == prod([1] + shape1(out[0])) and in[0].dtype == out[0].dtype",
            "input and output must have the same size",
            "squeeze.cc:107",
        ),
        (
            "axes",
            "all(d >= -len(shape1(in[0])) and d < len(shape1(in[0])) and shape1(in[0])[d] == 1 for d in known(attr.squeeze_dims, []))",
            "squeezed dimensions must be 1",
            "squeeze.cc:74",
        ),
    ],
    "EXPAND_DIMS": [
        ("axis-rank", "len(shape1(in[1])) <= 1", "the axis must be one number", "expand_dims.cc:36"),
        (
            "output-shape",
            f"not const(in[1]) or ({AXIS} in 0..len(shape1(in[0])) and shape1(out[0]) == shape1(in[0])[0:{AXIS}] + [1] + shape1(in[0])[{AXIS}:])",
            "the output must be the input with one dimension more",
            "expand_dims.cc:73",
        ),
        constant("in[1]", "expand_dims.cc:102"),
        ("axis-dtype", 'in[1].dtype == "int32"', "the axis must be int32", "expand_dims.cc:46"),
        dtype(F816, "expand_dims.cc:140"),
    ],
    "TRANSPOSE": [
        rank(0, 5, "transpose_common.cc:33"),
        same("transpose_common.cc:35"),
        constant("in[1]", "transpose_common.cc:37"),
        (
            "permutation",
            "shape1(in[1]) == [len(shape1(in[0]))]",
            "the permutation must be as long as the rank",
            "transpose_common.cc:44",
        ),
        (
            "permutation-range",
            "not const(in[1]) or all(v >= 0 and v < len(shape1(in[0])) for v in value(in[1]))",
            "the permutation must name dimensions, counted from 0",
            "transpose_common.cc:46",
        ),
        dtype(F816, "transpose.cc:64"),
    ],
    "CONCATENATION": [
        (
            "no-activation",
            'attr.fused_activation_function == "NONE"',
            "no activation can be fused",
            "concatenation.cc:147",
        ),
        dtype(("float32", "int8", "int16", "int32", "int64", "bool"), "concatenation.cc:148"),
        same("concatenation.cc:154"),
        ("inputs", "len(inputs) == arity and arity <= 10", "at most 10 inputs, none left out", "concatenation.cc:158"),
        (
            "same-inputs",
            "all(t.dtype == in[0].dtype for t in inputs)",
            "all inputs must have the same type",
            "concatenation.cc:169",
        ),
        ("rank", "all(len(shape1(t)) <= 6 for t in inputs)", "the rank is too high", "concatenation.cc:172"),
        (
            "same-quantization",
            'in[0].dtype != "int8" or all(quantized(t) == quantized(out[0]) and (not quantized(t) or (t.scale == out[0].scale and t.zero_point == out[0].zero_point)) for t in inputs)',
            "scales and zero points of inputs and output must be equal",
            "concatenation.cc:183",
        ),
        (
            "zero-point",
            'in[0].dtype != "int16" or all(not quantized(t) or t.zero_point == 0 for t in inputs + outputs)',
            "int16 tensors must have zero point 0",
            "concatenation.cc:189",
        ),
    ],
    "PACK": [
        (
            "inputs",
            "len(inputs) == arity and arity >= max(attr.values_count, 1)",
            "values_count inputs must be there: else the kernel reads from no address and the program crashes",
            "pack.cc:59",
        ),
        (
            "axis",
            "attr.axis >= -len(shape1(out[0]))",
            "the axis must not lie before the first dimension: else the kernel writes outside of the output",
            "pack.cc:38",
        ),
        dtype(("float32", "int8", "int16", "int32", "int64"), "pack.cc:101", "out[0]"),
    ],
    "UNPACK": [
        (
            "outputs",
            "attr.num <= len(outputs)",
            "num outputs must be there: else the kernel writes to no address and the program crashes",
            "unpack.cc:62",
        ),
        dtype(("float32", "int32", "int16", "int8"), "unpack.cc:96"),
    ],
    "SPLIT": [
        constant("in[0]", "split.cc:78"),
        (
            "axis",
            "scalar(in[0]) >= -len(shape1(in[1])) and scalar(in[0]) < len(shape1(in[1]))",
            "the axis must exist",
            "split.cc:94",
        ),
        dtype(("float32", "int8", "int16", "int32"), "split.cc:111", "in[1]"),
    ],
    "SPLIT_V": [
        constant("in[2]", "split_v.cc:82"),
        (
            "axis",
            "scalar(in[2]) >= -len(shape1(in[0])) and scalar(in[2]) < len(shape1(in[0]))",
            "the axis must exist",
            "split_v.cc:97",
        ),
        dtype(("float32", "int8", "int16", "int32"), "split_v.cc:114"),
    ],
    "SLICE": [
        (
            "rank",
            "len(shape1(in[0])) <= 5",
            "the kernel has room for five dimensions: with more the program aborts",
            "slice.cc:74",
        ),
        ("index-dtype", 'in[1].dtype in ["int32", "int64"]', "begin must be int32 or int64", "slice.cc:109"),
        dtype(("float32", "int32", "int8", "int16", "bool"), "slice.cc:151"),
    ],
    "STRIDED_SLICE": [
        (
            "output-shape",
            f"not (const(in[1]) and const(in[2]) and const(in[3])) or {_sliced()} == shape1(out[0])",
            "the output must have the slice's shape",
            "strided_slice_common.cc:118",
        ),
        (
            "strides",
            f"not const(in[3]) or all({_index(3)} != 0 for i in 0..len(shape1(in[0])) - 1)",
            "no stride may be 0",
            "strided_slice_common.cc:99",
        ),
        (
            "index-dtype",
            'all(t.dtype in ["int32", "int64"] for t in [in[1], in[2], in[3]])',
            "begin, end and strides must be int32 (int64 ones are read as pairs of int32)",
            "strided_slice_common.cc:77",
        ),
        (
            "index-length",
            'all(size(t) * (2 if t.dtype == "int64" else 1) >= len(shape1(in[0])) for t in [in[1], in[2], in[3]])',
            "begin, end and strides must name every dimension: else the kernel reads past them",
            "strided_slice_common.cc:99",
        ),
        rank(0, 4, "strided_slice_common.cc:142"),
        (
            "constant",
            "const(in[1]) and const(in[2]) and const(in[3])",
            "begin, end and strides must be constant",
            "strided_slice_common.cc:144",
        ),
        dtype(("float32", "int8", "int16", "int32", "bool"), "strided_slice.cc:41", "out[0]"),
    ],
    **shared(
        ("PAD", "PADV2"),
        [
            same("pad_common.cc:53"),
            rank(0, 5, "pad_common.cc:56"),
            constant("in[1]", "pad_common.cc:72"),
            (
                "value",
                "not exists(in[2]) or (in[2].dtype == in[0].dtype and size(in[2]) == 1)",
                "the padding value must be one element of the input's type",
                "pad_common.cc:60",
            ),
            (
                "zero-point",
                'in[0].dtype != "int8" or exists(in[2]) or not quantized(out[0]) or out[0].zero_point in -128..127',
                "the zero point must be representable",
                "pad_common.cc:103",
            ),
            (
                "value-quantization",
                'in[0].dtype != "int8" or not exists(in[2]) or (known(out[0].zero_point, 0) == known(in[2].zero_point, 0) and known(out[0].scale, 0) == known(in[2].scale, 0))',
                "the padding value must be quantised as the output",
                "pad_common.cc:110",
            ),
            (
                "padded-shape",
                'not const(in[1]) or (size(in[1]) == 2 * len(shape1(out[0])) and len(shape1(in[0])) == len(shape1(out[0])) and all(shape1(in[0])[i] + (value(in[1])[i] - (1 if value(in[1])[i] < 0 else 0) if in[1].dtype == "int64" else value(in[1])[2 * i] + value(in[1])[2 * i + 1]) == shape1(out[0])[i] for i in 0..len(shape1(out[0])) - 1))',
                "the output's shape must be the input's plus the paddings (int64 ones are read as pairs of int32)",
                "pad_common.cc:79",
            ),
            (
                "paddings-dtype",
                'in[1].dtype in ["int32", "int64"]',
                "the paddings must be int32",
                "pad_common.cc:74",
            ),
            dtype(("float32", "int8", "int16", "int32"), "pad.cc:102"),
        ],
    ),
    "MIRROR_PAD": [
        dtype(F8, "mirror_pad.cc:146", "out[0]"),
        (
            "paddings-rank",
            "len(shape1(in[1])) == 2 and shape1(in[1])[0] == len(shape1(in[0]))",
            "the paddings must be a row for each dimension",
            "mirror_pad.cc:181",
        ),
    ],
    "MEAN": [*REDUCE, AXES_FLOAT, MEANS, dtype(F816, "reduce_common.cc:346")],
    "SUM": [*REDUCE, AXES_FLOAT, same("reduce_common.cc:368"), dtype(F816, "reduce_common.cc:406")],
    **shared(
        ("REDUCE_MAX", "REDUCE_MIN"),
        [
            *REDUCE,
            AXES,
            same("reduce_common.cc:149"),
            dtype(F8, "reduce_common.cc:188"),
            equal_quantization("reduce_common.cc:174"),
        ],
    ),
    "REDUCE_ALL": [*REDUCE, AXES, dtype(("bool",), "reduce_common.cc:268"), same("reduce_common.cc:417")],
    "RESIZE_BILINEAR": [
        rank(4, 4, "resize_bilinear.cc:46"),
        rank(1, 1, "resize_bilinear.cc:47", "in[1]"),
        ("size-dtype", 'in[1].dtype == "int32"', "the size must be int32", "resize_bilinear.cc:49"),
        constant("in[1]", "resize_bilinear.cc:52"),
        (
            "corners",
            "not attr.half_pixel_centers or not attr.align_corners",
            "align_corners excludes half_pixel_centers",
            "resize_bilinear.cc:59",
        ),
        dtype(F8, "resize_bilinear.cc:103", "out[0]"),
    ],
    "RESIZE_NEAREST_NEIGHBOR": [
        rank(4, 4, "resize_nearest_neighbor.cc:50"),
        (
            "size-dtype",
            'in[1].dtype == "int32" and shape1(in[1]) == [2]',
            "the size must be two int32",
            "resize_nearest_neighbor.cc:52",
        ),
        constant("in[1]", "resize_nearest_neighbor.cc:57"),
        dtype(F816, "resize_nearest_neighbor.cc:108", "out[0]"),
    ],
}
