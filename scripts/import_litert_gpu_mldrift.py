"""ML Drift's own list of operators, versions and types, from LiteRT's sources → the lower half of `litert-gpu-mldrift`.

    python scripts/import_litert_gpu_mldrift.py CHECKOUT            # google-ai-edge/LiteRT at the commit the table names
    python scripts/import_litert_gpu_mldrift.py CHECKOUT --check    # exit 1 where the table differs or cites a missing line

Read are `NewOperationParser` and the lists of types beside it (`model_builder.cc`), the operators that
`gpu_compatibility.cc` has a case for, and LiteRT's kernels and their versions (`register.cc`). What a parser or a kernel
asks of a node's shapes, constants and quantisation is no list: those limits stand in the upper half, each with its line
or its measurement, and an operator that has an entry there has none below. `import_litert_web.py` then brings the
browser's table up to date.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from import_litert_web import registered
from two_halves import TABLES, entry, mark, run

TABLE = TABLES / "litert-gpu-mldrift.toml"
MARK = mark("import_litert_gpu_mldrift.py")
BUILDER = Path("ml_drift_delegate/tflite/model_builder.cc")
COMPATIBILITY = Path("tflite/tools/versioning/gpu_compatibility.cc")
REGISTER = Path("tflite/core/kernels/register.cc")

#: Operators whose output has, before ML Drift looks, the type that LiteRT's kernel gives it: that of this input.
OUTPUT_LIKE: Mapping[int, Sequence[str]] = {
    0: (
        "ADD_N", "PRELU", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SPLIT_V", "CEIL", "EXP", "FLOOR", "POW", "ROUND",
        "DYNAMIC_UPDATE_SLICE", "FLOOR_DIV", "FLOOR_MOD", "RIGHT_SHIFT", "STABLEHLO_SHIFT_LEFT", "GATHER", "LOGICAL_AND",
        "LOGICAL_OR", "MAXIMUM", "MINIMUM", "NEG",
    ),
    1: ("ADD", "DIV", "SUB", "SELECT", "SELECT_V2", "SPLIT", "SQUARED_DIFFERENCE"),
    2: ("ONE_HOT",),
}  # fmt: skip
#: Operators whose kernel gives the output a type that ML Drift always takes (bool; float32 of DEQUANTIZE).
OUTPUT_FIXED = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL", "DEQUANTIZE")

_CONSTANT = "(const(t) or (t.producer == 'DEQUANTIZE' and known(origin(t), '') == 'float16'))"
_CASE = re.compile(r"^    case kTfLiteBuiltin(\w+):", re.M)
_BRANCH = re.compile(r"((?:^    case kTfLiteBuiltin\w+:\n)+)(.*?)(?=^    case |^  }$)", re.M | re.S)
_MADE = re.compile(r"make_unique<(\w+)>\(\s*(?:::ml_drift::OperationType::(\w+))?")
_CLASS = re.compile(r"^class (\w+) : public TFLiteOperationParser \{(.*?)^\};", re.M | re.S)
_NEWEST = re.compile(r"CheckMaxSupportedOpVersion\(registration, (\d+)\)|\.max_version = (\d+)")
_NEWEST_OF = re.compile(r"OperationType::(\w+)\s*\? (\d+)")
_OTHERWISE = re.compile(r"^\s*: (\d+);", re.M)
_TYPES = re.compile(r"kTfLite(\w+)")


class Code:
    """The sources of one checkout. Operators are named as tables name them."""

    def __init__(self, checkout: Path) -> None:
        self.builder, self.compatibility = ((checkout / path).read_text("utf-8") for path in (BUILDER, COMPATIBILITY))
        self.kernels = {
            op: place for op, place in registered((checkout / REGISTER).read_text("utf-8")).items() if op.isascii()
        }
        self._plain = {op.replace("_", "").lower(): op for op in self.kernels}
        self.parsers = dict(self._parsers())
        self.classes = {match[1]: match[2] for match in _CLASS.finditer(self.builder)}

    def op(self, name: str) -> str | None:
        """`AveragePool2d` as AVERAGE_POOL_2D; None for an operator that LiteRT has no kernel for."""
        return self._plain.get(name.lower())

    def _parsers(self) -> Iterator[tuple[str, tuple[int, str, str]]]:
        """Line of its case, parser and ML Drift's own operation type of each operator of `NewOperationParser`."""
        start = self.builder.index("  switch (builtin_code) {")
        for match in _BRANCH.finditer(self.builder, start):
            made = _MADE.search(match[2])
            for case in _CASE.finditer(self.builder, match.start(1), match.end(1)):
                op = self.op(case[1])
                if op is not None and made is not None:
                    line = self.builder.count("\n", 0, case.start()) + 1
                    yield op, (line, made[1], made[2] or "")

    def taken(self) -> list[str]:
        """The operators with a parser, but for those that the compatibility check, which it asks, has no case for."""
        cases = {self.op(match[1]) for match in _CASE.finditer(self.compatibility)}
        return sorted(op for op, (_, parser, _) in self.parsers.items() if op in cases or not self._asks(parser))

    def _asks(self, parser: str) -> bool:
        body = self.classes[parser]
        if "ValidateSupport(" in body:
            return "check_gpu_compatibility = false" not in body
        return "CheckGpuDelegateCompatibility(" in body

    def newest(self, op: str) -> int | None:
        """The highest version of the operator that its parser takes; None where it does not ask."""
        _, parser, kind = self.parsers[op]
        body = self.classes[parser]
        if "kSupportedOpVersion" in body:
            by_kind = dict(_NEWEST_OF.findall(body))
            otherwise = _OTHERWISE.search(body)
            return int(by_kind.get(kind) or (otherwise[1] if otherwise else 0))
        found = _NEWEST.search(body)
        return int(found[1] or found[2]) if found else None

    def listed(self, function: str) -> set[str]:
        """The operators that a function such as `IsIntSupportedOp` says yes to."""
        start = self.builder.index(f"bool {function}(")
        body = self.builder[start : self.builder.index("\n}\n", start)]
        return {op for name in re.findall(r"kTfLiteBuiltin(\w+)", body) if (op := self.op(name))}

    def types(self, op: str) -> tuple[list[str], list[str]]:
        """Element types of computed inputs and of outputs, in the order of the lambda in `GetOpsToReplaceWithOptions`."""
        ints, words = ["int8", "int16", "int32"], ["uint8", "uint16", "uint32"]
        reads = ["float32", "float16", "bool", "int2", "int4", "int8", "uint8"]
        makes = ["float32", "float16", "int8", "uint8"]
        if op == "ARG_MAX":
            makes = ["int32"]
        if op in ("REDUCE_ALL", "REDUCE_ANY"):
            reads, makes = ["bool"], ["bool"]
        if op in ("EMBEDDING_LOOKUP", "ONE_HOT", "DYNAMIC_UPDATE_SLICE"):
            reads.append("int32")
        if op in self.listed("IsCompareOpCode"):
            reads, makes = [*reads, *ints, *words], [*makes, "bool"]
        if op in self.listed("IsLogicalOpCode"):
            reads, makes = ["bool", *ints], ["bool", *ints]
        if op == "TOPK_V2":
            makes.append("int32")
        if op in self.listed("IsBf16SupportedOp"):
            reads, makes = [*reads, "bfloat16"], [*makes, "bfloat16"]
        if op in self.listed("IsIntSupportedOp") or op == "STABLEHLO_SHIFT_LEFT":
            reads, makes = [*reads, *ints], [*makes, *ints]
        if op in self.listed("SupportAllPrecisionOp"):
            every = [*ints, *words, "bool", "bfloat16"]
            reads, makes = [*reads, *every], [*makes, *every]
        return list(dict.fromkeys(reads)), list(dict.fromkeys(makes))


