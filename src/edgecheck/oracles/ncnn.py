"""ncnn: whether pnnx turns each operator of an ONNX file into layers that ncnn has, and ncnn loads them.

pnnx writes what it cannot convert under its own name, and ends with 0; `Net.load_param` then says which layer does not
exist. Neither runs anything. ncnn has no second device: what does not load is `rejected`. A model that loads as it is
is taken whole; only another is cut. A recurrent layer is asked about with the Squeeze, or the Transpose and Reshape,
that alone reads its sequence, an InstanceNormalization between two Reshapes with them: pnnx knows them only so. What is
made from constants alone is not asked about in a model of several operators: pnnx computes it with ONNX Runtime.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from edgecheck.lifetime import end_with_parent
from edgecheck.model import formats
from edgecheck.oracles import isolated, onnx_alone, onnx_cut

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


verdicts = onnx_alone.asking(_judged, _loads, patterns=_BEHIND, before=_BEFORE, names=False, folds=True)
