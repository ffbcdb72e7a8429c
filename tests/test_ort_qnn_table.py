"""ort-qnn: the table beside what Qualcomm's HTP compiler said, and the oracle that asks it.

That the table agrees with the stored answers is held by tests/test_probing.py too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conftest import environment
from edgecheck.check import check, point
from edgecheck.oracles import ask, onnx_probe, ort_qnn
from probe_evidence import evidence, table

Spec = dict[str, Any]
STORED = "ort_qnn-2.7.0.jsonl"
X: Spec = {"t": "float32", "s": [1, 3, 8, 8], "n": "x"}


def node(op: str, *inputs: Spec | None, opset: int = 21, dtype: str = "float32", **attributes: Any) -> Spec:
    return {"op": op, "opset": opset, "i": list(inputs or (X,)), "o": [{"t": dtype, "n": "y"}], "a": attributes}


def said(spec: Spec, version: str = "v75") -> tuple[str, str]:
    """Verdict and reason of the described operator."""
    one = check(onnx_probe.read(spec), point(table("ort-qnn"), version))[onnx_probe.at(spec)]
    return one.verdict, one.reason or ""


def test_the_stored_answers_are_of_all_kinds() -> None:
    """What differs was kept, one probe for each operator and kind of difference."""
    rows = list(evidence(STORED, "ort-qnn"))
    assert {row["verdict"] for row in rows} == {"supported", "fallback", "rejected"}
    assert {row.get("at", "v81") for row in rows} >= {"v68", "v73", "v75", "v81"}
    assert sum("differs" in row for row in rows) < 0.08 * len(rows)


@pytest.mark.parametrize("op", ["Round", "Gelu", "Atan", "Elu"])
def test_taken_then_not_compiled_on_v68(op: str) -> None:
    """The provider validates it, the compiler then refuses it (1002): no session is made, nothing falls back."""
    verdict, reason = said(node(op), "v68")
    assert verdict == "rejected"
    assert "then not compiled" in reason
    assert {said(node(op), version)[0] for version in ("v69", "v73", "v75", "v79", "v81")} == {"supported"}


def test_shapes_must_be_fixed() -> None:
    verdict, reason = said(node("Relu", {**X, "s": ["batch", 3, 8, 8]}))
    assert (verdict, "without dynamic dimensions" in reason) == ("fallback", True)
    assert said(node("Relu"))[0] == "supported"


LONGS = node("Abs", {"t": "int64", "s": [1, 5, 9, 1, 7]}, dtype="int64")


def test_too_many_dimensions() -> None:
    """Six fall back; five of int64 are taken and then not compiled."""
    assert said(node("Relu", {**X, "s": [1, 2, 1, 2, 1]}))[0] == "supported"
    assert said(node("Relu", {**X, "s": [1, 2, 1, 2, 1, 2]}))[0] == "fallback"
    verdict, reason = said(LONGS)
    assert (verdict, "then not compiled" in reason) == ("rejected", True)


def test_a_double_without_a_cpu_kernel_is_rejected() -> None:
    doubles = [{**X, "t": "float64"}]
    assert said({**node("Cosh", dtype="float64"), "i": doubles})[0] == "rejected"
    assert said({**node("Relu", dtype="float64"), "i": doubles})[0] == "fallback"


def test_an_operator_without_a_builder_falls_back() -> None:
    assert said(node("Det", {**X, "s": [3, 3]}))[0] == "fallback"


def test_operators_without_a_builder_run_as_their_bodies() -> None:
    """What the CPU has no kernel for is inlined, and its operators are then taken; what it has one for is not."""
    classes: list[Spec] = [{"t": "float32", "s": [2, 5, 4]}, {"t": "int64", "s": [2, 4], "n": "target"}]
    scalar: Spec = {"o": [{"t": "float32", "s": [], "n": "y"}]}
    assert said(node("NegativeLogLikelihoodLoss", *classes) | scalar)[0] == "supported"
    assert said(node("SoftmaxCrossEntropyLoss", *classes) | scalar)[0] == "fallback"
    doubles = [{**classes[0], "t": "float64"}, classes[1]]
    assert said(node("NegativeLogLikelihoodLoss", *doubles, dtype="float64"))[0] == "rejected"


@pytest.mark.parametrize(("inner", "expected"), [("Relu", "supported"), ("Acosh", "fallback")])
def test_an_if_goes_where_its_branches_go(inner: str, expected: str) -> None:
    def branch(op: str) -> Spec:
        made: Spec = {"n": f"z{op}", "t": "float32", "s": [3, 4]}
        nodes = [{"op": op, "a": {}, "i": [{"n": "x", "t": "float32", "s": [3, 4]}], "o": [made]}]
        return {"nodes": nodes, "i": [], "o": [made]}

    spec = node("If", {"t": "bool", "s": []}, then_branch=branch(inner), else_branch=branch("Sigmoid"))
    assert said({**spec, "o": [{"t": "float32", "s": [3, 4], "n": "y"}]})[0] == expected


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("bhid,bhjd->bhij", "supported"),
        ("nij, njk -> nik", "supported"),
        ("bhwc,wkc->bhwk", "supported"),
        ("ij,jk->ki", "fallback"),
    ],
)
def test_an_einsum_that_is_a_matrix_product(equation: str, expected: str) -> None:
    sides = equation.replace(" ", "").partition("->")[0].split(",")
    inputs: list[Spec] = [{"t": "float32", "s": [3] * len(side), "n": side} for side in sides]
    assert said(node("Einsum", *inputs, equation=equation))[0] == expected


ROI: dict[str, Any] = {"output_height": 5, "output_width": 5}
PRELU = [{"t": "int32", "s": [3, 4, 5]}, {"t": "int32", "s": [1]}]


@pytest.mark.parametrize(
    ("opset", "expected"), [(15, "rejected"), (16, "supported"), (18, "supported"), (19, "rejected")]
)
def test_a_prelu_of_integers_runs_as_its_body(opset: int, expected: str) -> None:
    """The CPU has no kernel; ONNX Runtime uses the body in files of opset 16 to 18."""
    assert said(node("PRelu", *PRELU, opset=opset, dtype="int32"))[0] == expected


@pytest.mark.parametrize(("mode", "expected"), [("avg", "rejected"), ("max", "fallback")])
def test_a_dynamic_roi_align_is_refused_late(mode: str, expected: str) -> None:
    rois: list[Spec] = [{**X, "s": ["batch", 3, 8, 8]}, {"t": "float32", "s": [3, 4]}, {"t": "int64", "s": [3]}]
    assert said(node("RoiAlign", *rois, opset=16, mode=mode, **ROI))[0] == expected


@pytest.mark.parametrize(
    ("index", "table_", "expected"), [([], [4, 3], "fallback"), ([1], [4, 3], "supported"), ([], [4], "supported")]
)
def test_one_scalar_index_into_int64(index: list[int], table_: list[int], expected: str) -> None:
    made = {"t": "int64", "s": [*index, *table_[1:]], "n": "y"}
    spec = node("Gather", {"t": "int64", "s": table_}, {"t": "int64", "s": index, "n": "at"})
    assert said({**spec, "o": [made]})[0] == expected


@pytest.mark.parametrize(
    ("strides", "dilations", "channels", "expected"),
    [([2, 2], [1, 2], 2, "rejected"), ([1, 1], [2, 2], 2, "supported"), ([2, 2], [2, 2], 4, "supported")],
)
def test_a_depthwise_convolution(strides: list[int], dilations: list[int], channels: int, expected: str) -> None:
    """With strides and dilations it is refused late, unless it makes more channels than it reads."""
    sizes = [(11 - 2 * dilation) // stride + 1 for stride, dilation in zip(strides, dilations)]
    weights: Spec = {"t": "float32", "s": [channels, 1, 3, 3], "c": {"f": 0.5}}
    spec = node("Conv", {**X, "s": [1, 2, 12, 12]}, weights, strides=strides, dilations=dilations, group=2)
    assert said({**spec, "o": [{"t": "float32", "s": [1, channels, *sizes], "n": "y"}]})[0] == expected


@pytest.mark.parametrize(("updates", "expected"), [([2, 3], "supported"), ([3, 3], "fallback"), ([2], "fallback")])
def test_updates_of_a_scatter_nd(updates: list[int], expected: str) -> None:
    inputs: list[Spec] = [{"t": "float32", "s": [4, 3]}, {"t": "int64", "s": [2, 1]}, {"t": "float32", "s": updates}]
    assert said(node("ScatterND", *inputs, opset=18))[0] == expected


def scale_and_zero(name: str, dtype: str, scale: float) -> list[Spec]:
    zero: Spec = {"t": dtype, "s": [], "c": [0], "n": f"{name}_zero"}
    return [{"t": "float32", "s": [], "c": [scale], "n": f"{name}_scale"}, zero]


def dequantize(name: str, dtype: str, shape: list[int], scale: float = 0.25) -> Spec:
    made: Spec = {"t": "float32", "s": shape, "n": name}
    parameters = scale_and_zero(name, dtype, scale)
    return {
        "op": "DequantizeLinear",
        "a": {},
        "i": [{"t": dtype, "s": shape, "n": f"{name}_q"}, *parameters],
        "o": [made],
    }


def quantize(name: str, dtype: str, shape: list[int], scale: float = 0.25) -> Spec:
    parameters = scale_and_zero(name, dtype, scale)
    read: Spec = {"t": "float32", "s": shape, "n": name}
    return {
        "op": "QuantizeLinear",
        "a": {},
        "i": [read, *parameters],
        "o": [{"t": dtype, "s": shape, "n": f"{name}_q"}],
    }


def unit(op: str, types: list[str], shapes: list[list[int]], made: list[int], **attributes: Any) -> Spec:
    """An operator between DequantizeLinear, one for each input, and QuantizeLinear."""
    names = ["a", "b", "c"][: len(types)]
    spec = node(op, *[{"t": "float32", "s": s, "n": n} for n, s in zip(names, shapes)], **attributes)
    before = [dequantize(n, t, s) for n, t, s in zip(names, types, shapes)]
    return {
        **spec,
        "o": [{"t": "float32", "s": made, "n": "y"}],
        "before": before,
        "after": [quantize("y", types[0], made)],
    }


def all_said(spec: Spec, version: str = "v75") -> list[str]:
    """The verdicts of the described operator and what stands around it."""
    return [one.verdict for one in check(onnx_probe.read(spec), point(table("ort-qnn"), version))]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["uint8", "uint8", "int32"], "supported"),
        (["uint8", "int8", "int32"], "fallback"),
        (["uint16", "uint8", "int32"], "supported"),
        (["uint16", "int8", "int32"], "fallback"),
        (["int8", "int8", "int32"], "supported"),
        (["uint8", "int8", "uint8"], "supported"),  # no unit: the bias is not int32
    ],
)
def test_types_that_go_together_in_a_layer_normalization(types: list[str], expected: str) -> None:
    """With what is joined with it; where nothing is joined, all are operators of their own."""
    assert all_said(unit("LayerNormalization", types, [[1, 5, 8], [8], [8]], [1, 5, 8], axis=-1)) == [expected] * 5


@pytest.mark.parametrize(
    ("types", "expected"),
    [(["uint8", "int8"], "supported"), (["uint8", "int16"], "fallback"), (["uint16", "int16"], "supported")],
)
def test_types_that_go_together_in_a_matrix_product(types: list[str], expected: str) -> None:
    assert said(unit("MatMul", types, [[4, 8], [8, 6]], [4, 6]))[0] == expected


@pytest.mark.parametrize(("perm", "expected"), [([0, 2, 1], "fallback"), ([1, 0, 2], "supported")])
def test_a_transpose_at_the_edge_of_a_quantised_model(perm: list[int], expected: str) -> None:
    """ONNX Runtime moves it out of its unit; inside a model the provider knows the tensor it made itself."""
    shape = [2, 5, 4]
    spec = unit("Transpose", ["uint8"], [shape], [shape[i] for i in perm], perm=perm)
    assert all_said(spec) == [expected] * 3
    relu: Spec = {"op": "Relu", "i": [{"t": "float32", "s": shape, "n": "x"}], "o": [{"t": "float32", "n": "f"}]}
    made = {**quantize("f", "uint8", shape), "o": [{"t": "uint8", "s": shape, "n": "a_q"}]}
    assert all_said({**spec, "before": [relu, made, *spec["before"]]}) == ["supported"] * 5


def test_an_infinite_scale_is_refused_late() -> None:
    spec = unit("Add", ["uint8", "uint8"], [[2, 3], [2, 3]], [2, 3])
    spec["before"][1] = dequantize("b", "uint8", [2, 3], scale=float("inf"))
    assert all_said(spec) == ["rejected"] * 4


@pytest.mark.parametrize(("scale", "expected"), [(0.5, "supported"), (0.45, "fallback")])
def test_a_cubic_resize_has_the_scales_of_its_shapes(scale: float, expected: str) -> None:
    scales: Spec = {"t": "float32", "s": [4], "c": [1.0, 1.0, scale, scale]}
    spec = node("Resize", X, None, scales, mode="cubic", coordinate_transformation_mode="half_pixel")
    size = int(8 * scale)
    assert said({**spec, "o": [{"t": "float32", "s": [1, 3, size, size], "n": "y"}]})[0] == expected


def test_gather_in_float_on_v68() -> None:
    spec = node("Gather", {**X, "s": [6, 4]}, {"t": "int64", "s": [3], "n": "at"})
    spec = {**spec, "o": [{"t": "float32", "s": [3, 4], "n": "y"}]}
    assert (said(spec, "v68")[0], said(spec, "v69")[0]) == ("rejected", "supported")


def test_a_quantised_piece_never_stands_alone() -> None:
    """A QuantizeLinear in a part of its own is left to the CPU: others stand beside it, and are not asked about."""
    both = ort_qnn.together([unit("Relu", ["uint8"], [[2, 3]], [2, 3])])
    beside = [one["name"] for one in [both, *both["after"]] if one["name"].startswith("beside")]
    assert len(beside) == 5
    assert ort_qnn.judged("n0", {"beside_0": ["QNNExecutionProvider"]}, alone=True) == (
        "inconclusive",
        "the operator is gone from the session",
    )
    assert "after" not in ort_qnn.together([node("Relu")])


def test_operators_side_by_side_share_no_tensor() -> None:
    shared = node("Add", X, X)
    both = ort_qnn.together([shared, {**shared, "before": [{**node("Relu"), "o": [{"t": "float32", "n": "z"}]}]}])
    nodes = [both, *both["after"]]
    assert [one["name"] for one in nodes] == ["n0", "p1_0", "n1"]
    assert [one["n"] for one in nodes[0]["i"]] == ["p0_x", "p0_x"]
    assert nodes[2]["i"][0]["n"] == "p1_x"
    assert len(list(onnx_probe.read(both).nodes)) == 3


@pytest.mark.parametrize(
    ("placed", "alone", "expected"),
    [
        ({"n0": ["QNNExecutionProvider"]}, False, "supported"),
        ({"n0": ["CPUExecutionProvider"]}, False, "fallback"),
        ({"n1": ["QNNExecutionProvider"]}, False, None),
        ({"body": ["QNNExecutionProvider"]}, True, "supported"),
        ({"a": ["QNNExecutionProvider"], "b": ["CPUExecutionProvider"]}, True, "fallback"),
        ({}, True, "inconclusive"),
    ],
)
def test_who_has_the_operator(placed: dict[str, list[str]], alone: bool, expected: str | None) -> None:
    """A function's body stands in the session under other names: it is asked alone."""
    found = ort_qnn.judged("n0", placed, alone=alone)
    assert (found and found[0]) == expected


