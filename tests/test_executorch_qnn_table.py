"""The table of ExecuTorch's Qualcomm delegate: held against what the partitioner and Qualcomm's compiler said."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.check import check, point
from edgecheck.oracles import ask
from edgecheck.probing import asking, evidence, making
from edgecheck.probing.programs import model_of
from probe_evidence import table
from program_calls import said

ROOT = Path(__file__).parents[1]
TARGET = "executorch-qnn"
EVIDENCE = ROOT / "op_tables" / "evidence" / "executorch-qnn-1.5.1.jsonl"


def test_the_table_says_what_the_compiler_did():
    rows = [row for row in evidence.read(EVIDENCE) if not row.get("differs")]
    at = point(table(TARGET))
    said = [(check(model_of(row), at)[0], row) for row in rows]
    wrong = [
        f"{row['op']} {row['probe']}: {one.verdict} for {row['verdict']}"
        for one, row in said
        if one.verdict != row["verdict"]
    ]
    assert len(rows) >= MEASURED
    assert not [row["probe"] for one, row in said if one.verdict == "supported" != row["verdict"]]
    assert len(wrong) <= len(rows) * 0.005, wrong


#: Rows of evidence: fewer would mean that some were lost.
MEASURED = 220


@pytest.mark.parametrize(
    ("op", "dtype", "shape", "answer"),
    [
        ("aten.tanh.default", "float32", [2, 3, 4, 5], ("supported", None)),
        ("aten.tanh.default", "float32", [1, 2, 3, 4, 5], ("fallback", "dimensions")),
        ("aten.relu.default", "bfloat16", [2, 3], ("rejected", "bfloat16")),
        ("aten.elu.default", "float32", [1, 2, 3, 4, 5], ("rejected", "dimensions")),
        ("aten.erf.default", "float32", [2, 3], ("fallback", None)),
    ],
)
def test_dimensions_and_types(op, dtype, shape, answer):
    assert said(TARGET, op, [("self", dtype, shape, 0)], [(dtype, shape)], {}) == answer


@pytest.mark.parametrize(("size", "answer"), [(8, ("supported", None)), (7, ("rejected", "whole-windows"))])
def test_an_average_over_windows_of_two_sizes_stops_the_lowering(size, answer):
    inputs, out = [("self", "float32", [1, 3, size, size], 0)], [("float32", [1, 3, 2, 2])]
    assert said(TARGET, "aten.adaptive_avg_pool2d.default", inputs, out, {"output_size": [2, 2]}) == answer


@pytest.mark.parametrize(("constant", "answer"), [(1, ("supported", None)), (0, ("rejected", "constant-weights"))])
def test_the_weights_of_a_convolution_are_constants(constant, answer):
    inputs = [("input", "float32", [1, 3, 6, 6], 0), ("weight", "float32", [4, 3, 3, 3], constant)]
    attrs = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
    assert said(TARGET, "aten.conv2d.default", inputs, [("float32", [1, 4, 4, 4])], attrs) == answer


@pytest.mark.parametrize(
    ("dim", "answer"), [(-1, ("supported", None)), (1, ("supported", None)), (2, ("fallback", "dim"))]
)
def test_a_softmax_is_over_the_last_dimension_or_the_channels(dim, answer):
    inputs, out = [("self", "float32", [1, 3, 4, 4], 0)], [("float32", [1, 3, 4, 4])]
    assert said(TARGET, "aten.softmax.int", inputs, out, {"dim": dim}) == answer


@pytest.mark.slow
def test_the_libraries_of_onnxruntime_qnn_compile_programs_of_executorch(tmp_path):
    """The environments executorch and ort-qnn are there, or this says which is not."""
    image, pooled = ["float32", [1, 3, 7, 7], 0], ["float32", [1, 3, 2, 2], 0]
    deep = ["float32", [1, 2, 3, 4, 5], 0]
    plain = {"n": ["self"], "a": {}, "r": [[]]}
    specs = [
        {"op": "aten.relu.default", **plain, "i": [image], "o": [image]},
        {"op": "aten.tanh.default", **plain, "i": [deep], "o": [deep]},
        {"op": "aten.adaptive_avg_pool2d.default", **plain, "i": [image], "o": [pooled], "a": {"output_size": [2, 2]}},
    ]
    paths = [path for path in making.write(specs, "executorch", tmp_path) if path]
    witness = asking.witness("executorch", TARGET)
    outcomes = ask("executorch", witness.python, paths, TARGET, seconds_each=300)
    assert [one.answers[0].verdict for one in outcomes] == ["supported", "fallback", "rejected"]
