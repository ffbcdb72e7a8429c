"""What ExecuTorch's Ethos-U partitioner takes: the TOSA INT profile, and the checks of Arm's backend."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from executorch_ethos_u_layers import U85, of_source
from executorch_rules import BECOMES, CASTS, FUSED, Backend, Limit, Rule, line_of

QUANTIZER = "executorch/backends/arm/quantizer"


def ethos_u(site: Path) -> Backend:
    """TOSA-1.0+INT: quantised programs; what is not quantised is not taken."""
    path = site / "executorch/backends/arm/operator_support/tosa_profile_supported_op_lists.py"
    text = path.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(text) if line.startswith("TOSA_PRO_INT_SupportList"))
    place: dict[str, str] = {}
    for number, line in enumerate(text[start:], start + 1):
        if line.startswith("}"):
            break
        found = re.search(r"(?:exir_ops\.edge|torch\.ops)\.([\w.]+),", line)
        if found:
            place[found[1]] = f"tosa:{number}"
    listed_ops = frozenset(place)  # one that is in the list is taken whatever a check of its own says
    checked: dict[str, str] = {}
    for file in sorted(path.parent.glob("*_support.py")):
        text_of = file.read_text(encoding="utf-8")
        if 'all_versions_for_profile("FP")' in text_of:  # its checks are those of the float profile
            continue
        for listed in re.finditer(r"^    targets = \[(.*?)\]", text_of, re.MULTILINE | re.DOTALL):
            number = text_of[: listed.start()].count("\n") + 1
            for name in re.findall(r"exir_ops\.edge\.([\w.]+)", listed[1]):
                checked[name] = f"checks:{file.name}:{number}"
    place |= checked
    checks = ethos_u_checks(site, path.parent)
    own_check = {op: own_checked(op, at) for op, at in checked.items() if op not in listed_ops}
    limits: dict[str, tuple[Limit, ...]] = {}
    for op in place:
        if op.startswith("quantized"):
            limits[op] = (ETHOS_BORDER["quantize" if ".quantize_" in op else "dequantize"],)
            continue
        limits[op] = (*checks.every, *checks.by_op.get(op, ()), *own_check.get(op, ()))
    own = {
        op: (*checks.every, *checks.by_op.get(part, ()), *of_source(op, checked[part]))
        for part, ops in ETHOS_SOURCES.items()
        for op in ops
    }
    full = "aten.full.default"
    for op in ("aten.zeros.default", "aten.ones.default"):
        place[op], own[op] = place[full], limits[full]
    place["aten.copy_.default"], own["aten.copy_.default"] = place["aten.copy.default"], limits["aten.copy.default"]
    place |= dict.fromkeys(CASTS, checked["dim_order_ops._to_dim_order_copy.default"])
    own |= dict.fromkeys(CASTS, (cast(site),))
    return Backend(place=place, limits=limits, own=own, whole=WHOLE)


def cast(site: Path) -> Limit:
    """A cast: nothing is left of one that changes nothing, and the others are between whole numbers."""
    whole = '["int8", "int16", "int32"]'
    unit = f'(out[0].dtype == "float32" and in[0].dtype != "bool" and len(out[0].consumers) > 0 and all(c in {QUANTIZED} for c in out[0].consumers))'
    u85 = f"env.config in {U85} and in[0].dtype in {WHOLE_NUMBERS} and (out[0].dtype in {WHOLE_NUMBERS} or {unit})"
    u55 = f'in[0].dtype in ["int8", "int16"] and (out[0].dtype in {whole} or {unit})'
    place = line_of(site / "executorch/backends/arm/operator_support/ethos_u55_support.py", "class EthosU55CastCheck")
    return Limit(
        id="cast", require=f"in[0].dtype == out[0].dtype or ({u55}) or ({u85})", source=f"checks:ethos_u55_support.py:{place}",
        say="a cast between two types is from int8 or int16 to a whole number of at most 32 bits; on Ethos-U85 from bool and int32, and to bool, too; to a float32 that is quantised again",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Checks:
    """The limits of all operators, and those of one."""

    every: tuple[Limit, ...]
    by_op: Mapping[str, tuple[Limit, ...]]


DEQUANTIZED = json.dumps([f"quantized_decomposed.dequantize_per_{kind}.default" for kind in ("tensor", "channel")])
QUANTIZED = json.dumps([f"quantized_decomposed.quantize_per_{kind}.default" for kind in ("tensor", "channel")])
FLOATS = '["float32", "float16", "bfloat16", "float64"]'
ACTIVATIONS = json.dumps(FUSED)
LAYERS = json.dumps(
    [
        "aten.linear.default",
        "aten.conv_transpose2d.input",
        *(f"aten.conv{n}d.{kind}" for n in (1, 2, 3) for kind in ("default", "padding")),
    ]
)
#: What a quantised program's partitioner keeps as it is (ops_to_not_decompose_if_quant_op), or makes itself.
WHOLE = frozenset({"aten.hardsigmoid.default", "aten.ones.default", "aten.zeros.default", *CASTS})
CONVOLUTIONS = json.dumps(
    [
        *(f"aten.conv{n}d.{kind}" for n in (1, 2, 3) for kind in ("default", "padding")),
        *("aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input"),
    ]
)
#: The reader asks for the shape or the dtype of the tensor, and nothing is left of it.
ONLY_ITS_SHAPE = (
    "len(out[0].consumers) == 1 and "
    f"out[0].consumers[0] in {json.dumps([f'aten.{op}.default' for op in ('type_as', 'expand_as', 'view_as', 'reshape_as')])}"
    " and siblings(out[0])[0].name != out[0].name"
)
#: The reader is a layer that wants a batch dimension, which is made in the delegate.
UNBATCHED = (
    f"len(out[0].consumers) == 1 and out[0].consumers[0] in {CONVOLUTIONS}"
    " and siblings(out[0])[0].name == out[0].name and out[0].rank < siblings(out[0])[1].rank"
)
ETHOS_BORDER = {
    "quantize": Limit(
        id="border", require=f'in[0].producer != "" and (readers_supported(out[0]) if in[0].producer in {DEQUANTIZED} else maker_supported(in[0]))',
        say="a quantize whose input is made outside the delegate stays outside", source="partitioner:449",
    ),
    "dequantize": Limit(
        id="border", require=f"len(out[0].consumers) > 0 and (readers_supported(out[0]) or ({ONLY_ITS_SHAPE}) or ({UNBATCHED}))",
        say="a dequantize that something outside the delegate reads stays outside", source="partitioner:449",
    ),
}  # fmt: skip


#: Edge operators with a check of their own, and the operators of a file whose attributes it reads.
ETHOS_SOURCES = {
    "aten.convolution.default": (
        *(f"aten.conv{n}d.{kind}" for n in (1, 2, 3) for kind in ("default", "padding")),
        "aten.conv_transpose1d.default", "aten.conv_transpose2d.input", "aten.conv_transpose3d.input",
    ),
    "aten.avg_pool2d.default": ("aten.avg_pool2d.default",),
    "aten.max_pool2d.default": ("aten.max_pool2d.default",),
    "aten.upsample_nearest2d.vec": ("aten.upsample_nearest2d.vec",),
    "aten.sum.dim_IntList": ("aten.sum.dim_IntList",),
}  # fmt: skip
#: Edge operators whose check asks nothing that other limits do not ask already.
ETHOS_PLAIN = frozenset(
    {
        "aten.slice_copy.Tensor",
        "aten.slice.Tensor",
        "dim_order_ops._clone_dim_order.default",
        "aten.bitwise_right_shift.Tensor",
        "aten.__rshift__.Scalar",
    }
)
#: The checks that are expressions, of operators that a file has under the same name: (id, require, sentence).
WHOLE_NUMBERS = '["bool", "int8", "int16", "int32"]'
ETHOS_CHECKS = {
    "aten.embedding.default": ("int32-index", 'in[1].dtype == "int32"', "the indices are int32"),
    "aten.gather.default": (
        "gather",
        'in[1].dtype == "int32" and attr.dim % in[0].rank == 1 and in[0].rank in [2, 3] and in[1].rank in [2, 3]'
        " and (in[1].rank == 2 or in[0].shape[-1] == in[1].shape[-1]) and in[0].shape[0] == in[1].shape[0]",
        "int32 indices along dimension 1 of a tensor of rank 2 or 3, with the same first (and, of three, last) size",
    ),
    "aten.index_select.default": (
        "index",
        'in[1].dtype == "int32" and in[1].rank == 1 and in[0].rank > 0',
        "one index of int32 and one dimension",
    ),
    "aten.where.self": (
        "where",
        f'in[0].dtype == "bool" and in[1].name != in[2].name and all(t.dtype in {WHOLE_NUMBERS} or (t.dtype == "float32" and t.producer in DEQUANTIZED) for t in [in[1], in[2]])',
        "the choice is between two different tensors, quantised or of at most 32 bits",
    ),
}


def own_checked(op: str, at: str) -> tuple[Limit, ...]:
    """The check that the backend has for one edge operator, in words where it is no expression."""
    if op in ETHOS_PLAIN:
        return ()
    if op in ETHOS_CHECKS:
        name, require, sentence = ETHOS_CHECKS[op]
        require = require.replace("DEQUANTIZED", DEQUANTIZED)
        return (Limit(id=name, require=require, when=f"op == {json.dumps(op)}", say=sentence, source=at),
                Limit(id="own-check", require="", when=f"op != {json.dumps(op)}", say="the backend has a check of its own for what it becomes", source=at))  # fmt: skip
    say = "the backend has a check of its own for it, of sizes, strides and types"
    when = f"op not in {json.dumps(ETHOS_SOURCES[op])}" if op in ETHOS_SOURCES else ""
    return (Limit(id="own-check", require="", when=when, say=say, source=at),)


def ethos_u_checks(site: Path, folder: Path) -> Checks:
    """What every operator must hold, and the lists of single operators."""
    support, u55 = folder / "tosa_supported_operators.py", folder / "ethos_u55_support.py"

    def at(pattern: str) -> str:
        return f"support:{line_of(support, pattern)}"

    every = (
        Limit(
            id="quantised",
            require=f"all(t.dtype not in {FLOATS} or t.producer in {DEQUANTIZED} or const(t) or (op in {ACTIVATIONS} and t.producer in {LAYERS}) for t in inputs) and any(t.dtype not in {FLOATS} or t.producer in {DEQUANTIZED} or (op in {ACTIVATIONS} and t.producer in {LAYERS}) for t in inputs) or (len(inputs) == 0 and (out[0].dtype not in {FLOATS} or (len(out[0].consumers) > 0 and all(c in {QUANTIZED} for c in out[0].consumers))))",
            say="every float input must come from a dequantize: the INT profile takes quantised programs only",
            source=at("class CheckArmQuantized"), help="quantise the program with EthosUQuantizer before lowering it",
        ),
        Limit(
            id="rank-6", require="all(t.rank <= 6 for t in inputs) and all(t.rank <= 6 for t in outputs)",
            say="tensors have at most six dimensions", source=at("class RankCheck"),
        ),
        Limit(
            id="no-int64",
            require='out[0].dtype != "int64" and all(t.dtype != "int64" or len(t.consumers) == 0 for t in outputs) and all(t.dtype != "int64" or const(t) for t in inputs)',
            say="no int64 tensors but constants", source=at("class CheckInt64InputsAndOutputs"), help="use int32",
        ),
        Limit(
            id="dtype",
            require=f'all(t.dtype not in ["float64", "bfloat16", "complex64", "complex128"] and (t.dtype != "bool" or env.config in {U85}) for t in inputs) and all(t.dtype not in ["float64", "bfloat16", "complex64", "complex128"] and (t.dtype != "bool" or env.config in {U85}) for t in outputs)',
            say="float64, bfloat16 and complex tensors are not taken; bool on Ethos-U85 only", source=at("def _disallowed_dtypes"),
        ),
    )  # fmt: skip
    by_op: dict[str, tuple[Limit, ...]] = {}
    for op, number in listed(u55, "unsupported_ops"):
        say = "it is not taken on Ethos-U55 and U65"
        one = Limit(id="u85-only", require=f"env.config in {U85}", say=say, source=f"checks:{u55.name}:{number}")
        by_op[op] = (*by_op.get(op, ()), one)
    for op, at_line, one_type in typed(site, u55):
        one = Limit(
            id="u55-dtype", require=f"env.config in {U85} or ({one_type[0]})", source=at_line,
            say=f"on Ethos-U55 and U65 {one_type[1]}",
        )  # fmt: skip
        by_op[op] = (*by_op.get(op, ()), one)
    flip = Limit(
        id="flip", require=f"env.config in {U85} or (in[0].rank == 4 and len(attr.dims) == 1 and attr.dims[0] % 4 in [1, 2])",
        say="on Ethos-U55 and U65 only the channels or the rows of a tensor of four dimensions are reversed",
        source=f"checks:{u55.name}:{line_of(u55, 'class EthosU55ReverseCheck')}",
    )  # fmt: skip
    by_op["aten.flip.default"] = (*by_op.get("aten.flip.default", ()), flip)
    for op, number in listed(support, "targeted_ops"):
        one = Limit(
            id="quantised-output",
            require=f"out[0].dtype not in {FLOATS} or (len(out[0].consumers) > 0 and all(c in {QUANTIZED} for c in out[0].consumers)) or (op in {LAYERS} and len(out[0].consumers) == 1 and out[0].consumers[0] in {ACTIVATIONS})",
            say="its output must go to a quantize", source=f"support:{number}",
        )  # fmt: skip
        by_op[op] = (*by_op.get(op, ()), one)
    return Checks(every=every, by_op=by_op)


def typed(site: Path, u55: Path) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """(operator, place, condition and sentence) of those that Ethos-U55 has for some dtypes only."""
    tables = (site / "executorch/backends/arm/_passes/insert_table_ops.py").read_text(encoding="utf-8")
    found = re.findall(r"exir_ops\.edge\.(aten\.[\w.]+)", tables.partition("class TableOps")[2].partition("def ")[0])
    at = f"checks:{u55.name}:{line_of(u55, 'target_ops_i8_i16 = ')}"
    small = ('out[0].dtype not in ["int32", "uint8"]', "it is taken in int8 and int16 only")
    for op in sorted({*found, "aten.amax.default", "aten.amin.default"}):
        yield op, at, small
    at = f"checks:{u55.name}:{line_of(u55, 'exir_ops.edge.aten.mm.default')}"
    bytes_only = (
        f'all(t.dtype == "int8" or (t.producer in {DEQUANTIZED} and before(t).dtype == "int8") for t in inputs)'
    )
    for op in ("aten.mm.default", "aten.bmm.default"):
        yield op, at, (bytes_only, "both matrices are int8")


@cache
def annotates(site: Path) -> frozenset[str]:
    """The operators that Arm's quantizer names; it marks no other as quantised."""
    texts = (path.read_text(encoding="utf-8") for path in sorted((site / QUANTIZER).glob("*.py")))
    return frozenset(f"aten.{op}" for text in texts for op in re.findall(r"torch\.ops\.aten\.(\w+\.\w+)", text))


