"""The values of an ExecuTorch method, and the bytes that constants and delegates have in the file.

Source: executorch 1.5.1, schema/program.fbs and schema/scalar_type.fbs; runtime/executor/method.cpp for the lists,
whose integers are themselves numbers of values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecheck.errors import FormatError
from edgecheck.model.formats.flat import Table
from edgecheck.model.formats.mapped import RawData
from edgecheck.model.graph import DTYPE_BITS, Data, Shape, Tensor

if TYPE_CHECKING:
    import numpy

_DTYPES = {
    0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 7: "float64", 8: "complex32",
    9: "complex64", 10: "complex128", 11: "bool", 12: "qint8", 13: "quint8", 14: "qint32", 15: "bfloat16",
    23: "float8e5m2", 24: "float8e4m3fn", 25: "float8e5m2fnuz", 26: "float8e4m3fnuz", 27: "uint16", 28: "uint32",
    29: "uint64",
}  # fmt: skip
_INT, _BOOL, _DOUBLE, _TENSOR, _STRING = 2, 3, 4, 5, 6
_INTS, _DOUBLES, _BOOLS, _TENSORS, _OPTIONAL_TENSORS = 7, 8, 9, 10, 11
_VALUES = 2  # slot of ExecutionPlan
_CONSTANTS, _BLOBS, _SEGMENTS, _CONSTANT_SEGMENT, _MUTABLE = 2, 3, 4, 5, 6  # slots of Program
_EXTERNAL = 1


@dataclass(frozen=True, slots=True, eq=False)
class ElsewhereData:
    """A constant in another file (`.ptd`), or in the order of another memory layout."""

    why: str
    nbytes: int = 0

    def array(self) -> numpy.ndarray:
        raise FormatError(self.why)


class Segments:
    """Where a program's bytes lie: in the FlatBuffer itself, or in the segments behind it."""

    def __init__(self, root: Table, program: memoryview, segments: memoryview) -> None:
        self.root = root
        self.program = program
        self.segments = segments
        self.offsets = self._offsets(root.table(_CONSTANT_SEGMENT))
        for index in range(root.count(_SEGMENTS)):
            self.segment(index)  # a file that is cut off lacks the last of them

    def processed(self, reference: Table | None) -> memoryview | None:
        """A delegate's blob; None where the reference leads nowhere."""
        if reference is None:
            return None
        index = reference.integer(1, "I")
        if reference.integer(0, "b") == 1:
            return self.segment(index)
        if index >= self.root.count(_BLOBS):
            return None
        start, size = self.root.element(_BLOBS, index).span(0)
        return self.program[start : start + size]

    def segment(self, index: int) -> memoryview:
        """The bytes of one segment; raises FormatError where they lie outside the file."""
        entry = self.root.element(_SEGMENTS, index)
        start, size = entry.integer(0, "Q"), entry.integer(1, "Q")
        if start + size > len(self.segments):
            raise FormatError(
                f"segment {index} should lie at bytes {start:,} to {start + size:,} of {len(self.segments):,}"
            )
        return self.segments[start : start + size]

    def constant(self, number: int, dtype: str | None, shape: Shape) -> Data:
        """The values of a constant tensor by the number of its buffer."""
        if dtype is None or dtype not in DTYPE_BITS or None in shape:
            return ElsewhereData(f"the values of a constant of type {dtype} cannot be read")
        sizes = tuple(dim for dim in shape if dim is not None)
        need = (math.prod(sizes) * DTYPE_BITS[dtype] + 7) // 8
        if self.offsets is not None:
            segment, offsets = self.offsets
            if number >= len(offsets):
                raise FormatError(f"a tensor names constant {number}, and the program has {len(offsets)}")
            blob = self.segment(segment)
            return RawData(blob, offsets[number], min(need, max(len(blob) - offsets[number], 0)), dtype, sizes)
        start, size = self.root.element(_CONSTANTS, number).span(0)
        return RawData(self.program, start, size, dtype, sizes)

    def _offsets(self, table: Table | None) -> tuple[int, tuple[int, ...]] | None:
        if table is None or self.root.count(_CONSTANTS):
            return None
        return table.integer(0, "I"), table.integers(1, "Q")


