"""What RKNN-Toolkit2 2.5.0 was measured to give to a Rockchip chip's NPU, to its CPU, or to refuse: the rules.

An image is a tensor of four dimensions, which the NPU stores in blocks of channels. Fewer dimensions are put around
with ones ([n, c] becomes [1, n, 1, c]; [n, c, w] becomes [n, c, 1, w]), more are taken together where that is possible;
the rules say what follows from it. Measured by op_tables/evidence/rknn-2.5.0.jsonl; nothing here comes from Rockchip's code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One [[op.limit]]; without `require` it is opaque."""

    id: str
    say: str
    require: str = ""
    otherwise: str = "fallback"
    help: str = ""

    def filled(self, name: str, text: str) -> Limit:
        """With `text` for a name in the condition."""
        return replace(self, require=self.require.replace(name, text))


def cpu(id: str, require: str, say: str, help: str = "") -> Limit:
    return Limit(id=id, require=require, say=say, help=help)


def no(id: str, require: str, say: str, help: str = "") -> Limit:
    return Limit(id=id, require=require, say=say, otherwise="rejected", help=help)


def vague(id: str, say: str, when: str = "") -> Limit:
    """Not known where `when` holds: written as a limit that is opaque."""
    return Limit(id=id, say=say, require=when, otherwise="opaque")


FLOAT = "['float32', 'float16', 'float64']"
WIDE = "['int32', 'int64', 'uint32', 'uint64', 'int16', 'uint16']"
_FLOAT = cpu("float", f"dtype(in[0]) in {FLOAT}", "integers run on the CPU (without quantisation)")
_NARROW = cpu("no-wide-integers", f"dtype(in[0]) not in {WIDE}", "wide integers are moved by the CPU")
_NOT_SCALAR = cpu("not-scalar", "out[0].rank >= 1", "a scalar runs on the CPU")
ARITHMETIC = (_FLOAT, _NOT_SCALAR)
#: The toolkit runs the model with onnxruntime to fold constants: what that has no kernel for does not load.
_KERNEL = no("no-kernel", f"dtype(in[0]) in {FLOAT}", "the toolkit cannot run it with integers")
_EIGHT_BITS = no("no-kernel", "(dtype(in[0]) == 'uint8' and dtype(in[3]) in ['uint8', 'int8'] and dtype(out[0]) == 'uint8') or all(dtype(t) == 'int8' for t in [in[0], in[3], out[0]])",
                 "the toolkit runs uint8 by uint8 or int8 to uint8, and int8 by int8 to int8")  # fmt: skip
_FIVE = no("five-dimensions", "out[0].rank <= 4 or all(not computed(t) for t in inputs) or (out[0].rank == 5 and any(d == 1 for d in out[0].shape[0:-1]))",
           "a constant with five dimensions ends in an error of the toolkit", "join two dimensions with Reshape")  # fmt: skip
_BATCH = cpu("constant-batch", "out[0].rank != 4 or out[0].shape[0] == 1 or all(not computed(t) for t in inputs) or all(computed(t) or t.size == 1 or (t.rank == 4 and t.shape[0] == out[0].shape[0]) for t in inputs)",
             "a constant of several images and a tensor of one run on the CPU")  # fmt: skip
