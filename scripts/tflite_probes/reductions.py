"""Valid descriptions: reductions, resizing, gathering, broadcasting, selection."""

from __future__ import annotations

from tflite_probes.dice import Dice, Json, base


@base("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL")
def reduce(d: Dice, op: str) -> Json:
    dtype, shape = "bool" if op in ("REDUCE_ANY", "REDUCE_ALL") else d.dtype(), d.shape(1, 4)
    rank = len(shape)
    axes = d.choice(
        (
            [1, 2] if rank == 4 else [0],
            sorted(d.sample(range(rank), d.randrange(1, rank + 1))),
            [d.axis(rank)],
            [rank - 1],
        )
    )
    keep = d.random() < 0.5
    hit = {a % rank for a in axes}
    out = [1 if i in hit else x for i, x in enumerate(shape) if keep or i not in hit]
    axis = d.numbers(axes, shape=[] if len(axes) == 1 and d.random() < 0.4 else None)
    t = d.tensor(dtype, shape)
    q = t.get("q") if d.random() < 0.5 else d.quantization(dtype)
    return {"i": [t, axis], "o": [d.tensor(dtype, out, q=q)], "a": {"keep_dims": keep}}


@base("ARG_MAX", "ARG_MIN")
def arg(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    if d.random() < 0.2:
        shape[-1] = d.choice((126, 127, 128, 200))
    axis = d.choice((len(shape) - 1, -1, d.axis(len(shape))))
    kind = d.choice(("int32", "int32", "int64"))
    out = [x for i, x in enumerate(shape) if i != axis % len(shape)]
    return {
        "i": [d.tensor(dtype, shape), d.numbers([axis], d.choice(("int32", "int32", "int64")), d.choice(([], [1])))],
        "o": [d.tensor(kind, out, q=None)],
        "a": {"output_type": kind},
    }


@base("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def resize(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.image()
    fh, fw = d.choice(((2, 2), (2, 2), (4, 4), (8, 8), (1, 1), (3, 3), (1, 2), (2, 4), (16, 16)))
    corners, half = d.choice(((False, False), (False, True), (True, False), (True, True)))
    out = [shape[1] * fh, shape[2] * fw]
    if corners and d.random() < 0.7:
        out = [(shape[1] - 1) * fh + 1, (shape[2] - 1) * fw + 1]
    if d.random() < 0.1:
        out = [max(out[0] - 1, 1), out[1] + 1]
    q = d.quantization(dtype)
    return {
        "i": [d.tensor(dtype, shape, q=q), d.numbers(out)],
        "o": [d.tensor(dtype, [shape[0], *out, shape[3]], q=q)],
        "a": {"align_corners": corners, "half_pixel_centers": half},
    }


@base("GATHER")
def gather(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    axis = d.randrange(len(shape))
    batch = d.choice((0, 0, 0, axis))
    index = [*shape[:batch], *[d.choice((1, 2, 3)) for _ in range(d.choice((0, 1, 1, 2)))]]
    kind, q = d.choice(("int32", "int32", "int64", "int16")), d.quantization(dtype)
    out = [*shape[:axis], *index[batch:], *shape[axis + 1 :]]
    where = d.const(kind, index, {"f": 0}, q=None) if d.random() < 0.6 else d.tensor(kind, index, q=None)
    return {
        "i": [(d.const if d.random() < 0.2 else d.tensor)(dtype, shape, q=q), where],
        "o": [d.tensor(dtype, out, q=q)],
        "a": {"axis": axis, "batch_dims": batch},
    }


@base("GATHER_ND")
def gather_nd(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    depth, count, q = d.randrange(1, len(shape) + 1), d.choice((1, 2, 3)), d.quantization(dtype)
    kind = d.choice(("int32", "int32", "int64", "int16"))
    return {
        "i": [d.tensor(dtype, shape, q=q), d.const(kind, [count, depth], {"f": 0}, q=None)],
        "o": [d.tensor(dtype, [count, *shape[depth:]], q=q)],
        "a": {},
    }


@base("SCATTER_ND")
def scatter_nd(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 3)
    depth = d.choice((1, 1, len(shape)))
    count, q = min(d.choice((1, 2)), shape[0]), d.quantization(dtype)
    index = [i if j == 0 else 0 for i in range(count) for j in range(depth)]
    return {
        "i": [d.numbers(index, shape=[count, depth]), d.tensor(dtype, [count, *shape[depth:]], q=q), d.numbers(shape)],
        "o": [d.tensor(dtype, shape, q=q)],
        "a": {},
    }


@base("TILE")
def tile(d: Dice) -> Json:
    dtype, shape, q = d.dtype(), d.shape(1, 4), None
    q, times = d.quantization(dtype), [d.choice((1, 1, 2, 3)) for _ in shape]
    return {
        "i": [d.tensor(dtype, shape, q=q), d.numbers(times)],
        "o": [d.tensor(dtype, [a * b for a, b in zip(shape, times)], q=q)],
        "a": {},
    }


@base("BROADCAST_TO")
def broadcast_to(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    small, q = [x if d.random() < 0.5 else 1 for x in shape], d.quantization(dtype)
    return {"i": [d.tensor(dtype, small, q=q), d.numbers(shape)], "o": [d.tensor(dtype, shape, q=q)], "a": {}}


@base("BROADCAST_ARGS")
def broadcast_args(d: Dice) -> Json:
    kind, n = d.choice(("int32", "int64")), d.choice((1, 2, 3))
    make = d.numbers if d.random() < 0.6 else lambda v, k: d.tensor(k, [len(v)], q=None)
    return {"i": [make([1] * n, kind), make([2] * n, kind)], "o": [d.tensor(kind, [n], q=None)]}


@base("REVERSE_V2")
def reverse_v2(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    q, axes = d.quantization(dtype), [d.axis(len(shape))] if d.random() < 0.9 else []
    return {"i": [d.tensor(dtype, shape, q=q), d.numbers(axes or [0])], "o": [d.tensor(dtype, shape, q=q)], "a": {}}


@base("SELECT_V2", "SELECT")
def select(d: Dice, op: str) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    q = d.quantization(dtype)
    condition = d.broadcastable(shape) if op == "SELECT_V2" else shape
    return {
        "i": [
            d.tensor("bool", condition),
            d.tensor(dtype, shape, q=q),
            d.tensor(dtype, shape if op == "SELECT" else d.broadcastable(shape), q=q),
        ],
        "o": [d.tensor(dtype, shape, q=q)],
        "a": {},
    }


@base("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def depth_space(d: Dice, op: str) -> Json:
    dtype, shape, block = d.dtype(), d.image(), d.choice((2, 2, 3))
    big, small = [shape[0], shape[1] * block, shape[2] * block, shape[3]], [*shape[:3], shape[3] * block * block]
    q = d.quantization(dtype)
    pair = (big, small) if op == "SPACE_TO_DEPTH" else (small, big)
    return {"i": [d.tensor(dtype, pair[0], q=q)], "o": [d.tensor(dtype, pair[1], q=q)], "a": {"block_size": block}}


@base("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")
def batch_space(d: Dice, op: str) -> Json:
    dtype, shape = d.dtype(), d.image()
    shape[0], q, block = 1, d.quantization(dtype), 2
    if d.random() < 0.2:
        shape = [1, shape[1], shape[3]]
    spatial = len(shape) - 2
    big = [shape[0], *[x * block for x in shape[1:-1]], shape[-1]]
    small = [shape[0] * block**spatial, *shape[1:]]
    pair = (big, small) if op == "SPACE_TO_BATCH_ND" else (small, big)
    return {
        "i": [
            d.tensor(dtype, pair[0], q=q),
            d.numbers([block] * spatial),
            d.numbers([0] * 2 * spatial, shape=[spatial, 2]),
        ],
        "o": [d.tensor(dtype, pair[1], q=q)],
        "a": {},
    }
