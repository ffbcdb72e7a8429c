"""Speed and memory of a cold check, beside `python -c pass` and ONNX Runtime's mobile checker in the same run.

Each row is the median of several launches, interleaved, so that a busy machine is busy for all.
Peak memory is the kernel's own count for the process (ru_maxrss).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

CACHE = Path(os.environ.get("EDGECHECK_CACHE") or Path.home() / ".cache" / "edgecheck") / "bench"
PYTHON = sys.executable
EDGECHECK = str(Path(PYTHON).with_name("edgecheck"))


def launch(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak MB of one process; its exit code may be any that a check has."""
    # As installed: with bytecode, which a checkout on a machine that forbids writing it would lack.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1, 3):
        sys.exit(f"{' '.join(command)} ended with {code}")
    return wall, usage.ru_maxrss / 1024


def mobilenets() -> list[Path]:
    """A MobileNetV2-224 as .onnx and .tflite, exported once by edgecheck itself and kept in the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = [CACHE / "mobilenet_v2.onnx", CACHE / "mobilenet_v2.tflite"]
    if not all(path.exists() for path in wanted):
        source = Path(__file__).parents[1] / "tests" / "cases" / "zoo.py"
        command = [
            EDGECHECK,
            "export",
            f"{source}:mobilenet_v2",
            "--to",
            "onnx,tflite",
            "--out",
            str(CACHE),
            "--name",
            "mobilenet_v2",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return wanted


def large() -> Path:
    """A 1 GB ONNX file with its weights inside: 64 matrices of 2048 x 2048 float32."""
    path = CACHE / "one_gigabyte.onnx"
    if not path.exists():
        code = (
            "import sys, onnx, numpy as np\n"
            "from onnx import helper, numpy_helper, TensorProto as T\n"
            "rng = np.random.default_rng(0); n = 62\n"
            "ws = [numpy_helper.from_array(rng.random((2048, 2048), np.float32), f'w{i}') for i in range(n)]\n"
            "ns = [helper.make_node('MatMul', [f't{i}', f'w{i}'], [f't{i + 1}']) for i in range(n)]\n"
            "v = lambda s: helper.make_tensor_value_info(s, T.FLOAT, [1, 2048])\n"
            "g = helper.make_graph(ns, 'g', [v('t0')], [v(f't{n}')], ws)\n"
            "onnx.save(helper.make_model(g, opset_imports=[helper.make_opsetid('', 17)]), sys.argv[1])\n"
        )
        subprocess.run([PYTHON, "-c", code, str(path.with_suffix(".part"))], check=True)
        path.with_suffix(".part").rename(path)
    return path


#: Milliseconds from nothing to the tables of one target, of all, and to every fact of all parsed; in a new process.
LOADING = """
import sys, time
from edgecheck.tables import bundle
def took(call):
    start = time.perf_counter(); call(); return (time.perf_counter() - start) * 1e3
names = bundle.targets()
bundle._opened.cache_clear()
one = took(lambda: bundle.load(sys.argv[1]))
bundle._opened.cache_clear()
every = took(lambda: [bundle.load(name) for name in names])
facts = took(lambda: [bundle.load(name).entries(op) for name in names for op in bundle.load(name).ops])
print(one, every, facts)
"""


def loading(launches: int) -> dict[str, float]:
    """Medians of how long the tables take to load, in milliseconds."""
    runs = []
    for _ in range(launches):
        done = subprocess.run([PYTHON, "-c", LOADING, "ethos-u55"], capture_output=True, text=True, check=True)
        runs.append([float(one) for one in done.stdout.split()])
    medians = [statistics.median(column) for column in zip(*runs, strict=True)]
    return dict(zip(("one target", "all targets", "every fact of all targets"), medians, strict=True))


def main() -> int:
    """Print the rows and what they are held to; exit 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launches", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    onnx, tflite = mobilenets()
    checker = [PYTHON, "-m", "onnxruntime.tools.check_onnx_model_mobile_usability", str(onnx)]
    rows = {
        "python -c pass": [PYTHON, "-c", "pass"],
        "onnxruntime mobile checker": checker,
        "edgecheck mobilenet.onnx": [EDGECHECK, "check", str(onnx)],
        "edgecheck mobilenet.tflite": [EDGECHECK, "check", str(tflite)],
        "edgecheck 1 GB .onnx": [EDGECHECK, "check", str(large())],
    }
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for command in rows.values():
        launch(command)  # warm the file cache
    for _ in range(arguments.launches):
        for name, command in rows.items():
            samples[name].append(launch(command))
    wall = {name: statistics.median(w for w, _ in runs) for name, runs in samples.items()}
    peak = {name: max(m for _, m in runs) for name, runs in samples.items()}
    base = wall["onnxruntime mobile checker"]
    print(f"{'':<30}{'wall s':>8}{'of checker':>12}{'peak MB':>9}")
    for name in rows:
        print(f"{name:<30}{wall[name]:>8.3f}{wall[name] / base:>12.2f}{peak[name]:>9.1f}")
    loads = loading(arguments.launches)
    for name, milliseconds in loads.items():
        print(f"{'tables: ' + name:<34}{milliseconds:>8.1f} ms")
    held = {
        "a check takes at most half the mobile checker's time": max(
            wall["edgecheck mobilenet.onnx"], wall["edgecheck mobilenet.tflite"]
        )
        <= base / 2,
        "a check stays under 50 MB": max(peak["edgecheck mobilenet.onnx"], peak["edgecheck mobilenet.tflite"]) < 50,
        "1 GB stays under 80 MB": peak["edgecheck 1 GB .onnx"] < 80,
        "1 GB takes under 1 s": wall["edgecheck 1 GB .onnx"] < 1,
        "one target loads in under 15 ms": loads["one target"] < 15,
        "all targets load in under 60 ms": loads["all targets"] < 60,
    }
    for sentence, kept in held.items():
        print(f"{'kept  ' if kept else 'MISSED'}  {sentence}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"wall_s": wall, "peak_mb": peak, "tables_ms": loads}, indent=1) + "\n")
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
