"""Rewrites of TFLite files, with LiteRT's own schema: operators of the first subgraph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecheck.errors import EdgecheckError
from edgecheck.model.graph import Node
from edgecheck.rewrites import tflite_layout  # noqa: F401 - registers its rules
from edgecheck.rewrites.tflite_build import Builder
from edgecheck.rewrites.tflite_operators import RULES

NEEDS = ("ai_edge_litert",)
ENVIRONMENT = "torch"
RUNTIME = "litert"
FOLD = "fold-constants"
WHOLE = (FOLD,)
#: Weights that a file keeps small on purpose; and what gives something else each time.
_UNFOLDED = (
    "DEQUANTIZE", "DENSIFY", "RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL", "MULTINOMIAL", "CUSTOM", "CALL_ONCE",
    "IF", "WHILE", "VAR_HANDLE", "READ_VARIABLE", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_SIZE",
)  # fmt: skip
SAYS = {
    **RULES.says(),
    FOLD: "what depends on known shapes only is computed now",
}


def offers(op: str) -> tuple[str, ...]:
    """Rewrites of this operator."""
    return RULES.named(op)


def hints(node: Node, why: str) -> tuple[str, ...]:
    """See `Rewriter`."""
    return RULES.hints(node, why)


def whole(metadata: Mapping[str, Any], reasons: Sequence[str]) -> tuple[str, ...]:
    """Folding, whatever the reasons."""
    return WHOLE


def apply(path: Path, rewrite: str, nodes: Sequence[int], out: Path) -> dict[str, Any]:
    """See `Rewriter`. Metadata buffers are kept; a file with a zip appended loses it, and is refused."""
    import ai_edge_litert
    from ai_edge_litert import schema_py_generated as schema

    model = _model(path)
    graph = model.subgraphs[0]
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    ops = [names[_number(model, operator)] for operator in graph.operators]
    if rewrite == FOLD:
        count = _fold(path, model, ops)
    else:
        count = _replace(model, ops, rewrite, set(nodes))
    if count:
        _save(model, out)
    return {"rewritten": count, "versions": {"ai-edge-litert": getattr(ai_edge_litert, "__version__", "")}}


def freeze(path: Path, sizes: Mapping[str, tuple[int, ...]], out: Path) -> None:
    """See `Rewriter`. The shapes a file holds for its inner tensors are those of the sizes it was converted with."""
    model = _model(path)
    graph = model.subgraphs[0]
    for index in graph.inputs:
        tensor = graph.tensors[index]
        asked = next((size for name, size in sizes.items() if name in _names(model, index)), None)
        if asked is not None and list(asked) != [int(one) for one in tensor.shape]:
            raise EdgecheckError(
                f"input {tensor.name.decode()} was converted at {'x'.join(map(str, tensor.shape))}: no other size",
                help="export the source again for another size",
            )
    for tensor in graph.tensors:
        tensor.shapeSignature = None
    _save(model, out)


def _names(model: Any, index: int) -> set[str]:
    """The tensor's own name and those that signatures give it."""
    found = {model.subgraphs[0].tensors[index].name.decode()}
    for signature in model.signatureDefs or ():
        found |= {one.name.decode() for one in signature.inputs if one.tensorIndex == index}
    return found


def _model(path: Path) -> Any:
    import numpy
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    if content.rfind(b"PK\x05\x06") > 0:
        raise EdgecheckError(f"{path} has a zip of associated files appended, which a rewrite would lose")
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # its bytes lie behind the flatbuffer
            buffer.data = numpy.frombuffer(content[buffer.offset : buffer.offset + buffer.size], numpy.uint8)
            buffer.offset = buffer.size = 0
    return model


def _save(model: Any, out: Path) -> None:
    import flatbuffers

    packed = flatbuffers.Builder(1 << 20)
    packed.Finish(model.Pack(packed), b"TFL3")
    out.write_bytes(bytes(packed.Output()))


def _number(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def _replace(model: Any, ops: Sequence[str], rewrite: str, wanted: set[int]) -> int:
    graph = model.subgraphs[0]
    kept: list[Any] = []
    count = 0
    for position, operator in enumerate(graph.operators):
        made = None
        if position in wanted and ops[position] in RULES[rewrite][0]:
            builder = Builder(model, operator, count)
            made = builder.made if RULES[rewrite][2](builder) else None
        kept += made if made is not None else [operator]
        count += made is not None
    graph.operators = kept
    return count


def _fold(path: Path, model: Any, ops: Sequence[str]) -> int:
    """Replace by their values what follows from known shapes and constants alone; LiteRT computes it."""
    graph = model.subgraphs[0]
    known = {i for i, tensor in enumerate(graph.tensors) if _constant(model, tensor)}
    folded: list[int] = []
    for position, operator in enumerate(graph.operators):
        static = all(_static(graph.tensors[i]) for i in operator.inputs if i >= 0)
        from_shape = ops[position] in ("SHAPE", "RANK") and static
        constant = len(operator.inputs) and all(i < 0 or i in known for i in operator.inputs)
        if from_shape or (constant and ops[position] not in _UNFOLDED):
            outputs = [graph.tensors[i] for i in operator.outputs]
            if all(_foldable(one) for one in outputs) and not set(operator.outputs) & set(graph.outputs):
                known |= set(operator.outputs)
                folded.append(position)
    if not folded:
        return 0
    outputs_of = [i for position in folded for i in graph.operators[position].outputs]
    for index, value in _values(path, outputs_of).items():
        _fill(model, graph.tensors[index], value)
    graph.operators = [operator for i, operator in enumerate(graph.operators) if i not in set(folded)]
    return len(folded)


def _constant(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _static(tensor: Any) -> bool:
    return tensor.shapeSignature is None or all(int(one) >= 0 for one in tensor.shapeSignature)


def _foldable(tensor: Any) -> bool:
    """Small numbers: shapes, indices, tables of positions."""
    from ai_edge_litert import schema_py_generated as schema

    if tensor.type in (schema.TensorType.STRING, schema.TensorType.RESOURCE, schema.TensorType.VARIANT):
        return False
    size = 1
    for one in tensor.shape if tensor.shape is not None else ():
        size *= int(one)
    return size <= 4096 and not tensor.isVariable


def _values(path: Path, indices: Sequence[int]) -> dict[int, Any]:
    """What LiteRT computes for these tensors; they depend on no input."""
    import numpy
    from ai_edge_litert import interpreter as litert

    interpreter = litert.Interpreter(
        model_path=str(path), num_threads=1, experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )  # fmt: skip
    interpreter.allocate_tensors()
    for one in interpreter.get_input_details():
        interpreter.set_tensor(one["index"], numpy.zeros(one["shape"], one["dtype"]))
    interpreter.invoke()
    return {index: interpreter.get_tensor(index) for index in indices}


def _fill(model: Any, tensor: Any, value: Any) -> None:
    """The tensor becomes a constant."""
    import numpy
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = numpy.frombuffer(numpy.ascontiguousarray(value).tobytes(), numpy.uint8)
    model.buffers.append(buffer)
    tensor.buffer, tensor.shape, tensor.shapeSignature = len(model.buffers) - 1, list(value.shape), None
