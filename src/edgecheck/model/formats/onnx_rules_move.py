"""Shape rules of the operators that move values: reshape, slice, gather, pad, repeat, select."""

from __future__ import annotations

from edgecheck.model.formats.onnx_data import Number, few
from edgecheck.model.formats.onnx_shapes import (
    MOST_VALUES,
    Call,
    Unknown,
    broadcast,
    merge,
    product,
    rows,
    rule,
    turned,
)
from edgecheck.model.graph import Shape


@rule("Shape")
def shape_of(c: Call) -> None:
    c.put(0, dtype="int64", shape=(None,))
    dims = c.shape(0)
    dims = dims[slice(c.attr_int("start", 0), c.attrs.get("end"))]
    c.put(0, shape=(len(dims),), values=dims)


@rule("Size")
def size_of(c: Call) -> None:
    c.put(0, dtype="int64", shape=())
    c.put(0, values=(product(c.shape(0)),))


@rule("Reshape")
def reshape(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    if c.since >= 5 and c.value(1).values is None:
        (rank,) = c.shape(1)
        c.put(0, shape=(None,) * (rank or 0) if rank is not None else None)
        return
    target: Shape = c.ints_or_none(1) if c.since >= 5 else (c.attr_ints("shape") or ())
    c.put(0, shape=_reshaped(c.inputs[0].shape if c.inputs[0] else None, target, bool(c.attrs.get("allowzero"))))
    c.put(0, values=c.values(0))


def _reshaped(source: Shape | None, target: Shape, allow_zero: bool) -> Shape:
    out: list[int | None] = []
    rest: list[int | None] | None = None if source is None else list(source)
    for i, dim in enumerate(target):
        copied = dim == 0 and not allow_zero
        out.append((source[i] if source is not None else None) if copied else dim)
        if copied and rest is not None:
            rest[i] = 1  # stands on both sides, so it cancels
    return _filled(rest, target, out, allow_zero)


def _filled(rest: list[int | None] | None, target: Shape, out: list[int | None], allow_zero: bool) -> Shape:
    """The one open dimension, if there is only one: what is left of the source's elements."""
    open_ = [i for i, dim in enumerate(target) if dim is None or dim == -1]
    fixed = [dim for dim in target if dim is not None and dim > 0]
    total = None if rest is None else product(rest)
    shape = [None if i in open_ else dim for i, dim in enumerate(out)]
    if len(open_) == 1 and total is not None and not (allow_zero and 0 in target):
        by = product(fixed) or 1
        shape[open_[0]] = total // by if total % by == 0 else None
    return tuple(shape)


@rule("Flatten")
def flatten(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shape = c.shape(0)
    axis = c.attr_int("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise Unknown
    axis += len(shape) if axis < 0 else 0
    c.put(0, shape=(product(shape[:axis]), product(shape[axis:])))


@rule("Transpose")
def transpose(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shape = c.shape(0)
    order = c.attr_ints("perm")
    order = tuple(reversed(range(len(shape)))) if order is None else order
    if sorted(order) != list(range(len(shape))):
        raise Unknown
    c.put(0, shape=[shape[axis] for axis in order])
    c.put(0, values=turned(c.values(0), shape, order))


@rule("Concat")
def concat(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shapes = [c.shape(i) for i in range(len(c.inputs))]
    rank = len(shapes[0])
    axis = c.axis(c.attr_int("axis", 1), rank)
    if any(len(shape) != rank for shape in shapes):
        raise Unknown
    out: list[int | None] = []
    for i in range(rank):
        dims = [shape[i] for shape in shapes]
        known = [dim for dim in dims if dim is not None]
        if i == axis:
            out.append(sum(known) if len(known) == len(dims) else None)
        elif len(set(known)) > 1:
            raise Unknown
        else:
            out.append(known[0] if known else None)
    c.put(0, shape=out)
    if rank == 1:
        c.put(0, values=[value for i in range(len(c.inputs)) for value in c.values(i)])


@rule("Slice")
def slice_(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shape = c.shape(0)
    c.put(0, shape=(None,) * len(shape))
    if c.since < 10:
        starts: Shape = c.attr_ints("starts") or ()
        ends: Shape = c.attr_ints("ends") or ()
        axes, steps = c.attr_ints("axes"), None
    else:
        axes = c.ints(3) if c.has(3) else None
        open_ = (None,) * len(axes if axes is not None else c.value(1).values or shape)
        starts = c.ints_or_none(1) if c.value(1).values is not None else open_
        ends = c.ints_or_none(2) if c.value(2).values is not None else open_
        steps = c.ints(4) if c.has(4) else None
    axes = tuple(range(len(starts))) if axes is None else axes
    cuts = zip(axes, starts, ends, steps or (1,) * len(axes), strict=True)
    out = list(shape)
    for axis, start, end, step in cuts:
        out[c.axis(axis, len(shape))] = _cut(shape[axis], start, end, step)
    c.put(0, shape=out)
    if shape and None not in (starts + ends) and len(starts) == 1 and c.axis(axes[0], len(shape)) == 0:
        kept = rows(c.values(0), shape)[slice(starts[0], _end(ends[0], steps), steps[0] if steps else 1)]
        c.put(0, values=[value for row in kept for value in row])


def _end(end: int | None, steps: tuple[int, ...] | None) -> int | None:
    """ONNX counts back beyond the first element with a very small end; Python with None."""
    return None if steps and steps[0] < 0 and end is not None and end <= -MOST_VALUES else end


def _cut(dim: int | None, start: int | None, end: int | None, step: int) -> int | None:
    if dim is None or start is None or end is None or step == 0:
        return None
    if step > 0:
        low, high = 0, dim
    else:
        low, high = -1, dim - 1
    first = min(max(start + dim if start < 0 else start, 0), high)
    last = min(max(end + dim if end < 0 else end, low), dim)
    return max(0, -((first - last) // step))


@rule("Gather")
def gather(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shape, indices = c.shape(0), c.shape(1)
    axis = c.axis(c.attr_int("axis", 0), len(shape))
    c.put(0, shape=shape[:axis] + indices + shape[axis + 1 :])
    if len(shape) == 1:
        values = c.values(0)
        c.put(0, values=[values[index] for index in c.ints(1)])


@rule("GatherElements")
def gather_elements(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(0, shape=c.shape(1))


@rule("GatherND", "com.microsoft::GatherND")
def gather_nd(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shape, indices = c.shape(0), c.shape(1)
    depth = indices[-1]
    if depth is None:
        raise Unknown
    c.put(0, shape=indices[:-1] + shape[c.attr_int("batch_dims", 0) + depth :])


@rule("Squeeze")
def squeeze(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(0, values=c.value(0).values)
    shape = c.shape(0)
    axes = c.ints(1) if c.has(1) else c.attr_ints("axes")
    if axes is None:
        if None in shape:
            raise Unknown
        c.put(0, shape=[dim for dim in shape if dim != 1])
        return
    gone = {c.axis(axis, len(shape)) for axis in axes}
    c.put(0, shape=[dim for i, dim in enumerate(shape) if i not in gone])


@rule("Unsqueeze")
def unsqueeze(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(0, values=c.value(0).values)
    shape, axes = c.shape(0), c.ints(1) if c.has(1) else c.attr_ints("axes") or ()
    rank = len(shape) + len(axes)
    new = {c.axis(axis, rank) for axis in axes}
    if len(new & set(range(rank))) != len(axes):  # one axis twice, or beyond: no Unsqueeze
        raise Unknown
    dims = iter(shape)
    c.put(0, shape=[1 if i in new else next(dims) for i in range(rank)])


@rule("Expand")
def expand(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    (rank,) = c.shape(1)
    if c.value(1).values is None and rank is None:
        raise Unknown
    target = (None,) * (rank or 0) if c.value(1).values is None else c.ints_or_none(1)
    shape = broadcast(c.shape(0), target)
    c.put(0, shape=shape)
    size, values = product(shape), c.values(0)
    if size is not None and size <= MOST_VALUES and len(values) == 1:
        c.put(0, values=values * size)


@rule("Tile")
def tile(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shape = c.shape(0)
    c.put(0, shape=(None,) * len(shape))
    if c.since == 1:
        raise Unknown
    pairs = zip(shape, c.ints_or_none(1), strict=True)
    c.put(0, shape=[None if dim is None or times is None else dim * times for dim, times in pairs])


@rule("Pad")
def pad(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    shape = c.shape(0)
    c.put(0, shape=(None,) * len(shape))
    if c.since >= 11:
        pads = c.ints_or_none(1)
    else:
        pads = c.attr_ints("pads" if c.since > 1 else "paddings") or ()
    axes = c.ints(3) if c.has(3) else tuple(range(len(shape)))
    n = len(axes)
    if len(pads) != 2 * n:
        raise Unknown
    out = list(shape)
    for i, axis in enumerate(axes):
        parts = (shape[axis], pads[i], pads[n + i])
        out[axis] = None if None in parts else sum(part for part in parts if part is not None)
    c.put(0, shape=out)


@rule("Split")
def split(c: Call) -> None:
    for i in range(len(c.out)):
        c.put(i, dtype=c.dtype(0))
    shape = c.shape(0)
    axis = c.axis(c.attr_int("axis", 0), len(shape))
    for i in range(len(c.out)):
        c.put(i, shape=(*shape[:axis], None, *shape[axis + 1 :]))
    sizes: Shape = c.ints_or_none(1) if c.has(1) else _parts(c, shape[axis])
    start = 0
    for i, size in enumerate(sizes):
        c.put(i, shape=(*shape[:axis], size, *shape[axis + 1 :]))
    if len(shape) == 1:
        for i, size in enumerate(_all_known(sizes)):
            c.put(i, values=c.values(0)[start : start + size])
            start += size


def _all_known(sizes: Shape) -> list[int]:
    known = [size for size in sizes if size is not None]
    if len(known) != len(sizes):
        raise Unknown
    return known


def _parts(c: Call, dim: int | None) -> Shape:
    given = c.attr_ints("split")
    count = c.attr_int("num_outputs", len(c.out))
    if given:
        return given
    if dim is None or count < 1 or count > len(c.out):
        raise Unknown
    chunk = -(-dim // count)
    if c.since < 18 and dim % count:
        raise Unknown
    return (*(chunk,) * (count - 1), dim - chunk * (count - 1))


@rule("TopK")
def top_k(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    c.put(1, dtype="int64")
    out = list(c.shape(0))
    axis = c.axis(c.attr_int("axis", -1), len(out))
    if c.since < 10:
        out[axis] = c.attr_int("k")
    else:
        out[axis] = c.ints_or_none(1)[0] if c.value(1).values else None
    c.put(0, shape=out)
    c.put(1, shape=out)


@rule("NonZero")
def non_zero(c: Call) -> None:
    c.put(0, dtype="int64", shape=(None, None))
    c.put(0, shape=(c.rank(0) or None, None))


@rule("OneHot")
def one_hot(c: Call) -> None:
    c.put(0, dtype=c.dtype(2))
    indices = c.shape(0)
    axis = c.axis(c.attr_int("axis", -1), len(indices) + 1)
    depth: Number | None = (c.value(1).values or (None,))[0]
    c.put(0, shape=(*indices[:axis], int(depth) if depth is not None else None, *indices[axis:]))


@rule("ConstantOfShape")
def constant_of_shape(c: Call) -> None:
    fill = c.attrs.get("value")
    c.put(0, dtype=fill.dtype if fill is not None else "float32")
    (rank,) = c.shape(0)
    c.put(0, shape=(None,) * rank if rank is not None else None)
    shape = c.ints_or_none(0)
    c.put(0, shape=shape)
    size = product(shape)
    value = (0.0,) if fill is None else few(fill.data)
    if size is not None and size <= MOST_VALUES and value:
        c.put(0, values=value[:1] * size)


@rule("Compress")
def compress(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    if c.attrs.get("axis") is None:
        c.put(0, shape=(None,))
        return
    out = list(c.shape(0))
    out[c.axis(c.attr_int("axis"), len(out))] = None
    c.put(0, shape=out)


@rule("Unique")
def unique(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))
    for i in range(1, 4):
        c.put(i, dtype="int64", shape=(None,))
    if c.attrs.get("axis") is None:
        c.put(0, shape=(None,))
        return
    out = list(c.shape(0))
    out[c.axis(c.attr_int("axis"), len(out))] = None
    c.put(0, shape=out)


@rule("com.microsoft::QLinearConcat")
def quantized_concat(c: Call) -> None:
    c.put(0, dtype=c.dtype(1))
    shapes = [c.shape(i) for i in range(2, len(c.inputs), 3)]
    axis = c.axis(c.attr_int("axis"), len(shapes[0]))
    merged: Shape | None = shapes[0]
    for shape in shapes[1:]:
        merged = merge(merged, shape)
    if merged is None:
        raise Unknown
    along = [shape[axis] for shape in shapes]
    total = None if None in along else sum(dim for dim in along if dim is not None)
    c.put(0, shape=(*merged[:axis], total, *merged[axis + 1 :]))
