"""Write op_tables/targets/rknn-rk3588.toml, rknn-rk3566.toml and rknn-rv1103.toml.

    python scripts/import_rknn.py CHECKOUT [--check]

CHECKOUT holds doc/RKNNToolKit2_OP_Support-2.3.2.md of airockchip/rknn-toolkit2 at the commit below. That list says only which
operators the toolkit knows, and is older than the toolkit: what the compiler of rknn-toolkit2 2.5.0 does with each was
measured (oracle `rknn`, op_tables/evidence/rknn-2.5.0.jsonl), and stands in this file as rules. Rockchip's licence lets
nobody take the software apart: nothing here comes from its code. Each operator cites the line of the list, where there
is one, and the measurement.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TABLES = Path(__file__).parents[1] / "op_tables" / "targets"
COMMIT = "59a913d172e7f5ff03c9076e2ec7b1b1288ffd08"
LIST = "doc/RKNNToolKit2_OP_Support-2.3.2.md"
_ROW = re.compile(r"^\| (\w+) +\| ")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One [[op.limit]]; without `require` it is opaque."""

    id: str
    say: str
    require: str = ""
    otherwise: str = "fallback"
    help: str = ""


def cpu(id: str, require: str, say: str, help: str = "") -> Limit:
    return Limit(id=id, require=require, say=say, help=help)


def no(id: str, require: str, say: str, help: str = "") -> Limit:
    return Limit(id=id, require=require, say=say, otherwise="rejected", help=help)


def vague(id: str, say: str, when: str = "") -> Limit:
    """Not known where `when` holds: written as a limit that is opaque."""
    return Limit(id=id, say=say, require=when, otherwise="opaque")


FLOAT = "['float32', 'float16', 'float64']"
_FLOAT = cpu("float", f"dtype(in[0]) in {FLOAT}", "integers run on the CPU (without quantisation)")
_NOT_SCALAR = cpu("not-scalar", "out[0].rank >= 1", "a scalar runs on the CPU")
ARITHMETIC = (_FLOAT, _NOT_SCALAR)
_INNER = "(in[0].size // (in[0].shape[0] * in[0].shape[1]))"  # elements behind the channels
_RESHAPED = (
    _NOT_SCALAR,
    cpu("no-scalar", "in[0].rank >= 1", "a scalar runs on the CPU"),
    cpu("no-integers", "dtype(in[0]) not in ['int32', 'int64']", "wide integers are reshaped on the CPU"),
    cpu("aligned", f"in[0].rank < 4 or in[0].shape[1] == 1 or {_INNER} == 1 or {_INNER} % 8 == 0", "the size behind the channels must be a multiple of 8"),
    vague("layout", "a reshape of rank 3 or less, of several images, or with one channel was seen on both the NPU and the CPU", f"in[0].rank >= 3 and in[0].shape[0] == 1 and {_INNER} % 8 == 0"),
)  # fmt: skip


def constant(place: int, what: str, help: str = "") -> Limit:
    return no(f"{what}-const", f"not exists(in[{place}]) or folded(in[{place}])", f"{what} must be constant", help)


