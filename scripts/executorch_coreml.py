"""What ExecuTorch's Core ML partitioner takes: the names that coremltools' torch frontend registers, each whole."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from executorch_parts import CAST, OWN_CONSTANT
from executorch_rules import CASTS, RECURRENT, SCHEMA, TRAINING, Backend, Limit, Rule

FRONTEND = "coremltools/converters/mil/frontend/torch/ops.py"


def coreml(site: Path) -> Backend:
    """coremltools' torch frontend: the names it registers, each taken as a whole."""
    path = site / FRONTEND
    names: dict[str, int] = {}
    for function in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for decorator in function.decorator_list:
            text = ast.unparse(decorator)
            if text.startswith("register_torch_op"):
                aliases = re.search(r"torch_alias=\[([^\]]*)\]", text)
                listed = re.findall(r"'([\w.]+)'", aliases[1]) if aliases else []
                for name in (function.name, *listed):
                    names.setdefault(name, function.lineno)
    place: dict[str, str] = {}
    for line in SCHEMA.read_text(encoding="utf-8").splitlines()[1:]:
        op = line.split()[0]
        kind = sanitized(op)
        if op.startswith("aten.") and kind in names and not op.endswith("out"):
            place[op] = f"frontend:{names[kind]}"
    for part in (
        *CLONE_LIKE,
        CAST,
        OWN_CONSTANT,
        *RECURRENT,
        "aten.upsample_bicubic2d.vec",
        "aten._upsample_nearest_exact2d.vec",
        "aten.where.ScalarOther",
        *(op for op in CASTS if op != "aten.type_as.default"),
    ):
        place[part] = "partitioner:178"
    place["aten.adaptive_avg_pool3d.default"] = f"frontend:{names['mean']}"
    place |= dict.fromkeys(WRITTEN_INTO, f"frontend:{names['index_put']}")
    for op in ("aten.rrelu.default", *COREML_RANDOM):  # their generator keeps them out of the schema
        place[op] = f"frontend:{names[sanitized(op)]}"
    own = coreml_own(place)
    types = Limit(
        id="dtype", require='all(t.dtype not in ["float16", "bfloat16", "uint8"] and (t.dtype != "int8" or const(t) or t.producer != "") for t in inputs)', otherwise="rejected",
        say="coremltools refuses a whole program with a float16 (before iOS 16), bfloat16, int8 or uint8 input", source="registry:exir_utils.py:60",
        help="cast to float32 in front of the delegate, or ask for a newer deployment target",
    )  # fmt: skip
    ranks = refused(
        "rank-5",
        "all(t.rank <= 5 or not of_model(t) for t in inputs) and all(t.rank <= 5 or not of_model(t) for t in outputs)",
        "tensors have at most five dimensions",
    )
    return Backend(
        place=place, limits=dict.fromkeys(place, (types, ranks)), whole=frozenset(place),
        own={op: (types, ranks, *limits) for op, limits in own.items()},
    )  # fmt: skip


#: Become index_put, slice_scatter or another operator that coremltools has, where they write into a tensor of their own.
WRITTEN_INTO = (
    "aten.copy_.default", "aten.index_put_.default", "aten.index_copy.default", "aten.index_copy_.default",
    "aten.index_add_.default", "aten.scatter_.src", "aten.masked_fill_.Scalar", "aten.fill_.Tensor",
)  # fmt: skip
COREML_RANDOM = ("aten.randn.default", "aten.randint.default", "aten.randint.low")
#: Operators whose handlers in coremltools want all arguments, and when torch writes the last one.
COREML_WRITTEN = {
    "aten.cosine_similarity.default": "attr.eps != 1e-08", "aten.rms_norm.default": "exists(attr.eps)",
    "aten.mse_loss.default": "attr.reduction != 1", "aten.roll.default": "len(attr.dims) > 0",
    **{f"aten.fft_{name}.default": "exists(attr.norm)" for name in ("fft", "fftn", "ifft", "ifftn", "rfft", "rfftn", "irfft", "irfftn")},
}  # fmt: skip


