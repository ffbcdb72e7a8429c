"""What RKNN-Toolkit2 2.5.0 was measured to give to the chip's CPU, what it refuses, and where the chips differ; see rknn_rules.py."""

from __future__ import annotations

from dataclasses import replace

from rknn_npu import NPU
from rknn_rules import (
    AND_FIVE,
    EIGHT_BITS,
    FITS,
    FLOAT,
    KERNEL,
    LANE,
    MIXED,
    NARROW,
    ONE_SIDED,
    ONLY_FLOATS,
    RESHAPED,
    SUMS,
    TO_IMAGE,
    Limit,
    cpu,
    image,
    mixed,
    no,
)

#: What the compiler gives to the chip's CPU.
CPU: dict[str, tuple[Limit, ...]] = {
    **dict.fromkeys(
        ("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Ceil",
         "Celu", "Cos", "Cosh", "Det", "Equal", "Erf", "Exp", "Floor", "GatherElements", "GlobalLpPool", "Greater",
         "GreaterOrEqual", "Hardmax", "IsInf", "IsNaN", "Less", "LessOrEqual", "Log", "LogSoftmax", "LpPool", "MatMulInteger",
         "MaxUnpool", "Mean", "MeanVarianceNormalization", "Min", "NegativeLogLikelihoodLoss", "Not", "Or",
         "ReduceMax", "ReduceMin", "ReduceProd", "ReverseSequence", "RoiAlign", "Round", "Scatter", "ScatterElements", "ScatterND", "Selu",
         "Bernoulli", "CenterCropPad", "ConvInteger", "DFT", "EyeLike", "Mod", "STFT", "TfIdfVectorizer",
         "GroupNormalization", "MaxRoiPool", "Multinomial", "ai.onnx.ml::Normalizer", "com.microsoft::Attention", "com.microsoft::Gelu",
         "Shrink", "BitShift", "CastLike", "Mish", "Sign", "Sin", "Sinh", "Size", "SoftmaxCrossEntropyLoss", "Softsign", "Tan", "Xor"), ()),
    "And": (AND_FIVE,),
    "Reciprocal": tuple(one for one in NPU["Neg"] if one.id == "five-dimensions"),
    "SpaceToDepth": (KERNEL,),
    "OneHot": (no("no-kernel", "(dtype(in[2]) in FLOATS and ((dtype(in[1]) in FLOATS and dtype(in[0]) in FLOATS + ['int32', 'int64']) or (dtype(in[1]) == 'int32' and dtype(in[0]) in ['int32', 'int64']) or dtype(in[0]) == dtype(in[1]) == 'int64'))"
        " or (dtype(in[1]) == dtype(in[2]) == 'int64' and dtype(in[0]) in FLOATS + ['int64']) or (dtype(in[2]) == 'int32' and dtype(in[1]) in FLOATS and dtype(in[0]) == 'int64')".replace("FLOATS", "['float32', 'float16']"),
        "the toolkit cannot run it with these types", "make indices, depth and values int64, or the values float32"),),
    "QLinearConv": (EIGHT_BITS,),
    "GatherND": (no("indices-given", "not computed(in[1]) or computed(in[0]) or in[1].rank < 2 or in[1].shape[-1] != 1 or known(attr.batch_dims, 0) != 0", "constant indices of the first dimension alone end in an error of the toolkit", "use Gather with these indices"),),
    "QLinearMatMul": (EIGHT_BITS,),
    "Trilu": (no("no-kernel", f"dtype(in[0]) in {FLOAT[:-1]}, 'int64', 'bool']", "the toolkit cannot run it with this type"),),
    "ArgMax": (), "ArgMin": (), "OptionalGetElement": (), "Col2Im": (), "ReduceL1": (), "ReduceLogSum": (), "ReduceLogSumExp": (), "ReduceSumSquare": (),
    "LRN": (no("odd-size", "attr.size % 2 == 1", "the size must be odd"),),
    "TopK": (no("k-const", "op_version < 10 or computed(in[1])", "K must be constant"),),
    "Compress": (no("condition-const", "computed(in[1])", "the condition must be constant"),),
    "GridSample": (KERNEL, no("mode", "known(attr.mode, 'bilinear') in ['bilinear', 'nearest', 'bicubic']", "the modes' names before opset 20 are bilinear, nearest and bicubic"),),
    "RNN": (),
}  # fmt: skip
#: Operators of other domains that the toolkit takes for ONNX's own of the same name.
CPU |= {f"com.microsoft::{op}": CPU[op] for op in ("GatherND", "GridSample", "Trilu")}

