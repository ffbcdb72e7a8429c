"""ExecuTorch programs (`.pte`): the instructions of each method, and what was handed to which delegate.

A node is one instruction: a kernel call ("aten.add.out"), a call of a delegate
("executorch_call_delegate::XnnpackBackend"), or the runtime's own ("executorch.move_call"). A graph is one method.
Source: executorch 1.5.1, schema/program.fbs and exir/_serialize/_program.py (the extended header).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from edgecheck.errors import FormatError
from edgecheck.model.formats import aten_schema
from edgecheck.model.formats.executorch_values import Segments, Values
from edgecheck.model.formats.flat import FlatBuffer, Table
from edgecheck.model.formats.mapped import map_file, release, sha256
from edgecheck.model.formats.xnnpack_payload import payload
from edgecheck.model.graph import Graph, Model, Node, Tensor

SUFFIXES = (".pte",)
FORMAT = "executorch"
DELEGATE = "executorch_call_delegate"

_HEADER = struct.Struct("<4sIQQ")
# Slots of Program, ExecutionPlan, Chain, Instruction and BackendDelegate.
_VERSION, _PLANS, _NAMED = 0, 1, 7
_NAME, _INPUTS, _OUTPUTS, _CHAINS, _OPERATORS, _DELEGATES = 0, 3, 4, 5, 6, 7
_INSTRUCTIONS, _STACKS = 2, 3
_KERNEL, _DELEGATE, _MOVE, _JUMP, _FREE = 1, 2, 3, 4, 5
_Item = TypeVar("_Item")
_FOREIGN = re.compile(r"(site|dist)-packages|[\\/]torch[\\/]|^<")


def read(path: Path) -> Model:
    """The program of a .pte file; raises FormatError where it is cut off, damaged or another kind of file."""
    buffer = map_file(path)
    try:
        return _model(path, buffer)
    except FormatError as error:
        raise FormatError(f"{path}: {error}", help=error.help or "copy or export the file again") from error


def _model(path: Path, buffer: memoryview) -> Model:
    if bytes(buffer[4:6]) != b"ET":
        raise FormatError(f"bytes 4 to 8 are {bytes(buffer[4:8])!r}, not b'ET12': not an ExecuTorch program")
    program, segments = _program(buffer)
    root = FlatBuffer(program).root()
    stored = Segments(root, program, segments)
    graphs = tuple(_Method(plan, number, stored).graph() for number, plan in enumerate(root.tables(_PLANS)))
    if not graphs:
        raise FormatError("the program has no method")
    metadata = {
        "kind": "executorch",
        "version": root.integer(_VERSION, "I"),
        "methods": tuple(graph.name for graph in graphs),
        "named_data": tuple(entry.text(0) or "" for entry in root.tables(_NAMED)),
    }
    release(buffer)
    return Model(path=path, format=FORMAT, sha256=sha256(buffer), graphs=graphs, metadata=metadata)


def _program(buffer: memoryview) -> tuple[memoryview, memoryview]:
    """The FlatBuffer and the segments behind it, which the extended header tells apart."""
    if len(buffer) < 8 + _HEADER.size or bytes(buffer[8:12]) != b"eh00":
        return buffer, buffer[:0]
    _, length, size, base = _HEADER.unpack_from(buffer, 8)
    if length < _HEADER.size or not 8 + length <= size <= len(buffer) or base > len(buffer):
        raise FormatError(f"its header claims a program of {size:,} bytes and segments from byte {base:,}")
    return buffer[:size], buffer[base:] if base else buffer[:0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delegate:
    """One delegate of a method. `counts`: how many inputs and outputs it has, where its payload says so."""

    id: str
    attrs: dict[str, Any]
    counts: tuple[int, int] | None


class _Method:
    """One execution plan while it is read."""

    def __init__(self, plan: Table, number: int, stored: Segments) -> None:
        self.plan = plan
        self.number = number
        self.values = Values(plan, stored)
        self.operators = [_operator(table) for table in plan.tables(_OPERATORS)]
        self.delegates = [_delegate(table, stored) for table in plan.tables(_DELEGATES)]
        self.made: set[int] = set()

    def graph(self) -> Graph:
        inputs = tuple(self.values.tensors_of(self.plan.integers(_INPUTS)))
        self.made.update(id(tensor) for tensor in inputs)
        return Graph(
            index=self.number,
            name=self.plan.text(_NAME) or "",
            inputs=inputs,
            nodes=tuple(self._nodes()),
            outputs=tuple(self.values.tensors_of(self.plan.integers(_OUTPUTS))),
        )

    def _nodes(self) -> Iterator[Node]:
        index = 0
        for chain in self.plan.tables(_CHAINS):
            stacks = chain.count(_STACKS)
            for position, instruction in enumerate(chain.tables(_INSTRUCTIONS)):
                node = self._node(instruction, index)
                if position < stacks:
                    node = replace(node, source=_source(chain.element(_STACKS, position)))
                yield node
                index += 1

    def _node(self, instruction: Table, index: int) -> Node:
        kind, content = instruction.integer(0, "B"), instruction.table(1)
        if content is None or not _KERNEL <= kind <= _FREE:
            raise FormatError(f"instruction {index} of method {self.number} is of kind {kind}, which is not known")
        if kind == _KERNEL:
            return self._kernel(content, index)
        if kind == _DELEGATE:
            return self._call(content, index)
        return self._own(kind, content, index)

    def _kernel(self, content: Table, index: int) -> Node:
        op = _at(self.operators, content.integer(0, "i"), f"the operator of instruction {index}")
        numbers = content.integers(1)
        schema = aten_schema.schema(op)
        names = [argument.name for argument in schema.arguments] if schema else []
        returned = numbers[len(names) :] if names else numbers[-1:]
        outputs = list(self.values.tensors_of(returned))
        own = {id(found) for found in outputs}
        operands: list[tuple[str, Tensor | None]] = []
        attrs: dict[str, Any] = {}
        for position, number in enumerate(numbers[: len(names)] if names else numbers[:-1]):
            name = names[position] if names else f"arg{position}"
            tensors, value = self.values.argument(number)
            if tensors is None and schema and schema.arguments[position].kind == "tensor" and value is None:
                tensors = [None]
            if tensors is None:
                attrs[name] = value
            else:
                operands += [(name, found) for found in tensors if found is None or id(found) not in own]
        return self._finish(index, op, operands, outputs, attrs, custom=not names)

    def _call(self, content: Table, index: int) -> Node:
        delegate = _at(self.delegates, content.integer(0, "i"), f"the delegate of instruction {index}")
        tensors = [found for number in content.integers(1) for found in self.values.argument(number)[0] or ()]
        if delegate.counts is not None and sum(delegate.counts) == len(tensors):
            cut = delegate.counts[0]
            inputs, outputs = tensors[:cut], tensors[cut:]
        else:
            inputs = [one for one in tensors if one is None or one.const or id(one) in self.made]
            outputs = [one for one in tensors if not (one is None or one.const or id(one) in self.made)]
        found = [one for one in outputs if one is not None]
        return self._finish(index, f"{DELEGATE}::{delegate.id}", [("", one) for one in inputs], found, delegate.attrs)

    def _own(self, kind: int, content: Table, index: int) -> Node:
        op = {_MOVE: "executorch.move_call", _JUMP: "executorch.jump_false_call", _FREE: "executorch.free_call"}[kind]
        first = self.values.argument(content.integer(0, "i"))[0] or []
        outputs: list[Tensor | None] = []
        attrs: dict[str, Any] = {}
        if kind == _MOVE:
            outputs = list(self.values.argument(content.integer(1, "i"))[0] or [])
        if kind == _JUMP:
            attrs["destination_instruction"] = content.integer(1, "i")
        inputs = [("", one) for one in first]
        return self._finish(index, op, inputs, [one for one in outputs if one is not None], attrs)

    def _finish(
        self, index: int, op: str, operands: Sequence[tuple[str, Tensor | None]], outputs: Sequence[Tensor],
        attrs: dict[str, Any], *, custom: bool = False,
    ) -> Node:  # fmt: skip
        self.made.update(id(tensor) for tensor in outputs)
        return Node(
            graph=self.number,
            index=index,
            name=f"{op.rpartition('::')[2]}_{index}",
            op=op,
            version=None,
            inputs=tuple(tensor for _, tensor in operands),
            outputs=tuple(outputs),
            attrs=attrs,
            input_names=tuple(name for name, _ in operands),
            custom=custom,
        )


def _operator(table: Table) -> str:
    """ "aten.add.out" for the name "aten::add" and the overload "out"."""
    return f"{(table.text(0) or '').replace('::', '.')}.{table.text(1) or 'default'}"


def _delegate(table: Table, stored: Segments) -> _Delegate:
    name = table.text(0) or ""
    blob = stored.processed(table.table(1))
    attrs: dict[str, Any] = {"delegate": name, "bytes": None if blob is None else len(blob)}
    attrs["compile_specs"] = tuple(spec.text(0) or "" for spec in table.tables(2))
    inside = payload(blob) if blob is not None and name == "XnnpackBackend" else None
    if inside is None:
        return _Delegate(id=name, attrs=attrs, counts=None)
    attrs["ops"] = inside.ops
    return _Delegate(id=name, attrs=attrs, counts=(inside.inputs, inside.outputs))


def _at(items: Sequence[_Item], number: int, what: str) -> _Item:
    if not 0 <= number < len(items):
        raise FormatError(f"{what} is number {number} of {len(items)}")
    return items[number]


def _source(stack: Table) -> str | None:
    """ "file:line" of the innermost frame outside the framework, where the program keeps its stack traces."""
    frames = [(frame.text(0) or "", frame.integer(1, "i")) for frame in stack.tables(0)]
    own = [frame for frame in reversed(frames) if frame[0] and not _FOREIGN.search(frame[0])]
    return f"{own[0][0]}:{own[0][1]}" if own else None