def stateful(rule: Rule) -> Rule:
    """A rule of an operator in place: not into a buffer that the program keeps, which would be a state of the model."""
    name = rule.op.split(".")[1]
    if rule.refusal or not name.endswith("_") or name.startswith("_"):
        return rule
    part = 'in[0].producer == "" or not variable(before(in[0]))'
    whole = "not variable(in[0]) and "
    limit = Limit(
        id="no-state", require=part if name == "copy_" else f"{whole}({part})", otherwise="rejected", source="frontend",
        say="it writes into a buffer of the program, and coremltools refuses the program: a state needs iOS 18",
        help="return the new value and give it as an input, or ask for a newer deployment target",
    )  # fmt: skip
    return replace(rule, limits=(*rule.limits, limit))


@cache
def inputless() -> frozenset[str]:
    """Operators of torch that take no tensor."""
    lines = (line.split() for line in SCHEMA.read_text(encoding="utf-8").splitlines()[1:] if line)
    return frozenset(op for op, *arguments in lines if not any(":" in one for one in arguments))


CLONE_LIKE = ("dim_order_ops._clone_dim_order.default", "dim_order_ops._to_dim_order_copy.default")
_SUFFIXES = {"default", "int", "tensor", "tensor_mode", "scalar", "tensor_scalar"}


def sanitized(op: str) -> str:
    """The name that coremltools looks up: lower case, without namespace and without the plain overloads."""
    parts = op.lower().split(".")[1:]
    return parts[0] if len(parts) == 2 and parts[1] in _SUFFIXES else ".".join(parts)


def refused(name: str, require: str, say: str) -> Limit:
    """A condition that coremltools itself was seen to fail on, with the partitioner's consent."""
    say = f"{say}: the partitioner takes the node, and coremltools then refuses the program"
    return Limit(id=name, require=require, say=say, otherwise="rejected", source="frontend")


VALUES_ONLY = refused(
    "values-only", "len(out[1].consumers) == 0 and not of_model(out[1])", "only the values are made, not the indices"
)
_WHOLE_SCALES = "attr.align_corners or not exists(attr.scale_factors) or all(in[0].shape[n - len(attr.scale_factors)] * attr.scale_factors[n] % 1 <= 0.001 for n in 0..len(attr.scale_factors) - 1)"
_FOLD = "len(attr.output_size) == 2 and all(d == 1 for d in attr.dilation) and all(attr.stride[n] >= attr.kernel_size[n] and (attr.output_size[n] + 2 * attr.padding[n]) % attr.stride[n] == 0 for n in [0, 1])"
#: What coremltools' handlers raise at.
COREML_REFUSED = {
    **dict.fromkeys(("aten.avg_pool2d.default", "aten.avg_pool3d.default"), ("divisor", "not exists(attr.divisor_override)", "divisor_override is not taken")),
    "aten.pad.default": ("mode", 'attr.mode in ["constant", "reflect", "replicate"] and min(attr.pad) >= 0', "neither padding in a circle nor cropping is taken"),
    "aten.adaptive_avg_pool3d.default": ("to-one", "all(n == 1 for n in attr.output_size)", "only a global average is taken"),
    "aten.einsum.default": ("ellipsis", "'...' not in attr.equation", "an equation has no ellipsis"),
    "aten.im2col.default": ("rank-4", "in[0].rank == 4", "the input has rank 4"),
    "aten.col2im.default": ("fold", _FOLD, "no dilation, no overlap, and nothing left over at the edge"),
    **dict.fromkeys(("aten.upsample_bilinear2d.vec", "aten.upsample_linear1d.vec"), ("whole-scale", _WHOLE_SCALES, "without align_corners the scale must give whole sizes")),
}  # fmt: skip


