"""The op table `litert-cpu`: what runtimes from TensorFlow Lite 2.8 to LiteRT 2.3 did with stored probes, and its axis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgecheck.check import check, point
from edgecheck.errors import EdgecheckError
from edgecheck.model.formats import tflite
from edgecheck.oracles import Ran, litert_cpu, tflite_probe
from probe_evidence import ROOT, evidence, fresh, table

EVIDENCE = "litert_cpu-2.3.0.jsonl"
POINTS = {"litert-1.0.1": "litert-1.0", "litert-1.4.0": "litert-1.4", "litert-2.0.3": "litert-2.0",
          "litert-2.3.0": "litert-2.3"}  # fmt: skip


def judged(spec: dict[str, Any], version: str | None = None) -> tuple[str, str | None, str]:
    one = check(tflite_probe.read(spec), point(table("litert-cpu"), version))[0]
    return one.verdict, one.limit, one.reason or ""


def test_the_table_agrees_with_every_runtime() -> None:
    asked, wrong, supported = 0, [], []
    for row in evidence(EVIDENCE, "litert-cpu"):
        verdict = judged(row["spec"], row.get("at") or POINTS.get(row["version"], row["version"]))[0]
        asked += 1
        if verdict != row["verdict"]:
            wrong.append(f"{row['version']} {row['probe']} {row['op']}: {row['reason']}; table {verdict}")
            supported += [wrong[-1]] if verdict == "supported" else []
    assert asked > 1200
    # Hard probes are kept, easy ones are not: of all that were asked 99.5 % agree. What is left are broken mutants.
    assert len(wrong) / asked <= 0.04, wrong
    assert len(supported) / asked <= 0.03, supported


def test_the_axis_is_the_runtime_measured_from_28_on() -> None:
    versions = table("litert-cpu").versions
    assert versions[0] == "1.5"
    assert versions[versions.index("2.21") + 1] == "litert-1.0"
    assert versions[-1] == "litert-2.3"
    registers = json.loads((ROOT / "op_tables/evidence/litert-cpu-registers.json").read_text())
    for release, version in (("2.12", "2.12"), ("litert-1.0.1", "litert-1.0"), ("litert-2.3.0", "litert-2.3")):
        for op in ("CONV_2D", "CAST", "TRANSPOSE", "STABLEHLO_CASE", "ADD"):
            newest = max(v for ops in registers.values() for v in ops.get(op, [0]))
            for number in range(1, newest + 1):
                has = number in registers[release].get(op, [])
                spec = {"op": op, "v": number, "i": [], "o": []}
                limit = judged(spec, version)[1] or ""
                ahead = limit.startswith(("runtime-v", "litert-v")) or "needs runtime" in judged(spec, version)[2]
                assert ahead is not has, (op, number, version)


def fully_connected(version: int) -> dict[str, Any]:
    return {
        "op": "FULLY_CONNECTED", "v": version,
        "i": [{"t": "float32", "s": [1, 4]}, {"t": "float32", "s": [2, 4], "c": {"f": 1}},
              {"t": "float32", "s": [2], "c": {"f": 0}}],
        "o": [{"t": "float32", "s": [1, 2]}],
        "a": {"keep_num_dims": False, "fused_activation_function": "NONE"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("version", "runtime", "expected"),
    [(9, "2.2", "rejected"), (9, "2.3", "supported"), (12, "2.15", "rejected"), (12, "2.17", "supported")],
)
def test_an_operator_version_newer_than_the_board(version: int, runtime: str, expected: str) -> None:
    """tensorflow#43232, #47334, #50641: "Didn't find op for builtin opcode 'FULLY_CONNECTED' version '9'"."""
    verdict, limit, reason = judged(fully_connected(version), runtime)
    assert verdict == expected
    if expected == "rejected":
        assert limit == f"runtime-v{version}"
        assert f"version {version} of FULLY_CONNECTED comes with TensorFlow Lite" in reason


def test_litert_counts_anew() -> None:
    cast = {"op": "CAST", "v": 7, "i": [{"t": "float32", "s": [1]}], "o": [{"t": "int32", "s": [1]}], "a": {}}
    assert judged(cast, "2.19")[0] == "supported"
    assert judged(cast, "litert-1.0")[:2] == ("rejected", "litert-v7")
    assert judged(cast, "litert-1.2")[0] == "supported"
    with pytest.raises(EdgecheckError, match=r"litert-cpu@litert-2.4 lies outside"):
        point(table("litert-cpu"), "litert-2.4")
    with pytest.raises(EdgecheckError, match=r"litert-cpu@2.22 lies outside"):
        point(table("litert-cpu"), "2.22")


def test_a_type_comes_with_its_runtime() -> None:
    tensor = {"t": "float16", "s": [1, 4]}
    cos = {"op": "COS", "v": 1, "i": [tensor], "o": [tensor], "a": {}}
    assert judged(cos, "2.14")[0] == "rejected"
    assert "LiteRT" in judged(cos, "litert-1.4")[2]
    assert judged(cos)[0] == "supported"


