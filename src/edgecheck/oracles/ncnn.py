"""ncnn: whether pnnx turns each operator of an ONNX file into layers that ncnn has, and ncnn loads them.

pnnx writes what it cannot convert under its own name, and ends with 0; `Net.load_param` then says which layer does not
exist. Neither runs anything. ncnn has no second device: what does not load is `rejected`. A model that loads as it is
is taken whole; only another is cut. A recurrent layer is asked about with the Squeeze, or the Transpose and Reshape,
that alone reads its sequence, an InstanceNormalization between two Reshapes with them: pnnx knows them only so. What is
made from constants alone is not asked about in a model of several operators: pnnx computes it with ONNX Runtime. So is
what comes from sizes, where only first dimensions are open: pnnx takes them as 1 (load_onnx.cpp).
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edgecheck.lifetime import end_with_parent
from edgecheck.model import formats
from edgecheck.model.graph import Node
from edgecheck.oracles import Answer, isolated, onnx_alone, onnx_cut

NAME = "ncnn"
ENVIRONMENT = "ncnn"
NEEDS = ("ncnn", "pnnx", "onnxruntime")
TARGETS = ("ncnn",)
SECONDS = 45.0
MEMORY = 6 << 30  # bytes of address space; pnnx was seen to ask for 40 GB

#: pnnx takes a recurrent layer only with what stands behind it in PyTorch's exports (pass_level2/nn_LSTM.cpp).
_RECURRENT = dict.fromkeys(("LSTM", "GRU", "RNN"), (("Squeeze",), ("Transpose", "Reshape")))
#: A GroupNorm of PyTorch's exports (pass_level2/F_group_norm.cpp).
_BEHIND: onnx_cut.Patterns = {**_RECURRENT, "InstanceNormalization": (("Reshape",),)}
_BEFORE = {"InstanceNormalization": "Reshape"}
_MISSING = re.compile(r"layer (?P<layer>\S+) not exists or registered")
_INVALID = re.compile(r"ort CreateSession failed (?P<why>.*)|ModelProto load failed")


def warm_up() -> None:
    """Import it once, before the forks."""
    import ncnn  # noqa: F401
    import onnxruntime  # noqa: F401


def _judged(model: Path, name: str, op: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(model, Path(folder, "m.onnx"))
        try:
            done = _converted(folder, SECONDS)
        except subprocess.TimeoutExpired:
            return "inconclusive", f"pnnx gave no answer in {SECONDS:g} s"
        if done.returncode != 0 or not Path(folder, "m.ncnn.param").is_file():
            return _not_converted(done.returncode, done.stdout + done.stderr)
        ran = isolated(lambda: _loaded(folder), seconds=SECONDS)
    lost = onnx_alone.gone(ran)
    if lost is not None:
        return "inconclusive", f"ncnn: {lost}"
    if ran.value == 0:
        return "supported", "converted and loaded"
    missing = _MISSING.search(ran.text)
    if missing and not missing["layer"].endswith(op) and formats.read(model).node_count > 1:
        return "inconclusive", f"ncnn has no layer {missing['layer']}, which may be of what stands around the operator"
    layer = f"ncnn has no layer {missing['layer']}" if missing else onnx_alone.short(ran.failure or ran.text)
    return "rejected", layer


def _loads(model: Path) -> bool:
    """Whether the file, as it is, becomes layers that ncnn loads."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(model, Path(folder, "m.onnx"))
        try:
            done = _converted(folder, 4 * SECONDS)
        except subprocess.TimeoutExpired:
            return False
        if done.returncode != 0 or not Path(folder, "m.ncnn.param").is_file():
            return False
        ran = isolated(lambda: _loaded(folder), seconds=SECONDS)
    return ran.failure is None and ran.value == 0


def _converted(folder: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """pnnx on the folder's m.onnx."""
    return subprocess.run(
        [_pnnx(), "m.onnx", "fp16=0"], cwd=folder, capture_output=True, text=True, errors="replace",
        timeout=seconds, check=False, preexec_fn=_bounded,
    )  # fmt: skip


def _bounded() -> None:
    """In pnnx's process: it ends with this one, and where its memory grows without end, by itself."""
    import resource  # not on Windows

    end_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _not_converted(code: int, told: str) -> tuple[str, str]:
    invalid = _INVALID.search(told)
    if invalid:
        return "invalid", onnx_alone.short(invalid[0])
    return "inconclusive", f"pnnx ended with {code}"


def _pnnx() -> str:
    """The converter's program; its Python package would import torch, which the program does not need."""
    found = importlib.util.find_spec("pnnx")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("pnnx")
    return str(Path(found.submodule_search_locations[0], "pnnx"))


def _loaded(folder: str) -> int:
    import ncnn

    net = ncnn.Net()
    return int(net.load_param(f"{folder}/m.ncnn.param") or net.load_model(f"{folder}/m.ncnn.bin"))


_asked = onnx_alone.asking(_judged, _loads, patterns=_BEHIND, before=_BEFORE, names=False, folds=True)


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """An answer for each operator of the file; what an open batch of one alone decides is not asked about either."""
    read = formats.read(model)
    found = _asked(model, target, settings)
    known = formats.with_known_sizes(read)
    if len(found) < 2 or not known.metadata["static_inputs"] or read.metadata["static_inputs"]:
        return found
    around = onnx_cut.Neighbours(known)
    return [
        replace(one, verdict="inconclusive", reason="it, or what it reads, is computed beforehand")
        if one.verdict == "rejected" and (_early(node, around) or _settled(whole, node))
        else one
        for one, whole, node in zip(found, read.nodes, known.nodes, strict=True)
    ]


def _early(node: Node, around: onnx_cut.Neighbours) -> bool:
    """Whether what the node makes is a constant, or made from constants, once the batch is known."""
    made = node.outputs[0] if node.outputs else None
    if made is None or id(made) in around.results or not node.inputs:
        return False
    return made.const or bool(around.folded(made))


def _settled(node: Node, known: Node) -> bool:
    """Whether it reads a constant that the file does not hold: cut out alone, it lacks it."""
    pairs = zip(node.inputs, known.inputs, strict=True)
    return any(b is not None and b.const and not (a is not None and a.const) for a, b in pairs)