def together(site: Path) -> Limit:
    """The slices of one tensor: where some lead outside at once and others do not, they end in different parts."""
    place = line_of(site / "executorch/backends/arm/tosa/partitioner.py", "def _detag_boundary_nodes")
    taken = "known(readers_supported(after(t)), True) for t in outputs"
    return Limit(
        id="together", require=f"all({taken}) or not any({taken})", source=f"partitioner:{place}",
        say="its outputs go on inside or outside together: where only some do, the slices lie in different parts, and the dequantize before them in none",
    )  # fmt: skip


def accompanied(rule: Rule, site: Path) -> Rule:
    """A rule of an operator that only names a tensor anew: it is not delegated where no other is beside it."""
    parts = BECOMES.get(rule.op, (rule.op,))
    if rule.op == "aten.unbind.int":
        return replace(rule, limits=(*rule.limits, together(site)))
    if (
        rule.refusal
        or not parts
        or not {*parts} <= {"aten.view_copy.default", "dim_order_ops._clone_dim_order.default"}
    ):
        return rule
    place = line_of(site / "executorch/backends/arm/tosa/partitioner.py", "is_nocompute_partition = all")
    limit = Limit(
        id="with-others", source=f"partitioner:{place}",
        require=f'in[0].dtype in {FLOATS} or len(out[0].consumers) == 0 or readers_supported(out[0]) or (in[0].producer != "" and maker_supported(in[0]))',
        say="an operator that computes nothing is not delegated without one beside it that does",
    )  # fmt: skip
    return replace(rule, limits=(*rule.limits, limit))


