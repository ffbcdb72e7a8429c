"""OpenVINO's ONNX frontend and CPU plugin: whether each operator of an ONNX file is read, taken, and compiled.

`rejected` where the frontend cannot read the operator, where `query_model` leaves some of what it became to no device,
or where compiling fails: the CPU is the last device, there is nothing to fall back to. A model that compiles as it is
is taken whole: within it more ranks are known than of an operator cut out of it. Nothing is executed.
"""

from __future__ import annotations

import re
from pathlib import Path

from edgecheck.oracles import isolated, onnx_alone

NAME = "openvino"
ENVIRONMENT = "openvino"
NEEDS = ("openvino", "onnxruntime")
TARGETS = ("openvino-cpu",)
SECONDS = 60.0

_PLACE = re.compile(r"(Exception from |Check '.*?' failed at |/?(\S+/)?src/)\S+?:\d+:?")

_SHAPES = "src/core/shape_inference"  # the operator's shapes do not fit each other: the file is wrong
_REWRITING = "CALLBACK HAS THROWN"  # but not where a pass of the compiler made those shapes
_NO_RULE = re.compile(r"No conversion rule found for operations: (?P<ops>.*)")


def _names(listed: str) -> list[str]:
    """`Optional-16, util::SequenceMark` without the opsets."""
    return [re.sub(r"-\d+$", "", one.strip()) for one in listed.split(",")]


def warm_up() -> None:
    """Import it once, before the forks; a `Core` would start threads, which do not survive one."""
    import onnxruntime  # noqa: F401
    import openvino  # noqa: F401


def _judged(model: Path, name: str, op: str) -> tuple[str, str]:
    ran = isolated(lambda: _asked(str(model)), seconds=SECONDS)
    lost = onnx_alone.gone(ran)
    if lost is not None:
        return "inconclusive", lost
    if ran.failure is not None:
        reason = onnx_alone.short(_PLACE.sub("", ran.failure))
        unknown = _NO_RULE.search(ran.failure)
        if unknown and not any(one.endswith(op.rpartition("::")[2]) for one in _names(unknown["ops"])):
            return "inconclusive", f"another operator within it: {reason}"
        unfit = _SHAPES in ran.failure and _REWRITING not in ran.failure
        return ("invalid" if unfit else "rejected"), reason
    if ran.value:
        return "rejected", f"no kernel for {', '.join(ran.value)}"
    return "supported", "compiled for the CPU"


def _compiles(model: Path) -> bool:
    ran = isolated(lambda: _asked(str(model)), seconds=10 * SECONDS)
    return ran.failure is None and not ran.value


def _asked(path: str) -> list[str]:
    """The operations that the plugin does not take; raises what reading or compiling raises."""
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    taken = core.query_model(model, "CPU")
    left = sorted({op.get_type_name() for op in model.get_ops() if op.get_friendly_name() not in taken})
    if not left:
        core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1})
    return left


verdicts = onnx_alone.asking(_judged, _compiles)
