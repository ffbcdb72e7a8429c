"""ONNX Runtime web in a headless Chromium: where it places each operator of an ONNX file, and whether that runs.

The target says which module of the npm package: `ort-webgpu` onnxruntime-web/webgpu, `ort-webgpu-jsep` the plain
onnxruntime-web (JavaScript kernels), `ort-wasm` onnxruntime-web/wasm; `settings["version"]` which release. With
`settings["run"] = "no"` nothing is executed. WebGPU runs on SwiftShader. The file is cut into its operators;
`ort_placement` says what the verdicts mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from edgecheck import browser
from edgecheck.errors import EdgecheckError
from edgecheck.oracles import Answer, onnx_feeds, ort_placement

NAME = "onnxruntime-web"
ENVIRONMENT = "ort-webgpu"
NEEDS = ("numpy",)
TARGETS = ("ort-webgpu", "ort-webgpu-jsep", "ort-wasm")
#: The builds of page.js, and the point of the axis → the folder among the npm packages.
BUILDS = {"ort-webgpu": "webgpu", "ort-webgpu-jsep": "jsep", "ort-wasm": "wasm"}
PACKAGES = {"1.27": "ort-1.27", "1.30": "ort-1.30"}
NEWEST = "1.30"
SECONDS = 60.0

#: Session options that make it say where each node was placed, and leave the nodes as they are.
OPTIONS = {"graphOptimizationLevel": "disabled", "logSeverityLevel": 0, "logVerbosityLevel": 0}


def warm_up() -> None:
    """Start the browser before the forks."""
    browser.kept()


def release(at: str | None) -> str:
    """The version of the npm package that stands for a point of the axis."""
    described = json.loads((browser.installed() / PACKAGES[at or NEWEST] / "package.json").read_text("utf-8"))
    return str(described["version"])


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator of the file, graphs depth-first."""
    accelerated, build = target != "ort-wasm", BUILDS[target]
    package = PACKAGES[settings.get("version", NEWEST)]
    if settings.get("build") == "native":
        raise EdgecheckError("a browser says nothing of the native package", help="ask ort_webgpu")

    def make(content: bytes, values: list[onnx_feeds.Value] | None, on_cpu: bool) -> ort_placement.Session:
        options = {**OPTIONS, "executionProviders": ["wasm" if on_cpu else "webgpu"]}
        feeds = [browser.feed(one.name, one.dtype, one.array) for one in values or ()]
        answer = browser.do(
            browser.kept().address, content, feeds, engine="ort", package=package, build=build, options=options,
            run=values is not None, seconds=SECONDS,
        )  # fmt: skip
        made = bool(answer.get("made"))
        return ort_placement.Session(made=made, log=answer.get("text", ()), failure=answer.get("failure", ""))

    return ort_placement.answers(model, make, accelerated=accelerated, run=settings.get("run") != "no")
