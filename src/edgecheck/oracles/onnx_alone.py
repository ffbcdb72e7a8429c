"""Asking an engine about each operator of an ONNX file as a model of its own; what is alike is asked about once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from edgecheck.model import formats
from edgecheck.oracles import Answer, Ran, onnx_cut

#: (model file, name and operator of the node asked about) → verdict and reason.
Judge = Callable[[Path, str, str], tuple[str, str]]

INCONCLUSIVE = ("killed by", "no answer in")


def answers(model: Path, judge: Judge) -> list[Answer]:
    """One for each operator of the file, graphs depth-first. A file of one operator is asked about as it is."""
    read = formats.read(model)
    nodes = list(read.nodes)
    if len(nodes) == 1:
        verdict, reason = judge(model, nodes[0].name, nodes[0].op)
        return [Answer(graph=0, index=0, op=nodes[0].op, verdict=verdict, reason=reason)]
    seen: dict[bytes | None, tuple[str, str]] = {None: ("inconclusive", "it cannot be cut out of its model")}
    found = []
    for node, piece in zip(nodes, onnx_cut.pieces(read), strict=True):
        if piece.content not in seen:
            with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
                file.write(piece.content or b"")
                file.flush()
                seen[piece.content] = judge(Path(file.name), node.name or f"node_{node.index}", node.op)
        verdict, reason = seen[piece.content]
        found.append(Answer(graph=piece.graph, index=piece.index, op=piece.op, verdict=verdict, reason=reason))
    return found


def gone(ran: Ran) -> str | None:
    """Why a child says nothing: it crashed or ran out of time; None where it ended by itself."""
    failure = ran.failure
    return failure if failure is not None and failure.startswith(INCONCLUSIVE) else None


def short(text: str, most: int = 240) -> str:
    """One line of at most `most` characters, the end kept: it has the cause."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"… {line[-most + 2 :]}"
