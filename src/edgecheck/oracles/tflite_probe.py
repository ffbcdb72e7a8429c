"""One-operator TFLite models from a short description, and back as a `Model` without a file.

A description is JSON: `{"op": "CONV_2D", "v": 1, "a": {attributes}, "i": [tensors], "o": [tensors],
"m": [intermediates]}`; a custom op is `"CUSTOM:name"`. A tensor is null (left out) or `{"t": dtype, "s": shape,
"q": [scale, zero point] or {"s": scales, "z": zero points, "d": axis}, "c": constant, "var": true,
"sig": shape signature}`; a constant is a list, `{"f": number}` (filled) or `{"r": seed, "lo": …, "hi": …}` (random
integers). Tensors that carry the same `"n"` are one tensor. A custom op's attributes are a FlexBuffers map, or the
bytes `"x"` (hexadecimal); a composite's decomposition is an empty graph with its inputs and outputs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.model import raw_options
from edgecheck.model.graph import Graph, Model, Node, Quantization, Tensor

if TYPE_CHECKING:
    import numpy

Spec = Mapping[str, Any]

_ENUMS = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "mode": "MirrorPadMode",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "kernel_type": "LSTMKernelType",
    "quantized_bias_type": "TensorType",
    "in_data_type": "TensorType",
    "out_data_type": "TensorType",
    "out_type": "TensorType",
    "idx_out_type": "TensorType",
    "output_type": "TensorType",
    "combiner": "CombinerType",
    "algorithm": "RngAlgorithm",
    "reduce_function": "ReduceWindowFunction",
    "type": "LSHProjectionType",
}
_OPTIONS = {
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), "Pool2DOptions"),
    **dict.fromkeys(
        ("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL"), "ReducerOptions"
    ),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), "MaximumMinimumOptions"),
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "CONV_2D": "Conv2DOptions",
    "CONV_3D": "Conv3DOptions",
    "CONV_3D_TRANSPOSE": "Conv3DOptions",
    "SVDF": "SVDFOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "LSTM": "LSTMOptions",
    "RNN": "RNNOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNNOptions",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "BidirectionalSequenceLSTMOptions",
    "GATHER_ND": "GatherNdOptions",
    "BIDIRECTIONAL_SEQUENCE_RNN": "BidirectionalSequenceRNNOptions",
    "SCATTER_ND": "ScatterNdOptions",
    "TOPK_V2": "TopKV2Options",
    "SPACE_TO_BATCH_ND": "SpaceToBatchNDOptions",
    "BATCH_TO_SPACE_ND": "BatchToSpaceNDOptions",
    "ATAN2": "ATan2Options",
    "SELECT_V2": "SelectV2Options",
    "SPLIT_V": "SplitVOptions",
    "REVERSE_V2": "ReverseV2Options",
    "PADV2": "PadV2Options",
    "LOG_SOFTMAX": "LogSoftmaxOptions",
    "RFFT2D": "Rfft2dOptions",
    "UNIQUE": "UniqueOptions",
    **dict.fromkeys(("RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL"), "RandomOptions"),
    "LSH_PROJECTION": "LSHProjectionOptions",
    "STABLEHLO_COMPOSITE": "StableHLOCompositeOptions",
}
_NO_OPTIONS = frozenset(
    {
        "LOGISTIC",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RELU_0_TO_1",
        "TANH",
        "PRELU",
        "FLOOR",
        "CEIL",
        "ROUND",
        "SIN",
        "SQRT",
        "RSQRT",
        "LOG",
        "ELU",
        "COMPLEX_ABS",
        "REAL",
        "IMAG",
        "BROADCAST_ARGS",
        "EMBEDDING_LOOKUP",
        "HASHTABLE_LOOKUP",
        "MULTINOMIAL",
    }
)
_NUMPY = {"bool": "bool", "string": "uint8", "bfloat16": "uint16", "int4": "int8", "uint4": "uint8", "int2": "int8"}


def options_class(op: str) -> str | None:
    """The schema's options table of an operator; None where it has none."""
    if op in _NO_OPTIONS or op.startswith("CUSTOM:"):
        return None
    return _OPTIONS.get(op) or "".join(word.capitalize() for word in op.split("_")) + "Options"


def schema() -> Any:
    """TFLite's generated schema, from whichever package of this environment carries it."""
    try:
        from ai_edge_litert import schema_py_generated as module
    except ImportError:
        from tflite_micro.tensorflow.lite.micro.python import (
            schema_py_generated as module,
        )
    return module


