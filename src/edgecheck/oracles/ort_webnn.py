"""ONNX Runtime web's WebNN provider in a headless Chromium: where it places each operator, and whether that runs.

The module is onnxruntime-web/all; the browser is the Chromium of `edgecheck.browser.webnn`, whose WebNN runs on LiteRT
on the CPU whatever device is asked for: it answers for `backend=tflite` alone. The file is cut into its operators;
`ort_placement` says what the verdicts mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from edgecheck import browser
from edgecheck.browser import webnn
from edgecheck.errors import EdgecheckError
from edgecheck.oracles import Answer, onnx_feeds, ort_placement

NAME = "onnxruntime-web-webnn"
ENVIRONMENT = "ort-webgpu"
NEEDS = ("numpy",)
TARGETS = ("ort-webnn",)
#: The point of the axis → the folder among the npm packages.
PACKAGES = {"1.27": "ort-1.27", "1.30": "ort-1.30"}
NEWEST = "1.30"
BACKEND = "tflite"
SECONDS = 60.0

#: Session options that make it say where each node was placed, and leave the nodes as they are.
OPTIONS = {"graphOptimizationLevel": "disabled", "logSeverityLevel": 0, "logVerbosityLevel": 0}
_PROVIDER = {"name": "webnn", "deviceType": "cpu"}


def warm_up() -> None:
    """Start the browser before the forks."""
    browser.kept(webnn.executable())


def release(at: str | None) -> str:
    """The version of the npm package that stands for a point of the axis; the browser must be there."""
    webnn.executable()
    described = json.loads((browser.installed() / PACKAGES[at or NEWEST] / "package.json").read_text("utf-8"))
    return str(described["version"])


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator of the file, graphs depth-first. `settings["version"]`: the release."""
    if settings.get("backend", BACKEND) != BACKEND:
        raise EdgecheckError(
            f"a browser on Linux has no WebNN backend {settings['backend']}", help=f"leave it out, or set {BACKEND}"
        )
    package = PACKAGES[settings.get("version", NEWEST)]

    def make(content: bytes, values: list[onnx_feeds.Value] | None, on_cpu: bool) -> ort_placement.Session:
        options = {**OPTIONS, "executionProviders": ["wasm" if on_cpu else _PROVIDER]}
        feeds = [browser.feed(one.name, one.dtype, one.array) for one in values or ()]
        answer = browser.do(
            browser.kept(webnn.executable()).address, content, feeds, engine="ort", package=package, build="webnn",
            options=options, run=values is not None, seconds=SECONDS,
        )  # fmt: skip
        made = bool(answer.get("made"))
        return ort_placement.Session(made=made, log=answer.get("text", ()), failure=answer.get("failure", ""))

    return ort_placement.answers(model, make, run=settings.get("run") != "no")
