"""Run in an environment that has LiteRT: `python tflite_rewrites.py FOLDER`.

Every TFLite rewrite on described one-operator files: prints, as JSON lines, what became of each and the largest difference.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgecheck.model.formats.tflite import read
from edgecheck.oracles import tflite_probe
from edgecheck.rewrites import tflite as plugin
from edgecheck.runtimes import litert


def t(*shape, dtype="float32", **more):
    return {"t": dtype, "s": list(shape), **more}


def c(values, dtype="int32"):
    flat = np.asarray(values)
    return {"t": dtype, "s": list(flat.shape), "c": flat.reshape(-1).tolist()}


I8 = {"dtype": "int8", "q": [0.05, 3]}
CONV = {
    "padding": "VALID",
    "stride_w": 1,
    "stride_h": 1,
    "dilation_w_factor": 1,
    "dilation_h_factor": 1,
    "fused_activation_function": "NONE",
}
RNG = np.random.default_rng(5)
KERNEL = {"t": "float32", "s": [4, 3, 3, 2], "c": RNG.standard_normal(72).round(3).tolist()}
PLAIN = {"fused_activation_function": "NONE"}
FULL = {
    "fused_activation_function": "NONE",
    "weights_format": "DEFAULT",
    "keep_num_dims": False,
    "asymmetric_quantize_inputs": False,
}
WEIGHTS = {"t": "float32", "s": [4, 3], "c": RNG.standard_normal(12).round(3).tolist()}
WEIGHTS8 = {"t": "int8", "s": [4, 3], "q": [0.02, 0], "c": RNG.integers(-127, 127, 12).tolist()}
BIAS = {"t": "float32", "s": [4], "c": [0.1, -0.2, 0.3, 0.0]}


def dilated(padding, rows, columns, size):
    a = {**CONV, "padding": padding, "dilation_h_factor": rows, "dilation_w_factor": columns}
    h, w = (size, size) if padding == "SAME" else (size - 2 * rows, size - 2 * columns)
    return {"op": "CONV_2D", "v": 2, "a": a, "i": [t(1, size, size, 2), KERNEL, BIAS], "o": [t(1, h, w, 4)]}


#: (rewrite, description, whether it fits; "apart": so it does, with a buffer behind the flatbuffer)
CASES = [
    ("hard-swish-as-relu6", {"op": "HARD_SWISH", "i": [t(1, 4, 8)], "o": [t(1, 4, 8)]}, True),
    ("hard-swish-as-relu6", {"op": "HARD_SWISH", "i": [t(1, 8, **I8)], "o": [t(1, 8, **I8)]}, False),
    ("gelu-as-tanh", {"op": "GELU", "a": {"approximate": True}, "i": [t(1, 8)], "o": [t(1, 8)]}, True),
    ("gelu-as-tanh", {"op": "GELU", "a": {"approximate": False}, "i": [t(1, 8)], "o": [t(1, 8)]}, False),
    ("square-as-product", {"op": "SQUARE", "i": [t(1, 8)], "o": [t(1, 8)]}, True),
    ("squared-difference-by-parts", {"op": "SQUARED_DIFFERENCE", "i": [t(1, 8), t(1, 8)], "o": [t(1, 8)]}, True),
    ("power-as-product", {"op": "POW", "i": [t(1, 8), c(2.0, "float32")], "o": [t(1, 8)]}, True),
    ("power-as-product", {"op": "POW", "i": [t(1, 8), c(3.0, "float32")], "o": [t(1, 8)]}, False),
    ("negation-as-product", {"op": "NEG", "i": [t(1, 8)], "o": [t(1, 8)]}, True),
    ("leaky-relu-as-max", {"op": "LEAKY_RELU", "a": {"alpha": 0.25}, "i": [t(1, 8)], "o": [t(1, 8)]}, True),
    ("leaky-relu-as-max", {"op": "LEAKY_RELU", "a": {"alpha": 1.5}, "i": [t(1, 8)], "o": [t(1, 8)]}, False),
    ("division-as-product", {"op": "DIV", "i": [t(2, 4), c([2.0, 3.0, 5.0, 7.0], "float32")], "o": [t(2, 4)]}, True),
    ("division-as-product", {"op": "DIV", "i": [t(2, 2), c([2.0, 0.0], "float32")], "o": [t(2, 2)]}, False),
    ("variadic-as-pairs", {"op": "ADD_N", "i": [t(2, 4)] * 3, "o": [t(2, 4)]}, True),
    ("mean-as-pool", {"op": "MEAN", "a": {"keep_dims": False}, "i": [t(1, 4, 5, 3), c([1, 2])], "o": [t(1, 3)]}, True),
    ("mean-as-pool", {"op": "MEAN", "a": {"keep_dims": True}, "i": [t(1, 4, 5, 3), c([1, 2])], "o": [t(1, 1, 1, 3)]}, True),
    ("mean-as-pool", {"op": "MEAN", "a": {"keep_dims": True}, "i": [t(1, 4, 5, 3), c([1, 3])], "o": [t(1, 1, 5, 1)]}, False),
    ("mean-over-one-axis", {"op": "MEAN", "a": {"keep_dims": True}, "i": [t(1, 6, 4, 5), c([2, 3])], "o": [t(1, 6, 1, 1)]}, True),
    ("mean-over-one-axis", {"op": "MEAN", "v": 2, "a": {"keep_dims": False}, "i": [t(2, 6, 4, 5, **I8), c([-1, 2])], "o": [t(2, 6, **I8)]}, True),
    ("mean-over-one-axis", {"op": "MEAN", "a": {"keep_dims": False}, "i": [t(2, 6, 4), c([0, 2])], "o": [t(6)]}, False),
    ("mean-over-one-axis", {"op": "MEAN", "a": {"keep_dims": False}, "i": [t(2, 6, 4), c([1])], "o": [t(2, 4)]}, False),
    ("log-softmax-by-parts", {"op": "LOG_SOFTMAX", "i": [t(2, 8)], "o": [t(2, 8)]}, True),
    ("l2-norm-by-parts", {"op": "L2_NORMALIZATION", "i": [t(2, 8)], "o": [t(2, 8)]}, True),
    ("zero-bias-added", {"op": "FULLY_CONNECTED", "a": FULL, "i": [t(2, 3), WEIGHTS, None], "o": [t(2, 4)]}, True),
    ("zero-bias-added", {"op": "FULLY_CONNECTED", "a": FULL, "i": [t(2, 3, **I8), WEIGHTS8, None], "o": [t(2, 4, **I8)]}, True),
    ("zero-bias-added", {"op": "FULLY_CONNECTED", "a": FULL, "i": [t(2, 3), WEIGHTS, BIAS], "o": [t(2, 4)]}, False),
    ("dilation-through-batches", dilated("VALID", 2, 2, 9), True),
    ("dilation-through-batches", dilated("VALID", 2, 3, 10), True),
    ("dilation-through-batches", dilated("SAME", 2, 2, 8), True),
    ("dilation-through-batches", dilated("SAME", 3, 2, 11), True),
    ("dilation-through-batches", dilated("VALID", 1, 1, 9), False),
    ("arg-max-by-halves", {"op": "ARG_MAX", "a": {"output_type": "int32"}, "i": [t(1, 3, 300), c(2)], "o": [t(1, 3, dtype="int32")]}, True),
    ("arg-max-by-halves", {"op": "ARG_MAX", "a": {"output_type": "int32"}, "i": [t(2, 128, **I8), c(-1)], "o": [t(2, dtype="int32")]}, True),
    ("arg-max-by-halves", {"op": "ARG_MAX", "a": {"output_type": "int32"}, "i": [t(2, 127), c(1)], "o": [t(2, dtype="int32")]}, False),
    ("reshape-instead", {"op": "EXPAND_DIMS", "i": [t(2, 4, **I8), c(1)], "o": [t(2, 1, 4, **I8)]}, True),
    ("reshape-instead", {"op": "SQUEEZE", "a": {"squeeze_dims": [1]}, "i": [t(2, 1, 4)], "o": [t(2, 4)]}, True),
    ("pack-as-concatenation", {"op": "PACK", "a": {"axis": 1, "values_count": 2}, "i": [t(2, 4)] * 2, "o": [t(2, 2, 4)]}, True),
    ("unpack-as-slices", {"op": "UNPACK", "a": {"axis": 1, "num": 2}, "i": [t(3, 2, **I8)], "o": [t(3, **I8)] * 2}, True),
    ("split-as-slices", {"op": "SPLIT", "a": {"num_splits": 2}, "i": [c(1), t(2, 6)], "o": [t(2, 3)] * 2}, True),
    ("split-as-strided-slices", {"op": "SPLIT", "a": {"num_splits": 3}, "i": [c(-1), t(2, 6, **I8)], "o": [t(2, 2, **I8)] * 3}, True),
    ("split-as-slices", {"op": "SPLIT_V", "a": {"num_splits": 2}, "i": [t(2, 6), c([1, 5]), c(1)], "o": [t(2, 1), t(2, 5)]}, True),
    (
        "strided-slice-as-slice",
        {"op": "STRIDED_SLICE", "a": {"shrink_axis_mask": 2, "begin_mask": 1, "end_mask": 1, "ellipsis_mask": 0, "new_axis_mask": 0},
         "i": [t(2, 6, 3), c([0, -2, 1]), c([0, -1, 3]), c([1, 1, 1])], "o": [t(2, 2)]},
        True,
    ),
    (
        "strided-slice-as-slice",
        {"op": "STRIDED_SLICE", "a": {"shrink_axis_mask": 0, "begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0},
         "i": [t(6), c([0]), c([6]), c([2])], "o": [t(3)]},
        False,
    ),
    ("transpose-as-reshape", {"op": "TRANSPOSE", "i": [t(1, 5, 3), c([1, 0, 2])], "o": [t(5, 1, 3)]}, True),
    ("transpose-as-reshape", {"op": "TRANSPOSE", "i": [t(2, 5, 3), c([1, 0, 2])], "o": [t(5, 2, 3)]}, False),
    ("ranks-made-equal", {"op": "ADD", "a": PLAIN, "i": [t(2, 3, 4), c(np.ones((3, 4)), "float32")], "o": [t(2, 3, 4)]}, True),
    (
        "ranks-made-equal",
        {"op": "ADD", "a": PLAIN, "i": [t(2, 3, 4), c(np.arange(12.0).reshape(3, 4), "float32")], "o": [t(2, 3, 4)]},
        "apart",
    ),
    ("ranks-made-equal", {"op": "MUL", "a": PLAIN, "i": [t(3, 4), t(2, 3, 4)], "o": [t(2, 3, 4)]}, True),
    ("ranks-made-equal", {"op": "ADD", "a": PLAIN, "i": [t(2, 3, 4, **I8), t(3, 4, **I8)], "o": [t(2, 3, 4, **I8)]}, True),
    ("ranks-made-equal", {"op": "ADD", "a": PLAIN, "i": [t(2, 4), t(2, 4)], "o": [t(2, 4)]}, False),
    ("ranks-made-equal", {"op": "ADD", "a": PLAIN, "i": [t(2, 4), c(1.0, "float32")], "o": [t(2, 4)]}, False),
    ("broadcast-as-tile", {"op": "BROADCAST_TO", "v": 2, "i": [t(1, 4), c([3, 4])], "o": [t(3, 4)]}, True),
    ("broadcast-as-tile", {"op": "BROADCAST_TO", "v": 2, "i": [t(4, 1), c([2, 4, 5])], "o": [t(2, 4, 5)]}, True),
    ("broadcast-as-tile", {"op": "BROADCAST_TO", "v": 2, "i": [t(4, **I8), c([1, 4])], "o": [t(1, 4, **I8)]}, True),
    ("lookup-as-gather", {"op": "EMBEDDING_LOOKUP", "i": [c([1, 0, 1]), {"t": "float32", "s": [2, 3]}], "o": [t(3, 3)]}, True),
    ("slice-in-four-dimensions", {"op": "SLICE", "i": [t(3, 1, 2, 5, 4), c([1, 0, 0, 0, 0]), c([1, 1, 2, 5, 4])], "o": [t(1, 1, 2, 5, 4)]}, True),
    ("slice-in-four-dimensions", {"op": "SLICE", "i": [t(2, 3, 2, 5, 4, **I8), c([0, 1, 0, 2, 0]), c([2, 2, 2, 3, 4])], "o": [t(2, 2, 2, 3, 4, **I8)]}, True),
    ("slice-in-four-dimensions", {"op": "SLICE", "i": [t(2, 3, 2, 5, 4), c([1, 1, 1, 2, 1]), c([1, 2, 1, 3, 3])], "o": [t(1, 2, 1, 3, 3)]}, False),
    ("slice-in-four-dimensions", {"op": "SLICE", "i": [t(2, 5, 4), c([1, 1, 1]), c([1, 2, 1])], "o": [t(1, 2, 1)]}, False),
]  # fmt: skip


def fresh(spec):
    """Tensors that stand twice in a list are two."""
    return {
        **spec,
        "i": [None if one is None else dict(one) for one in spec["i"]],
        "o": [dict(one) for one in spec["o"]],
    }


def inputs(path):
    made = {}
    for i, one in enumerate(litert.describe(path)["inputs"]):
        rng = np.random.default_rng(i)
        shape, dtype = one["shape"], one["dtype"]
        ties = rng.integers(-100, 100, shape) if dtype == "int8" else np.round(2 * rng.standard_normal(shape), 1)
        made[one["name"]] = ties.astype(dtype)
    return made


def apart(content):
    """The file with its largest buffer behind the flatbuffer, as files above 2 GB and some quantisers have it."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    buffer = max(model.buffers, key=lambda one: 0 if one.data is None else len(one.data))
    data, buffer.data = bytes(buffer.data), None
    buffer.offset, buffer.size = 2, len(data)
    buffer.offset = -(-len(packed(model)) // 16) * 16
    whole = packed(model)
    return whole + bytes(buffer.offset - len(whole)) + data


def packed(model):
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def main(folder):
    for number, (rewrite, spec, fits) in enumerate(CASES):
        path, new = folder / f"{number}.tflite", folder / f"{number}.new.tflite"
        content = tflite_probe.write(fresh(spec))
        path.write_bytes(apart(content) if fits == "apart" else content)
        done = plugin.apply(path, rewrite, [0], new)["rewritten"]
        row = {
            "rewrite": rewrite,
            "fits": bool(fits),
            "rewritten": done,
            "offered": rewrite in plugin.offers(spec["op"]),
            "promised": rewrite in plugin.hints(read(path).graphs[0].nodes[0], "it needs a bias"),
        }
        if done:
            feeds = inputs(path)
            one, two = (list(litert.run(p, [feeds])[0].values()) for p in (path, new))
            same = [a.shape == b.shape and a.dtype == b.dtype for a, b in zip(one, two, strict=True)]
            row["difference"] = (
                max(float(np.abs(a.astype("f8") - b).max()) for a, b in zip(one, two)) if all(same) else None
            )
        print(json.dumps(row))
    print(json.dumps({"rewrites": sorted(set(plugin.SAYS) - set(plugin.WHOLE))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
