"""Ask ONNX Runtime about every operator, schema version and type: one session for each one-operator model.

    python scripts/sweep_ort_cpu.py make cases.jsonl                  # newest release, onnx: the telling models
    python scripts/sweep_ort_cpu.py ask cases.jsonl sweep-1.20.jsonl  # in requirements/ort*.txt
    python scripts/sweep_ort_cpu.py evidence sweep-1.*.jsonl          # a part of it into op_tables/evidence/

A line of a sweep is [domain, operator, schema version, types, whether optional inputs were given, outcome, message].
Operators with required graphs (If, Loop, Scan, …) are left to onnx's node tests.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import os
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

EVIDENCE = Path(__file__).parents[1] / "op_tables" / "evidence"
SEEN = "2026-11-21"
DOMAINS = ("", "ai.onnx.ml", "com.microsoft")
MOST = 300  # type combinations of one schema that are all tried; beyond, one changes at a time and 250 at random
SHAPES: tuple[list[int] | None, ...] = (None, [2, 2, 2, 2], [2, 2], [2], [], [2, 2, 2], [1, 1, 4, 4])
_TYPES = """float uint8 int8 uint16 int16 int32 int64 string bool float16 double uint32 uint64 complex64 complex128
bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2"""
CODES = {name: code for code, name in enumerate(_TYPES.split(), 1)}
VALUES = {"kernel_shape": [2, 2], "to": 1, "axis": 0, "perm": [0], "blocksize": 2, "hidden_size": 4, "num_heads": 1,
          "equation": "a,b->ab", "dtype": 1, "shape": [1], "size": 3, "split": [1]}  # fmt: skip
PLAIN = {"INT": 1, "FLOAT": 1.0, "STRING": "a", "INTS": [1], "FLOATS": [1.0], "STRINGS": ["a"]}


def value_type(text: str, shape: list[int] | None) -> Any:
    """ONNX Runtime's name of a type as a TypeProto."""
    from onnx import helper

    inner = text[text.index("(") + 1 : -1]
    if text.startswith("tensor("):
        return helper.make_tensor_type_proto(CODES[inner], shape)
    if text.startswith("sparse_tensor("):
        return helper.make_sparse_tensor_type_proto(CODES[inner], shape)
    if text.startswith("seq("):
        return helper.make_sequence_type_proto(value_type(inner, shape))
    if text.startswith("optional("):
        return helper.make_optional_type_proto(value_type(inner, shape))
    key, _, held = inner.partition(",")
    held = held.strip() if "(" in held else f"tensor({held.strip()})"
    return helper.make_map_type_proto(CODES[key.strip()], value_type(held, shape))


def attributes(schema: Any) -> dict[str, Any] | None:
    """A value for every required attribute; None where one would have to be a graph."""
    from onnx import helper

    out = {}
    for name, one in schema.attributes.items():
        if one.required:
            kind = str(one.type).split(".")[-1]
            tensor = helper.make_tensor("v", 1, [1], [1.0]) if kind == "TENSOR" else None
            out[name] = VALUES.get(name, PLAIN.get(kind, tensor))
            if out[name] is None:
                return None
    return out


def assignments(schema: Any) -> Iterator[dict[str, str]]:
    """Types for the schema's type constraints."""
    used = {one.typeStr for one in (*schema.inputs, *schema.outputs)}
    letters = {
        t.type_param_str: sorted(t.allowed_type_strs) for t in schema.type_constraints if t.type_param_str in used
    }
    every = list(itertools.islice(itertools.product(*letters.values()), MOST + 1))
    if len(every) <= MOST:
        yield from (dict(zip(letters, one)) for one in every)
        return
    base = {letter: "tensor(float)" if "tensor(float)" in some else some[0] for letter, some in letters.items()}
    tried = [{**base, letter: one} for letter, some in letters.items() for one in some]
    tried += [{letter: random.choice(some) for letter, some in letters.items()} for _ in range(250)]
    for name in CODES:
        one = f"tensor({name})"
        tried.append({letter: one if one in some else base[letter] for letter, some in letters.items()})
    yield from {json.dumps(one): one for one in tried}.values()


