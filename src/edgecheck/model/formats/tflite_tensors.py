"""Tensors of a TFLite file: shapes, types, quantisation, and where a constant's bytes lie."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from edgecheck.errors import FormatError
from edgecheck.model.formats.flat import Table
from edgecheck.model.formats.mapped import RawData
from edgecheck.model.formats.tflite_options import schema
from edgecheck.model.graph import Data, Quantization, Shape, Tensor

if TYPE_CHECKING:
    import numpy

# Slots of the table Model, of Tensor, of QuantizationParameters, of Buffer and of ExternalBuffer.
_BUFFERS, _GROUPS, _EXTERNAL = 4, 8, 9
_SHAPE, _TYPE, _BUFFER, _NAME, _QUANTIZATION, _VARIABLE, _SPARSITY, _SIGNATURE, _HAS_RANK, _OUTSIDE = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 10,
)  # fmt: skip
_SCALE, _ZERO_POINT, _DETAILS_TYPE, _AXIS = 2, 3, 4, 6
_LARGEST = (1 << 63) - 1  # elements
_BLOCKWISE = (2, 3)  # BlockwiseQuantization, MultiAxisQuantization: the scales are in a tensor of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class StringData:
    """Constant strings: a count, count + 1 offsets, the bytes."""

    buffer: memoryview
    offset: int
    nbytes: int
    shape: tuple[int, ...]

    def array(self) -> numpy.ndarray:
        """The strings as bytes, in an object array; raises FormatError where they do not fit their buffer."""
        import numpy as np

        data = self.buffer[self.offset : self.offset + self.nbytes]
        try:
            (count,) = struct.unpack_from("<i", data)
            ends = struct.unpack_from(f"<{count + 1}i", data, 4) if count >= 0 else ()
        except struct.error:
            raise FormatError("a string tensor's offsets lie outside its buffer") from None
        if any(not 0 <= start <= end <= self.nbytes for start, end in pairwise(ends)):
            raise FormatError("a string tensor's offsets run backwards or out of its buffer")
        strings = np.empty(max(count, 0), dtype=object)
        if strings.size != math.prod(self.shape):
            raise FormatError(f"a string tensor of shape {list(self.shape)} holds {count} strings")
        strings[:] = [bytes(data[start:end]) for start, end in pairwise(ends)]
        return strings.reshape(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalData:
    """Values that the model keeps in another file, which this reader does not open."""

    group: str
    nbytes: int

    def array(self) -> numpy.ndarray:
        raise FormatError(f"the values of this constant are in {self.group!r}, outside the model file")


class Buffers:
    """The constants of a file, found when a tensor refers to them."""

    def __init__(self, model: Table) -> None:
        self.model = model
        self._count = model.count(_BUFFERS)
        self._external = {one.integer(0, "I"): one for one in model.tables(_EXTERNAL)}

    def span(self, index: int) -> tuple[int, int]:
        """(first byte, bytes) of a buffer; (0, 0) where it holds nothing; FormatError where it is not in the file."""
        if index >= self._count:
            raise FormatError(f"a tensor refers to buffer {index:,}, and the file has {self._count:,}")
        buffer = self.model.element(_BUFFERS, index)
        start, size = buffer.span(0)
        if size == 0 and (offset := buffer.integer(1, "Q")) > 1:
            start, size = offset, buffer.integer(2, "Q")
            buffer.flat.inside(start, size, f"buffer {index}")
        return start, size

    def data(self, tensor: Table, dtype: str | None, shape: Shape | None) -> Data | None:
        """Where a tensor's values lie; None where it has none: it is computed, fed or variable."""
        if outside := tensor.integer(_OUTSIDE, "I"):
            return self._outside(outside)
        index = tensor.integer(_BUFFER, "I")
        start, size = self.span(index) if index else (0, 0)
        if size == 0:
            return None
        static = tuple(dim or 0 for dim in shape or ())
        flat = tensor.flat
        if dtype == "string":
            return StringData(buffer=flat.buffer, offset=start, nbytes=size, shape=static)
        sparsity = tensor.table(_SPARSITY)
        if sparsity is not None:
            from edgecheck.model.formats.tflite_sparse import SparseData

            return SparseData(table=sparsity, offset=start, nbytes=size, dtype=dtype or "", shape=static)
        return RawData(flat.buffer, start, size, dtype or "of a number this version does not know", static)

    def _outside(self, number: int) -> ExternalData:
        one = self._external.get(number)
        if one is None:
            raise FormatError(f"a tensor refers to external buffer {number}, which the file does not describe")
        group = self.model.element(_GROUPS, one.integer(1, "I")).text(0)
        return ExternalData(group=group or "", nbytes=one.integer(3, "Q"))


