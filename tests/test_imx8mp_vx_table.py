"""The table `imx8mp-vx`: real models, and each side of what the delegate's own checks refuse."""

from __future__ import annotations

import pytest

from edgecheck.tables import bundle
from npu_tables import by_op, counted, judged, op, report, said, t

TARGET = "imx8mp-vx"
F, Q = "float32", [0.5, 3]
X = t(F, [1, 4, 4, 2])
PER_CHANNEL = {"s": [0.5, 0.25], "z": [0, 0], "d": 3}


def test_every_mapper_is_there():
    assert len(list(bundle.load(TARGET).ops)) == 96


def test_real_models(models_dir, capsys):
    face = report(capsys, TARGET, next(models_dir.rglob("face_detection_front.tflite")))
    assert counted(face) == {"supported": 164}
    word = report(capsys, TARGET, next(models_dir.rglob("okay_nabu.tflite")))
    assert by_op(word, "fallback") == {"VAR_HANDLE": 12, "READ_VARIABLE": 6, "ASSIGN_VARIABLE": 12, "CALL_ONCE": 1}


def dense(weights, **more):
    inputs = [t(F, [1, 4]), t(weights, [3, 4], c={"f": 1}, **more), None]
    return op("FULLY_CONNECTED", inputs, [t(F, [1, 3])], weights_format="DEFAULT")


def test_a_hybrid_layer_is_left_to_the_cpu():
    assert said(TARGET, dense(F)) == ("supported", None)
    one = judged(TARGET, dense("int8", q=[0.5, 0]))
    assert (one.verdict, one.limit) == ("fallback", "one-type")
    assert "full integer quantisation" in (one.help or "")
    assert any("nxp-imx/tflite-vx-delegate-imx" in place and ":813" in place for place in one.evidence)


def select(dtype, rank=4, **more):
    value = t(dtype, [1, 4, 4, 2], **more)
    return op("SELECT_V2", [t("bool", [1, 4, 4, 2][:rank]), value, value], [value])


def grouped(batch):
    x, y = t(F, [batch, 4, 4, 4]), t(F, [batch, 4, 4, 2])
    return op("CONV_2D", [x, t(F, [2, 1, 1, 2], c={"f": 1}), t(F, [2], c=[0, 0])], [y])


def matmul(**adjoint):
    x = t(F, [1, 4, 4])
    return op("BATCH_MATMUL", [x, x], [x], **({"adj_x": False, "adj_y": False} | adjoint))


def pack(dtype, rank, **more):
    x = t(dtype, [2, 2][:rank], **more)
    return op("PACK", [x, x], [t(dtype, [2, 2, 2][: rank + 1], **more)], axis=0)


def wide(length):
    return op("ABS", [t(F, [1, length])], [t(F, [1, length])])


def dequantize(quantised):
    return op("DEQUANTIZE", [t("int8", [1, 4, 4, 2], q=quantised)], [X])


@pytest.mark.parametrize(
    ("inside", "outside", "limit"),
    [
        (select(F), select("int8", q=Q), "no-8-bits"),
        (select(F), select(F, rank=3), "one-rank"),
        (grouped(1), grouped(2), "grouped-batch"),
        (matmul(adj_x=True), matmul(adj_x=True, adj_y=True), "one-adjoint"),
        (pack("int8", 2, q=Q), pack("int8", 1, q=Q), "pack-types"),
        (pack(F, 1), pack("int32", 2), "pack-types"),
        (wide(65535), wide(65536), "dimension-65535"),
        (dequantize(Q), dequantize(PER_CHANNEL), "per-tensor"),
        (op("ABS", [X], [X]), op("ABS", [t("int64", [4])], [t("int64", [4])]), "no-int64"),
    ],
)
def test_each_side_of_a_limit(inside, outside, limit):
    assert said(TARGET, inside) == ("supported", None)
    assert said(TARGET, outside) == ("fallback", limit)


def test_an_unknown_size_is_not_decided():
    x = t(F, [None, 4])
    assert said(TARGET, op("ABS", [x], [x])) == ("unknown", "static-shape")


def test_a_compiled_network_is_taken():
    assert said(TARGET, {"op": "CUSTOM:vsi-npu", "a": {}, "i": [X], "o": [X]}) == ("supported", None)
    assert said(TARGET, {"op": "CUSTOM:WRNN_BIDI_SEQGRU", "a": {}, "i": [X], "o": [X]})[0] == "fallback"
