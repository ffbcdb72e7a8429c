"""TensorFlow Lite (LiteRT) files, schema version 3 and its extensions up to external buffers.

The graph's number is the subgraph's, a node's index the operator's position in it, as runtimes count them. A node has
the name of its first output: the file has no names for operators. Source: TensorFlow Lite's schema.fbs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecheck.errors import FormatError
from edgecheck.model.formats.flat import FlatBuffer, Table
from edgecheck.model.formats.mapped import map_file, release, sha256
from edgecheck.model.formats.tflite_options import CUSTOM, attributes, intermediates, operator_name, unstated
from edgecheck.model.formats.tflite_tensors import Buffers, read_tensors
from edgecheck.model.graph import Graph, Model, Node, Tensor

SUFFIXES = (".tflite", ".lite")
FORMAT = "tflite"

_IDENTIFIER = b"TFL3"
# Slots of the tables Model, SubGraph, Operator and OperatorCode.
_VERSION, _CODES, _SUBGRAPHS, _DESCRIPTION, _METADATA, _SIGNATURES = 0, 1, 2, 3, 6, 7
_INPUTS, _OUTPUTS, _OPERATORS, _NAME = 1, 2, 3, 4
_OPCODE, _OP_INPUTS, _OP_OUTPUTS = 0, 1, 2
_OLD_CODE, _CUSTOM_CODE, _CODE_VERSION, _CODE = 0, 1, 2, 3
#: Attributes that hold subgraph numbers.
_CALLS = (
    "cond_subgraph_index", "body_subgraph_index", "then_subgraph_index", "else_subgraph_index",
    "init_subgraph_index", "subgraph", "decomposition_subgraph_index", "comparator_subgraph_index",
    "update_computation_subgraph_index", "branch_subgraph_indices", "called_computations",
)  # fmt: skip


def read(path: Path) -> Model:
    """The model of a .tflite file; raises FormatError where it is cut off, damaged or another kind of file."""
    buffer = map_file(path)
    try:
        return _model(path, buffer)
    except FormatError as error:
        raise FormatError(f"{path}: {error}", help=error.help or "copy or export the file again") from error


def _model(path: Path, buffer: memoryview) -> Model:
    if bytes(buffer[4:8]) != _IDENTIFIER:
        raise FormatError(f"bytes 4 to 8 are {bytes(buffer[4:8])!r}, not {_IDENTIFIER!r}: not a TFLite model")
    root = FlatBuffer(buffer).root()
    codes = tuple(_operator_code(table) for table in root.tables(_CODES))
    tables = list(root.tables(_SUBGRAPHS))
    subgraphs = list(map(_Subgraph, tables, read_tensors(tables, Buffers(root))))
    if not subgraphs:
        raise FormatError("the model has no subgraph")
    nodes = [tuple(one.nodes(index, codes, len(subgraphs))) for index, one in enumerate(subgraphs)]
    parents = _parents(nodes)
    graphs = tuple(
        Graph(
            index=index,
            name=one.name,
            inputs=one.values(_INPUTS),
            outputs=one.values(_OUTPUTS),
            nodes=nodes[index],
            parent=parents.get(index),
        )
        for index, one in enumerate(subgraphs)
    )
    metadata = _metadata(root, buffer, subgraphs)
    release(buffer)
    return Model(path=path, format=FORMAT, sha256=sha256(buffer), graphs=graphs, metadata=metadata)


def _operator_code(table: Table) -> tuple[str, int, bool]:
    """(operator's name, its version, whether it is a custom operator)."""
    code = max(table.integer(_CODE, "i"), table.integer(_OLD_CODE, "b"))
    version = table.integer(_CODE_VERSION, "i", 1)
    if code != CUSTOM:
        return operator_name(code), version, False
    name = table.text(_CUSTOM_CODE)
    if not name:
        raise FormatError("a custom operator has no name")
    return name, version, True


class _Subgraph:
    """One subgraph while it is read: its table and its tensors by number."""

    def __init__(self, table: Table, tensors: Sequence[Tensor]) -> None:
        self.table = table
        self.tensors = tensors
        self.name = table.text(_NAME) or ""

    def tensor(self, number: int) -> Tensor:
        if not 0 <= number < len(self.tensors):
            raise FormatError(
                f"tensor {number} is referred to in subgraph {self.name!r}, which has {len(self.tensors)}"
            )
        return self.tensors[number]

    def values(self, slot: int) -> tuple[Tensor, ...]:
        return tuple(self.tensor(number) for number in self.table.integers(slot))

    def operands(self, operator: Table, slot: int) -> tuple[Tensor | None, ...]:
        return tuple(None if number == -1 else self.tensor(number) for number in operator.integers(slot))

    def nodes(self, graph: int, codes: Sequence[tuple[str, int, bool]], count: int) -> Iterator[Node]:
        """The operators in the file's order. `count`: how many subgraphs the file has."""
        for index, operator in enumerate(self.table.tables(_OPERATORS)):
            number = operator.integer(_OPCODE, "I")
            if number >= len(codes):
                raise FormatError(
                    f"operator {index} of subgraph {graph} has kind {number}, and the file has {len(codes)}"
                )
            op, version, custom = codes[number]
            outputs = self.operands(operator, _OP_OUTPUTS)
            attrs = attributes(operator, op, custom=custom)
            if inner := [self.tensor(one) for one in intermediates(operator) if one != -1]:
                attrs["intermediates"] = tuple(one.name for one in inner)
                attrs["intermediates_size"] = sum(one.size or 0 for one in inner)
            yield Node(
                graph=graph,
                index=index,
                name=next((tensor.name for tensor in outputs if tensor is not None), ""),
                op=op,
                version=version,
                inputs=self.operands(operator, _OP_INPUTS),
                outputs=outputs,
                attrs=attrs,
                subgraphs=_called(attrs, count),
                written=frozenset() if unstated(operator) and not custom else None,
                custom=custom,
            )


def _called(attrs: Mapping[str, Any], count: int) -> tuple[int, ...]:
    """The subgraphs that an operator runs, in the order of its attributes; -1 is none."""
    numbers: list[int] = []
    for name in _CALLS:
        value = attrs.get(name, ())
        numbers += value if isinstance(value, tuple) else (value,)
    if any(number >= count for number in numbers):
        raise FormatError(f"an operator runs subgraph {max(numbers)}, and the file has {count}")
    return tuple(dict.fromkeys(number for number in numbers if number >= 0))


def _parents(nodes: Sequence[tuple[Node, ...]]) -> dict[int, tuple[int, int]]:
    """For each subgraph the first operator that runs it; FormatError where subgraphs run each other in a ring."""
    calls = {graph: {called for node in its for called in node.subgraphs} for graph, its in enumerate(nodes)}
    waiting = dict.fromkeys(calls, 0)
    for called in calls.values():
        for one in called:
            waiting[one] += 1
    ready = [graph for graph, callers in waiting.items() if callers == 0]
    for graph in ready:  # grows while it is walked
        for one in calls[graph]:
            waiting[one] -= 1
            if waiting[one] == 0:
                ready.append(one)
    if len(ready) < len(calls):
        raise FormatError(f"subgraph {min(set(calls) - set(ready))} runs itself, directly or through another")
    parents: dict[int, tuple[int, int]] = {}
    for node in (node for its in nodes for node in its):
        for one in node.subgraphs:
            parents.setdefault(one, (node.graph, node.index))
    return parents


def _metadata(root: Table, buffer: memoryview, subgraphs: Sequence[_Subgraph]) -> dict[str, Any]:
    """Schema version, description, names of metadata entries, signatures, and how many files a zip behind it holds."""
    names = [entry.text(0) or "" for entry in root.tables(_METADATA)]
    found: dict[str, Any] = {
        "version": root.integer(_VERSION, "I"),
        "description": root.text(_DESCRIPTION) or "",
        "metadata": tuple(names),
        "signatures": dict(_signatures(root, subgraphs)),
    }
    if bytes(buffer[-22:-18]) == b"PK\x05\x06":  # the end of a zip directory without a comment
        found["zip_entries"] = int.from_bytes(buffer[-12:-10], "little")
    return found


def _signatures(root: Table, subgraphs: Sequence[_Subgraph]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Signature key → its subgraph and the tensor name behind each input and output name."""
    for table in root.tables(_SIGNATURES):
        number = table.integer(4, "I")
        if number >= len(subgraphs):
            raise FormatError(f"a signature names subgraph {number}, and the file has {len(subgraphs)}")
        inputs, outputs = (
            {one.text(0) or "": subgraphs[number].tensor(one.integer(1, "I")).name for one in table.tables(slot)}
            for slot in (0, 1)
        )
        yield table.text(2) or "", {"subgraph": number, "inputs": inputs, "outputs": outputs}
