"""What there is to say of a model file without running it: its precision, and whether it keeps a state."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from edgecheck.model.formats import read
from edgecheck.model.graph import Model

_QUANTISED = frozenset({
    "QLinearConv", "QLinearMatMul", "QuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger",
    "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QLinearAdd",
})  # fmt: skip
_MEMORY = frozenset({
    "VAR_HANDLE", "SVDF", "RNN", "LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM",
})  # fmt: skip


@cache
def model(path: Path) -> Model:
    """The file, read; raises `FormatError`."""
    return read(path)


@cache
def keeps_state(path: Path) -> bool:
    """Whether a run leaves something behind for the next one."""
    read = model(path)
    variable = any(tensor.variable for node in read.nodes for tensor in node.inputs if tensor)
    return variable or (read.format == "tflite" and any(node.op in _MEMORY for node in read.nodes))


@cache
def precision(path: Path) -> str:
    """`int8` where operators hand on quantised integers, `fp16` where they hand on halves, else `fp32`."""
    read = model(path)
    nodes = list(read.nodes)
    made = [tensor for node in nodes for tensor in node.outputs if tensor is not None]
    quantised = [t for t in made if t.quantization is not None and t.dtype in ("int8", "uint8", "int16")]
    if quantised or any(node.op in _QUANTISED for node in nodes):
        return str(quantised[0].dtype) if quantised else "int8"
    halves = sum(tensor.dtype == "float16" for tensor in made)
    return "fp16" if halves > len(made) / 2 else "fp32"