def packed(s: Any, model: Any) -> bytes:
    """The object as a TFLite file, every buffer's bytes on a 16-byte boundary as the schema asks for."""
    import flatbuffers

    class Aligned(s.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802 - flatbuffers' name
            data = None
            if self.data is not None and len(self.data):
                builder.StartVector(1, len(self.data), 16)
                builder.head -= len(self.data)
                builder.Bytes[builder.head : builder.head + len(self.data)] = bytes(self.data)
                data = builder.EndVector()
            s.BufferStart(builder)
            if data is not None:
                s.BufferAddData(builder, data)
            return s.BufferEnd(builder)

    for buffer in model.buffers:
        buffer.__class__ = Aligned
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def write(spec: Spec) -> bytes:
    """The description as a TFLite file with one subgraph and one operator (flatbuffers' object API)."""
    s = schema()
    tables = _Tables(s)
    operator = s.OperatorT()
    operator.inputs, operator.outputs = tables.add_all(spec["i"], "i"), tables.add_all(spec["o"], "o")
    if spec.get("m"):
        operator.intermediates = tables.add_all(spec["m"], "m")
    _set_options(s, operator, spec)
    graph = s.SubGraphT()
    graph.name, graph.tensors, graph.operators = "main", tables.tensors, [operator]
    data = tables.inputs
    graph.inputs, graph.outputs = data, [i for i in operator.outputs if i >= 0]
    model = s.ModelT()
    graphs = [graph, _decomposition(s, spec)] if spec["op"] == "STABLEHLO_COMPOSITE" else [graph]
    model.version, model.operatorCodes, model.subgraphs = 3, [_code(s, spec)], graphs
    model.buffers, model.description = tables.buffers, "probe"
    return packed(s, model)


def _decomposition(s: Any, spec: Spec) -> Any:
    """The composite's second graph: its tensors, all plain, and no operator. It is prepared, never run."""
    graph, tables = s.SubGraphT(), _Tables(s)
    ends = [[{"t": one["t"], "s": one["s"]} for one in spec[side] if one is not None] for side in "io"]
    graph.inputs, graph.outputs = tables.add_all(ends[0], "i"), tables.add_all(ends[1], "o")
    graph.name, graph.tensors, graph.operators = "decomposition", tables.tensors, []
    return graph


class _Tables:
    """The tensors and buffers of the file being built."""

    def __init__(self, s: Any) -> None:
        self.s = s
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [s.BufferT()]
        self.inputs: list[int] = []
        self.named: dict[str, int] = {}

    def add_all(self, specs: Sequence[Any], prefix: str) -> list[int]:
        return [-1 if one is None else self._add(one, f"{prefix}{i}") for i, one in enumerate(specs)]

    def _add(self, one: Mapping[str, Any], name: str) -> int:
        name = one.get("n", name)
        if name in self.named:
            return self.named[name]
        tensor = self.s.TensorT()
        tensor.name, tensor.type = name, getattr(self.s.TensorType, one["t"].upper())
        tensor.shape, tensor.hasRank = list(one["s"]), True
        tensor.isVariable, tensor.buffer = bool(one.get("var")), 0
        if one.get("sig"):
            tensor.shapeSignature = list(one["sig"])
        if one.get("q"):
            tensor.quantization = self._quantization(one["q"])
        if "c" in one:
            buffer = self.s.BufferT()
            buffer.data = _packed(one).view("uint8") if _packed(one).size else []
            self.buffers.append(buffer)
            tensor.buffer = len(self.buffers) - 1
        elif not one.get("var") and name[0] == "i":
            self.inputs.append(len(self.tensors))
        self.named[name] = len(self.tensors)
        self.tensors.append(tensor)
        return self.named[name]

    def _quantization(self, q: Any) -> Any:
        quantization = self.s.QuantizationParametersT()
        scales, points, axis = _quantization_of(q)
        quantization.scale, quantization.zeroPoint, quantization.quantizedDimension = scales, points, axis
        return quantization


def _quantization_of(q: Any) -> tuple[list[float], list[int], int]:
    if isinstance(q, Mapping):
        return list(q["s"]), list(q["z"]), int(q.get("d", 0))
    return [q[0]], [q[1]], 0


def _packed(one: Mapping[str, Any]) -> numpy.ndarray:
    """The constant's bytes as they lie in the file (int4: two in a byte)."""
    import numpy

    array = constant(one).reshape(-1)
    if one["t"] in ("int4", "uint4"):
        nibbles = numpy.append(array, [0] * (array.size % 2)).astype(numpy.uint8) & 15
        return (nibbles[0::2] | (nibbles[1::2] << 4)).astype(numpy.uint8)
    return numpy.ascontiguousarray(array)


def constant(one: Mapping[str, Any]) -> numpy.ndarray:
    """A constant's values in its dtype and shape."""
    import math

    import numpy

    dtype, size = _NUMPY.get(one["t"], one["t"]), math.prod(one["s"])
    c = one["c"]
    if isinstance(c, Mapping) and "f" in c:
        array = numpy.full(size, c["f"]).astype(dtype)
    elif isinstance(c, Mapping):
        array = numpy.random.RandomState(c["r"]).randint(c.get("lo", 0), c.get("hi", 8), size).astype(dtype)
    else:
        array = numpy.array(c).astype(dtype)
    return array.reshape(one["s"]) if array.size == size else array


def _set_options(s: Any, operator: Any, spec: Spec) -> None:
    if spec["op"].startswith("CUSTOM:"):
        operator.customOptions = _custom_options(spec)
    name = options_class(spec["op"])
    if name is None or spec.get("a") is None or not (spec["a"] or hasattr(s, f"{name}T")):
        return  # STABLEHLO_ADD and its like have no table
    second = not hasattr(s.BuiltinOptions, name)
    options = getattr(s, f"{name}T")()
    for key, value in spec["a"].items():
        enum = _ENUMS.get(key)
        value = _flexible(value) if key == "composite_attributes" else value
        number = _member(getattr(s, enum), value) if enum and isinstance(value, str) else value
        setattr(options, re.sub(r"_([a-z0-9])", lambda m: m[1].upper(), key), number)
    if second:
        operator.builtinOptions2Type, operator.builtinOptions2 = getattr(s.BuiltinOptions2, name), options
    else:
        operator.builtinOptionsType, operator.builtinOptions = getattr(s.BuiltinOptions, name), options


def _custom_options(spec: Spec) -> list[int] | None:
    named = {key: value for key, value in (spec.get("a") or {}).items() if key != "custom_options_size"}
    if "x" in spec:
        return list(bytes.fromhex(spec["x"]))
    return _flexible(named) if named else None


def _flexible(values: Mapping[str, Any]) -> list[int]:
    """The bytes of a FlexBuffers map; converters write a composite's tensors as maps of their own."""
    from flatbuffers import flexbuffers

    tensor = "_TENSOR_V1_"
    made = {key: {"TENSOR_DATA": value} if key.startswith(tensor) else value for key, value in values.items()}
    return list(flexbuffers.Dumps(made))


def _member(enum: Any, name: str) -> int:
    """The number of an enumeration's member, whose letters the schema writes large but for an `x` between sizes."""
    return next(int(number) for one, number in vars(enum).items() if one.upper() == name.upper())


def _code(s: Any, spec: Spec) -> Any:
    code = s.OperatorCodeT()
    custom = spec["op"].startswith("CUSTOM:")
    code.builtinCode = s.BuiltinOperator.CUSTOM if custom else getattr(s.BuiltinOperator, spec["op"])
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), int(spec.get("v", 1))
    if custom:
        code.customCode = spec["op"].removeprefix("CUSTOM:")
    return code