def test_what_has_no_kernel_is_rejected_by_name() -> None:
    tensor = {"t": "float32", "s": [1]}
    assert "Mystery is not in the table" in judged({"op": "CUSTOM:Mystery", "i": [tensor], "o": [tensor]})[2]


def test_made_up_values_and_crashes_are_no_refusal() -> None:
    assert litert_cpu.judged(Ran(value=None, text="", failure="killed by SIGSEGV")) == (
        "inconclusive",
        "killed by SIGSEGV",
    )
    values = ("read_variable.cc:67 variable != nullptr was not true.", "max_index < num_segments_ was not true.")
    shapes = (
        "Output shape must be broadcastable from input shape.",
        "Node number 0 (SPARSE_TO_DENSE) failed to invoke.",
    )
    for said in (*values, *shapes):
        assert litert_cpu.judged(Ran(value=["invoke", said], text="", failure=None))[0] == "invalid"
    missing = Ran(value=["load", "Didn't find op for builtin opcode 'ADD' version '6'."], text="", failure=None)
    assert litert_cpu.judged(missing) == ("rejected", "load: Didn't find op for builtin opcode 'ADD' version '6'.")
    assert litert_cpu.judged(Ran(value=["load", "the file is broken"], text="", failure=None))[0] == "invalid"


def reversed_along(axes: list[int]) -> dict[str, Any]:
    tensor = {"t": "float32", "s": [2, 3, 4]}
    return {"op": "REVERSE_V2", "v": 2, "i": [tensor, {"t": "int32", "s": [len(axes)], "c": axes}], "o": [tensor]}


def test_axes_that_are_reversed_together_are_adjacent() -> None:
    assert judged(reversed_along([2, 1]))[0] == "supported"
    assert judged(reversed_along([0, -1]))[:2] == ("rejected", "adjacent-axes")
    assert judged(reversed_along([0, 2]), "2.14")[0] == "supported"


@pytest.mark.parametrize(
    ("dtype", "runtime", "expected"),
    [("int16", "2.14", "rejected"), ("int16", "2.21", "supported"), ("int8", "litert-1.0", "rejected"),
     ("int8", "litert-1.4", "supported"), ("bool", "litert-1.4", "rejected"), ("bool", "litert-2.3", "supported"),
     ("uint8", "litert-2.3", "rejected")],
)  # fmt: skip
def test_paddings_of_other_types_came_later(dtype: str, runtime: str, expected: str) -> None:
    tensor = {"t": "float32", "s": [2, 3]}
    padded = {"op": "PAD", "v": 1, "i": [tensor, {"t": dtype, "s": [2, 2], "c": {"f": 0}}], "o": [tensor]}
    assert judged(padded, runtime)[0] == expected


def test_a_bias_that_is_left_out_is_no_refusal() -> None:
    window = {f"stride_{axis}": 1 for axis in "dhw"}
    spec = {
        "op": "CONV_3D", "v": 1, "a": {"padding": "SAME", **window},
        "i": [{"t": "float32", "s": [1, 4, 4, 4, 2]}, {"t": "float32", "s": [1, 1, 1, 2, 3], "c": {"f": 1}}, None],
        "o": [{"t": "float32", "s": [1, 4, 4, 4, 3]}],
    }  # fmt: skip
    assert judged(spec)[0] == "supported"


def test_the_graphs_of_a_file_are_counted_without_a_schema(models_dir: Path) -> None:
    for path in sorted(models_dir.rglob("*.tflite"))[:8]:
        model = tflite.read(path)
        found = litert_cpu._counts(path.read_bytes())
        assert found == (len(model.graphs), len(model.graphs[0].nodes)), path.name


def test_a_model_that_ran_answers_for_all_its_operators_one_that_did_not_for_the_one_it_names() -> None:
    ran = Ran(value=["ran", "", ["ADD", "MUL"]], text="", failure=None)
    assert [one.verdict for one in litert_cpu._without_cutting(ran, alone=False)] == ["supported"] * 2
    text = "pow.cc:67 input1->type != input2->type Node number 1 (POW) failed to prepare."
    refused = Ran(value=["prepare", text, ["ADD", "POW"]], text="", failure=None)
    (one,) = litert_cpu._without_cutting(refused, alone=False)
    assert (one.index, one.op, one.verdict) == (1, "POW", "rejected")
    unknown = Ran(value=["load", "Didn't find op for builtin opcode 'ADD' version '6'.", []], text="", failure=None)
    assert litert_cpu._without_cutting(unknown, alone=False) == []
    assert litert_cpu._without_cutting(unknown, alone=True)[0].verdict == "rejected"


def test_every_point_that_can_be_asked_is_one_of_the_axis() -> None:
    assert set(litert_cpu.DISTRIBUTIONS) < set(litert_cpu.ENVIRONMENTS) <= set(table("litert-cpu").versions)


