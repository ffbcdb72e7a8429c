"""Probes as files: descriptions written where the format's writer is; random ones from the makers in scripts/."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgecheck import environments
from edgecheck.errors import EdgecheckError
from edgecheck.oracles import onnx_probe

Spec = Mapping[str, Any]

#: Runs in an environment that has the format's own writer: descriptions from stdin, one file each.
_WRITE = """\
import json, sys, types
from pathlib import Path
package = types.ModuleType("edgecheck")
package.__path__ = [sys.argv[1]]
sys.modules["edgecheck"] = package
from importlib import import_module
writer = import_module(f"edgecheck.oracles.{sys.argv[3]}")
for number, line in enumerate(sys.stdin):
    try:
        content = writer.write(json.loads(line))
    except Exception as error:  # whatever flatbuffers or torch raises: this description makes no file
        print(f"{number}: {type(error).__name__}: {error}", file=sys.stderr)
        continue
    Path(sys.argv[2], f"{number:06}{sys.argv[4]}").write_bytes(content)
"""
#: The writer in `edgecheck.oracles`, the suffix of its files, and the environments that have what it imports.
_WRITERS = {
    "tflite": ("tflite_probe", ".tflite", ("tflm", "tf", "torch")),
    "executorch": ("aten_probe", ".pt2", ("executorch",)),
}


def write(specs: Sequence[Spec], format: str, folder: Path) -> list[Path | None]:
    """A file for each description; None for one that makes no file."""
    if format == "onnx":
        return [_onnx(spec, folder / f"{number:06}.onnx") for number, spec in enumerate(specs)]
    package = str(Path(__file__).parent.parent)
    lines = "".join(json.dumps(spec) + "\n" for spec in specs)
    writer, suffix, environment = _WRITERS[format]
    command = [str(_with_writer(environment)), "-c", _WRITE, package, str(folder), writer, suffix]
    done = subprocess.run(command, input=lines, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EdgecheckError(f"the {format} probes could not be written: {last}", code=3)
    paths = [folder / f"{number:06}{suffix}" for number in range(len(specs))]
    return [path if path.is_file() else None for path in paths]


def _onnx(spec: Spec, path: Path) -> Path | None:
    try:
        path.write_bytes(onnx_probe.write(spec))
    except (EdgecheckError, ValueError, OverflowError, TypeError):
        return None
    return path


def _with_writer(names: Sequence[str]) -> Path:
    """The interpreter of the first of these environments that is there."""
    for name in names:
        if not environments.state(name).problem:
            return environments.interpreter(name)
    return environments.interpreter(names[0])


def random(
    format: str, seed: int, count: int, ops: Sequence[str] = (), *, node_tests: bool = False
) -> list[dict[str, Any]]:
    """Random descriptions of the format; the same seed gives the same. EdgecheckError outside of a checkout."""
    import tempfile

    script = Path(__file__).parents[3] / "scripts" / f"make_probes_{format}.py"
    if not script.is_file():
        raise EdgecheckError(
            f"there is no maker of random {format} probes here",
            help="work in a checkout of edgecheck's repository, or give model files",
        )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "probes.jsonl")
        command = [_maker(format), script, "--seed", seed, "--count", count, "--out", out]
        command += ["--ops", ",".join(ops)] if ops else []
        command += ["--node-tests"] if node_tests else []
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise EdgecheckError(f"{script.name} failed: {last}", code=3)
        return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def _maker(format: str) -> Path:
    if format == "executorch":
        return environments.interpreter("executorch")
    if format == "onnx" and find_spec("onnx") is None:
        return environments.interpreter("torch")
    return Path(sys.executable)
