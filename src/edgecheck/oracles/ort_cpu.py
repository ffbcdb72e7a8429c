"""ONNX Runtime's CPU execution provider: whether it makes a session with each operator of an ONNX file.

A file that loads runs every operator, by a kernel, through casts to float32, or by the operator's function body. A file
that does not load is cut into one-operator files with the types of the original, and each is asked about. A small file
is also run once, for what a kernel refuses only then, whatever the values; larger files are not executed.
Graph optimisations are off, since an optimiser may remove an operator that has no kernel.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecheck.model import formats
from edgecheck.oracles import Answer, isolated, onnx_feeds

NAME = "onnxruntime"
ENVIRONMENT = "torch"
NEEDS = ("onnxruntime", "onnx")
TARGETS = ("ort-cpu",)

#: Refusals that say nothing of an operator: the machine has no such locale; the cut, not the operator, is wrong.
_NO_EVIDENCE = {
    "Failed to construct locale": "inconclusive",
    "INVALID_GRAPH": "invalid",
    "TypeInferenceError": "invalid",
    "ShapeInferenceError": "invalid",
    "Type Error": "invalid",
}
SECONDS = 20.0
_MOST_RUN = 64  # operators of a file that is executed
_PLAIN = {"value_int": 7, "value_ints": 7, "value_float": 1, "value_floats": 1}  # a Constant's → the element type
_OF_THE_FILE = (
    "Unsupported model IR version",
    "ONNX Runtime only *guarantees* support",
    "Unknown model file format version",
)


@dataclass(frozen=True, slots=True)
class _Place:
    """A node with the types of the names it can read; `types` is None inside a function."""

    graph: int
    index: int
    node: Any
    types: Mapping[str, Any] | None

    @property
    def op(self) -> str:
        return (
            f"{self.node.domain}::{self.node.op_type}" if self.node.domain not in ("", "ai.onnx") else self.node.op_type
        )


def warm_up() -> None:
    """Import both once, before the forks."""
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each node of each graph, numbered depth-first, the bodies of local functions last."""
    import onnx

    file = onnx.load(model, load_external_data=False)
    refusal = session_refusal(str(model))
    places = list(_places(file))
    made = refusal is None
    if made and len(places) <= _MOST_RUN:
        refusal = run_refusal(model)
    if refusal is None or any(sign in refusal for sign in _OF_THE_FILE):
        verdict = "supported" if refusal is None else "rejected"
        return [_answer(place, verdict, refusal or "") for place in places]
    if len(places) == 1:
        return [_judged(places[0], refusal)]
    alone = (_named(place, refusal) or _ask_alone(place, file) for place in places)
    return [
        _answer(place, "supported", "") if made and one.verdict != "rejected" else one
        for place, one in zip(places, alone)
    ]


def session_refusal(model: str | bytes) -> str | None:
    """What ONNX Runtime says when it will not make a session with the model; None where it does."""
    try:
        _session(model)
    except Exception as error:  # the boundary to a runtime whose exceptions have no common base
        return " ".join(str(error).split())
    return None


