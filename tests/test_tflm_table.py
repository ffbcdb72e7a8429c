"""The op table `tflm` against what the tflite-micro wheel did with stored probes."""

from __future__ import annotations

from typing import Any

import pytest

from edgecheck.check import check, point
from edgecheck.oracles import Ran, tflite_probe, tflm
from probe_evidence import Agreement, compare, evidence, fresh, table

EVIDENCE = "tflm-2026.10.jsonl"


@pytest.fixture(scope="module")
def agreement() -> Agreement:
    return compare(evidence(EVIDENCE, "tflm"), "tflm")


def test_nothing_is_supported_where_tflm_refused_it(agreement: Agreement) -> None:
    assert agreement.false_supported == []


def test_the_table_agrees_with_tflm(agreement: Agreement) -> None:
    assert agreement.asked > 1000
    assert agreement.placed >= 0.995, (agreement.false_refused + agreement.unknown)[:20]


def test_tflm_never_falls_back() -> None:
    assert {row["verdict"] for row in evidence(EVIDENCE, "tflm")} <= {
        "supported",
        "rejected",
        "inconclusive",
        "invalid",
    }


def verdict(spec: dict[str, Any]) -> tuple[str, str | None]:
    one = check(tflite_probe.read(spec), point(table("tflm")))[0]
    return one.verdict, one.limit


def softmax(scale: float, zero_point: int) -> dict[str, Any]:
    source = {"t": "int8", "s": [1, 4], "q": [0.5, 0]}
    return {
        "op": "SOFTMAX",
        "i": [source],
        "o": [{"t": "int8", "s": [1, 4], "q": [scale, zero_point]}],
        "a": {"beta": 1.0},
    }


def test_int8_softmax_needs_its_one_output_scale() -> None:
    assert verdict(softmax(1 / 256, -128)) == ("supported", None)
    assert verdict(softmax(1 / 128, -128)) == ("rejected", "output-scale")


@pytest.mark.parametrize(
    ("scale", "expected"), [(1 / 127, ("supported", None)), (1 / 128, ("rejected", "output-scale"))]
)
def test_hard_swish_output_scale_on_both_sides(scale: float, expected: tuple[str, str | None]) -> None:
    spec = {
        "op": "HARD_SWISH",
        "i": [{"t": "int8", "s": [1], "q": [1.0, 0]}],
        "o": [{"t": "int8", "s": [1], "q": [scale, 0]}],
    }
    assert verdict({**spec, "a": {}}) == expected


def test_int64_paddings_are_read_as_pairs_of_int32() -> None:
    def padded(values: list[int], shape: list[int]) -> dict[str, Any]:
        data = {"t": "int8", "s": [1, 4], "q": [0.5, 0]}
        paddings = {"t": "int64", "s": [2, 2], "c": values}
        return {"op": "PAD", "i": [data, paddings], "o": [{"t": "int8", "s": shape, "q": [0.5, 0]}], "a": {}}

    assert verdict(padded([0, 2, 0, 0], [1, 6])) == ("supported", None)
    assert verdict(padded([0, 0, 0, 2], [1, 6])) == ("rejected", "padded-shape")


def test_hybrid_weights_are_rejected() -> None:
    data, weights = {"t": "float32", "s": [1, 4]}, {"t": "int8", "s": [2, 4], "q": [0.1, 0], "c": {"f": 1}}
    spec = {
        "op": "FULLY_CONNECTED",
        "i": [data, weights],
        "o": [{"t": "float32", "s": [1, 2]}],
        "a": {"keep_num_dims": False},
    }
    assert verdict(spec) == ("rejected", "hybrid")


def test_an_operator_without_a_kernel_is_rejected_by_name() -> None:
    one = check(
        tflite_probe.read(
            {"op": "GELU", "i": [{"t": "float32", "s": [1]}], "o": [{"t": "float32", "s": [1]}], "a": {}}
        ),
        point(table("tflm")),
    )[0]
    assert one.verdict == "rejected"
    assert "GELU is not in the table of tflm" in (one.reason or "")


def test_custom_operators_of_the_library_are_known() -> None:
    tensor = {"t": "int16", "s": [1, 8]}
    assert verdict({"op": "CUSTOM:SignalWindow", "i": [tensor], "o": [tensor]})[0] == "supported"
    assert verdict({"op": "CUSTOM:Mystery", "i": [tensor], "o": [tensor]})[0] == "rejected"


def test_a_crash_or_a_small_arena_is_no_refusal() -> None:
    assert tflm.judged(Ran(value=None, text="", failure="killed by SIGABRT")) == ("inconclusive", "killed by SIGABRT")
    assert tflm.judged(Ran(value="prepare", text="Failed to resize buffer. Requested: 9", failure=None))[0] == "invalid"
    told = tflm.judged(Ran(value="prepare", text="Didn't find op for builtin opcode 'GELU'\n", failure=None))
    assert told == ("rejected", "prepare: Didn't find op for builtin opcode 'GELU'")


