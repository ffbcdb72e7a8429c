"""ONNX in lower precision, by ONNX Runtime's own tools. Inputs and outputs stay float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARY = "onnxruntime.quantization"
NEEDS = ("onnx", "onnxruntime", "sympy")


def apply(path: Path, out: Path, precision: str, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Write `out` in the precision."""
    import onnxruntime

    notes: list[str] = []
    if precision == "fp16":
        _half(path, out)
    else:
        prepared = out.with_name("prepared.onnx")
        notes += _prepare(path, prepared)
        if precision == "int8-dynamic":
            _dynamic(prepared, out)
        else:
            _static(prepared, out, samples)
        prepared.unlink()
    return {"versions": {"onnxruntime": onnxruntime.__version__}, "notes": notes}


def _half(path: Path, out: Path) -> None:
    import onnx
    from onnxruntime.transformers import float16

    model = float16.convert_float_to_float16(onnx.load(str(path)), keep_io_types=True)
    _once(model.graph)
    onnx.save(model, str(out))


def _once(graph: Any) -> None:
    """Each cast once, under a name of its own: the converter casts a value again for every node that wants it."""
    seen: set[str] = set()
    names: set[str] = set()
    for node in list(graph.node):
        if node.output and set(node.output) <= seen:
            graph.node.remove(node)
            continue
        seen |= set(node.output)
        if node.name in names:
            node.name = next(f"{node.name}_{i}" for i in range(1, len(names) + 2) if f"{node.name}_{i}" not in names)
        names |= {node.name} - {""}


def _prepare(path: Path, out: Path) -> list[str]:
    """Shapes inferred and the graph simplified: without it the quantiser meets shapes that contradict each other."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    try:
        quant_pre_process(str(path), str(out), auto_merge=True)
    except Exception as error:  # symbolic shape inference raises plain Exception for what it does not know
        quant_pre_process(str(path), str(out), skip_symbolic_shape=True)
        return [f"without symbolic shape inference ({type(error).__name__})"]
    return []


def _dynamic(path: Path, out: Path) -> None:
    """Weights int8, activations quantised at run time. The convolution kernel takes unsigned weights only."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    operators = {node.op_type for node in onnx.load(str(path), load_external_data=False).graph.node}
    kind = QuantType.QUInt8 if "Conv" in operators else QuantType.QInt8
    quantize_dynamic(str(path), str(out), weight_type=kind)


def _static(path: Path, out: Path, samples: Sequence[Mapping[str, Any]]) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows = iter(samples)

        def get_next(self) -> Any:
            row = next(self.rows, None)
            return None if row is None else dict(row)

    quantize_static(
        str(path), str(out), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
