"""TFLite operators that only move values, in others that do: exact for every element type."""

from __future__ import annotations

from edgecheck.rewrites import fits
from edgecheck.rewrites.tflite_build import Builder
from edgecheck.rewrites.tflite_operators import rule


@rule("reshape-instead", "EXPAND_DIMS", "SQUEEZE", fits=fits.known_sizes, says="a reshape to the size that is known")
def _reshape(b: Builder) -> bool:
    if not b.static(b.x) or not b.static(b.y):
        return False
    b.add("RESHAPE", [b.x, b.ints(*b.shape(b.y))], b.y, ("Reshape", {}))
    return True


@rule("pack-as-concatenation", "PACK", fits=fits.known_sizes, says="reshapes and one concatenation")
def _pack(b: Builder) -> bool:
    shape = b.shape(b.y)
    if b.options is None or not all(b.static(i) for i in (*b.inputs, b.y)):
        return False
    axis = int(b.options.axis) % len(shape)
    one = [1 if i == axis else size for i, size in enumerate(shape)]
    grown = [b.add("RESHAPE", [i, b.ints(*one)], b.like(i, one), ("Reshape", {})) for i in b.inputs]
    b.add("CONCATENATION", grown, b.y, ("Concatenation", {"axis": axis}))
    return True


@rule("unpack-as-slices", "UNPACK", fits=fits.known_sizes, says="one slice and one reshape for each part")
def _unpack(b: Builder) -> bool:
    shape = b.shape(b.x)
    if b.options is None or not b.static(b.x) or not shape:
        return False
    axis = int(b.options.axis) % len(shape)
    size = [1 if i == axis else one for i, one in enumerate(shape)]
    for position, out in enumerate(b.outputs):
        begin = [position if i == axis else 0 for i in range(len(shape))]
        piece = b.add("SLICE", [b.x, b.ints(*begin), b.ints(*size)], b.like(b.x, size), ("Slice", {}))
        b.add("RESHAPE", [piece, b.ints(*b.shape(out))], out, ("Reshape", {}))
    return True


@rule("split-as-slices", "SPLIT", "SPLIT_V", says="one slice for each part")
def _split(b: Builder) -> bool:
    return _pieces(b, "SLICE")


@rule("split-as-strided-slices", "SPLIT", "SPLIT_V", says="one strided slice for each part")
def _split_strided(b: Builder) -> bool:
    return _pieces(b, "STRIDED_SLICE")


def _pieces(b: Builder, op: str) -> bool:
    """The parts along the one axis in which they differ from the whole."""
    split_v = len(b.inputs) == 3
    source, axis = (b.inputs[0], b.value(b.inputs[2])) if split_v else (b.inputs[-1], b.value(b.inputs[0]))
    shape = b.shape(source)
    if axis is None or not b.static(source) or not all(b.static(i) for i in b.outputs):
        return False
    at = int(axis.reshape(-1)[0]) % len(shape)
    start = 0
    for out in b.outputs:
        size = b.shape(out)
        begin = [start if i == at else 0 for i in range(len(shape))]
        end = [start + size[at] if i == at else one for i, one in enumerate(shape)]
        start += size[at]
        if op == "SLICE":
            b.add(op, [source, b.ints(*begin), b.ints(*size)], out, ("Slice", {}))
        else:
            b.add(op, [source, b.ints(*begin), b.ints(*end), b.ints(*[1] * len(shape))], out, ("StridedSlice", {}))
    return True


@rule("strided-slice-as-slice", "STRIDED_SLICE", fits=fits.steps_of_one, says="a slice, where every step is 1")
def _strided(b: Builder) -> bool:
    begin, strides = b.value(b.inputs[1]), b.value(b.inputs[3])
    options, shape = b.options, b.shape(b.x)
    if begin is None or strides is None or options is None or not b.static(b.x) or not b.static(b.y):
        return False
    if (strides != 1).any() or options.ellipsisMask or options.newAxisMask or len(begin) != len(shape):
        return False
    size = _sizes(b, shape)
    if size is None:
        return False
    starts = [0 if options.beginMask >> i & 1 else int(one) % shape[i] for i, one in enumerate(begin.tolist())]
    shrinks = bool(options.shrinkAxisMask)
    piece = b.like(b.x, size) if shrinks else b.y
    b.add("SLICE", [b.x, b.ints(*starts), b.ints(*size)], piece, ("Slice", {}))
    if shrinks:
        b.add("RESHAPE", [piece, b.ints(*b.shape(b.y))], b.y, ("Reshape", {}))
    return True


