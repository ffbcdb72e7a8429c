"""One-operator TFLite models as one: side by side in a subgraph, for compilers that take long to start.

Tensors are called `p<n>_<m>`, by the model's place and their own. Runs where TFLite's generated schema is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgecheck.oracles.tflite_probe import packed, schema

#: Types that an ADD behind an operator reads.
_ADDED = ("FLOAT32", "FLOAT16", "INT32")


def together(contents: Sequence[bytes]) -> bytes:
    """The models side by side. Each has one subgraph."""
    s = schema()
    whole, main = s.ModelT(), s.SubGraphT()
    whole.version, whole.description, whole.buffers, whole.operatorCodes = 3, "pieces", [s.BufferT()], []
    main.name, main.tensors, main.inputs, main.outputs, main.operators = "main", [], [], [], []
    for place, content in enumerate(contents):
        _put(whole, main, s.ModelT.InitFromPackedBuf(bytearray(content), 0), place)
    whole.subgraphs = [main]
    return packed(s, whole)


def stands_alone(content: bytes) -> bool:
    """Whether the model has subgraphs behind its first, so that none can stand beside it."""
    return len(schema().ModelT.InitFromPackedBuf(bytearray(content), 0).subgraphs) > 1


def _put(whole: Any, main: Any, piece: Any, place: int) -> None:
    graph = piece.subgraphs[0]
    tensors, buffers, codes = len(main.tensors), len(whole.buffers), len(whole.operatorCodes)
    for number, tensor in enumerate(graph.tensors):
        tensor.name = f"p{place}_{number}"
        tensor.buffer = tensor.buffer + buffers if tensor.buffer else 0
    for operator in graph.operators:
        operator.opcodeIndex += codes
        for field in ("inputs", "outputs", "intermediates"):
            values = getattr(operator, field)
            if values is not None:
                setattr(operator, field, [int(i) + tensors if i >= 0 else -1 for i in values])
    main.tensors += graph.tensors
    main.operators += graph.operators
    main.inputs += [int(i) + tensors for i in graph.inputs]
    main.outputs += [int(i) + tensors for i in graph.outputs]
    whole.buffers += piece.buffers
    whole.operatorCodes += piece.operatorCodes


def with_an_input(content: bytes) -> bytes | None:
    """The model; of an operator that reads constants alone one with an ADD behind, which has an input.

    None: it can have none, and a compiler refuses a graph without inputs.
    """
    s = schema()
    model = s.ModelT.InitFromPackedBuf(bytearray(content), 0)
    main = model.subgraphs[0]
    reads = [] if main.operators[-1].inputs is None else [i for i in main.operators[-1].inputs if i >= 0]
    if len(main.inputs) or not reads:
        return content
    made = main.tensors[int(main.outputs[0])] if len(main.outputs) else None
    if made is None or made.type not in [getattr(s.TensorType, name) for name in _ADDED] or made.quantization:
        return None
    first = len(main.tensors)
    for name in ("behind_in", "behind_out"):
        tensor = s.TensorT()
        tensor.name, tensor.type, tensor.shape, tensor.hasRank, tensor.buffer = name, made.type, made.shape, True, 0
        main.tensors.append(tensor)
    main.operators.append(_add(s, model, [int(main.outputs[0]), first], [first + 1]))
    main.inputs, main.outputs = [first], [first + 1]
    return packed(s, model)


def _add(s: Any, model: Any, inputs: Sequence[int], outputs: Sequence[int]) -> Any:
    code, operator = s.OperatorCodeT(), s.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = s.BuiltinOperator.ADD
    code.version = 1
    model.operatorCodes.append(code)
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = list(inputs), list(outputs)
    operator.builtinOptionsType, operator.builtinOptions = s.BuiltinOptions.AddOptions, s.AddOptionsT()
    return operator