#: What runs on the NPU, and under what limits.
NPU: dict[str, tuple[Limit, ...]] = {
    **dict.fromkeys(("Add", "Mul", "Sub"), (
        cpu("float", f"dtype(in[0]) in {FLOAT[:-1]}, 'int8']", "wider integers run on the CPU (without quantisation)"), _NOT_SCALAR,
    )),
    **dict.fromkeys(("Abs", "Neg", "Clip", "Concat", "Softplus", "Tanh", "ThresholdedRelu", "Elu", "HardSigmoid", "HardSwish"), (_FLOAT,)),
    **dict.fromkeys(("LeakyRelu", "Relu", "Sigmoid", "Dropout", "Split"), (_FLOAT,)),
    "AveragePool": (
        _FLOAT,
        cpu("padding-counted", "known(attr.count_include_pad, 0) != 0 or ((not exists(attr.pads) or all(p == 0 for p in attr.pads)) and known(attr.ceil_mode, 0) == 0)",
            "padding that is not counted (count_include_pad = 0), or a rounded-up size, runs on the CPU", "pad with Pad before the pooling, or set count_include_pad"),
    ),
    "BatchNormalization": (
        no("inference", "known(attr.training_mode, 0) == 0", "training mode is not supported", "export after model.eval()"),
        no("statistics-const", "all(folded(t) for t in inputs[1:5])", "scale, bias, mean and variance must be constant"),
        _FLOAT,
    ),
    "Conv": (_FLOAT,),
    "ConvTranspose": (no("no-same", "known(attr.auto_pad, 'NOTSET') in ['NOTSET', 'VALID']", "auto_pad SAME is not supported", "write the padding as pads"), _FLOAT),
    "CumSum": (constant(1, "axis"), _FLOAT),
    "DepthToSpace": (_FLOAT, cpu("blocks", "attr.blocksize in [2, 4]", "only blocks of 2 and 4 were seen on the NPU")),
    "DequantizeLinear": (
        constant(1, "scale"), no("zero-point-given", "folded(in[2])", "the zero point must be given and constant"),
        cpu("8-bit", "dtype(in[0]) in ['int8', 'uint8']", "only 8-bit integers are converted on the NPU"),
        vague("rank-4", "only tensors of rank 4 were seen on the NPU throughout", "in[0].rank == 4"),
    ),
    "QuantizeLinear": (
        constant(1, "scale"), no("zero-point-given", "exists(in[2])", "the zero point must be given"), _FLOAT,
        vague("rank-4", "only tensors of rank 4 were seen on the NPU throughout", "in[0].rank == 4"),
    ),
    "Div": (
        *ARITHMETIC,
        vague("divisor", "a division by what is not constant was seen on both the NPU and the CPU", "folded(in[1]) or (in[0].rank == 4 and same(in[0].shape, in[1].shape))"),
    ),
    "Expand": (constant(1, "shape"), *ARITHMETIC),
    "GRU": (no("layout-0", "known(attr.layout, 0) == 0", "layout must be 0"), _FLOAT),
    "LSTM": (
        no("layout-0", "known(attr.layout, 0) == 0", "layout must be 0"),
        no("no-peepholes", "not exists(in[7])", "peepholes are not supported"), _FLOAT,
    ),
    "Gather": (cpu("indices-const", "folded(in[1])", "indices that are not constant are gathered on the CPU"), cpu("no-int64", "dtype(in[0]) != 'int64'", "int64 is gathered on the CPU")),
    "Gemm": (
        _FLOAT,
        no("bias-rank-2", "not exists(in[2]) or folded(in[2]) or in[2].rank == 2", "a bias that is not constant must have rank 2", "make the bias constant, or add it with Add"),
    ),
    "GlobalAveragePool": (_FLOAT,),
    "GlobalMaxPool": (_FLOAT,),
    "Identity": (_NOT_SCALAR,),
    "InstanceNormalization": (_FLOAT, cpu("scale-const", "folded(in[1]) and folded(in[2])", "scale and bias that are not constant make it run on the CPU")),
    "LayerNormalization": (
        _FLOAT,
        no("bias-given", "exists(in[2]) or not folded(in[1]) or (in[0].rank == 4 and attr.axis in [-1, 3])", "the bias must be given", "add a bias of zeros"),
        cpu("scale-const", "folded(in[1]) and folded(in[2])", "scale and bias that are not constant make it run on the CPU"),
        vague("last-axis", "more than the last axis was not seen with constant scale and bias", "attr.axis == -1 or attr.axis == in[0].rank - 1"),
    ),
    "LpNormalization": (_FLOAT, vague("axis", "the first axis, and a rank of 5 and more, were seen on the NPU, on the CPU and refused", "in[0].rank <= 4 and attr.axis % in[0].rank != 0")),
    "MatMul": (
        _FLOAT,
        cpu("one-side-broadcast", "in[0].rank < 4 or in[1].rank < 4 or same(in[0].shape[0:2], in[1].shape[0:2]) or in[0].shape[0:2] == [1, 1] or in[1].shape[0:2] == [1, 1]",
            "batch dimensions that broadcast both ways are done on the CPU"),
    ),
    "Max": (
        _FLOAT, cpu("rank-4", "all(t.rank >= 1 for t in inputs) and out[0].rank >= 4", "only rank 4 and more was seen on the NPU"),
        vague("two-alike", "broadcast was seen on both the NPU and the CPU", "len(inputs) >= 2 and all(t.shape == out[0].shape or (const(t) and t.size == 1) for t in inputs)"),
    ),
    "MaxPool": (
        _FLOAT, cpu("no-indices", "not exists(out[1])", "with indices it runs on the CPU"),
        vague("plain", "windows that are not square were seen on both the NPU and the CPU", "same(attr.kernel_shape[0], attr.kernel_shape[-1]) and known(attr.storage_order, 0) == 0"),
    ),
    "PRelu": (no("slope-const", "folded(in[1])", "the slope must be constant"), *ARITHMETIC),
    "Pow": (cpu("exponent-const", "folded(in[1])", "an exponent that is not constant runs on the CPU"), *ARITHMETIC,
            cpu("exponent-scalar", "in[1].size == 1", "an exponent for each element runs on the CPU")),
    "ReduceSum": (constant(1, "axes"), _FLOAT, vague("axes-some", "an empty list of axes was seen on both the NPU and the CPU", "not exists(in[1]) or in[1].size != 0")),
    "ReduceMean": (
        constant(1, "axes"), _FLOAT,
        vague("axes-some", "an empty list of axes was seen on both the NPU and the CPU", "not exists(in[1]) or in[1].size != 0"),
        cpu("something", "in[0].size != out[0].size", "a mean over axes of size 1 runs on the CPU"),
    ),
    "Range": (no("inputs-const", "all(folded(t) for t in inputs)", "start, limit and delta must be constant"),),
    "ConstantOfShape": (no("shape-const", "folded(in[0])", "the shape must be constant"),),
    **dict.fromkeys(("Constant", "Shape"), ()),
    "ReduceL2": (_FLOAT, constant(1, "axes"), vague("rank", "a rank of 5 and more was seen on both the NPU and the CPU", "in[0].rank <= 4 and (not exists(in[1]) or in[1].size != 0)")),
    "Resize": (
        no("sizes-const", "all(t.size == 0 or folded(t) for t in inputs[1:4])", "scales and sizes must be constant"), _FLOAT,
        vague("mode", "only nearest and linear with rank 4 were seen on the NPU", "in[0].rank == 4 and known(attr.mode, 'nearest') in ['nearest', 'linear']"),
    ),
    "Upsample": (constant(1, "scales"), _FLOAT),
    "Softmax": ARITHMETIC,
    "Sqrt": (*ARITHMETIC, cpu("rank-4", "in[0].rank <= 4", "rank 5 and more runs on the CPU")),
    "Sum": (*ARITHMETIC, cpu("two", "arity >= 2", "the sum of one input runs on the CPU")),
    "Transpose": (_FLOAT, vague("batch-stays", "moving the first dimension was seen on both the NPU and the CPU", "exists(attr.perm) and attr.perm[0] == 0")),
    "Where": (
        cpu("float", f"dtype(in[1]) in {FLOAT}", "integers run on the CPU"),
        vague("alike", "broadcast was seen on both the NPU and the CPU", "same(in[0].shape, out[0].shape) and in[1].shape == out[0].shape and in[2].shape == out[0].shape"),
    ),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _RESHAPED),
    "Slice": (no("ends-const", "all(folded(t) for t in inputs[1:5])", "starts, ends, axes and steps must be constant"), cpu("no-integers", "dtype(in[0]) not in ['int32', 'int64']", "wide integers are sliced on the CPU"),
              vague("spatial", "slices of the batch or the channels, and of a rank other than 4, were seen on both the NPU and the CPU", "in[0].rank == 4 and in[0].shape[0] == out[0].shape[0] and in[0].shape[1] == out[0].shape[1]")),
    "Pad": (no("pads-const", "not exists(in[1]) or folded(in[1])", "pads must be constant"),
            vague("constant", "only zeros around the last two of four dimensions were seen on the NPU throughout", "in[0].rank == 4 and known(attr.mode, 'constant') == 'constant' and in[0].shape[0] == out[0].shape[0]")),
    "Tile": (
        constant(1, "repeats"),
        cpu("channels", "in[0].rank < 2 or in[0].shape[0] != out[0].shape[0] or in[0].shape[1] == 1 or in[0].size == out[0].size", "tiling within an image runs on the CPU"),
        vague("repeats", "it was seen on both the NPU and the CPU"),
    ),
    "If": (no("condition-const", "folded(in[0])", "the condition must be constant"), vague("branch", "what the chosen branch becomes was not measured")),
    "Cast": (cpu("no-integers", "dtype(in[0]) not in ['int32', 'int64']", "wide integers are cast on the CPU"), vague("types", "which conversions the NPU does was not measured enough"),),
    "Einsum": (vague("equation", "some equations become operators of the NPU, others run on the CPU or are refused"),),
}  # fmt: skip

