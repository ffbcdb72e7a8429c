"""ONNX Runtime on the CPU, without graph fusions that could hide a difference or add one of their own."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

FORMAT = "onnx"
NEEDS = ("onnxruntime", "numpy")
ENVIRONMENTS = ("torch", "tf")

TYPES = {
    "float": "float32", "double": "float64", "float16": "float16", "int64": "int64", "int32": "int32", "int16": "int16",
    "int8": "int8", "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64", "bool": "bool",
}  # fmt: skip


def _session(model: str | bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def describe(path: Path) -> dict[str, Any]:
    """Names, shapes and dtypes as the file declares them."""
    session = _session(str(path))
    return {"inputs": [_value(v) for v in session.get_inputs()], "outputs": [_value(v) for v in session.get_outputs()]}


def _value(value: Any) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else None for size in value.shape]
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    return {"name": value.name, "shape": shape, "dtype": TYPES.get(kind, kind)}


def run(
    path: Path, cases: Sequence[Mapping[str, Any]], *, keep: Collection[str] | None = None
) -> list[dict[str, numpy.ndarray]]:
    """The outputs for each case; with `keep`, inner tensors of those names as well."""
    session = _session(_with_outputs(path, keep) if keep else str(path))
    names = [value.name for value in session.get_outputs()]
    wanted = {value.name: TYPES.get(value.type[7:-1]) for value in session.get_inputs()}
    found = []
    for case in cases:
        feeds = {name: value.astype(wanted[name] or value.dtype) for name, value in case.items() if name in wanted}
        found.append(dict(zip(names, session.run(names, feeds), strict=True)))
    return found


def _with_outputs(path: Path, keep: Collection[str]) -> bytes | str:
    """The model with inner tensors as further outputs, of the types that shape inference finds."""
    import onnx

    model = onnx.load(str(path))
    present = {value.name for value in model.graph.output}
    made = {name for node in model.graph.node for name in node.output if name}
    for name in keep:
        if name in made and name not in present:
            model.graph.output.append(onnx.ValueInfoProto(name=name))
    content: bytes = model.SerializeToString()
    return content


def operations(path: Path) -> list[dict[str, Any]]:
    """Every node of the main graph in order: `{"name", "op", "outputs", "place"}`."""
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    return [
        {
            "name": node.name or (node.output[0] if node.output else ""), "op": node.op_type,
            "inputs": [name for name in node.input if name], "outputs": [name for name in node.output if name],
        }
        for node in model.graph.node
    ]  # fmt: skip


class _Loaded:
    """See `edgecheck.runtimes.Loaded`: a session as an app makes it, with every graph optimisation."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 3, threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._outputs = [value.name for value in self._session.get_outputs()]
        self.about: dict[str, Any] = {
            "inputs": [_value(v) for v in self._session.get_inputs()],
            "outputs": [_value(v) for v in self._session.get_outputs()],
            "runtime": {
                "name": "onnxruntime", "version": onnxruntime.__version__, "delegate_asked": "cpu",
                "delegate_applied": "cpu", "threads": threads,
            },
        }  # fmt: skip

    def __call__(self, inputs: Mapping[str, Any]) -> tuple[dict[str, numpy.ndarray], int]:
        begin = time.perf_counter_ns()
        outputs = self._session.run(self._outputs, dict(inputs))
        spent = time.perf_counter_ns() - begin
        return dict(zip(self._outputs, outputs, strict=True)), spent


def load(path: Path, *, threads: int = 1) -> _Loaded:
    """The model in a session that stays."""
    return _Loaded(path, threads)
