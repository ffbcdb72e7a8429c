"""The tables of LiteRT's NPU plugins: real models, and each side of the limits that the plugins' sources have."""

from __future__ import annotations

import pytest

from edgecheck.tables import bundle
from npu_tables import by_op, counted, judged, op, report, said, t

F = "float32"
Q = [0.5, 3]
CHANNELS = {"s": [0.5, 0.25], "z": [0, 0], "d": 3}
X = t(F, [1, 4, 4, 2])
SAME = {"padding": "SAME", "stride_w": 2, "stride_h": 2}


@pytest.fixture(scope="module")
def face(models_dir):
    return next(models_dir.rglob("face_detection_front.tflite"))


@pytest.fixture(scope="module")
def wake_word(models_dir):
    return next(models_dir.rglob("okay_nabu.tflite"))


@pytest.mark.parametrize(
    ("target", "taken"),
    [("litert-qualcomm", 98), ("litert-mediatek", 45), ("litert-samsung", 72), ("litert-intel-npu", 82)],
)
def test_every_operator_of_the_plugins_list_is_there(target, taken):
    table = bundle.load(target)
    assert sum(any(one.verdict == "supported" for one in table.entries(name)) for name in table.ops) == taken


def test_the_deny_list_is_there():
    table = bundle.load("litert-google-tensor")
    denied = [name for name in table.ops if all(one.verdict == "fallback" for one in table.entries(name))]
    assert len(denied) == 42  # and CUSTOM, which stands for every custom code
    assert {"STABLEHLO_SCATTER", "STABLEHLO_REDUCE_WINDOW", "SHAPE", "RANK", "WHERE"} <= set(denied)


@pytest.mark.parametrize("target", ["litert-qualcomm", "litert-mediatek", "litert-intel-npu"])
def test_a_face_detector_is_taken_whole(target, face, capsys):
    assert counted(report(capsys, target, face)) == {"supported": 164}


def test_samsungs_plugin_wants_the_shape_as_an_input(face, capsys):
    assert by_op(report(capsys, "litert-samsung", face), "rejected") == {"RESHAPE": 4}


def test_googles_compiler_is_not_guessed_at(face, wake_word, capsys):
    assert counted(report(capsys, "litert-google-tensor", face)) == {"unknown": 164}
    states = {"VAR_HANDLE": 12, "READ_VARIABLE": 6, "ASSIGN_VARIABLE": 12, "CALL_ONCE": 1}
    assert by_op(report(capsys, "litert-google-tensor", wake_word), "fallback") == states


def test_a_models_state_stops_the_plugins_that_convert_every_tensor(wake_word, capsys):
    states = {"VAR_HANDLE": 12, "READ_VARIABLE": 6, "ASSIGN_VARIABLE": 12}
    assert by_op(report(capsys, "litert-qualcomm", wake_word), "rejected") == states
    assert by_op(report(capsys, "litert-mediatek", wake_word), "rejected") == {}
    assert by_op(report(capsys, "litert-samsung", wake_word), "rejected") == states | {"SPLIT_V": 3, "CALL_ONCE": 1}


def test_a_chip_may_need_another_sdk(face, capsys):
    assert counted(report(capsys, "litert-mediatek", face, "soc=MT6993")) == {"rejected": 164}
    assert counted(report(capsys, "litert-mediatek", face, "soc=MT6993", "sdk=v9")) == {"supported": 164}
    assert counted(report(capsys, "litert-mediatek", face, "soc=MT6853")) == {"unknown": 164}
    assert counted(report(capsys, "litert-qualcomm", face, "soc=QCS2290")) == {"unknown": 164}


def gather(batch_dims):
    return op("GATHER", [t(F, [2, 4]), t("int32", [2, 1])], [t(F, [2, 1])], axis=1, batch_dims=batch_dims)


def cumsum(axis, dtype="int32"):
    return op("CUMSUM", [t(F, [2, 4]), axis and t(dtype, [1], c=axis)], [t(F, [2, 4])], exclusive=False, reverse=False)


def pad(dtype, **quantised):
    x = t(dtype, [1, 4, 4, 2], **quantised)
    return op("PAD", [x, t("int32", [4, 2], c=[0, 0, 1, 1, 1, 1, 0, 0])], [x])


def crop():
    return op("PAD", [X, t("int32", [4, 2], c=[0, 0, -1, 0, 0, 0, 0, 0])], [t(F, [1, 3, 4, 2])])


def one_hot(dtype, **quantised):
    scalars = [t("int32", [], c=[3]), t(dtype, [], c=[1], **quantised), t(dtype, [], c=[0], **quantised)]
    return op("ONE_HOT", [t("int32", [2]), *scalars], [t(dtype, [2, 3], **quantised)], axis=-1)


def top_k(constant):
    k = t("int32", [], c=[2]) if constant else t("int32", [])
    return op("TOPK_V2", [t(F, [8]), k], [t(F, [2]), t("int32", [2])])


def composite(name):
    return op("STABLEHLO_COMPOSITE", [t(F, [1, 8]), t(F, [8])], [t(F, [1, 8])], name=name)


def relu(dtype, **more):
    return op("RELU", [t(dtype, [1, 4], **more)], [t(dtype, [1, 4], **more)])


