"""FlexBuffers, as far as model files use them: the scalars, strings, number lists and tensors of a top-level map.

Source: the FlexBuffers binary format. What does not decode is left out: custom options may be any bytes, so bytes
that are no FlexBuffer are no error.
"""

from __future__ import annotations

import struct
from typing import Any

from edgecheck.errors import FormatError
from edgecheck.model.formats.flat import FlatBuffer

_INT, _UINT, _FLOAT, _STRING, _INDIRECT_INT, _INDIRECT_UINT, _INDIRECT_FLOAT, _MAP, _VECTOR = 1, 2, 3, 5, 6, 7, 8, 9, 10
_VECTOR_INT, _VECTOR_UINT, _VECTOR_FLOAT, _BOOL, _VECTOR_BOOL = 11, 12, 13, 26, 36
_INTS = {1: "b", 2: "h", 4: "i", 8: "q"}
_UINTS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_FLOATS = {2: "e", 4: "f", 8: "d"}
_SCALARS = {_INT: _INTS, _UINT: _UINTS, _FLOAT: _FLOATS, _BOOL: _UINTS}
_INDIRECT = {_INDIRECT_INT: _INTS, _INDIRECT_UINT: _UINTS, _INDIRECT_FLOAT: _FLOATS}
_LISTS = {_VECTOR_INT: _INTS, _VECTOR_UINT: _UINTS, _VECTOR_FLOAT: _FLOATS, _VECTOR_BOOL: _UINTS}
_ENTRIES = 4096  # of one map or list


class _NotFlex(Exception):  # noqa: N818  # never leaves this file
    pass


def scalars(flat: FlatBuffer, start: int, size: int) -> dict[str, Any]:
    """The entries of the FlexBuffers map in `size` bytes at `start`; empty where they are not such a map."""
    if size < 3:
        return {}
    data = flat.buffer[start : start + size]
    try:
        return _map(data, flat)
    except (_NotFlex, struct.error, KeyError, FormatError):
        return {}


def _map(data: memoryview, flat: FlatBuffer) -> dict[str, Any]:
    root_width, packed = data[-1], data[-2]
    if root_width not in _UINTS or packed >> 2 != _MAP:
        raise _NotFlex
    root = len(data) - 2 - root_width
    return _entries(data, _back(data, root, root_width), 1 << (packed & 3), flat)


def _entries(data: memoryview, at: int, width: int, flat: FlatBuffer, *, inner: bool = False) -> dict[str, Any]:
    """The map at `at`; of an inner one, maps within it are left out."""
    count = _number(data, at - width, width, _UINTS)
    keys_width = _number(data, at - 2 * width, width, _UINTS)
    keys = _back(data, at - 3 * width, width)
    if count > _ENTRIES or keys_width not in _UINTS or at + count * (width + 1) > len(data):
        raise _NotFlex
    flat.spend(2 * count)
    found: dict[str, Any] = {}
    for index in range(count):
        key = _key(data, _back(data, keys + index * keys_width, keys_width))
        place, packed = at + index * width, data[at + count * width + index]
        if packed >> 2 == _MAP:
            value = None if inner else _tensor(data, _back(data, place, width), 1 << (packed & 3), flat)
        else:
            value = _value(data, place, width, packed, flat)
        if value is not None:
            found[key] = value
    return found


def _tensor(data: memoryview, at: int, width: int, flat: FlatBuffer) -> Any:
    """The numbers of a composite's tensor attribute, a map that holds them as TENSOR_DATA."""
    return _entries(data, at, width, flat, inner=True).get("TENSOR_DATA")


def _number(data: memoryview, at: int, width: int, codes: dict[int, str]) -> Any:
    if at < 0 or width not in codes:
        raise _NotFlex
    return struct.unpack_from("<" + codes[width], data, at)[0]


def _back(data: memoryview, at: int, width: int) -> int:
    """Where the offset at `at` leads: FlexBuffers point backwards."""
    place: int = at - _number(data, at, width, _UINTS)
    if place < 0:
        raise _NotFlex
    return place


def _key(data: memoryview, at: int) -> str:
    text = bytes(data[at : at + 256])
    if b"\0" not in text:
        raise _NotFlex
    return text[: text.index(b"\0")].decode("utf-8", "replace")


def _value(data: memoryview, at: int, width: int, packed: int, flat: FlatBuffer) -> Any:
    """A scalar, a string or a tuple of numbers; None for what is neither."""
    kind, inner = packed >> 2, 1 << (packed & 3)
    if kind in _SCALARS:
        value = _number(data, at, width, _SCALARS[kind])
        return bool(value) if kind == _BOOL else value
    if kind in _INDIRECT:
        return _number(data, _back(data, at, width), inner, _INDIRECT[kind])
    if kind == _STRING:
        place = _back(data, at, width)
        length = _sized(data, place, inner, 1, flat)
        return str(data[place : place + length], "utf-8", "replace")
    if kind in _LISTS:
        place = _back(data, at, width)
        length = _sized(data, place, inner, inner, flat)
        return struct.unpack_from(f"<{length}{_LISTS[kind][inner]}", data, place)
    if kind == _VECTOR:
        return _mixed(data, _back(data, at, width), inner, flat)
    return None


def _mixed(data: memoryview, place: int, width: int, flat: FlatBuffer) -> tuple[Any, ...] | None:
    """An untyped list, where all its elements are numbers or strings."""
    length = _sized(data, place, width, width + 1, flat)
    kinds = data[place + length * width : place + length * (width + 1)]
    if any(kind >> 2 not in _SCALARS and kind >> 2 != _STRING for kind in kinds):
        return None
    return tuple(_value(data, place + index * width, width, kind, flat) for index, kind in enumerate(kinds))


def _sized(data: memoryview, place: int, width: int, each: int, flat: FlatBuffer) -> int:
    length: int = _number(data, place - width, width, _UINTS)
    if length > max(_ENTRIES, flat.size // 8) or place + length * each > len(data):
        raise _NotFlex
    flat.spend(length)
    return length