#: What the compiler gives to the chip's CPU.
CPU: dict[str, tuple[Limit, ...]] = {
    **dict.fromkeys(
        ("Acos", "Acosh", "And", "Asin", "Asinh", "Atan", "Atanh", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Ceil",
         "Celu", "Cos", "Cosh", "Det", "Equal", "Erf", "Exp", "Floor", "GatherElements", "GatherND", "GlobalLpPool", "Greater",
         "GreaterOrEqual", "Hardmax", "IsInf", "IsNaN", "Less", "LessOrEqual", "Log", "LogSoftmax", "LpPool", "MatMulInteger",
         "MaxUnpool", "Mean", "MeanVarianceNormalization", "Min", "NegativeLogLikelihoodLoss", "Not", "Or", "QLinearMatMul", "Reciprocal",
         "ReduceMax", "ReduceMin", "ReduceProd", "ReverseSequence", "RoiAlign", "Round", "Scatter", "ScatterElements", "ScatterND", "Selu",
         "Bernoulli", "CenterCropPad", "ConvInteger", "DFT", "EyeLike", "Mod", "QLinearConv", "STFT", "TfIdfVectorizer",
         "Shrink", "Sign", "Sin", "Sinh", "Size", "SoftmaxCrossEntropyLoss", "Softsign", "SpaceToDepth", "Tan", "Trilu", "Xor"), ()),
    "ArgMax": (), "ArgMin": (), "ReduceL1": (), "ReduceLogSum": (), "ReduceLogSumExp": (), "ReduceSumSquare": (),
    "LRN": (no("odd-size", "attr.size % 2 == 1", "the size must be odd"),),
    "TopK": (no("k-const", "folded(in[1])", "K must be constant"),),
    "Compress": (no("condition-const", "folded(in[1])", "the condition must be constant"),),
    "GridSample": (no("mode", "known(attr.mode, 'bilinear') in ['bilinear', 'nearest', 'bicubic']", "the modes' names before opset 20 are bilinear, nearest and bicubic"),),
    "RNN": (no("layout-0", "known(attr.layout, 0) == 0", "layout must be 0"),),
}  # fmt: skip