@dataclass(frozen=True, slots=True)
class _Constant:
    """`edgecheck.model.graph.Data` of a described constant."""

    one: Mapping[str, Any]

    @property
    def nbytes(self) -> int:
        return int(constant(self.one).nbytes)

    def array(self) -> numpy.ndarray:
        return constant(self.one)


def read(spec: Spec) -> Model:
    """The `Model` a reader gives for the file that `write` makes of the description."""
    made: dict[str, Tensor] = {}
    inputs, outputs = _tensors(spec["i"], "i", made), _tensors(spec["o"], "o", made)
    attrs = dict(spec.get("a") or {})
    if "x" in spec:
        attrs |= raw_options.attributes(spec["op"].removeprefix("CUSTOM:"), bytes.fromhex(spec["x"]))
    if spec.get("m"):
        attrs["intermediates"] = tuple(f"m{i}" for i in range(len(spec["m"])))
        attrs["intermediates_size"] = sum(math.prod(one["s"]) for one in spec["m"])
    node = Node(
        graph=0, index=0, name=outputs[0].name if outputs and outputs[0] else spec["op"],
        op=spec["op"].removeprefix("CUSTOM:"), version=int(spec.get("v", 1)), inputs=inputs, outputs=outputs,
        attrs=attrs, custom=spec["op"].startswith("CUSTOM:"),
        written=frozenset() if spec.get("unstated", spec.get("a") is None) else None,
    )  # fmt: skip
    free = tuple(t for t in inputs if t is not None and not t.const and not t.variable)
    graph = Graph(index=0, name="main", inputs=free, outputs=tuple(t for t in outputs if t), nodes=(node,))
    return Model(path=Path("probe.tflite"), format="tflite", sha256="", graphs=(graph,))


def _tensors(specs: Sequence[Any], prefix: str, made: dict[str, Tensor]) -> tuple[Tensor | None, ...]:
    out: list[Tensor | None] = []
    for i, one in enumerate(specs):
        if one is None:
            out.append(None)
            continue
        name = one.get("n", f"{prefix}{i}")
        made.setdefault(name, _tensor(one, name))
        out.append(made[name])
    return tuple(out)


def _tensor(one: Mapping[str, Any], name: str) -> Tensor:
    quantization = None
    if one.get("q"):
        scales, points, axis = _quantization_of(one["q"])
        import numpy

        exact = tuple(float(numpy.float32(x)) for x in scales)
        quantization = Quantization(scales=exact, zero_points=tuple(points), axis=axis)
    dims = one.get("sig") or one["s"]
    return Tensor(
        name=name, dtype=one["t"], shape=tuple(None if d < 0 else d for d in dims), quantization=quantization,
        data=_Constant(one) if "c" in one else None, variable=bool(one.get("var")),
        stored=tuple(one["s"]) if one.get("sig") and list(one["s"]) != list(one["sig"]) else None,
    )  # fmt: skip
