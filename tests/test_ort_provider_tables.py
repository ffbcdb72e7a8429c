"""The tables read from the op builders of ONNX Runtime's mobile providers: ort-nnapi, ort-coreml, ort-xnnpack.

Each limit that users meet, on both of its sides; and their own questions.
"""

from __future__ import annotations

from typing import Any

import pytest

from edgecheck.check import check, point
from edgecheck.check_findings import findings
from edgecheck.oracles import onnx_probe
from edgecheck.partition import partition
from edgecheck.results import NodeVerdict
from probe_evidence import table

Spec = dict[str, Any]
Y: Spec = {"t": "float32", "n": "y"}
IMAGE: Spec = {"t": "float32", "s": [1, 3, 8, 8]}
WEIGHT: Spec = {"t": "float32", "s": [4, 3, 3, 3], "c": {"r": 1, "lo": -4, "hi": 5}}


def node(op: str, *inputs: Spec | None, opset: int = 17, **attributes: Any) -> Spec:
    return {"op": op, "opset": opset, "i": list(inputs), "o": [Y], "a": attributes}


def floats(*shape: int | str | None, name: str = "x") -> Spec:
    return {"t": "float32", "s": list(shape), "n": name}


def longs(*values: int) -> Spec:
    return {"t": "int64", "s": [len(values)], "c": list(values)}


def verdicts(target: str, spec: Spec, version: str | None = None, **settings: str) -> list[NodeVerdict]:
    return check(onnx_probe.read(spec), point(table(target), version, settings))


def said(target: str, spec: Spec, version: str | None = None, **settings: str) -> tuple[str, str]:
    """Verdict and reason of the described operator."""
    one = verdicts(target, spec, version, **settings)[onnx_probe.at(spec)]
    return one.verdict, one.reason or ""


SCALES: Spec = {"t": "float32", "s": [4], "c": [1.0, 1.0, 2.0, 2.0]}


def resize(mode: str, coordinates: str, nearest: str = "floor") -> Spec:
    return node("Resize", IMAGE, None, SCALES, mode=mode, coordinate_transformation_mode=coordinates,
                nearest_mode=nearest)  # fmt: skip


GEMM = node("Gemm", floats(3, 3), *({"t": "float32", "s": shape, "c": {"f": 1.0}} for shape in ([3, 4], [4])))
SCALAR: Spec = {"t": "int64", "s": [], "c": [1]}
PAD = node("Pad", IMAGE, longs(0, 0, 1, 1, 0, 0, 1, 1), {"t": "float32", "s": [], "c": [0.0]})
PADDED_CONV = node("Conv", IMAGE, WEIGHT, pads=[1, 1, 1, 1])


@pytest.mark.parametrize(
    ("target", "taken", "refused", "why"),
    [
        ("ort-nnapi", GEMM, {**GEMM, "a": {"transA": 1}}, "transA must be 0"),
        ("ort-nnapi", resize("nearest", "asymmetric"), resize("nearest", "half_pixel"), "nearest needs"),
        ("ort-nnapi", node("Relu", floats(1, 8)), node("Relu", floats("batch", 8)), "dynamic"),
        ("ort-nnapi", node("Relu", floats(1, 8)), node("Relu", {"t": "float16", "s": [1, 8]}), "float32"),
        ("ort-nnapi", node("Gather", floats(4, 8), longs(1)), node("Gather", floats(4, 8), {"t": "int64", "s": [1]}), "int32"),
        ("ort-nnapi", PAD, {**PAD, "a": {"mode": "reflect"}}, "mode must be constant"),
        ("ort-coreml", PADDED_CONV, PAD, "not in an ML Program"),
        ("ort-coreml", node("Reshape", IMAGE, longs(1, -1)), node("Flatten", IMAGE), "not in an ML Program"),
        ("ort-coreml", PADDED_CONV, node("LRN", IMAGE, size=3), "not in an ML Program"),
        ("ort-coreml", node("Gather", floats(4, 8), longs(1)), node("Gather", floats(4, 8), SCALAR), "scalar"),
        ("ort-coreml", resize("nearest", "asymmetric"), resize("nearest", "asymmetric", "ceil"), "floor"),
        ("ort-coreml", node("Relu", floats(1, 2, 3, 4, 5)), node("Relu", floats(1, 2, 3, 4, 5, 6)), "5 dimensions"),
        ("ort-xnnpack", PADDED_CONV, node("Conv", IMAGE, {"t": "float32", "s": [4, 3, 3, 3], "n": "w"}), "constant"),
        ("ort-xnnpack", PADDED_CONV, node("Conv", floats(1, 3, "height", 8), WEIGHT), "must be known"),
        ("ort-xnnpack", GEMM, {**GEMM, "a": {"alpha": 0.5}}, "alpha"),
        ("ort-xnnpack", PADDED_CONV, node("Relu", IMAGE), "behind a Conv"),
    ],
)  # fmt: skip
def test_a_builders_condition_on_both_sides(target: str, taken: Spec, refused: Spec, why: str) -> None:
    """onnxruntime#19590: the checker went by the operator's name and said yes, the phone said no."""
    assert said(target, taken)[0] == "supported"
    verdict, reason = said(target, refused)
    assert verdict == "fallback"
    assert why in reason


