"""What LiteRT's NNAPI delegate hands to Android's Neural Networks API → the table `nnapi`.

    python scripts/import_nnapi.py CHECKOUT        # google-ai-edge/LiteRT at the commit the table names

`NNAPIDelegateKernel::Validate` in `tflite/delegates/nnapi/nnapi_delegate.cc` decides operator by operator. Its cases, with
their lines, the highest operator version and the oldest Android each asks for are read from the source; what else a case
demands stands in `RULES`. A new case stops the import until somebody has read it. What NNAPI's own validation refuses
beyond that stands in `nnapi_runtime.py`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nnapi_runtime

SOURCE = Path("tflite/delegates/nnapi/nnapi_delegate.cc")
TABLE = Path(__file__).parents[1] / "op_tables/targets/nnapi.toml"
API = {"kMinSdkVersionForNNAPI": 27, "kMinSdkVersionForNNAPI11": 28, "kMinSdkVersionForNNAPI12": 29,
       "kMinSdkVersionForNNAPI13": 30, "kNNAPIRuntimeFeatureLevel5": 31}  # fmt: skip
LEVEL = {"kNNAPIRuntimeFeatureLevel6": 6, "kNNAPIRuntimeFeatureLevel7": 7}
NAMES = {"L2Pool2d": "L2_POOL_2D", "Conv2d": "CONV_2D", "DepthwiseConv2d": "DEPTHWISE_CONV_2D", "TopkV2": "TOPK_V2",
         "AveragePool2d": "AVERAGE_POOL_2D", "MaxPool2d": "MAX_POOL_2D", "ReluN1To1": "RELU_N1_TO_1", "Padv2": "PADV2",
         "BatchMatmul": "BATCH_MATMUL"}  # fmt: skip

FLOAT, QUANT8, INT32 = ["float32"], ["float32", "uint8", "int8"], ["float32", "uint8", "int8", "int32"]
HYBRID = "in[0].dtype != 'float32' or in[{}].dtype not in ['uint8', 'int8']"
CONSTANT = "export with fixed values, so that this tensor becomes a constant"
LATER = "aim at a later Android, or expect the CPU to run it"

Rule = tuple[str, str, str]  # id, require, say


def kinds(listed: list[str], tensor: str = "in[0]", name: str = "type") -> Rule:
    return name, f"{tensor}.dtype in {listed}", f"{tensor} must be {', '.join(listed)}"


def old_kinds(api: int, old: list[str], new: list[str] | None, tensor: str = "in[0]") -> Rule:
    """Types that depend on the API level: `old` before `api`, `new` (any: None) from it on."""
    later = "True" if new is None else f"{tensor}.dtype in {new}"
    say = f"{tensor} must be {', '.join(old)} before API {api}" + (f", {', '.join(new)} from it on" if new else "")
    return "type", f"{later} if env.version >= {api} else {tensor}.dtype in {old}", say


def since(api: int, condition: str, name: str, say: str) -> Rule:
    return name, f"env.version >= {api} or ({condition})", f"{say} before API {api}"


def level(number: int) -> str:
    """A condition that is false before API 31, and unknown from there on until the setting is given."""
    return f"(env.version >= 31 and env.feature_level >= {number})"


def constant(tensor: str, what: str) -> Rule:
    return "constant", f"const({tensor})", f"{what} must be constant"


NO_ACTIVATION: Rule = ("activation", "attr.fused_activation_function == 'NONE'", "it takes no fused activation")
INT32_ACTIVATION: Rule = (
    "activation", "in[0].dtype != 'int32' or attr.fused_activation_function == 'NONE'",
    "int32 takes no fused activation",
)  # fmt: skip
RANK_4: Rule = ("rank", "in[0].rank <= 4 and in[1].rank <= 4", "inputs have at most 4 dimensions")
RANK: Rule = ("rank", "in[0].rank <= 4", "the input has at most 4 dimensions")
NO_SCALAR: Rule = ("scalar-output", "out[0].rank > 0", "the output may not be a scalar")
SCALES: Rule = since(29, "in[0].dtype != 'uint8' or in[0].scale * in[1].scale < out[0].scale", "scales",
                     "the scales of input and weights must multiply to less than the output's")  # fmt: skip
CORNERS: Rule = since(30, "not attr.align_corners and not attr.half_pixel_centers", "corners",
                      "neither align_corners nor half_pixel_centers")  # fmt: skip
INT64_AXIS: Rule = ("axis", "in[1].dtype == 'int32' or (in[1].dtype == 'int64' and const(in[1]))",
                    "the axis must be int32, or a constant int64")  # fmt: skip
INT32_OUTPUT: Rule = ("output-type", "out[0].dtype == 'int32'", "the output must be int32")
SCALAR_OPERANDS: Rule = ("scalars", "all(t.rank > 0 or const(t) for t in inputs)", "a scalar operand must be constant")
RESIZE: tuple[Rule, ...] = (("inputs", "arity >= 2", "it takes 2 inputs"), constant("in[1]", "the size"))

#: What each case demands besides version and Android.
RULES: dict[str, tuple[Rule, ...]] = {
    "ADD": (old_kinds(30, QUANT8, INT32), INT32_ACTIVATION, RANK_4),
    "MUL": (old_kinds(30, QUANT8, INT32), INT32_ACTIVATION, RANK_4,
            ("version-3", "op_version <= 2 or env.devices == 'accelerators'", "version 3 goes to a chosen accelerator only")),
    "ARG_MAX": (kinds(["float16", *INT32]), INT64_AXIS, INT32_OUTPUT),
    "ARG_MIN": (kinds(["float16", *INT32]), INT64_AXIS, INT32_OUTPUT),
    "AVERAGE_POOL_2D": (kinds(QUANT8), (
        "window", "in[0].dtype == 'float32' or env.devices == 'accelerators' or attr.filter_width * attr.filter_height <= 256",
        "a quantised window has at most 256 places unless an accelerator is chosen")),
    "MAX_POOL_2D": (kinds(QUANT8),),
    "L2_POOL_2D": (kinds(FLOAT), since(29, "attr.fused_activation_function == 'NONE'", "activation", "no activation")),
    "CONV_2D": (
        old_kinds(29, ["float32", "uint8"], None),
        since(29, HYBRID.format(1), "hybrid", "no quantised weights with float input"),
        since(29, "not per_channel(in[1])", "per-channel", "one scale for all weights"), SCALES,
        ("bias", "arity == 3", "the bias must be there"),
        since(29, "attr.dilation_w_factor == 1 and attr.dilation_h_factor == 1", "dilation", "no dilation"),
        since(29, "in[0].shape[3] == in[1].shape[3]", "groups", "no groups"),
    ),
    "DEPTHWISE_CONV_2D": (
        old_kinds(29, ["float32", "uint8"], None), SCALES,
        since(29, "attr.dilation_w_factor == 1 and attr.dilation_h_factor == 1", "dilation", "no dilation"),
    ),
    "FULLY_CONNECTED": (
        ("output-type", "out[0].dtype != 'int16'", "the output may not be int16"),
        old_kinds(29, ["float32", "uint8"], None),
        since(29, HYBRID.format(1), "hybrid", "no quantised weights with float input"), SCALES,
        since(30, "not attr.keep_num_dims", "keep-num-dims", "no keep_num_dims"),
    ),
    "HARD_SWISH": (kinds(QUANT8),),
    "SOFTMAX": (kinds(QUANT8), kinds(QUANT8, "out[0]", "output-type"), RANK,
                since(29, "in[0].rank in [2, 4]", "rank-2-or-4", "2 or 4 dimensions")),
    "RESHAPE": (
        ("type", f"in[0].dtype in {QUANT8} or (in[0].dtype == 'int32' and {level(6)})",
         "the input must be float32, uint8, int8 (int32 from NNAPI feature level 6 on)"),
        RANK, ("output-rank", "out[0].rank <= 4", "the output has at most 4 dimensions"),
        ("constant", "arity < 2 or const(in[1])", "the shape must be constant"),
        ("scalar", "arity >= 2 or (len(attr.new_shape) > 0 and attr.new_shape != [0])", "the new shape may not be a scalar"),
    ),
    "RESIZE_BILINEAR": (("rank", "in[0].rank == 4", "the input must have 4 dimensions"), kinds(QUANT8), *RESIZE, CORNERS,
                        since(29, "out[0].shape[1] == out[0].shape[2]", "square", "a square output"),
                        ("old-type", "env.version >= 29 or in[0].dtype == 'float32'", "float32 before API 29")),
    "RESIZE_NEAREST_NEIGHBOR": (kinds(QUANT8), *RESIZE, CORNERS),
    "SQUEEZE": (("dimensions", "env.version != 28 or len(attr.squeeze_dims) > 0", "API 28 needs squeeze_dims"),),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (("hybrid", HYBRID.format(2), "no quantised weights with float input"),
                                     ("inputs", "arity in [20, 24]", "it takes 20 or 24 inputs")),
    "L2_NORMALIZATION": (since(29, "in[0].dtype == 'float32' and in[0].rank == 4", "old", "float32 with 4 dimensions"),
                         NO_ACTIVATION),
    "LOCAL_RESPONSE_NORMALIZATION": (),
    "LSH_PROJECTION": (("sparse", "attr.type != 'SPARSE' or (env.version >= 29 and arity == 2)",
                        "sparse projection needs API 29 and takes no weights"),),
    "CONCATENATION": (NO_ACTIVATION, RANK, kinds(["float16", *QUANT8]), since(
        29, "in[0].dtype != 'uint8' or all(t.scale == in[0].scale and t.zero_point == in[0].zero_point for t in inputs)",
        "one-scale", "one scale and zero point")),
    "DEQUANTIZE": (
        ("type", "(in[0].dtype == 'uint8' or (env.version >= 29 and in[0].dtype == 'int8')) or "
         "(in[0].dtype == 'float16' and env.version >= 30 and not const(in[0]))",
         "the input must be uint8, int8 from API 29 on, or computed float16 from API 30 on"),
        ("symmetric", "in[0].dtype != 'int8' or env.version != 29 or in[0].zero_point == 0", "API 29 takes int8 only with zero point 0"),
    ),
    "DENSIFY": (constant("in[0]", "the input"),),
    "FLOOR": (), "RELU": (kinds(QUANT8),), "RELU_N1_TO_1": (kinds(QUANT8),), "RELU6": (kinds(QUANT8),),
    "LOGISTIC": (kinds(QUANT8),), "TANH": (old_kinds(29, FLOAT, QUANT8),),
    "SUB": (("type", "(in[0].dtype == 'float32' and env.version >= 28) or (in[0].dtype in ['uint8', 'int8'] and "
             "env.version >= 29) or (in[0].dtype == 'int32' and env.version >= 30)",
             "float32 from API 28, uint8 and int8 from 29, int32 from 30 on"), INT32_ACTIVATION, RANK_4),
    "DIV": (kinds(FLOAT), RANK_4),
    "PAD": (kinds(QUANT8), ("elements", "in[0].size > 0", "the input may not be empty"),
            ("inputs", "arity >= 2 and (arity != 3 or env.version >= 29)", "2 inputs; a padding value from API 29 on"),
            since(29, "in[0].dtype == 'float32' or arity == 3", "old-type", "only float32")),
    "PADV2": (kinds(QUANT8), ("elements", "in[0].size > 0", "the input may not be empty"),
              ("inputs", "arity >= 2 and (arity != 3 or env.version >= 29)", "2 inputs; a padding value from API 29 on"),
              since(29, "in[0].dtype == 'float32' or arity == 3", "old-type", "only float32")),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (("hybrid", HYBRID.format(1), "no quantised weights with float input"),),
    "SPACE_TO_BATCH_ND": (), "BATCH_TO_SPACE_ND": (("crops", "value(in[2]) == [0, 0, 0, 0] and const(in[2])", "all four crops must be 0"),),
    "STRIDED_SLICE": (kinds(QUANT8),), "TRANSPOSE": (constant("in[1]", "the permutation"),),
    "ABS": (kinds(FLOAT),), "EXP": (kinds(FLOAT),), "LOG": (kinds(FLOAT),), "POW": (kinds(FLOAT),),
    "RSQRT": (("type", f"in[0].dtype == 'float32' or (in[0].dtype in ['uint8', 'int8'] and {level(7)})",
               "float32; uint8 and int8 from NNAPI feature level 7 on"),),
    "SLICE": (kinds(INT32), kinds(["int32"], "in[1]", "begin-type"), kinds(["int32"], "in[2]", "size-type")),
    "COS": (kinds(FLOAT),), "SIN": (kinds(FLOAT),), "SQRT": (kinds(FLOAT),),
    "TRANSPOSE_CONV": (("constant", "const(in[0]) and const(in[1])", "output shape and weights must be constant"),),
    "RNN": (("inputs", "arity == 5", "it takes 5 inputs"), kinds(FLOAT, "in[1]", "weights-type")),
    "SPACE_TO_DEPTH": (kinds(QUANT8),),
    "SVDF": (("inputs", "arity == 5", "it takes 5 inputs"), kinds(FLOAT, "in[1]", "weights-type")),
    "LSTM": (
        since(29, HYBRID.format(2) + " or arity == 5", "hybrid", "no quantised weights with float input"),
        ("weights", "arity == 5 or in[4].dtype in ['float32', 'uint8'] or (in[4].dtype == 'int8' and env.version >= 30)",
         "weights must be float32 or uint8, int8 from API 30 on"),
        ("basic", "arity != 5 or (in[2].dtype == 'uint8' and const(in[2]) and const(in[3]) and in[0].scale == 1 / 128 and "
         "in[0].zero_point == 128 and out[0].scale == 1 / 128 and out[0].zero_point == 128)",
         "the basic kernel takes constant uint8 weights, scale 1/128 and zero point 128"),
        ("norm", "arity != 24 or env.version >= 29", "layer normalisation from API 29 on"),
    ),
    "MEAN": (old_kinds(29, FLOAT, QUANT8), NO_SCALAR, RANK),
    "EMBEDDING_LOOKUP": (kinds(FLOAT, "in[1]"),), "HASHTABLE_LOOKUP": (kinds(FLOAT, "out[0]"),),
    "MAXIMUM": (kinds(INT32), SCALAR_OPERANDS), "MINIMUM": (kinds(INT32), SCALAR_OPERANDS),
    "CAST": (old_kinds(30, ["float32", "int32", "uint8"], INT32),
             ("output-type", "out[0].dtype in ['float32', 'int32', 'uint8'] or (out[0].dtype == 'int8' and env.version >= 30)",
              "the output must be float32, int32, uint8 (int8 from API 30 on)")),
    "LEAKY_RELU": (kinds(QUANT8),), "PRELU": (kinds(QUANT8),),
    "TILE": (kinds(INT32), kinds(["int32"], "in[1]", "multiples-type")),
    **dict.fromkeys(("LOGICAL_OR", "LOGICAL_AND", "LOGICAL_NOT"), (kinds(["bool"]),)),
    **dict.fromkeys(("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL"), (kinds([*INT32, "bool"]),)),
    "NEG": (kinds(["float32", "int32"]),),
    "TOPK_V2": (kinds(INT32), ("k", "in[1].dtype == 'int32' and const(in[1])", "k must be a constant int32")),
    "SELECT": (kinds(INT32, "in[1]"), ("shape", "in[0].shape == in[1].shape", "condition and values must have one shape")),
    "GATHER": (kinds(["float16", *INT32]), ("indices", "in[1].dtype == 'int32' and in[1].rank > 0",
                                             "the indices must be int32 with dimensions")),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (("hybrid", HYBRID.format(2), "no quantised weights with float input"),),
    "EXPAND_DIMS": (kinds(["float16", *INT32]), ("axis", "in[1].dtype == 'int32' and const(in[1])",
                                                  "the axis must be a constant int32")),
    "SPLIT": (old_kinds(30, ["float32", "uint8", "int32"], INT32, "in[1]"),
              ("axis", "in[0].dtype == 'int32' and const(in[0])", "the axis must be a constant int32")),
    "SPLIT_V": (kinds(INT32), (
        "sizes", "in[1].dtype == 'int32' and in[1].rank == 1 and const(in[1]) and in[2].dtype == 'int32' and const(in[2])",
        "sizes and axis must be constant int32"),
        ("empty", "all(v != 0 for v in value(in[1])) and (all(v > 0 for v in value(in[1])) or "
         "in[0].shape[scalar(in[2])] - sum([v for v in value(in[1]) if v > 0]) != 0)", "no part may be empty")),
    "LOG_SOFTMAX": (kinds(FLOAT),),
    "QUANTIZE": (kinds(QUANT8), old_kinds(30, ["uint8"], ["uint8", "int8"], "out[0]")[:0] or (
        "output-type", "out[0].dtype == 'uint8' or (out[0].dtype == 'int8' and env.version >= 30)",
        "the output must be uint8 (int8 from API 30 on)"),
        ("scale", "out[0].scale > 0 and (in[0].dtype == 'float32' or in[0].scale > 0)", "scales must be positive")),
    "REDUCE_ANY": (NO_SCALAR,),
    "REDUCE_MIN": (kinds(QUANT8), ("rank", "in[0].rank > 0", "the input may not be a scalar")),
    "REDUCE_MAX": (kinds(QUANT8), ("rank", "in[0].rank > 0", "the input may not be a scalar")),
    "DEPTH_TO_SPACE": (kinds(QUANT8),),
    "REDUCE_PROD": (NO_SCALAR, kinds(FLOAT)), "SUM": (NO_SCALAR, kinds(FLOAT)), "ELU": (kinds(FLOAT),),
    "FILL": (("dimensions", "const(in[0]) and in[0].dtype in ['int32', 'int64'] and in[0].shape[0] != 0",
              "the dimensions must be a constant list of int32 or int64, not empty"),
             kinds(["float32", "int32", "int64"], "in[1]")),
    "PACK": (
        ("type", f"in[0].dtype in ['float32', 'int8'] or (in[0].dtype in ['int32', 'uint8'] and {level(6)})",
         "float32 or int8; int32 and uint8 from NNAPI feature level 6 on"),
        ("axis", f"(attr.axis != -1 and attr.axis != in[0].rank) or {level(6)}",
         "not along a new last dimension before NNAPI feature level 6"),
    ),
    "UNPACK": (kinds(QUANT8), ("rank", "in[0].rank in 2..4", "2 to 4 dimensions"),
               ("axis", "attr.axis != -1 and attr.axis != in[0].rank - 1", "not along the last dimension")),
    "SQUARED_DIFFERENCE": (("type", "in[0].dtype == 'float32' or (in[0].dtype == 'uint8' and env.version >= 29) or "
                            "(in[0].dtype in ['int8', 'int32'] and env.version >= 30)",
                            "float32; uint8 from API 29, int8 and int32 from API 30 on"), RANK_4),
    "BATCH_MATMUL": (kinds(["float32", "int32", "int8"]), ("one-type", "in[0].dtype == in[1].dtype", "both must have one type"),
                     ("rank", "in[0].rank in 2..4", "2 to 4 dimensions"),
                     ("no-broadcast", "in[0].rank == in[1].rank and in[0].shape[:-2] == in[1].shape[:-2]", "batches must be equal")),
    "MIRROR_PAD": (kinds(INT32), ("elements", "in[0].size > 0", "the input may not be empty"),
                   ("inputs", "arity == 2", "it takes 2 inputs")),
    "REVERSE_V2": (kinds(INT32), ("inputs", "arity == 2", "it takes 2 inputs")),
}  # fmt: skip
#: Operators whose oldest Android stands in an `Expect` of their own.
OLDEST = {"SUB": 28, "SVDF": 28, "LSTM": 28, "DENSIFY": 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of the switch: its line, the highest operator version, the oldest API or feature level it asks for."""

    op: str
    line: int
    version: int | None
    api: int
    level: int | None


