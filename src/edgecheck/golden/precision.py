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


#: The largest slope of a quantised activation; operators that only move or rescale are passed through.
_SLOPES = {"LOGISTIC": 0.25, "SOFTMAX": 0.25, "TANH": 1.0}
_PASSED = frozenset({"QUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS"})


@cache
def gain(path: Path, place: int) -> float:
    """How many steps output number `place` moves by when what its last activation gets moves by one; at least 1.

    A sigmoid on logits with steps of 0.1 turns one of them into six of 1/256: as much as kernels may differ.
    """
    read = model(path)
    outputs = read.graphs[0].outputs
    if read.format != "tflite" or place >= len(outputs):
        return 1.0
    makers = {id(tensor): node for node in read.graphs[0].nodes for tensor in node.outputs if tensor is not None}
    node = makers.get(id(outputs[place]))
    while node is not None and node.op in _PASSED and node.inputs[0] is not None:
        node = makers.get(id(node.inputs[0]))
    if node is None or node.op not in _SLOPES or node.inputs[0] is None or node.outputs[0] is None:
        return 1.0
    before, behind = node.inputs[0].quantization, node.outputs[0].quantization
    if before is None or behind is None or not before.scales or not behind.scales or not behind.scales[0]:
        return 1.0
    return max(1.0, _SLOPES[node.op] * before.scales[0] / behind.scales[0])