class Values:
    """The values of one method by number. Each is made once, when it is asked for."""

    def __init__(self, plan: Table, stored: Segments) -> None:
        self.plan = plan
        self.stored = stored
        self.count = plan.count(_VALUES)
        self.known: dict[int, tuple[list[Tensor | None] | None, Any]] = {}

    def tensors_of(self, numbers: Iterable[int]) -> Iterator[Tensor]:
        """The tensors among the values of these numbers, lists of tensors included."""
        for number in numbers:
            yield from (found for found in self.argument(number)[0] or () if found is not None)

    def argument(self, number: int) -> tuple[list[Tensor | None] | None, Any]:
        """(tensors, None) where the value is a tensor or a list of them; else (None, its plain value)."""
        if number not in self.known:
            self.known[number] = self._read(number)
        tensors, plain = self.known[number]
        self.plan.flat.spend(1 + len(tensors or ()))
        return tensors, plain

    def _read(self, number: int) -> tuple[list[Tensor | None] | None, Any]:
        kind, content = self._value(number)
        if content is None:
            return None, None
        if kind == _TENSOR:
            return [self._tensor(content, number)], None
        if kind in (_TENSORS, _OPTIONAL_TENSORS):
            return [None if part < 0 else self._tensor_at(part) for part in content.integers(0)], None
        return None, self._plain(kind, content)

    def _value(self, number: int) -> tuple[int, Table | None]:
        if not 0 <= number < self.count:
            raise FormatError(f"value {number} is referred to, and the method has {self.count}")
        entry = self.plan.element(_VALUES, number)
        return entry.integer(0, "B"), entry.table(1)

    def _tensor_at(self, number: int) -> Tensor | None:
        if number not in self.known and self._value(number)[0] != _TENSOR:
            return None  # a list in a list would never end
        tensors = self.argument(number)[0]
        return tensors[0] if tensors else None

    def _plain(self, kind: int, content: Table) -> Any:
        if kind == _INT:
            return content.integer(0, "q")
        if kind == _BOOL:
            return bool(content.integer(0, "B"))
        if kind == _DOUBLE:
            return content.number(0, "d")
        if kind == _STRING:
            return content.text(0)
        if kind == _INTS:
            return tuple(self._integer(int(part)) for part in content.integers(0, "q"))
        if kind == _DOUBLES:
            return tuple(content.numbers(0, "d") or ())
        if kind == _BOOLS:
            return tuple(bool(part) for part in content.integers(0, "B"))
        return None

    def _integer(self, number: int) -> int | None:
        if number in self.known:
            return self.known[number][1] if isinstance(self.known[number][1], int) else None
        kind, content = self._value(number)
        return content.integer(0, "q") if kind == _INT and content is not None else None

    def _tensor(self, table: Table, number: int) -> Tensor:
        dtype = _DTYPES.get(table.integer(0, "b"))
        sizes = table.integers(2)
        if any(dim < 0 for dim in sizes):
            raise FormatError(f"value {number} has the sizes {list(sizes)[:8]}")
        dynamic = table.integer(8, "b") != 0
        extra = table.table(9)
        name = (extra.text(1) if extra is not None else None) or f"value_{number}"
        shape: Shape = tuple(None if dynamic else dim for dim in sizes)
        return Tensor(
            name=name,
            dtype=dtype,
            shape=shape,
            data=self._data(table, extra, dtype, shape),
            variable=table.table(6) is not None and table.integer(5, "I") > 0,
        )

    def _data(self, table: Table, extra: Table | None, dtype: str | None, shape: Shape) -> Data | None:
        """A constant's values: those with a buffer and no place in planned memory."""
        number, order = table.integer(5, "I"), table.integers(3, "B")
        if extra is not None and extra.integer(2, "b") == _EXTERNAL and table.table(6) is None:
            return ElsewhereData("the values lie in another file (.ptd)")
        if number == 0 or table.table(6) is not None:
            return None
        if any(one != position for position, one in enumerate(order)):
            return ElsewhereData("the values lie in another order of dimensions")
        return self.stored.constant(number, dtype, shape)
