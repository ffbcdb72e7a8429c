"""The op table `coral-edgetpu`: Google's list, and what its compiler did with models of google-coral/test_data."""

from __future__ import annotations

from typing import Any

import pytest

from edgecheck.check import check, point
from edgecheck.oracles import tflite_probe
from probe_evidence import table


def verdict(spec: dict[str, Any]) -> tuple[str, str | None]:
    one = check(tflite_probe.read(spec), point(table("coral-edgetpu")))[0]
    return one.verdict, one.limit


def t8(*shape: int, **more: Any) -> dict[str, Any]:
    return {"t": "uint8", "s": list(shape), "q": [0.5, 0], **more}


def resize(before: int, after: int, channels: int) -> dict[str, Any]:
    size = {"t": "int32", "s": [2], "c": [after, after]}
    return {"op": "RESIZE_BILINEAR", "i": [t8(1, before, before, channels), size],
            "o": [t8(1, after, after, channels)], "a": {}}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "channels", "expected"),
    [
        (24, 48, 24, "supported"),  # movenet_single_pose_lightning_ptq: mapped
        (33, 33, 19, "supported"),  # deeplab_mobilenet_edgetpu_slim_cityscapes_quant: mapped
        (33, 513, 19, "unknown"),  # the same model: left to the CPU, for a reason that Google keeps
        (1, 33, 256, "unknown"),  # deeplabv3_mnv2_pascal_quant: left to the CPU
    ],
)
def test_resize_is_known_where_it_was_seen(before: int, after: int, channels: int, expected: str) -> None:
    assert verdict(resize(before, after, channels))[0] == expected


def reshape(size: int) -> dict[str, Any]:
    shape = {"t": "int32", "s": [2], "c": [1, size]}
    return {"op": "RESHAPE", "i": [t8(1, 1, 1, size), shape], "o": [t8(1, size)], "a": {"new_shape": [1, size]}}


def test_certain_reshapes_are_opaque() -> None:
    assert verdict(reshape(1001)) == ("supported", None)  # mobilenet_v1: mapped
    assert verdict(reshape(100_000)) == ("unknown", "large")


def test_softmax_is_one_row() -> None:
    def softmax(*shape: int) -> dict[str, Any]:
        return {"op": "SOFTMAX", "i": [t8(*shape)], "o": [t8(*shape)], "a": {"beta": 1.0}}

    assert verdict(softmax(1, 16000)) == ("supported", None)
    assert verdict(softmax(1, 16001)) == ("fallback", "one-dimension")
    assert verdict(softmax(2, 8)) == ("fallback", "one-dimension")


def test_floats_stay_on_the_cpu_and_what_is_not_listed_is_unknown() -> None:
    tensor = {"t": "float32", "s": [1, 4]}
    assert verdict({"op": "RELU", "i": [tensor], "o": [tensor]}) == ("fallback", "eight-bit")
    assert (
        verdict({"op": "ARG_MAX", "i": [t8(1, 4), {"t": "int32", "s": [], "c": [1]}], "o": [t8(1)], "a": {}})[0]
        == "unknown"
    )


def test_squeeze_takes_leading_ones() -> None:
    def squeeze(*shape: int) -> dict[str, Any]:
        return {"op": "SQUEEZE", "i": [t8(*shape)], "o": [t8(*[d for d in shape if d != 1])], "a": {"squeeze_dims": []}}

    assert verdict(squeeze(1, 5, 10)) == ("supported", None)
    assert verdict(squeeze(5, 1, 10)) == ("fallback", "leading")


def test_what_users_reports_say() -> None:
    gelu = {"op": "GELU", "i": [t8(1, 8)], "o": [t8(1, 8)], "a": {"approximate": True}}
    assert verdict(gelu)[0] == "rejected"  # google-coral/edgetpu issues 667 and 818
    order = {"t": "int32", "s": [4], "c": [0, 3, 1, 2]}
    transpose = {"op": "TRANSPOSE", "i": [t8(1, 4, 4, 2), order], "o": [t8(1, 2, 4, 4)], "a": {}}
    assert verdict(transpose) == ("unknown", "unspecified")  # issue 433


def transpose_conv(version: int) -> dict[str, Any]:
    size = {"t": "int32", "s": [4], "c": [1, 8, 8, 2]}
    weights = t8(2, 2, 2, 4, c=True)
    inputs = [size, weights, t8(1, 4, 4, 4)]
    made = {"padding": "SAME", "stride_h": 2, "stride_w": 2}
    return {"op": "TRANSPOSE_CONV", "v": version, "i": inputs, "o": [t8(1, 8, 8, 2)], "a": made}


def test_a_newer_transposed_convolution_ends_the_compilation() -> None:
    assert verdict(transpose_conv(4)) == ("rejected", "version-3")  # issue 845
    assert verdict(transpose_conv(3)) == ("supported", None)
