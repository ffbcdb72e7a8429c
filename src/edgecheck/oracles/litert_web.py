"""LiteRT.js in a headless Chromium: which operators of a TFLite file its WebGPU accelerator, ML Drift, takes.

The accelerator answers for a model, so the file is cut. `supported`: it took the operator; `fallback`: it refused it,
with its reason, and WebAssembly runs it; `rejected`: the model does not compile with it, or an input or output of the
whole file that the operator reads or makes has a type that the package cannot pass. With
`settings["interface"] = "module"` the WebAssembly module beneath the package is asked, which passes all types. WebGPU
runs on SwiftShader; it is compiled, not run. Without an adapter every answer is `invalid`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgecheck import browser
from edgecheck.oracles import Answer, mldrift
from edgecheck.oracles.cut import Piece, cut
from edgecheck.oracles.tflite_probe import packed, schema

NAME = "@litertjs/core"
ENVIRONMENT = "tf"
NEEDS = ("ai-edge-litert", "flatbuffers", "numpy")
TARGETS = ("litert-webgpu",)
BUILD = "webgpu-jspi"  # of page.js
SECONDS = 60.0
SILENT = "not compiled, and no reason was given"

_NO_ADAPTER = re.compile(r"No GPU adapter found|no WebGPU device is set")


def warm_up() -> None:
    """Load the schema and start the browser before the forks."""
    schema(), browser.kept()


def release(at: str | None) -> str:
    """The version of the npm package."""
    return str(json.loads((browser.installed() / NAME / "package.json").read_text("utf-8"))["version"])


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator, from a model of its own. `settings["interface"]`: "package" or "module"."""
    refused = {} if settings.get("interface") == "module" else dict(_refused_types(model))
    return [_answer(piece, refused) for piece in cut(model)]


def _answer(piece: Piece, refused: Mapping[tuple[int, int], str]) -> Answer:
    verdict, reason = "inconclusive", "it cannot be cut out of its model"
    if (piece.graph, piece.index) in refused:
        verdict, reason = "rejected", refused[piece.graph, piece.index]
    elif piece.content is not None:
        verdict, reason = judged(_asked(piece.content, interface="module"), piece.op)
        if reason == SILENT:
            said = _asked(piece.content, build=f"{BUILD}-{time.monotonic_ns()}", interface="module")
            verdict, reason = judged(said, piece.op)
    return Answer(graph=piece.graph, index=piece.index, op=piece.op, verdict=verdict, reason=reason)


def _asked(content: bytes, build: str = BUILD, **options: str) -> dict[str, Any]:
    """The page's answer. Some of LiteRT's sentences are printed once in a page: another `build` is another page."""
    return browser.do(
        browser.kept().address, content, engine="litert", package=NAME, build=build, options=options, run=False,
        seconds=SECONDS,
    )  # fmt: skip


def judged(said: Mapping[str, Any], op: str) -> tuple[str, str]:
    """Verdict and reason of one compilation, of the operator `op`: what the page answered (host.py has the keys)."""
    text, failure = "\n".join(said.get("text") or said.get("printed") or ()), said.get("failure")
    if _NO_ADAPTER.search(f"{failure}\n{text}"):
        return "invalid", "the browser has no WebGPU adapter"
    refused = mldrift.refusal(text, op)
    if failure is not None:
        sentence = None if said.get("fatal") else mldrift.no_kernel(text)
        why = f"{refused.reason}; " if refused is not None else ""
        if sentence is not None:
            return "rejected", f"{why}{sentence}"[:300]
        return "inconclusive", failure[:300] if said.get("fatal") else SILENT
    if refused is None:
        return ("supported", "accelerated") if said.get("accelerated") else ("inconclusive", SILENT)
    if refused.own is None and refused.some_taken:
        return "supported", f"accelerated; left to the CPU: {refused.first}"[:300]
    return "fallback", refused.reason


def _refused_types(model: Path) -> Iterator[tuple[tuple[int, int], str]]:
    """Place and reason of each operator that reads or makes an input or output of the model that cannot be passed."""
    s = schema()
    graph = s.ModelT.InitFromPackedBuf(bytearray(model.read_bytes()), 0).subgraphs[0]
    outer = {int(i) for part in (graph.inputs, graph.outputs) for i in ([] if part is None else part)}
    why = {kind: _type_refused(s, kind) for kind in sorted({graph.tensors[i].type for i in outer})}
    for index, operator in enumerate([] if graph.operators is None else graph.operators):
        ends = [int(i) for part in (operator.inputs, operator.outputs) for i in ([] if part is None else part)]
        found = [why[graph.tensors[i].type] for i in ends if i in outer]
        reason = next(filter(None, found), "")
        if reason:
            yield (0, index), reason


def _type_refused(s: Any, kind: int) -> str:
    """Why a model whose one tensor is its input and output cannot be loaded; "" where it can."""
    graph, tensor = s.SubGraphT(), s.TensorT()
    tensor.name, tensor.type, tensor.shape, tensor.buffer = "x", kind, [1], 0
    graph.name, graph.tensors, graph.inputs, graph.outputs, graph.operators = "main", [tensor], [0], [0], []
    model = s.ModelT()
    model.version, model.description, model.buffers, model.operatorCodes = 3, "a tensor", [s.BufferT()], []
    model.subgraphs = [graph]
    said = _asked(packed(s, model), interface="package")
    return "" if said.get("made") else f"{_names(s)[kind]} as an input or output: {said.get('failure')}"[:300]


def _names(s: Any) -> dict[int, str]:
    return {number: name for name, number in vars(s.TensorType).items() if isinstance(number, int)}