def read_tensors(subgraphs: Sequence[Table], buffers: Buffers) -> list[tuple[Tensor, ...]]:
    """The tensors of each subgraph.

    A shape of no dimensions means a scalar or an unknown rank. Newer converters mark every tensor that has a rank:
    in a file with such marks a tensor without one has the shape None; in an older file it is a scalar, as runtimes
    take it.
    """
    tables = [list(graph.tables(0)) for graph in subgraphs]
    ranks = any(table.integer(_HAS_RANK, "?") for its in tables for table in its)
    return [tuple(_tensor(table, buffers, ranks) for table in its) for its in tables]


def _tensor(table: Table, buffers: Buffers, ranks: bool) -> Tensor:
    dtype = _dtype(table.integer(_TYPE, "b"))
    shape: Shape | None = _shape(table)
    data = buffers.data(table, dtype, shape)
    if shape == () and ranks and data is None and not table.integer(_HAS_RANK, "?"):
        shape = None
    return Tensor(
        name=table.text(_NAME) or "",
        dtype=dtype,
        shape=shape,
        data=data,
        quantization=_quantization(table.table(_QUANTIZATION)),
        sparse=table.place(_SPARSITY) is not None,
        variable=bool(table.integer(_VARIABLE, "?")),
        stored=_stored(table, shape),
    )


def _shape(table: Table) -> Shape:
    """The signature's shape where there is one (it keeps dynamic dimensions), else the plain one."""
    dims = table.integers(_SIGNATURE) or table.integers(_SHAPE)
    if any(dim < -1 for dim in dims) or math.prod(abs(dim) or 1 for dim in dims) > _LARGEST:
        raise FormatError(f"a tensor has the shape [{', '.join(map(str, dims[:8]))}{', …' * (len(dims) > 8)}]")
    return tuple(None if dim == -1 else dim for dim in dims)


def _stored(table: Table, shape: Shape | None) -> tuple[int, ...] | None:
    """The plain sizes where `shape` says something else: what a runtime takes until it is told others."""
    sizes = table.integers(_SHAPE)
    return None if sizes == shape or any(size < 0 for size in sizes) else sizes


@cache
def _dtype(code: int) -> str | None:
    """ "float32" for 0; None for a type that the schema does not have."""
    names = schema().types
    name = names[code].lower().replace("float8_", "float8") if 0 <= code < len(names) else ""
    return name or None


def _quantization(table: Table | None) -> Quantization | None:
    """None where there are no scales (a range alone, as in float models, quantises nothing).

    Zero points that the file leaves out stay left out: runtimes take them as 0, and Vela takes such a tensor as not
    quantised. `axis` is the file's `quantized_dimension`, which is 0 where it is left out.
    """
    if table is None:
        return None
    scales = table.numbers(_SCALE, "f") or ()
    axis = table.integer(_AXIS, "i")
    if not scales:
        blocks = table.integer(_DETAILS_TYPE, "B") in _BLOCKWISE
        return Quantization(scales=(), zero_points=(), axis=axis) if blocks else None
    return Quantization(scales=scales, zero_points=table.integers(_ZERO_POINT, "q"), axis=axis)
