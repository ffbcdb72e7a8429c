"""ONNX Runtime web in a headless Chromium: where it places each operator of an ONNX file, and whether that runs.

`settings["release"]` is the npm package ("1.30", "1.27"), `settings["build"]` the module: `webgpu`
(onnxruntime-web/webgpu), `jsep` (onnxruntime-web, onnxruntime-web/all), for the target `ort-wasm` always `wasm`. With
`settings["run"] = "no"` nothing is executed. WebGPU runs on SwiftShader. The file is cut into its operators;
`ort_placement` says what the verdicts mean.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from edgecheck import browser
from edgecheck.oracles import Answer, onnx_feeds, ort_placement

NAME = "onnxruntime-web"
ENVIRONMENT = "ort-webgpu"
NEEDS = ("numpy",)
TARGETS = ("ort-webgpu", "ort-wasm")
SECONDS = 60.0

#: Session options that make it say where each node was placed, and leave the nodes as they are.
OPTIONS = {"graphOptimizationLevel": "disabled", "logSeverityLevel": 0, "logVerbosityLevel": 0}


@cache
def _host() -> browser.Browser:
    """The browser of this process, started once; forks of this process use it too."""
    started = browser.Browser()
    atexit.register(started.close)
    return started


def warm_up() -> None:
    """Start the browser before the forks."""
    _host()


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator of the file, graphs depth-first."""
    accelerated = target != "ort-wasm"
    build = settings.get("build", "webgpu") if accelerated else "wasm"
    package = f"ort-{settings.get('release', '1.30')}"

    def make(content: bytes, values: list[onnx_feeds.Value] | None, on_cpu: bool) -> ort_placement.Session:
        options = {**OPTIONS, "executionProviders": ["wasm" if on_cpu else "webgpu"]}
        feeds = [_feed(one) for one in values or ()]
        answer = browser.do(
            _host().address, content, feeds, engine="ort", package=package, build=build, options=options,
            run=values is not None, seconds=SECONDS,
        )  # fmt: skip
        made = bool(answer.get("made"))
        return ort_placement.Session(made=made, log=answer.get("text", ()), failure=answer.get("failure", ""))

    return ort_placement.answers(model, make, accelerated=accelerated, run=settings.get("run") != "no")


def _feed(value: onnx_feeds.Value) -> browser.Feed:
    texts = tuple(value.array.reshape(-1).tolist()) if value.dtype == "string" else None
    raw = b"" if texts is not None else value.array.tobytes()
    return browser.Feed(name=value.name, dtype=value.dtype, dims=value.array.shape, data=raw, strings=texts)
