"""Ask ONNX Runtime web, in a browser, about every operator, schema version and type: where its node is placed.

    python scripts/sweep_ort_cpu.py make cases.jsonl                        # the one-operator models
    python scripts/sweep_ort_web.py extra cases.jsonl                       # … and those that an attribute types: appended
    python scripts/sweep_ort_web.py ask cases.jsonl sweep.jsonl --package ort-1.30 --build webgpu

Builds: `wasm` (onnxruntime-web/wasm), `webgpu` (onnxruntime-web/webgpu), `jsep` (onnxruntime-web, onnxruntime-web/all).
A line of the answer is [domain, operator, schema version, types, whether optional inputs were given, outcome, message];
the outcome is "ok" (all on the GPU, or on WebAssembly where that was asked), "cpu", "NotImplemented", "other".
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecheck import browser
from edgecheck.oracles.ort_placement import placed
from edgecheck.oracles.ort_web import OPTIONS

#: Operators whose type constraint is set by an attribute: (constraint, attribute).
TYPED_BY = {
    "Cast": ("T2", "to"), "BitCast": ("T2", "to"), "ConstantOfShape": ("T2", "value"), "EyeLike": ("T2", "dtype"),
    "RandomNormal": ("T", "dtype"), "RandomUniform": ("T", "dtype"), "RandomNormalLike": ("T2", "dtype"),
    "RandomUniformLike": ("T2", "dtype"), "Bernoulli": ("T2", "dtype"), "Multinomial": ("T2", "dtype"),
    "HannWindow": ("T2", "output_datatype"), "HammingWindow": ("T2", "output_datatype"),
    "BlackmanWindow": ("T2", "output_datatype"), "MelWeightMatrix": ("T3", "output_datatype"),
}  # fmt: skip
SHAPED = ("If", "LSTM", "GRU", "RNN")
LEAST = 7  # the oldest opset of which a GPU provider takes anything


def outcome(answer: dict[str, object], build: str, op: str) -> tuple[str, str]:
    """What became of a session for a node of `op`; what stands inside an If is not asked about."""
    failure = str(answer.get("failure", ""))
    if "failure" in answer:
        missing = "ERROR_CODE: 9" in failure or "NOT_IMPLEMENTED" in failure
        return ("NotImplemented" if missing else "other"), re.sub(r"\s+", " ", failure)[:400]
    nodes = placed(list(answer["text"]))  # type: ignore[call-overload]
    if build == "wasm":
        return "ok", ""
    on_cpu = [one for one, _, provider in nodes if provider == "CPU" and (op != "If" or one in ("If", ""))]
    return ("cpu" if on_cpu else "ok"), ",".join(sorted(set(on_cpu)))


def raised(case: list[object], content: bytes) -> bytes:
    """The model at opset 7 where its operator is still the same there: WebGPU takes nothing of an older file."""
    domain, name, since = str(case[0]), str(case[1]), int(str(case[2]))
    if domain or since >= LEAST:
        return content
    import onnx

    try:
        if onnx.defs.get_schema(name, LEAST, "").since_version != since:
            return content
    except onnx.defs.SchemaError:  # an operator of ONNX Runtime alone
        return content
    model = onnx.load_from_string(content)
    del model.opset_import[:]
    model.opset_import.extend([onnx.helper.make_opsetid("", LEAST)])
    return bytes(model.SerializeToString())


def extra() -> Iterator[list[Any]]:
    """Cases of the operators whose output type stands in an attribute, for every pair of types."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    import sweep_ort_cpu as cpu_sweep

    yield from shaped(state.get_all_operator_schema())
    for schema in state.get_all_operator_schema():
        letter, attribute = TYPED_BY.get(schema.name, ("", "")) if not schema.domain else ("", "")
        values = cpu_sweep.attributes(schema) if letter and not schema.deprecated else None
        if values is None or attribute not in schema.attributes:
            continue
        for types in cpu_sweep.assignments(schema):
            chosen = {**values, attribute: _typed(attribute, types.get(letter, ""), cpu_sweep.CODES)}
            content = cpu_sweep.telling(schema, types, False, chosen) if chosen[attribute] is not None else None
            if content is not None:
                yield [schema.domain, schema.name, schema.since_version, types, False,
                       base64.b64encode(content).decode()]  # fmt: skip


