"""Valid descriptions: cumulative sums, lookups, recurrent cells and the rest."""

from __future__ import annotations

from tflite_probes.dice import Dice, Json, base
from tflite_probes.elementwise import unary


@base("CUMSUM")
def cumsum(d: Dice) -> Json:
    return {
        **(one := unary(d)),
        "i": [*one["i"], d.numbers([d.axis(len(one["i"][0]["s"]))], shape=d.choice(([], [1])))],
        "a": {"exclusive": d.random() < 0.3, "reverse": d.random() < 0.3},
    }


@base("SHAPE")
def shape_(d: Dice) -> Json:
    shape, kind = d.shape(1, 4), d.choice(("int32", "int32", "int64"))
    return {"i": [d.tensor(d.dtype(), shape)], "o": [d.tensor(kind, [len(shape)], q=None)], "a": {"out_type": kind}}


@base("RANK")
def rank_(d: Dice) -> Json:
    return {"i": [d.tensor(d.dtype(), d.shape(1, 4))], "o": [d.tensor("int32", [], q=None)], "a": {}}


@base("FILL")
def fill(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 3)
    q = d.quantization(dtype)
    return {
        "i": [
            d.numbers(shape, d.choice(("int32", "int64"))),
            d.const(dtype, [], [1], q=q) if d.random() < 0.5 else d.tensor(dtype, [], q=q),
        ],
        "o": [d.tensor(dtype, shape, q=q)],
        "a": {},
    }


