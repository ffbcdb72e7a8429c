"""ONNX Runtime's kernels and operator schemas as one release lists them: what the importers of its tables read.

python scripts/ort_registry.py registry-1.31.json      # in an environment with onnxruntime alone
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OPEN_END = 2147483647
DOMAINS = ("", "ai.onnx.ml", "com.microsoft")  # the others are ONNX Runtime's internal rewrites
NAMES = {"float": "float32", "double": "float64"}

Letters = Mapping[str, frozenset[str]]  # type constraint → dtypes


@dataclass(frozen=True)
class Schema:
    """One version of an operator as ONNX Runtime has it: formal parameters as (name, type string, option)."""

    inputs: tuple[tuple[str, str, str], ...]
    outputs: tuple[tuple[str, str, str], ...]
    types: Letters

    def places(self, letter: str) -> list[tuple[str, int, str]]:
        """Where a kernel's constraint is looked up: ONNX Runtime takes the first place that is there."""
        both = [("in", i, *one) for i, one in enumerate(self.inputs)]
        both += [("out", i, *one) for i, one in enumerate(self.outputs)]
        found = [(side, i, option) for side, i, _, kind, option in both if kind == letter]
        return found or [(side, i, option) for side, i, name, _, option in both if name == letter][:1]


@dataclass(frozen=True)
class Registry:
    """The kernels and schemas of one release."""

    version: str
    kernels: Mapping[str, Sequence[tuple[int, int, Letters]]]  # op → (start, end, constraints)
    schemas: Mapping[str, Mapping[int, Schema]]  # op → since_version → schema


def dump(out: Path) -> None:
    """What the installed onnxruntime says of itself, as JSON."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kernels = [
        [k.domain, k.op_name, *k.version_range, {name: list(types) for name, types in k.type_constraints.items()}]
        for k in state.get_all_opkernel_def()
        if k.provider == "CPUExecutionProvider"
    ]
    schemas = [
        [s.domain, s.name, s.since_version, bool(s.deprecated),
         *([[p.name, p.typeStr, p.option.name] for p in side] for side in (s.inputs, s.outputs)),
         {t.type_param_str: list(t.allowed_type_strs) for t in s.type_constraints}]
        for s in state.get_all_operator_schema()
    ]  # fmt: skip
    out.write_text(json.dumps({"version": onnxruntime.__version__, "kernels": kernels, "schemas": schemas}))


def dtype(text: str) -> str:
    """`seq(tensor(float))` as edgecheck writes it: `sequence(float32)`."""
    text = re.sub(r"\s", "", text)
    text = re.sub(r"tensor\((\w+)\)", lambda m: NAMES.get(m[1], m[1]), text)
    return re.sub(
        r"map\((\w+),(\w+)\)", lambda m: f"map({m[1]},{NAMES.get(m[2], m[2])})", text.replace("seq(", "sequence(")
    )


def op_name(domain: str, name: str) -> str:
    return f"{domain}::{name}" if domain else name


def load(path: Path) -> Registry:
    raw = json.loads(path.read_text())
    kernels: dict[str, list[tuple[int, int, Letters]]] = defaultdict(list)
    for domain, name, start, end, types in raw["kernels"]:
        if domain in DOMAINS:
            letters = {letter: frozenset(map(dtype, some)) for letter, some in types.items()}
            kernels[op_name(domain, name)].append((start, end, letters))
    schemas: dict[str, dict[int, Schema]] = defaultdict(dict)
    for domain, name, since, deprecated, inputs, outputs, types in raw["schemas"]:
        if domain in DOMAINS and not deprecated:
            letters = {letter: frozenset(map(dtype, some)) for letter, some in types.items()}
            for _, kind, _ in (*inputs, *outputs):
                letters.setdefault(kind, frozenset({dtype(kind)}))
            formal = (tuple(map(tuple, side)) for side in (inputs, outputs))
            schemas[op_name(domain, name)][since] = Schema(*formal, letters)
    return Registry(raw["version"], kernels, schemas)


def matching(registry: Registry, op: str, since: int) -> Iterator[Letters]:
    """The kernels that serve a node of this schema version (KernelRegistry's VerifyVersion).

    A kernel without an end serves only the version it starts with: a newer schema may ask for more than it does.
    """
    for start, end, letters in registry.kernels.get(op, ()):
        if start == since or (end != OPEN_END and start <= since <= end):
            yield letters


if __name__ == "__main__":
    dump(Path(sys.argv[1]))
