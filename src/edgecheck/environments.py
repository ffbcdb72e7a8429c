"""Locked environments: which interpreter runs a plugin, and how an environment is made and kept.

The converters' pins clash, so each framework has an environment of its own, exactly as `requirements/<name>.txt`
locks it, in the cache folder (`EDGECHECK_CACHE`, else `~/.cache/edgecheck`) under `envs/<name>-<hash of the lock>`.
`EDGECHECK_TORCH_PYTHON` and `EDGECHECK_TF_PYTHON` name an interpreter to use instead.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edgecheck.errors import EdgecheckError

NAMES = ("torch", "tf")

#: Made on demand: an older runtime, and the oracles that decide op support.
ORACLES = (
    "tflite-runtime", "vela", "tflm", "tf-gpu-analyzer", "ort-webgpu", "executorch", "openvino", "ncnn", "mnn", "rknn",
    "nncase", "ort-qnn", "litert-npu", "mlia", "litert10", "litert14", "litert21", "tensorflow212",
)  # fmt: skip

#: Installed with pip before the lock: pip finds a CPU build where one is configured, uv does not look there.
FIRST = {"torch": "torch", "executorch": "torch", "rknn": "torch"}

#: What installs the lock: fast, and it checks every hash.
UV = "uv==0.13.8"

#: What the interpreter of an environment must be able to import, for `edgecheck doctor`.
PROOF = {
    "torch": ("torch", "onnx", "onnxscript", "onnxruntime", "litert_torch", "ai_edge_litert", "coremltools"),
    "tf": ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai_edge_litert", "coremltools"),
    "tflite-runtime": ("tflite_runtime",),
    "vela": ("ethosu.vela",),
    "mlia": ("mlia.backend.vela", "ethosu.vela"),
    "tflm": ("tflite_micro",),
    "tf-gpu-analyzer": ("tensorflow",),
    "ort-qnn": ("onnxruntime", "onnxruntime_qnn"),
    "litert-npu": ("ai_edge_litert", "onnxruntime_qnn", "openvino"),
    "ort-webgpu": ("onnxruntime",),
    "executorch": ("torch", "executorch", "coremltools", "tosa_serializer"),
    "openvino": ("openvino", "onnxruntime"),
    "ncnn": ("ncnn", "onnxruntime"),
    "mnn": ("_tools", "onnxruntime"),
    "rknn": ("torch", "onnx", "rknn"),
    **dict.fromkeys(("litert10", "litert14", "litert21"), ("ai_edge_litert",)),
    "tensorflow212": ("tensorflow",),
    "nncase": ("_nncase", "nncase_kpu", "ai_edge_litert"),
}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One environment as it is found. `problem` is empty when it can be used."""

    name: str
    interpreter: Path
    problem: str
    overridden: bool  # named by an environment variable


def cache() -> Path:
    """The cache folder; it need not exist."""
    return Path(os.environ.get("EDGECHECK_CACHE") or Path.home() / ".cache" / "edgecheck")


def lock(name: str) -> Path:
    """The file that locks the environment `name`, from the wheel or from the repository."""
    package = Path(__file__).resolve().parent
    for folder in (package / "requirements", package.parents[1] / "requirements"):
        if (folder / f"{name}.txt").is_file():
            return folder / f"{name}.txt"
    raise EdgecheckError(f"there is no locked environment {name!r}; there are {', '.join(NAMES)}")