def test_inputs_are_counted_with_those_left_out() -> None:
    tensor = {"t": "float32", "s": [1, 4]}
    spec = {"op": "ABS", "i": [tensor, None], "o": [tensor], "a": {}}
    assert verdict(spec) == ("rejected", "inputs")
    assert verdict({**spec, "i": [None]}) == ("rejected", "inputs")
    assert verdict({**spec, "i": [tensor]}) == ("supported", None)


@pytest.mark.parametrize(
    ("axes", "expected"),
    [([1], "supported"), ([0, 1], "supported"), ([0, 2], "rejected"), ([3], "rejected"), ([-1], "supported")],
)
def test_reversed_axes_follow_on_each_other(axes: list[int], expected: str) -> None:
    data = {"t": "float32", "s": [2, 3, 2]}
    spec = {"op": "REVERSE_V2", "i": [data, {"t": "int32", "s": [len(axes)], "c": axes}], "o": [data], "a": {}}
    assert verdict(spec)[0] == expected


@pytest.mark.parametrize(
    ("end", "length", "expected"),
    [(-7, 6, "supported"), (0, 5, "supported"), (0, 6, "rejected"), (1, 4, "supported"), (5, 6, "rejected")],
)
def test_a_slice_backwards(end: int, length: int, expected: str) -> None:
    def words(*values: int) -> dict[str, Any]:
        return {"t": "int32", "s": [2], "c": list(values)}

    data, out = ({"t": "int8", "s": [1, size], "q": [0.5, 0]} for size in (6, length))
    spec = {"op": "STRIDED_SLICE", "i": [data, words(0, 5), words(1, end), words(1, -1)], "o": [out]}
    masks = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0)
    assert verdict({**spec, "a": masks})[0] == expected


@pytest.mark.parametrize(("scale", "expected"), [(0.9, "supported"), (1.0, "rejected")])
def test_int8_comparisons_abort_from_a_scale_of_one(scale: float, expected: str) -> None:
    pair = [{"t": "int8", "s": [2], "q": [one, 0]} for one in (0.5, scale)]
    assert verdict({"op": "LESS", "i": pair, "o": [{"t": "bool", "s": [2]}], "a": {}})[0] == expected


@pytest.mark.slow
def test_tflm_itself_on_fresh_probes() -> None:
    agreement = fresh("tflm", "tflm", seed=78, count=300)
    assert len(agreement.false_supported) <= 2, agreement.false_supported  # mutants may be no TFLite at all
    assert agreement.placed >= 0.98


def test_a_listed_bias_that_is_not_there_crashes_a_depthwise_convolution() -> None:
    data, weights = {"t": "float32", "s": [1, 6, 6, 4]}, {"t": "float32", "s": [1, 3, 3, 4], "c": {"f": 1}}
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    rest = {"depth_multiplier": 1, "fused_activation_function": "NONE"}
    spec = {"op": "DEPTHWISE_CONV_2D", "o": [data], "a": {**options, **rest}}
    assert verdict({**spec, "i": [data, weights]}) == ("supported", None)
    assert verdict({**spec, "i": [data, weights, None]}) == ("rejected", "listed-bias")


def test_an_int8_tanh_needs_no_quantisation_and_an_int16_one_its_one_output_scale() -> None:
    plain = {"op": "TANH", "i": [{"t": "int8", "s": [1, 4]}], "o": [{"t": "int8", "s": [1, 4]}], "a": {}}
    assert verdict(plain) == ("supported", None)
    wide = {"t": "int16", "s": [1, 4]}
    assert verdict({**plain, "i": [wide], "o": [wide]}) == ("rejected", "quantized")
    assert verdict({**plain, "i": [wide], "o": [{**wide, "q": [2**-15, 0]}]}) == ("supported", None)


def test_what_crashes_the_interpreter_is_said_beforehand() -> None:
    part = {"t": "float32", "s": [2, 3]}
    pack = {"op": "PACK", "i": [part, part], "o": [{"t": "float32", "s": [2, 2, 3]}]}
    assert verdict({**pack, "a": {"axis": 0, "values_count": 2}}) == ("supported", None)
    assert verdict({**pack, "a": {"axis": 0, "values_count": 3}}) == ("rejected", "inputs")
    assert verdict({**pack, "i": [part, None], "a": {"axis": 0, "values_count": 2}}) == ("rejected", "inputs")
    assert verdict({**pack, "a": {"axis": -4, "values_count": 2}}) == ("rejected", "axis")

    def sliced(rank: int) -> dict[str, Any]:
        data, index = {"t": "float32", "s": [1] * rank}, {"t": "int32", "s": [rank], "c": {"f": 0}}
        return {"op": "SLICE", "i": [data, index, {**index, "c": {"f": 1}}], "o": [data], "a": {}}

    assert verdict(sliced(5)) == ("supported", None)
    assert verdict(sliced(6)) == ("rejected", "rank")
