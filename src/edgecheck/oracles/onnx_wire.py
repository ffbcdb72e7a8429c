"""ONNX files written by hand: onnx.proto's messages in Protocol Buffers' wire format, without any package.

Every function gives the bytes of one message. Names follow onnx.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from edgecheck.errors import EdgecheckError

#: TensorProto.DataType, by the names that edgecheck uses.
_TYPES = """float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 complex128
bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2 float6e2m3
float6e3m2"""
CODES: Mapping[str, int] = {name: code for code, name in enumerate(_TYPES.split(), 1)}
_VARINT, _LEN, _I32 = 0, 2, 5
_FLOAT, _INT, _STRING, _TENSOR, _GRAPH = 1, 2, 3, 4, 5
_FLOATS, _INTS, _STRINGS, _TENSORS, _GRAPHS, _TYPE = 6, 7, 8, 9, 10, 13


def varint(value: int) -> bytes:
    """An integer as a varint; a negative one as the 64-bit two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """An integer field."""
    return varint(field << 3 | _VARINT) + varint(value)


def message(field: int, content: bytes | str) -> bytes:
    """A field of bytes, text, or another message."""
    data = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | _LEN) + varint(len(data)) + data


def real(field: int, value: float) -> bytes:
    """A float field."""
    return varint(field << 3 | _I32) + struct.pack("<f", value)


def model(graph: bytes, *, ir_version: int, opsets: Mapping[str, int]) -> bytes:
    """A ModelProto: the file."""
    imports = [message(8, (message(1, domain) if domain else b"") + number(2, v)) for domain, v in opsets.items()]
    return b"".join([number(1, ir_version), message(2, "edgecheck"), message(7, graph), *imports])


def graph(
    name: str, nodes: Iterable[bytes], constants: Iterable[bytes], inputs: Iterable[bytes], outputs: Iterable[bytes]
) -> bytes:
    """A GraphProto."""
    parts = [message(1, one) for one in nodes] + [message(2, name)] + [message(5, one) for one in constants]
    return b"".join(parts + [message(11, one) for one in inputs] + [message(12, one) for one in outputs])


def node(
    op: str, domain: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Iterable[bytes], name: str
) -> bytes:
    """A NodeProto; "" among the inputs is one that is left out."""
    parts = [message(1, one) for one in inputs] + [message(2, one) for one in outputs]
    parts += [message(3, name), message(4, op)] + [message(5, one) for one in attributes]
    return b"".join([*parts, message(7, domain) if domain else b""])


def tensor(name: str, dtype: str, shape: Sequence[int], raw: bytes | None, texts: Sequence[str] = ()) -> bytes:
    """A TensorProto: numbers as `raw` bytes in the file's order, strings as `texts`."""
    parts = [number(1, size) for size in shape] + [number(2, code(dtype))]
    parts += [message(6, text) for text in texts] + [message(8, name)]
    return b"".join([*parts, message(9, raw) if raw is not None else b""])


def value_info(name: str, dtype: str | None, shape: Sequence[int | str | None] | None) -> bytes:
    """A ValueInfoProto; a None in the shape is a dimension that is not known, a text one that has a name."""
    return message(1, name) + (message(2, type_(dtype, shape)) if dtype else b"")


def type_(dtype: str, shape: Sequence[int | str | None] | None) -> bytes:
    """A TypeProto. `dtype` may be `sequence(…)`, `optional(…)` or `map(key,…)`; their tensors have no shape."""
    kind, _, inner = dtype.partition("(")
    inner = inner[:-1]
    if kind == "sequence":
        return message(4, message(1, type_(inner, None)))
    if kind == "optional":
        return message(9, message(1, type_(inner, None)))
    if kind == "map":
        key, _, value = inner.partition(",")
        return message(5, number(1, code(key)) + message(2, type_(value, None)))
    sizes = b"" if shape is None else message(2, b"".join(message(1, _dimension(size)) for size in shape))
    return message(1, number(1, code(dtype)) + sizes)


def _dimension(size: int | str | None) -> bytes:
    if size is None:
        return b""
    return message(2, size) if isinstance(size, str) else number(1, size)


def code(dtype: str) -> int:
    """The number of an element type; EdgecheckError for one that ONNX does not have."""
    if dtype not in CODES:
        raise EdgecheckError(f"ONNX has no element type {dtype!r}", help=f"it has {', '.join(CODES)}")
    return CODES[dtype]


def attribute(name: str, value: Any, write: Callable[[Mapping[str, Any]], tuple[int, bytes]]) -> bytes:
    """An AttributeProto. A mapping is given to `write`, which answers with the attribute type and the message."""
    if isinstance(value, list | tuple):
        return message(1, name) + _many(value, write)
    if isinstance(value, Mapping) and not {"floats", "strings"}.isdisjoint(value):
        return message(1, name) + number(20, _FLOATS if "floats" in value else _STRINGS)
    if isinstance(value, Mapping):
        kind, content = write(value)
        return message(1, name) + message({_TENSOR: 5, _GRAPH: 6, _TYPE: 14}[kind], content) + number(20, kind)
    return message(1, name) + _one(value)


def _one(value: int | float | str) -> bytes:
    if isinstance(value, str):
        return message(4, value) + number(20, _STRING)
    return real(2, value) + number(20, _FLOAT) if isinstance(value, float) else number(3, value) + number(20, _INT)


def _many(values: Sequence[Any], write: Callable[[Mapping[str, Any]], tuple[int, bytes]]) -> bytes:
    if any(isinstance(value, str) for value in values):
        return b"".join(message(9, value) for value in values) + number(20, _STRINGS)
    if any(isinstance(value, float) for value in values):
        return b"".join(real(7, value) for value in values) + number(20, _FLOATS)
    if values and isinstance(values[0], Mapping):
        written = [write(value) for value in values]
        graphs = written[0][0] == _GRAPH
        many = b"".join(message(11 if graphs else 10, content) for _, content in written)
        return many + number(20, _GRAPHS if graphs else _TENSORS)
    return b"".join(number(8, value) for value in values) + number(20, _INTS)


def tensor_attribute(content: bytes) -> tuple[int, bytes]:
    """What `write` of `attribute` answers for a tensor."""
    return _TENSOR, content


def graph_attribute(content: bytes) -> tuple[int, bytes]:
    """What `write` of `attribute` answers for a graph."""
    return _GRAPH, content


def type_attribute(content: bytes) -> tuple[int, bytes]:
    """What `write` of `attribute` answers for a type."""
    return _TYPE, content
