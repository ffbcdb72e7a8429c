"""TensorFlow Lite Micro's interpreter with every operator it has: the reference kernels of a microcontroller, here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

FORMAT = "tflite"
NEEDS = ("tflite_micro", "numpy")
ENVIRONMENTS = ("tflm",)
ARENA = 64 << 20  # bytes; pages that are never touched cost nothing


class _Loaded:
    """See `edgecheck.runtimes.Loaded`. TFLM knows tensors by number only: their names come with `names`."""

    def __init__(self, path: Path, names: Mapping[str, list[str]]) -> None:
        from importlib.metadata import version

        from tflite_micro.python.tflite_micro import runtime

        self._interpreter = runtime.Interpreter.from_file(str(path), arena_size=ARENA)
        self._inputs = _details(names.get("inputs", []), self._interpreter.get_input_details)
        self._outputs = _details(names.get("outputs", []), self._interpreter.get_output_details)
        kinds = {one["dtype"] for one in (*self._inputs, *self._outputs)}
        self.about: dict[str, Any] = {
            "inputs": self._inputs,
            "outputs": self._outputs,
            "runtime": {
                "name": "tflm", "version": version("tflite-micro"), "delegate_asked": "none",
                "delegate_applied": "none", "threads": 1, "precision": "int8" if "int8" in kinds else "fp32",
            },
        }  # fmt: skip

    def __call__(self, inputs: Mapping[str, Any]) -> tuple[dict[str, numpy.ndarray], int]:
        for number, one in enumerate(self._inputs):
            self._interpreter.set_input(inputs[one["name"]], number)
        begin = time.perf_counter_ns()
        self._interpreter.invoke()
        spent = time.perf_counter_ns() - begin
        return {one["name"]: self._interpreter.get_output(i) for i, one in enumerate(self._outputs)}, spent


def _details(names: list[str], ask: Any) -> list[dict[str, Any]]:
    import numpy

    found = []
    for number, name in enumerate(names):
        one = ask(number)
        quantization = one.get("quantization_parameters", {})
        scales, zeros = quantization.get("scales", ()), quantization.get("zero_points", ())
        steps = {"scale": float(scales[0]), "zero_point": int(zeros[0])} if len(scales) else {}
        shape = [int(size) for size in one["shape"]]
        found.append({"name": name, "shape": shape, "dtype": numpy.dtype(one["dtype"]).name, **steps})
    return found


def load(path: Path, *, names: Mapping[str, list[str]] | None = None) -> _Loaded:
    """The model in an interpreter that keeps its variables; `names`: its inputs and outputs in order."""
    return _Loaded(path, names or {})
