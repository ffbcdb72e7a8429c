"""TensorFlow Lite Micro's interpreter with every operator it has: which operators of a TFLite file it loads and runs.

The wheel answers for a whole model and nothing falls back, so the file is cut into one-operator models. `supported`:
the tensors were allocated and one inference ran. `rejected`: the operator is not in the resolver, or its kernel's
Prepare or Eval refused it; the reason begins with the stage. A crash is `inconclusive`; an arena too small `invalid`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecheck.oracles import Answer, Ran, isolated
from edgecheck.oracles.cut import Piece, cut

NAME = "tflite-micro"
ENVIRONMENT = "tflm"
NEEDS = ("tflite-micro", "flatbuffers", "numpy")
TARGETS = ("tflm",)
SECONDS = 20.0
ARENA = 256 << 20  # bytes; pages never touched cost nothing

_NOT_ONE = ("DIV", "FLOOR_DIV", "FLOOR_MOD")  # their second input may not be zero
_ARENA = re.compile(r"Arena size is too small|Failed to resize buffer|tail allocation failed|Failed to allocate", re.I)
_RUNS_OTHERS = ("WHILE", "IF", "CALL_ONCE")
_CULPRIT = re.compile(r"Node (\w+) \(number \d+\) failed")
_DATA = re.compile(r"only defined for|Division by 0|out of bounds", re.I)


def warm_up() -> None:
    """Import the interpreter once, before the forks."""
    from tflite_micro.python.tflite_micro import runtime  # noqa: F401


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator, from a model of its own."""
    return [_answer(piece) for piece in cut(model)]


def _answer(piece: Piece) -> Answer:
    if piece.content is None:
        verdict, reason = "inconclusive", "it cannot be cut out of its model"
    else:
        content = piece.content
        verdict, reason = judged(isolated(lambda: _run(content, piece.op), seconds=SECONDS))
        culprit = _CULPRIT.search(reason)
        if verdict == "rejected" and piece.op in _RUNS_OTHERS and culprit and culprit[1] != piece.op:
            verdict, reason = "inconclusive", f"something it runs is refused: {reason}"
    return Answer(graph=piece.graph, index=piece.index, op=piece.op, verdict=verdict, reason=reason)


def judged(ran: Ran) -> tuple[str, str]:
    """Verdict and reason of one run of a one-operator model."""
    if ran.failure:
        return "inconclusive", ran.failure
    if ran.value == "ran":
        return "supported", "it was prepared and run once"
    if _ARENA.search(ran.text):
        return "invalid", f"the arena of {ARENA >> 20} MiB is too small"
    if ran.value == "input":
        return "invalid", f"its inputs cannot be set here: {_told(ran.text)}"
    if ran.value == "invoke" and _DATA.search(ran.text):
        return "invalid", f"the probe's values: {_told(ran.text)}"
    return "rejected", f"{ran.value}: {_told(ran.text)}"


def _told(text: str) -> str:
    lines = [re.sub(r"\S+/(\w+\.(?:cc|h)):", r"\1:", line.strip()) for line in text.splitlines() if line.strip()]
    return " ".join(lines)[:300] or "no message"


def _run(content: bytes, op: str) -> str:
    """`ran`, or the stage that failed."""
    from tflite_micro.python.tflite_micro import runtime

    try:
        interpreter = runtime.Interpreter.from_bytes(content, arena_size=ARENA)
    except RuntimeError:
        return "prepare"
    number = 0
    for number, array in enumerate(_inputs(content, op)):
        try:
            interpreter.set_input(array, number)
        except (RuntimeError, ValueError) as error:
            print(error)
            return "input"
    try:
        interpreter.invoke()
    except RuntimeError:
        return "invoke"
    return "ran"


def _inputs(content: bytes, op: str) -> list[Any]:
    """Harmless values for the graph's inputs: 1, the largest int8, but 0 where an integer may be an index."""
    import numpy

    from edgecheck.oracles.tflite_probe import schema

    s = schema()
    names = {value: name.lower() for name, value in vars(s.TensorType).items() if isinstance(value, int)}
    graph = s.Model.GetRootAsModel(content, 0).Subgraphs(0)
    arrays = []
    for i in range(graph.InputsLength()):
        tensor = graph.Tensors(graph.Inputs(i))
        dtype = names[tensor.Type()]
        fill = 127 if dtype == "int8" else 0 if dtype in ("int32", "int64") and op not in _NOT_ONE else 1
        shape = [tensor.Shape(j) for j in range(tensor.ShapeLength())]
        arrays.append(numpy.full(shape, fill, dtype))
    return arrays