#: What it refuses, and the sentence.
REFUSED = {
    "Adagrad": "training is not supported", "Adam": "training is not supported", "Momentum": "training is not supported", "Col2Im": "it is not supported",
    "DynamicQuantizeLinear": "its result would make the graph dynamic",
    "Loop": "it would make the graph dynamic", "NonMaxSuppression": "its inputs must be constant: the result's size is not known",
    "NonZero": "its input must be constant: the result's size is not known", "Unique": "its input must be constant: the result's size is not known",
    "SequenceInsert": "sequences are not supported", "SequenceMap": "sequences are not supported", "StringNormalizer": "text is not supported",
    "ArrayFeatureExtractor": "it becomes a custom operator that must be registered", "Binarizer": "it becomes a custom operator that must be registered",
    "TreeEnsemble": "it becomes a custom operator that must be registered", "Scan": "it becomes a custom operator that must be registered",
    "DeformConv": "it becomes a custom operator that must be registered",
}  # fmt: skip
_ML = ("ArrayFeatureExtractor", "Binarizer", "TreeEnsemble")

CHIPS = {
    "rk3588": "Rockchip RK3588 (RKNN)",
    "rk3566": "Rockchip RK3566 and RK3568 (RKNN)",
    "rv1103": "Rockchip RV1103 and RV1106 (RKNN)",
}
#: Where a chip differs: what it gives to the CPU, and limits instead of the others'.
ON_CPU = {
    "rk3566": ("Softmax", "Transpose"),
    "rv1103": ("GRU", "InstanceNormalization", "LayerNormalization", "LpNormalization", "ReduceL2", "Sqrt"),
}
INSTEAD: dict[str, dict[str, tuple[Limit, ...]]] = {
    "rv1103": {"And": (), "Div": (_FLOAT, cpu("divisor-const", "folded(in[1])", "a division by what is not constant runs on the CPU"))},
}  # fmt: skip
SCALARS = """
[[limit]]
id = "no-scalar-input"
require = "all(t.producer != '' or const(t) or t.rank >= 1 for t in inputs)"
otherwise = "rejected"
say = "an input of rank 0 cannot be calibrated"
source = ["measured:build"]
help = "give the input the shape [1]"

[[limit]]
id = "no-scalar-input-cpu"
of = "fallback"
require = "all(t.producer != '' or const(t) or t.rank >= 1 for t in inputs)"
otherwise = "rejected"
say = "an input of rank 0 cannot be calibrated"
source = ["measured:build"]
help = "give the input the shape [1]"
"""
HEAD = """\
# Made by scripts/import_rknn.py: change its rules, not this file.
[target]
id = "rknn-{chip}"
title = "{title}"
format = "onnx"
version_axis = "rknn-toolkit2"
versions = ["2.5"]
closed_world = false
on_miss = "rejected"
partition = "islands"
notes = "{notes}"

[source.list]
repo = "airockchip/rknn-toolkit2"
commit = "{commit}"
path = "{path}"
licence = "RKNN SDK License (facts only)"
seen = 2026-11-21

[source.measured]
package = "rknn-toolkit2"
version = "2.5.0"
command = "build(verbose=True), target_platform={chip}"
licence = "RKNN SDK License (verdicts only)"
seen = 2026-11-21

[[limit]]
id = "opset-19"
require = "not exists(env.file_opset) or env.file_opset <= 19"
otherwise = "rejected"
say = "the toolkit loads files up to opset 19"
source = ["measured:load_onnx"]
help = "export with opset_version=19 or lower"

[[limit]]
id = "static-input"
require = "all(t.producer != '' or static(t) for t in inputs)"
otherwise = "rejected"
say = "the sizes of the model's inputs must be static"
source = ["measured:load_onnx"]
help = "export with fixed sizes, or give input_size_list to load_onnx"

[[limit]]
id = "types"
require = "all(dtype(t) in ['float32', 'float16', 'float64', 'int8', 'uint8', 'int32', 'int64', 'bool'] for t in inputs)"
otherwise = "rejected"
say = "the toolkit has no such type"
source = ["measured:load_onnx"]

[[limit]]
id = "opset-19-cpu"
of = "fallback"
require = "not exists(env.file_opset) or env.file_opset <= 19"
otherwise = "rejected"
say = "the toolkit loads files up to opset 19"
source = ["measured:load_onnx"]
help = "export with opset_version=19 or lower"

[[limit]]
id = "static-input-cpu"
of = "fallback"
require = "all(t.producer != '' or static(t) for t in inputs)"
otherwise = "rejected"
say = "the sizes of the model's inputs must be static"
source = ["measured:load_onnx"]
help = "export with fixed sizes, or give input_size_list to load_onnx"

[[limit]]
id = "types-cpu"
of = "fallback"
require = "all(dtype(t) in ['float32', 'float16', 'float64', 'int8', 'uint8', 'int32', 'int64', 'bool'] for t in inputs)"
otherwise = "rejected"
say = "the toolkit has no such type"
source = ["measured:load_onnx"]
"""
NOTES = (
    "{how} supported: the compiler of RKNN-Toolkit2 gives what the operator becomes to the NPU; fallback: to the "
    "chip's CPU. Asked about each operator alone: in a whole model, neighbours are fused, and reshapes and transposes are put in or taken out. "
    "An operator whose placement the rules do not explain is unknown."
)