def versions(code: Code) -> Iterator[str]:
    """One limit for the operators of each newest version, where LiteRT has kernels for later ones."""
    groups: dict[int, list[str]] = {}
    for op in code.taken():
        newest, (_, _, high) = code.newest(op), code.kernels[op]
        if newest is not None and newest < high:
            groups.setdefault(newest, []).append(op)
    for newest, ops in sorted(groups.items()):
        yield _limit(
            ops, f"version-{newest}", f"op_version <= {newest}", f"versions up to {newest} of the operator",
            ["builder:CheckMaxSupportedOpVersion"],
            "convert with an older converter, or without the feature that raised the version",
        )  # fmt: skip


def element_types(code: Code, own: Iterable[str]) -> Iterator[str]:
    """One limit for the operators of the same types; an operator whose limit stands in the upper half has none."""
    line = code.builder.count("\n", 0, code.builder.index("std::vector<TfLiteType> allowed_in_types")) + 1
    groups: dict[tuple[str, str, bool], list[str]] = {}
    for op in code.taken():
        if op in own:
            continue
        reads, makes = code.types(op)
        require = f"all({_CONSTANT} or t.dtype in {reads} for t in inputs)"
        say, like = (
            f"computed inputs must be {', '.join(reads)}",
            next((i for i, ops in OUTPUT_LIKE.items() if op in ops), None),
        )
        if like is not None:
            require += f" and in[{like}].dtype in {makes}"
            say += f"; outputs, which have the type of an input, {', '.join(makes)}"
        elif op not in OUTPUT_FIXED:
            require += f" and all(t.dtype in {makes} for t in outputs)"
            say += f"; outputs {', '.join(makes)}"
        groups.setdefault((require, say, like is not None or op in OUTPUT_FIXED), []).append(op)
    for (require, say, typed), ops in groups.items():
        source = [f"builder:{line}", *(["kernel:output->type in Prepare"] if typed else [])]
        yield _limit(
            ops, "computed-types", require, say, source, "convert the model with float32 or int8 tensors there"
        )


def _limit(ops: Iterable[str], name: str, require: str, say: str, source: Iterable[str], remedy: str) -> str:
    quoted, cited = (", ".join(f'"{one}"' for one in many) for many in (ops, source))
    return (
        f'[[op_limit]]\nops = [{quoted}]\nid = "{name}"\nrequire = "{require}"\nsay = "{say}"\n'
        f'source = [{cited}]\nhelp = "{remedy}"\n'
    )


def half(checkout: Path) -> Iterator[str]:
    """The operators and their limits, as TOML."""
    upper = tomllib.loads(TABLE.read_text("utf-8").partition(MARK)[0])
    code, own = Code(checkout), {one["op"] for one in upper["op"]}
    typed = {op for one in upper["op_limit"] if one["id"] == "computed-types" for op in one["ops"]}
    yield ""
    for op in code.taken():
        _, low, high = code.kernels[op]
        yield entry(op, "accelerator", f"builder:{code.parsers[op][0]}", op_version=f"{low}..{high}")
    for op, (line, low, high) in sorted(code.kernels.items()):
        if op not in own and op not in code.taken():
            span = {"op_version": str(low) if low == high else f"{low}..{high}"} if op.isupper() else {}
            say = f"ML Drift does not take {op}; a kernel of LiteRT runs it on the CPU"
            yield entry(op, f"register:{line}", **span, verdict="fallback", say=say)
    yield from versions(code)
    yield from element_types(code, typed)


if __name__ == "__main__":
    sys.exit(run("import_litert_gpu_mldrift.py", "google-ai-edge/LiteRT", {"litert-gpu-mldrift": half}, __doc__))
