"""A TFLite file cut into one-operator models, for oracles that only answer for a whole model.

A piece keeps the operator's own tensors: constants, quantisation, variables, shape signatures. Before it stands only
what an engine folds into it or what no input can carry: DEQUANTIZE and DENSIFY of constants, VAR_HANDLE. An operator
that runs other subgraphs keeps those. Not exact where a decision depends on neighbours (fusion, control flow).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecheck.oracles.tflite_probe import packed, schema

_FOLDED = ("DEQUANTIZE", "DENSIFY")
_SUBGRAPHS = frozenset(
    {
        "thenSubgraphIndex",
        "elseSubgraphIndex",
        "condSubgraphIndex",
        "bodySubgraphIndex",
        "initSubgraphIndex",
        "decompositionSubgraphIndex",
        "updateComputationSubgraphIndex",
        "subgraph",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One operator as a model of its own; the operator is the last of the piece's first subgraph."""

    graph: int
    index: int
    op: str  # builtin name or custom code
    content: bytes | None  # None: it cannot be cut out of its model


def cut(model: Path, *, names: bool = True) -> list[Piece]:
    """The pieces of the file in its own order. Runs where TFLite's generated schema is installed.

    `names`: false numbers the tensors of each piece as they come, so that what is alike is the same file.
    """
    s = schema()
    source = s.ModelT.InitFromPackedBuf(bytearray(model.read_bytes()), 0)
    _inline_buffers(source, model)
    return list(_pieces(s, source, names))


def _inline_buffers(source: Any, model: Path) -> None:
    """Bring bytes that lie behind the flatbuffer into their buffers."""
    data = None
    for buffer in source.buffers or []:
        if getattr(buffer, "offset", 0) and buffer.offset > 1:
            import numpy

            data = data if data is not None else numpy.memmap(model, dtype="uint8", mode="r")
            buffer.data = numpy.array(data[buffer.offset : buffer.offset + buffer.size])
            buffer.offset = buffer.size = 0


def _pieces(s: Any, source: Any, named: bool) -> Iterator[Piece]:
    names = {value: name for name, value in vars(s.BuiltinOperator).items() if isinstance(value, int)}
    codes = [_name(code, names) for code in source.operatorCodes]
    for number, graph in enumerate(source.subgraphs):
        operators = [] if graph.operators is None else graph.operators
        makers = {int(out): op for op in operators for out in _indices(op.outputs)}
        for index, operator in enumerate(operators):
            content = _content(s, source, graph, operator, makers, codes, named)
            yield Piece(graph=number, index=index, op=codes[operator.opcodeIndex], content=content)


def _name(code: Any, names: dict[int, str]) -> str:
    custom = code.customCode
    if custom:
        return custom.decode() if isinstance(custom, bytes) else str(custom)
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return names.get(number, str(number))


def _indices(values: Any) -> list[int]:
    return [] if values is None else [int(v) for v in values]


def _is_constant(source: Any, tensor: Any) -> bool:
    data = source.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _before(source: Any, graph: Any, operator: Any, makers: dict[int, Any], codes: list[str]) -> list[Any]:
    """The operators that must stand before it, first to last."""
    found: list[Any] = []
    for index in _indices(operator.inputs):
        maker = makers.get(index)
        if index < 0 or maker is None or maker in found or _is_constant(source, graph.tensors[index]):
            continue
        name = codes[maker.opcodeIndex]
        earlier = _before(source, graph, maker, makers, codes) if name in _FOLDED else []
        made = {int(o) for one in earlier for o in _indices(one.outputs)}
        inputs = [i for i in _indices(maker.inputs) if i >= 0]
        constant = all(_is_constant(source, graph.tensors[i]) or i in made for i in inputs)
        if name == "VAR_HANDLE" or (name in _FOLDED and constant):
            found += [one for one in (*earlier, maker) if one not in found]
    return found