_SUMS = (
    cpu("float", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8'] or dtype(in[0]) == 'int32'", "int64 and other integers run on the CPU (without quantisation)"),
    _NOT_SCALAR, _FIVE, _BATCH,
)  # fmt: skip
#: Elements that are stored together: 16 bytes of the channels (float32 is built as float16, and int8 stays).
_LANE = "(8 if dtype(in[0]) in ['float32', 'float16', 'float64'] else 16)"


def _image(t: str) -> str:
    """Elements of one channel of an image."""
    return f"{t}.shape[2] * {t}.shape[3]"


def _whole(t: str, single: str) -> str:
    """A reshape from or to this tensor needs no new order in memory: only images are stored in blocks of channels."""
    return (
        f"({t}.rank != 4 or {_image(t)} % {_LANE} == 0 or ({_image(t)} == 1 and ({single}{t}.shape[1] % {_LANE} == 0)))"
    )


#: Five dimensions that become an image: the size of the planes decides.
_TO_IMAGE = f"(in[0].rank == 5 and (attr.keepdims != 0 or out[0].rank != 4 or {_image('out[0]')} % {_LANE} == 0))"
_NOT_OVER = "((exists(attr.axes) and {0} not in attr.axes and {1} not in attr.axes) or (exists(in[1]) and {0} not in value(in[1]) and {1} not in value(in[1])))"
#: Of five dimensions the first or second is 1 and stays: they are taken together to four.
_FITS = f"((in[0].shape[1] == 1 and {_NOT_OVER.format(1, -4)}) or (in[0].shape[0] == 1 and {_NOT_OVER.format(0, -5)}))"
_SOMETHING = f"in[0].rank not in 4..5 or {_TO_IMAGE} or in[0].size != out[0].size or (attr.keepdims == 0 and {_image('in[0]')} % {_LANE} == 0) or (exists(in[1]) and in[1].size == 0)"
_SAME_ORDER = (
    f"(in[0].rank == 4 and out[0].rank == 4 and (in[0].shape[3] == out[0].shape[3] or (in[0].shape[1] % {_LANE} == 0 and out[0].shape[1] % {_LANE} == 0)"
    " or [d for d in in[0].shape if d != 1] == [d for d in out[0].shape if d != 1]))"
)
_RESHAPED = (
    _NARROW,
    cpu("no-scalar", "in[0].rank >= 1 and out[0].rank >= 1", "a scalar runs on the CPU"),
    cpu("aligned", f"({_whole('in[0]', '')} and {_whole('out[0]', 'out[0].shape[0] == 1 or ')}) or {_SAME_ORDER}",
        "what lies behind the channels of an image must be a multiple of 16 bytes (8 float16)", "choose heights and widths whose product is a multiple of 8"),
)  # fmt: skip
#: Elements of one channel once the output has four dimensions: [n, c], [n, c, h] become [1, n, 1, c], [n, c, 1, h].
PIXELS = (
    "(1 if out[0].rank == 1 else out[0].shape[-1] if out[0].rank == 2 else (1 if out[0].shape[0] == 1 and out[0].shape[1] == 1 else out[0].shape[2]) if out[0].rank == 3"
    " else out[0].shape[-1] * out[0].shape[-2])"
)
#: The first dimension that counts: five dimensions become four where the first is 1.
_FIRST = "({0}.shape[1] if out[0].rank == 5 and out[0].shape[0] == 1 else {0}.shape[0])"
#: Something else than the first dimension is repeated.
_NOT_FIRST = f"(out[0].size // in[0].size != {_FIRST.format('out[0]')} or {_FIRST.format('out[0]')} == 1 or (in[0].rank == out[0].rank and {_FIRST.format('in[0]')} == {_FIRST.format('out[0]')}))"
#: Every axis that grows had the size 1.
EXPANDS = "all(in[0].shape[d] == 1 or in[0].shape[d] == out[0].shape[d] for d in [0, 1, 2, 3, 4, 5] if d < in[0].rank)"
#: Neighbours of size above 1 that a transposition leaves side by side.
JOINED = "len([d for d in [0, 1, 2, 3, 4, 5] if d + 1 < in[0].rank and attr.perm[d + 1] == attr.perm[d] + 1 and in[0].shape[attr.perm[d]] != 1 and in[0].shape[attr.perm[d + 1]] != 1])"


_BLOCKS = cpu(
    "blocks",
    "in[0].rank == 4 or in[0].size % 8 == 0 or computed(in[0])",
    "what is no image is quantised on the NPU where the number of elements is a multiple of 8",
)
_BLOCKS_OF_BYTES = cpu(
    "blocks",
    "in[0].rank == 4 or in[0].size % 16 == 0 or computed(in[0])",
    "what is no image is dequantised on the NPU where the number of elements is a multiple of 16",
)


_LAYOUT_0 = no(
    "layout-0",
    "not written(attr.layout)",
    "the toolkit stops at the attribute layout, whatever it says",
    "remove the attribute layout from the node: 0 is its default",
)


def constant(place: int, what: str, help: str = "") -> Limit:
    return no(f"{what}-const", f"not exists(in[{place}]) or computed(in[{place}])", f"{what} must be constant", help)


#: The constant in[0] is as large as the result, or as one image of it.
_FULL = "(in[0].size == out[0].size or (out[0].rank == 4 and in[0].rank >= 3 and in[0].size * out[0].shape[0] == out[0].size))"
#: It has one value for each channel: the second dimension, of matrices the first.
_PER_CHANNEL = (
    "((out[0].rank == 4 and in[0].rank >= 3 and in[0].shape[-3] == in[0].size and in[0].size == out[0].shape[1])"
    " or (out[0].rank in 2..3 and in[0].rank >= 2 and in[0].shape[-2] == in[0].size and in[0].size == out[0].shape[-2]))"
)
_STRIDES = "all(k in [1, 2, 4, 8, 16] for k in attr.strides)"
#: What runs on the NPU, and under what limits.
NPU: dict[str, tuple[Limit, ...]] = {
    "Add": _SUMS,
    "Mul": (cpu("float", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8']", "wider integers run on the CPU (without quantisation)"), *_SUMS[1:]),
    "Sub": (*_SUMS, cpu("minuend", f"not computed(in[0]) or (same(in[1].shape, out[0].shape) and (in[0].size == 1 or {_FULL} or {_PER_CHANNEL}))", "a constant minus a tensor runs on the CPU unless it is a scalar, one value for each channel, or as large as the result")),
    **dict.fromkeys(("Abs", "Clip", "Softplus", "Tanh", "ThresholdedRelu", "Elu", "HardSigmoid", "HardSwish"), (_FLOAT,)),
    **dict.fromkeys(("LeakyRelu", "Sigmoid"), (_FLOAT,)),
    "Dropout": (no("input-given", "not computed(in[0])", "the input must not be constant"), _FLOAT),
    "Relu": (no("no-kernel", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8', 'int32']", "the toolkit cannot run it with this type"), _FLOAT),
    "Neg": (cpu("float", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8']", "wider integers run on the CPU (without quantisation)"), _NOT_SCALAR, no("five-dimensions", "in[0].rank <= 4 or (in[0].rank == 5 and any(d == 1 for d in in[0].shape[0:-1]))", "five dimensions end in an error of the toolkit", "join two dimensions with Reshape")),
    "AveragePool": (
        _FLOAT,
        cpu("padding-counted", "in[0].rank == 5 or known(attr.count_include_pad, 0) != 0 or ((not exists(attr.pads) or all(p == 0 for p in attr.pads)) and all((out[0].shape[d + 2] - 1) * (attr.strides[d] if exists(attr.strides) else 1) + attr.kernel_shape[d] <= in[0].shape[d + 2] for d in [0, 1, 2] if d + 2 < in[0].rank))",
            "padding that is not counted (count_include_pad = 0), or a rounded-up size, runs on the CPU", "pad with Pad before the pooling, or set count_include_pad"),
    ),
    "BatchNormalization": (
        no("inference", "known(attr.training_mode, 0) == 0", "training mode is not supported", "export after model.eval()"),
        no("statistics-const", "all(computed(t) for t in inputs[1:5])", "scale, bias, mean and variance must be constant"),
        _FLOAT,
    ),
    "Conv": (_FLOAT,),
    "ConvTranspose": (no("no-same", "known(attr.auto_pad, 'NOTSET') in ['NOTSET', 'VALID']", "auto_pad SAME is not supported", "write the padding as pads"), _FLOAT, cpu("strides", f"{_STRIDES} or any(d > 1 for d in attr.dilations)", "strides that are no power of two are spread out on the CPU, but with dilations", "use a stride of 1, 2, 4 or 8")),
    "CumSum": (constant(1, "axis"), _FLOAT),
    "DepthToSpace": (no("no-kernel", f"dtype(in[0]) in {FLOAT[:-1]}, 'uint8']", "the toolkit cannot run it with this type"), _FLOAT, cpu("blocks", "attr.blocksize in [2, 4]", "only blocks of 2 and 4 were seen on the NPU")),
    "DequantizeLinear": (
        constant(1, "scale"), no("zero-point-given", "exists(in[2]) and computed(in[2])", "the zero point must be given and constant"),
        cpu("8-bit", "dtype(in[0]) in ['int8', 'uint8'] or computed(in[0])", "only 8-bit integers are converted on the NPU"),
        _BLOCKS_OF_BYTES,
    ),
    "QuantizeLinear": (
        constant(1, "scale"), no("zero-point-given", "exists(in[2]) and computed(in[2])", "the zero point must be given and constant"), _FLOAT,
        _BLOCKS,
    ),
    "Concat": (_NARROW, cpu("no-int8", "dtype(in[0]) != 'int8' or arity == 1", "8-bit integers are joined on the CPU (without quantisation)")),
    "Split": (_NARROW, constant(1, "split")),
    "Div": (
        *ARITHMETIC, _FIVE,
        cpu("constant-batch", "not computed(in[1]) or out[0].rank != 4 or out[0].shape[0] == 1 or in[0].shape[0] == out[0].shape[0]", "one image divided by a constant of several runs on the CPU"),
        cpu("dividend", f"not computed(in[0]) or (out[0].size > 1 and {_FULL} and (in[1].size == out[0].size or (out[0].rank == 4 and in[1].size * out[0].shape[0] == out[0].size)))", "a constant divided by a tensor runs on the CPU unless it is as large as the result"),
        cpu("one-pixel", f"computed(in[1]) or out[0].size == 1 or {PIXELS} > 1 or (out[0].rank == 3 and in[1].rank < 3 and out[0].shape[2] > 1)", "a tensor of channels only, or of one dimension, is divided by another on the CPU",
            "multiply with the reciprocal of a constant, or divide before the pooling"),
    ),
    "Expand": (
        constant(1, "shape"), _NOT_SCALAR, cpu("no-int64", "dtype(in[0]) != 'int64'", "int64 is expanded on the CPU"),
        cpu("moves", f"not same(in[0].shape, out[0].shape) or dtype(in[0]) in {FLOAT[:-1]}, 'int8']", "integers that keep their shape run on the CPU"),
        cpu("not-the-batch", f"in[0].size == out[0].size or in[0].size == 1 or out[0].rank < 3 or {_NOT_FIRST}",
            "repeating only the first dimension runs on the CPU"),
    ),
    "GRU": (_LAYOUT_0, _FLOAT),
    "LSTM": (
        _LAYOUT_0,
        no("no-peepholes", "not exists(in[7])", "peepholes are not supported"), _FLOAT,
    ),
    "Gather": (
        cpu("indices-const", "computed(in[1])", "indices that are not constant are gathered on the CPU"),
        cpu("no-wide-integers", "dtype(in[0]) not in ['int32', 'int64'] or in[0].rank >= 2", "vectors of wide integers are gathered on the CPU"),
        cpu("rank-4", "in[0].rank <= 4 or in[1].size == 1", "several indices of a tensor of rank 5 and more are gathered on the CPU"),
        cpu("reshaped", f"in[1].rank != 0 or in[0].size != out[0].size or ({_RESHAPED[2].require})", "the only slice of an image is a reshape, which runs on the CPU unless the image is of multiples of 16 bytes"),
    ),
    "Gemm": (
        _KERNEL,
        no("bias-rank-2", "not exists(in[2]) or computed(in[2]) or in[2].rank == 2", "a bias that is not constant must have rank 2", "make the bias constant, or add it with Add"),
    ),
    "GlobalAveragePool": (_FLOAT,),
    "GlobalMaxPool": (_FLOAT,),
    "Identity": (_NOT_SCALAR, _NARROW),
    "InstanceNormalization": (_FLOAT, cpu("scale-const", "computed(in[1]) and computed(in[2])", "scale and bias that are not constant make it run on the CPU")),
    "LayerNormalization": (
        _FLOAT,
        no("written", "not computed(in[1]) or (written(attr.axis) and written(attr.epsilon))", "the node must write its axis and its epsilon: left to their defaults they end in an error of the toolkit", "write axis = -1 and epsilon = 1e-5 into the node"),
        cpu("scale-const", "computed(in[1]) and (not exists(in[2]) or computed(in[2]))", "scale and bias that are not constant make it run on the CPU"),
    ),
    "LpNormalization": (_FLOAT, cpu("not-the-batch", "in[0].rank <= 2 or attr.axis % in[0].rank != 0 or (in[0].rank == 4 and in[0].shape[0:2] == [1, 1])", "the norm over the first of three and more dimensions runs on the CPU")),
    "MatMul": (
        _FLOAT,
        cpu("one-side-broadcast", "in[0].rank < 4 or in[1].rank < 4 or same(in[0].shape[0:2], in[1].shape[0:2]) or in[0].shape[0:2] == [1, 1] or in[1].shape[0:2] == [1, 1]",
            "batch dimensions that broadcast both ways are done on the CPU"),
    ),
    "Max": (
        cpu("no-wide-integers", "dtype(in[0]) not in ['int64', 'uint8']", "integers run on the CPU (without quantisation)"),
        cpu("rank-4", "out[0].rank >= 4 and (out[0].rank > 4 or all(t.rank == 4 for t in inputs))", "the inputs must have rank 4", "give the inputs the same four dimensions"),
        cpu("rank-5", "out[0].rank == 4 or (out[0].rank == 5 and any(d == 1 for d in out[0].shape[0:-1]))", "five dimensions run on the CPU"),
    ),
    "MaxPool": (
        cpu("float", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8']", "wider integers run on the CPU (without quantisation)"), cpu("no-indices", "not exists(out[1])", "with indices it runs on the CPU"),
    ),
    "PRelu": (no("slope-const", "computed(in[1])", "the slope must be constant"), _KERNEL, _NOT_SCALAR, _FIVE),
    "Pow": (cpu("exponent-const", "computed(in[1])", "an exponent that is not constant runs on the CPU"), *ARITHMETIC,
            no("exponent-type", "dtype(in[1]) in ['float32', 'float16', 'float64', 'int32', 'int64']", "the toolkit cannot run it with this type of exponent"),
        cpu("exponent", "value(in[1])[0] in [-0.5, 0.5, 1, 2, 3]", "only the exponents -0.5, 0.5, 1, 2 and 3 run on the NPU", "write the power as multiplications")),
    "ReduceSum": (constant(1, "axes"), _FLOAT, cpu("axes-some", "not exists(in[1]) or in[1].size != 0 or known(attr.noop_with_empty_axes, 0) == 1", "an empty list of axes runs on the CPU"),
        cpu("something", f"{_SOMETHING} or (exists(in[1]) and all(a % 4 != 0 for a in value(in[1])))", "a sum over the first of four dimensions, of size 1, runs on the CPU")),
    "ReduceMean": (
        constant(1, "axes"), _FLOAT,
        cpu("axes-some", "not exists(in[1]) or in[1].size != 0 or known(attr.noop_with_empty_axes, 0) == 1", "an empty list of axes runs on the CPU"),
        cpu("something", _SOMETHING, "a mean over axes of size 1 runs on the CPU"),
    ),
    "Range": (no("inputs-const", "all(computed(t) for t in inputs)", "start, limit and delta must be constant"),),
    "ConstantOfShape": (no("shape-const", "computed(in[0])", "the shape must be constant"),),
    **dict.fromkeys(("Constant", "Shape"), ()),
    "ReduceL2": (_FLOAT, constant(1, "axes"), cpu("rank-4", f"in[0].rank <= 4 or (in[0].rank == 5 and {_FITS})", "rank 5 and more runs on the CPU, but for five dimensions of which the first or second is 1 and stays")),
    "Resize": (
        no("sizes-const", "all(t.size == 0 or computed(t) for t in inputs[1:4])", "scales and sizes must be constant"),
        no("no-kernel", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8', 'uint8', 'int32']", "the toolkit cannot run it with this type"), _FLOAT,
        cpu("mode", "known(attr.mode, 'nearest') in ['nearest', 'linear'] and in[0].rank in 3..4", "only nearest and linear of images run on the NPU"),
        cpu("align-corners", "known(attr.mode, 'nearest') != 'linear' or known(attr.coordinate_transformation_mode, 'half_pixel') != 'align_corners' or same(in[0].shape, out[0].shape)",
            "linear with align_corners runs on the CPU", "use pytorch_half_pixel or asymmetric"),
        cpu("half-pixel", "known(attr.mode, 'nearest') != 'linear' or known(attr.coordinate_transformation_mode, 'half_pixel') != 'half_pixel' or all(out[0].shape[d] % in[0].shape[d] == 0 for d in [0, 1, 2, 3] if d < in[0].rank)",
            "linear with half_pixel runs on the CPU unless the scales are whole numbers", "use pytorch_half_pixel"),
    ),
    "Upsample": (
        constant(1, "scales"), no("no-kernel", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8', 'uint8', 'int32']", "the toolkit cannot run it with this type"),
        cpu("float", f"dtype(in[0]) in {FLOAT[:-1]}, 'int32']", "narrow integers run on the CPU (without quantisation)"),
    ),
    "Softmax": (
        *ARITHMETIC,
        no("five-dimensions", "in[0].rank <= 4 or op_version < 13 or attr.axis in [-1, in[0].rank - 1] or any(d == 1 for d in in[0].shape[0:-1])", "five dimensions end in an error of the toolkit unless the axis is the last", "join two dimensions with Reshape"),
    ),
    "Sqrt": (*ARITHMETIC, cpu("not-quantised", f"unit_type(in[0]) in {FLOAT}", "it runs on the CPU between DequantizeLinear and QuantizeLinear"), cpu("rank-4", "in[0].rank <= 4", "rank 5 and more runs on the CPU")),
    "Sum": (*ARITHMETIC, cpu("two", "arity >= 2", "the sum of one input runs on the CPU")),
    "Transpose": (
        _NARROW,
        cpu("four-dimensions", f"in[0].rank <= 4 or len([d for d in in[0].shape if d != 1]) - {JOINED} <= 4", "more than four dimensions that do not stay together run on the CPU",
            "transpose in two steps of four dimensions"),
        cpu("order", "in[0].rank != 4 or attr.perm != [2, 1, 3, 0] or in[0].shape[3] % 4 == 0", "this order runs on the CPU unless the width is a multiple of 4"),
        cpu("plane", f"in[0].rank != 4 or attr.perm not in [[0, 2, 1, 3], [1, 0, 2, 3], [1, 0, 3, 2], [1, 2, 3, 0], [3, 2, 1, 0]] or {_image('in[0]')} <= 8192 or (attr.perm[0] == 0 and in[0].shape[1] == 1)",
            "this order runs on the CPU where height times width is above 8192", "transpose parts of at most 8192 elements, or keep the last two dimensions smaller"),
        cpu("few-channels", f"in[0].rank != 4 or attr.perm not in [[0, 2, 1, 3], [3, 2, 1, 0]] or in[0].shape[1] not in [1, 3, 4] or (in[0].shape[1] == 1 and attr.perm[0] == 0) or {_image('in[0]')} % 8 == 0",
            "this order runs on the CPU for 3 or 4 channels unless height times width is a multiple of 8"),
        cpu("mirrored", f"in[0].rank != 4 or attr.perm != [0, 3, 2, 1] or (({_image('in[0]')} <= 8192 or (in[0].shape[1] % 8 == 0 and in[0].shape[3] % 8 == 0))"
            " and (in[0].shape[1] * in[0].shape[2] <= 16384 or in[0].shape[3] % 8 == 0))",
            "this order runs on the CPU for large planes unless channels and width are multiples of 8"),
        cpu("width", "in[0].rank != 4 or attr.perm != [0, 1, 3, 2] or in[0].shape[3] <= 1024", "a width above 1024 is exchanged with the height on the CPU"),
    ),
    "Where": (
        no("no-kernel", f"dtype(in[1]) in {FLOAT[:-1]}, 'int32', 'int64', 'uint8']", "the toolkit cannot run it with this type"),
        cpu("float", f"dtype(in[1]) in {FLOAT}", "integers run on the CPU"),
        cpu("no-given-scalar", "out[0].rank <= 1 or computed(in[2]) or in[2].rank == out[0].rank or (out[0].rank >= 5 and in[2].rank >= 1)", "a third input of fewer dimensions that is not constant makes it run on the CPU", "make it a constant, or give it as many dimensions"),
        cpu("same-rank", "out[0].rank not in 2..3 or all(computed(t) or t.rank in [0, out[0].rank] for t in inputs)", "inputs of fewer dimensions make it run on the CPU", "give the inputs the same number of dimensions"),
    ),
    "Reshape": (constant(1, "shape"), *_RESHAPED),
    "Squeeze": (constant(1, "axes"), *_RESHAPED),
    "Unsqueeze": (constant(1, "axes"), *_RESHAPED),
    "Flatten": _RESHAPED,
    "Slice": (
        no("ends-const", "all(computed(t) for t in inputs[1:5])", "starts, ends, axes and steps must be constant"),
        _NARROW,
        cpu("steps", "not exists(in[4]) or all(value(in[4])[k] == 1 or (value(in[4])[k] == -1 and in[0].rank > 1 and value(in[3])[k] in [-1, in[0].rank - 1]) for k in [0, 1, 2, 3, 4] if k < in[4].size)"
            " or (in[0].rank <= 3 and same(in[0].shape, out[0].shape) and all(k > 0 for k in value(in[4])))",
            "steps other than 1 run on the CPU", "slice with step 1, or take the elements with Gather"),
        cpu("rank-4", "in[0].rank <= 4 or (any(d == 1 for d in in[0].shape[0:2]) and in[0].size != out[0].size and (in[1].size > 1 or any(out[0].shape[d] == 1 and in[0].shape[d] != 1 for d in [0, 1, 2, 3, 4] if d < in[0].rank)))",
            "slices of five dimensions run on the CPU"),
    ),
    "Pad": (
        no("pads-const", "not exists(in[1]) or computed(in[1])", "pads must be constant"),
        cpu("rank-4", "in[0].rank <= 4 or same(in[0].shape, out[0].shape) or (in[0].shape[0] == 1 and out[0].shape[0:2] == in[0].shape[0:2])", "five dimensions are padded on the CPU"),
        cpu("no-channels", "in[0].rank == 1 or same(in[0].shape, out[0].shape) or out[0].shape[CHANNELS] == in[0].shape[CHANNELS] or (known(attr.mode, 'constant') == 'constant' and in[0].shape[0] == 1 and in[0].rank in 3..4 and in[0].shape[CHANNELS] <= 512 and out[0].size * in[0].shape[CHANNELS] == in[0].size * out[0].shape[CHANNELS]) or (in[0].rank == 2 and known(attr.mode, 'constant') == 'constant' and out[0].shape[1] == in[0].shape[1] and out[0].shape[0] <= 512)", "padded channels run on the CPU, but for constants around the channels alone, of one image").filled("CHANNELS", "(0 if in[0].rank == 2 else 2 if in[0].rank == 3 and in[0].shape[0:2] == [1, 1] else 1)"),
        cpu("batch-zeros", "known(attr.mode, 'constant') == 'constant' or in[0].rank <= 2 or out[0].shape[0] == in[0].shape[0]", "another batch is made only of a constant on the NPU"),
    ),
    "Tile": (
        constant(1, "repeats"), _NARROW,
        cpu("one-axis", f"same(in[0].shape, out[0].shape) or {EXPANDS} or (in[0].rank == 4 and len([k for k in value(in[1]) if k != 1]) == 1 and out[0].shape[0] == in[0].shape[0]"
            f" and (out[0].shape[1] == in[0].shape[1] or in[0].shape[1] % {_LANE} == 0))",
            "tiling runs on the CPU unless it is of one axis of an image, or of axes of size 1"),
        cpu("not-the-batch", f"same(in[0].shape, out[0].shape) or not ({EXPANDS}) or in[0].rank < 3 or in[0].size == 1 or {_NOT_FIRST}",
            "repeating only the first dimension runs on the CPU"),
    ),
    "If": (no("tensors", "all(dtype(t) in ['float32', 'float16', 'float64', 'int8', 'uint8', 'int32', 'int64', 'bool'] for t in outputs)", "its results must be tensors"), no("condition-const", "computed(in[0])", "the condition must be constant"), vague("branch", "what the chosen branch becomes was not measured")),
    "Cast": (
        cpu("types", "(dtype(in[0]) in ['bool', 'int8', 'int32'] and dtype(out[0]) in FLOAT) or (dtype(in[0]) in FLOAT and dtype(out[0]) in ['int8', 'int16'])"
            " or (in[0].rank not in [0, 4] and ((dtype(in[0]) in FLOAT and dtype(out[0]) in FLOAT) or (dtype(in[0]) in ['bool', 'int8', 'uint8'] and dtype(out[0]) == dtype(in[0]))))",
            "the NPU casts only bool, int8 and int32 to floats, and floats to int8; between floats only what has not four dimensions").filled("FLOAT", FLOAT),
    ),
    "Einsum": (_FLOAT, cpu("no-diagonal", "canonical(attr.equation) not in ['aa->a', 'aa->', '...aa->...a', '...aa->...', 'aab->ab', 'abb->ab', 'abb->a']", "a letter twice in one term runs on the CPU", "take the diagonal outside of the model")),
}  # fmt: skip

#: What the compiler gives to the chip's CPU.
CPU: dict[str, tuple[Limit, ...]] = {
    **dict.fromkeys(
        ("Acos", "Acosh", "And", "Asin", "Asinh", "Atan", "Atanh", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Ceil",
         "Celu", "Cos", "Cosh", "Det", "Equal", "Erf", "Exp", "Floor", "GatherElements", "GlobalLpPool", "Greater",
         "GreaterOrEqual", "Hardmax", "IsInf", "IsNaN", "Less", "LessOrEqual", "Log", "LogSoftmax", "LpPool", "MatMulInteger",
         "MaxUnpool", "Mean", "MeanVarianceNormalization", "Min", "NegativeLogLikelihoodLoss", "Not", "Or", "Reciprocal",
         "ReduceMax", "ReduceMin", "ReduceProd", "ReverseSequence", "RoiAlign", "Round", "Scatter", "ScatterElements", "ScatterND", "Selu",
         "Bernoulli", "CenterCropPad", "ConvInteger", "DFT", "EyeLike", "Mod", "STFT", "TfIdfVectorizer",
         "Shrink", "BitShift", "CastLike", "Mish", "OneHot", "Sign", "Sin", "Sinh", "Size", "SoftmaxCrossEntropyLoss", "Softsign", "Tan", "Xor"), ()),
    "SpaceToDepth": (_KERNEL,),
    "QLinearConv": (_EIGHT_BITS,),
    "GatherND": (no("indices-given", "not computed(in[1]) or computed(in[0]) or in[1].rank < 2 or in[1].shape[-1] != 1 or known(attr.batch_dims, 0) != 0", "constant indices of the first dimension alone end in an error of the toolkit", "use Gather with these indices"),),
    "QLinearMatMul": (_EIGHT_BITS,),
    "Trilu": (no("no-kernel", f"dtype(in[0]) in {FLOAT[:-1]}, 'int64', 'bool']", "the toolkit cannot run it with this type"),),
    "ArgMax": (), "ArgMin": (), "OptionalGetElement": (), "Col2Im": (), "ReduceL1": (), "ReduceLogSum": (), "ReduceLogSumExp": (), "ReduceSumSquare": (),
    "LRN": (no("odd-size", "attr.size % 2 == 1", "the size must be odd"),),
    "TopK": (no("k-const", "op_version < 10 or computed(in[1])", "K must be constant"),),
    "Compress": (no("condition-const", "computed(in[1])", "the condition must be constant"),),
    "GridSample": (_KERNEL, no("mode", "known(attr.mode, 'bilinear') in ['bilinear', 'nearest', 'bicubic']", "the modes' names before opset 20 are bilinear, nearest and bicubic"),),
    "RNN": (_LAYOUT_0,),
}  # fmt: skip

#: A reduction over axes of size 1 that leaves them out is the reshape of an image.
_FROM_IMAGE = f"(attr.keepdims == 0 and {_image('in[0]')} % {_LANE} == 0)"
#: What the CPU does not do under this condition: it becomes a reshape, a multiplication, or parts that are joined.
_NO_REDUCTION = f"in[0].size == out[0].size and dtype(in[0]) in {FLOAT[:-1]}, 'int8'] and (in[0].rank in 1..3 or (in[0].rank == 5 and ({_FITS} or attr.keepdims == 0) and {_TO_IMAGE}) or (in[0].rank == 4 and {_FROM_IMAGE}))"
#: Lengths that do not grow.
_SHORTER = "all(value(in[1])[k + 1] <= value(in[1])[k] for k in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14] if k + 1 < in[1].size)"
#: What becomes of that on the other chips: the RV1103 reshapes on its NPU, the RK3566 on the CPU.
_RESHAPED_IMAGES = {"rv1103": "attr.keepdims == 0", "rk3566": "False"}
_RESHAPED_FIVE = {"rv1103": "in[0].rank == 5", "rk3566": "(in[0].rank == 5 and (attr.keepdims != 0 or out[0].rank != 4))"}  # fmt: skip
ELSEWHERE = {
    "ReduceMax": _NO_REDUCTION,
    "ReverseSequence": f"in[0].rank == 3 and dtype(in[0]) in {FLOAT} and not computed(in[0]) and computed(in[1]) and attr.time_axis == 0 and in[1].size <= 16 and {_SHORTER}",
    "GatherElements": f"computed(in[1]) and not computed(in[0]) and dtype(in[0]) in {FLOAT}",
    "ScatterND": f"computed(in[1]) and not computed(in[0]) and dtype(in[0]) in {FLOAT} and known(attr.reduction, 'none') == 'none'",
    "Hardmax": f"in[0].rank == 4 and dtype(in[0]) in {FLOAT} and ((attr.axis in [1, -3] and in[0].shape[1] % 8 == 0) or (attr.axis in [3, -1] and in[0].shape[3] % 16 == 0 and op_version >= 13))",
}


def elsewhere(op: str, chip: str) -> str | None:
    """The condition, as it is on this chip; None where the CPU does all of it."""
    if op == "Hardmax" and chip == "rk3566":
        return None
    when = ELSEWHERE.get(op)
    if op == "ScatterND" and chip == "rv1103":  # the rows of a matrix are split on the CPU
        return f"{when} and in[0].rank != 2"
    if when is None or op != "ReduceMax" or chip not in _RESHAPED_IMAGES:
        return when
    return when.replace(_FROM_IMAGE, _RESHAPED_IMAGES[chip]).replace(_TO_IMAGE, _RESHAPED_FIVE[chip])


#: What it refuses, and the sentence.
REFUSED = {
    "Adagrad": "training is not supported", "Adam": "training is not supported", "Momentum": "training is not supported",
    "DynamicQuantizeLinear": "its result would make the graph dynamic",
    "Loop": "it would make the graph dynamic", "NonMaxSuppression": "its inputs must be constant: the result's size is not known",
    "NonZero": "its input must be constant: the result's size is not known", "Unique": "its input must be constant: the result's size is not known",
    **dict.fromkeys(("Optional", "OptionalHasElement"), "optional values are not supported"),
    "SplitToSequence": "sequences are not supported", "SequenceInsert": "sequences are not supported", "SequenceMap": "sequences are not supported", "StringNormalizer": "text is not supported",
    "ArrayFeatureExtractor": "it becomes a custom operator that must be registered", "Binarizer": "it becomes a custom operator that must be registered",
    "TreeEnsemble": "it becomes a custom operator that must be registered", "Scan": "it becomes a custom operator that must be registered",
    "DeformConv": "it becomes a custom operator that must be registered",
}  # fmt: skip
#: Made from constants they are computed while the file is loaded: drawn ones are not, and a Constant is one.
NOT_AWAY = (
    "Bernoulli",
    "Constant",
    "GRU",
    "LSTM",
    "RNN",
    "If",
    *(op for op in REFUSED if op not in ("NonZero", "Unique", "NonMaxSuppression")),
)
ML = ("ArrayFeatureExtractor", "Binarizer", "TreeEnsemble")

CHIPS = {
    "rk3588": "Rockchip RK3588 (RKNN)",
    "rk3566": "Rockchip RK3566 and RK3568 (RKNN)",
    "rv1103": "Rockchip RV1103 and RV1106 (RKNN)",
}
#: Where a chip differs: what it gives to the CPU, and limits instead of the others'.
ON_CPU = {
    "rk3566": ("Softmax",),
    "rv1103": ("GRU", "InstanceNormalization", "LayerNormalization", "LpNormalization", "ReduceL2", "Sqrt"),
}
_GIVEN_WEIGHTS = no("weights-const", "all(computed(t) for t in inputs[1:4])", "weights and bias must be constant to be quantised")  # fmt: skip
#: What the RV1103 reshapes.
_SMALL = cpu("plane", f"(in[0].rank != 4 or {_image('in[0]')} <= 8192) and (out[0].rank != 4 or {_image('out[0]')} <= 8192)", "an image of more than 8192 pixels is reshaped on the CPU", "reshape before the image grows beyond 8192 pixels")  # fmt: skip
_ONLY_BYTES = NPU["Mul"][0]
#: The orders that the RK3566 turns on its NPU.
_FOURS = "(in[0].shape[1] % 4 == 0 and in[0].shape[{}] % 4 == 0)"
_KEPT = "[d for d in in[0].shape if d != 1] == [d for d in out[0].shape if d != 1]"
_TURNED_3566 = (
    f"(in[0].rank == 1) or (in[0].rank in 2..3 and ({_KEPT} or (attr.perm == [2, 1, 0] and any(d == 1 for d in in[0].shape))))"
    " or (in[0].rank == 2 and in[0].shape[0] % 4 == 0 and in[0].shape[1] % 4 == 0)"
    f" or (attr.perm == [0, 2, 1] and {_FOURS.format(2)}) or (attr.perm == [0, 3, 2, 1] and {_FOURS.format(3)})"
    " or (attr.perm in [[0, 1, 3, 2], [3, 1, 0, 2]] and in[0].shape[0] == 1 and in[0].shape[2] == 1 and in[0].shape[1] % 8 == 0)"
)


def _reshaping(one: Limit) -> Limit:
    """The RV1103 gives every reshape to its NPU."""
    return (
        replace(
            one,
            require=one.require.replace(_FROM_IMAGE, "attr.keepdims == 0").replace(_TO_IMAGE, _RESHAPED_FIVE["rv1103"]),
        )
        if one.id == "something"
        else one
    )


def _not_reshaping(one: Limit) -> Limit:
    """The RK3566 gives the reshape of an image to the CPU."""
    return (
        replace(one, require=one.require.replace(f" or {_FROM_IMAGE}", "").replace(_TO_IMAGE, _RESHAPED_FIVE["rk3566"]))
        if one.id == "something"
        else one
    )


def _halved(one: Limit) -> Limit:
    """The RK3566 stores 8 bytes together where the others store 16."""
    if one.id != "blocks":
        return one
    wide, half = ("16", "8") if "% 16" in one.require else ("8", "4")
    return replace(
        one, require=one.require.replace(f"% {wide}", f"% {half}"), say=one.say.replace(f"of {wide}", f"of {half}")
    )


#: The RK3566 reshapes no image into something else.
_NO_IMAGE = cpu(
    "no-image",
    f"(in[0].rank != 4 and out[0].rank != 4) or (in[0].rank == 4 and out[0].rank == 4 and (same(in[0].shape, out[0].shape) or ({_image('in[0]')} == {_image('out[0]')}"
    " and ((in[0].shape[1] == 1 and out[0].shape[1] == 1) or (in[0].shape[1] % 8 == 0 and out[0].shape[1] % 8 == 0)))))"
    f" or (in[0].rank != 4 and out[0].rank == 4 and {_image('out[0]')} == 1 and out[0].shape[1] % 4 == 0)",
    "from or to an image it is done on the CPU, but to one pixel of a multiple of 4 channels, and between images of as many pixels whose channels are multiples of 8",
)
INSTEAD: dict[str, dict[str, tuple[Limit, ...]]] = {
    "rk3566": {
        op: tuple(
            _NO_IMAGE
            if one.id == "aligned" else one
            for one in NPU[op]
        )
        for op in ("Reshape", "Squeeze", "Unsqueeze", "Flatten")
    }
    | {op: tuple(_not_reshaping(one) for one in NPU[op]) for op in ("ReduceMean", "ReduceSum")}
    | {
        "ConvTranspose": tuple(replace(one, require="all(k in [1, 2, 4, 8] for k in attr.strides)", say="strides other than 1, 2, 4 and 8 are spread out on the CPU") if one.id == "strides" else one for one in NPU["ConvTranspose"]),
        "Gather": tuple(replace(one, require=one.require.replace(_RESHAPED[2].require, _NO_IMAGE.require), say="the only slice of an image is a reshape, which runs on the CPU") if one.id == "reshaped" else one for one in NPU["Gather"]),
        "Cast": (replace(NPU["Cast"][0], require=NPU["Cast"][0].require.replace(", 'int32'", ""), say="the NPU casts only bool and int8 to floats, and floats to int8; between floats only what has not four dimensions"),),
        "Add": (_ONLY_BYTES, *_SUMS[1:]), "Sub": (_ONLY_BYTES, *NPU["Sub"][1:]),
        "Max": (cpu("no-wide-integers", "dtype(in[0]) not in ['int64', 'int32', 'uint8']", "integers run on the CPU (without quantisation)"), *NPU["Max"][1:]),
        "QuantizeLinear": tuple(_halved(one) for one in NPU["QuantizeLinear"]),
        "DequantizeLinear": tuple(_halved(one) for one in NPU["DequantizeLinear"]),
        "Transpose": (_NARROW, cpu("order", _TURNED_3566, "matrices are turned where both sizes are multiples of 4 or one is 1; of images only channels and width are exchanged, both multiples of 4", "keep the sizes that are exchanged multiples of 4")),
    },
    "rv1103": {
        **{op: tuple(_reshaping(one) for one in NPU[op]) for op in ("ReduceMean", "ReduceSum")},
        "Pow": tuple(replace(one, require="value(in[1])[0] in [1, 2, 3]", say="only the exponents 1, 2 and 3 run on the NPU") if one.id == "exponent" else one for one in NPU["Pow"]),
        "Transpose": tuple(
            replace(one, require=f"in[0].rank != 4 or in[0].shape[0] == 1 or ({one.require})", say="several images in this order run on the CPU unless the width is a multiple of 4") if one.id == "order" else one
            for one in NPU["Transpose"] if one.id != "few-channels"
        ),
        "Cast": (replace(NPU["Cast"][0], require=f"(dtype(in[0]) in {FLOAT} and dtype(out[0]) == 'bool') or (" + NPU["Cast"][0].require.replace(", 'int32'", "") + ")"),),
        "DepthToSpace": tuple(one for one in NPU["DepthToSpace"] if one.id != "blocks"),
        "ConvTranspose": tuple(one for one in NPU["ConvTranspose"] if one.id != "strides"),
        "And": (), "Div": (_FLOAT, next(one for one in NPU["Div"] if one.id == "constant-batch"), cpu("divisor-const", "computed(in[1])", "a division by what is not constant runs on the CPU")),
        **{op: tuple(_SMALL if one.id == "aligned" else one for one in NPU[op]) for op in ("Reshape", "Squeeze", "Unsqueeze", "Flatten")},
        "Softmax": (*NPU["Softmax"], cpu("height", f"in[0].rank != 4 or attr.axis not in [-1, 3] or {_image('in[0]')} <= 8192 or in[0].shape[2] <= 144 or in[0].shape[1] % 16 == 0", "over the width it runs on the CPU for large images that are higher than 144", "split the height, or make the channels a multiple of 16")),
        "GRU": (_GIVEN_WEIGHTS, *NPU["GRU"]),
        "LSTM": (_GIVEN_WEIGHTS, no("both-states", "not exists(in[5]) or exists(in[6])", "the first hidden state without the first cell state ends in an error of the toolkit", "give both states, or none"), *NPU["LSTM"]),
        "Gather": (
            *(one for one in NPU["Gather"] if one.id != "reshaped"),
            cpu("channels", "in[1].size == 1 or in[0].rank == 1 or (in[0].rank == 2 and attr.axis in [0, -2]) or (in[0].rank == 3 and attr.axis in [1, -2]) or (in[0].rank == 4 and attr.axis in [1, -3])",
                "several indices are gathered on the NPU only along the channels"),
        ),
    },
}  # fmt: skip
