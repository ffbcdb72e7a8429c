"""Write op_tables/targets/ncnn.toml: what pnnx turns into layers that ncnn has.

    python scripts/import_ncnn.py CHECKOUT [--check]

CHECKOUT is Tencent/ncnn at the commit below. pnnx matches patterns of ONNX operators (tools/pnnx/src/pass_level2 and pass_onnx);
the first place where one stands is cited. Whether ncnn has a layer for what comes out was measured (oracle `ncnn`,
op_tables/evidence/ncnn-1.0.20261020.jsonl), and stands in this file as rules.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).parents[1] / "op_tables" / "targets" / "ncnn.toml"
COMMIT = "a4d2ea1d4422c9e849f166fd7a4aefb52f942f6a"
PATTERNS = "tools/pnnx/src"
_LINE = re.compile(r"^(?P<op>[A-Z]\w+) +op_\d+ +\d+ \d+", re.MULTILINE)
_NAMED = re.compile(r'(?:return|op_type\(\) ==|op_type ==) "(?P<op>[A-Z]\w+)"')


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One [[op.limit]]: refused where `require` does not hold; opaque where it does not, with `unknown`."""

    id: str
    require: str
    say: str
    unknown: bool = False


def const(id: str, place: int, what: str) -> Limit:
    return Limit(id=id, require=f"not exists(in[{place}]) or folded(in[{place}])", say=f"{what} must be constant")


_FLOAT_CONST = Limit(
    id="float-constants", require="all(not const(t) or dtype(t) in ['float32', 'float16', 'float64'] for t in inputs)",
    say="a constant of integers has no place in ncnn's weights",
)  # fmt: skip
_RECURRENT = Limit(id="pattern", require="1 == 0", unknown=True,
                   say="alone it is refused; as PyTorch exports the layer, with the Squeeze behind it, pnnx has a pattern")  # fmt: skip