def shaped(schemas: Sequence[Any]) -> Iterator[list[Any]]:
    """Cases of If, LSTM, GRU and RNN, which need graphs, or shapes that fit each other."""
    import sweep_ort_cpu as cpu_sweep

    for schema in schemas:
        if schema.domain or schema.name not in SHAPED:
            continue
        letter = "V" if schema.name == "If" else "T"
        kinds = next(one.allowed_type_strs for one in schema.type_constraints if one.type_param_str == letter)
        for kind in sorted(kinds):
            content = _shaped(schema.name, schema.since_version, kind)
            if cpu_sweep.outcome(content)[0] in ("ok", "NotImplemented"):
                types = {letter: kind} | ({"B": "tensor(bool)"} if letter == "V" else {"T1": "tensor(int32)"})
                yield [schema.domain, schema.name, schema.since_version, types, False,
                       base64.b64encode(content).decode()]  # fmt: skip


def _shaped(name: str, since: int, kind: str) -> bytes:
    from onnx import helper

    import sweep_ort_cpu as cpu_sweep

    def value(label: str, shape: list[int] | None, of: str = kind) -> Any:
        return helper.make_value_info(label, cpu_sweep.value_type(of, shape))

    if name == "If":
        inputs, outputs = [value("c", [1], "tensor(bool)"), value("x", [2])], [value("y", [2])]
        branches = {
            f"{side}_branch": helper.make_graph(
                [helper.make_node("Identity", ["x"], [side])], side, [], [value(side, [2])]
            )
            for side in ("then", "else")
        }
        node = helper.make_node(name, ["c"], ["y"], **branches)
    else:
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[name]
        inputs = [value("x", [3, 1, 2]), value("w", [1, 4 * gates, 2]), value("r", [1, 4 * gates, 4])]
        outputs = [value("y", None)]
        node = helper.make_node(name, ["x", "w", "r"], ["y"], hidden_size=4)
    version = 8 if since < 21 else 10 if since < 25 else 11
    opset = max(since, LEAST) if since != 1 or name != "If" else 9
    graph = helper.make_graph([node], "g", inputs, outputs)
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=version).SerializeToString()
    )


def _typed(attribute: str, kind: str, codes: Mapping[str, int]) -> Any:
    """The attribute's value that stands for a type; None where there is none."""
    from onnx import helper

    code = codes.get(kind.removeprefix("tensor(").removesuffix(")"))
    if code is None or attribute != "value":
        return code
    if kind == "tensor(string)":
        return None
    size = helper.tensor_dtype_to_np_dtype(code).itemsize
    return helper.make_tensor("v", code, [1], bytes(size), raw=True)


def ask(given: argparse.Namespace) -> None:
    """One line for each case."""
    options = {**OPTIONS, "executionProviders": ["wasm" if given.build == "wasm" else "webgpu"]}
    with browser.Browser() as page, given.out.open("w") as lines:
        for line in given.cases.read_text().splitlines():
            *case, content = json.loads(line)
            answer = browser.do(
                page.address, raised(case, base64.b64decode(content)), engine="ort", package=given.package,
                build=given.build, options=options, run=False,
            )  # fmt: skip
            lines.write(json.dumps([*case, *outcome(answer, given.build, case[1])]) + "\n")
            lines.flush()


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("extra").add_argument("cases", type=Path)
    asked = verbs.add_parser("ask")
    asked.add_argument("cases", type=Path)
    asked.add_argument("out", type=Path)
    asked.add_argument("--package", default="ort-1.30")
    asked.add_argument("--build", default="webgpu", choices=("wasm", "webgpu", "jsep"))
    given = parser.parse_args()
    if given.verb == "ask":
        ask(given)
        return
    with given.cases.open("a") as lines:
        lines.writelines(json.dumps(case) + "\n" for case in extra())


if __name__ == "__main__":
    main()
