"""The tables of LiteRT's NPU plugins: real models, each side of the limits, and how the tool's answers are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecheck.check import point
from edgecheck.oracles import litert_npu
from edgecheck.oracles.litert_npu import Applied
from edgecheck.probing.replay import of_spec
from edgecheck.tables import bundle
from npu_tables import by_op, counted, op, report, said, t

EVIDENCE = Path(__file__).parents[1] / "op_tables" / "evidence" / "litert_npu-2.3.0.jsonl"
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
    [("litert-qualcomm", 99), ("litert-mediatek", 45), ("litert-samsung", 72), ("litert-intel-npu", 82)],
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
    assert counted(report(capsys, "litert-qualcomm", face, "soc=SM8250")) == {"rejected": 164}
    assert counted(report(capsys, "litert-qualcomm", face, "soc=QCM6490"))["fallback"] > 150
    assert counted(report(capsys, "litert-qualcomm", face, "soc=SM8650")) == {"supported": 164}


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
    assert said(target, pad("int32")) == ("fallback", "types")
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
    assert said("litert-qualcomm", op("RELU", [x], [x])) == ("supported", None)
    assert "unknown dimension as 1" in bundle.load("litert-qualcomm").notes


def conv(data, weights, bias=None):
    inputs = [data, weights] if bias is None else [data, weights, bias]
    return op("CONV_2D", inputs, [t(data["t"], [1, 2, 2, 4], **({"q": Q} if "q" in data else {}))], **SAME)


def test_qualcomms_compiler_wants_weights_of_the_inputs_kind():
    target, weights = "litert-qualcomm", [4, 3, 3, 2]
    per_channel = {"s": [0.5] * 4, "z": [0] * 4, "d": 0}
    eight = t("int8", weights, q=per_channel, c={"f": 1})
    assert said(target, conv(X, t(F, weights, c={"f": 1}))) == ("supported", None)
    assert said(target, conv(X, eight)) == ("fallback", "weights")
    assert said(target, conv(t("int8", [1, 4, 4, 2], q=Q), eight)) == ("supported", None)
    assert said(target, conv(t("int8", [1, 4, 4, 2], q=Q), eight, t("int32", [4], c=[0] * 4))) == ("fallback", "bias")
    four = t("int4", weights, q=per_channel, c={"f": 1})
    assert said(target, conv(t("int8", [1, 4, 4, 2], q=Q), four)) == ("fallback", "int4-per-tensor")


def test_qualcomm_selects_what_it_does_not_compile():
    target = "litert-qualcomm"
    five = t(F, [2, 1, 1, 1, 2])
    picked = op("GATHER", [five, t("int32", [2], c=[0, 1])], [five], axis=0, batch_dims=0)
    assert said(target, picked) == ("rejected", "compiled-float32")
    x = t("int8", [2, 4], q={"s": [0.5] * 4, "z": [0] * 4, "d": 1})
    assert said(target, op("ABS", [x], [x])) == ("rejected", "one-scale")
    assert said(target, op("ABS", [t("int64", [2])], [t("int64", [2])])) == ("fallback", "types")
    six = t(F, [1] * 6)
    assert said(target, op("ABS", [six], [six])) == ("fallback", "dimensions")


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


SPLIT = "LiteRtModel : [ #subgraphs=1 ]\nINFO: Partitioned subgraph<0>, selected {} ops, from a total of {} ops. resulted in 1"
REFUSED = """ERROR: [qnn_compiler_plugin.cc:538]
LiteRT Op #{n} 'Cos' (code=108) is not supported in Qualcomm Compiler.
  Inputs:
    [0] name="p{n}_0"  tensor_idx=0
  Outputs:
    [0] name="p{n}_1"  tensor_idx=1
"""


@pytest.mark.parametrize(
    ("ran", "verdict", "why"),
    [
        (Applied(status=0, text=SPLIT.format(1, 1)), "supported", "compiled"),
        (Applied(status=0, text=SPLIT.format(1, 2), left=frozenset({(0, "COS")})), "fallback", "not select"),
        (Applied(status=1, text=SPLIT.format(0, 1)), "fallback", "not select"),
        (Applied(status=6, text=SPLIT.format(1, 1)), "rejected", "not compiled"),
        (
            Applied(status=3, text="LiteRtModel :\nERROR: [a.cc:1] QNN Unsupported data type, litert type: 14\n"),
            "rejected", "QNN Unsupported data type",
        ),
        (Applied(status=3, text="nothing was read"), "invalid", "read"),
        (Applied(status=-11, text=SPLIT.format(1, 1)), "inconclusive", "-11"),
        (Applied(status=None, text=""), "inconclusive", "no answer"),
        (Applied(status=6, text="LiteRtModel :\nCould not load shared library"), "inconclusive", "6"),
    ],
)  # fmt: skip
def test_what_the_tool_did_is_read(ran, verdict, why):
    found = litert_npu.judged(ran, "COS", 0)
    assert (found[0], why in found[1]) == (verdict, True), found


def test_each_of_many_has_its_own_reason():
    text = "ERROR: [Qnn] one.\n" + REFUSED.format(n=0) + "QNN op validation failed: it\n" + REFUSED.format(n=1)
    assert "one." in litert_npu.why(text, 0)
    assert "validator" in litert_npu.why(text, 1)
    assert litert_npu.why(text, 2) == "the plugin does not select it"


def test_intels_compiler_is_not_there():
    missing = Applied(status=248, text="ERROR: Exception in compilation: VCL compiler loading failed, aborting")
    assert litert_npu.read(missing)[0] == "supported"
    refused = Applied(status=248, text="ERROR: Exception in compilation: No translator for Mystery")
    assert litert_npu.read(refused) == ("rejected", "OpenVINO: No translator for Mystery")
    assert litert_npu.read(Applied(status=None, text=""))[0] == "inconclusive"


@pytest.mark.parametrize(("target", "least"), [("litert-qualcomm", 1200), ("litert-intel-npu", 30)])
def test_stored_probes_are_judged_as_they_were_measured(target, least):
    rows = [row for row in map(json.loads, EVIDENCE.read_text().splitlines()) if row["target"] == target]
    table = bundle.load(target)
    chips = {row.get("settings", {}).get("soc", "") for row in rows}
    at = {soc: point(table, None, {"soc": soc} if soc else {}) for soc in chips}
    wrong = [
        row["probe"]
        for row in rows
        if of_spec(row["spec"], at[row.get("settings", {}).get("soc", "")]).verdict != row["verdict"]
        and "differs" not in row
    ]
    assert len(rows) >= least
    assert wrong == []
    assert {row["verdict"] for row in rows} >= {"fallback", "rejected"}
