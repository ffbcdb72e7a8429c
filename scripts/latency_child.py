"""One launch of a latency measurement: python scripts/latency_child.py MODEL [--runs 200] [--warmup 20] [--threads 1].

What `edgecheck.golden.launches` starts: it loads the model, runs it on one fixed input, and writes a golden run of one
launch into the folder that EDGECHECK_RUN names. Spans: `model`, the wall time of one inference; `model_cpu`, its
processor time; `canary`, the wall time of a fixed piece of work right before it. Runs in any environment that has the model's runtime; needs nothing of edgecheck
but the recorder's file.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RECORDER = Path(__file__).parents[1] / "recorders" / "python" / "edgecheck_recorder.py"
CANARY_SIDE = 256


def main() -> int:
    """0 when the run was written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--warmup", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    loaded = {".tflite": tflite, ".onnx": onnx}[arguments.model.suffix]
    infer, runtime, shape = loaded(arguments.model, arguments.threads)
    recorder = module(RECORDER).Recorder(
        os.environ["EDGECHECK_RUN"], f"latency-{arguments.model.stem}", ["model"], time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        model={"name": arguments.model.name, "format": arguments.model.suffix[1:], "input": shape,
               "sha256": hashlib.sha256(arguments.model.read_bytes()).hexdigest()},
        wrapper={"language": "python", "version": platform.python_version()},
        device={"kind": "host", "model": "shared x86 host", "chip": platform.machine(), "os": platform.system()},
        runtime={**runtime, "threads": arguments.threads}, conditions={"canary": canary(), **governor()},
    )  # fmt: skip
    recorder.launch("0", arguments.warmup)
    measure(infer, recorder, arguments.runs, arguments.warmup)
    if not recorder.finish():
        print(recorder.error, file=sys.stderr)
        return 1
    return 0


def measure(infer: Callable[[], None], recorder: Any, runs: int, warmup: int) -> None:
    """Canary and inference in turns. The canary is work like the model's: it shares its vector units and caches."""
    import numpy

    square = numpy.random.default_rng(0).standard_normal((CANARY_SIDE, CANARY_SIDE)).astype(numpy.float32)
    wall, processor = time.perf_counter_ns, time.thread_time_ns
    for i in range(-warmup, runs):
        begin = wall()
        square @ square
        middle, busy = wall(), processor()
        infer()
        busy, end = processor() - busy, wall()
        if i >= 0:
            recorder.sample("canary", middle - begin)
            recorder.sample("model", end - middle)
            recorder.sample("model_cpu", busy)


def tflite(path: Path, threads: int) -> tuple[Callable[[], None], dict[str, Any], str]:
    """(one inference, runtime facts, the input's description)."""
    from importlib.metadata import version

    import numpy
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    inputs = interpreter.get_input_details()
    for one in inputs:
        interpreter.set_tensor(one["index"], filled(tuple(one["shape"]), numpy.dtype(one["dtype"])))
    applied = any(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    facts = {"name": "litert", "version": version("ai-edge-litert"), "delegate_asked": "xnnpack",
             "delegate_applied": "xnnpack" if applied else "none", "precision": str(numpy.dtype(inputs[0]["dtype"]).name)}  # fmt: skip
    return (
        interpreter.invoke,
        facts,
        described([(tuple(one["shape"]), numpy.dtype(one["dtype"]).name) for one in inputs]),
    )


def onnx(path: Path, threads: int) -> tuple[Callable[[], None], dict[str, Any], str]:
    """(one inference, runtime facts, the input's description)."""
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    types = {
        "tensor(float)": "float32",
        "tensor(int64)": "int64",
        "tensor(int32)": "int32",
        "tensor(double)": "float64",
    }
    shapes = [
        (tuple(d if isinstance(d, int) else 1 for d in one.shape), types[one.type]) for one in session.get_inputs()
    ]
    feeds = {
        one.name: filled(shape, numpy.dtype(kind))
        for one, (shape, kind) in zip(session.get_inputs(), shapes, strict=True)
    }
    facts = {"name": "onnxruntime", "version": onnxruntime.__version__, "delegate_asked": "cpu", "delegate_applied": "cpu",
             "precision": shapes[0][1]}  # fmt: skip
    return lambda: session.run(None, feeds) and None, facts, described(shapes)


def filled(shape: tuple[int, ...], dtype: Any) -> Any:
    """The same input in every launch: noise for floats, zeros for integers."""
    import numpy

    if dtype.kind == "f":
        return numpy.random.default_rng(0).standard_normal(shape).astype(dtype)
    return numpy.zeros(shape, dtype)


def described(inputs: list[tuple[tuple[int, ...], str]]) -> str:
    return ", ".join(f"{'x'.join(map(str, shape)) or 'scalar'} {kind}" for shape, kind in inputs)


def canary() -> str:
    import numpy

    return f"float32 {CANARY_SIDE}x{CANARY_SIDE} matrix product, numpy {numpy.__version__}"


def governor() -> dict[str, str]:
    """The frequency governor, where the system shows it."""
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {"governor": path.read_text().strip()} if path.is_file() else {}


def module(path: Path) -> Any:
    """A Python file as a module, without installing it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


if __name__ == "__main__":
    sys.exit(main())
