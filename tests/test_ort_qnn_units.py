"""ort-qnn: units with a needless Relu or Clip, pieces that keep their neighbours, and what fresh models showed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgecheck.oracles import onnx_probe, ort_qnn
from edgecheck.probing import report
from probe_evidence import table
from test_ort_qnn_table import Spec, all_said, dequantize, node, quantize, said

TABLE = table("ort-qnn")


def clipped_convolution(clip: str, dtype: str, zero: int, scale: float, *bounds: float) -> Spec:
    """DequantizeLinear of input, weights and an int32 bias, Conv, a Relu or Clip, QuantizeLinear."""
    shape, made = [1, 3, 8, 8], [1, 4, 6, 6]
    weights, bias = dequantize("w", "int8", [4, 3, 3, 3]), dequantize("b", "int32", [4])
    weights["i"][0] |= {"c": {"f": 1}}
    bias["i"][0] |= {"c": {"f": 0}}
    read: list[Spec] = [{"t": "float32", "s": s, "n": n} for n, s in (("a", shape), ("w", [4, 3, 3, 3]), ("b", [4]))]
    limits: list[Spec] = [{"t": "float32", "s": [], "c": [n], "n": f"bound{i}"} for i, n in enumerate(bounds)]
    behind = quantize("y", dtype, made, scale)
    behind["i"][2] |= {"c": [zero]}
    cut: Spec = {"op": clip, "i": [{"t": "float32", "s": made, "n": "z"}, *limits], "o": [behind["i"][0]]}
    return {
        **node("Conv", *read),
        "o": [{"t": "float32", "s": made, "n": "z"}],
        "before": [dequantize("a", dtype, shape), weights, bias],
        "after": [cut, behind],
    }


@pytest.mark.parametrize(
    ("clip", "dtype", "zero", "scale", "bounds", "joined"),
    [
        ("Relu", "uint8", 0, 0.05, (), True),
        ("Relu", "uint8", 5, 0.05, (), False),
        ("Relu", "int8", -128, 0.05, (), True),
        ("Relu", "int8", 0, 0.05, (), False),
        ("Clip", "uint8", 0, 6 / 255, (0.0, 6.0), True),
        ("Clip", "uint8", 0, 6.002 / 255, (0.0, 6.0), False),
        ("Clip", "uint8", 3, 0.02, (-0.05, 6.0), False),
        ("Clip", "int8", 0, 0.02, (-10.0,), True),
        ("Sigmoid", "uint8", 0, 0.05, (), False),
    ],
)
def test_a_clip_that_its_quantisation_makes_needless(
    clip: str, dtype: str, zero: int, scale: float, bounds: tuple[float, ...], joined: bool
) -> None:
    """It belongs to the unit of the convolution; else that is none, and the int32 bias is dequantised on the CPU."""
    spec = clipped_convolution(clip, dtype, zero, scale, *bounds)
    assert all_said(spec) == ["supported", "supported", "supported" if joined else "fallback", *["supported"] * 3]
    read = onnx_probe.read(spec)
    piece = ort_qnn._described(list(read.nodes)[2], ort_qnn._Units(read))
    assert piece is not None
    assert (clip in [one["op"] for one in piece["after"]]) is joined


def test_a_refused_unit_takes_its_clip_along() -> None:
    spec = clipped_convolution("Relu", "uint16", 0, 0.001)
    assert set(all_said(spec)) == {"supported"}
    weights = dequantize("w", "uint16", [4, 3, 3, 3])
    several = {"t": "float32", "s": [4], "c": [0.5, 0.25, 0.5, 0.25], "n": "w_scales"}
    weights["i"] = [
        weights["i"][0] | {"c": {"f": 1}},
        several,
        {"t": "uint16", "s": [4], "c": {"f": 0}, "n": "w_zeros"},
    ]
    spec["before"][1] = weights | {"a": {"axis": 0}}
    assert set(all_said(spec)) == {"rejected"}


def test_a_quantizer_on_its_own_keeps_a_neighbour() -> None:
    """At the edge of a graph it stays on the CPU, and there it stands only when cut out."""
    y = {"t": "float32", "s": [2, 3], "n": "y"}
    twice = quantize("y", "uint8", [2, 3])
    second = {**twice, "i": [y, *twice["i"][1:]], "o": [{"t": "uint8", "s": [2, 3], "n": "other"}]}
    acosh: Spec = {"op": "Acosh", "i": [y], "o": [{"t": "float32", "s": [2, 3], "n": "w"}]}
    read = onnx_probe.read({**node("Tan", {**y, "n": "x"}), "o": [y], "after": [twice, second, acosh]})
    piece = ort_qnn._described(list(read.nodes)[2], ort_qnn._Units(read))
    assert piece is not None
    assert [one["op"] for one in piece["before"]] == ["Relu"]


def test_a_converter_that_was_renamed_is_judged_without_its_neighbours() -> None:
    placed = {"DequantizeLinear_token_9": ["QNNExecutionProvider"], "p0_2": ["CPUExecutionProvider"]}
    assert ort_qnn.judged("n0", placed, alone=True, moved=True) == ("supported", "")
    assert ort_qnn.judged("n0", placed, alone=True) == ("fallback", "left to the CPU")


def test_a_constant_is_quantised_on_the_chip() -> None:
    """Unlike an input of the graph."""
    lone = quantize("w", "int8", [2, 3])
    spec = {**node("QuantizeLinear", {**lone["i"][0], "c": {"f": 0.5}}, *lone["i"][1:]), "o": lone["o"]}
    assert said(spec)[0] == "supported"
    assert said({**spec, "i": [lone["i"][0], *lone["i"][1:]]})[0] == "fallback"


@pytest.mark.parametrize(
    ("shape", "indices", "axis", "expected"),
    [
        ([2, 3, 5, 4], [3, 2], 0, "rejected"),
        ([2, 3, 5, 4], [3, 2], -4, "rejected"),
        ([2, 3, 5, 4], [3, 2], 2, "supported"),
        ([2, 3, 4], [2, 2, 3], 0, "supported"),
        ([4, 3], [2, 2, 2, 3], 1, "supported"),
        ([4], [2, 2, 2, 3, 2], 0, "rejected"),
    ],
)
def test_a_gather_that_gives_five_dimensions(shape: list[int], indices: list[int], axis: int, expected: str) -> None:
    at = axis % len(shape)
    made = {"t": "float32", "s": [*shape[:at], *indices, *shape[at + 1 :]], "n": "y"}
    spec = node("Gather", {"t": "float32", "s": shape, "n": "x"}, {"t": "int64", "s": indices, "n": "at"}, axis=axis)
    assert said({**spec, "o": [made]})[0] == expected


@pytest.mark.parametrize(("outer", "expected"), [(False, "supported"), (True, "fallback")])
def test_an_if_whose_branches_read_weights_of_the_graph_around(outer: bool, expected: str) -> None:
    """And a piece cut out of the model keeps them there."""

    def branch(name: str) -> Spec:
        made: Spec = {"n": f"z{name}", "t": "float32", "s": [3, 4]}
        weights: Spec = {"n": f"w{name}", "t": "float32", "s": [4], "c": {"f": 0.5}} | (
            {"outer": True} if outer else {}
        )
        nodes = [{"op": "Add", "a": {}, "i": [{"n": "x", "t": "float32", "s": [3, 4]}, weights], "o": [made]}]
        return {"nodes": nodes, "i": [], "o": [made]}

    spec = node("If", {"t": "bool", "s": []}, then_branch=branch("t"), else_branch=branch("e"))
    spec = {**spec, "o": [{"t": "float32", "s": [3, 4], "n": "y"}]}
    assert said(spec)[0] == expected
    read = onnx_probe.read(spec)
    piece = ort_qnn._described(next(iter(read.nodes)), ort_qnn._Units(read))
    assert piece is not None
    again = onnx_probe.read(piece)
    assert [one.constants for one in again.graphs] == [one.constants for one in read.graphs]
    assert any(one.constants for one in again.graphs[1:]) is not outer


@pytest.mark.parametrize(
    ("left", "right", "constant", "expected"),
    [
        ([2, 4, 1, 7, 8], [8, 7], True, "fallback"),
        ([2, 4, 1, 7, 8], [8, 7], False, "supported"),
        ([2, 4, 1, 7, 8], [1, 8, 7], True, "rejected"),
        ([2, 4, 3, 7, 8], [1, 1, 3, 8, 7], True, "rejected"),
        ([2, 4, 1, 7, 8], [4, 1, 8, 7], True, "supported"),
        ([1, 1, 1, 7, 8], [1, 8, 7], True, "supported"),
        ([2, 4, 7, 8], [8, 7], True, "supported"),
    ],
)
def test_five_dimensions_times_a_constant(left: list[int], right: list[int], constant: bool, expected: str) -> None:
    """As nn.Linear exports it on five dimensions."""
    weights: Spec = {"t": "float32", "s": right, "n": "w"} | ({"c": {"f": 0.5}} if constant else {})
    spec = node("MatMul", {"t": "float32", "s": left, "n": "x"}, weights)
    assert said({**spec, "o": [{"t": "float32", "s": [*left[:-1], 7], "n": "y"}]})[0] == expected


def test_a_limit_of_many_operators_counts_on_whichever_was_measured() -> None:
    """The probes that measured it make it another object for each operator."""
    own = next(limit for entry in TABLE.entries("Conv") for limit in entry.limits if limit.id == "rank")
    renamed = replace(own, probes=("probe x",))
    measured = {("ConvTranspose", "rank"): {"inside", "outside"}}
    assert report._paired(TABLE, renamed, measured)
    assert not report._paired(TABLE, renamed, {("ConvTranspose", "rank"): {"inside"}})
    assert not report._paired(TABLE, renamed, {("Relu", "rank"): {"inside", "outside"}})
