"""LiteRT's interpreter on the CPU: for a proof with its own kernels, kept loaded as an app has it, with XNNPACK."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

FORMAT = "tflite"
PACKAGE = "ai_edge_litert"
NEEDS = (PACKAGE, "numpy")
ENVIRONMENTS = ("torch", "tf")


def _interpreter(path: Path, package: str, *, preserve: bool = False) -> Any:
    from importlib import import_module

    interpreter = import_module(f"{package}.interpreter")
    return interpreter.Interpreter(
        model_path=str(path), num_threads=1, experimental_preserve_all_tensors=preserve,
        experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )  # fmt: skip


def _names(interpreter: Any) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Inputs and outputs by the signature's names; without a signature, by the tensors' own."""
    inputs = {item["index"]: item for item in interpreter.get_input_details()}
    outputs = {item["index"]: item for item in interpreter.get_output_details()}
    signatures = interpreter._get_full_signature_list()
    key = "serving_default" if "serving_default" in signatures else next(iter(signatures), None)
    if key is None:
        return {i["name"]: i for i in inputs.values()}, {o["name"]: o for o in outputs.values()}
    named_inputs = {index: name for name, index in signatures[key]["inputs"].items()}
    named_outputs = signatures[key]["outputs"]
    found_inputs = {named_inputs.get(index, item["name"]): item for index, item in inputs.items()}
    ordered = sorted(named_outputs.items(), key=lambda pair: list(outputs).index(pair[1]) if pair[1] in outputs else 0)
    return found_inputs, {name: outputs[index] for name, index in ordered if index in outputs}


def describe(path: Path, *, package: str = PACKAGE) -> dict[str, Any]:
    """Names, shapes and dtypes as the file declares them; a free dimension is one its shape signature leaves open."""
    inputs, outputs = _names(_interpreter(path, package))
    return {
        "inputs": [_value(name, item) for name, item in inputs.items()],
        "outputs": [_value(name, item) for name, item in outputs.items()],
    }


def _value(name: str, item: Mapping[str, Any]) -> dict[str, Any]:
    import numpy

    signature = item["shape_signature"] if len(item["shape_signature"]) else item["shape"]
    shape = [None if size < 0 else int(size) for size in signature]
    return {"name": name, "shape": shape, "dtype": numpy.dtype(item["dtype"]).name}


def run(
    path: Path, cases: Sequence[Mapping[str, Any]], *, keep: Collection[str] | None = None, package: str = PACKAGE
) -> list[dict[str, numpy.ndarray]]:
    """The outputs for each case; inputs are resized to the case's shapes."""
    found = []
    for case in cases:
        interpreter = _interpreter(path, package, preserve=bool(keep))
        inputs, outputs = _names(interpreter)
        for name, value in case.items():
            if name in inputs and tuple(inputs[name]["shape"]) != value.shape:
                interpreter.resize_tensor_input(inputs[name]["index"], value.shape)
        interpreter.allocate_tensors()
        for name, value in case.items():
            if name in inputs:
                interpreter.set_tensor(inputs[name]["index"], quantized(value, inputs[name]))
        interpreter.invoke()
        result = {name: real(interpreter.get_tensor(item["index"]), item) for name, item in outputs.items()}
        found.append(result | (_inner(interpreter, keep) if keep else {}))
    return found


def quantized(value: Any, item: Mapping[str, Any]) -> Any:
    """A float input as the quantised integers the model takes; everything else in the model's dtype."""
    import numpy

    dtype = numpy.dtype(item["dtype"])
    scale, zero = item["quantization"]
    if dtype.kind in "iu" and value.dtype.kind == "f" and scale:
        info = numpy.iinfo(dtype)
        return numpy.clip(numpy.round(value / scale) + zero, info.min, info.max).astype(dtype)
    return value.astype(dtype)


def real(value: Any, item: Mapping[str, Any]) -> Any:
    """A quantised output as the reals it stands for; a copy, since the interpreter owns its memory."""
    import numpy

    scale, zero = item["quantization"]
    if value.dtype.kind in "iu" and scale:
        return ((value.astype(numpy.float64) - zero) * scale).astype(numpy.float32)
    return value.copy()


