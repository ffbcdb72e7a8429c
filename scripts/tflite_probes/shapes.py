"""Valid descriptions: operators that move values about."""

from __future__ import annotations

from tflite_probes.dice import FAF, Dice, Json, base


@base("RESHAPE")
def reshape(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 5 if d.random() < 0.1 else 4)
    flat = [1, 1]
    for dim in shape:
        flat[1] *= dim
    out = d.choice((flat, list(reversed(shape)), [*shape, 1], [flat[1]]))
    t = d.tensor(dtype, shape)
    params = d.choice(([d.numbers(out)], [d.numbers(out)], [], [d.tensor("int32", [len(out)], q=None)]))
    return {
        "i": [t, *params],
        "o": [d.tensor(dtype, out, q=t.get("q"))],
        "a": {"new_shape": out} if d.random() < 0.7 or not params else {},
    }


@base("SQUEEZE")
def squeeze(d: Dice) -> Json:
    dtype, shape = d.dtype(), [1, *d.shape(1, 3)]
    t = d.tensor(dtype, shape)
    return {"i": [t], "o": [d.tensor(dtype, shape[1:], q=t.get("q"))], "a": {"squeeze_dims": [0]}}


@base("EXPAND_DIMS")
def expand_dims(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    axis = d.randrange(len(shape) + 1)
    t = d.tensor(dtype, shape)
    return {
        "i": [t, d.numbers([axis], shape=d.choice(([], [1])))],
        "o": [d.tensor(dtype, [*shape[:axis], 1, *shape[axis:]], q=t.get("q"))],
        "a": {},
    }


@base("TRANSPOSE")
def transpose(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 6 if d.random() < 0.15 else 4)
    perm = list(range(len(shape)))
    if d.random() < 0.85:
        d.shuffle(perm)
    t = d.tensor(dtype, shape)
    return {"i": [t, d.numbers(perm)], "o": [d.tensor(dtype, [shape[p] for p in perm], q=t.get("q"))], "a": {}}


@base("CONCATENATION")
def concatenation(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 5 if d.random() < 0.08 else 4)
    axis, count = d.axis(len(shape)), d.choice((1, 2, 2, 2, 3, 5, 6))
    t = d.tensor(dtype, shape)
    q = t.get("q")
    same = d.random() < 0.7
    parts = [t] + [
        (d.const if d.random() < 0.2 else d.tensor)(dtype, shape, **({"q": q} if same and q else {}))
        for _ in range(count - 1)
    ]
    out = list(shape)
    out[axis] *= count
    return {
        "i": parts,
        "o": [d.tensor(dtype, out, q=q) if same and q else d.tensor(dtype, out)],
        "a": {"axis": axis, "fused_activation_function": d.choice(FAF)},
    }


@base("PACK")
def pack(d: Dice) -> Json:
    dtype, shape, count = d.dtype(), d.shape(1, 3), d.choice((1, 2, 3))
    axis = d.randrange(len(shape) + 1)
    q = d.quantization(dtype)
    return {
        "i": [d.tensor(dtype, shape, q=q) for _ in range(count)],
        "o": [d.tensor(dtype, [*shape[:axis], count, *shape[axis:]], q=q)],
        "a": {"values_count": count, "axis": axis},
    }


@base("UNPACK")
def unpack(d: Dice) -> Json:
    dtype, shape = d.dtype(), [min(x, 5) for x in d.shape(2, 4)]
    axis, q = d.randrange(len(shape)), d.quantization(dtype)
    rest = [*shape[:axis], *shape[axis + 1 :]]
    return {
        "i": [d.tensor(dtype, shape, q=q)],
        "o": [d.tensor(dtype, rest, q=q) for _ in range(shape[axis])],
        "a": {"num": shape[axis], "axis": axis},
    }


@base("SPLIT")
def split(d: Dice) -> Json:
    dtype, shape, count = d.dtype(), d.shape(1, 4), d.choice((1, 2, 2, 3))
    axis, q = d.axis(len(shape)), d.quantization(dtype)
    part = list(shape)
    shape[axis] *= count
    return {
        "i": [d.numbers([axis], shape=d.choice(([], [1]))), d.tensor(dtype, shape, q=q)],
        "o": [d.tensor(dtype, part, q=q) for _ in range(count)],
        "a": {"num_splits": count},
    }


@base("SPLIT_V")
def split_v(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    axis, q, sizes = (
        d.axis(len(shape)),
        d.quantization(dtype),
        [d.choice((1, 2, 3)) for _ in range(d.choice((1, 2, 3)))],
    )
    shape[axis] = sum(sizes)
    outs = []
    for size in sizes:
        part = list(shape)
        part[axis] = size
        outs.append(d.tensor(dtype, part, q=q))
    stated = [-1, *sizes[1:]] if d.random() < 0.3 else sizes
    return {
        "i": [d.tensor(dtype, shape, q=q), d.numbers(stated), d.numbers([axis], shape=d.choice(([], [1])))],
        "o": outs,
        "a": {"num_splits": len(sizes)},
    }


@base("SLICE")
def slice_(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 5 if d.random() < 0.1 else 4)
    begin = [d.randrange(x) for x in shape]
    size = [d.randrange(1, x - b + 1) for x, b in zip(shape, begin)]
    kind, q = d.choice(("int32", "int32", "int64")), d.quantization(dtype)
    stated = [-1 if d.random() < 0.1 and b + s == x else s for x, b, s in zip(shape, begin, size)]
    return {
        "i": [d.tensor(dtype, shape, q=q), d.numbers(begin, kind), d.numbers(stated, kind)],
        "o": [d.tensor(dtype, size, q=q)],
        "a": {},
    }


@base("STRIDED_SLICE")
def strided_slice(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 5 if d.random() < 0.08 else 4)
    rank, q = len(shape), d.quantization(dtype)
    begin = [d.randrange(x) for x in shape]
    end = [d.randrange(b + 1, x + 1) for x, b in zip(shape, begin)]
    strides = [
        d.choice((1, 1, 1, 2)) if i in (rank - 2, rank - 3) else d.choice((1, 1, 1, 1, 1, 1, 2)) for i in range(rank)
    ]
    masks = {
        m: d.randrange(1 << rank) if d.random() < p else 0
        for m, p in (("begin_mask", 0.35), ("end_mask", 0.35), ("shrink_axis_mask", 0.2))
    }
    if d.random() < 0.06:
        masks[d.choice(("ellipsis_mask", "new_axis_mask"))] = 1 << d.randrange(rank)
    out = []
    for i in range(rank):
        b = 0 if masks["begin_mask"] >> i & 1 else begin[i]
        e = shape[i] if masks["end_mask"] >> i & 1 else end[i]
        if not masks["shrink_axis_mask"] >> i & 1:
            out.append(max(-(-(e - b) // strides[i]), 1))
    begin = [b - x if d.random() < 0.08 else b for b, x in zip(begin, shape)]
    return {
        "i": [d.tensor(dtype, shape, q=q), d.numbers(begin), d.numbers(end), d.numbers(strides)],
        "o": [d.tensor(dtype, out, q=q)],
        "a": {"ellipsis_mask": 0, "new_axis_mask": 0, **masks},
    }


@base("PAD", "PADV2", "MIRROR_PAD")
def pad(d: Dice, op: str) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 5 if d.random() < 0.08 else 4)
    most = 1 if op == "MIRROR_PAD" else 3
    pads = [[d.randrange(min(most, x - 1) + 1) if d.random() < 0.6 else 0 for _ in (0, 1)] for x in shape]
    if d.random() < 0.6 and len(shape) > 2:
        pads[0], pads[-1] = [0, 0], [0, 0]
    q = d.quantization(dtype)
    out = [x + a + b for x, (a, b) in zip(shape, pads)]
    kind = d.choice(("int32", "int32", "int32", "int64"))
    params = [{"t": kind, "s": [len(shape), 2], "c": [v for pair in pads for v in pair]}]
    if op == "PADV2":
        params.append(d.const(dtype, d.choice(([1], [])), [1], q=q))
    return {
        "i": [d.tensor(dtype, shape, q=q), *params],
        "o": [d.tensor(dtype, out, q=q)],
        "a": {"mode": d.choice(("REFLECT", "SYMMETRIC"))} if op == "MIRROR_PAD" else {},
    }
