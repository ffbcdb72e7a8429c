"""What each format's own schema knows, for the table lint: operators and their attribute names."""

from __future__ import annotations

import json
from pathlib import Path

from edgecheck.model import formats
from edgecheck.tables.lint import Vocabulary

#: Of the default domain, and in no ONNX schema: experimental operators withdrawn before 1.6, ONNX Runtime's own, and
#: what exporters write of their own (tf2onnx: Erfc).
_UNLISTED = frozenset({
    "ATan", "ATen", "Affine", "ConstantFill", "Crop", "DynamicSlice", "Erfc", "Erfinv", "Expm1", "GRUUnit",
    "GivenTensorFill", "ImageScaler", "LayerNorm", "Log1p", "MemcpyFromHost", "MemcpyToHost", "ParametricSoftplus",
    "Scale", "ScaledTanh", "SimplifiedLayerNormalization",
})  # fmt: skip
#: Custom codes in capitals, which would else pass for misspelt builtin operators.
_CUSTOM = frozenset({"CIRCULAR_BUFFER", "TFLM_DECODE"})
_DATA = Path(formats.__file__).parent


def of(format: str) -> Vocabulary | None:
    """The vocabulary of a format; None where none is bundled."""
    readers = {"tflite": _tflite, "onnx": _onnx, "coreml": _coreml}
    return readers[format]() if format in readers else None


def _tflite() -> Vocabulary:
    data = json.loads((_DATA / "tflite_schema.json").read_text("utf-8"))
    attributes = {
        op: ["intermediates", "intermediates_size", *(field[0] for field in data["tables"].get(table, ()))]
        for op, table in data["options_of"].items()
        if table in data["tables"]
    }
    return Vocabulary(ops=set(data["operators"]) | _CUSTOM, attributes=attributes, free=r"[\w.-]*[a-z][\w.-]*")


def _onnx() -> Vocabulary:
    """Attributes without a default are not in the data, so names are not held against it."""
    lines = (_DATA / "onnx_schema.jsonl").read_text("utf-8").splitlines()[1:]
    return Vocabulary(ops={json.loads(line)["op"] for line in lines} | _UNLISTED, attributes={}, free=r"[\w.]+::\w+")


def _coreml() -> Vocabulary:
    lines = (_DATA / "coreml_ops.txt").read_text("utf-8").splitlines()
    ops = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    return Vocabulary(ops=ops | {"const", "write_state"}, attributes={}, free=r"\w+::\w+")