def listed(checkout: Path) -> dict[str, int]:
    """ONNX operator → line of the list."""
    found: dict[str, int] = {}
    for number, line in enumerate((checkout / LIST).read_text().splitlines(), 1):
        if line.startswith("## Pytorch"):
            break
        row = _ROW.match(line)
        if row:
            found.setdefault(row[1], number)
    return found


def document(checkout: Path, chip: str) -> str:
    """The whole table of a chip."""
    integers = chip == "rv1103"
    how = "Quantised to int8 while building: this chip has no floats." if integers else "Float16 without quantisation."
    head = HEAD.format(chip=chip, title=CHIPS[chip], notes=NOTES.format(how=how), commit=COMMIT, path=LIST)
    return head + SCALARS * integers + "\n" + "\n".join(entries(listed(checkout), chip))


def rules(chip: str) -> tuple[dict[str, tuple[Limit, ...]], dict[str, tuple[Limit, ...]]]:
    """What the chip gives to the NPU, and to the CPU."""
    npu = {**NPU, **INSTEAD.get(chip, {})}
    moved = {op: tuple(one for one in npu.pop(op) if one.otherwise == "rejected") for op in ON_CPU.get(chip, ())}
    return npu, {**{op: limits for op, limits in CPU.items() if op not in npu}, **moved}


