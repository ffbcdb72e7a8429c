"""The tables `openvino-cpu`, against OpenVINO itself, and `openvino-npu`, which only lists."""

from __future__ import annotations

import pytest

from edgecheck.model import formats
from edgecheck.probing import models, replay
from edgecheck.tables import bundle
from onnx_table import differences, filled, integers, point, spec, stored, tensor, verdict


def test_stored_probes_are_judged_as_they_were_measured():
    agreement = stored("openvino-2026.4.1.jsonl", "openvino-cpu")
    assert agreement.asked > 500
    assert agreement.explained <= 2


X = tensor(1, 8, 16, 16)
TEXTS, SOME_TEXTS = tensor(2, dtype="string"), tensor(2, dtype="string", sig=[-1])
SCALE, POINT = filled(), filled(dtype="uint8")
PADS = integers(0, 0, 1, 1, 0, 0, 1, 1)
#: Cases that break ONNX itself, or are declared wrongly: the engine's refusal says nothing about it, ONNX Runtime refuses too.
BROKEN = ("celu in float16", "mod of floats like integers", "vector times matrix")
CASES = {
    "celu": (spec("Celu", [X]), "supported"),
    "celu in float16": (spec("Celu", [tensor(2, 3, dtype="float16")], alpha=2.0), "rejected"),
    "grid sample": (spec("GridSample", [X, tensor(1, 4, 4, 2)]), "supported"),
    "grid sample in 3-D": (spec("GridSample", [tensor(1, 2, 3, 3, 3), tensor(1, 2, 2, 2, 3)], 20), "rejected"),
    "mod of floats": (spec("Mod", [X, X], fmod=1), "supported"),
    "mod of floats like integers": (spec("Mod", [X, X], fmod=0), "rejected"),
    "edge padding": (spec("Pad", [X, PADS], mode="edge"), "supported"),
    "wrapped padding": (spec("Pad", [X, PADS], 19, mode="wrap"), "rejected"),
    "axes constant": (spec("Unsqueeze", [X, integers(0)]), "supported"),
    "axes given": (spec("Unsqueeze", [X, tensor(1, dtype="int64")]), "rejected"),
    "training off": (spec("Dropout", [X, SCALE, tensor(dtype="bool", c=[0])]), "supported"),
    "training on": (spec("Dropout", [X, SCALE, tensor(dtype="bool", c=[1])]), "rejected"),
    "matrix times matrix": (
        spec("QLinearMatMul", [tensor(2, 4, dtype="uint8"), SCALE, POINT, tensor(4, 3, dtype="uint8"), SCALE, POINT,
                               SCALE, POINT]), "supported",
    ),
    "vector times matrix": (
        spec("QLinearMatMul", [tensor(4, dtype="uint8"), SCALE, POINT, tensor(4, 3, dtype="uint8"), SCALE, POINT,
                               SCALE, POINT]), "rejected",
    ),
    "texts of unknown number": (spec("Equal", [SOME_TEXTS, SOME_TEXTS], 19) | {"o": [{"t": "bool"}]}, "supported"),
    "texts": (spec("Equal", [TEXTS, TEXTS], 19) | {"o": [{"t": "bool"}]}, "rejected"),
    "one type": (spec("BatchNormalization", [X, *[filled(8)] * 4]), "supported"),
    "two types": (spec("BatchNormalization", [X, *[filled(8)] * 2, *[filled(8, dtype="float64")] * 2]), "rejected"),
    "negative lambd": (spec("Shrink", [X], lambd=-1.0), "rejected"),
    "compressed without an axis": (spec("Compress", [X, tensor(8, dtype="bool")]), "supported"),
    "compressed without an axis, sizes open": (
        spec("Compress", [tensor(2, 3, sig=[-1, 3]), tensor(6, dtype="bool")]), "rejected",
    ),
    "weight scales": (
        spec("QLinearConv", [tensor(1, 4, 5, 5, dtype="uint8"), SCALE, POINT, filled(4, 4, 3, 3, dtype="uint8"),
                             filled(4), filled(4, dtype="uint8"), SCALE, POINT]), "supported",
    ),
    "weight scales, other channels": (
        spec("QLinearConv", [tensor(1, 4, 5, 5, dtype="uint8"), SCALE, POINT, filled(2, 4, 3, 3, dtype="uint8"),
                             filled(2), filled(2, dtype="uint8"), SCALE, POINT], makes="uint8"), "rejected",
    ),
    "third dimension's scales": (spec("QuantizeLinear", [tensor(2, 3, 8), filled(8), filled(8, dtype="uint8")], axis=2), "supported"),
    "third dimension's scales, batch open": (
        spec("QuantizeLinear", [tensor(2, 3, 8, sig=[-1, 3, 8]), filled(8), filled(8, dtype="uint8")], makes="uint8", axis=2), "rejected",
    ),
    "second zero point alone": (
        spec("MatMulInteger", [tensor(4, 3, dtype="uint8"), tensor(3, 2, dtype="uint8"), None, POINT], makes="int32"), "rejected",
    ),
    "activation": (
        spec("GRU", [tensor(4, 1, 3), filled(1, 6, 3), filled(1, 6, 2)], hidden_size=2, activations=["Relu", "Tanh"]), "supported",
    ),
    "other activation": (
        spec("GRU", [tensor(4, 1, 3), filled(1, 6, 3), filled(1, 6, 2)], hidden_size=2, activations=["Sigmoid", "Softsign"]),
        "rejected",
    ),
    "no rule": (spec("Det", [tensor(3, 3)]), "rejected"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_limits_on_both_sides(case):
    asked, expected = CASES[case]
    assert verdict("openvino-cpu", asked) == expected


def test_a_choice_that_sizes_decide_is_made_before(models_dir):
    """akiki-vad squeezes if a size is 1; the size is known, so that its branches may end in different ranks."""
    file = formats.read(next(models_dir.rglob("akiki-vad.onnx")))
    row = next(one for one in models.stored("openvino-cpu") if one["sha256"] == file.sha256)
    today = models.figured(row, file, bundle.load("openvino-cpu"))
    assert (today["asked"], today["same"]) == (97, 97)


def test_the_npu_lists_and_no_more():
    assert verdict("openvino-npu", spec("Conv", [X, tensor(8, 8, 3, 3)])) == "supported"
    assert verdict("openvino-npu", spec("Einsum", [X, X], equation="abcd,abcd->ab")) == "unknown"
    assert verdict("openvino-npu", spec("Det", [tensor(3, 3)])) == "unknown"
    dynamic = replay.of_spec(spec("Relu", [{**X, "sig": [-1, 8, 16, 16]}]), point("openvino-npu"))
    assert (dynamic.verdict, dynamic.limit) == ("unknown", "static-shape")


@pytest.mark.slow
def test_openvino_says_the_same(tmp_path, models_dir):
    real = sorted(models_dir.rglob("*.onnx"))
    assert real
    asked = {name: (one, "invalid" if name in BROKEN else expected) for name, (one, expected) in CASES.items()}
    assert differences("openvino", "openvino-cpu", asked, tmp_path) == []
    # What is behind a Squeeze without axes: OpenVINO knows some sizes that edgecheck does not infer, and the other way round.
    differ = differences("openvino", "openvino-cpu", {}, tmp_path, real)
    assert len(differ) <= 6, differ
