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
CASES = {
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
    "comparison": (spec("Greater", [X, X]) | {"o": [{"t": "bool"}]}, "rejected"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_limits_on_both_sides(case):
    asked, expected = CASES[case]
    assert verdict("ncnn", asked) == expected


@pytest.mark.slow
def test_ncnn_says_the_same(tmp_path):
    assert differences("ncnn", "ncnn", CASES, tmp_path) == []