def test_a_flatten_is_taken_in_a_neural_network() -> None:
    assert said("ort-coreml", node("Flatten", IMAGE), model_format="NeuralNetwork")[0] == "supported"


def test_dynamic_sizes_are_taken_by_core_ml_unless_asked_not_to_be() -> None:
    spec = node("Relu", floats("batch", 8))
    assert said("ort-coreml", spec)[0] == "supported"
    assert said("ort-coreml", spec, require_static_input_shapes="1")[0] == "fallback"


def test_a_release_added_operators_to_core_ml() -> None:
    spec = node("Sin", floats(1, 8))
    assert (said("ort-coreml", spec, "1.24")[0], said("ort-coreml", spec, "1.31")[0]) == ("fallback", "supported")


def test_the_phones_api_level_counts() -> None:
    spec = resize("nearest", "asymmetric")
    assert said("ort-nnapi", spec, android_api="28")[0] == "fallback"
    assert "29" in said("ort-nnapi", spec, android_api="28")[1]


def test_float16_in_xnnpack_is_a_question_of_the_build() -> None:
    half = [{**IMAGE, "t": "float16"}, {"t": "float16", "s": [4, 3, 3, 3], "c": {"f": 1.0}}]
    spec = {**PADDED_CONV, "i": half, "o": [{**Y, "t": "float16"}]}
    assert (said("ort-xnnpack", spec)[0], said("ort-xnnpack", spec, fp16="0")[0]) == ("supported", "fallback")


def test_a_relu_behind_a_conv_is_fused_into_it() -> None:
    conv = {**PADDED_CONV, "o": [{**IMAGE, "s": [1, 4, 8, 8], "n": "between"}]}
    spec = {**node("Relu", {"t": "float32", "n": "between"}), "before": [conv]}
    assert said("ort-xnnpack", spec)[0] == "supported"


@pytest.mark.parametrize("target", ["ort-nnapi", "ort-coreml", "ort-xnnpack"])
def test_what_the_cpu_has_no_kernel_for_either_is_rejected(target: str) -> None:
    assert said(target, node("Det", floats(3, 3)))[0] == "fallback"
    assert said(target, node("Det", {"t": "bfloat16", "s": [3, 3]}))[0] == "rejected"


def test_ping_pong_between_nnapi_and_the_cpu_is_counted() -> None:
    """onnxruntime#7859: 71,347 ms with NNAPI, 3,041 ms on the CPU."""
    names = [f"t{i}" for i in range(9)]
    chain = [
        {"op": ("Relu", "HardSwish")[i % 2], "i": [floats(1, 64, name=names[i])], "o": [floats(1, 64, name=names[i + 1])]}
        for i in range(8)
    ]  # fmt: skip
    spec = {**chain[0], "opset": 17, "after": chain[1:]}
    model, target = onnx_probe.read(spec), point(table("ort-nnapi"))
    found = check(model, target)
    assert [one.verdict for one in found] == ["supported", "fallback"] * 4
    cut = partition(model, found, lambda _: 1)
    assert (cut.islands, cut.crossing_bytes) == (4, 7 * 64 * 4)
    assert {one.rule for one in findings(model, target, found)} == {"EC102"}
