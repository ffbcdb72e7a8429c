"""The table `ncnn` against pnnx and ncnn: stored probes, and both themselves."""

from __future__ import annotations

import pytest

from onnx_table import differences, filled, integers, spec, stored, tensor, verdict


def test_stored_probes_are_judged_as_they_were_measured():
    agreement = stored("ncnn-1.0.20261020.jsonl", "ncnn")
    assert agreement.asked > 700
    assert agreement.explained < 0.005 * agreement.asked


X, C = tensor(1, 8, 16, 16), filled(8)
FIVE = tensor(1, 2, 3, 4, 5)
PADS = integers(0, 0, 1, 1, 0, 0, 1, 1)


def recurrent(behind, direction="forward", given=(), **more):
    """A layer of three steps, two sequences and three hidden units, with operators behind its sequence."""
    ways = 2 if direction == "bidirectional" else 1
    asked = spec("GRU", [tensor(3, 2, 4), filled(ways, 9, 4), filled(ways, 9, 3), *given], hidden_size=3, **more)
    sequence = {"n": "y", "t": "float32", "s": [3, ways, 2, 3]}
    return asked | {"a": asked["a"] | {"direction": direction}, "o": [sequence], "after": behind}


SQUEEZED = [
    {"op": "Squeeze", "a": {}, "i": [{"n": "y"}, integers(1) | {"n": "axes"}], "o": [{"n": "z", "t": "float32"}]}
]


def joined(*sizes):
    turned = {"n": "t", "t": "float32"}
    return [
        {"op": "Transpose", "a": {"perm": [0, 2, 1, 3]}, "i": [{"n": "y"}], "o": [turned]},
        {"op": "Reshape", "a": {}, "i": [turned, integers(*sizes) | {"n": "shape"}], "o": [{"n": "z", "t": "float32"}]},
    ]


def grouped(groups, scale=1, then=(1, 8, 16, 16)):
    """A GroupNorm as PyTorch's exporter writes it."""
    parted, normed = ({"n": name, "t": "float32", "s": [1, 4, 512]} for name in "pq")
    ones, zeros = tensor(4, c={"f": scale}), tensor(4, c={"f": 0})
    asked = spec("InstanceNormalization", [parted, ones, zeros], epsilon=1e-5) | {"o": [normed]}
    before = {"op": "Reshape", "a": {}, "i": [X | {"n": "x"}, integers(*groups) | {"n": "g"}], "o": [parted]}
    behind = {"op": "Reshape", "a": {}, "i": [normed, integers(*then) | {"n": "t"}], "o": [{"n": "y", "t": "float32"}]}
    return asked | {"before": [before], "after": [behind]}


