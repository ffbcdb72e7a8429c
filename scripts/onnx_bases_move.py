"""Valid random descriptions of the operators that move, cut and reduce; `onnx_bases` has the others and the dice."""

from __future__ import annotations

from onnx_bases import Dice, Json, base, numbers


@base("Concat")
def concat(d: Dice) -> Json:
    shape = d.shape(1, 5)
    axis = d.randrange(-len(shape), len(shape))
    parts = []
    for _ in range(d.choice((1, 2, 2, 2, 3, 4))):
        own = list(shape)
        own[axis] = d.dim()
        parts.append(d.weight(*own) if d.odds(0.15) else {"s": own})
    return {"a": {"axis": axis}, "i": parts}


@base("Split")
def split(d: Dice) -> Json:
    shape = d.shape(1, 4)
    axis, parts = d.randrange(-len(shape), len(shape)), d.choice((2, 2, 3))
    sizes = [d.choice((1, 2, 4)) for _ in range(parts)] if d.odds(0.5) else [d.choice((1, 2, 4))] * parts
    shape[axis] = sum(sizes)
    return {"a": {"axis": axis}, "i": [{"s": shape}, numbers(sizes)], "o": [{}] * parts}


@base("Slice")
def slice_(d: Dice) -> Json:
    shape = d.shape(1, 5)
    axes = sorted(d.sample(range(len(shape)), d.randint(1, len(shape))))
    starts = [d.choice((0, 0, 1, -1, -shape[axis])) for axis in axes]
    ends = [d.choice((shape[axis], (1 << 63) - 1, 2**31 - 1, shape[axis] - 1)) for axis in axes]
    steps = [d.choice((1, 1, 1, 2)) for _ in axes]
    return {"i": [{"s": shape}, numbers(starts), numbers(ends), numbers(axes), *d.maybe(numbers(steps), 0.6)]}


@base("Reshape")
def reshape(d: Dice) -> Json:
    shape = d.shape(1, 5)
    sizes = d.choice((shape[::-1], [-1], [0, -1], [1, -1], [*shape, 1], [1, 1, -1, shape[-1]], [-1, shape[-1]]))
    return {"a": {"allowzero": d.choice((0, 1))} if d.odds(0.1) else {}, "i": [{"s": shape}, numbers(sizes)]}


@base("Transpose")
def transpose(d: Dice) -> Json:
    shape = d.shape(1, 6)
    return {"a": {"perm": d.sample(range(len(shape)), len(shape))} if d.odds(0.9) else {}, "i": [{"s": shape}]}


@base("Squeeze")
def squeeze(d: Dice) -> Json:
    shape = d.shape(1, 4)
    axis = d.randrange(len(shape))
    shape[axis] = 1
    return {"i": [{"s": shape}, *d.maybe(numbers([d.choice((axis, axis - len(shape)))]), 0.85)]}


@base("Unsqueeze")
def unsqueeze(d: Dice) -> Json:
    shape = d.shape(0, 4)
    return {"i": [{"s": shape}, numbers(d.sample(range(len(shape) + 1), d.choice((1, 1, min(2, len(shape) + 1)))))]}


@base("Flatten")
def flatten(d: Dice) -> Json:
    shape = d.shape(1, 4)
    return {"a": {"axis": d.randint(-len(shape), len(shape))} if d.odds(0.7) else {}, "i": [{"s": shape}]}


@base("Expand")
def expand(d: Dice) -> Json:
    shape = d.shape(1, 4)
    return {"i": [{"s": [s if d.odds(0.6) else 1 for s in shape]}, numbers(shape)]}


@base("Tile")
def tile(d: Dice) -> Json:
    shape = d.shape(1, 4)
    return {"i": [{"s": shape}, numbers([d.choice((1, 1, 2, 3)) for _ in shape])]}


