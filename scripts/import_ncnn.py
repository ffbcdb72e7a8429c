"""Write the generated half of op_tables/targets/ncnn.toml: what pnnx turns into layers that ncnn has, and what not.

    python scripts/import_ncnn.py CHECKOUT [--check]

CHECKOUT is Tencent/ncnn at the commit the table names. pnnx matches patterns of ONNX operators (tools/pnnx/src/pass_level2 and
pass_onnx); the first place where one stands is cited. Whether ncnn has a layer for what comes out was measured (oracle
`ncnn`, op_tables/evidence/ncnn-1.0.20261020.jsonl): the two lists below.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from two_halves import entry, run

PATTERNS = "tools/pnnx/src"
_LINE = re.compile(r"^(?P<op>[A-Z]\w+) +op_\d+ +\d+ \d+", re.MULTILINE)
_NAMED = re.compile(r'(?:return|op_type\(\) ==|op_type ==) "(?P<op>[A-Z]\w+)"')
#: Of each, a node that was converted and loaded was seen.
TAKEN = (
    "Abs", "Acos", "Acosh", "Add", "Asin", "Asinh", "Atan", "Atanh", "AveragePool", "BatchNormalization", "Cast",
    "Ceil", "Celu", "Clip", "Concat", "Constant", "Conv", "ConvTranspose", "Cos", "Cosh", "DepthToSpace", "Div",
    "Dropout", "Einsum", "Elu", "Erf", "Exp", "Expand", "Flatten", "Floor", "GRU", "Gather", "Gelu", "Gemm",
    "GlobalAveragePool", "GlobalMaxPool", "GridSample", "GroupNormalization", "HardSigmoid", "HardSwish",
    "Identity", "InstanceNormalization", "LRN", "LSTM", "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax",
    "MatMul", "Max", "MaxPool", "Min", "Mish", "Mul", "Mod", "Neg", "PRelu", "Pad", "Pow", "RMSNormalization", "RNN",
    "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize", "Round", "Selu", "Shape", "Shrink",
    "Sigmoid", "Sign", "Sin", "Sinh", "Slice", "Softmax", "Softplus", "SpaceToDepth", "Split", "Sqrt", "Squeeze",
    "Sub", "Sum", "Swish", "Tan", "Tanh", "Transpose", "Unsqueeze", "Upsample",
)  # fmt: skip
#: Of each, every node was refused.
REFUSED = (
    "And", "ArgMax", "ArgMin", "Attention", "Bernoulli", "BitCast", "BitShift", "BitwiseAnd", "BitwiseNot",
    "BitwiseOr", "BitwiseXor", "BlackmanWindow", "CastLike", "Compress", "ConstantOfShape", "ConvInteger",
    "CumProd", "CumSum", "DFT", "DeformConv", "DequantizeLinear", "Det", "DynamicQuantizeLinear", "Equal",
    "EyeLike", "GatherElements", "GatherND", "GlobalLpPool", "Greater", "GreaterOrEqual", "HammingWindow",
    "HannWindow", "Hardmax", "IsInf", "IsNaN", "Less", "LessOrEqual", "LpNormalization", "LpPool", "MatMulInteger",
    "MaxUnpool", "Mean", "MeanVarianceNormalization", "NegativeLogLikelihoodLoss", "NonMaxSuppression",
    "NonZero", "Not", "OneHot", "OptionalGetElement", "OptionalHasElement", "Or", "QLinearConv", "QLinearMatMul",
    "QuantizeLinear", "Range", "ReverseSequence", "RoiAlign", "RotaryEmbedding", "Scan", "Scatter",
    "ScatterElements", "ScatterND", "Size", "SoftmaxCrossEntropyLoss", "Softsign", "SplitToSequence",
    "TfIdfVectorizer", "ThresholdedRelu", "Tile", "TopK", "Trilu", "Unique", "Where", "Xor",
)  # fmt: skip


#: Of those, what pnnx does not compute beforehand: it is drawn anew, or has graphs of its own.
NEVER_FOLDED = ("Bernoulli", "Scan")
FOLDED = "pass_onnx/fold_constants.cpp"


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


def half(checkout: Path) -> Iterator[str]:
    """An entry for each operator that was asked about."""
    where = places(checkout)
    folding = (checkout / PATTERNS / FOLDED).read_text(errors="replace")
    folded = f"patterns:{FOLDED}:{folding.count(chr(10), 0, folding.index('check_outputs_foldable(node,')) + 1}"
    for op in sorted({*TAKEN, *REFUSED}):
        cited = [f"patterns:{where[op]}"] if op in where else []
        refusal = {"verdict": "rejected", "say": "ncnn has no layer for what pnnx makes of it"} if op in REFUSED else {}
        yield entry(op, *cited, f"measured:{op}", **refusal)
        if op in REFUSED and op not in NEVER_FOLDED:
            yield entry(op, folded, when="computed(out[0]) and not of_model(out[0])")


def main() -> int:
    return run("import_ncnn.py", "Tencent/ncnn", {"ncnn": half}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
