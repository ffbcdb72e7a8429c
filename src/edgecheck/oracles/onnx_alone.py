"""Asking an engine about each operator of an ONNX file as a model of its own; what is alike is asked about once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from edgecheck.model import formats
from edgecheck.oracles import Answer, Ran, onnx_cut, onnx_valid

#: (model file, name and operator of the node asked about) → verdict and reason.
Judge = Callable[[Path, str, str], tuple[str, str]]
#: Whether the engine takes the model file as it is.
Whole = Callable[[Path], bool]
#: What an oracle offers under the name `verdicts`.
Verdicts = Callable[[Path, str, Mapping[str, str]], list[Answer]]

INCONCLUSIVE = ("killed by", "no answer in")


def asking(
    judge: Judge,
    whole: Whole | None = None,
    *,
    sizes: bool = False,
    patterns: onnx_cut.Patterns | None = None,
    before: onnx_cut.Before | None = None,
    names: bool = True,
    folds: bool = False,
) -> Verdicts:
    """The `verdicts` of an engine that has one target and no settings; what breaks ONNX itself is `invalid`.

    With `whole`, a file of several operators is first asked about as it is, and is only cut where it is refused.
    With `sizes`, what a file computes from the sizes of static tensors counts as constant where it is cut. With
    `patterns`, an operator is asked about together with the chain behind it, with `before` together with the operator
    before it. `names`: whether the judge must see the file's own. With `folds`, what is made from constants
    and the sizes of static tensors, for other operators, is not asked about: the engine computes it beforehand.
    """

    def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
        taken = None if whole is None else _taken_whole(model, whole)
        if taken:
            return taken

        def validated(file: Path, name: str, op: str) -> tuple[str, str]:
            return _validated(file, *judge(file, name, op))

        return answers(model, validated, sizes=sizes, patterns=patterns, before=before, names=names, folds=folds)

    return verdicts


def _taken_whole(model: Path, whole: Whole) -> list[Answer]:
    """An answer for each operator of a file that is taken as it is; [] where it is not, or has one operator."""
    nodes = list(formats.read(model).nodes)
    if len(nodes) < 2 or not whole(model):
        return []
    return [
        Answer(graph=node.graph, index=node.index, op=node.op, verdict="supported", reason="taken with its model")
        for node in nodes
    ]


def _validated(model: Path, verdict: str, reason: str) -> tuple[str, str]:
    told = onnx_valid.complaint(model) if verdict == "rejected" else None
    return (verdict, reason) if told is None else ("invalid", short(f"ONNX Runtime refuses it too: {told}"))


def answers(
    model: Path,
    judge: Judge,
    *,
    sizes: bool = False,
    patterns: onnx_cut.Patterns | None = None,
    before: onnx_cut.Before | None = None,
    names: bool = True,
    folds: bool = False,
) -> list[Answer]:
    """One for each operator of the file, graphs depth-first. A file of one operator is asked about as it is."""
    read = formats.read(model)
    nodes = list(read.nodes)
    if len(nodes) == 1:
        verdict, reason = judge(model, nodes[0].name, nodes[0].op)
        return [Answer(graph=0, index=0, op=nodes[0].op, verdict=verdict, reason=reason)]
    seen: dict[tuple[bytes, int], tuple[str, str]] = {}  # one file stands for an operator and for what is around it
    found = []
    around = onnx_cut.Neighbours(read, sizes=True) if folds else None
    pieces = onnx_cut.pieces(read, sizes=sizes, patterns=patterns, before=before, names=names)
    for node, piece in zip(nodes, pieces, strict=True):
        verdict, reason = "inconclusive", "it cannot be cut out of its model"
        if around and any(t is not None and id(t) not in around.results and around.folded(t) for t in node.outputs[:1]):
            reason = "it is computed beforehand"
        elif piece.content is not None:
            if (piece.content, piece.at) not in seen:
                with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
                    file.write(piece.content)
                    file.flush()
                    name = node.name or f"node_{node.index}"
                    seen[piece.content, piece.at] = judge(Path(file.name), name, node.op)
            verdict, reason = seen[piece.content, piece.at]
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