def int8_convolution(zero_point: int) -> dict[str, Any]:
    strides = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    return {
        "op": "CONV_2D", "v": 3, "a": {"padding": "SAME", "fused_activation_function": "NONE", **strides},
        "i": [{"t": "int8", "s": [1, 4, 4, 2], "q": [0.1, 5]}, {"t": "int8", "s": [3, 1, 1, 2], "q": [0.1, 0], "c": {"f": 1}},
              {"t": "int32", "s": [3], "q": [0.01, zero_point], "c": {"f": 0}}],
        "o": [{"t": "int8", "s": [1, 4, 4, 3], "q": [0.2, 0]}],
    }  # fmt: skip


def test_a_bias_has_no_zero_point() -> None:
    assert judged(int8_convolution(0))[0] == "supported"
    assert judged(int8_convolution(1))[:2] == ("rejected", "bias-zero-point-0")


@pytest.mark.parametrize(("scale", "expected"), [(0.25, "supported"), (0.5, "supported"), (1.0, "rejected")])
def test_sixteen_bits_with_scales_that_are_powers_of_two(scale: float, expected: str) -> None:
    """One input has the output's scale, the other no larger one: the sum shifts to the right only."""
    one, other = ({"t": "int16", "s": [4], "q": [step, 0]} for step in (0.5, scale))
    spec = {"op": "ADD", "v": 1, "i": [one, other], "o": [one], "a": {"pot_scale_int16": True}}
    assert judged({**spec, "a": {**spec["a"], "fused_activation_function": "NONE"}})[0] == expected


@pytest.mark.parametrize(("segments", "expected"), [([0, 0, 1], "supported"), ([0, 2, 1], "rejected")])
def test_segments_lie_among_their_number(segments: list[int], expected: str) -> None:
    data = {"t": "float32", "s": [3, 2]}
    ids = {"t": "int32", "s": [3], "c": segments}
    made = {"t": "float32", "s": [2, 2]}
    spec = {
        "op": "UNSORTED_SEGMENT_MAX",
        "v": 1,
        "i": [data, ids, {"t": "int32", "s": [], "c": [2]}],
        "o": [made],
        "a": {},
    }
    assert judged(spec)[0] == expected


def expanded(dtype: str, given: list[float] | None, made: list[float] | None) -> dict[str, Any]:
    source, target = (
        {"t": dtype, "s": shape, **({"q": q} if q else {})} for shape, q in (([2, 3], given), ([2, 1, 3], made))
    )
    return {"op": "EXPAND_DIMS", "v": 1, "i": [source, {"t": "int32", "s": [], "c": [1]}], "o": [target], "a": {}}


@pytest.mark.parametrize("dtype", ["bool", "int8", "float32"])
def test_expanding_compares_scales_whatever_the_type(dtype: str) -> None:
    """expand_dims.cc:85 asks nothing of the type; several scales count as none."""
    assert judged(expanded(dtype, [0.1, 5], [0.1, 5]))[0] == "supported"
    assert judged(expanded(dtype, [0.1, 5], None))[:2] == ("rejected", "scale")


@pytest.mark.parametrize(
    ("sizes", "stored", "expected"), [([2, 3], [0, 3], "rejected"), ([0, 3], [0, 3], "supported"), ([2, 3], [-1, 3], "supported")]
)  # fmt: skip
def test_a_dimension_of_zero_is_no_other_size(sizes: list[int], stored: list[int], expected: str) -> None:
    made = {"t": "float32", "s": [max(1, one) for one in stored]}
    spec = {"op": "RESHAPE", "v": 1, "i": [{"t": "float32", "s": sizes}], "o": [made], "a": {"new_shape": stored}}
    assert judged(spec)[0] == expected


@pytest.mark.parametrize(("point", "expected"), [(0, "supported"), (127, "supported"), (128, "rejected")])
def test_padding_needs_a_zero(point: int, expected: str) -> None:
    tensor = {"t": "int8", "s": [2, 3], "q": [0.1, point]}
    spec = {
        "op": "PAD", "v": 2, "i": [tensor, {"t": "int32", "s": [2, 2], "c": [0, 1, 0, 0]}],
        "o": [{**tensor, "s": [3, 3]}], "a": {},
    }  # fmt: skip
    assert judged(spec)[0] == expected


def test_an_input_that_is_left_out_is_refused() -> None:
    spec = fully_connected(1)
    assert judged({**spec, "i": [None, *spec["i"][1:]]})[0] == "rejected"
    assert judged({**spec, "i": [spec["i"][0], None, spec["i"][2]]})[0] == "rejected"


@pytest.mark.slow
def test_litert_itself_on_fresh_probes() -> None:
    agreement = fresh("litert-cpu", "litert_cpu", seed=79, count=400)
    assert agreement.placed >= 0.985
    assert len(agreement.false_supported) <= 4, agreement.false_supported  # mutants may be no TFLite at all