def test_qualcomm():
    target = "litert-qualcomm"
    assert said(target, gather(0)) == ("supported", None)
    assert said(target, gather(1)) == ("fallback", "batch-dims")
    assert said(target, cumsum([1])) == ("supported", None)
    assert said(target, op("CUMSUM", [t(F, [2, 4]), t("int32", [1])], [t(F, [2, 4])])) == ("fallback", "cumsum-axis")
    assert said(target, pad(F)) == ("supported", None)
    assert said(target, pad("int8", q=Q)) == ("supported", None)
    assert said(target, pad("int8", q=CHANNELS)) == ("fallback", "pad-per-tensor")
    assert said(target, pad("int32")) == ("fallback", "pad-types")
    assert said(target, crop()) == ("fallback", "no-negative-padding")
    assert said(target, one_hot("uint8", q=Q)) == ("supported", None)
    assert said(target, one_hot("int16", q=Q)) == ("fallback", "values-type")
    assert said(target, top_k(True)) == ("supported", None)
    assert said(target, top_k(False)) == ("fallback", "constant-k")
    assert said(target, composite("odml.group_norm")) == ("supported", None)
    assert said(target, composite("odml.gelu"))[0] == "fallback"
    assert said(target, composite("odml.npu_call")) == ("unknown", "npu-call")
    assert said(target, relu("string")) == ("rejected", "types")


def test_an_unknown_size_is_compiled_as_one():
    x = t(F, [None, 4])
    one = judged("litert-qualcomm", op("RELU", [x], [x]))
    assert (one.verdict, one.limit, one.help) == ("unknown", "static-shape", "export with fixed shapes")
    assert "as 1" in (one.reason or "")


def test_mediatek():
    target = "litert-mediatek"
    assert said(target, relu("int8", q=[0.5, 0])) == ("supported", None)
    assert said(target, relu("int8")) == ("fallback", "int8-quantized")
    assert said(target, relu("int16", q=[0.5, 0])) == ("supported", None)
    assert said(target, relu("int16", q={"s": [0.5, 0.25, 1.0, 2.0], "z": [0] * 4, "d": 1}))[1] == "int16-per-tensor"
    assert said(target, relu("float64")) == ("fallback", "types")
    indices = op("MINIMUM", [t("int64", [4]), t("int64", [4], c=[1, 2, 3, 4])], [t("int64", [4])])
    assert said(target, indices) == ("fallback", "int64-constant")
    assert said(target, op("GELU", [X], [X], approximate=True)) == ("supported", None)
    assert said(target, op("GELU", [X], [X], approximate=False)) == ("unknown", "tanh-gelu")
    assert said(target, composite("odml.l2_norm")) == ("supported", None)
    assert said(target, composite("odml.group_norm"))[0] == "fallback"


def deconvolution(shape, *bias):
    inputs = [shape, t(F, [2, 2, 2, 2], c={"f": 0.5}), X, *bias]
    return op("TRANSPOSE_CONV", inputs, [t(F, [1, 8, 8, 2])], fused_activation_function="NONE", **SAME)


def test_mediatek_reads_the_channels_of_a_deconvolution_without_a_bias_from_its_shape():
    bias = t(F, [2], c=[0, 0])
    assert said("litert-mediatek", deconvolution(t("int32", [4], c=[1, 8, 8, 2]))) == ("supported", None)
    assert said("litert-mediatek", deconvolution(t("int32", [4]), bias)) == ("supported", None)
    assert said("litert-mediatek", deconvolution(t("int32", [4]))) == ("rejected", "output-shape")


def test_samsung_drops_what_it_does_not_read():
    target = "litert-samsung"
    assert said(target, cumsum([0])) == ("supported", None)
    assert said(target, cumsum([1])) == ("unknown", "axis-zero")
    assert said(target, op("SOFTMAX", [X], [X], beta=1.0)) == ("supported", None)
    assert said(target, op("SOFTMAX", [X], [X], beta=0.5)) == ("unknown", "beta-one")
    assert said(target, gather(0)) == ("supported", None)
    assert said(target, gather(1)) == ("unknown", "batch-dims")


def test_samsung_refuses_the_whole_model():
    target = "litert-samsung"
    assert said(target, pad("int8", q=Q)) == ("supported", None)
    assert said(target, pad("int8", q=CHANNELS)) == ("rejected", "pad-per-tensor")
    assert said(target, relu("float64")) == ("rejected", "types")
    assert said(target, op("PRELU", [X, t(F, [2], c=[0.5, 0.5])], [X])) == ("rejected", None)
    assert said(target, composite("odml.rms_norm")) == ("supported", None)
    assert said(target, composite("odml.l2_norm")) == ("rejected", "composite")
    assert said(target, composite("odml.npu_call")) == ("unknown", "npu-call")
    assert said(target, composite("odml.cpu_call")) == ("fallback", None)
    flat = t("int32", [1], c=[32])
    assert said(target, op("RESHAPE", [X, flat], [t(F, [32])])) == ("supported", None)
    assert said(target, op("RESHAPE", [X], [t(F, [32])])) == ("rejected", "new-shape")


def test_intel():
    target = "litert-intel-npu"
    assert said(target, top_k(True)) == ("supported", None)
    assert said(target, top_k(False)) == ("fallback", "constant-k")
    deep = t(F, [1, 1, 1, 1, 2, 4])
    assert said(target, op("ABS", [deep], [deep])) == ("rejected", "input-rank")
    shallow = t(F, [1, 1, 1, 2, 4])
    assert said(target, op("ABS", [shallow], [shallow])) == ("supported", None)
    assert said(target, op("NEG", [X], [X]))[0] == "fallback"


def test_google():
    target = "litert-google-tensor"
    assert said(target, op("SHAPE", [X], [t("int32", [4])])) == ("fallback", None)
    assert said(target, op("ABS", [X], [X])) == ("unknown", "compiler")
    assert said(target, {"op": "CUSTOM:Mine", "a": {}, "i": [X], "o": [X]}) == ("fallback", None)
    assert said(target, composite("odml.scaled_dot_product_attention")) == ("unknown", "compiler")
    assert said(target, composite("odml.l2_norm"))[0] == "fallback"
