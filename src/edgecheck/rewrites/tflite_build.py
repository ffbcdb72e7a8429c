"""Operators of a TFLite file, made with new tensors: for the rewrites. Runs in a child that has LiteRT's schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Builder:
    """Replaces one operator of the first subgraph."""

    def __init__(self, model: Any, operator: Any, number: int) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema, self.model, self.operator = schema, model, operator
        self.graph = model.subgraphs[0]
        self.made: list[Any] = []
        self.prefix = f"as{number}"
        self.inputs = [int(i) for i in operator.inputs] if operator.inputs is not None else []
        self.outputs = [int(i) for i in operator.outputs] if operator.outputs is not None else []
        self.options = operator.builtinOptions

    @property
    def x(self) -> int:
        return self.inputs[0]

    @property
    def y(self) -> int:
        return self.outputs[0]

    def tensor(self, index: int) -> Any:
        return self.graph.tensors[index]

    def shape(self, index: int) -> list[int]:
        """The static shape; an empty list too where the file has a dynamic one (see `static`)."""
        found = self.tensor(index).shape
        return [] if found is None else [int(one) for one in found]

    def static(self, index: int) -> bool:
        signature = self.tensor(index).shapeSignature
        return signature is None or all(int(one) >= 0 for one in signature)

    def is_float(self, index: int) -> bool:
        return bool(self.tensor(index).type == self.schema.TensorType.FLOAT32)

    def value(self, index: int) -> Any:
        """A constant's array (float32, int32, int64); None for all else."""
        import numpy

        kinds = {
            self.schema.TensorType.FLOAT32: numpy.float32,
            self.schema.TensorType.INT32: numpy.int32,
            self.schema.TensorType.INT64: numpy.int64,
        }
        tensor = self.tensor(index)
        data = self.model.buffers[tensor.buffer].data
        if data is None or not len(data) or tensor.type not in kinds:
            return None
        return numpy.frombuffer(bytes(data), kinds[tensor.type]).reshape(self.shape(index))

    def like(self, index: int, shape: Sequence[int] | None = None) -> int:
        """A new tensor of the type and quantisation of another."""
        source = self.tensor(index)
        made = self.schema.TensorT()
        made.type, made.quantization, made.buffer = source.type, source.quantization, 0
        made.shape = list(self.shape(index) if shape is None else shape)
        made.name = f"{self.prefix}_{len(self.graph.tensors)}".encode()
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def view(self, index: int, shape: Sequence[int]) -> int | None:
        """A constant's values under another shape; None for what is none, or has a scale for each channel."""
        source = self.tensor(index)
        data = self.model.buffers[source.buffer].data
        scales = None if source.quantization is None else source.quantization.scale
        if data is None or not len(data) or (scales is not None and len(scales) > 1):
            return None
        made = self.like(index, shape)
        self.tensor(made).buffer = source.buffer
        return made

    def constant(self, array: Any) -> int:
        """A new constant; float32, int32 or int64."""
        import numpy

        kinds = {"float32": "FLOAT32", "int32": "INT32", "int64": "INT64", "int8": "INT8"}
        value = numpy.ascontiguousarray(array)
        buffer = self.schema.BufferT()
        buffer.data = numpy.frombuffer(value.tobytes(), numpy.uint8)
        self.model.buffers.append(buffer)
        made = self.schema.TensorT()
        made.type = getattr(self.schema.TensorType, kinds[value.dtype.name])
        made.shape, made.buffer = list(value.shape), len(self.model.buffers) - 1
        made.name = f"{self.prefix}_{len(self.graph.tensors)}".encode()
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def number(self, value: float) -> int:
        import numpy

        return self.constant(numpy.float32(value).reshape(()))

    def ints(self, *values: int) -> int:
        import numpy

        return self.constant(numpy.array(values, numpy.int32))

    def add(
        self,
        op: str,
        inputs: Sequence[int],
        out: int | Sequence[int],
        options: tuple[str, dict[str, Any]] | None = None,
        version: int = 1,
    ) -> int:
        """An operator; gives its first output. `options`: the name without `Options`, and fields."""
        made = self.schema.OperatorT()
        made.opcodeIndex = self._code(op, version)
        made.inputs = list(inputs)
        made.outputs = [out] if isinstance(out, int) else list(out)
        if options is not None:
            name, fields = options
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, f"{name}Options")
            made.builtinOptions = getattr(self.schema, f"{name}OptionsT")()
            for field, value in fields.items():
                setattr(made.builtinOptions, field, value)
        self.made.append(made)
        return int(made.outputs[0])

    def again(self, inputs: Sequence[int]) -> None:
        """The same operator with other inputs."""
        made = self.schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = self.operator.opcodeIndex, list(inputs), list(self.outputs)
        made.builtinOptionsType, made.builtinOptions = self.operator.builtinOptionsType, self.operator.builtinOptions
        self.made.append(made)

    def _code(self, op: str, version: int) -> int:
        number = getattr(self.schema.BuiltinOperator, op)
        for index, code in enumerate(self.model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version == version:
                return index
        made = self.schema.OperatorCodeT()
        made.builtinCode, made.deprecatedBuiltinCode, made.version = number, min(number, 127), version
        self.model.operatorCodes.append(made)
        return len(self.model.operatorCodes) - 1

    def activation(self, name: str) -> int:
        return int(getattr(self.schema.ActivationFunctionType, name))