@pytest.mark.parametrize(
    ("message", "verdict", "why"),
    [
        ("Failed to finalize QNN graph. Error code: 1002", "rejected", "not compiled"),
        ("Failed to compose Qnn graph.", "rejected", "not compiled"),
        ("NOT_IMPLEMENTED : Could not find an implementation for Det(11)", "rejected", "no kernel"),
        ("[ONNXRuntimeError] : 10 : INVALID_GRAPH : Type Error", "invalid", "INVALID_GRAPH"),
        ("Having zero graph inputs is not supported on this backend.", "invalid", "zero graph inputs"),
        ("Failed to construct locale with name:en_US.UTF-8", "inconclusive", "locale"),
    ],
)
def test_why_no_session_was_made(message: str, verdict: str, why: str) -> None:
    found = ort_qnn.refused([message])
    assert (found[0], why in found[1]) == (verdict, True)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v68", "v81"])
def test_the_compiler_answers_as_the_table_says(version: str, tmp_path: Path) -> None:
    python = environment("ort-qnn")
    specs = [
        node("Relu"), node("Round"), node("Gelu"), node("Det", {**X, "s": [3, 3]}),
        node("Relu", {**X, "s": ["batch", 3, 8, 8]}), LONGS,
    ]  # fmt: skip
    paths = [tmp_path / f"{number}.onnx" for number in range(len(specs))]
    for path, spec in zip(paths, specs):
        path.write_bytes(onnx_probe.write(spec))
    outcomes = list(ask("ort_qnn", python, paths, "ort-qnn", {"version": version}))
    measured = [outcome.answers[0].verdict for outcome in outcomes]
    assert measured == [said(spec, version)[0] for spec in specs]
    late = "rejected" if version == "v68" else "supported"
    assert measured == ["supported", late, late, "fallback", "fallback", "rejected"]
