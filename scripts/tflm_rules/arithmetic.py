"""What the kernels of elementwise, pooling, convolution and dense operators demand."""

from __future__ import annotations

from tflite_families import EXTREMES, POOLS
from tflm_rules.checks import (
    COMPARED,
    F8,
    F816,
    FLOAT,
    FLOAT_ONLY,
    POOL,
    SHAPED,
    Rule,
    convolution,
    dtype,
    multiplier,
    quantized,
    rank,
    same,
    shapes,
    shared,
    symmetric,
    unquantized_int32,
)

SIGNED_ELEMENTS: list[Rule] = [
    (
        "both-quantized",
        'in[0].dtype != "int16" or not quantized(in[0]) or quantized(out[0])',
        "an int16 output must have quantisation parameters when the input has",
        "elementwise.cc:127",
    ),
    (
        "zero-point",
        'in[0].dtype != "int16" or not quantized(in[0]) or (in[0].zero_point == 0 and known(out[0].zero_point, 0) == 0)',
        "int16 tensors must have zero point 0",
        "elementwise.cc:148",
    ),
]

# The shapes of a BATCH_MATMUL's inputs with ones in front, up to the larger rank.
RANK = "max(len(shape1(in[0])), len(shape1(in[1])))"
LEFT = f"([1 for i in 1..{RANK} - len(shape1(in[0]))] + shape1(in[0]))"
RIGHT = f"([1 for i in 1..{RANK} - len(shape1(in[1]))] + shape1(in[1]))"
COMPARED_SCALES: Rule = (
    "scales",
    'in[0].dtype != "int8" or all(0 < known(t.scale, 0) and known(t.scale, 0) < 1 for t in [in[0], in[1]])',
    "int8 inputs need scales between 0 and 1: else the kernel aborts",
    "comparisons.cc:569",
)