def folder(name: str) -> Path:
    """Where the environment `name` lies, whether it has been made or not."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(lock(name).read_bytes() + version.encode()).hexdigest()[:12]
    return cache() / "envs" / f"{name}-{digest}"


def _variable(name: str) -> str:
    """The environment variable that names an interpreter instead."""
    return f"EDGECHECK_{name.upper().replace('-', '_')}_PYTHON"


def state(name: str) -> State:
    """What there is of the environment `name`; looks only at files."""
    given = os.environ.get(_variable(name))
    python = Path(given) if given else folder(name) / "bin" / "python"
    problem = "" if python.is_file() else ("names no file" if given else "has not been made")
    return State(name=name, interpreter=python, problem=problem, overridden=bool(given))


def interpreter(name: str) -> Path:
    """The interpreter of the locked environment `name`.

    Raises `EdgecheckError` (code 3) with the command that makes it, when it is not there.
    """
    found = state(name)
    if not found.problem:
        return found.interpreter
    if found.overridden:
        variable = f"EDGECHECK_{name.upper()}_PYTHON"
        raise EdgecheckError(f"{variable} names {found.interpreter}, which is not there", help=f"unset {variable}")
    raise EdgecheckError(
        f"the {name} environment has not been made", code=3, help=f"run `edgecheck doctor --make {name}`"
    )


def choose(needs: Iterable[str], environment: str) -> Path:
    """The interpreter for a plugin: this one if it has all of `needs`, else that of the locked `environment`."""
    given = os.environ.get(_variable(environment))
    if not given and not missing(needs):
        return Path(sys.executable)
    return interpreter(environment)


def choose_any(needs: Iterable[str], environments: Iterable[str] = NAMES) -> Path:
    """As `choose`, for a plugin that any of several environments can run (a runtime): the first that is there."""
    if not missing(needs):
        return Path(sys.executable)
    wanted = list(environments)
    for name in wanted:
        if not state(name).problem:
            return interpreter(name)
    return interpreter(wanted[0])


def missing(needs: Iterable[str]) -> list[str]:
    """Those of `needs` that this interpreter cannot find; nothing is imported."""
    return [name for name in needs if importlib.util.find_spec(name) is None]


def make(name: str, say: Say) -> Path:
    """Make the environment `name` as its lock says, or find it made; its interpreter.

    It is made under a temporary name and renamed when it is whole. Raises `EdgecheckError` (code 3) with the
    last line of the step that failed.
    """
    target = folder(name)
    python = target / "bin" / "python"
    if python.is_file():
        return python
    _refuse_unsupported(name)
    building = target.with_name(f"{target.name}.part-{os.getpid()}")
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.parent.mkdir(parents=True, exist_ok=True)
        _build(name, building, say)
        _take(building, target)
    except OSError as error:
        raise EdgecheckError(
            f"the {name} environment cannot be made at {target}: {error.strerror}",
            code=3, help="set EDGECHECK_CACHE to a folder with 4 GB of room",
        ) from error  # fmt: skip
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return python


def remove(name: str) -> None:
    """Remove what there is of the environment `name`."""
    shutil.rmtree(folder(name), ignore_errors=True)


def _refuse_unsupported(name: str) -> None:
    if sys.version_info[:2] not in ((3, 11), (3, 12)):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise EdgecheckError(
            f"the {name} environment is locked for Python 3.11 and 3.12, this is {version}", code=3,
            help=f"run edgecheck with Python 3.11, or set EDGECHECK_{name.upper()}_PYTHON",
        )  # fmt: skip


def _build(name: str, place: Path, say: Say) -> None:
    python = place / "bin" / "python"
    requirements = lock(name)
    say(f"{name} environment: an empty one in {place.parent}")
    _step(name, [sys.executable, "-m", "venv", str(place)])
    _step(name, [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV])
    first = FIRST.get(name)
    if first is not None:
        say(f"{name} environment: {first} (some 200 MB to 2 GB)")
        _step(name, [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _pin(first, name)])
    count = sum(1 for line in requirements.read_text(encoding="utf-8").splitlines() if "==" in line and line[0] != " ")
    say(f"{name} environment: {count} locked packages")
    lean = [str(python), "-m", "uv", "pip", "install", "--quiet", "--python", str(python), "--no-deps"]
    _step(name, [*lean, "--require-hashes", "--link-mode", "copy", "-r", str(requirements)])


def _pin(package: str, name: str) -> str:
    """`torch==2.13.0`, as `requirements/<name>.in` has it; the lock leaves out what is installed first."""
    wishes = lock(name).with_suffix(".in")
    for line in wishes.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{package}=="):
            return line.split("#")[0].strip()
    raise EdgecheckError(f"{wishes} does not pin {package}")


def _step(name: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = next(
            (line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "no message"
        )
        raise EdgecheckError(
            f"the {name} environment cannot be made: {reason}", code=3,
            help="check that the package registry answers, then run `edgecheck doctor --make` again",
        )  # fmt: skip


def _take(building: Path, target: Path) -> None:
    """Put a finished environment in its place. Its scripts keep the old path; only `python -m` is used here."""
    try:
        building.rename(target)
    except OSError:
        if not (target / "bin" / "python").is_file():
            raise  # it is not that somebody else was faster
