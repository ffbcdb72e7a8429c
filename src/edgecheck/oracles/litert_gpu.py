"""LiteRT's `CompiledModel` on a GPU (ML Drift over WebGPU): which operators of a TFLite file the accelerator takes.

Any Vulkan driver will do: name its driver file with the environment variable `VK_ICD_FILENAMES` (or the setting `icd`);
a Vulkan loader, `libvulkan.so.1`, must lie beside it or on the library path. Where none is named, it is SwiftShader,
which Debian's chromium-common carries. The accelerator answers for a model, so the file is cut: `supported`: it took
the operator; `fallback`: it refused it, with its reason; `rejected`: LiteRT prepares its own kernel first, which
refused. Without an adapter every answer is `invalid`.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecheck.oracles import Answer, Ran, isolated, mldrift
from edgecheck.oracles.cut import Piece, cut
from edgecheck.oracles.tflite_sizes import stored_for_open

NAME = "ai-edge-litert"
ENVIRONMENT = "tf"
NEEDS = ("ai-edge-litert", "flatbuffers", "numpy")
TARGETS = ("litert-gpu-mldrift",)
SECONDS = 30.0
TOGETHER = 40  # models that share a process

#: Where Debian's chromium keeps SwiftShader's driver file.
SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")

_NO_ADAPTER = re.compile(r"No adapters found|Failed to initialize WebGPU environment|Couldn't load Vulkan")


def warm_up() -> None:
    """Load the schema and the runtime once, before any model's child is forked."""
    import ai_edge_litert.compiled_model
    import ai_edge_litert.schema_py_generated  # noqa: F401


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator, from a model of its own. `settings["icd"]`: the Vulkan driver's JSON file."""
    driver = (
        settings.get("icd") or os.environ.get("VK_ICD_FILENAMES") or (str(SWIFTSHADER) if SWIFTSHADER.exists() else "")
    )
    pieces = cut(model)
    said = _all_judged([(piece.op, piece.content) for piece in pieces if piece.content is not None], driver)
    return [_answer(piece, said, alone=len(pieces) == 1) for piece in pieces]


def _answer(piece: Piece, said: Iterator[tuple[str, str]], *, alone: bool) -> Answer:
    verdict, reason = next(said) if piece.content is not None else ("inconclusive", "it cannot be cut out of its model")
    if verdict == "rejected" and not alone and stored_for_open(piece.content, reason):
        verdict, reason = "invalid", f"the sizes stored for variable dimensions: {reason}"
    return Answer(graph=piece.graph, index=piece.index, op=piece.op, verdict=verdict, reason=reason)


def _all_judged(models: Sequence[tuple[str, bytes]], driver: str) -> Iterator[tuple[str, str]]:
    """Of each operator and the model that holds it, verdict and reason.

    One process for many, and another one behind a model that ends it.
    """
    start = 0
    while start < len(models):
        part = models[start : start + TOGETHER]
        with tempfile.NamedTemporaryFile() as file:
            contents = [content for _, content in part]
            ran = isolated(lambda: _compile_each(contents, driver, file.name), seconds=SECONDS + len(part))  # noqa: B023
            done = [Ran(**json.loads(line)) for line in Path(file.name).read_text("utf-8").splitlines()]
        if len(done) < len(part):
            done.append(Ran(value=None, text=ran.text, failure=ran.failure))
        for asked, one in zip(part, done):
            verdict = judged(one, asked[0])
            # Some of LiteRT's sentences are printed once in a process: what has none is asked in one of its own.
            again = verdict[0] == "inconclusive" and len(part) > 1
            yield next(_all_judged([asked], driver)) if again else verdict
        start += len(done)


def judged(ran: Ran, op: str) -> tuple[str, str]:
    """Verdict and reason of one compilation, of the operator `op`: what it returned, and what it printed on the way."""
    if _NO_ADAPTER.search(ran.text):
        return "invalid", "no Vulkan adapter was found (VK_ICD_FILENAMES)"
    refused = mldrift.refusal(ran.text, op)
    if refused is not None:
        if refused.own is None and ran.failure is None and refused.some_taken:
            return "supported", f"accelerated; left to the CPU: {refused.first}"[:300]
        return "fallback", refused.reason
    kernel = mldrift.no_kernel(ran.text)
    if kernel is not None and ran.failure is not None:
        return "rejected", kernel
    if ran.failure is not None:
        return "inconclusive", ran.failure
    return ("supported", "accelerated") if ran.value else ("inconclusive", "not accelerated, and no reason was given")


def _compile_each(models: Sequence[bytes], driver: str, answers: str) -> None:
    """Write a line with what became of it for each model, all in one environment: making one costs most of the time."""
    if driver:
        os.environ["VK_ICD_FILENAMES"] = driver
        _load_beside(Path(driver))
    from ai_edge_litert.environment import Environment

    environment = Environment.create()
    with Path(answers).open("w", encoding="utf-8") as lines:
        for content in models:
            lines.write(json.dumps(asdict(_compiled(content, environment))) + "\n")
            lines.flush()


def _compiled(content: bytes, environment: Any) -> Ran:
    """Whether the whole model is accelerated, and what was printed on the way."""
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator

    os.lseek(1, 0, os.SEEK_SET)
    os.ftruncate(1, 0)
    both, value, failure = HardwareAccelerator.GPU | HardwareAccelerator.CPU, None, None
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        file.write(content)
        file.flush()
        try:
            compiled = CompiledModel.from_file(file.name, hardware_accel=both, environment=environment)
            value = bool(compiled.is_fully_accelerated())
        except Exception as error:  # the boundary to a runtime whose exceptions have no common base
            failure = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
    text = os.pread(1, 1 << 20, 0).decode(errors="replace")
    return Ran(value=value, text=text, failure=failure)


def _load_beside(driver: Path) -> None:
    """The Vulkan loader that lies beside the driver, so that the accelerator finds it by its name."""
    import ctypes

    loader = driver.parent / "libvulkan.so.1"
    if loader.is_file():
        ctypes.CDLL(str(loader), mode=ctypes.RTLD_GLOBAL)