def _session(model: str | bytes) -> Any:
    """One on the CPU, nothing optimised, nothing logged, one thread. Raises what ONNX Runtime raises."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_refusal(model: Path) -> str | None:
    """What a run with made-up values says against the operator; None where it runs, or the values are at fault."""
    read = formats.read(model)
    values = onnx_feeds.values(read)
    if values is None:
        return None

    def run() -> str:
        session = _session(str(model))
        try:
            session.run(None, {one.name: one.array for one in values})
        except Exception as error:  # as above
            return " ".join(str(error).split())
        return ""

    told = str(isolated(run, seconds=SECONDS).value or "")
    return told if onnx_feeds.refused_in_every_run(read, told) else None


def _answer(place: _Place, verdict: str, reason: str) -> Answer:
    return Answer(graph=place.graph, index=place.index, op=place.op, verdict=verdict, reason=reason[:500])


def _judged(place: _Place, refusal: str | None) -> Answer:
    """What a refusal of this operator alone means."""
    if refusal is None:
        return _answer(place, "supported", "")
    if "NOT_IMPLEMENTED" not in refusal:
        for sign, verdict in _NO_EVIDENCE.items():
            if sign in refusal:
                return _answer(place, verdict, refusal)
    return _answer(place, "rejected", refusal)


def _named(place: _Place, refusal: str) -> Answer | None:
    """An answer where the refusal of the whole file names this node."""
    node = place.node
    unregistered = f"{node.domain or 'ai.onnx'}:{node.op_type}(-1) is not a registered" in refusal
    missing = bool(node.name) and "NOT_IMPLEMENTED" in refusal and f"node with name '{node.name}'" in refusal
    return _answer(place, "rejected", refusal) if unregistered or missing else None


def _ask_alone(place: _Place, file: Any) -> Answer:
    cut = _cut(place, file)
    if cut is None:
        return _answer(place, "inconclusive", "the types it reads are not known, so it cannot be asked about alone")
    answer = _judged(place, session_refusal(cut) or _run_alone(cut))
    holds = [function.name for function in file.functions if function.name == place.node.op_type] or list(
        _graphs(place.node)
    )
    if holds and answer.verdict == "rejected":
        return _answer(place, "inconclusive", f"something inside it may be what is refused: {answer.reason}")
    return answer


def _run_alone(cut: bytes) -> str | None:
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(cut)
        file.flush()
        return run_refusal(Path(file.name))


def _places(file: Any) -> Iterator[_Place]:
    """Every node; graphs come depth-first, then the bodies of functions."""
    import onnx

    try:
        typed = onnx.shape_inference.infer_shapes(file)
    except onnx.shape_inference.InferenceError:
        typed = file
    number = 0
    for part, types in _numbered(typed.graph, {}):
        yield from (_Place(number, i, node, types) for i, node in enumerate(part.node))
        number += 1
    for function in file.functions:
        yield from (_Place(number, i, node, None) for i, node in enumerate(function.node))
        number += 1
        for node in function.node:
            for inner in _graphs(node):
                for part, _ in _numbered(inner, {}):
                    yield from (_Place(number, i, one, None) for i, one in enumerate(part.node))
                    number += 1


def _numbered(graph: Any, outer: Mapping[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A graph and the graphs within it, each with the types or constants of every name it can read."""
    types = dict(outer)
    types |= {
        value.name: value.type
        for value in (*graph.value_info, *graph.output, *graph.input)
        if value.type.WhichOneof("value")
    }
    types |= {tensor.name: tensor for tensor in graph.initializer}
    types |= {name: tensor for node in graph.node if node.op_type == "Constant" for name, tensor in _constant(node)}
    yield graph, types
    for node in graph.node:
        for inner in _graphs(node):
            yield from _numbered(inner, types)


def _constant(node: Any) -> Iterator[tuple[str, Any]]:
    """The tensor that a Constant makes, under its name; nothing for one that is sparse or of texts."""
    import onnx

    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if attribute.name == "value":
            tensor = onnx.TensorProto()
            tensor.CopyFrom(value)
        elif attribute.name in _PLAIN:
            many = list(value) if isinstance(value, Sequence) else [value]
            shape = [len(many)] if attribute.name.endswith("s") else []
            tensor = onnx.helper.make_tensor("", _PLAIN[attribute.name], shape, many)
        else:
            continue
        tensor.name = node.output[0]
        yield node.output[0], tensor


def _graphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _reads(node: Any) -> list[str]:
    """The names a node reads, with those that the graphs inside it take from around them."""
    names = [name for name in node.input if name]
    for graph in _graphs(node):
        own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
        for inner in graph.node:
            names += [name for name in _reads(inner) if name not in own]
            own |= set(inner.output)
        names += [value.name for value in graph.output if value.name not in own]
    return list(dict.fromkeys(names))


def _cut(place: _Place, file: Any) -> bytes | None:
    """A model of this node alone: what it reads becomes inputs, constants stay; None where a type is not known."""
    from onnx import ModelProto, TensorProto

    if place.types is None or any(name not in place.types for name in _reads(place.node)):
        return None
    model = ModelProto()
    model.ir_version = file.ir_version
    model.opset_import.extend(file.opset_import)
    model.functions.extend(file.functions)
    model.graph.name = "cut"
    model.graph.node.append(place.node)
    for name in _reads(place.node):
        known = place.types[name]
        if isinstance(known, TensorProto) and known.data_location != TensorProto.EXTERNAL:
            model.graph.initializer.append(known)
        elif isinstance(known, TensorProto):
            given = model.graph.input.add(name=name).type.tensor_type
            given.elem_type = known.data_type
            for size in known.dims:
                given.shape.dim.add(dim_value=size)
        else:
            model.graph.input.add(name=name).type.CopyFrom(known)
    for name in place.node.output:
        if name:
            value = model.graph.output.add(name=name)
            known = place.types.get(name)
            if known is not None and not isinstance(known, TensorProto):
                value.type.CopyFrom(known)
    return bytes(model.SerializeToString())