def entries(lines: dict[str, int], chip: str) -> Iterator[str]:
    """One [[op]] for each operator."""
    npu, on_cpu = rules(chip)
    for op in sorted({*npu, *on_cpu, *REFUSED}):
        cited = [f'"list:{lines[op]}"'] if op in lines else []
        source = f"source = [{', '.join([*cited, chr(34) + 'measured:' + op + chr(34)])}]"
        name = (
            f"ai.onnx.ml::{op}"
            if op in _ML
            else f"ai.onnx.preview.training::{op}"
            if op in ("Adam", "Adagrad", "Momentum")
            else op
        )
        text = ["[[op]]", f'op = "{name}"']
        if op in REFUSED:
            text += ['verdict = "rejected"', f'say = "{REFUSED[op]}"']
        elif op in on_cpu:
            text += ['verdict = "fallback"', 'say = "it runs on the CPU"']
        yield "\n".join(
            [
                *text,
                source,
                "",
                *(line for one in (npu | on_cpu).get(op, ()) for line in limit(one, source, op in on_cpu)),
            ]
        )


def limit(one: Limit, source: str, of_fallback: bool) -> list[str]:
    head = ["[[op.limit]]", f'id = "{one.id}"']
    if one.otherwise == "opaque":
        when = [f'when = "not ({one.require})"'] if one.require else []
        return [*head, *when, f'opaque = "{one.say}"', source, ""]
    refuses = ['of = "fallback"'] if of_fallback and one.otherwise == "rejected" else []
    help = [f'help = "{one.help}"'] if one.help else []
    return [
        *head,
        *refuses,
        f'require = "{one.require}"',
        f'otherwise = "{one.otherwise}"',
        f'say = "{one.say}"',
        source,
        *help,
        "",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a table differs")
    given = parser.parse_args()
    differ = 0
    for chip in CHIPS:
        path, text = TABLES / f"rknn-{chip}.toml", document(given.checkout, chip)
        if given.check:
            differ |= text != (path.read_text() if path.is_file() else "")
        else:
            path.write_text(text)
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