def model(
    schema: Any, types: Mapping[str, str], full: bool, shape: list[int] | None, values: Mapping[str, Any]
) -> bytes:
    """A model of one node; with `full` every optional input and output is given."""
    from onnx import helper

    sides: list[tuple[list[Any], list[str]]] = []
    for prefix, formal in (("i", schema.inputs), ("o", schema.outputs)):
        infos, names = [], []
        for place, one in enumerate(formal):
            if one.option.name == "Optional" and not full:
                names.append("")
                continue
            kind = value_type(types.get(one.typeStr, one.typeStr), shape if prefix == "i" else None)
            many = schema.min_input - len(formal) + 1 if prefix == "i" and one.option.name == "Variadic" else 1
            for label in (f"{prefix}{place}_{k}" for k in range(max(1, many))):
                infos.append(helper.make_value_info(label, kind))
                names.append(label)
        while names and not names[-1]:
            names.pop()
        sides.append((infos, names))
    (inputs, reads), (outputs, makes) = sides
    node = helper.make_node(schema.name, reads, makes, domain=schema.domain, **values)
    opsets = [helper.make_opsetid(schema.domain, schema.since_version)]
    opsets += [helper.make_opsetid("", 17)] if schema.domain else []
    version = 8 if schema.since_version < 21 else 10 if schema.since_version < 25 else 11
    graph = helper.make_graph([node], "g", inputs, outputs)
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=version).SerializeToString())


def outcome(content: bytes) -> tuple[str, str]:
    """("ok" | the exception's name, its message)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        return type(error).__name__, str(error)[:200]
    return "ok", ""


def telling(schema: Any, types: Mapping[str, str], full: bool, values: Mapping[str, Any]) -> bytes | None:
    """The first model of this case that ONNX Runtime answers about; None where every shape makes it invalid."""
    for shape in SHAPES:
        try:
            content = model(schema, types, full, shape, values)
        except (KeyError, ValueError, TypeError):
            return None
        if outcome(content)[0] in ("ok", "NotImplemented"):
            return content
    return None


def make(out: Path) -> None:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    random.seed(0)
    schemas = [one for one in state.get_all_operator_schema() if one.domain in DOMAINS and not one.deprecated]
    schemas.sort(key=lambda one: (one.domain, one.name, one.since_version))
    with out.open("w") as lines:
        for schema in schemas:
            for case in isolated(lambda schema=schema: list(cases(schema))):  # type: ignore[misc]
                lines.write(json.dumps(case) + "\n")


def cases(schema: Any) -> Iterator[list[Any]]:
    """[domain, operator, schema version, types, full, model] of every case of a schema that tells something."""
    values = attributes(schema)
    if values is None:
        return
    optional = any(one.option.name == "Optional" for one in (*schema.inputs, *schema.outputs))
    for types in assignments(schema):
        for full in (False, True) if optional else (False,):
            content = telling(schema, types, full, values)
            if content is not None:
                yield [
                    schema.domain,
                    schema.name,
                    schema.since_version,
                    types,
                    full,
                    base64.b64encode(content).decode(),
                ]


def isolated(call: Any) -> list[Any]:
    """The JSON value of a call in a fork; [] where the runtime aborted."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        with os.fdopen(write, "w") as pipe:
            json.dump(call(), pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else []


def ask(source: Path, out: Path) -> None:
    """One line for each case, in batches of a fork each; a batch that aborts is asked again one by one."""
    import onnxruntime  # noqa: F401  (before the forks)

    every = [json.loads(line) for line in source.read_text().splitlines()]
    with out.open("w") as lines:
        for start in range(0, len(every), 200):
            batch = every[start : start + 200]
            answers = isolated(lambda batch=batch: [outcome(base64.b64decode(case[5])) for case in batch])  # type: ignore[misc]
            for place, case in enumerate(batch):
                answer = answers[place] if answers else one_by_one(case)
                lines.write(json.dumps([*case[:5], *answer]) + "\n")


def one_by_one(case: list[Any]) -> list[str]:
    return isolated(lambda: outcome(base64.b64decode(case[5]))) or ["crash", ""]


def evidence(sweeps: list[Path]) -> None:
    """Probe results: of the newest release a few of each schema, of an older one those that changed since."""
    import ort_registry as importer

    newest: dict[str, str] = {}
    for path in sorted(sweeps, key=lambda one: [int(n) for n in one.stem.split("-")[-1].split(".")], reverse=True):
        registry = importer.load(path.with_name(path.name.replace("sweep", "registry").replace("jsonl", "json")))
        rows, here = [], {}
        for line in path.read_text().splitlines():
            *case, status, message = json.loads(line)
            key = json.dumps(case)
            if status in ("ok", "NotImplemented"):
                here[key] = status
                if not newest or newest.get(key) not in (None, status):
                    rows.append(probe(registry, case, status, message))
        chosen = with_limits(list(some_of([row for row in rows if row], 2)))
        newest = newest or here
        target = EVIDENCE / f"onnxruntime-{registry.version}.jsonl"
        target.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in chosen))
        print(f"{target.name}: {len(chosen)} of {len(rows)} probes")


