"""LiteRT and TensorFlow Lite with builtin kernels alone (no XNNPACK): which operators of a TFLite file load and run.

The runtime is whichever the environment holds; `settings["runtime"]` picks one of `ai_edge_litert`, `tflite_runtime`,
`tensorflow` where there are several, and the point of the axis picks the environment. Only the interpreter's own
library is loaded, so any wheel from TensorFlow 2.8 to LiteRT 2.3 answers. A file that runs whole has all operators of
its main graph `supported`; else it is cut into one-operator models (where TFLite's schema is not installed, only the
operator that the runtime names is answered). `supported`: the interpreter was built, its tensors were allocated and
one inference ran. `rejected`: no kernel for the operator or its version, or the kernel's Prepare or Eval refused it;
the reason begins with the stage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from edgecheck.oracles import Answer, Ran, isolated
from edgecheck.oracles.cut import Piece, cut
from edgecheck.oracles.tflite_probe import schema
from edgecheck.oracles.tflite_sizes import stored_for_open

NAME = "ai-edge-litert"
ENVIRONMENT = "tf"
NEEDS = ("ai-edge-litert", "flatbuffers", "numpy")
TARGETS = ("litert-cpu",)
SECONDS = 20.0
WHOLE_SECONDS = 60.0

#: The points of the axis that can be asked: the environment of each, and the distribution that is its runtime.
ENVIRONMENTS: Mapping[str, str] = {
    "2.12": "tensorflow212", "2.14": "tflite-runtime", "2.17": "tf-gpu-analyzer", "2.21": "tf",
    "litert-1.0": "litert10", "litert-1.4": "litert14", "litert-2.1.6": "litert21", "litert-2.3": "tf",
}  # fmt: skip
DISTRIBUTIONS: Mapping[str, str] = {
    "2.12": "tensorflow-cpu", "2.14": "tflite-runtime", "2.17": "tensorflow-cpu", "2.21": "tensorflow-cpu",
}  # fmt: skip

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
_CULPRIT = re.compile(r"Node number (\d+) \(")
_NOT_ONE = ("DIV", "FLOOR_DIV", "FLOOR_MOD")  # their second input may not be zero
_NO_KERNEL = re.compile(
    r"Didn't find op|Unsupported data type|[Uu]nresolved custom op|Unsupported custom op|builtin_code out of range"
)
#: What a kernel says of values, not of the operator: the inputs are made up here.
_VALUES = re.compile(
    r"Division by 0|out of (?:bound|range)|data\[i\] != zero_point|negative value|only defined for|Invalid begin"
    r"|has to be non-zero|\(delta, 0\)|block_shape\[dim\]|size_data\[0\]|num_output_elements|even split|must sum to"
    r"|k is higher|output_shape_vector|segment_id|variable != nullptr|max_index < num_segments|IsPowerOfTwo"
    r"|dilations_tensor->data|shape_data\[0\] != SizeOfDimension\(input"
    r"|SizeOfDimension\(output, \d\) \(\d+ != 0\)|shape_data\[ix \+ i\] \(\d+ != 0\)|broadcastable from input shape"
    r"|^Node number \d+ \(SPARSE_TO_DENSE\)",  # a shape fed as zeros
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
    """One answer for each operator: that of the whole model where it runs, else of a model of the operator's own."""
    tensorflow = DISTRIBUTIONS.get(settings.get("version", "")) == "tensorflow-cpu"
    runtime = settings.get("runtime", "tensorflow" if tensorflow else "")
    content = model.read_bytes()
    graphs, operators = _counts(content)
    can_cut = _has_schema()
    alone = (graphs, operators) == (1, 1)
    if alone and can_cut:
        return [_answer(piece, runtime, alone=True) for piece in cut(model)]
    ran = isolated(lambda: _run_whole(content, runtime), seconds=WHOLE_SECONDS)
    if not can_cut:
        return _without_cutting(ran, alone)
    if ran.failure or ran.value[0] != "ran":
        return [_answer(piece, runtime) for piece in cut(model)]
    nested = cut(model) if graphs > 1 else ()
    return _of_main(ran.value[2]) + [_answer(piece, runtime) for piece in nested if piece.graph > 0]