@base("Pad")
def pad(d: Dice) -> Json:
    shape = [max(2, size) for size in d.shape(1, 5)]
    a = {"mode": d.choice(("constant", "reflect", "edge", "wrap"))} if d.odds(0.6) else {}
    value = d.choice(([], [], [{"s": [], "c": [d.choice((0.0, 1.0))]}]))
    return {"a": a, "i": [{"s": shape}, numbers([d.choice((0, 0, 1)) for _ in range(2 * len(shape))]), *value]}


@base("Gather")
def gather(d: Dice) -> Json:
    shape = d.shape(1, 4)
    axis = d.randrange(-len(shape), len(shape))
    index = d.choice(([], [1], [2], [1, 3]))
    count = 1
    for size in index:
        count *= size
    picked: Json = {"t": d.choice(("int64", "int32")), "s": index}
    if d.odds(0.6):
        picked["c"] = [d.randrange(shape[axis]) for _ in range(count)]
    return {
        "a": {"axis": axis} if d.odds(0.8) else {},
        "i": [d.weight(*shape) if d.odds(0.2) else {"s": shape}, picked],
    }


@base("GatherElements")
def gather_elements(d: Dice) -> Json:
    shape = d.shape(1, 4)
    return {"a": {"axis": d.randrange(-len(shape), len(shape))}, "i": [{"s": shape}, {"t": "int64", "s": shape}]}


@base("ArgMax", "ArgMin")
def arg_max(d: Dice) -> Json:
    shape = d.shape(1, 4)
    a: Json = {"axis": d.randrange(-len(shape), len(shape))} if d.odds(0.8) else {}
    a |= {key: d.choice((0, 1)) for key in ("keepdims", "select_last_index") if d.odds(0.4)}
    return {"a": a, "i": [{"s": shape}], "o": [{"t": "int64"}]}


@base("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
      "ReduceLogSum", "ReduceLogSumExp")  # fmt: skip
def reduce(d: Dice) -> Json:
    shape = d.shape(1, 5)
    axes = d.sample(range(len(shape)), d.randint(1, len(shape)))
    a = {"keepdims": d.choice((0, 1))} if d.odds(0.7) else {}
    return {"a": a, "i": [{"s": shape}, *d.maybe(numbers([axis - len(shape) * d.odds(0.4) for axis in axes]), 0.85)]}


@base("TopK")
def top_k(d: Dice) -> Json:
    shape = d.shape(1, 4)
    axis = d.randrange(-len(shape), len(shape))
    a = {"axis": axis} | {key: d.choice((0, 1)) for key in ("largest", "sorted") if d.odds(0.3)}
    count = numbers([d.randint(1, shape[axis])])
    return {"a": a, "i": [{"s": shape}, count], "o": [{}, {"t": "int64"}]}


@base("Resize")
def resize(d: Dice) -> Json:
    shape = [1, d.choice((1, 3, 8)), d.choice((4, 8)), d.choice((4, 8))]
    a: Json = {"mode": d.choice(("nearest", "nearest", "linear", "linear", "cubic"))}
    if d.odds(0.7):
        modes = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
        a["coordinate_transformation_mode"] = d.choice(modes)
    if a["mode"] == "nearest" and d.odds(0.6):
        a["nearest_mode"] = d.choice(("floor", "round_prefer_floor", "ceil", "round_prefer_ceil"))
    none = {"t": "float32", "s": [0], "c": []} if d.odds(0.3) else None
    scale = d.choice((2.0, 2.0, 0.5, 1.5, 3.0))
    if d.odds(0.55):
        return {"a": a, "i": [{"s": shape}, none, numbers([1.0, 1.0, scale, scale], "float32")]}
    return {"a": a, "i": [{"s": shape}, none, None, numbers([*shape[:2], 2 * shape[2], 2 * shape[3]])]}


@base("Upsample")
def upsample(d: Dice) -> Json:
    return {"a": {"mode": d.choice(("nearest", "linear"))}, "i": [{"s": [1, 3, 4, 4]}, numbers([1.0, 1.0, 2.0, 2.0], "float32")],
            "opset": 9}  # fmt: skip