TAKEN: dict[str, tuple[Limit, ...]] = {
    **dict.fromkeys(
        ("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "AveragePool", "Ceil", "Celu", "Cos", "Cosh", "Dropout",
         "Einsum", "Elu", "Erf", "Exp", "Flatten", "Floor", "Gelu", "GlobalAveragePool", "GlobalMaxPool", "GridSample", "HardSigmoid",
         "HardSwish", "Identity", "LRN", "LeakyRelu", "Log", "LogSoftmax", "MaxPool", "Mish", "Neg", "Reciprocal",
         "Relu", "Reshape", "Round", "Shape", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softmax", "Softplus", "SpaceToDepth", "Split",
         "Sqrt", "Squeeze", "Tan", "Tanh", "Constant"), ()),
    **dict.fromkeys(("Concat", "Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Sum", "MatMul"), (_FLOAT_CONST,)),
    "BatchNormalization": (Limit(id="statistics-const", require="all(folded(t) for t in inputs[1:5])", say="scale, bias, mean and variance must be constant"),),
    "Cast": (Limit(id="no-change", require="dtype(in[0]) == dtype(out[0])", say="only a cast that changes nothing is taken out"),),
    "Clip": (const("min-const", 1, "min"), const("max-const", 2, "max"), _FLOAT_CONST),
    "Conv": (Limit(id="weight-float32", require="folded(in[1]) or dtype(in[1]) == 'float32'", say="a weight that is not constant must be float32"),),
    "ConvTranspose": (const("weight-const", 1, "the weight"), Limit(id="no-same", require="known(attr.auto_pad, 'NOTSET') in ['NOTSET', 'VALID']", unknown=True, say="auto_pad SAME was seen to be refused and to crash the converter")),
    "DepthToSpace": (Limit(id="crd", require="attr.mode == 'CRD'", say="the mode must be CRD (as torch's PixelShuffle)"),),
    "Expand": (const("shape-const", 1, "the shape"),),
    "Gather": (
        Limit(id="indices-const", require="folded(in[1]) and not const(in[0])", say="a tensor is gathered from at constant indices; an embedding is not taken from ONNX"),
        Limit(id="axis", require="attr.axis != 0", unknown=True, say="the first axis is ncnn's batch; it was seen to be refused"),
    ),
    "Gemm": (
        const("weight-const", 1, "the weight"),
        Limit(id="bias", require="not exists(in[2]) or (folded(in[2]) and in[2].rank == 1 and in[2].size == out[0].shape[-1])", say="the bias must be constant, one value for each output"),
    ),
    "GroupNormalization": (const("scale-const", 1, "the scale"), const("bias-const", 2, "the bias")),
    "InstanceNormalization": (const("scale-const", 1, "the scale"), const("bias-const", 2, "the bias"), Limit(id="rank-4", require="in[0].rank >= 4", say="one spatial dimension has no layer")),
    "LayerNormalization": (const("scale-const", 1, "the scale"), Limit(id="bias-const", require="exists(in[2]) and folded(in[2])", say="the bias must be given and constant")),
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
                     "ReduceSum", "ReduceSumSquare"), (Limit(id="rank-4", require="in[0].rank <= 4", unknown=True, say="a rank of 5 and more was seen to be refused"),)),
    "RMSNormalization": (const("scale-const", 1, "the scale"),),
    "PRelu": (const("slope-const", 1, "the slope"), Limit(id="per-channel", require="in[1].size == 1 or (in[1].rank == in[0].rank - 1 and in[1].size == in[0].shape[1])", unknown=True, say="slopes that are not one for each channel were seen to be refused")),
    "Pad": (const("pads-const", 1, "pads"), Limit(id="mode-written", require="known(attr.mode, 'constant') != 'constant'", unknown=True, say="constant padding is taken only where the file writes the mode")),
    "Resize": (Limit(id="sizes-const", require="all(t.size == 0 or folded(t) for t in inputs[1:4])", say="scales and sizes must be constant"),),
    "Selu": (Limit(id="defaults", require="abs(attr.alpha - 1.67326) < 0.001 and abs(attr.gamma - 1.0507) < 0.001", say="alpha and gamma must be those of the definition"),),
    "Slice": (Limit(id="ends-const", require="all(folded(t) for t in inputs[1:5])", unknown=True, say="bounds that are not constant were seen to crash the converter"),
              Limit(id="step-1", require="not exists(in[4]) or all(v == 1 for v in value(in[4]))", say="the steps must be 1")),
    "Transpose": (),
    "Unsqueeze": (const("axes-const", 1, "axes"), Limit(id="rank-4", require="out[0].rank <= 4", unknown=True, say="a result of rank 5 and more was seen to be refused")),
    "Upsample": (const("scales-const", 1, "scales"), Limit(id="linear", require="attr.mode == 'linear'", unknown=True, say="the mode nearest was seen to be refused")),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), (_RECURRENT,)),
}  # fmt: skip
REFUSED = (
    "And", "ArgMax", "ArgMin", "Attention", "CumProd", "RotaryEmbedding", "Bernoulli", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "BitShift", "Compress", "ConvInteger", "Range", "CumSum", "DFT",
    "DeformConv", "DequantizeLinear", "Det", "DynamicQuantizeLinear", "Equal", "EyeLike", "GatherElements", "GatherND", "GlobalLpPool",
    "Greater", "GreaterOrEqual", "Hardmax", "IsInf", "IsNaN", "Less", "LessOrEqual", "LpNormalization", "LpPool", "MatMulInteger", "MaxUnpool",
    "Mean", "MeanVarianceNormalization", "Mod", "NegativeLogLikelihoodLoss", "NonMaxSuppression", "NonZero", "Not", "OneHot", "Or",
    "QLinearConv", "QLinearMatMul", "QuantizeLinear", "ReverseSequence", "RoiAlign", "Scan", "Scatter", "ScatterElements", "ScatterND",
    "Size", "SoftmaxCrossEntropyLoss", "Softsign", "SplitToSequence", "TfIdfVectorizer", "ThresholdedRelu", "Tile", "TopK", "Trilu", "Unique",
    "Where", "Xor",
)  # fmt: skip
HEAD = f"""\
# Made by scripts/import_ncnn.py: change its rules, not this file.
[target]
id = "ncnn"
title = "Tencent ncnn, through pnnx"
format = "onnx"
version_axis = "ncnn"
versions = ["20261020"]
closed_world = false
on_miss = "rejected"
partition = "whole"
notes = "supported: pnnx turns the operator, alone, into layers that ncnn has, and ncnn loads them. Nothing was executed; that a layer exists says neither that it takes the rank or type nor that Vulkan runs it. pnnx matches patterns of several operators: what is refused alone may be part of one. The patterns look at attributes as they are written, which a reader with filled-in defaults does not see: a default that is left out can make pnnx refuse (Transpose without perm, ReduceMin without keepdims)."

[source.patterns]
repo = "Tencent/ncnn"
commit = "{COMMIT}"
path = "{PATTERNS}"
licence = "BSD-3-Clause"
seen = 2026-11-21

[source.measured]
package = "ncnn"
version = "1.0.20261020"
command = "pnnx 20261020, then Net.load_param and load_model"
licence = "BSD-3-Clause"
seen = 2026-11-21
"""


def places(checkout: Path) -> dict[str, str]:
    """ONNX operator → the first line of pnnx that names it."""
    found: dict[str, str] = {}
    for folder in ("pass_level2", "pass_onnx", "pass_ncnn"):
        for path in sorted((checkout / PATTERNS / folder).glob("*.cpp")):
            text = path.read_text(errors="replace")
            for pattern in (_LINE, _NAMED):
                for one in pattern.finditer(text):
                    found.setdefault(one["op"], f"{folder}/{path.name}:{text.count(chr(10), 0, one.start()) + 1}")
    return found


def entries(where: dict[str, str]) -> Iterator[str]:
    for op in sorted({*TAKEN, *REFUSED}):
        cited = [f'"patterns:{where[op]}"'] if op in where else []
        source = f"source = [{', '.join([*cited, chr(34) + 'measured:' + op + chr(34)])}]"
        lines = ["[[op]]", f'op = "{op}"']
        if op in REFUSED:
            lines += ['verdict = "rejected"', 'say = "ncnn has no layer for what pnnx makes of it"']
        lines += [source, ""]
        for one in TAKEN.get(op, ()):
            lines += ["[[op.limit]]", f'id = "{one.id}"']
            if one.unknown:
                lines += [f'when = "not ({one.require})"', f'opaque = "{one.say}"']
            else:
                lines += [f'require = "{one.require}"', 'otherwise = "rejected"', f'say = "{one.say}"']
            lines += [source, ""]
        yield "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the table differs")
    given = parser.parse_args()
    text = HEAD + "\n" + "\n".join(entries(places(given.checkout)))
    if given.check:
        return int(text != TABLE.read_text())
    TABLE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