@base("ADD_N")
def add_n(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    return {"i": [d.tensor(dtype, shape) for _ in range(d.choice((1, 2, 3)))], "o": [d.tensor(dtype, shape)], "a": {}}


@base("ONE_HOT")
def one_hot(d: Dice) -> Json:
    shape = d.shape(1, 3)
    return {
        "i": [
            d.tensor("int32", shape, q=None),
            d.numbers([4], shape=[]),
            d.const("float32", [], [1]),
            d.const("float32", [], [0]),
        ],
        "o": [d.tensor("float32", [*shape, 4])],
        "a": {"axis": -1},
    }


@base("TOPK_V2")
def topk(d: Dice) -> Json:
    dtype, shape = d.dtype(), [*d.shape(1, 2), 8]
    return {
        "i": [d.tensor(dtype, shape), d.numbers([2], shape=[])],
        "o": [d.tensor(dtype, [*shape[:-1], 2]), d.tensor("int32", [*shape[:-1], 2], q=None)],
        "a": {},
    }


@base("RANGE")
def range_(d: Dice) -> Json:
    return {
        "i": [d.numbers([0], shape=[]), d.numbers([4], shape=[]), d.numbers([1], shape=[])],
        "o": [d.tensor("int32", [4], q=None)],
        "a": {},
    }


@base("WHERE")
def where(d: Dice) -> Json:
    shape = d.shape(1, 3)
    return {"i": [d.tensor("bool", shape)], "o": [d.tensor("int64", [2, len(shape)], q=None)], "a": {}}


@base("UNIQUE")
def unique(d: Dice) -> Json:
    return {
        "i": [d.tensor("int32", [5], q=None)],
        "o": [d.tensor("int32", [5], q=None), d.tensor("int32", [5], q=None)],
        "a": {"idx_out_type": "INT32"},
    }


@base("EMBEDDING_LOOKUP")
def embedding_lookup(d: Dice) -> Json:
    dtype = d.choice(("float32", "int8", "int8", "uint8"))
    return {"i": [d.numbers([0, 1]), d.const(dtype, [6, 4])], "o": [d.tensor(d.choice((dtype, "float32")), [2, 4])]}


@base("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(d: Dice) -> Json:
    dtype, shape = d.dtype(), d.shape(1, 4)
    q, kind = d.quantization(dtype), d.choice(("int32", "int64"))
    where = d.numbers([0] * len(shape), kind) if d.random() < 0.5 else d.tensor(kind, [len(shape)], q=None)
    return {
        "i": [d.tensor(dtype, shape, q=q), d.tensor(dtype, [d.randrange(1, x + 1) for x in shape], q=q), where],
        "o": [d.tensor(dtype, shape, q=q)],
        "a": {},
    }


@base("SVDF")
def svdf(d: Dice) -> Json:
    dtype = d.choice(("int8", "int8", "float32"))
    batch, depth, units, rank, memory = 1, d.choice((4, 8)), d.choice((2, 4)), d.choice((1, 2)), d.choice((2, 4))
    filters, state = units * rank, d.choice(("int16", "int16", "int8")) if dtype == "int8" else "float32"
    return {
        "i": [
            d.tensor(dtype, [batch, depth]),
            d.const(dtype, [filters, depth]),
            d.const(state, [filters, memory]),
            d.const("int32" if dtype == "int8" else "float32", [units], q=[0.001, 0] if dtype == "int8" else None),
            d.tensor(state, [batch, memory * filters], var=True),
        ],
        "o": [d.tensor(dtype, [batch, units])],
        "a": {"rank": rank, "fused_activation_function": d.choice(("NONE", "RELU"))},
    }


@base("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(d: Dice) -> Json:
    dtype = d.choice(("int8", "int8", "int16", "float32"))
    batch, time, depth, units = 1, d.choice((1, 2, 4)), d.choice((2, 4)), d.choice((2, 4))
    major, cifg = d.random() < 0.2, d.random() < 0.1
    kind = "float32" if dtype == "float32" else "int8"
    q = None if kind == "float32" else [0.01, 0]
    weights = [None if cifg and i == 0 else d.const(kind, [units, depth], q=q) for i in range(4)]
    weights += [None if cifg and i == 0 else d.const(kind, [units, units], q=q) for i in range(4)]
    peephole = [None] * 3 if d.random() < 0.9 else [d.const("int16" if q else kind, [units]) for _ in range(3)]
    bias_kind = {"float32": "float32", "int8": "int32", "int16": "int64"}[dtype]
    biases = [None if cifg and i == 0 else d.const(bias_kind, [units], q=[0.0001, 0] if q else None) for i in range(4)]
    out_q = [0.0078125, 0] if q else None
    states = [
        d.tensor(dtype, [batch, units], var=True, q=out_q),
        d.tensor("int16" if q else kind, [batch, units], var=True, q=[0.00048828125, 0] if q else None),
    ]
    norm = [None] * 4 if d.random() < 0.9 else [d.const("int16" if q else kind, [units]) for _ in range(4)]
    outer = [time, batch] if major else [batch, time]
    return {
        "i": [d.tensor(dtype, [*outer, depth]), *weights, *peephole, *biases, None, None, *states, *norm],
        "o": [d.tensor(dtype, [*outer, units], q=out_q)],
        "m": [d.tensor("int16", [0]) for _ in range(4)] + [d.tensor("int8", [0])] if q else [],
        "a": {
            "fused_activation_function": "TANH",
            "cell_clip": d.choice((0.0, 10.0)),
            "proj_clip": 0.0,
            "time_major": major,
        },
    }


@base("CONV_3D")
def conv_3d(d: Dice) -> Json:
    return {
        "i": [d.tensor("float32", [1, 4, 4, 4, 2]), d.const("float32", [1, 1, 1, 2, 4])],
        "o": [d.tensor("float32", [1, 4, 4, 4, 4])],
        "a": {"padding": "SAME", "stride_d": 1, "stride_h": 1, "stride_w": 1, "fused_activation_function": "NONE"},
    }


@base("LOCAL_RESPONSE_NORMALIZATION")
def lrn(d: Dice) -> Json:
    shape = d.image()
    return {
        "i": [d.tensor("float32", shape)],
        "o": [d.tensor("float32", shape)],
        "a": {"radius": 2, "bias": 1.0, "alpha": 1.0, "beta": 0.5},
    }


@base("REVERSE_SEQUENCE")
def reverse_sequence(d: Dice) -> Json:
    return {
        "i": [d.tensor(d.dtype(), [2, 4, 3]), d.numbers([1, 2])],
        "o": [d.tensor("float32", [2, 4, 3])],
        "a": {"seq_dim": 1, "batch_dim": 0},
    }


@base("MATRIX_DIAG", "SEGMENT_SUM", "BITCAST", "CUSTOM:Mystery", "RIGHT_SHIFT", "BITWISE_XOR", "NON_MAX_SUPPRESSION_V4")
def others(d: Dice, op: str) -> Json:
    dtype = d.dtype()
    first = d.tensor(dtype, [2, 3])
    two = op in ("RIGHT_SHIFT", "BITWISE_XOR")
    ins = [first, d.tensor(dtype, [2, 3])] if two else [first, d.numbers([0, 1])] if op == "SEGMENT_SUM" else [first]
    return {"i": ins, "o": [d.tensor(dtype, [2, 3])], "a": None if op.startswith("CUSTOM") else {}}