def _counts(content: bytes) -> tuple[int, int]:
    """How many graphs a file has, and operators its first: read by hand, old runtimes come without a schema."""

    def number(at: int, size: int = 4, *, signed: bool = False) -> int:
        return int.from_bytes(content[at : at + size], "little", signed=signed)

    def field(table: int, place: int) -> int:
        """Where the vector in a table's field begins; 0: it has none."""
        vtable = table - number(table, signed=True)
        offset = number(vtable + 4 + 2 * place, 2) if 4 + 2 * place < number(vtable, 2) else 0
        return table + offset + number(table + offset) if offset else 0

    graphs = field(number(0), 2)
    operators = field(graphs + 4 + number(graphs + 4), 3)
    return number(graphs), number(operators) if operators else 0


def _of_main(names: Sequence[str]) -> list[Answer]:
    """Each operator of a main graph that ran."""
    return [
        Answer(graph=0, index=index, op=op, verdict="supported", reason="it ran once with its model")
        for index, op in enumerate(names)
    ]


def _without_cutting(ran: Ran, alone: bool) -> list[Answer]:
    """Where a model cannot be taken apart: all its operators when it runs, else the one that the runtime names."""
    verdict, reason = judged(ran)
    names = ran.value[2] if ran.value else []
    if verdict == "supported":
        return _of_main(names)
    culprit = _CULPRIT.search(reason)
    if culprit is None and not alone:
        return []
    index = int(culprit[1]) if culprit else 0
    return [Answer(graph=0, index=index, op=names[index] if names else "", verdict=verdict, reason=reason)]


def _has_schema() -> bool:
    """Whether TFLite's generated schema can be imported here, with what it needs."""
    names = ("ai_edge_litert", "ai_edge_litert.schema_py_generated", "flatbuffers")
    return all(find_spec(name) is not None for name in names)


def _answer(piece: Piece, runtime: str, *, alone: bool = False) -> Answer:
    """Of an operator in a model of its own; `alone`: its file holds nothing else."""
    if piece.content is None:
        verdict, reason = "inconclusive", "it cannot be cut out of its model"
    else:
        content = piece.content
        verdict, reason = judged(isolated(lambda: _run(content, piece.op, runtime), seconds=SECONDS))
        if verdict == "rejected" and not alone and stored_for_open(content, reason):
            verdict, reason = "invalid", f"the sizes stored for variable dimensions: {reason}"
        culprit = _CULPRIT.search(reason)
        if verdict == "rejected" and culprit and int(culprit[1]) < _operators(content) - 1:
            verdict, reason = "invalid", f"what makes its constants is refused: {reason}"
    return Answer(graph=piece.graph, index=piece.index, op=piece.op, verdict=verdict, reason=reason)


def _operators(content: bytes) -> int:
    """How many a piece has: before its own stands only what makes constants."""
    return _counts(content)[1]


def judged(ran: Ran) -> tuple[str, str]:
    """Verdict and reason of one run of a one-operator model."""
    if ran.failure:
        return "inconclusive", ran.failure
    stage, text = ran.value[:2]
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


def _run_whole(content: bytes, runtime: str) -> tuple[str, str, list[str]]:
    """As `_run`, and the names of the main graph's operators as far as the interpreter was built."""
    names: list[str] = []
    stage, text = _run(content, "", runtime, names)
    return stage, text, names


def _run(content: bytes, op: str, runtime: str, names: list[str] | None = None) -> tuple[str, str]:
    """The stage that failed, or `ran`; and what the runtime said. `names` receives those of the operators."""
    wrapper = library(runtime)
    try:
        interpreter = wrapper.CreateWrapperFromBuffer(content, _BUILTIN_WITHOUT_DELEGATES, [], *_flags(wrapper))
    except ValueError as error:
        return "load", str(error)
    if names is not None:
        names += [str(interpreter.NodeName(index)) for index in range(interpreter.NumNodes())]
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