def annotated(rule: Rule, site: Path) -> Rule:
    """A rule of an operator that the quantizer does not name holds for tensors of whole numbers only."""
    known = (
        rule.op in annotates(site) or rule.op in CASTS or BECOMES.get(rule.op) == ()
    )  # nothing is left of the latter
    if rule.refusal or known or not rule.op.startswith("aten."):
        return rule
    place = line_of(
        site / "executorch/backends/arm/operator_support/tosa_supported_operators.py", "class CheckArmQuantized"
    )
    same = " or all(same(t.shape, in[0].shape) for t in inputs)" if rule.op == "aten.broadcast_tensors.default" else ""
    limit = Limit(
        id="annotated", require=f"all(t.dtype not in {FLOATS} for t in inputs){same}", source=f"support:{place}",
        say="EthosUQuantizer does not mark this operator as quantised, and without the mark it is not taken",
    )  # fmt: skip
    return replace(rule, limits=(*rule.limits, limit))


def listed(path: Path, name: str) -> Iterator[tuple[str, int]]:
    """The edge operators in the list that a class assigns to `name`, with their lines."""
    for one in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(one, ast.Assign) and any(getattr(target, "id", "") == name for target in one.targets):
            for part in getattr(one.value, "elts", ()):
                text = ast.unparse(part)
                if text.startswith("exir_ops.edge."):
                    op = text.removeprefix("exir_ops.edge.")
                    yield (op if op.count(".") == 2 else f"{op}.default"), part.lineno