def _sizes(b: Builder, shape: list[int]) -> list[int] | None:
    """The slice's size: the output's, with a 1 for every axis that is taken away."""
    remaining = b.shape(b.y)[::-1]
    size = []
    for i in range(len(shape)):
        if b.options.shrinkAxisMask >> i & 1:
            size.append(1)
        elif remaining:
            size.append(remaining.pop())
        else:
            return None
    return size if not remaining else None


@rule("transpose-as-reshape", "TRANSPOSE", fits=fits.moves_only_ones, says="a reshape, where only axes of size 1 move")
def _transpose(b: Builder) -> bool:
    order, shape = b.value(b.inputs[1]), b.shape(b.x)
    if order is None or not b.static(b.x) or len(order) != len(shape):
        return False
    moving = [int(i) for i in order if shape[int(i)] != 1]
    if moving != sorted(moving):
        return False
    b.add("RESHAPE", [b.x, b.ints(*b.shape(b.y))], b.y, ("Reshape", {}))
    return True


@rule("ranks-made-equal", "ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW",
      fits=fits.unequal_ranks,
      says="ones in front of the smaller input's sizes, as broadcasting reads them")  # fmt: skip
def _ranks(b: Builder) -> bool:
    if len(b.inputs) != 2 or not all(b.static(i) for i in b.inputs):
        return False
    rank = max(len(b.shape(i)) for i in b.inputs)
    small = next((i for i in b.inputs if 0 < len(b.shape(i)) < rank), None)
    if small is None:
        return False
    shape = [1] * (rank - len(b.shape(small))) + b.shape(small)
    grown = b.view(small, shape)
    if grown is None:
        grown = b.add("RESHAPE", [small, b.ints(*shape)], b.like(small, shape), ("Reshape", {}))
    b.again([grown if i == small else i for i in b.inputs])
    return True


@rule("broadcast-as-tile", "BROADCAST_TO", fits=fits.known_sizes, says="a tile of the axes that grow")
def _broadcast(b: Builder) -> bool:
    shape, wanted = b.shape(b.x), b.shape(b.y)
    if not b.static(b.x) or not b.static(b.y) or len(shape) > len(wanted) or 0 in wanted:
        return False
    full = [1] * (len(wanted) - len(shape)) + shape
    if full == wanted:
        b.add("RESHAPE", [b.x, b.ints(*wanted)], b.y, ("Reshape", {}))
        return True
    source = b.x if full == shape else b.add("RESHAPE", [b.x, b.ints(*full)], b.like(b.x, full), ("Reshape", {}))
    b.add("TILE", [source, b.ints(*[new // old for old, new in zip(full, wanted, strict=True)])], b.y)
    return True


@rule("lookup-as-gather", "EMBEDDING_LOOKUP", says="a gather of the table's rows")
def _lookup(b: Builder) -> bool:
    ids, table = b.inputs
    if b.tensor(table).type != b.tensor(b.y).type or len(b.shape(ids)) != 1:
        return False
    b.add("GATHER", [table, ids], b.y, ("Gather", {"axis": 0}))
    return True


@rule(
    "slice-in-four-dimensions",
    "SLICE",
    fits=fits.beyond_four_dimensions,
    says="a slice of fewer axes: one that stays whole joins the one before it",
)
def _slice(b: Builder) -> bool:
    shape, out, begin = b.shape(b.x), b.shape(b.y), b.value(b.inputs[1])
    if begin is None or len(shape) < 5 or not b.static(b.x) or not b.static(b.y):
        return False
    merged: list[list[int]] = []  # size, begin, size of the piece: an axis that stays whole joins the one before it
    spare = len(shape) - 4
    for size, start, piece in zip(shape, begin.reshape(-1).tolist(), out, strict=True):
        if spare and merged and piece == size:
            merged[-1] = [one * size for one in merged[-1]]
            spare -= 1
        else:
            merged.append([size, start, piece])
    if spare:
        return False
    sizes, starts, pieces = (list(column) for column in zip(*merged, strict=True))
    flat = b.add("RESHAPE", [b.x, b.ints(*sizes)], b.like(b.x, sizes), ("Reshape", {}))
    cut = b.add("SLICE", [flat, b.ints(*starts), b.ints(*pieces)], b.like(b.y, pieces), ("Slice", {}))
    b.add("RESHAPE", [cut, b.ints(*out)], b.y, ("Reshape", {}))
    return True
