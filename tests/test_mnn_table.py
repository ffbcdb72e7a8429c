"""The table `mnn` against MNN's converter: stored probes, and the converter itself."""

from __future__ import annotations

import pytest

from onnx_table import differences, filled, integers, spec, stored, tensor, verdict


def test_stored_probes_are_judged_as_they_were_measured():
    agreement = stored("mnn-3.6.1.jsonl", "mnn")
    assert agreement.asked > 500
    assert agreement.explained <= 1


X, VOLUME = tensor(1, 8, 16, 16), tensor(1, 8, 6, 6, 6)
CONST, GIVEN = filled(8), tensor(8)
SEQUENCE, LENGTHS = tensor(3, 2, 4), tensor(2, dtype="int32")
CASES = {
    "bias constant": (spec("Conv", [X, filled(8, 8, 3, 3), CONST]), "supported"),
    "bias given": (spec("Conv", [X, filled(8, 8, 3, 3), GIVEN]), "rejected"),
    "both given": (spec("Conv", [X, tensor(8, 8, 3, 3), GIVEN]), "supported"),
    "3-D weight constant": (spec("Conv", [VOLUME, filled(8, 8, 3, 3, 3)], kernel_shape=[3, 3, 3]), "supported"),
    "3-D weight given": (spec("Conv", [VOLUME, tensor(8, 8, 3, 3, 3)], kernel_shape=[3, 3, 3]), "rejected"),
    "statistics constant": (spec("BatchNormalization", [X, CONST, CONST, CONST, CONST]), "supported"),
    "statistics given": (spec("BatchNormalization", [X, CONST, CONST, GIVEN, CONST]), "rejected"),
    "statistics of one value": (
        spec("BatchNormalization", [X, CONST, CONST, CONST, {"n": "made"}])
        | {"before": [{"op": "ConstantOfShape", "a": {}, "i": [integers(8)], "o": [{"n": "made", "t": "float32", "s": [8]}]}]},
        "supported",
    ),
    "bias of integers": (
        spec("Conv", [X, filled(8, 8, 3, 3), {"n": "bias"}])
        | {"before": [{"op": "DequantizeLinear", "a": {}, "i": [filled(8, dtype="int32"), filled()], "o": [{"n": "bias"}]}]},
        "supported",
    ),
    "without an arrow": (spec("Einsum", [X, X], equation="abcd,abcd"), "rejected"),
    "with an arrow": (spec("Einsum", [X, X], equation="abcd,abcd->abcd"), "supported"),
    "GRU with lengths": (
        spec("GRU", [SEQUENCE, filled(1, 6, 4), filled(1, 6, 2), None, LENGTHS], hidden_size=2), "supported",
    ),
    "GRU with lengths, weights given": (
        spec("GRU", [SEQUENCE, tensor(1, 6, 4), tensor(1, 6, 2), None, LENGTHS], hidden_size=2), "rejected",
    ),
    "edge padding": (spec("Pad", [X, integers(0, 0, 1, 1, 0, 0, 1, 1)], mode="edge"), "supported"),
    "wrapped padding": (spec("Pad", [X, integers(0, 0, 1, 1, 0, 0, 1, 1)], 19, mode="wrap"), "rejected"),
    "no converter": (spec("Hardmax", [X]), "rejected"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_limits_on_both_sides(case):
    asked, expected = CASES[case]
    assert verdict("mnn", asked) == expected


@pytest.mark.slow
def test_the_converter_says_the_same(tmp_path, models_dir):
    real = sorted(models_dir.rglob("*.onnx"))
    assert real
    assert differences("mnn", "mnn", CASES, tmp_path, real) == []