#: A reduction over axes of size 1 that leaves them out is the reshape of an image.
_FROM_IMAGE = f"(attr.keepdims == 0 and {image('in[0]')} % {LANE} == 0)"
#: What the CPU does not do under this condition: it becomes a reshape, a multiplication, or parts that are joined.
_NO_REDUCTION = f"in[0].size == out[0].size and dtype(in[0]) in {FLOAT[:-1]}, 'int8'] and (in[0].rank in 1..3 or (in[0].rank == 5 and ({FITS} or attr.keepdims == 0) and {TO_IMAGE}) or (in[0].rank == 4 and ({_FROM_IMAGE} or {ONE_SIDED})))"
#: Lengths that do not grow.
_SHORTER = f"(min(value(in[1])) == max(value(in[1])) or (in[1].size <= 16 and all(value(in[1])[k + 1] <= value(in[1])[k] for k in {list(range(15))} if k + 1 < in[1].size)))"
#: What becomes of that on the other chips: the RV1103 reshapes on its NPU, the RK3566 on the CPU.
_RESHAPED_IMAGES = {"rv1103": "attr.keepdims == 0", "rk3566": "False"}
_RESHAPED_FIVE = {"rv1103": "in[0].rank == 5", "rk3566": "(in[0].rank == 5 and (attr.keepdims != 0 or out[0].rank != 4))"}  # fmt: skip
ELSEWHERE = {
    "ReduceMax": _NO_REDUCTION,
    "ReverseSequence": f"in[0].rank == 3 and dtype(in[0]) in {FLOAT} and not computed(in[0]) and computed(in[1]) and attr.time_axis == 0 and {_SHORTER}",
    "GatherElements": f"computed(in[1]) and not computed(in[0]) and dtype(in[0]) in {FLOAT}",
    "ScatterND": f"in[2].size < in[0].size and in[1].rank == 2 and in[1].shape[1] == 1 and computed(in[1]) and not computed(in[0]) and dtype(in[0]) in {FLOAT} and known(attr.reduction, 'none') == 'none'",
    "Hardmax": f"in[0].rank == 4 and dtype(in[0]) in {FLOAT} and ((attr.axis in [1, -3] and in[0].shape[1] % 8 == 0) or (attr.axis in [3, -1] and in[0].shape[3] % 16 == 0 and op_version >= 13))",
}


def elsewhere(op: str, chip: str) -> str | None:
    """The condition, as it is on this chip; None where the CPU does all of it."""
    if op == "Hardmax" and chip == "rk3566":
        return None
    if op in ON_CPU.get(chip, ()) and chip == "rv1103":  # a file that brings its own scales leaves it the floats
        return f"in[0].producer == 'DequantizeLinear' and unit_type(out[0]) in {FLOAT}"
    when = ELSEWHERE.get(op)
    if op == "ScatterND" and chip == "rv1103":  # the rows of a matrix are split on the CPU
        return f"{when} and in[0].rank != 2"
    if when is None or op != "ReduceMax" or chip not in _RESHAPED_IMAGES:
        return when
    return when.replace(_FROM_IMAGE, _RESHAPED_IMAGES[chip]).replace(TO_IMAGE, _RESHAPED_FIVE[chip])


