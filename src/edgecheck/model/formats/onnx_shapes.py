"""Types and shapes that an ONNX file leaves out: one rule per operator, unknown rather than wrong.

A rule reads a `Call` and puts what it knows of each output; what it does not put stays unknown. Small integer
constants are followed too (Shape, Gather, Concat, ... up to Reshape), with unknown elements in between.
"""

from __future__ import annotations

import itertools
import operator
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgecheck.model.formats.onnx_data import Number, few
from edgecheck.model.graph import Data, Shape, Tensor

Values = tuple[Number | None, ...]
MOST_VALUES = 256


@dataclass(slots=True)
class Value:
    """What is known of a value while the graph is read."""

    name: str = ""
    dtype: str | None = None
    shape: Shape | None = None
    data: Data | None = None
    sparse: bool = False
    known: Values | None = None
    tensor: Tensor | None = None  # made when everything is known

    @property
    def values(self) -> Values | None:
        """The flat content of a small constant or computed value; elements may be None."""
        if self.known is None and self.data is not None:
            self.known = few(self.data, MOST_VALUES)
        return self.known


class Unknown(Exception):  # noqa: N818 - it is no error: the shape stays unknown
    """A rule needs something that is not known, or that no valid model has."""


@dataclass(slots=True)
class Call:
    """One node, as the rules see it."""

    op: str
    since: int
    attrs: Mapping[str, Any]
    inputs: Sequence[Value | None]
    out: list[Value] = field(default_factory=list)

    def put(
        self, index: int, dtype: str | None = None, shape: Sequence[int | None] | None = None, values: Any = None
    ) -> None:
        """State what is known of one output; an output the node does not have is ignored."""
        if index >= len(self.out):
            return
        out = self.out[index]
        out.dtype = dtype if dtype is not None else out.dtype
        if shape is not None:
            out.shape = tuple(dim if dim is None or 0 <= dim < 1 << 63 else None for dim in shape)
        if values is not None and len(values) <= MOST_VALUES:
            out.known = tuple(_stored(value, out.dtype) for value in values)

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int) -> Value:
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            raise Unknown
        return value

    def dtype(self, index: int) -> str | None:
        return self.value(index).dtype if self.has(index) else None

    def shape(self, index: int) -> Shape:
        shape = self.value(index).shape
        if shape is None:
            raise Unknown
        return shape

    def rank(self, index: int) -> int:
        return len(self.shape(index))

    def values(self, index: int) -> Values:
        """The flat content; elements may be None."""
        values = self.value(index).values
        if values is None:
            raise Unknown
        return values

    def ints(self, index: int) -> tuple[int, ...]:
        """The flat content, every element a known integer."""
        return _all_ints(self.values(index))

    def ints_or_none(self, index: int) -> tuple[int | None, ...]:
        """The flat content, every element an integer or unknown."""
        return tuple(None if value is None else _an_int(value) for value in self.values(index))

    def attr_ints(self, name: str) -> tuple[int, ...] | None:
        found = self.attrs.get(name)
        return None if found is None else _all_ints(found)

    def attr_int(self, name: str, default: int | None = None) -> int:
        found = self.attrs.get(name, default)
        if not isinstance(found, int):
            raise Unknown
        return found

    def attr_text(self, name: str, default: str = "") -> str:
        found = self.attrs.get(name, default)
        if not isinstance(found, str):
            raise Unknown
        return found

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front; one outside the rank makes the call unknown."""
        if not -rank <= axis < rank:
            raise Unknown
        return axis % rank


def _an_int(value: Number) -> int:
    if not isinstance(value, int):
        raise Unknown
    return value


def _all_ints(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple) or not all(isinstance(value, int) for value in values):
        raise Unknown
    return values


def _stored(value: Number | None, dtype: str | None) -> Number | None:
    """The value as its type stores it; None where it does not fit."""
    try:
        if value is None:
            return None
        if dtype == "float32":
            return float(struct.unpack("<f", struct.pack("<f", value))[0])
        if dtype == "float64":
            return float(value)
        if dtype == "bool":
            return int(bool(value))
        bits = {"int64": 63, "int32": 31}.get(dtype or "")
        return value if bits and isinstance(value, int) and -(1 << bits) <= value < 1 << bits else None
    except OverflowError:
        return None


Rule = Callable[[Call], None]
RULES: dict[str, Rule] = {}


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Register a rule for operators; another domain's as "com.microsoft::Gelu"."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, function))
        return function

    return register


def infer(call: Call) -> None:
    """Fill in `call.out` as far as the operator's rule knows. Attributes of a wrong type leave it unknown."""
    found = RULES.get(call.op)
    if found is None:
        return
    try:
        found(call)
    except (Unknown, IndexError, ValueError, TypeError, ZeroDivisionError, OverflowError, KeyError):
        return  # a malformed node: the runtime refuses it, and here nothing more is known of it


def broadcast(*shapes: Shape) -> Shape:
    """NumPy's broadcasting with unknown dimensions; shapes that do not fit are unknown."""
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(_broadcast_dim(dims) for dims in zip(*padded, strict=True))


def _broadcast_dim(dims: tuple[int | None, ...]) -> int | None:
    fixed = {dim for dim in dims if dim is not None and dim != 1}
    if len(fixed) > 1:
        raise Unknown
    if fixed:
        return fixed.pop()
    return None if None in dims else 1


def merge(first: Shape | None, second: Shape | None) -> Shape | None:
    """What holds for both: equal dimensions."""
    if first is None or second is None or len(first) != len(second):
        return None
    return tuple(a if a == b else None for a, b in zip(first, second, strict=True))


def refine(declared: Shape | None, inferred: Shape | None) -> Shape | None:
    """The declared shape, its unknown dimensions taken from the inferred one; the file's word wins."""
    if declared is None or inferred is None or len(declared) != len(inferred):
        return inferred if declared is None else declared
    return tuple(b if a is None else a for a, b in zip(declared, inferred, strict=True))


def product(dims: Sequence[int | None]) -> int | None:
    """Of dimensions; None where one is unknown, unless another is 0."""
    total = 1
    for dim in dims:
        if dim == 0:
            return 0
    for dim in dims:
        if dim is None:
            return None
        total *= dim
    return total


def turned(values: Values, shape: Shape, order: tuple[int, ...]) -> Values:
    """The flat content in the new order of axes."""
    if None in shape or product(shape) != len(values):
        raise Unknown
    steps = [product(shape[axis + 1 :]) or 0 for axis in order]
    places = itertools.product(*(range(shape[axis] or 0) for axis in order))
    return tuple(values[sum(map(operator.mul, place, steps))] for place in places)


def rows(values: Values, shape: Shape) -> list[Values]:
    """The flat content, cut along the first axis."""
    count = product(shape)
    if not count or count != len(values):
        raise Unknown
    size = len(values) // (shape[0] or 1)
    return [values[i : i + size] for i in range(0, len(values), size)]
