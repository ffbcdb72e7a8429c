"""What ExecuTorch's Qualcomm backend takes, read from its builders; what its passes make of an operator before; HTP's types.

The builders are read as text. What the passes make of an operator, and what Qualcomm's validator and compiler say of
types and dimensions (Snapdragon 8 Gen 3, HTP v75), are data here: the first as the passes' code has it, the second as
the oracle `executorch` measured it with the libraries of onnxruntime-qnn 2.7.0 (QNN 2.51).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from executorch_parts import CAST, NOTHING_LEFT, OWN_CONSTANT, PARTS
from executorch_rules import CASTS, SEEN, Backend, Limit, Rule

QUALCOMM = "executorch/backends/qualcomm"

#: Kept whole for the backend (partition/utils.py): where it does not take one, nothing is lowered.
_WHOLE = re.compile(r"^ {8}torch\.ops\.(aten\.\w+\.\w+),", re.MULTILINE)
NOT_KEPT = ("aten.unbind.int", "aten.floor_divide.default", "aten.leaky_relu.default")

VIEW, COPY = "aten.view_copy.default", "aten.permute_copy.default"
ADD, SUB, MUL, DIV = (f"aten.{name}.Tensor" for name in ("add", "sub", "mul", "div"))
EXP, LOG, ABS, FLOOR, SIGN = (f"aten.{name}.default" for name in ("exp", "log", "abs", "floor", "sign"))
POW, WHERE, MEAN = "aten.pow.Tensor_Tensor", "aten.where.self", "aten.mean.dim"
LESS, MORE, AT_LEAST, EQUAL = (f"aten.{name}.Tensor" for name in ("lt", "gt", "ge", "eq"))

#: What the passes on the exported program make of an operator (get_export_passes).
BEFORE: dict[str, tuple[str, ...]] = {
    **{f"aten.{name}.Scalar": (f"aten.{name}.Tensor",) for name in ("eq", "ge", "gt", "le", "lt", "ne", "add", "div", "mul", "sub", "bitwise_xor")},
    "aten.rsub.Scalar": (SUB,), "aten.rsub.Tensor": (SUB,), "aten.pow.Tensor_Scalar": (POW,), "aten.pow.Scalar": (POW,),
    "aten.square.default": (POW,), "aten.leaky_relu.default": ("aten.prelu.default",),
    **dict.fromkeys(("aten.where.ScalarSelf", "aten.where.ScalarOther", "aten.where.Scalar"), (WHERE,)),
    "aten.masked_fill.Scalar": (WHERE,), "aten.masked_fill.Tensor": (WHERE,),
    "aten.expm1.default": (EXP, SUB), "aten.special_expm1.default": (EXP, SUB),
    "aten.fill.Scalar": ("aten.full.default",), "aten.select_scatter.default": ("aten.slice_scatter.default", "aten.unsqueeze_copy.default"),
    "aten.var.correction": (MEAN, SUB, MUL), "aten.var.dim": (MEAN, SUB, MUL),
    "aten.floor_divide.default": (DIV, FLOOR), "aten.triu.default": (AT_LEAST, WHERE),
    "aten.scaled_dot_product_attention.default": ("aten.bmm.default", MUL), "aten.pad.default": ("aten.constant_pad_nd.default",),
    "aten.im2col.default": ("aten.pixel_unshuffle.default", VIEW), "aten.col2im.default": ("aten.pixel_shuffle.default", VIEW),
    **dict.fromkeys(CASTS, ("aten._to_copy.default",)),
    **dict.fromkeys(("aten.index_copy.default", "aten.index_copy_.default"), ("aten.index_put.default",)),
    "aten.index_put_.default": ("aten.index_put.default",), "aten.adaptive_avg_pool3d.default": ("aten._adaptive_avg_pool3d.default",),
    "aten.upsample_linear1d.vec": (MUL, ADD, SUB), "aten.upsample_nearest1d.vec": (MUL, ADD),
    "aten.adaptive_avg_pool1d.default": ("aten.adaptive_avg_pool2d.default",),
    "aten.cdist.default": (SUB, POW, "aten.sum.dim_IntList", "aten.sqrt.default"),
    **{f"aten.{name}.input": ("aten.linear.default", "aten.cat.default", ADD, MUL, "aten.sigmoid.default", "aten.tanh.default") for name in ("gru", "lstm", "rnn_tanh")},
    **dict.fromkeys(
        (f"aten.{name}_cell.default" for name in ("gru", "lstm", "rnn_tanh")),
        ("aten.linear.default", ADD, MUL, "aten.sigmoid.default", "aten.tanh.default"),
    ),
    "aten.rnn_relu_cell.default": ("aten.linear.default", ADD, "aten.relu.default"),
    "aten.rnn_relu.input": ("aten.linear.default", "aten.cat.default", ADD, "aten.relu.default"),
    "aten.max_pool2d.default": ("aten.max_pool2d_with_indices.default",), "aten.linalg_vector_norm.default": (POW, "aten.sum.dim_IntList"),
    "aten.mv.default": (MUL, "aten.sum.dim_IntList"), "aten.index_add.default": ("aten.index_put.default",),
    "aten.argsort.default": ("aten.sort.default",), "aten.max_pool3d.default": (VIEW, COPY),
    "aten.threshold.default": ("aten.le.Tensor", WHERE), "aten.roll.default": ("aten.slice_copy.Tensor", "aten.cat.default"),
}  # fmt: skip

#: What the passes on the edge program make of one (get_default_pass_activations).
AFTER: dict[str, tuple[str, ...]] = {
    "aten.acos.default": ("aten.asin.default", SUB), "aten.addmm.default": ("aten.mm.default", ADD),
    "aten.atan2.default": (DIV, "aten.atan.default", ADD, SUB, WHERE, EQUAL, LESS, MORE, AT_LEAST),
    "aten.sinh.default": (EXP, "aten.neg.default", SUB, MUL), "aten.cosh.default": (EXP, "aten.neg.default", ADD, MUL),
    "aten.asinh.default": (MUL, ADD, "aten.sqrt.default", LOG), "aten.acosh.default": (MUL, SUB, "aten.sqrt.default", LOG),
    "aten.atanh.default": (ADD, SUB, DIV, LOG, MUL),
    "aten.log1p.default": (ADD, LOG), "aten.log2.default": (LOG, DIV), "aten.log10.default": (LOG, DIV),
    "aten.reciprocal.default": (DIV,), **{f"aten.remainder.{kind}": (DIV, FLOOR, MUL, SUB) for kind in ("Tensor", "Scalar")},
    **dict.fromkeys(("aten.any.dim", "aten.any.dims", "aten.any.default"), ("aten._to_copy.default",)),
    "aten.diagonal_copy.default": ("aten.index_select.default", VIEW, COPY), "aten.div.Tensor_mode": (DIV, FLOOR),
    "aten.tan.default": ("aten.sin.default", "aten.cos.default", DIV), "aten.trunc.default": (ABS, FLOOR, SIGN, MUL),
}  # fmt: skip

#: Nothing is left of them (remove_redundancy.py).
GONE = (
    "dim_order_ops._clone_dim_order.default", "aten.clone.default", "aten.alias_copy.default", "aten.alias.default",
    "aten.lift_fresh_copy.default", "aten._assert_tensor_metadata.default",
)  # fmt: skip

#: Types that the validator takes, and the most dimensions, where they are not floats of up to five.
FLOATS = ("float32", "float16", "float64")
INTS = ("int32", "int64")
ARITHMETIC = (*FLOATS, *INTS)
MOVES = (*FLOATS, *INTS, "bool", "uint8")
#: What the portable kernels do not have either.
NO_KERNEL_ELSE = ("aten.sort.default",)
#: Of four dimensions at most.
FOUR = (
    "atan", "cos", "sin", "floor", "ceil", "log", "round", "hardswish", "neg", "hardsigmoid", "sqrt", "tanh", "elu", "asin", "cumsum",
    "argmax", "argmin", "topk", "sort", "native_layer_norm", "rms_norm", "_native_batch_norm_legit_no_training", "minimum", "maximum",
    "logical_not", "logical_and", "bitwise_and", "bitwise_or", "bitwise_xor", "scatter", "scatter_add", "scatter_reduce",
    "reflection_pad1d", "reflection_pad2d", "native_group_norm", "instance_norm",
)  # fmt: skip
#: Taken with five dimensions by the validator, and then not compiled.
FOUR_OR_NOTHING = ("sign",)
TYPES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("where",): (*ARITHMETIC, "bool"),
    ("add", "sub", "mul", "div", "abs", "eq", "ne", "gt", "ge", "lt", "le", "prelu", "sum", "amin", "min", "maximum", "minimum", "cumsum"): ARITHMETIC,
    ("clamp", "amax", "max", "argmax", "argmin", "topk", "sort", "index", "index_select", "embedding", "gather", "scatter"): ARITHMETIC,
    ("view_copy", "permute_copy", "slice_copy", "select_copy", "cat", "split_with_sizes_copy", "stack", "squeeze_copy",
     "unsqueeze_copy", "select", "squeeze", "split_with_sizes", "copy", "full", "full_like", "arange", "scalar_tensor", "flip", "_to_copy", "_to_dim_order_copy"): MOVES,
    ("index_put",): ARITHMETIC,
    ("expand_copy", "repeat"): (*FLOATS, *INTS, "bool"),
    ("logical_not", "logical_and", "bitwise_and", "bitwise_or", "bitwise_xor"): ("bool",),
}  # fmt: skip


#: Arithmetic and comparisons that a number in the file stands beside, and what makes floats of whole numbers by a cast.
STRICT = (
    "clamp",
    "relu",
    "neg",
    "hardtanh",
    "prelu",
    "elu",
    "hardswish",
    "hardsigmoid",
    "gelu",
    "_softmax",
    "_log_softmax",
)


def short(op: str) -> str:
    """ "add" of "aten.add.Tensor"."""
    return op.split(".")[1]


def types(op: str) -> tuple[str, ...]:
    return next((taken for names, taken in TYPES.items() if short(op) in names), FLOATS)


def limits_of(op: str) -> Iterator[Limit]:
    """What the validator and the compiler say of types and dimensions, of one edge operator."""
    most = 4 if short(op) in (*FOUR, *FOUR_OR_NOTHING) else 5
    yield Limit(
        id="dimensions", require=f"all(t.rank <= {most} for t in inputs + outputs)",
        otherwise="rejected" if short(op) in FOUR_OR_NOTHING else "fallback", source="measured",
        say=f"HTP has it for tensors of at most {most} dimensions", help="reshape before and after",
    )  # fmt: skip
    taken = types(op)
    allowed = json.dumps([*taken, "bfloat16"])
    made_float = (
        ""
        if short(op) in STRICT or taken not in (FLOATS, ARITHMETIC)
        else f" or all(t.dtype in {json.dumps(FLOATS)} for t in outputs)"
    )
    yield Limit(
        id="dtype", require=f"all(t.dtype in {allowed} for t in inputs){made_float}", source="measured",
        say=f"HTP has it for {', '.join(taken)}",
    )  # fmt: skip


STATIC = Limit(
    id="static-shape", require="all(static(t) for t in inputs + outputs)", source="measured",
    say="HTP takes no open dimensions", help="export without dynamic_shapes",
)  # fmt: skip
INT64 = Limit(
    id="int64-5-d", require='all(t.dtype != "int64" or t.rank <= 4 for t in inputs + outputs)', otherwise="rejected",
    source="measured", say="int64 is cast to int32, and a cast of five dimensions is not compiled", help="use int32",
)  # fmt: skip


_DEQUANTIZE = json.dumps(
    [f"quantized_decomposed.dequantize_per_{one}" for one in ("tensor.default", "tensor.tensor", "channel.default")]
)


def limit(id: str, require: str, say: str, source: str, otherwise: str = "fallback", help: str = "") -> Limit:
    return Limit(id=id, require=require, say=say, source=f"builders:{source}", otherwise=otherwise, help=help)


BFLOAT16 = limit(
    "bfloat16", 'all(t.dtype != "bfloat16" for t in inputs + outputs)',
    "QNN has no bfloat16: a builder raises, and nothing is lowered", "node_visitor.py", "rejected", "export in float32 or float16",
)  # fmt: skip
LAST = "or attr.dim == in[0].rank - 1"
WEIGHTS = limit(
    "constant-weights", f"(const(in[1]) or in[1].producer in {_DEQUANTIZE}) and (len(inputs) < 3 or const(in[2]) or in[2].producer in {_DEQUANTIZE})",
    "the weights must be constants of the program: else a builder raises, and nothing is lowered", "op_conv.py", "rejected",
)  # fmt: skip
NORMALIZED = limit(
    "last-dimension", "len(attr.normalized_shape) == 1 or attr.normalized_shape[0] == in[0].shape[-1]",
    "it normalises over the last dimension only", "op_layer_norm.py",
)  # fmt: skip
CHANNELS = limit(
    "dim", f"attr.dim == -1 {LAST} or (in[0].rank >= 3 and (attr.dim == 1 or attr.dim == 1 - in[0].rank))",
    "it is over the last dimension, or over the channels (dim 1)", "op_softmax.py",
)  # fmt: skip
AT_END = limit("last-dimension", f"attr.dim == -1 {LAST}", "it is over the last dimension only", "op_topk.py")
_ENDS = "out[0].shape[{0}] == ceil((in[0].shape[{0}] + 2 * attr.padding[{1}] - attr.kernel_size[{1}]) / attr.stride[{1}]) + 1"
CEIL = limit(
    "ceil-mode",
    f"not attr.ceil_mode or len(attr.stride) == 0 or ({_ENDS.format(-1, -1)} and (len(attr.kernel_size) == 1 or {_ENDS.format(-2, 0)}))",
    "with ceil_mode torch leaves out a window that starts in the padding, and HTP does not", "op_avg_pool2d.py", help="use ceil_mode=False",
)  # fmt: skip
QUANTISED = 'in[0].producer in ["quantized_decomposed.dequantize_per_tensor.default", "quantized_decomposed.dequantize_per_tensor.tensor"]'
BLOCKS = limit(
    "blocks", "attr.stride == attr.kernel_size and attr.kernel_size[0] == attr.kernel_size[1] and all(d == 1 for d in attr.dilation) and all(p == 0 for p in attr.padding)",
    "it is taken for square blocks side by side only: else a pass raises, and nothing is lowered", "op_space_to_depth.py", "rejected",
)  # fmt: skip
ALONE = limit(
    "not-alone", "len(out[0].consumers) > 0", "a part without an input is not compiled", "op_arange.py", "rejected",
    "compute it before the export",
)  # fmt: skip
UNREAD = limit(
    "input-is-read", 'len(in[0].consumers) > 1 or (len(out[0].consumers) > 0 and readers_supported(out[0]))', "like a tensor that nothing else reads, and read by nothing on the NPU, it is a part without an input: nothing is lowered", "op_full_like.py", "rejected",
    "make the tensor before the export",
)  # fmt: skip
#: What makes a tensor of nothing.
MADE = (
    "aten.arange.default", "aten.arange.start", "aten.arange.start_step", "aten.full.default", "aten.zeros.default", "aten.ones.default",
)  # fmt: skip
#: Of operators of a file.
OF_FILE: dict[str, tuple[Limit, ...]] = {
    **dict.fromkeys(MADE, (ALONE,)),
    **dict.fromkeys((f"aten.{name}_like.default" for name in ("zeros", "ones", "full")), (UNREAD,)),
    "aten.scaled_dot_product_attention.default": (
        limit("causal-alone", 'not attr.is_causal or any(t.producer != "" for t in inputs) or len(out[0].consumers) > 0', "a program of it alone has its mask in a part without an input, which is not compiled", "op_full.py", "rejected", "give the mask as an input"),
    ),
    "aten.max_pool3d.default": (
        limit("volumes", "in[0].rank == 5", "it takes a batch of volumes", "op_max_pool2d.py", "rejected", "unsqueeze first"),
        limit("no-ceil", "not attr.ceil_mode", "at ceil_mode a pass raises, and nothing is lowered", "op_max_pool2d.py", "rejected", "pad the volume first"),
        limit("dilation", "all(d == 1 for d in attr.dilation)", "the pass that makes two poolings of it leaves the dilation out", "op_max_pool2d.py", "rejected"),
    ),
    "aten.im2col.default": (BLOCKS,), "aten.col2im.default": (BLOCKS,),
    "aten.pad.default": (
        limit("circular", 'attr.mode != "circular"', "circular padding is put together of copies, one of which stays on the CPU", "op_copy.py", help="pad with a constant, or by reflection"),
        limit("mode", 'attr.mode in ["constant", "reflect", "circular"] or (attr.mode == "replicate" and len(attr.pad) == 2)', "padding with the edge becomes an indexing at which a builder raises: nothing is lowered", "op_index.py", "rejected", "pad with a constant, or by reflection"),
    ),
}  # fmt: skip
OF_EDGE: dict[str, tuple[Limit, ...]] = {
    "aten._native_batch_norm_legit_no_training.default": (
        limit("float32-weights", 'all(t.dtype == "float32" for t in inputs[1:])', "the weights and statistics must be float32: else a builder raises, and nothing is lowered", "op_batch_norm.py:46", "rejected"),
        limit("constant-statistics", f"all(const(t) or t.producer in {_DEQUANTIZE} for t in inputs[1:])", "the weights and statistics must be constants of the program: else a builder raises, and nothing is lowered", "op_batch_norm.py", "rejected", "call .eval() before the export"),
    ),
    **{f"aten.{name}.default": (limit("one-of-five", f"in[0].rank <= 4 or len(attr.dim) == 1 or {QUANTISED}", "of five dimensions it is over one at a time", f"op_{name}.py"),) for name in ("amax", "amin")},
    "aten.clamp.default": (limit("same-type", "same(in[0].dtype, out[0].dtype)", "its bounds make no other type", "op_clamp.py", help="write whole numbers as bounds of whole numbers"),),
    "aten.matmul.default": (
        limit("matrices", "in[0].rank >= 2 and in[1].rank >= 2", "both factors have two dimensions or more", "op_matmul.py", help="unsqueeze the vector"),
        limit("five-dimensions", "in[0].rank <= 4 or not const(in[1]) or in[0].rank == in[1].rank", "five dimensions times a constant of fewer are taken, and then not compiled", "op_matmul.py", "rejected", "use a Linear"),
    ),
    "aten.permute_copy.default": (
        limit("whole-numbers", 'in[0].rank <= 4 or in[0].dtype not in ["int32", "int64", "uint8"]', "whole numbers of five dimensions are not moved", "op_transpose.py"),
    ),
    "aten.instance_norm.default": (limit("images", "in[0].rank == 4", "it takes images of four dimensions only", "op_instance_norm.py"),),
    "aten.asin.default": (limit("quantised", QUANTISED, "HTP has it in quantised programs only", "op_asin.py"),),
    "aten._softmax.default": (CHANNELS,), "aten._log_softmax.default": (CHANNELS,),
    "aten.topk.default": (AT_END,), "aten.sort.default": (AT_END,),
    "aten.native_layer_norm.default": (NORMALIZED,), "aten.rms_norm.default": (NORMALIZED,),
    "aten.convolution.default": (
        WEIGHTS,
        limit("3-d-depthwise", "in[0].rank != 5 or attr.groups == 1 or attr.groups != in[0].shape[1]", "a depthwise convolution is 2-D: else a builder raises, and nothing is lowered", "op_conv.py", "rejected"),
        limit("3-d-dilation", "in[0].rank != 5 or all(d == 1 for d in attr.dilation)", "a 3-D convolution takes no dilation", "op_conv.py"),
    ),
    "aten.max_pool2d_with_indices.default": (
        limit("images", "in[0].rank == len(attr.kernel_size) + 2", "it takes a batch of images", "op_max_pool2d.py", help="unsqueeze first"),
        limit("stride", "len(attr.stride) != 0", "without a stride the builder raises, and nothing is lowered", "op_max_pool2d.py", "rejected", "write stride=kernel_size"),
        limit("values-only", "len(outputs) == 1 or (len(out[1].consumers) == 0 and not of_model(out[1]))", "only the values are made, not the indices", "op_max_pool2d.py", help="use return_indices=False"),
        limit("dilation", "all(d == 1 for d in attr.dilation)", "it takes no dilation", "op_max_pool2d.py"),
    ),
    "aten.avg_pool2d.default": (
        CEIL,
        limit("divisor", "not exists(attr.divisor_override)", "it takes no divisor of its own", "op_avg_pool2d.py"),
    ),
    "aten.adaptive_avg_pool2d.default": (
        limit("whole-windows", "in[0].rank == len(attr.output_size) + 2 and in[0].shape[-1] % attr.output_size[-1] == 0 and (len(attr.output_size) == 1 or in[0].shape[-2] % attr.output_size[0] == 0)",
              "the windows must all have one size", "op_adaptive_avg_pool2d.py"),
    ),
    "aten.scatter_add.default": (limit("quantised", QUANTISED, "HTP adds into places in quantised programs only", "op_scatter_elements.py"),),
    "aten.scatter_reduce.two": (limit("quantised", QUANTISED, "HTP adds into places in quantised programs only", "op_scatter_elements.py"),),
    "aten.grid_sampler_2d.default": (limit("no-bicubic", "attr.interpolation_mode in [0, 1]", "bilinear and nearest only", "op_grid_sampler_2d.py"),),
    "aten.index.Tensor": (limit("one-index", "len(inputs) == 2", "only one index is taken", "op_index.py"),),
}  # fmt: skip


def qnn(site: Path) -> Backend:
    folder = site / QUALCOMM
    place = dict(builders(folder))
    kept = [
        op for op in _WHOLE.findall((folder / "partition/utils.py").read_text(encoding="utf-8")) if op not in NOT_KEPT
    ]
    for op in _skipped(folder):
        place.pop(op, None)
    place |= dict.fromkeys(GONE, "passes:remove_redundancy.py") | {
        CAST: "builders:op_to.py",
        OWN_CONSTANT: "builders:op_full.py",
    }
    becomes = parts(place, kept)
    limits = {op: tuple(checks(op, op in kept)) for op in place if op not in (*GONE, CAST, OWN_CONSTANT)}
    own = {op: LATER for op in {*becomes, *limits} if any(part in limits for part in becomes.get(op, (op,)))}
    for op in {*becomes, *place}:
        own[op] = (*OF_FILE.get(op, ()), *own.get(op, ()))
        seen = {(one.id, one.require): one for part in becomes.get(op, (op,)) for one in limits.get(part, ())}
        own[op] = (*seen.values(), *own.get(op, ()))
    return Backend(place=place, limits=limits, own=own, becomes=becomes)


_POSITIONS = "its positions are a part without an input, which is not compiled"
#: Operators with which nothing is lowered, and why.
NOT_COMPILED = {
    "aten.linspace.default": _POSITIONS, "aten.tril.default": _POSITIONS,
    "aten.cross.default": "a pass reads its constant before that is there, and raises",
}  # fmt: skip
#: lowered_backend_module.py raises where a delegate owns a buffer whose new value is an output of the program as well.
NOT_RETURNED = Limit(
    id="state-not-returned", require="not variable(in[0]) or not of_model(out[0])", otherwise="rejected", source="measured",
    say="the new value of a buffer is an output of the program as well: then nothing is lowered",
    help="return something that is computed from it",
)  # fmt: skip


def stopped(rule: Rule) -> Rule:
    """A rule that sends to the CPU what has parts with builders, with what stops the lowering all the same; of an
    operator in place, what its buffer stops."""
    if rule.op in NOT_COMPILED:
        return replace(rule, verdict="rejected", refusal=NOT_COMPILED[rule.op])
    if not rule.refusal and rule.op.split(".")[1].endswith("_") and not rule.op.split(".")[1].startswith("_"):
        return replace(rule, limits=(*rule.limits, NOT_RETURNED))
    if not rule.refusal or rule.verdict != "fallback" or not rule.source.startswith("builders"):
        return rule
    return replace(rule, limits=tuple(replace(one, of="fallback") for one in (BFLOAT16, INT64)))


def checks(op: str, kept: bool) -> Iterator[Limit]:
    """The limits of an edge operator; of one that is kept whole every refusal stops the lowering."""
    own = () if op in BEFORE_TENSORS else (BFLOAT16,)
    for one in (STATIC, *own, *OF_EDGE.get(op, ()), *limits_of(op)):
        yield replace(one, otherwise="rejected") if kept or op in NO_KERNEL_ELSE else one


#: Refused by its type before a tensor is made of it.
BEFORE_TENSORS = ("aten.isnan.default",)

#: Asked of what falls back as well.
LATER = (INT64,)


def builders(folder: Path) -> Iterator[tuple[str, str]]:
    """Edge operator → the place of its builder."""
    for path in sorted((folder / "builders").glob("op_*.py")):
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r"^\s+target = \[([^\]]*)\]", text, re.MULTILINE):
            number = text[: found.start()].count("\n") + 1
            for name in re.findall(r'"([\w.]+)"', found[1]):
                yield (name if name.count(".") == 2 else f"{name}.default"), f"builders:{path.name}:{number}"


def _skipped(folder: Path) -> list[str]:
    """Operators that the partitioner leaves out though there is a builder (partition/common_defs.py)."""
    text = (folder / "partition/common_defs.py").read_text(encoding="utf-8").partition("constant_operator")[0]
    return re.findall(r"exir_ops\.edge\.(\w+\.\w+\.\w+),", text)


def parts(place: Mapping[str, str], kept: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What each operator of a file becomes for this backend."""
    found: dict[str, tuple[str, ...]] = {}
    general = {**SEEN, **PARTS, **dict.fromkeys(NOTHING_LEFT, ())}
    for op in sorted({*general, *BEFORE, *AFTER, *kept}):
        first = BEFORE.get(op) or ((op,) if op in kept or op in place else general.get(op, (op,)))
        found[op] = tuple(dict.fromkeys(last for part in first for last in AFTER.get(part, (part,))))
    return found
