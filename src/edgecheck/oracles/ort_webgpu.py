"""ONNX Runtime's native WebGPU provider: where it places each operator of an ONNX file, and whether that runs.

The provider is the one that ONNX Runtime web's `webgpu` build has; the CPU kernels beside it are the desktop's. Any
Vulkan driver will do; where no GPU is, SwiftShader, which Debian's chromium carries, is one: name its driver file with
the environment variable `VK_ICD_FILENAMES` (or the setting `icd`); a Vulkan loader, `libvulkan.so.1`, must lie beside
it or on the library path. With `settings["run"] = "no"` nothing is executed. The file is cut into its operators, each
asked about in a fork of its own; `ort_placement` says what the verdicts mean. With `settings["build"] = "web"` only
what WebGPU takes is an answer: what the CPU takes, the browser's build must be asked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edgecheck.oracles import Answer, isolated, onnx_feeds, ort_placement

NAME = "onnxruntime-webgpu"
ENVIRONMENT = "ort-webgpu"
ENVIRONMENTS = {"1.27": "ort-webgpu"}  # the only release of both packages
NEEDS = ("onnxruntime-webgpu", "numpy")
TARGETS = ("ort-webgpu",)
SECONDS = 60.0

#: Where Debian's chromium keeps SwiftShader's driver file.
SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
_GPU, _CPU = "WebGpuExecutionProvider", "CPUExecutionProvider"


def warm_up() -> None:
    """Import it once, before the forks."""
    import onnxruntime  # noqa: F401


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator of the file. `settings["icd"]`: the Vulkan driver's JSON file."""
    driver = Path(settings.get("icd") or os.environ.get("VK_ICD_FILENAMES") or SWIFTSHADER)

    def make(content: bytes, values: list[onnx_feeds.Value] | None, on_cpu: bool) -> ort_placement.Session:
        ran = isolated(lambda: _session(content, values, driver, [_CPU] if on_cpu else [_GPU, _CPU]), seconds=SECONDS)
        made, failure = ran.value or (False, ran.failure or "")
        return ort_placement.Session(made=made, log=ran.text.splitlines(), failure=failure)

    answers = ort_placement.answers(model, make, run=settings.get("run") != "no")
    return [_of_web(one) for one in answers] if settings.get("build") == "web" else answers


def _of_web(answer: Answer) -> Answer:
    """What an answer says of the browser's build, which has the same WebGPU kernels and fewer for the CPU."""
    if answer.verdict == "supported" or "fails when it runs" in answer.reason:
        return answer
    return replace(answer, verdict="inconclusive", reason=f"the browser has other CPU kernels: {answer.reason}")


def _session(
    content: bytes, values: list[onnx_feeds.Value] | None, driver: Path, providers: list[str]
) -> tuple[bool, str]:
    """Whether a session was made, and why it or its run failed ("" where neither did)."""
    _load(driver)
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as binding

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level, options.intra_op_num_threads = 0, 1
    try:
        # onnxruntime.InferenceSession itself would try again on the CPU after a failure.
        session = binding.InferenceSession(options, content, False, False)
        session.initialize_session(providers, [{} for _ in providers], set())
    except Exception as error:  # the boundary to a runtime whose exceptions have no common base
        return False, str(error)
    if values is not None:
        try:
            outputs = [one.name for one in session.outputs_meta]
            session.run(outputs, {one.name: one.array for one in values}, None)
        except Exception as error:  # as above
            return True, str(error)
    return True, ""


def _load(driver: Path) -> None:
    """Name the driver, and load the Vulkan loader that lies beside it, so that it is found by its name."""
    import ctypes

    os.environ["VK_ICD_FILENAMES"] = str(driver)
    loader = driver.parent / "libvulkan.so.1"
    if loader.is_file():
        ctypes.CDLL(str(loader), mode=ctypes.RTLD_GLOBAL)