def _inner(interpreter: Any, keep: Collection[str]) -> dict[str, Any]:
    """Inner tensors by name; those that were never written are left out."""
    wanted = set(keep)
    found = {}
    for item in interpreter.get_tensor_details():
        if item["name"] in wanted:
            try:
                found[item["name"]] = real(interpreter.get_tensor(item["index"]), item)
            except ValueError:
                continue
    return found


def operations(path: Path, *, package: str = PACKAGE) -> list[dict[str, Any]]:
    """Every operator of the main graph in order: `{"name", "op", "inputs", "outputs"}`, tensors by name."""
    interpreter = _interpreter(path, package)
    names = {item["index"]: item["name"] for item in interpreter.get_tensor_details()}
    return [
        {
            "name": names.get(op["outputs"][0], "") if len(op["outputs"]) else "", "op": op["op_name"],
            "inputs": [names[i] for i in op["inputs"] if i in names],
            "outputs": [names[i] for i in op["outputs"] if i in names],
        }
        for op in interpreter._get_ops_details()
    ]  # fmt: skip


class _Loaded:
    """See `edgecheck.runtimes.Loaded`: one interpreter, whose variables live as long as it does."""

    def __init__(self, interpreter: Any, runtime: Mapping[str, Any]) -> None:
        self._interpreter = interpreter
        interpreter.allocate_tensors()
        self._inputs, self._outputs = _names(interpreter)
        applied = [op for op in interpreter._get_ops_details() if op["op_name"] == "DELEGATE"]
        told = {
            "delegate_applied": runtime["delegate_asked"] if applied else "none",
            "precision": _precision(interpreter),
        }
        self.about: dict[str, Any] = {
            "inputs": [_value(name, item) | _steps(item) for name, item in self._inputs.items()],
            "outputs": [_value(name, item) | _steps(item) for name, item in self._outputs.items()],
            "runtime": {**runtime, **told},
        }

    def __call__(self, inputs: Mapping[str, Any]) -> tuple[dict[str, numpy.ndarray], int]:
        interpreter = self._interpreter
        moved = {n: v for n, v in inputs.items() if tuple(self._inputs[n]["shape"]) != v.shape}
        for name, value in moved.items():
            interpreter.resize_tensor_input(self._inputs[name]["index"], value.shape)
        if moved:
            interpreter.allocate_tensors()
            self._inputs, self._outputs = _names(interpreter)
        for name, value in inputs.items():
            interpreter.set_tensor(self._inputs[name]["index"], value)
        begin = time.perf_counter_ns()
        interpreter.invoke()
        spent = time.perf_counter_ns() - begin
        return {name: interpreter.get_tensor(item["index"]) for name, item in self._outputs.items()}, spent


def _steps(item: Mapping[str, Any]) -> dict[str, Any]:
    scale, zero = item["quantization"]
    return {"scale": float(scale), "zero_point": int(zero)} if scale else {}


def _precision(interpreter: Any) -> str:
    """`int8` where operators hand on quantised integers, else `fp32`: weights alone do not make it int8."""
    tensors = {item["index"]: item for item in interpreter.get_tensor_details()}
    made = [tensors[i] for op in interpreter._get_ops_details() for i in op["outputs"] if i in tensors]
    kinds = {str(numpy_name(one["dtype"])) for one in made if one["quantization"][0]}
    return next((kind for kind in ("int16", "int8", "uint8") if kind in kinds), "fp32")


def numpy_name(dtype: Any) -> str:
    """`float32` of whatever numpy takes for a type."""
    import numpy

    return str(numpy.dtype(dtype).name)


def load(path: Path, *, kernels: str = "xnnpack", threads: int = 1, package: str = PACKAGE) -> _Loaded:
    """The model in an interpreter as an app makes it (`kernels` = "xnnpack"), or with LiteRT's own ("builtin")."""
    from importlib import import_module
    from importlib.metadata import version

    module = import_module(f"{package}.interpreter")
    kind = module.OpResolverType
    resolver = kind.BUILTIN_WITHOUT_DEFAULT_DELEGATES if kernels == "builtin" else kind.AUTO
    interpreter = module.Interpreter(model_path=str(path), num_threads=threads, experimental_op_resolver_type=resolver)
    asked = "none" if kernels == "builtin" else "xnnpack"
    name = {"ai_edge_litert": "litert"}.get(package, package.replace("_", "-"))
    return _Loaded(
        interpreter, {"name": name, "version": version(package), "delegate_asked": asked, "threads": threads}
    )
