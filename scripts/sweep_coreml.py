"""Hold op_tables/targets/coreml.toml against coremltools' own validation, and store probes of every limit.

    python scripts/sweep_coreml.py

runs where coremltools is installed. For each operation, opset, input, and type, constant or not, the table's verdict
is compared with what coremltools' registry says; the count is printed, every difference too, and for each limit a probe
on both sides goes into op_tables/evidence/.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SEEN = "2026-11-21"
OPSETS = (15, 16, 17, 18)
TYPES = ("float16", "float32", "int8", "int16", "int32", "uint8", "uint16", "bool", "string", "int4", "uint4")

Inputs = Mapping[str, tuple[str, bool]]  # formal name → (dtype, whether it is constant)


def variables(inputs: Inputs) -> dict[str, Any]:
    """The inputs as coremltools' variables."""
    from coremltools.converters.mil.mil import types
    from coremltools.converters.mil.mil.var import Var

    names = {"float16": "fp16", "float32": "fp32"}
    out = {}
    for name, (dtype, constant) in inputs.items():
        kind = types.str if dtype == "string" else types.string_to_builtin(names.get(dtype, dtype))
        out[name] = Var(name, types.tensor(kind, (1,)))
        out[name].is_descendant_of_const = constant
    return out


def cases(found: Any) -> Iterator[Inputs]:
    """Everything required at its first type, then one thing changed at a time; each optional input with each type;
    and one more that the operation does not have."""
    tensors = [one for one in found.inputs if one.types is not None]
    base = {one.name: (preferred(one.types), one.const) for one in tensors if not one.optional}
    yield base
    for one in tensors:
        for dtype in TYPES:
            for constant in (False, True):
                yield {**base, one.name: (dtype, constant)}
        if one.group is not None:  # the whole group at each type
            group = [other for other in tensors if other.group == one.group and (not other.optional or other is one)]
            for dtype in TYPES:
                yield {**base, **{other.name: (dtype, other.const) for other in group}}
            whole = {other.name: (one.types[0], other.const) for other in tensors if other.group == one.group}
            yield {**base, **whole}
            yield {**base, **whole, one.name: (one.types[-1], one.const)}
    yield {**base, "unheard_of": ("float32", False)}


def preferred(types: tuple[str, ...]) -> str:
    return next((one for one in ("float32", "int32") if one in types), types[0])


def table_says(table: Any, op: str, opset: int, inputs: Inputs) -> Any:
    from edgecheck.check import judge, point
    from edgecheck.model.graph import Node, Tensor
    from edgecheck.tables.scope import Edges, Scope

    tensors = tuple(Tensor(name=n, dtype=t, shape=(1,), data=object() if c else None) for n, (t, c) in inputs.items())  # type: ignore[arg-type]
    node = Node(
        graph=0, index=0, name="", op=op, version=opset, inputs=tensors, outputs=(), attrs={}, input_names=tuple(inputs)
    )
    env = {"version": opset, "file_specification_version": opset - 9, "file_type": "mlProgram"}
    return judge(node, point(table, str(opset)), Scope(node=node, env=env, edges=Edges({}, {})))


def sweep() -> Iterator[tuple[str, int, Inputs, str | None, Any]]:
    """(operation, opset, inputs, coremltools' refusal or None, the table's verdict)."""
    from coremltools.converters.mil._deployment_compatibility import AvailableTarget
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    import import_coreml as importer
    from edgecheck.oracles.coreml_registry import refusal_of
    from edgecheck.tables import bundle

    table = bundle.load("coreml")
    for op, versions in sorted(SSAOpRegistry.core_ops.items()):
        if op.startswith("_") or op == "const":
            continue
        for opset in OPSETS:
            definition = versions.get(getattr(AvailableTarget, f"iOS{opset}"))
            found = importer.signature(definition) if definition else None
            if found and any(one.const and one.types is None and not one.optional for one in found.inputs):
                continue  # classify: its labels are a list, which a variable of one type does not stand for
            every = cases(found) if found else iter([{}])
            for inputs in every:
                refusal = refusal_of(op, opset, variables(inputs))
                yield op, opset, inputs, refusal, table_says(table, op, opset, inputs)


def probe(op: str, opset: int, inputs: Inputs, refusal: str | None, limit: str) -> dict[str, Any]:
    """One result as evidence; `inputs` carries what is needed to judge it again."""
    shown = " ".join(f"{name}={dtype}{'' if constant else '*'}" for name, (dtype, constant) in inputs.items())
    return {"target": "coreml", "op": op, "limit": limit, "side": "outside" if refusal else "inside",
            "probe": f"{op} iOS{opset} {shown}".strip(), "verdict": "rejected" if refusal else "supported",
            "reason": " ".join((refusal or "").split())[:80], "oracle": "coremltools", "version": "9.0", "date": SEEN,
            "op_version": opset, "inputs": {name: list(one) for name, one in inputs.items()}}  # fmt: skip


def main() -> None:
    import coremltools  # noqa: F401  (fails here, with its own words, where it is not installed)

    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "scripts")]
    counts: Counter[tuple[str, str]] = Counter()
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    inside: dict[tuple[str, int], dict[str, Any]] = {}
    for op, opset, inputs, refusal, ours in sweep():
        theirs = "rejected" if refusal else "supported"
        counts[ours.verdict, theirs] += 1
        if ours.verdict != theirs:
            print(op, opset, inputs, ours.verdict, ours.reason, "|", refusal)
            continue
        limit = ours.limit or ""
        if not refusal:
            inside.setdefault((op, opset), probe(op, opset, inputs, None, ""))
            rows.setdefault((op, "", f"inside {opset}"), inside[op, opset])
        else:
            rows.setdefault(
                (op, limit, f"outside {opset}" if not limit else "outside"), probe(op, opset, inputs, refusal, limit)
            )
            if limit and (op, opset) in inside:
                rows.setdefault((op, limit, "inside"), {**inside[op, opset], "limit": limit})
    print(sum(counts.values()), "probes:", dict(counts))
    target = ROOT / "op_tables" / "evidence" / "coremltools-9.0.jsonl"
    target.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows.values()))
    print(f"{target.name}: {len(rows)} probes")


if __name__ == "__main__":
    main()