CASES = {
    "group norm": (grouped((0, 4, -1)), "supported"),
    "group norm, the sizes written": (grouped((1, 4, 512)), "rejected"),
    "group norm, its scale inside": (grouped((0, 4, -1), scale=2), "rejected"),
    "group norm, another shape behind": (grouped((0, 4, -1), then=(1, 8, 8, 32)), "rejected"),
    "pixel shuffle": (spec("DepthToSpace", [X], blocksize=2, mode="CRD"), "supported"),
    "the other order": (spec("DepthToSpace", [X], blocksize=2, mode="DCR"), "rejected"),
    "slice": (spec("Slice", [X, integers(0), integers(4), integers(2), integers(1)]), "supported"),
    "slice with steps": (spec("Slice", [X, integers(0), integers(4), integers(2), integers(2)]), "rejected"),
    "slice of the fifth dimension": (spec("Slice", [FIVE, integers(0), integers(4), integers(4)]), "rejected"),
    "instance norm": (spec("InstanceNormalization", [X, C, C]), "supported"),
    "instance norm, scale given": (spec("InstanceNormalization", [X, tensor(8), C]), "rejected"),
    "linear": (spec("Gemm", [tensor(1, 8), filled(4, 8), filled(4)], transB=1), "supported"),
    "linear, one bias": (spec("Gemm", [tensor(1, 8), filled(4, 8), filled(1)], transB=1), "rejected"),
    "product of two inputs": (spec("Gemm", [tensor(3, 6), tensor(6, 4), tensor(4)]), "supported"),
    "product of two inputs, one turned": (spec("Gemm", [tensor(3, 6), tensor(4, 6), tensor(4)], transB=1), "rejected"),
    "selu": (spec("Selu", [X]), "supported"),
    "another selu": (spec("Selu", [X], alpha=1.0), "rejected"),
    "embedding, the axis written": (
        spec("Gather", [filled(10, 4), tensor(1, 5, dtype="int64")], axis=0), "rejected",
    ),
    "embedding of halves": (
        spec("Gather", [filled(10, 4, dtype="float16"), tensor(1, 5, dtype="int64")]) | {"o": [{"t": "float16"}]}, "supported",
    ),
    "one size": (spec("Shape", [X], start=0, end=1) | {"o": [{"t": "int64"}]}, "rejected"),
    "sizes": (spec("Shape", [X], start=0, end=2) | {"o": [{"t": "int64"}]}, "supported"),
    "embedding": (spec("Gather", [filled(10, 4), tensor(1, 5, dtype="int64")]), "supported"),
    "selection": (spec("Gather", [X, integers(0, 2)], axis=1), "supported"),
    "padding": (spec("Pad", [X, PADS], mode="constant"), "supported"),
    "padding, the mode left out": (spec("Pad", [X, PADS]), "rejected"),
    "transpose": (spec("Transpose", [X], perm=[3, 2, 1, 0]), "supported"),
    "transpose, perm left out": (spec("Transpose", [X]), "rejected"),
    "maximum": (spec("ReduceMax", [X], axes=[1], keepdims=1), "supported"),
    "maximum of two axes": (spec("ReduceMax", [X], axes=[1, 2], keepdims=1), "rejected"),
    "sum": (spec("ReduceSum", [FIVE, integers(1, 2)]), "supported"),
    "sum of the fifth dimension": (spec("ReduceSum", [FIVE, integers(1, 4)]), "rejected"),
    "unequal pads": (spec("MaxPool", [X], kernel_shape=[3, 3], pads=[0, 0, 1, 1]), "supported"),
    "unequal pads of an average": (spec("AveragePool", [X], kernel_shape=[3, 3], pads=[0, 0, 1, 1]), "rejected"),
    "unequal pads, what the last window lacks": (
        spec("AveragePool", [X], kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1]), "supported",
    ),
    "dilations of 1, written": (spec("AveragePool", [X], 19, kernel_shape=[2, 2], dilations=[1, 1]), "rejected"),
    "product": (spec("Einsum", [tensor(2, 3), tensor(3, 4)], equation="ij,jk->ik"), "supported"),
    "product to a scalar": (spec("Einsum", [tensor(2, 3), tensor(2, 3)], equation="ij,ij->"), "rejected"),
    "expanded to four": (spec("Expand", [tensor(4), integers(2, 2, 3, 4)]), "supported"),
    "expanded to five": (spec("Expand", [tensor(4), integers(2, 2, 2, 3, 4)]), "rejected"),
    "dilated pooling": (spec("MaxPool", [X], kernel_shape=[2, 2], dilations=[2, 2]), "rejected"),
    "transposed convolution": (spec("ConvTranspose", [X, tensor(8, 4, 3, 3)]), "supported"),
    "transposed convolution, auto_pad": (spec("ConvTranspose", [X, filled(8, 4, 3, 3)], auto_pad="VALID"), "rejected"),
    "recurrent, alone": (spec("LSTM", [tensor(3, 2, 4), filled(1, 8, 4), filled(1, 8, 2)], hidden_size=2), "rejected"),
    "recurrent, squeezed": (recurrent(SQUEEZED), "supported"),
    "recurrent, backwards": (recurrent(SQUEEZED, "reverse"), "rejected"),
    "recurrent, both ways": (recurrent(joined(0, 0, -1), "bidirectional"), "supported"),
    "recurrent, both ways, sizes written": (recurrent(joined(3, 2, 6), "bidirectional"), "supported"),
    "recurrent, both ways, the last size left open": (recurrent(joined(3, 2, -1), "bidirectional"), "rejected"),
    "recurrent, other activations": (recurrent(SQUEEZED, activations=["Relu", "Relu"]), "rejected"),
    "comparison": (spec("Greater", [X, X]) | {"o": [{"t": "bool"}]}, "rejected"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_limits_on_both_sides(case):
    asked, expected = CASES[case]
    assert verdict("ncnn", asked) == expected


@pytest.mark.slow
def test_ncnn_says_the_same(tmp_path):
    assert differences("ncnn", "ncnn", CASES, tmp_path) == []
