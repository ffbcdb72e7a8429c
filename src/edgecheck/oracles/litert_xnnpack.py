"""LiteRT on the CPU with its default XNNPACK delegate: which operators of a model the delegate takes.

`supported`: inside a DELEGATE node. `fallback`: a builtin kernel of LiteRT runs it. `rejected`: LiteRT has no kernel
for it, or its kernel's Prepare refuses it. Read from the interpreter's own graph after delegation, so the answer is
the whole model's, not that of operators taken apart; only where the runtime refuses the model as a whole are
operators asked one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecheck.oracles import Answer, isolated
from edgecheck.oracles.cut import Piece, cut
from edgecheck.oracles.tflite_probe import schema
from edgecheck.oracles.tflite_sizes import stored_for_open

NAME = "ai-edge-litert"
ENVIRONMENT = "tf"
NEEDS = ("ai-edge-litert", "flatbuffers", "numpy")
TARGETS = ("litert-xnnpack",)

#: Types that the delegate computes nothing in: such a tensor without memory has a size that only a run tells.
_FOREIGN = (2, 4, 6, 15)  # int32, int64, bool, uint32
_HANDLES = (13, 14)  # resource, variant: the runtime takes them for Python objects, and dies of a look at one
_CALLING = (118, 119, 129, 206, 209)  # IF, WHILE, CALL_ONCE, STABLEHLO_COMPOSITE, STABLEHLO_CASE
_UNPREPARED = "not delegated, and not prepared"
_REFUSED = re.compile(r"Node number (\d+) \((\w+)\) failed to prepare")
_NO_KERNEL = (
    "Didn't find op for builtin opcode",
    "unresolved custom op",
    "Unsupported custom op",
    "Op builtin_code out of range",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One node of an interpreter's graph: tensor numbers, -1 for an input left out."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def warm_up() -> None:
    """Load the runtime once, before any model's child is forked."""
    import ai_edge_litert.interpreter  # noqa: F401


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator. A nested graph is asked as a model of its own, as the delegate sees it."""
    whole = {graph: isolated(lambda: _placement(content), seconds=60).value or {} for graph, content in _graphs(model)}  # noqa: B023
    pieces = cut(model)
    return [_answer(p, whole.get(p.graph, {}).get(str(p.index)), alone=len(pieces) == 1) for p in pieces]


def _graphs(model: Path) -> Iterator[tuple[int, bytes]]:
    """Each graph of the file as a model; nested ones only where they run no other graph themselves."""
    import flatbuffers

    content = model.read_bytes()
    yield 0, content
    s = schema()
    source = s.ModelT.InitFromPackedBuf(bytearray(content), 0)
    if len(source.subgraphs) == 1:
        return
    calling = {i for i, code in enumerate(source.operatorCodes) if code.builtinCode in _CALLING}
    for number, graph in enumerate(source.subgraphs[1:], 1):
        if not calling & {op.opcodeIndex for op in graph.operators or []}:
            alone = s.ModelT()
            alone.version, alone.buffers, alone.operatorCodes = source.version, source.buffers, source.operatorCodes
            alone.subgraphs = [graph]
            builder = flatbuffers.Builder(len(content))
            builder.Finish(alone.Pack(builder), b"TFL3")
            yield number, bytes(builder.Output())


def _answer(piece: Piece, found: Sequence[str] | None, *, alone: bool) -> Answer:
    """What the whole model said of the operator; where it could not say (all), what the operator alone does.

    A constant is unpacked where every operator that reads it is delegated: without them nothing is said of it.
    """
    verdict, reason = found or ("", "")
    if not verdict:
        verdict, reason = _alone(piece.content)
    if found and not found[0] and (verdict == "supported" or (found[1] == _UNPREPARED and verdict != "rejected")):
        verdict, reason = "fallback", "not delegated in its model"
    if verdict == "rejected" and not alone and stored_for_open(piece.content, reason):
        verdict, reason = "invalid", f"the sizes stored for variable dimensions: {reason}"
    by_readers = piece.op == "VAR_HANDLE" or (piece.op in ("DEQUANTIZE", "DENSIFY") and verdict == "supported")
    if found is None and not alone and by_readers:
        verdict, reason = "inconclusive", "its readers decide, and their model was not built"
    return Answer(graph=piece.graph, index=piece.index, op=piece.op, verdict=verdict, reason=reason)


def _alone(content: bytes | None) -> tuple[str, str]:
    """The verdict on the last operator of a model cut out of another (before it stands only what makes its weights)."""
    if content is None:
        return "inconclusive", "it cannot be cut out of its model"
    ran = isolated(lambda: _placement(content), seconds=30)
    if ran.failure is not None:
        return "inconclusive", ran.failure
    verdict, reason = list(ran.value.values())[-1]
    return verdict or "inconclusive", reason


def _placement(content: bytes) -> dict[str, tuple[str, str]]:
    """Verdict and reason by operator index of the main graph; an empty verdict: not delegated, and no more is known."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
    except ValueError as error:
        return _refused_whole(content, str(error))
    refusal = ""
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        refusal = str(error)
    steps = [
        _Step(op=o["op_name"], inputs=_numbers(o["inputs"]), outputs=_numbers(o["outputs"]))
        for o in interpreter._get_ops_details()
    ]
    outputs = {d["index"] for d in interpreter.get_output_details()}
    own = [step for step in steps if step.op != "DELEGATE"]
    islands = [step for step in steps if step.op == "DELEGATE"]
    graph = schema().Model.GetRootAs(content, 0).Subgraphs(0)
    types = [graph.Tensors(number).Type() for number in range(graph.TensorsLength())]
    foreign = {number for number, kind in enumerate(types) if kind in _FOREIGN}
    handles = {number for number, kind in enumerate(types) if kind in _HANDLES}

    def allocated(number: int) -> bool:
        return number in handles or _allocated(interpreter, number)

    placed = delegated(own, islands, outputs, allocated, foreign)
    prepared = [all(map(allocated, step.outputs)) for step in own]
    return {str(i): _judged(i, placed[i], prepared[i], refusal) for i in range(len(own))}