def _content(
    s: Any, source: Any, graph: Any, operator: Any, makers: dict[int, Any], codes: list[str], named: bool
) -> bytes:
    chain = [*_before(source, graph, operator, makers, codes), operator]
    piece = s.ModelT()
    piece.version, piece.description, piece.buffers = source.version, "piece", [s.BufferT()]
    piece.operatorCodes = source.operatorCodes
    main, used = _subgraph(s, source, graph, chain, piece.buffers)
    if not named:
        for number, tensor in enumerate(main.tensors):
            tensor.name = f"t{number}"
    piece.subgraphs = [main]
    if _runs_subgraphs(used[-1]):
        _add_subgraphs(source, piece, used[-1])
    _own_codes(piece, [op for one in piece.subgraphs for op in (one.operators if one.operators is not None else ())])
    return packed(s, piece)


def _own_codes(piece: Any, operators: list[Any]) -> None:
    """Only the codes of these operators: an unknown one elsewhere in the model must not refuse the piece."""
    numbers = sorted({op.opcodeIndex for op in operators})
    piece.operatorCodes = [piece.operatorCodes[number] for number in numbers]
    for op in operators:
        op.opcodeIndex = numbers.index(op.opcodeIndex)


def _subgraph(s: Any, source: Any, graph: Any, chain: list[Any], buffers: list[Any]) -> tuple[Any, list[Any]]:
    """The chain as a subgraph with its own tensors, and the operators in it (copies)."""
    main = s.SubGraphT()
    main.name, main.tensors, main.inputs, main.operators = "main", [], [], []
    numbers: dict[int, int] = {-1: -1}
    made = {i for op in chain for i in _indices(op.outputs)}
    for op in chain:
        lists = (_indices(op.inputs), _indices(op.outputs), _indices(op.intermediates))
        for index in (i for part in lists for i in part if i not in numbers):
            tensor = copy.copy(graph.tensors[index])
            numbers[index] = len(main.tensors)
            constant = _is_constant(source, tensor)
            if constant:
                buffers.append(source.buffers[tensor.buffer])
            elif index in lists[0] and index not in made and not tensor.isVariable:
                main.inputs.append(numbers[index])
            tensor.buffer = len(buffers) - 1 if constant else 0
            main.tensors.append(tensor)
        own = copy.copy(op)
        own.inputs, own.outputs = [numbers[i] for i in lists[0]], [numbers[i] for i in lists[1]]
        own.intermediates = [numbers[i] for i in lists[2]] or None
        main.operators.append(own)
    main.outputs = list(main.operators[-1].outputs)
    return main, main.operators


def _runs_subgraphs(operator: Any) -> bool:
    return any(hasattr(options, name) for options in _options(operator) for name in _SUBGRAPHS)


def _options(operator: Any) -> list[Any]:
    return [operator.builtinOptions, getattr(operator, "builtinOptions2", None)]


def _add_subgraphs(source: Any, piece: Any, operator: Any) -> None:
    """The subgraphs that the operator runs, and those that they run, behind the piece's own; renumbered."""
    kept = sorted(_reached(source, operator, set()))
    places = {number: place for place, number in enumerate(kept, 1)}
    first = len(piece.buffers)
    piece.buffers += source.buffers
    for graph in copy.deepcopy([source.subgraphs[number] for number in kept]):
        for tensor in graph.tensors:
            tensor.buffer = tensor.buffer + first if tensor.buffer else 0
        for one in graph.operators if graph.operators is not None else []:
            _renumber(one, places)
        piece.subgraphs.append(graph)
    operator.builtinOptions = copy.copy(operator.builtinOptions)
    operator.builtinOptions2 = copy.copy(getattr(operator, "builtinOptions2", None))
    _renumber(operator, places)


def _reached(source: Any, operator: Any, found: set[int]) -> set[int]:
    """The numbers of the subgraphs that run where the operator does."""
    for options in _options(operator):
        for number in [int(getattr(options, name)) for name in _SUBGRAPHS if hasattr(options, name)]:
            if 0 <= number < len(source.subgraphs) and number not in found:
                found.add(number)
                inner = source.subgraphs[number].operators
                for one in [] if inner is None else inner:
                    _reached(source, one, found)
    return found


def _renumber(operator: Any, places: Mapping[int, int]) -> None:
    """`places`: the new number of each subgraph that is kept; one that does not exist stays out of reach."""
    for options in _options(operator):
        for name in _SUBGRAPHS:
            if hasattr(options, name):
                number = int(getattr(options, name))
                setattr(options, name, places.get(number, number + len(places) + 1 if number >= 0 else number))