RULES: dict[str, list[Rule]] = {
    "ABS": [
        dtype(F816, "elementwise.cc:55"),
        same("elementwise.cc:111"),
        quantized("elementwise.cc:127", "in[0]", "out[0]", kinds='["int8"]'),
        *SIGNED_ELEMENTS,
    ],
    "RSQRT": [
        dtype(F816, "elementwise.cc:59"),
        same("elementwise.cc:111"),
        quantized("elementwise.cc:127", "in[0]", "out[0]", kinds='["int8"]'),
        *SIGNED_ELEMENTS,
    ],
    **shared(("SIN", "COS", "SQRT", "SQUARE", "LOG"), FLOAT_ONLY),
    "LOGICAL_NOT": [dtype(("bool",), "elementwise.cc:51"), same("elementwise.cc:89")],
    **shared(("CEIL", "ROUND", "EXP"), SHAPED),
    "FLOOR": [dtype(FLOAT, "floor.cc:32"), same("floor.cc:33")],
    "NEG": [dtype(FLOAT, "neg.cc:37")],
    "RELU": [dtype(F816, "activations.cc:73"), symmetric("activations_common.cc:103", "in[0]", "out[0]")],
    "RELU6": [dtype(F816, "activations.cc:121")],
    "TANH": [
        dtype(F816, "tanh.cc:186"),
        same("tanh.cc:61"),
        symmetric("tanh.cc:89", "in[0]", "out[0]"),
        (
            "output-scale",
            'in[0].dtype != "int16" or not quantized(out[0]) or (out[0].scale >= 3.04965e-5 and out[0].scale <= 3.05387e-5)',
            "an int16 output must have the scale 2^-15",
            "tanh.cc:125",
        ),
        quantized("tanh.cc:121", "out[0]", kinds='["int16"]'),
    ],
    "LOGISTIC": [
        dtype(F816, "logistic.cc:98"),
        same("logistic_common.cc:44"),
        (
            "output-zero-point",
            'in[0].dtype != "int8" or (quantized(out[0]) and out[0].zero_point == -128)',
            "an int8 output must have zero point -128",
            "logistic_common.cc:46",
        ),
        symmetric("logistic_common.cc:70", "in[0]", "out[0]"),
        (
            "output-scale",
            'in[0].dtype != "int16" or not quantized(out[0]) or (out[0].scale >= 3.04965e-5 and out[0].scale <= 3.05387e-5)',
            "an int16 output must have the scale 2^-15",
            "logistic_common.cc:103",
        ),
        quantized("logistic_common.cc:103", "out[0]", kinds='["int16"]'),
    ],
    "ELU": [dtype(F8, "elu.cc:139"), same("elu.cc:93")],
    "HARD_SWISH": [
        dtype(F8, "hard_swish.cc:61"),
        (
            "output-scale",
            'in[0].dtype != "int8" or not quantized(in[0]) or not quantized(out[0]) or in[0].scale / 128 / out[0].scale < 0.99999999',
            "an int8 output's scale must be more than 1/128 of the input's",
            "hard_swish_common.cc:67",
        ),
    ],
    "LEAKY_RELU": [dtype(F816, "leaky_relu.cc:82"), same("leaky_relu_common.cc:43")],
    "LOG_SOFTMAX": [
        dtype(F8, "log_softmax.cc:136"),
        same("log_softmax.cc:57"),
        shapes("log_softmax.cc:59"),
        (
            "output-scale",
            'in[0].dtype != "int8" or (quantized(out[0]) and out[0].scale == 0.0625 and out[0].zero_point == 127)',
            "an int8 output must have scale 1/16 and zero point 127",
            "log_softmax.cc:72",
        ),
    ],
    "L2_NORMALIZATION": [
        rank(0, 4, "l2norm.cc:55"),
        dtype(F8, "l2norm.cc:57", "out[0]"),
        same("l2norm.cc:59"),
        ("no-activation", 'attr.fused_activation_function == "NONE"', "no activation can be fused", "l2norm.cc:68"),
    ],
    "PRELU": [
        dtype(F816, "prelu.cc:75"),
        (
            "rank",
            'in[0].dtype != "float32" or all(len(shape1(t)) <= 4 for t in [in[0], in[1], out[0]])',
            "float32 tensors must have at most 4 dimensions: else the kernel aborts",
            "prelu_common.cc:58",
        ),
        (
            "alpha",
            'out[0].dtype != "int16" or in[1].dtype == "int8"',
            "an int16 PRELU needs int8 slopes",
            "prelu_common.cc:101",
        ),
    ],
    "ZEROS_LIKE": [dtype(("int64", "int32", "int8", "float32"), "zeros_like.cc:74")],
    "SOFTMAX": [
        dtype(F816, "softmax_common.cc:133"),
        (
            "output-dtype",
            'out[0].dtype == in[0].dtype or (in[0].dtype == "int8" and out[0].dtype == "int16")',
            "input and output types must be equal, or int8 to int16",
            "softmax_common.cc:52",
        ),
        rank(1, 8, "softmax_common.cc:152"),
        (
            "beta",
            'in[0].dtype != "int8" or not quantized(in[0]) or attr.beta * in[0].scale * 67108864 > 1',
            "beta times the scale of an int8 input must be more than 2^-26: else the kernel aborts",
            "softmax_common.cc:121",
        ),
        symmetric("softmax_common.cc:91", "in[0]", "out[0]"),
        (
            "output-scale",
            '(quantized(out[0]) and (out[0].zero_point == -128 and out[0].scale == 0.00390625 if out[0].dtype == "int8" else out[0].zero_point == -32768 and out[0].scale >= 1.52436e-5 and out[0].scale <= 1.5274e-5 if in[0].dtype == "int8" else out[0].scale >= 3.04872e-5 and out[0].scale <= 3.0548e-5)) or in[0].dtype not in ["int8", "int16"]',
            "an int8 output must have scale 1/256 and zero point -128, an int16 one scale 1/32768",
            "softmax_common.cc:103",
        ),
    ],
    "QUANTIZE": [
        (
            "output-quantized",
            "quantized(out[0]) and not per_channel(out[0])",
            "the output must be quantised with one scale",
            "quantize_common.cc:48",
        ),
        (
            "pair",
            '[in[0].dtype, out[0].dtype] in [["float32", "int8"], ["float32", "int16"], ["int32", "int8"], ["int32", "int16"], ["int16", "int8"], ["int16", "int16"], ["int16", "int32"], ["int8", "int8"], ["int8", "uint8"], ["int8", "int16"], ["int8", "int32"], ["uint8", "int8"]]',
            "this pair of types has no kernel",
            "quantize.cc:99",
        ),
    ],
    "DEQUANTIZE": [
        dtype(("int8", "int16", "uint8"), "dequantize_common.cc:43"),
        ("output-dtype", 'out[0].dtype == "float32"', "the output must be float32", "dequantize_common.cc:46"),
    ],
    "CAST": [
        dtype(("int8", "int16", "int32", "uint32", "float32", "bool"), "cast.cc:110"),
        (
            "output-dtype",
            'out[0].dtype in ["int8", "int16", "int32", "uint32", "float32", "bool"]',
            "the output must be int8, int16, int32, uint32, float32 or bool",
            "cast.cc:74",
        ),
    ],
    "ADD": [
        dtype(("float32", "int32", "int8", "int16"), "add.cc:188", "out[0]"),
        unquantized_int32("add_common.cc:104", "in[0]", "in[1]"),
        (
            "output-quantized",
            'out[0].dtype not in ["int8", "int16"] or quantized(out[0])',
            "an integer output must have quantisation parameters",
            "add_common.cc:41",
        ),
        multiplier("add_common.cc:60"),
    ],
    "SUB": [
        dtype(("float32", "int32", "int8", "int16"), "sub.cc:194", "out[0]"),
        unquantized_int32("sub_common.cc:103", "in[0]", "in[1]", "out[0]"),
        multiplier("sub_common.cc:62"),
    ],
    "MUL": [
        same("mul_common.cc:55", "in[0]", "in[1]"),
        dtype(("int8", "int16", "int32", "float32"), "mul.cc:56"),
        symmetric("mul_common.cc:73", "in[0]", "in[1]", "out[0]"),
    ],
    "DIV": [
        same("div.cc:49", "in[0]", "in[1]"),
        ("output-dtype", "in[0].dtype == out[0].dtype", "input and output types must be equal", "div.cc:50"),
        dtype(("float32", "int32", "int8"), "div.cc:203"),
        unquantized_int32("div.cc:96", "in[0]", "in[1]"),
        (
            "divisor",
            'out[0].dtype != "int32" or not const(in[1]) or all(v != 0 for v in value(in[1]))',
            "a constant int32 divisor must not hold 0",
            "div.cc:EvalDiv",
        ),
    ],
    **shared(
        ("FLOOR_DIV", "FLOOR_MOD"),
        [
            same("floor_div.cc:50", "in[0]", "in[1]"),
            ("output-dtype", "in[0].dtype == out[0].dtype", "input and output types must be equal", "floor_div.cc:51"),
            dtype(FLOAT, "floor_div.cc:117"),
        ],
    ),
    **shared(
        EXTREMES,
        [dtype(("float32", "int8", "int16", "int32", "int64"), "maximum_minimum.cc:55", "out[0]")],
    ),
    "SQUARED_DIFFERENCE": [
        same("squared_difference.cc:106", "in[0]", "in[1]"),
        dtype(("float32", "int32", "int8", "int16"), "squared_difference.cc:254", "out[0]"),
        (
            "scales",
            'in[0].dtype not in ["int8", "int16"] or (known(in[0].scale, 0) > 0 and known(in[1].scale, 0) > 0)',
            "integer inputs need scales: else the kernel aborts",
            "squared_difference.cc:72",
        ),
        symmetric("squared_difference.cc:136", "in[0]", "in[1]", "out[0]"),
    ],
    **shared(("EQUAL", "NOT_EQUAL"), [dtype(("bool", *COMPARED), "comparisons.cc:120"), COMPARED_SCALES]),
    "GREATER": [dtype((*COMPARED, "int16"), "comparisons.cc:303"), COMPARED_SCALES],
    **shared(("GREATER_EQUAL", "LESS", "LESS_EQUAL"), [dtype(COMPARED, "comparisons.cc:381"), COMPARED_SCALES]),
    **shared(
        ("ARG_MAX", "ARG_MIN"),
        [
            ("axis-dtype", 'in[1].dtype == "int32"', "the axis must be int32", "arg_min_max.cc:68"),
            ("output-dtype", 'out[0].dtype == "int32"', "the output must be int32", "arg_min_max.cc:69"),
            dtype(F8, "arg_min_max.cc:78"),
        ],
    ),
    **shared(POOLS, POOL),
    "L2_POOL_2D": [
        dtype(FLOAT, "l2_pool_2d.cc:78"),
        same("l2_pool_2d.cc:56"),
        rank(4, 4, "l2_pool_2d.cc:54"),
        rank(4, 4, "l2_pool_2d.cc:55", "out[0]"),
        (
            "window",
            'attr.stride_h > 0 and attr.stride_w > 0 and (attr.padding == "SAME" or (shape1(in[0])[1] >= attr.filter_height and shape1(in[0])[2] >= attr.filter_width))',
            "strides must be positive, and without padding the window must fit into the input",
            "l2_pool_2d.cc:72",
        ),
    ],
    "CONV_2D": [
        *convolution("conv_common.cc", 159, 184, "in[0]", "(shape1(in[1]) + [0])[0]", "0", '["int4", "int8"]'),
        (
            "bias-dtype",
            'in[0].dtype != "int16" or not exists(in[2]) or in[2].dtype in ["int32", "int64"]',
            "an int16 convolution needs an int32 or int64 bias",
            "conv.cc:83",
        ),
    ],
    "DEPTHWISE_CONV_2D": [
        *convolution("depthwise_conv_common.cc", 194, 175, "in[0]", "shape1(in[1])[3]", "3", '["int4", "int8"]'),
        (
            "listed-bias",
            "arity == 2 or exists(in[2])",
            "a bias that is listed must be there: else the kernel reads from no address and the program crashes",
            "depthwise_conv.cc:51",
        ),
    ],
    "TRANSPOSE_CONV": [
        (
            "hybrid",
            '(in[2].dtype == in[1].dtype and (in[2].dtype in ["float32", "int8"] or in[2].dtype == "int16" and not per_channel(in[1]))) or (in[2].dtype == "int16" and in[1].dtype == "int8")',
            "weights must be float32 for float32, int8 for int8 and int16 inputs",
            "transpose_conv.cc:172",
        ),
        same("transpose_conv.cc:287", "in[2]"),
        (
            "weights-scales",
            'in[2].dtype == "float32" or (quantized(in[1]) and (len(in[1].scales) == 1 or (len(in[1].scales) == shape1(in[1])[0] and shape1(in[1])[in[1].axis] == shape1(in[1])[0])))',
            "weights need one scale, or one for each output channel",
            "transpose_conv.cc:222",
        ),
        (
            "input-quantized",
            'in[2].dtype == "float32" or quantized(in[2])',
            "the input must have quantisation parameters",
            "transpose_conv.cc:113",
        ),
    ],
    "FULLY_CONNECTED": [
        (
            "bias-scale",
            'in[0].dtype == "float32" or not exists(in[2]) or per_channel(in[1]) or not quantized(out[0]) or abs(known(in[0].scale, 0) * known(in[1].scale, 0) - known(in[2].scale, 0)) / out[0].scale <= 0.02',
            "the bias's scale must be input scale times weight scale",
            "kernel_util.cc:478",
        ),
        same("fully_connected.cc:57"),
        dtype(F816, "fully_connected.cc:346"),
        (
            "hybrid",
            '(in[0].dtype == "float32" and in[1].dtype == "float32") or (in[0].dtype == "int8" and in[1].dtype in ["int8", "int4"]) or (in[0].dtype == "int16" and in[1].dtype == "int8")',
            "weights must be float32 for float32, int8 or int4 for int8, int8 for int16 inputs",
            "fully_connected.cc:59",
        ),
        (
            "weights-scales",
            'in[0].dtype == "float32" or not per_channel(in[1]) or (in[1].dtype != "int4" and len(in[1].scales) == shape1(in[1])[in[1].axis])',
            "per-channel weights must be int8, with a scale for each output",
            "fully_connected_common.cc:99",
        ),
    ],
    "BATCH_MATMUL": [
        (
            "output-rank",
            "len(shape1(out[0])) >= max(len(shape1(in[0])), len(shape1(in[1])))",
            "the output must have the rank of the inputs",
            "batch_matmul_common.cc:37",
        ),
        dtype(F816, "batch_matmul.cc:191"),
        same("batch_matmul.cc:199", "in[0]", "in[1]"),
        ("output-dtype", "in[0].dtype == out[0].dtype", "input and output types must be equal", "batch_matmul.cc:201"),
        rank(2, 5, "batch_matmul.cc:206"),
        rank(2, 5, "batch_matmul.cc:208", "in[1]"),
        symmetric("batch_matmul.cc:242", "in[0]", "in[1]", "out[0]"),
        (
            "inner",
            "shape1(in[0])[-2 if attr.adj_x else -1] == shape1(in[1])[-1 if attr.adj_y else -2]",
            "the inner dimensions must be equal",
            "batch_matmul.cc:276",
        ),
        (
            "output-size",
            f"prod([1] + shape1(out[0])) == prod([{LEFT}[i] if {LEFT}[i] != 1 else {RIGHT}[i] for i in 0..{RANK} - 3]) * shape1(in[0])[-1 if attr.adj_x else -2] * shape1(in[1])[-2 if attr.adj_y else -1]",
            "the output must have as many elements as the product",
            "batch_matmul_common.cc:65",
        ),
    ],
}