CUSTOM = "it becomes a custom operator that must be registered"
#: Operators that ONNX got after opset 19, and when.
NEWER = {
    **dict.fromkeys(("AffineGrid", "Gelu", "ImageDecoder", "RegexFullMatch", "StringConcat", "StringSplit"), 20),
    **dict.fromkeys(("Attention", "RMSNormalization", "RotaryEmbedding"), 23),
    **dict.fromkeys(("Swish", "TensorScatter"), 24), **dict.fromkeys(("BitCast", "CumProd"), 26),
    **dict.fromkeys(("CausalConvWithState", "LinearAttention"), 27), "SwiGLU": 28, "ai.onnx.preview::FlexAttention": 26,
}  # fmt: skip
#: What it refuses, and the sentence.
REFUSED = {
    **{op: f"it came with opset {opset}, and the toolkit loads files up to opset 19" for op, opset in NEWER.items()},
    **dict.fromkeys(("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), "random numbers are not supported"),
    **dict.fromkeys(("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceLength", "ConcatFromSequence"), "sequences are not supported"),
    **dict.fromkeys((f"ai.onnx.preview.training::{op}" for op in ("Adagrad", "Adam", "Momentum", "Gradient")), "training is not supported"),
    "DynamicQuantizeLinear": "its result would make the graph dynamic",
    "Loop": "it would make the graph dynamic", "NonMaxSuppression": "its inputs must be constant: the result's size is not known",
    "NonZero": "its input must be constant: the result's size is not known", "Unique": "its input must be constant: the result's size is not known",
    **dict.fromkeys(("Optional", "OptionalHasElement"), "optional values are not supported"),
    "SplitToSequence": "sequences are not supported", "SequenceInsert": "sequences are not supported", "SequenceMap": "sequences are not supported", "StringNormalizer": "text is not supported",
    **dict.fromkeys(("DeformConv", "Scan"), CUSTOM),
    **dict.fromkeys((f"ai.onnx.ml::{op}" for op in ("ArrayFeatureExtractor", "Binarizer", "FeatureVectorizer", "Imputer", "LabelEncoder", "LinearClassifier",
        "LinearRegressor", "OneHotEncoder", "SVMClassifier", "SVMRegressor", "Scaler", "TreeEnsemble")), CUSTOM),
}  # fmt: skip
#: Made from constants they are computed while the file is loaded: drawn ones are not, and a Constant is one.
NOT_AWAY = (
    "Bernoulli",
    "Constant",
    "GRU",
    "LSTM",
    "RNN",
    "If",
    "Multinomial",
    *(op for op in REFUSED if op not in ("NonZero", "Unique", "NonMaxSuppression")),
)

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
_SMALL = cpu("plane", f"(in[0].rank == 4 and {image('in[0]')} <= 16384 and (out[0].rank != 4 or {image('out[0]')} <= 16384)) or (in[0].rank != 4 and (out[0].rank != 4 or {image('out[0]')} <= 8192))", "an image of more than 16384 pixels is reshaped on the CPU, and what becomes an image of more than 8192", "reshape before the image grows")  # fmt: skip
_ONLY_BYTES = NPU["Mul"][0]
#: Elements that the RK3566 stores together: 8 bytes.
_HALF_LANE = LANE.replace("(8 if", "(4 if").replace("else 16)", "else 8)")
#: The orders that the RK3566 turns on its NPU.
_FOURS = f"(in[0].shape[1] % {_HALF_LANE} == 0 and in[0].shape[{{}}] % {_HALF_LANE} == 0)"
_KEPT = "[p for p in attr.perm if in[0].shape[p] != 1] == [p for p in [0, 1, 2, 3, 4] if p < in[0].rank and in[0].shape[p] != 1]"
_TURNED_3566 = (
    f"(in[0].rank == 1) or (in[0].rank in 2..3 and ({_KEPT} or (attr.perm == [2, 1, 0] and any(d == 1 for d in in[0].shape))))"
    f" or (in[0].rank == 2 and in[0].shape[0] % {_HALF_LANE} == 0 and in[0].shape[1] % {_HALF_LANE} == 0 and in[0].shape[0] <= 8192 and in[0].shape[1] < 8192)"
    f" or (attr.perm == [0, 2, 1] and {_FOURS.format(2)} and in[0].shape[1] <= 8192 and in[0].shape[2] < 8192) or (attr.perm == [0, 3, 2, 1] and {_FOURS.format(3)} and in[0].shape[1] <= 8192 and in[0].shape[3] < 8192)"
    " or (attr.perm in [[0, 1, 3, 2], [3, 1, 0, 2]] and in[0].shape[0] == 1 and in[0].shape[2] == 1 and in[0].shape[1] % 8 == 0)"
)

_READ_AS_BYTES = "(out[0].consumers != [] and all(c in ['QuantizeLinear', 'Relu', 'Clip'] for c in out[0].consumers))"
#: Floats beside 8-bit integers: the toolkit does not quantise what brings its own scales, and this chip has no floats.
_ALL_QUANTISED = no(
    "all-quantised",
    "(in[0].producer == 'DequantizeLinear' and in[1].producer == 'DequantizeLinear' and " + _READ_AS_BYTES + ")"
    " or (in[0].producer != 'DequantizeLinear' and in[1].producer != 'DequantizeLinear' and (out[0].consumers == [] or any(c != 'QuantizeLinear' for c in out[0].consumers)))",
    "in a file that brings its own scales, input, weights and result must all be quantised: the chip has no floats",
    "quantise the weights and the result too, or none of the file",
)
#: The same of matrices ends in a time-out or an abort of the compiler: neither is evidence.
_COMPILER_LOST = Limit(
    id="all-quantised",
    say="beside floats in a file that brings its own scales the compiler gives no answer: quantise all of its inputs and its result",
    require=_ALL_QUANTISED.require.replace(", 'Relu', 'Clip'", ""),
    otherwise="opaque",
)
_TURNED_1103 = (
    cpu("columns", "in[0].rank not in 2..3 or attr.perm not in [[1, 0], [0, 2, 1]] or in[0].shape[-1] <= 8192 or in[0].shape[-2] <= 16 or (in[0].shape[-2] % 16 == 0 and in[0].shape[-1] % 16 == 0)",
        "a matrix of more than 8192 columns is turned on the CPU unless both sizes are multiples of 16", "turn parts of at most 8192 columns"),
    cpu("sides", "in[0].rank != 4 or attr.perm not in [[0, 2, 3, 1], [0, 3, 1, 2]] or (in[0].shape[2] <= 8192 and in[0].shape[3] < 8192)", "an image of more than 8192 rows, or of 8192 columns, is turned on the CPU"),
)  # fmt: skip


def _reshaping(one: Limit) -> Limit:
    """The RV1103 gives every reshape to its NPU."""
    return (
        replace(
            one,
            require=one.require.replace(_FROM_IMAGE, "attr.keepdims == 0").replace(TO_IMAGE, _RESHAPED_FIVE["rv1103"]),
        )
        if one.id == "something"
        else one
    )


def _not_reshaping(one: Limit) -> Limit:
    """The RK3566 gives the reshape of an image to the CPU."""
    return (
        replace(one, require=one.require.replace(f" or {_FROM_IMAGE}", "").replace(TO_IMAGE, _RESHAPED_FIVE["rk3566"]))
        if one.id == "something"
        else one
    )


def halved(one: Limit) -> Limit:
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
    f"(in[0].rank != 4 and out[0].rank != 4) or (in[0].rank == 4 and out[0].rank == 4 and (same(in[0].shape, out[0].shape) or ({image('in[0]')} == {image('out[0]')}"
    " and ((in[0].shape[1] == 1 and out[0].shape[1] == 1) or (in[0].shape[1] % 8 == 0 and out[0].shape[1] % 8 == 0)))))"
    f" or (in[0].rank != 4 and out[0].rank == 4 and {image('out[0]')} == 1 and out[0].shape[1] % 4 == 0)",
    "from or to an image it is done on the CPU, but to one pixel of a multiple of 4 channels, and between images of as many pixels whose channels are multiples of 8",
)
INSTEAD: dict[str, dict[str, tuple[Limit, ...]]] = {
    "rk3566": {
        op: tuple(
            _NO_IMAGE
            if one.id == "aligned" else one
            for one in NPU[op] if one.id != "pixels"
        )
        for op in ("Reshape", "Squeeze", "Unsqueeze", "Flatten")
    }
    | {op: tuple(_not_reshaping(one) for one in NPU[op]) for op in ("ReduceMean", "ReduceSum")}
    | {
        "ConvTranspose": tuple(replace(one, require="all(k in [1, 2, 4, 8] for k in attr.strides)", say="strides other than 1, 2, 4 and 8 are spread out on the CPU") if one.id == "strides" else one for one in NPU["ConvTranspose"]),
        "Gather": tuple(replace(one, require=one.require.replace(RESHAPED[2].require, _NO_IMAGE.require), say="the only slice of an image is a reshape, which runs on the CPU") if one.id == "reshaped" else one for one in NPU["Gather"]),
        "Pad": tuple(replace(one, require=one.require.replace(LANE, _HALF_LANE), say=one.say.replace("16 bytes", "8 bytes")) if one.id == "no-channels" else one for one in NPU["Pad"]),
        "Cast": (replace(NPU["Cast"][0], require=NPU["Cast"][0].require.replace(", 'int32'", ""), say="the NPU casts only bool and int8 to floats, and floats to int8; between floats only what has not four dimensions"),),
        "Add": (_ONLY_BYTES, *SUMS[1:]), "Sub": (_ONLY_BYTES, *NPU["Sub"][1:]),
        "Expand": tuple(replace(one, id="no-wide-integers", require="dtype(in[0]) not in ['int32', 'int64']", say="wide integers are expanded on the CPU") if one.id == "no-int64" else one for one in NPU["Expand"]),
        "Max": (cpu("no-wide-integers", "dtype(in[0]) not in ['int64', 'int32', 'uint8']", "integers run on the CPU (without quantisation)"), *NPU["Max"][1:]),
        "Transpose": (NARROW, cpu("order", _TURNED_3566, "matrices are turned where both sizes are multiples of 4 or one is 1; of images only channels and width are exchanged, both multiples of 4", "keep the sizes that are exchanged multiples of 4")),
    },
    "rv1103": {
        "HardSigmoid": (no("alpha", "attr.alpha != 0", "an alpha of 0 ends in a division by zero of the toolkit", "leave the node out: it makes a constant"), *NPU["HardSigmoid"]),
        "AveragePool": tuple(replace(one, require=f"not exists(attr.pads) or all(p == 0 for p in attr.pads) or {one.require}") if one.id == "padding-counted" else one for one in NPU["AveragePool"]),
        **{op: tuple(_reshaping(one) for one in NPU[op]) for op in ("ReduceMean", "ReduceSum")},
        "Pow": tuple(replace(one, require="const(in[1]) and value(in[1])[0] in [1, 2, 3]", say="only the exponents 1, 2 and 3 run on the NPU") if one.id == "exponent" else one for one in NPU["Pow"]),
        "Transpose": tuple(
            replace(one, require=f"in[0].rank != 4 or in[0].shape[0] == 1 or ({one.require})", say="several images in this order run on the CPU unless the width is a multiple of 4") if one.id == "order" else one
            for one in (*(replace(one, require=one.require.replace("<= 8192", "<= (16384 if attr.perm in [[0, 2, 1, 3], [3, 2, 1, 0]] else 8192)")) if one.id == "plane" else replace(one, require=one.require.replace("% 8", "% 16")) if one.id == "mirrored" else one for one in NPU["Transpose"]), *_TURNED_1103) if one.id not in ("few-channels", "matrix", "matrices", "long")
        ),
        "Cast": (replace(NPU["Cast"][0], require=f"(dtype(in[0]) in {FLOAT} and dtype(out[0]) == 'bool') or (" + NPU["Cast"][0].require.replace(", 'int32'", "") + ")"),),
        "DepthToSpace": tuple(one for one in NPU["DepthToSpace"] if one.id != "blocks"),
        "Conv": (_ALL_QUANTISED, *NPU["Conv"]),
        **{op: (*NPU[op], _COMPILER_LOST) for op in ("MatMul", "Gemm")},
        "ConvTranspose": (_ALL_QUANTISED, *(one for one in NPU["ConvTranspose"] if one.id != "strides")),
        "Pad": tuple(replace(one, require=one.require.replace(LANE, "16"), say=one.say.replace("16 bytes", "16")) if one.id == "no-channels" else one for one in NPU["Pad"]),
        "And": (AND_FIVE,), "Div": (ONLY_FLOATS, next(one for one in NPU["Div"] if one.id == "constant-batch"), mixed("t.rank == out[0].rank and t.shape[-1] == out[0].shape[-1] and (out[0].rank != 4 or t.shape[-2] == out[0].shape[-2])", "floats beside 8-bit integers are divided on the CPU where ranks, heights or widths differ"), cpu("divisor-const", f"computed(in[1]) or {MIXED}", "a division by what is not constant runs on the CPU, but of floats beside 8-bit integers")),
        **{op: tuple(_SMALL if one.id == "aligned" else one for one in NPU[op] if one.id != "pixels") for op in ("Reshape", "Squeeze", "Unsqueeze", "Flatten")},
        "Softmax": (*NPU["Softmax"], cpu("height", f"in[0].rank != 4 or attr.axis not in [-1, 3] or {image('in[0]')} <= 8192 or in[0].shape[2] <= 144 or in[0].shape[1] % 16 == 0", "over the width it runs on the CPU for large images that are higher than 144", "split the height, or make the channels a multiple of 16")),
        "GRU": (_GIVEN_WEIGHTS, *NPU["GRU"]),
        "LSTM": (_GIVEN_WEIGHTS, no("both-states", "not exists(in[5]) or exists(in[6])", "the first hidden state without the first cell state ends in an error of the toolkit", "give both states, or none"), *NPU["LSTM"]),
        "Gather": (
            *(one for one in NPU["Gather"] if one.id != "reshaped"),
            cpu("channels", f"in[1].size == 1 or unit_type(in[0]) not in {FLOAT} or in[0].rank == 1 or (in[0].rank == 2 and attr.axis in [0, -2]) or (in[0].rank == 3 and attr.axis in [1, -2]) or (in[0].rank == 4 and attr.axis in [1, -3])",
                "several indices are gathered on the NPU only along the channels, where the file does not bring its own scales"),
        ),
    },
}  # fmt: skip
