"""LiteRT and TensorFlow Lite with builtin kernels alone (no XNNPACK): which operators of a TFLite file load and run.

The runtime is whichever the environment holds; `settings["runtime"]` picks one of `ai_edge_litert`, `tflite_runtime`,
`tensorflow` where there are several. Only the interpreter's own library is loaded, so any wheel from TensorFlow 2.8 to
LiteRT 2.3 answers. The file is cut into one-operator models (where TFLite's schema is not installed it must hold one
operator). `supported`: the interpreter was built, its tensors were allocated and one inference ran. `rejected`: no
kernel for the operator or its version, or the kernel's Prepare or Eval refused it; the reason begins with the stage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from edgecheck.oracles import Answer, Ran, isolated
from edgecheck.oracles.cut import Piece, cut
from edgecheck.oracles.tflite_probe import schema

NAME = "ai-edge-litert"
ENVIRONMENT = "tf"
NEEDS = ("ai-edge-litert", "flatbuffers", "numpy")
TARGETS = ("litert-cpu",)
SECONDS = 20.0

#: Where each package keeps the interpreter's library; the name has changed over the years.
RUNTIMES: Mapping[str, tuple[str, ...]] = {
    "ai_edge_litert": ("_pywrap_litert_interpreter_wrapper.so", "_pywrap_tensorflow_interpreter_wrapper.so"),
    "tflite_runtime": ("_pywrap_tensorflow_interpreter_wrapper.so",),
    "tensorflow": (
        "lite/python/interpreter_wrapper/_pywrap_tensorflow_interpreter_wrapper.so",
        "lite/python/_pywrap_tensorflow_interpreter_wrapper.so",
    ),
}
_BUILTIN_WITHOUT_DELEGATES = 3  # OpResolverType of the interpreter's Python API
_NOT_ONE = ("DIV", "FLOOR_DIV", "FLOOR_MOD")  # their second input may not be zero
_NO_KERNEL = re.compile(
    r"Didn't find op|Unsupported data type|[Uu]nresolved custom op|Unsupported custom op|builtin_code out of range"
)
#: What a kernel says of values, not of the operator: the inputs are made up here.
_VALUES = re.compile(
    r"Division by 0|out of (?:bound|range)|data\[i\] != zero_point|negative value|only defined for|Invalid begin"
    r"|has to be non-zero|\(delta, 0\)|block_shape\[dim\]|size_data\[0\]|num_output_elements|even split|must sum to"
    r"|k is higher|output_shape_vector|segment_id|variable != nullptr"
    r"|SizeOfDimension\(output, \d\) \(\d+ != 0\)|shape_data\[ix \+ i\] \(\d+ != 0\)",  # a shape fed as zeros
    re.I,
)


def warm_up() -> None:
    """Load the interpreters' libraries once, before the forks."""
    import numpy  # noqa: F401

    if _has_schema():
        schema()
    for package in RUNTIMES:
        if _file(package):
            library(package)


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator, from a model of its own."""
    runtime = settings.get("runtime", "")
    if not _has_schema():
        ran = isolated(lambda: _run(model.read_bytes(), "", runtime), seconds=SECONDS)
        verdict, reason = judged(ran)
        return [Answer(graph=0, index=0, op="", verdict=verdict, reason=reason)]
    return [_answer(piece, runtime) for piece in cut(model)]


def _has_schema() -> bool:
    """Whether TFLite's generated schema can be imported here, with what it needs."""
    names = ("ai_edge_litert", "ai_edge_litert.schema_py_generated", "flatbuffers")
    return all(find_spec(name) is not None for name in names)


def _answer(piece: Piece, runtime: str) -> Answer:
    if piece.content is None:
        verdict, reason = "inconclusive", "it cannot be cut out of its model"
    else:
        content = piece.content
        verdict, reason = judged(isolated(lambda: _run(content, piece.op, runtime), seconds=SECONDS))
    return Answer(graph=piece.graph, index=piece.index, op=piece.op, verdict=verdict, reason=reason)


def judged(ran: Ran) -> tuple[str, str]:
    """Verdict and reason of one run of a one-operator model."""
    if ran.failure:
        return "inconclusive", ran.failure
    stage, text = ran.value
    if stage == "ran":
        return "supported", "it was prepared and run once"
    if stage == "load" and not _NO_KERNEL.search(text):
        return "invalid", f"the file: {_told(text)}"
    if stage == "invoke" and _VALUES.search(text):
        return "invalid", f"the probe's values: {_told(text)}"
    return "rejected", f"{stage}: {_told(text)}"


def _told(text: str) -> str:
    """The runtime's own words, without its source paths."""
    lines = [line.strip() for line in text.replace("Node number", "\nNode number").splitlines() if line.strip()]
    return re.sub(r"\S+/(\w+\.(?:cc|h)):", r"\1:", " ".join(lines))[:300] or "no message"


def _run(content: bytes, op: str, runtime: str) -> tuple[str, str]:
    """The stage that failed, or `ran`; and what the runtime said."""
    wrapper = library(runtime)
    try:
        interpreter = wrapper.CreateWrapperFromBuffer(content, _BUILTIN_WITHOUT_DELEGATES, [], *_flags(wrapper))
    except ValueError as error:
        return "load", str(error)
    try:
        interpreter.AllocateTensors()
    except (RuntimeError, ValueError) as error:
        return "prepare", str(error)
    for index in interpreter.InputIndices():
        _fill(interpreter, int(index), op)
    try:
        interpreter.Invoke()
    except (RuntimeError, ValueError) as error:
        return "invoke", str(error)
    return "ran", ""


def _flags(wrapper: Any) -> list[bool]:
    """`False` for each switch this release has behind the registerers (preserve tensors, delegate clustering)."""
    forms = (wrapper.CreateWrapperFromBuffer.__doc__ or "").splitlines()
    form = next((line for line in forms if line.startswith("1. ")), forms[0])
    return [False] * (form.count("arg") - 3)


@cache
def library(runtime: str) -> Any:
    """The interpreter's library of a package (the first there is), loaded alone: no package's `__init__` runs."""
    path = next(filter(None, map(_file, (runtime,) if runtime else RUNTIMES)), None)
    if path is None:
        raise ModuleNotFoundError(f"no TFLite interpreter of {runtime or ', '.join(RUNTIMES)} is installed")
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _file(package: str) -> Path | None:
    """The interpreter's library of a package; None where it has none here."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    paths = (Path(folder) / name for folder in folders or () for name in RUNTIMES[package])
    return next((path for path in paths if path.is_file()), None)


def _fill(interpreter: Any, index: int, op: str) -> None:
    """Harmless values for an input: 1, the largest int8, but 0 where an integer may be an index."""
    import numpy

    try:
        array = interpreter.GetTensor(index)
    except (RuntimeError, ValueError):  # a type without one in numpy (int4, bfloat16): left as it was allocated
        return
    dtype = array.dtype.name
    fill = 127 if dtype == "int8" else 0 if dtype in ("int32", "int64") and op not in _NOT_ONE else 1
    if array.dtype.kind in "biufc":
        with suppress(ValueError):  # int4, seen here as int8, takes no more than 7
            interpreter.SetTensor(index, numpy.full(array.shape, fill, array.dtype))
