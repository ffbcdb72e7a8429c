"""Small TFLite files written field by field, without the converter: what a quick test needs and no converter makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import flatbuffers

INT8, INT32 = 9, 2  # TensorType
FULLY_CONNECTED, FULLY_CONNECTED_OPTIONS = 9, 8  # BuiltinOperator, BuiltinOptions


@dataclass(frozen=True, kw_only=True)
class T:
    """A tensor. `weights`: bytes of a constant that lies behind the FlatBuffer, as in files above 2 GB."""

    name: str
    shape: Sequence[int]
    dtype: int = INT8
    scales: Sequence[float] = ()
    zero_points: Sequence[int] | None = None
    axis: int = 0
    weights: int = 0
    signature: Sequence[int] = ()  # -1 for an open dimension
    ranked: bool = True


def write(path: Path, tensors: Sequence[T], operators: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Path:
    """A file of FULLY_CONNECTED operators: (inputs, outputs) by tensor number. The first tensor is fed, the last given.

    Weights are a hole in the file: they read as zeros and take no room on the disk.
    """
    b = flatbuffers.Builder(1 << 16)
    start, places = 1 << 16, {}
    for i, one in enumerate(tensors):
        if one.weights:
            places[i], start = start, start + one.weights
    buffers = [_table(b, 3, {})] + [
        _table(b, 3, {1: ("Uint64", at), 2: ("Uint64", tensors[i].weights)}) for i, at in places.items()
    ]
    numbers = {i: n for n, i in enumerate(places, 1)}
    made = [_tensor(b, one, numbers.get(i, 0)) for i, one in enumerate(tensors)]
    steps = [_operator(b, inputs, outputs) for inputs, outputs in operators]
    ends = [_integers(b, [0], "Int32"), _integers(b, [len(tensors) - 1], "Int32")]
    graph = _table(b, 5, {0: _tables(b, made), 1: ends[0], 2: ends[1], 3: _tables(b, steps)})
    code = _table(b, 4, {0: ("Int8", FULLY_CONNECTED), 2: ("Int32", 4), 3: ("Int32", FULLY_CONNECTED)})
    lists = [_tables(b, [code]), _tables(b, [graph]), _tables(b, buffers)]
    b.Finish(_table(b, 5, {0: ("Uint32", 3), 1: lists[0], 2: lists[1], 4: lists[2]}), b"TFL3")
    content = bytes(b.Output())
    assert len(content) <= 1 << 16
    with path.open("wb") as file:
        file.write(content)
        file.truncate(max(start, len(content)))
    return path


def _operator(b: flatbuffers.Builder, inputs: Sequence[int], outputs: Sequence[int]) -> int:
    options = _table(b, 1, {})
    ends = [_integers(b, numbers, "Int32") for numbers in (inputs, outputs)]
    return _table(b, 5, {1: ends[0], 2: ends[1], 3: ("Uint8", FULLY_CONNECTED_OPTIONS), 4: options})


def _tensor(b: flatbuffers.Builder, one: T, buffer: int) -> int:
    fields = {0: _integers(b, one.shape, "Int32"), 3: b.CreateString(one.name)}
    if one.scales:
        inner = {2: _integers(b, one.scales, "Float32")}
        if one.zero_points is not None:
            inner[3] = _integers(b, one.zero_points, "Int64")
        fields[4] = _table(b, 7, inner | {6: ("Int32", one.axis)})
    if one.signature:
        fields[7] = _integers(b, one.signature, "Int32")
    return _table(b, 9, fields | {1: ("Int8", one.dtype), 2: ("Uint32", buffer), 8: ("Bool", one.ranked)})


def _table(b: flatbuffers.Builder, slots: int, fields: dict) -> int:
    b.StartObject(slots)
    for slot, value in fields.items():
        if isinstance(value, tuple):
            getattr(b, f"Prepend{value[0]}Slot")(slot, value[1], None if value[0] != "Bool" else False)
        else:
            b.PrependUOffsetTRelativeSlot(slot, value, 0)
    return b.EndObject()


def _integers(b: flatbuffers.Builder, values: Sequence[float], kind: str) -> int:
    width = 8 if kind == "Int64" else 4
    b.StartVector(width, len(values), width)
    for value in reversed(values):
        getattr(b, f"Prepend{kind}")(value)
    return b.EndVector()


def _tables(b: flatbuffers.Builder, places: Sequence[int]) -> int:
    b.StartVector(4, len(places), 4)
    for place in reversed(places):
        b.PrependUOffsetTRelative(place)
    return b.EndVector()
