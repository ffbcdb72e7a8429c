"""The op table `nnapi`: what LiteRT's delegate asks of a node, by Android's API level and the table's settings."""

from __future__ import annotations

from typing import Any

import pytest

from edgecheck.check import check, point
from edgecheck.oracles import tflite_probe
from probe_evidence import table


def verdict(spec: dict[str, Any], api: str, **settings: Any) -> tuple[str, str | None]:
    one = check(tflite_probe.read(spec), point(table("nnapi"), api, settings))[0]
    return one.verdict, one.limit


def conv(dilation: int = 1, channels: int = 4) -> dict[str, Any]:
    return {
        "op": "CONV_2D", "v": 1,
        "i": [{"t": "float32", "s": [1, 8, 8, 4]}, {"t": "float32", "s": [8, 3, 3, channels], "c": {"f": 1}},
              {"t": "float32", "s": [8], "c": {"f": 0}}],
        "o": [{"t": "float32", "s": [1, 8, 8, 8]}],
        "a": {"padding": "SAME", "stride_h": 1, "stride_w": 1, "dilation_h_factor": dilation,
              "dilation_w_factor": dilation, "fused_activation_function": "NONE"},
    }  # fmt: skip


def unary(op: str, dtype: str = "float32", shape: tuple[int, ...] = (1, 4), **attributes: Any) -> dict[str, Any]:
    tensor = {"t": dtype, "s": list(shape), **({"q": [0.5, 0]} if dtype in ("int8", "uint8") else {})}
    return {"op": op, "v": 1, "i": [tensor], "o": [tensor], "a": attributes}


def test_dilation_and_groups_need_api_29() -> None:
    assert [verdict(conv(dilation=2), api) for api in ("28", "29")] == [("fallback", "dilation"), ("supported", None)]
    assert [verdict(conv(channels=2), api) for api in ("28", "29")] == [("fallback", "groups"), ("supported", None)]


def test_an_operator_comes_with_its_android() -> None:
    assert [verdict(unary("ELU"), api)[0] for api in ("29", "30", "35")] == ["fallback", "supported", "supported"]
    assert verdict(unary("SIN"), "28")[0] == "fallback"
    assert verdict(unary("GELU", approximate=False), "35")[0] == "fallback"


def test_softmax_of_three_dimensions() -> None:
    assert verdict(unary("SOFTMAX", shape=(1, 2, 4), beta=1.0), "28") == ("fallback", "rank-2-or-4")
    assert verdict(unary("SOFTMAX", shape=(1, 2, 4), beta=1.0), "29") == ("supported", None)


def test_what_comes_with_a_feature_level_is_unknown_until_it_is_given() -> None:
    reshape = unary("RESHAPE", "int32", new_shape=[4, 1])
    assert verdict(reshape, "30")[0] == "fallback"
    assert verdict(reshape, "33")[0] == "unknown"
    assert verdict(reshape, "33", feature_level="7") == ("supported", None)
    assert verdict(reshape, "33", feature_level="5") == ("fallback", "type")


@pytest.mark.parametrize(("devices", "expected"), [("accelerators", "supported"), ("any", "fallback")])
def test_a_large_quantised_window_goes_to_an_accelerator_only(devices: str, expected: str) -> None:
    window = {"filter_height": 17, "filter_width": 17, "stride_h": 1, "stride_w": 1, "padding": "VALID"}
    pool = unary("AVERAGE_POOL_2D", "uint8", (1, 32, 32, 3), fused_activation_function="NONE", **window)
    assert verdict(pool, "30", devices=devices)[0] == expected


def test_int64_tensors_are_none_of_nnapis() -> None:
    assert verdict(unary("FLOOR", "int64"), "30") == ("fallback", "nnapi-type")


def test_all_cases_of_the_delegate_are_there() -> None:
    assert len(table("nnapi").ops) == 94
    assert "API 35" in table("nnapi").notes


def test_what_nnapi_itself_refuses_after_its_delegate_took_it() -> None:
    permutation = {"t": "int32", "s": [2], "c": [1, 0]}
    turned = {**unary("TRANSPOSE"), "i": [{"t": "float32", "s": [1, 4]}, permutation]}
    integers = {**turned, "i": [{"t": "int32", "s": [1, 4]}, permutation]}
    assert verdict(turned, "30") == ("supported", None)
    assert verdict(integers, "30") == ("fallback", "runtime-type")
    assert verdict(unary("RELU", shape=(1, 2, 2, 4)), "30") == ("supported", None)
    assert verdict(unary("RELU", shape=(1, 1, 2, 2, 4)), "30") == ("fallback", "runtime-rank")