def _numbers(tensors: Any) -> tuple[int, ...]:
    return tuple(int(number) for number in tensors)


def _judged(index: int, placed: bool, prepared: bool, refusal: str) -> tuple[str, str]:
    """Behind a tensor of variable size nothing is prepared before it runs: the kernel is asked alone."""
    if placed:
        return "supported", "delegated to XNNPACK"
    if not refusal:
        return ("fallback", "not delegated") if prepared else ("", _UNPREPARED)
    culprit = _REFUSED.search(refusal)
    if culprit and int(culprit[1]) == index:
        return "rejected", _sentence(refusal)
    return "", ""


def _refused_whole(content: bytes, error: str) -> dict[str, tuple[str, str]]:
    """The interpreter was not even built: decided only where the model has one operator besides folded weights."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    count = len(model.subgraphs[0].operators or [])
    known = any(sentence in error for sentence in _NO_KERNEL)
    if known and count > 1:
        return {}
    return {str(i): ("rejected" if known else "inconclusive", _sentence(error)) for i in range(count)}


def delegated(
    own: Sequence[_Step],
    islands: Sequence[_Step],
    graph_outputs: set[int],
    allocated: Callable[[int], bool],
    foreign: Container[int] = (),
) -> list[bool]:
    """Which of the graph's own nodes lie inside the delegate's islands, which are known only by their edges.

    A node that makes an island's output is inside. Any other node is inside when everything that reads it is, and no
    island takes it as an input; where nobody reads it, when the interpreter gave its output no memory. A node without
    outputs is inside when it reads what exists only inside, or nothing but what an island takes; not where it reads a
    tensor of a type that the delegate computes nothing in (`foreign`).
    """
    given = {number for island in islands for number in island.inputs}
    made = {number for island in islands for number in island.outputs}
    readers: dict[int, list[int]] = {}
    for index, step in enumerate(own):
        for number in step.inputs:
            readers.setdefault(number, []).append(index)
    produced = {number for step in own for number in step.outputs}
    inside = [False] * len(own)
    for index in reversed(range(len(own) if islands else 0)):
        step = own[index]
        if not step.outputs:
            hidden = [n for n in step.inputs if n in produced and n not in made and not allocated(n)]
            own_types = not any(n in foreign for n in step.inputs)
            inside[index] = own_types and (
                bool(hidden) or (bool(step.inputs) and all(n in given | produced for n in step.inputs))
            )
        elif any(number in made for number in step.outputs):
            inside[index] = True
        elif not any(number in given or number in graph_outputs for number in step.outputs):
            read_by = [reader for number in step.outputs for reader in readers.get(number, ())]
            inside[index] = all(inside[r] for r in read_by) if read_by else not any(map(allocated, step.outputs))
    return inside


def _allocated(interpreter: Any, number: int) -> bool:
    try:
        interpreter.get_tensor(number)
    except ValueError:
        return False
    return True


def _sentence(text: str) -> str:
    """The runtime's own words, without its source paths."""
    lines = [line.strip() for line in text.replace("Node number", "\nNode number").splitlines() if line.strip()]
    return re.sub(r"\S+/(\w+\.(?:cc|h)):\d+ ?", r"\1: ", " ".join(lines))[:300]