def cases(checkout: Path) -> Iterator[Case]:
    """The cases of `Validate`, in the source's order."""
    text = (checkout / SOURCE).read_text()
    start = text.index("bool NNAPIDelegateKernel::Validate(")
    body = text[start : text.index("// All other operators are not mapped.", start)]
    waiting: list[tuple[str, int]] = []
    parts = list(re.finditer(r"^    case kTfLiteBuiltin(\w+):(?: \{)?$", body, re.M))
    for match, after in zip(parts, [*parts[1:], None], strict=True):
        waiting.append((match[1], text.count("\n", 0, start + match.start()) + 1))
        inside = body[match.end() : after.start() if after else len(body)]
        if not inside.strip():
            continue
        bounds = [int(n) for n in re.findall(r"Expect(?:Max)?OpVersion\(version, (\d+)", inside)]
        asked = re.search(r"^      ExpectMinAndroidSdkVersion\(android_sdk_version,\s*(\w+)", inside, re.M)
        names = [name for name, _ in waiting]
        for name, line in waiting:
            yield Case(
                op=NAMES.get(name) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper(),
                line=line,
                version=max(bounds) if bounds else 2 if names == ["Dequantize"] else None,
                api=API.get(asked[1], 31) if asked else 27,
                level=LEVEL.get(asked[1]) if asked else None,
            )
        waiting = []


