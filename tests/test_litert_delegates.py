"""The op tables `hexagon` and `litert-coreml-delegate`: both sides of what the delegates' sources ask of a node."""

from __future__ import annotations

from typing import Any

import pytest

from edgecheck.check import check, point
from edgecheck.oracles import tflite_probe
from probe_evidence import table


def verdict(target: str, spec: dict[str, Any], **settings: Any) -> tuple[str, str | None]:
    one = check(tflite_probe.read(spec), point(table(target), None, settings))[0]
    return one.verdict, one.limit


def t8(*shape: int, **more: Any) -> dict[str, Any]:
    return {"t": "int8", "s": list(shape), "q": [0.5, 0], **more}


def f32(*shape: int, **more: Any) -> dict[str, Any]:
    return {"t": "float32", "s": list(shape), **more}


def depthwise(height: int, stride: int = 1, dilation: int = 1, multiplier: int = 1, version: int = 3) -> dict[str, Any]:
    attrs = {"padding": "SAME", "stride_h": stride, "stride_w": stride, "dilation_h_factor": dilation,
             "dilation_w_factor": dilation, "depth_multiplier": multiplier, "fused_activation_function": "RELU"}  # fmt: skip
    bias = {"t": "int32", "s": [4 * multiplier], "q": [0.1, 0], "c": {"f": 0}}
    return {
        "op": "DEPTHWISE_CONV_2D",
        "v": version,
        "i": [t8(1, 8, 8, 4), t8(1, height, 3, 4 * multiplier, c={"f": 1}), bias],
        "o": [t8(1, 8, 8, 4 * multiplier)],
        "a": attrs,
    }


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"height": 3}, ("supported", None)),
        ({"height": 1}, ("fallback", "filter-height")),
        ({"height": 3, "stride": 3}, ("supported", None)),
        ({"height": 3, "stride": 4}, ("fallback", "stride")),
        ({"height": 3, "dilation": 2}, ("supported", None)),
        ({"height": 3, "dilation": 2, "stride": 2}, ("fallback", "dilation")),
        ({"height": 3, "multiplier": 2}, ("fallback", "multiplier")),
        ({"height": 3, "version": 4}, ("fallback", None)),
    ],
)
def test_hexagon_depthwise(changed: dict[str, int], expected: tuple[str, str | None]) -> None:
    assert verdict("hexagon", depthwise(**changed)) == expected


def test_hexagon_is_for_eight_bits_and_four_dimensions() -> None:
    def tanh(tensor: dict[str, Any]) -> dict[str, Any]:
        return {"op": "TANH", "v": 2, "i": [tensor], "o": [tensor], "a": {}}

    assert verdict("hexagon", tanh(t8(1, 4))) == ("supported", None)
    assert verdict("hexagon", tanh(f32(1, 4))) == ("fallback", "inputs")
    assert verdict("hexagon", tanh(t8(1, 1, 1, 1, 4))) == ("fallback", "rank")
    axes = {"t": "int32", "s": [1], "c": [1]}
    sums = {"op": "SUM", "v": 1, "i": [t8(1, 4), axes], "o": [t8(1)], "a": {"keep_dims": False}}
    assert verdict("hexagon", sums)[0] == "fallback"


def dense(batch: int, weights: dict[str, Any]) -> dict[str, Any]:
    attrs = {"fused_activation_function": "NONE", "keep_num_dims": False, "weights_format": "DEFAULT"}
    return {"op": "FULLY_CONNECTED", "v": 1, "i": [f32(batch, 4), weights, f32(2, c={"f": 0})], "o": [f32(batch, 2)],
            "a": attrs}  # fmt: skip


def test_coreml_dense_takes_one_row_and_float_weights() -> None:
    target = "litert-coreml-delegate"
    assert verdict(target, dense(1, f32(2, 4, c={"f": 1}))) == ("supported", None)
    assert verdict(target, dense(2, f32(2, 4, c={"f": 1}))) == ("fallback", "batch")
    assert verdict(target, dense(1, t8(2, 4, c={"f": 1}))) == ("fallback", "weights")
    assert verdict(target, dense(1, f32(2, 4)))[0] == "fallback"


def test_coreml_reshape_depends_on_the_version() -> None:
    shape = {"t": "int32", "s": [3], "c": [1, 2, 2]}
    reshape = {"op": "RESHAPE", "v": 1, "i": [f32(1, 4), shape], "o": [f32(1, 2, 2)], "a": {"new_shape": [1, 2, 2]}}
    assert verdict("litert-coreml-delegate", reshape) == ("fallback", "version-3")
    assert verdict("litert-coreml-delegate", reshape, coreml_version="2") == ("supported", None)


@pytest.mark.parametrize(
    ("second", "expected"), [((1, 1, 1, 4), "supported"), ((1, 8, 1, 4), "fallback"), ((1, 8, 8, 1), "supported")]
)
def test_coreml_broadcasts_whole_images_or_channels(second: tuple[int, ...], expected: str) -> None:
    add = {
        "op": "ADD",
        "v": 1,
        "i": [f32(1, 8, 8, 4), f32(*second)],
        "o": [f32(1, 8, 8, 4)],
        "a": {"fused_activation_function": "NONE"},
    }
    assert verdict("litert-coreml-delegate", add)[0] == expected


def test_all_cases_of_both_delegates_are_there() -> None:
    assert (len(table("hexagon").ops), len(table("litert-coreml-delegate").ops)) == (39, 23)