def coreml_own(place: dict[str, str]) -> dict[str, tuple[Limit, ...]]:
    alpha = Limit(id="alpha", require="attr.alpha == 1", say="alpha must be 1", source="partitioner:119")
    whole = Limit(
        id="dim",
        require="exists(attr.dim)",
        say="a reduction over all elements is not taken",
        source="partitioner:72",
        help="flatten first and give the dimension",
    )
    own: dict[str, tuple[Limit, ...]] = {op: (alpha,) for op in ("aten.add.Tensor", "aten.sub.Tensor") if op in place}
    own |= {op: (whole,) for op in ("aten.argmax.default", "aten.argmin.default") if op in place}
    floats = Limit(
        id="float", require='in[0].dtype in ["float32", "float16", "float64"]', otherwise="rejected",
        say="the input must be of a float type: the partitioner takes the node, and coremltools then refuses the program", source="frontend",
    )  # fmt: skip
    boolean = Limit(
        id="bool-only", require='all(t.dtype == "bool" for t in inputs)', otherwise="rejected",
        say="the inputs must be bool: the partitioner takes the node, and coremltools then refuses the program", source="frontend",
    )  # fmt: skip
    own |= {op: (floats,) for op in ("aten.relu.default", "aten.relu6.default") if op in place}
    own |= {op: (boolean,) for op in ("aten.bitwise_and.Tensor", "aten.bitwise_or.Tensor") if op in place}

    batch = refused("batched", "in[0].rank == in[1].rank", "the input must have a batch dimension")
    own |= {op: (batch,) for op in place if re.match(r"aten\.conv(_transpose)?[123]d\.", op)}
    given = refused("stride", "len(attr.stride) > 0", "the stride must be given")
    plain = refused("dilation", "all(d == 1 for d in attr.dilation)", "a pooling has no dilation")
    for n in (1, 2, 3):
        own[f"aten.max_pool{n}d.default"] = (given, plain)
        own[f"aten.max_pool{n}d_with_indices.default"] = (given, plain, VALUES_ONLY)
    own |= {op: (refused(*one),) for op, one in COREML_REFUSED.items() if op in place}
    own["aten.batch_norm.default"] = (TRAINING,)
    padded = "all(p == 0 for p in attr.output_padding) or (sum(attr.padding) > 0 and in[0].rank < 5)"
    for op in [op for op in own if "conv_transpose" in op]:
        own[op] = (
            *own[op],
            refused("output-padding", padded, "output_padding needs a padding, and one or two dimensions"),
        )
    own["aten.contiguous.default"] = (
        refused("contiguous", 'attr.memory_format in ["contiguous", 0]', "only the contiguous memory format is taken"),
    )
    pairs = "of complex numbers it becomes their view as pairs, which stays outside"
    own["aten.real.default"] = (
        Limit(
            id="real-numbers", require='in[0].dtype not in ["complex64", "complex128"]', say=pairs, source="registry"
        ),
    )
    own["aten.prelu.default"] = (
        refused("rank-4", "in[0].rank == 4 or in[1].size == 1", "one slope for all channels, or an input of rank 4"),
        refused("constant-slope", "computed(in[1])", "the slopes are constants of the program"),
    )
    for op, require in COREML_WRITTEN.items():
        own[op] = (
            refused("written", require, "coremltools wants an argument written that torch leaves out at its default"),
        )
    own |= dict.fromkeys(("aten.adaptive_max_pool1d.default", "aten.adaptive_max_pool2d.default"), (VALUES_ONLY,))
    alone = refused(
        "an-input",
        "len(out[0].consumers) > 1 or (len(out[0].consumers) == 1 and known(readers_supported(out[0]), True))",
        "a part without any input needs iOS 18",
    )
    own |= {op: (*own.get(op, ()), alone) for op in (*inputless(), *COREML_RANDOM) if op in place}
    place.pop("aten.pixel_unshuffle.default", None)
    for op in ("diagonal.default", "diagonal_copy.default", "acosh.default", "asinh.default", "rand.default"):
        place.pop(f"aten.{op}", None)
    return own
