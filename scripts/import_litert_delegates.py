"""What LiteRT's Hexagon and Core ML delegates take → the tables `hexagon` and `litert-coreml-delegate`.

    python scripts/import_litert_delegates.py CHECKOUT        # google-ai-edge/LiteRT at the commit the tables name

Both delegates decide in one C++ function, `IsNodeSupportedByHexagon` and `IsNodeSupportedByDelegate`. Its cases and their
lines are read from the source; what each demands stands in `HEXAGON` and `COREML`. A case that is new or gone stops the import.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

TARGETS = Path(__file__).parents[1] / "op_tables/targets"
UTILS = Path("tflite/delegates/hexagon/utils.cc")
DELEGATE = Path("tflite/delegates/coreml/coreml_delegate.mm")
NAMES = {"Conv2d": "CONV_2D", "DepthwiseConv2d": "DEPTHWISE_CONV_2D", "MaxPool2d": "MAX_POOL_2D", "Padv2": "PADV2",
         "AveragePool2d": "AVERAGE_POOL_2D", "ReluN1To1": "RELU_N1_TO_1"}  # fmt: skip

Rule = tuple[str, str, str, str]  # id, require, say, place ("" for the case's own line)
Rules = Mapping[str, tuple[Rule, ...]]
B8 = "['uint8', 'int8']"


def inputs(*kinds: str) -> Rule:
    """The inputs by number and type, as `InputsWithCorrectTypes` looks at them: one that is left out is skipped."""
    checks = [f"(not exists(in[{i}]) or in[{i}].dtype in {kind})" for i, kind in enumerate(kinds)]
    words = ", ".join(kind.strip("[]").replace("'", "").replace(", ", " or ") for kind in kinds)
    return "inputs", " and ".join([f"arity == {len(kinds)}", *checks]), f"it takes {len(kinds)} inputs: {words}", ""


def constant(number: int, what: str) -> Rule:
    return f"constant-{number}", f"const(in[{number}])", f"{what} must be constant", ""


I32, I32_64 = "['int32']", "['int32', 'int64']"
RELUS: Rule = ("activation", "attr.fused_activation_function in ['NONE', 'RELU', 'RELU6', 'RELU_N1_TO_1']",
               "only RELU, RELU6, RELU_N1_TO_1 or no activation", "")  # fmt: skip
PLAIN: Rule = ("activation", "attr.fused_activation_function == 'NONE'", "it takes no fused activation", "")
STRIDE_3: Rule = ("stride", "attr.stride_h <= 3 and attr.stride_w <= 3", "strides are at most 3", "")
EVERY_8BIT: Rule = (
    "inputs",
    f"len(inputs) >= 1 and all(t.dtype in {B8} for t in inputs)",
    "all inputs must be uint8 or int8",
    "",
)
MEAN_AXES: Rule = ("axes", "all(a % 4 in [1, 2] for a in value(in[1]))", "it must reduce height and width", "")

HEXAGON: Rules = {
    **dict.fromkeys(("ADD", "MUL", "SUB"), (inputs(B8, B8), RELUS)),
    "MEAN": (inputs(B8, I32), constant(1, "the axes")),
    "MIRROR_PAD": (inputs(B8, I32), constant(1, "the paddings")),
    "PAD": (inputs(B8, I32), constant(1, "the paddings")),
    "FULLY_CONNECTED": (
        inputs(B8, B8, I32), ("per-channel", "not per_channel(in[1])", "the weights need one scale", ""),
        ("constant-2", "not exists(in[2]) or const(in[2])", "the bias must be constant", ""), RELUS,
        ("keep-num-dims", "not attr.keep_num_dims", "no keep_num_dims", ""),
        ("format", "attr.weights_format == 'DEFAULT'", "the weights must have the default format", ""),
    ),
    "CONCATENATION": (EVERY_8BIT,), "PACK": (EVERY_8BIT,),
    "MAX_POOL_2D": (inputs(B8), ("window", "attr.padding != 'SAME' or (attr.filter_height < 13 and attr.filter_width < 13)",
                                 "SAME: the window is smaller than 13", ""), PLAIN),
    "AVERAGE_POOL_2D": (inputs(B8), PLAIN),
    "TRANSPOSE_CONV": (
        ("inputs", f"arity in [3, 4] and in[0].dtype == 'int32' and in[1].dtype in {B8} and in[2].dtype in {B8} and "
         "(arity == 3 or not exists(in[3]) or in[3].dtype == 'int32')", "8-bit input and weights, int32 shape and bias", ""),
        STRIDE_3,
    ),
    "CONV_2D": (inputs(B8, B8, I32), RELUS, STRIDE_3,
                ("dilation", "attr.dilation_h_factor == 1 and attr.dilation_w_factor == 1", "no dilation", "")),
    "DEPTHWISE_CONV_2D": (
        inputs(B8, B8, I32), RELUS, STRIDE_3,
        ("dilation", "(attr.dilation_h_factor == 1 and attr.dilation_w_factor == 1) or (attr.stride_h == 1 and attr.stride_w == 1)",
         "dilation only with stride 1", ""),
        ("multiplier", "attr.depth_multiplier == 1 or (attr.dilation_h_factor == 1 and attr.dilation_w_factor == 1 and "
         "in[0].rank == 4 and in[0].shape[3] == 1)", "a depth multiplier only with one input channel and no dilation", ""),
        ("filter-height", "in[1].rank < 2 or in[1].shape[1] >= 2", "the filter's height is at least 2", ""),
    ),
    "RESHAPE": (("inputs", f"arity <= 2 and in[0].dtype in {B8}", "the input must be uint8 or int8", ""),),
    **dict.fromkeys(("SOFTMAX", "HARD_SWISH", "RELU", "RELU6", "TANH", "LOGISTIC", "NEG", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE",
                     "QUANTIZE"), (inputs(B8),)),
    "RESIZE_NEAREST_NEIGHBOR": (inputs(B8, I32), constant(1, "the size")),
    "L2_NORMALIZATION": (inputs(B8), PLAIN),
    "ARG_MAX": (inputs(B8, I32),), "ARG_MIN": (inputs(B8, I32),),
    "SPLIT": (inputs(I32, B8), constant(0, "the axis")),
    "RESIZE_BILINEAR": (inputs(B8, I32), constant(1, "the size"), ("size", "in[1].size == 2", "the size is two numbers", "")),
    "TRANSPOSE": (inputs(B8, I32),), "MINIMUM": (inputs(B8, B8),), "MAXIMUM": (inputs(B8, B8),),
    "SLICE": (constant(1, "begin"), constant(2, "size"), inputs(B8, I32_64, I32_64)),
    "STRIDED_SLICE": (inputs(B8, I32, I32, I32), constant(1, "begin"), constant(2, "end"), constant(3, "strides"),
                      ("masks", "attr.ellipsis_mask == 0 and attr.new_axis_mask == 0", "no ellipsis and new-axis masks", "")),
    "SQUARED_DIFFERENCE": (inputs("['int8']", "['int8']"),), "RSQRT": (inputs("['int8']"),),
}  # fmt: skip
#: Cases that say no.
REFUSED = ("SUM",)

CONVOLUTION = "convolution-builder"
_WINDOW: tuple[Rule, ...] = (
    (
        "weights",
        "folded(in[1]) and origin(in[1]) in ['float32', 'float16']",
        "weights must be constant floats",
        f"{CONVOLUTION}:346",
    ),
    (
        "window",
        "in[1].shape[1] <= 16384 and in[1].shape[2] <= 16384",
        "the window has at most 16384 places a side",
        f"{CONVOLUTION}:349",
    ),
)
_BIAS: tuple[Rule, ...] = (
    ("activation", "attr.fused_activation_function != 'SIGN_BIT'", "not with SIGN_BIT", f"{CONVOLUTION}:335"),
    ("bias", "exists(in[2]) and folded(in[2])", "the bias must be there and constant", f"{CONVOLUTION}:358"),
)
_BINARY: tuple[Rule, ...] = (
    ("type", "all(t.dtype == 'float32' or (t.dtype == 'float16' and const(t)) for t in inputs)", "float32, or constant float16", "util:86"),
    ("rank", "in[0].rank <= 4 and in[1].rank <= 4", "at most 4 dimensions", "util:45"),
    ("batch", "shape4(in[0])[0] == shape4(in[1])[0] or (const(in[0]) and in[0].size == 1) or (const(in[1]) and in[1].size == 1)",
     "batches must be equal, or one side a single constant", "util:66"),
    ("image", "(shape4(in[0])[1] == shape4(in[1])[1] and shape4(in[0])[2] == shape4(in[1])[2]) or (shape4(in[0])[1] == 1 and "
     "shape4(in[0])[2] == 1) or (shape4(in[1])[1] == 1 and shape4(in[1])[2] == 1)",
     "height and width must be equal, or both 1 on one side", "util:73"),
    ("channels", "shape4(in[0])[3] == shape4(in[1])[3] or shape4(in[0])[3] == 1 or shape4(in[1])[3] == 1",
     "channels must be equal, or 1 on one side", "util:80"),
)  # fmt: skip
_PAD: tuple[Rule, ...] = (
    ("constant", "const(in[1])", "the paddings must be constant", "pad-builder:105"),
    ("rank", "in[1].shape[0] == 4 and in[1].shape[1] == 2", "the input must have 4 dimensions", "pad-builder:111"),
    ("where", "value(in[1])[0] == 0 and value(in[1])[1] == 0 and value(in[1])[6] == 0 and value(in[1])[7] == 0",
     "only height and width may be padded", "pad-builder:117"),
)  # fmt: skip
COREML: Rules = {
    "ADD": _BINARY, "MUL": _BINARY, "AVERAGE_POOL_2D": (PLAIN,), "MAX_POOL_2D": (PLAIN,),
    "CONCATENATION": (
        ("activation", "attr.fused_activation_function == 'NONE'", "it takes no fused activation", "concatenation-builder:74"),
        ("inputs", "arity >= 2", "at least 2 inputs", "concatenation-builder:75"),
        ("axis", "in[0].rank in [3, 4] and attr.axis in [-1, in[0].rank - 1]", "only channels, of 3 or 4 dimensions",
         "concatenation-builder:80"),
    ),
    "CONV_2D": (*_WINDOW, *_BIAS), "DEPTHWISE_CONV_2D": (*_WINDOW, *_BIAS),
    "TRANSPOSE_CONV": (*_WINDOW, ("shape", "const(in[0])", "the output shape must be constant", f"{CONVOLUTION}:354")),
    "FULLY_CONNECTED": (
        ("format", "attr.weights_format == 'DEFAULT'", "the weights must have the default format", "dense-builder:159"),
        ("weights", "folded(in[1]) and origin(in[1]) in ['float32', 'float16']", "weights must be constant floats", "dense-builder:170"),
        ("batch", "in[0].shape[-1] == in[0].size", "every dimension but the last must be 1", "dense-builder:175"),
        ("bias", "arity <= 2 or (exists(in[2]) and folded(in[2]) and origin(in[2]) in ['float32', 'float16'])",
         "the bias must be constant floats", "dense-builder:182"),
        ("activation", "attr.fused_activation_function != 'SIGN_BIT'", "not with SIGN_BIT", "dense-builder:188"),
    ),
    **dict.fromkeys(("HARD_SWISH", "LOGISTIC", "RELU", "RELU_N1_TO_1", "RELU6", "TANH"), ()),
    "MIRROR_PAD": (("mode", "attr.mode == 'REFLECT'", "only REFLECT", "pad-builder:137"), *_PAD),
    "MEAN": (("keep-dims", "attr.keep_dims", "keep_dims must be true", "pooling-builder:148"),
             ("rank", "in[0].rank == 4", "the input must have 4 dimensions", "pooling-builder:152"),
             (*MEAN_AXES[:3], "pooling-builder:159")),
    "PAD": _PAD, "PADV2": _PAD,
    "RESHAPE": (
        ("version-3", "env.coreml_version < 3", "not with Core ML 3, which the delegate takes by default from iOS 13 on", "reshape-builder:127"),
        ("rank", "len(attr.new_shape) in [3, 4] if arity == 1 else const(in[1]) and in[1].rank == 1 and in[1].dtype == 'int32' "
         "and in[1].shape[0] in [3, 4]", "the shape must be constant, of 3 or 4 dimensions", "reshape-builder:146"),
    ),
    "RESIZE_BILINEAR": (("constant", "const(in[1])", "the size must be constant", "resize-builder:98"),),
    "SOFTMAX": (("beta", "attr.beta == 1.0", "beta must be 1", ""),),
}  # fmt: skip
#: Weights stored as float16: the delegate reads the constant, and the operator that widens it goes away.
EXTRA = {"litert-coreml-delegate": (
    '[[op]]\nop = "DEQUANTIZE"\nsource = ["delegate:252"]\n',
    '[[op.limit]]\nid = "float16-weights"\nrequire = "in[0].dtype == \'float16\' and const(in[0]) and readers_supported(out[0])"',
    'say = "only of float16 weights, where the delegate takes everything that reads them"\nsource = ["delegate:252"]\n',
)}  # fmt: skip
COREML_VERSIONS = {"DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 6}


def cases(text: str, function: str) -> dict[str, int]:
    """Operator → line of its case in the last switch of a function."""
    start = text.index(f"bool {function}(")
    body = text[start : text.index("default:\n", text.rindex("switch (registration->builtin_code)"))]
    offset = body.rindex("switch (registration->builtin_code)")
    found = {}
    for match in re.finditer(r"case kTfLiteBuiltin(\w+):", body[offset:]):
        name = NAMES.get(match[1]) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", match[1]).upper()
        found[name] = text.count("\n", 0, start + offset + match.start()) + 1
    return found


def versions(text: str) -> dict[str, str]:
    """Operator → the versions that `CheckOpVersion` lets through; "1" where it names none."""
    body = text[text.index("bool CheckOpVersion(") : text.index("bool IsNodeSupportedByHexagon(")]
    found, waiting = {}, []
    for match in re.finditer(r"case kTfLiteBuiltin(\w+):|version (<=|==) (\d+)", body):
        if match[1]:
            waiting.append(NAMES.get(match[1]) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", match[1]).upper())
        else:
            found.update(dict.fromkeys(waiting, f"1..{match[3]}" if match[2] == "<=" else match[3]))
            waiting = []
    return found


def entries(lines: Mapping[str, int], rules: Rules, spans: Mapping[str, str], source: str) -> Iterator[str]:
    for op, line in sorted(lines.items()):
        head = f'[[op]]\nop = "{op}"\nop_version = "{spans.get(op, "1")}"\n'
        if op in REFUSED and op not in rules:
            yield (
                head
                + f'verdict = "fallback"\nsay = "the delegate leaves it out: its results were not exact"\nsource = ["{source}:{line}"]\n'
            )
            continue
        yield head + f'source = ["{source}:{line}"]\n'
        for name, require, say, place in rules[op]:
            yield f'[[op.limit]]\nid = "{name}"\nrequire = {json.dumps(require)}\nsay = {json.dumps(say)}'
            yield f'source = ["{place or f"{source}:{line}"}"]\n'


def write(target: str, lines: Mapping[str, int], rules: Rules, spans: Mapping[str, str], source: str) -> None:
    """The table, its head kept as it stands."""
    if missing := set(lines) ^ (set(rules) | (set(REFUSED) & set(lines))):
        raise SystemExit(f"{target}: cases and rules differ in {sorted(missing)}")
    path = TARGETS / f"{target}.toml"
    head = path.read_text().split("[[op]]")[0]
    path.write_text(head + "\n".join([*entries(lines, rules, spans, source), *EXTRA.get(target, ())]))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path)
    checkout = parser.parse_args().checkout
    hexagon, coreml = (checkout / UTILS).read_text(), (checkout / DELEGATE).read_text()
    write("hexagon", cases(hexagon, "IsNodeSupportedByHexagon"), HEXAGON, versions(hexagon), "delegate")
    spans = {op: f"1..{COREML_VERSIONS.get(op, 1)}" if op in COREML_VERSIONS else "1" for op in COREML}
    write("litert-coreml-delegate", cases(coreml, "IsNodeSupportedByDelegate"), COREML, spans, "delegate")
    return 0


if __name__ == "__main__":
    sys.exit(main())