def entry(case: Case) -> Iterator[str]:
    """One [[op]] with its limits."""
    api = OLDEST.get(case.op, case.api)
    yield f'[[op]]\nop = "{case.op}"' + (f'\nop_version = "1..{case.version}"' if case.version else "")
    yield (f'since = "{api}"\n' if api > 27 else "") + f'source = ["delegate:{case.line}"]\n'
    needed = [("feature-level", level(case.level), f"it needs NNAPI feature level {case.level}")] if case.level else []
    for name, require, say in (*needed, *RULES[case.op]):
        help_ = CONSTANT if name == "constant" else LATER if "env.version" in require else None
        yield f'[[op.limit]]\nid = "{name}"\nrequire = {json.dumps(require)}\nsay = {json.dumps(say)}'
        yield f'source = ["delegate:{case.line}"]' + (f'\nhelp = "{help_}"\n' if help_ else "\n")
    for name, require, say, place in nnapi_runtime.limits(case.op):
        yield f'[[op.limit]]\nid = "{name}"\nrequire = {json.dumps(require)}\nsay = {json.dumps(say)}'
        yield f'source = ["runtime:{place}"]\n'


HEAD = """# Made by scripts/import_nnapi.py.
[target]
id = "nnapi"
title = "Android NNAPI (LiteRT delegate)"
format = "tflite"
version_axis = "Android API level"
versions = ["27", "28", "29", "30", "31", "32", "33", "34", "35"]
closed_world = true
on_miss = "fallback"
partition = "islands"
notes = "supported: LiteRT's delegate offers the operator to NNAPI. Whether a driver takes it is decided on the device and not known here, so this is the most that can be delegated. The axis is the API level; where the accelerator's driver is older than the phone's Android, take the level of the driver (NNAPI 1.1 is 28, 1.2 is 29, 1.3 is 30). The delegate keeps the three largest parts of a model and leaves the rest to the CPU. NNAPI is deprecated since Android 15 (API 35)."

[target.settings.feature_level]
help = "NNAPI's own feature level from API 31 on (5 to 8): it comes with updates, not with the API level"
values = [5, 6, 7, 8]

[target.settings.devices]
default = "accelerators"
values = ["accelerators", "any"]
help = "accelerators: the delegate's default; any: NNAPI's reference CPU may run operators too"

[source.delegate]
repo = "google-ai-edge/LiteRT"
commit = "f67457790c9c2ab67347d6fe53270e8d3df20868"
path = "tflite/delegates/nnapi/nnapi_delegate.cc"
licence = "Apache-2.0"
seen = 2026-11-21

@RUNTIME@[[limit]]
id = "nnapi-type"
require = "all(t.dtype in ['float32', 'float16', 'uint8', 'int8', 'int16', 'int32', 'bool'] or (t.dtype == 'int64' and const(t)) for t in inputs + outputs)"
say = "NNAPI has no tensors of this type: the delegate takes the operator and then fails to build its model"
source = ["delegate:1821", "delegate:1895"]
help = "insert CAST to int32 or float32 around it"

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path)
    found = list(cases(parser.parse_args().checkout))
    if {case.op for case in found} != set(RULES):
        raise SystemExit(f"cases and RULES differ in {sorted({case.op for case in found} ^ set(RULES))}")
    TABLE.write_text(
        HEAD.replace("@RUNTIME@", nnapi_runtime.SOURCE) + "\n".join(line for case in found for line in entry(case))
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
