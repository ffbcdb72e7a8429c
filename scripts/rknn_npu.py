"""What RKNN-Toolkit2 2.5.0 was measured to give to the NPU, and under what limits; the conditions stand in rknn_rules.py."""

from __future__ import annotations

from dataclasses import replace

from rknn_rules import (
    ARITHMETIC,
    BATCH,
    BEFORE_BLOCKS,
    BLOCKS,
    BLOCKS_OF_BYTES,
    BY_BYTES,
    BYTES_KEPT,
    EXPANDS,
    FITS,
    FIVE,
    FLOAT,
    FULL,
    JOINED,
    JOINED_TO_FOUR,
    KEPT,
    KERNEL,
    LANE,
    LAYOUT_0,
    NARROW,
    NOT_FIRST,
    NOT_SCALAR,
    ONLY_FLOATS,
    PER_CHANNEL,
    PIXELS,
    RESHAPED,
    SOMETHING,
    SUMS,
    WIDE,
    Limit,
    constant,
    cpu,
    image,
    mixed,
    no,
    vague,
)

#: Channels that are padded: behind them where they fill their blocks, in front of them where nothing else is padded.
_CHANNELS = (
    "(0 if in[0].rank == 2 else 2 if in[0].rank == 5 or (in[0].rank == 3 and in[0].shape[0:2] == [1, 1]) else 1)"
)
_IN_FRONT = "(1 if exists(in[3]) else value(in[1])[CHANNELS] if exists(in[1]) else attr.pads[CHANNELS])"
NO_CHANNELS = cpu(
    "no-channels",
    f"in[0].rank == 1 or same(in[0].shape, out[0].shape) or out[0].shape[CHANNELS] == in[0].shape[CHANNELS] or (known(attr.mode, 'constant') == 'constant' and {_IN_FRONT} <= 0 and in[0].shape[CHANNELS] % {LANE} == 0)"
    f" or ({_IN_FRONT} > 0 and (known(attr.mode, 'constant') == 'constant' or (known(attr.mode, 'constant') == 'edge' and out[0].shape[CHANNELS] == in[0].shape[CHANNELS] + {_IN_FRONT})) and in[0].shape[CHANNELS] <= 512"
    " and (in[0].rank != 2 or out[0].shape[0] <= 512) and out[0].size * in[0].shape[CHANNELS] == in[0].size * out[0].shape[CHANNELS])",
    "padded channels run on the CPU, but for constants behind a multiple of 16 bytes of them, or around the channels alone",
    "pad behind the channels only, a multiple of 8 of them",
).filled("CHANNELS", _CHANNELS)
#: Rows and columns of a matrix, or of each of several, that are exchanged.
_MATRIX = f"{{0}} <= 8192 and ({{1}} <= 8192 or ({{0}} % {LANE} == 0 and {{1}} % {LANE} == 0))"
LARGE_MATRICES = cpu(
    "matrix",
    f"in[0].rank not in 2..3 or attr.perm not in [[1, 0], [0, 2, 1]] or any(d == 1 for d in in[0].shape[-2:in[0].rank]) or ({_MATRIX.format('in[0].shape[-2]', 'in[0].shape[-1]')})",
    "a matrix of more than 8192 rows is turned on the CPU, and one of more than 8192 columns unless both are multiples of 8",
    "turn parts of at most 8192 rows, or export without the last transposition (YOLO: [1, 84, 8400] to [1, 8400, 84])",
)
LARGE_LISTS = cpu(
    "matrices",
    f"in[0].rank != 3 or attr.perm not in [[1, 2, 0], [2, 0, 1]] or (in[0].shape[1] * in[0].shape[2] <= 8192 * {LANE} if attr.perm[0] == 1 else in[0].shape[0] * in[0].shape[1] < 8192 or ({LANE} == 8 and in[0].shape[2] % 8 == 0))",
    "large matrices are turned around on the CPU",
)
_STRIDES = "all(k in [1, 2, 4, 8, 16] for k in attr.strides)"
#: Types of what is resized.
_SIZED = cpu(
    "float",
    f"dtype(in[0]) in {FLOAT[:-1]}, 'int8', 'int32']",
    "bytes without a sign run on the CPU (without quantisation)",
)
#: Square windows of a square image that are taken apart: with the channels in front (as in a space to depth) or behind.
_WINDOWS = (
    "(attr.perm == [0, 1, 3, 5, 2, 4] and any(d == 1 for d in in[0].shape[0:2]) and in[0].shape[2] == in[0].shape[4] and in[0].shape[3] == in[0].shape[5]"
    " and (in[0].shape[0] * in[0].shape[1] != in[0].shape[2] or in[0].shape[2] == in[0].shape[3]))"
    " or (attr.perm == [0, 2, 4, 1, 3, 5] and in[0].shape[0] == 1 and in[0].shape[1] == in[0].shape[3] and in[0].shape[2] == in[0].shape[4])"
)
#: All that there is, in its order: a gathering that only reshapes.
_ALL = "(in[0].size == out[0].size and in[1].size <= 16 and const(in[1]) and all(value(in[1])[k] == k for k in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] if k < in[1].size))"
#: The axis that is sliced last, of five.
_LAST_SLICED = "(value(in[3])[-1] % 5 if exists(in[3]) else in[1].size - 1)"
#: The windows of a pooling end within the image: what is padded around it is not read.
_WITHIN = "all((out[0].shape[d + 2] - 1) * (attr.strides[d] if exists(attr.strides) else 1) + attr.kernel_shape[d] <= in[0].shape[d + 2] for d in [0, 1, 2] if d + 2 < in[0].rank)"
#: What runs on the NPU, and under what limits.
NPU: dict[str, tuple[Limit, ...]] = {
    "Add": SUMS,
    "Mul": (cpu("float", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8']", "wider integers run on the CPU (without quantisation)"), *SUMS[1:]),
    "Sub": (*SUMS[:-1], mixed("t.rank == 4 and same(t.shape, out[0].shape)", "floats beside 8-bit integers are subtracted on the CPU where the shapes differ"), cpu("minuend", f"not computed(in[0]) or (same(in[1].shape, out[0].shape) and (in[0].size == 1 or {FULL} or {PER_CHANNEL}))", "a constant minus a tensor runs on the CPU unless it is a scalar, one value for each channel, or as large as the result")),
    **dict.fromkeys(("Clip", "Softplus", "Tanh", "ThresholdedRelu", "Elu", "HardSigmoid", "HardSwish"), (ONLY_FLOATS,)),
    **dict.fromkeys(("Abs", "LeakyRelu"), (ONLY_FLOATS, BEFORE_BLOCKS)),
    "Sigmoid": (ONLY_FLOATS,),
    "Dropout": (no("input-given", "not computed(in[0])", "the input must not be constant"), ONLY_FLOATS),
    "Relu": (no("no-kernel", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8', 'int32']", "the toolkit cannot run it with this type"), ONLY_FLOATS),
    "Neg": (cpu("float", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8']", "wider integers run on the CPU (without quantisation)"), NOT_SCALAR, BEFORE_BLOCKS, no("five-dimensions", f"in[0].rank <= 4 or {JOINED_TO_FOUR.format('in[0]')}", "five dimensions end in an error of the toolkit", "join two dimensions with Reshape")),
    "AveragePool": (
        ONLY_FLOATS,
        cpu("padding-counted", f"in[0].rank == 5 or known(attr.count_include_pad, 0) != 0 or ({_WITHIN} and (not exists(attr.pads) or all(p == 0 for p in attr.pads) or all(k <= 8 for k in attr.kernel_shape) or attr.kernel_shape == in[0].shape[2:5]))",
            "padding that is not counted (count_include_pad = 0) and that the windows reach, or a rounded-up size, runs on the CPU", "pad with Pad before the pooling, or set count_include_pad"),
    ),
    "BatchNormalization": (
        no("inference", "known(attr.training_mode, 0) == 0", "training mode is not supported", "export after model.eval()"),
        no("statistics-const", "all(computed(t) for t in inputs[1:5])", "scale, bias, mean and variance must be constant"),
        ONLY_FLOATS,
    ),
    "Conv": (ONLY_FLOATS,),
    "ConvTranspose": (no("no-same", "known(attr.auto_pad, 'NOTSET') in ['NOTSET', 'VALID']", "auto_pad SAME is not supported", "write the padding as pads"), ONLY_FLOATS, cpu("strides", f"{_STRIDES} or any(d > 1 for d in attr.dilations)", "strides that are no power of two are spread out on the CPU, but with dilations", "use a stride of 1, 2, 4 or 8")),
    "CumSum": (constant(1, "axis"), ONLY_FLOATS),
    "DepthToSpace": (no("no-kernel", f"dtype(in[0]) in {FLOAT[:-1]}, 'uint8']", "the toolkit cannot run it with this type"), ONLY_FLOATS, cpu("blocks", "attr.blocksize in [2, 4]", "only blocks of 2 and 4 were seen on the NPU")),
    "DequantizeLinear": (
        constant(1, "scale"), no("zero-point-given", "exists(in[2]) and computed(in[2])", "the zero point must be given and constant"),
        cpu("8-bit", "dtype(in[0]) in ['int8', 'uint8'] or computed(in[0])", "only 8-bit integers are converted on the NPU"),
        BLOCKS_OF_BYTES,
    ),
    "QuantizeLinear": (
        constant(1, "scale"), no("zero-point-given", "exists(in[2]) and computed(in[2])", "the zero point must be given and constant"), ONLY_FLOATS,
        BLOCKS,
    ),
    "Concat": (NARROW, cpu("no-int8", "dtype(in[0]) != 'int8' or arity == 1", "8-bit integers are joined on the CPU (without quantisation)")),
    "Split": (NARROW, constant(1, "split")),
    "Div": (
        *ARITHMETIC, FIVE,
        mixed(f"(t.rank >= 2 and t.shape[-1] == out[0].shape[-1] and (out[0].rank != 4 or t.shape[-2] == out[0].shape[-2])) or (out[0].rank == 4 and {BY_BYTES})", "8-bit integers are divided by floats on the CPU where heights or widths differ"),
        cpu("by-bytes", f"out[0].rank == 4 or not {BY_BYTES}", "floats are divided by 8-bit integers on the CPU unless the result is an image", "quantise both inputs, or none"),
        cpu("not-quantised", "computed(in[1]) or any(t.producer != 'DequantizeLinear' for t in inputs) or out[0].consumers == [] or any(c != 'QuantizeLinear' for c in out[0].consumers)", "between DequantizeLinear and QuantizeLinear a division of two that are not constant runs on the CPU", "multiply with the reciprocal"),
        BEFORE_BLOCKS, BYTES_KEPT,
        BATCH,
        cpu("dividend", f"not computed(in[0]) or (out[0].size > 1 and {FULL} and (in[1].size == out[0].size or (out[0].rank == 4 and in[1].size * out[0].shape[0] == out[0].size)))", "a constant divided by a tensor runs on the CPU unless it is as large as the result"),
        cpu("one-pixel", f"computed(in[1]) or out[0].size == 1 or {PIXELS} > 1 or (out[0].rank == 3 and in[1].rank < 3 and out[0].shape[2] > 1)", "a tensor of channels only, or of one dimension, is divided by another on the CPU",
            "multiply with the reciprocal of a constant, or divide before the pooling"),
    ),
    "Expand": (
        constant(1, "shape"), NOT_SCALAR, cpu("no-int64", "dtype(in[0]) != 'int64'", "int64 is expanded on the CPU"),
        cpu("moves", f"not same(in[0].shape, out[0].shape) or dtype(in[0]) in {FLOAT} or (dtype(in[0]) == 'int8' and (in[0].rank != 4 or in[0].shape[3] % 16 != 0))", "integers that keep their shape run on the CPU"),
        cpu("not-the-batch", f"in[0].size == out[0].size or in[0].size == 1 or out[0].rank < 3 or {NOT_FIRST}",
            "repeating only the first dimension runs on the CPU"),
    ),
    "GRU": (replace(LAYOUT_0, require=f"{LAYOUT_0.require} or known(attr.direction, 'forward') == 'reverse'"), ONLY_FLOATS),
    "LSTM": (
        LAYOUT_0,
        no("no-peepholes", "not exists(in[7])", "peepholes are not supported"), ONLY_FLOATS,
    ),
    "Gather": (
        cpu("indices-const", "computed(in[1])", "indices that are not constant are gathered on the CPU"),
        cpu("no-wide-integers", "dtype(in[0]) not in ['int32', 'int64'] or (in[0].rank == 2 and attr.axis % 2 == 1) or (in[0].rank >= 3 and attr.axis % in[0].rank != 1)", "wide integers are gathered on the CPU along the channels"),
        cpu("rank-4", f"in[0].rank <= 4 or in[1].size == 1 or {_ALL}", "several indices of a tensor of rank 5 and more are gathered on the CPU"),
        cpu("reshaped", f"in[1].rank == 1 or in[0].size != out[0].size or (in[1].rank > 1 and not {_ALL}) or ({RESHAPED[2].require})", "the only slice of an image is a reshape, which runs on the CPU unless the image is of multiples of 16 bytes"),
    ),
    "Gemm": (
        KERNEL,
        no("bias-rank-2", "not exists(in[2]) or computed(in[2]) or in[2].rank == 2", "a bias that is not constant must have rank 2", "make the bias constant, or add it with Add"),
    ),
    "GlobalAveragePool": (ONLY_FLOATS,),
    "GlobalMaxPool": (ONLY_FLOATS,),
    "Identity": (NOT_SCALAR, NARROW, KEPT),
    "InstanceNormalization": (ONLY_FLOATS, cpu("scale-const", "computed(in[1]) and computed(in[2])", "scale and bias that are not constant make it run on the CPU")),
    "LayerNormalization": (
        ONLY_FLOATS,
        no("written", "not computed(in[1]) or (written(attr.axis) and written(attr.epsilon))", "the node must write its axis and its epsilon: left to their defaults they end in an error of the toolkit", "write axis = -1 and epsilon = 1e-5 into the node"),
        cpu("scale-const", "computed(in[1]) and (not exists(in[2]) or computed(in[2]))", "scale and bias that are not constant make it run on the CPU"),
    ),
    "LpNormalization": (ONLY_FLOATS, cpu("not-the-batch", "in[0].rank <= 2 or attr.axis % in[0].rank != 0", "the norm over the first of three and more dimensions runs on the CPU")),
    "MatMul": (
        ONLY_FLOATS,
        cpu("one-side-broadcast", "in[0].rank < 4 or in[1].rank < 4 or same(in[0].shape[0:2], in[1].shape[0:2]) or in[0].shape[0:2] == [1, 1] or in[1].shape[0:2] == [1, 1]",
            "batch dimensions that broadcast both ways are done on the CPU"),
    ),
    "Max": (
        cpu("no-wide-integers", "dtype(in[0]) not in ['int64', 'uint8']", "integers run on the CPU (without quantisation)"),
        cpu("rank-4", "out[0].rank >= 4 and (out[0].rank > 4 or all(t.rank == 4 for t in inputs))", "the inputs must have rank 4", "give the inputs the same four dimensions"),
        cpu("rank-5", f"out[0].rank == 4 or {JOINED_TO_FOUR.format('out[0]')}", "five dimensions run on the CPU"),
    ),
    "MaxPool": (
        cpu("float", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8']", "wider integers run on the CPU (without quantisation)"), cpu("no-indices", "not exists(out[1])", "with indices it runs on the CPU"),
    ),
    "PRelu": (no("slope-const", "computed(in[1])", "the slope must be constant"), KERNEL, NOT_SCALAR),
    "Pow": (no("base-rank", "out[0].rank != 3 or in[0].rank == 3", "a base of fewer dimensions than the three of the result ends in an error of the toolkit", "give the base three dimensions with Unsqueeze"), BEFORE_BLOCKS, cpu("exponent-const", "computed(in[1])", "an exponent that is not constant runs on the CPU"), *ARITHMETIC,
            no("exponent-type", "dtype(in[1]) in ['float32', 'float16', 'float64', 'int32', 'int64']", "the toolkit cannot run it with this type of exponent"),
        cpu("exponent", "const(in[1]) and value(in[1])[0] in [-0.5, 0.5, 1, 2, 3]", "only the exponents -0.5, 0.5, 1, 2 and 3 run on the NPU", "write the power as multiplications")),
    "ReduceSum": (constant(1, "axes"), ONLY_FLOATS, cpu("axes-some", "not exists(in[1]) or in[1].size != 0 or (known(attr.noop_with_empty_axes, 0) == 1 and in[0].rank <= 3)", "an empty list of axes runs on the CPU"),
        cpu("something", f"{SOMETHING} or (exists(in[1]) and all(a % 4 != 0 for a in value(in[1])))", "a sum over the first of four dimensions, of size 1, runs on the CPU")),
    "ReduceMean": (
        constant(1, "axes"), ONLY_FLOATS,
        cpu("axes-some", "not exists(in[1]) or in[1].size != 0 or (known(attr.noop_with_empty_axes, 0) == 1 and in[0].rank <= 3)", "an empty list of axes runs on the CPU"),
        cpu("something", SOMETHING, "a mean over axes of size 1 runs on the CPU"),
    ),
    "Range": (no("inputs-const", "all(computed(t) for t in inputs)", "start, limit and delta must be constant"),),
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow"), (vague("size-given", "the toolkit computes it of made-up values where the size is not constant", "computed(in[0])"),)),
    "MelWeightMatrix": (vague("values-given", "the toolkit computes it of made-up values where they are not constant", "all(computed(t) for t in inputs)"),),
    "ConstantOfShape": (no("shape-const", "computed(in[0])", "the shape must be constant"), no("value-written", "written(attr.value)", "the node must write its value: left to its default it ends in an error of the toolkit", "write value = [0.0] into the node")),
    **dict.fromkeys(("Constant", "Shape"), ()),
    "ReduceL2": (ONLY_FLOATS, cpu("axes-some", "not exists(in[1]) or in[1].size != 0 or (known(attr.noop_with_empty_axes, 0) == 1 and in[0].rank <= 3)", "an empty list of axes runs on the CPU"), cpu("rank-4", f"in[0].rank <= 4 or (in[0].rank == 5 and {FITS})", "rank 5 and more runs on the CPU, but for five dimensions of which the first or second is 1 and stays")),
    "Resize": (
        no("sizes-const", "all(t.size == 0 or computed(t) for t in inputs[1:4])", "scales and sizes must be constant"),
        no("no-kernel", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8', 'uint8', 'int32']", "the toolkit cannot run it with this type"), _SIZED,
        cpu("mode", "known(attr.mode, 'nearest') in ['nearest', 'linear'] and in[0].rank in 3..4", "only nearest and linear of images run on the NPU"),
        cpu("align-corners", "known(attr.mode, 'nearest') != 'linear' or known(attr.coordinate_transformation_mode, 'half_pixel') != 'align_corners' or same(in[0].shape, out[0].shape)",
            "linear with align_corners runs on the CPU", "use pytorch_half_pixel or asymmetric"),
        cpu("whole-scales", "known(attr.mode, 'nearest') != 'linear' or all(out[0].shape[d] % in[0].shape[d] == 0 or in[0].shape[d] % out[0].shape[d] == 0 for d in [0, 1, 2, 3] if d < in[0].rank)",
            "linear runs on the CPU unless the scales are whole numbers, or one by a whole number", "resize to a multiple of the size, or with mode nearest"),
    ),
    "Upsample": (
        constant(1, "scales"), no("no-kernel", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8', 'uint8', 'int32']", "the toolkit cannot run it with this type"),
        _SIZED,
    ),
    "Softmax": (
        *ARITHMETIC,
        no("five-dimensions", "in[0].rank <= 4 or op_version < 13 or attr.axis in [-1, in[0].rank - 1] or any(d == 1 for d in in[0].shape[0:2]) or (in[0].rank == 5 and (attr.axis not in [3, -2] or in[0].shape[1] == in[0].shape[2]))", "over the fourth of five dimensions it ends in an error of the toolkit", "join two dimensions with Reshape"),
    ),
    "Sqrt": (*ARITHMETIC, BEFORE_BLOCKS, cpu("not-quantised", "in[0].producer != 'DequantizeLinear' or out[0].consumers == [] or any(c != 'QuantizeLinear' for c in out[0].consumers)", "it runs on the CPU between DequantizeLinear and QuantizeLinear"), cpu("rank-4", "in[0].rank <= 4", "rank 5 and more runs on the CPU")),
    "Sum": (*ARITHMETIC, cpu("two", "arity >= 2", "the sum of one input runs on the CPU")),
    "Transpose": (
        NARROW,
        cpu("four-dimensions", f"in[0].rank <= 4 or len([d for d in in[0].shape if d != 1]) - {JOINED} <= 4 or {_WINDOWS}", "more than four dimensions that do not stay together run on the CPU",
            "transpose in two steps of four dimensions"),
        cpu("order", "in[0].rank != 4 or attr.perm != [2, 1, 3, 0] or in[0].shape[3] % 4 == 0", "this order runs on the CPU unless the width is a multiple of 4"),
        cpu("plane", f"in[0].rank != 4 or attr.perm not in [[0, 2, 1, 3], [1, 0, 2, 3], [1, 0, 3, 2], [1, 2, 3, 0], [3, 2, 1, 0]] or {image('in[0]')} <= 8192 or (attr.perm[0] == 0 and in[0].shape[1] == 1)",
            "this order runs on the CPU where height times width is above 8192", "transpose parts of at most 8192 elements, or keep the last two dimensions smaller"),
        cpu("few-channels", f"in[0].rank != 4 or attr.perm not in [[0, 2, 1, 3], [3, 2, 1, 0]] or in[0].shape[1] not in [1, 3, 4] or (in[0].shape[1] == 1 and attr.perm[0] == 0) or (in[0].shape[3] % 8 == 0 if attr.perm[0] == 0 else {image('in[0]')} % 8 == 0)",
            "this order runs on the CPU for 3 or 4 channels unless the width is a multiple of 8"),
        cpu("mirrored", f"in[0].rank != 4 or attr.perm != [0, 3, 2, 1] or (({image('in[0]')} <= 8192 or (in[0].shape[1] % 8 == 0 and in[0].shape[3] % 8 == 0))"
            " and (in[0].shape[1] * in[0].shape[2] <= 16384 or in[0].shape[3] % 8 == 0))",
            "this order runs on the CPU for large planes unless channels and width are multiples of 8"),
        LARGE_MATRICES, LARGE_LISTS,
        cpu("long", "in[0].rank != 4 or attr.perm not in [[0, 2, 3, 1], [0, 3, 2, 1]] or (in[0].shape[1] <= 8192 and (in[0].shape[3] <= 8192 or attr.perm[1] == 3))", "more than 8192 channels, or rows of more than 8192, are turned on the CPU"),
        cpu("width", "in[0].rank != 4 or attr.perm != [0, 1, 3, 2] or in[0].shape[3] <= 1024 or in[0].shape[2] == 1", "a width above 1024 is exchanged with the height on the CPU"),
    ),
    "Where": (
        no("no-kernel", f"dtype(in[1]) in {FLOAT[:-1]}, 'int32', 'int64', 'uint8']", "the toolkit cannot run it with this type"),
        cpu("float", f"dtype(in[1]) in {FLOAT}", "integers run on the CPU"),
        BEFORE_BLOCKS,
        cpu("no-given-scalar", "out[0].rank <= 1 or computed(in[2]) or in[2].rank == out[0].rank or (out[0].rank >= 5 and in[2].rank >= 1)", "a third input of fewer dimensions that is not constant makes it run on the CPU", "make it a constant, or give it as many dimensions"),
        cpu("same-rank", "out[0].rank not in 2..3 or all(computed(t) or t.rank in [0, out[0].rank] for t in inputs)", "inputs of fewer dimensions make it run on the CPU", "give the inputs the same number of dimensions"),
    ),
    "Reshape": (constant(1, "shape"), *RESHAPED),
    "Squeeze": RESHAPED,
    "Unsqueeze": (constant(1, "axes"), *RESHAPED),
    "Flatten": RESHAPED,
    "Slice": (
        no("ends-const", "all(computed(t) for t in inputs[1:5])", "starts, ends, axes and steps must be constant"),
        NARROW,
        cpu("steps", "not exists(in[4]) or all(value(in[4])[k] == 1 or (value(in[4])[k] == -1 and in[0].rank > 1 and (in[0].rank <= 4 or in[4].size == 1) and value(in[3])[k] in [-1, in[0].rank - 1]) for k in [0, 1, 2, 3, 4] if k < in[4].size)"
            " or ((in[0].rank <= 3 or in[0].rank == 5) and same(in[0].shape, out[0].shape) and all(k > 0 for k in value(in[4])))"
            f" or (dtype(in[0]) in {FLOAT} and out[0].size > 1 and all(k > 0 for k in value(in[4])) and (in[0].rank == 1 or (in[0].rank == 2 and in[0].shape[1] == 1) or (in[0].rank == 3 and in[0].shape[0:2] == [1, 1])))",
            "steps other than 1 run on the CPU", "slice with step 1, or take the elements with Gather"),
        cpu("rank-4", f"in[0].rank <= 4 or ({JOINED_TO_FOUR.format('in[0]')} and ((in[0].size == out[0].size and {_LAST_SLICED} != (0 if in[0].shape[0] == 1 else 1))"
            " or any(out[0].shape[d] == 1 and in[0].shape[d] != 1 for d in [0, 1, 2, 3, 4]) or len([d for d in [0, 1, 2, 3, 4] if out[0].shape[d] != in[0].shape[d]]) > 1))",
            "slices of five dimensions run on the CPU, but of several axes or to one element where the first or second is 1"),
    ),
    "Pad": (
        no("pads-const", "not exists(in[1]) or computed(in[1])", "pads must be constant"),
        cpu("rank-4", "in[0].rank <= 4 or same(in[0].shape, out[0].shape) or (in[0].rank == 5 and ((in[0].shape[0] == 1 and out[0].shape[0] == 1) or (in[0].shape[1] == 1 and out[0].shape[1] == 1)))", "five dimensions are padded on the CPU, unless the first or second is 1 and stays"),
        NO_CHANNELS,
        cpu("wide-kept", f"dtype(in[0]) not in {WIDE} or in[0].rank == 4 or not same(in[0].shape, out[0].shape)", "wide integers that nothing is padded to are moved by the CPU"),
        cpu("batch-zeros", "known(attr.mode, 'constant') == 'constant' or in[0].rank <= 2 or (out[0].shape[0] == in[0].shape[0] and (in[0].rank != 5 or out[0].shape[1] == in[0].shape[1]))", "another batch is made only of a constant on the NPU"),
    ),
    "Tile": (
        constant(1, "repeats"), NARROW,
        cpu("one-axis", f"same(in[0].shape, out[0].shape) or {EXPANDS} or (in[0].rank == 4 and len([k for k in value(in[1]) if k != 1]) == 1 and out[0].shape[0] == in[0].shape[0]"
            f" and (out[0].shape[1] == in[0].shape[1] or in[0].shape[1] % {LANE} == 0))",
            "tiling runs on the CPU unless it is of one axis of an image, or of axes of size 1"),
        cpu("not-the-batch", f"same(in[0].shape, out[0].shape) or not ({EXPANDS}) or in[0].rank < 3 or in[0].size == 1 or {NOT_FIRST}",
            "repeating only the first dimension runs on the CPU"),
    ),
    "If": (no("tensors", "all(dtype(t) in ['float32', 'float16', 'float64', 'int8', 'uint8', 'int32', 'int64', 'bool'] for t in outputs)", "its results must be tensors"), no("condition-const", "computed(in[0])", "the condition must be constant"), vague("branch", "what the chosen branch becomes was not measured")),
    "Cast": (
        cpu("types", "(dtype(in[0]) in ['bool', 'int8', 'int32'] and dtype(out[0]) in FLOAT) or (dtype(in[0]) in FLOAT and dtype(out[0]) in ['int8', 'int16'])"
            " or ((in[0].rank in 1..3 or JOINED) and ((dtype(in[0]) in FLOAT and dtype(out[0]) in FLOAT) or (dtype(in[0]) in ['bool', 'int8', 'uint8'] and dtype(out[0]) == dtype(in[0]))))",
            "the NPU casts only bool, int8 and int32 to floats, and floats to int8; between floats only what has fewer than four dimensions, or five that become four").filled("FLOAT", FLOAT).filled("JOINED", JOINED_TO_FOUR.format("in[0]")),
    ),
    "Einsum": (ONLY_FLOATS, cpu("no-diagonal", "canonical(attr.equation) not in ['aa->a', 'aa->', '...aa->...a', '...aa->...', 'aab->ab', 'abb->ab', 'abb->a']", "a letter twice in one term runs on the CPU", "take the diagonal outside of the model")),
}  # fmt: skip
#: Operators of another domain that the toolkit takes for ONNX's own of the same name.
NPU |= {f"com.microsoft::{op}": NPU[op] for op in ("DequantizeLinear", "Pad", "QuantizeLinear", "Range")}