def probe(registry: Any, case: list[Any], status: str, message: str) -> dict[str, Any] | None:
    """A sweep's line as a probe result that carries the node's types."""
    import ort_registry as importer

    domain, name, since, types, full = case
    op = importer.op_name(domain, name)
    schema = registry.schemas.get(op, {}).get(since)
    if schema is None:
        return None

    def shown(side: Any) -> list[str | None]:
        given = [full or option != "Optional" for _, _, option in side]
        return [importer.dtype(types.get(one[1], one[1])) if there else None for one, there in zip(side, given)]

    label = " ".join(f"{letter}={importer.dtype(one)}" for letter, one in types.items())
    return {"target": "ort-cpu", "op": op, "limit": "", "side": "inside" if status == "ok" else "outside",
             "probe": f"{name}-{since} {label}{' full' if full else ''}".strip(),
             "verdict": "supported" if status == "ok" else "rejected", "reason": message.partition(" : ")[2].partition(" node with")[0][:80],
             "oracle": "onnxruntime", "version": registry.version, "date": SEEN,
             "op_version": since, "inputs": shown(schema.inputs), "outputs": shown(schema.outputs)}  # fmt: skip


def with_limits(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the limit that refuses each, and for each such limit a row that is inside it."""
    from edgecheck.check import judge, point
    from edgecheck.model.graph import Node, Tensor
    from edgecheck.tables import bundle
    from edgecheck.tables.scope import Edges, Scope

    table = bundle.load("ort-cpu")
    inside = {row["op"]: row for row in rows if row["side"] == "inside"}
    seen: set[tuple[str, str]] = set()
    out = []
    for row in rows:
        sides = [
            [one and Tensor(name="", dtype=one, shape=None) for one in row[side]] for side in ("inputs", "outputs")
        ]
        node = Node(graph=0, index=0, name="", op=row["op"], version=row["op_version"], attrs={},
                    inputs=tuple(sides[0]), outputs=tuple(sides[1]))  # fmt: skip
        scope = Scope(node=node, env={"file_ir_version": 8}, edges=Edges({}, {}))
        verdict = judge(node, point(table, short_version(row)), scope)
        limit = verdict.limit if verdict.verdict == "rejected" and verdict.limit else ""
        out.append({**row, "limit": limit if row["side"] == "outside" else ""})
        if limit and row["op"] in inside and (row["op"], limit) not in seen:
            seen.add((row["op"], limit))
            out.append({**inside[row["op"]], "limit": limit})
    return out


def short_version(row: dict[str, Any]) -> str:
    return ".".join(row["version"].split(".")[:2])


def some_of(rows: list[dict[str, Any]], most: int) -> Iterator[dict[str, Any]]:
    """At most `most` of each operator, schema version and side, spread over the types; of what an older schema takes, one."""
    newest: dict[str, int] = {}
    for row in rows:
        newest[row["op"]] = max(newest.get(row["op"], 0), row["op_version"])
    groups: dict[tuple[str, int, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["op"], row["op_version"], row["side"]].append(row)
    for (op, since, side), group in groups.items():
        few = 1 if side == "inside" and since != newest[op] else most
        yield from group[:: max(1, len(group) // few)][:few]


def main() -> None:
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("make").add_argument("out", type=Path)
    asked = verbs.add_parser("ask")
    asked.add_argument("cases", type=Path)
    asked.add_argument("out", type=Path)
    verbs.add_parser("evidence").add_argument("sweeps", type=Path, nargs="+")
    given = parser.parse_args()
    if given.verb == "make":
        make(given.out)
    elif given.verb == "ask":
        ask(given.cases, given.out)
    else:
        evidence(given.sweeps)


if __name__ == "__main__":
    main()
