"""Constants of a lower precision against the fp32 file's: by name, and where a converter only numbers them, by value."""

from __future__ import annotations

import numpy
import pytest

from edgecheck.weights import relate

RNG = numpy.random.default_rng(0)
FIRST, SECOND = (RNG.standard_normal((8, 16)).astype(numpy.float32) for _ in range(2))


def half(value):
    return value.astype(numpy.float16)


@pytest.mark.parametrize(
    ("base", "other", "wrong"),
    [
        ({"w": FIRST}, {"w_to_fp16": half(FIRST)}, ()),
        ({"w": FIRST}, {"w_to_fp16": half(SECOND)}, ("w",)),
        ({"const_1": FIRST, "const_2": SECOND}, {"const_1": half(SECOND), "const_2": half(FIRST)}, ()),
        ({"const_1": FIRST, "const_2": SECOND}, {"const_2_to_fp16": half(FIRST), "const_9": half(SECOND)}, ()),
        ({"const_1": FIRST, "const_2": SECOND}, {"const_1": half(FIRST), "const_2": half(SECOND * 1.01)}, ("const_2",)),
        ({"w": FIRST, "v": SECOND}, {"w": half(SECOND), "v": half(FIRST)}, ("w", "v")),
    ],
)
def test_what_is_not_the_fp32_value_rounded(base, other, wrong):
    found = relate(base, other, "fp16")
    assert (found.wrong, found.missing) == (wrong, ())
    assert found.compared == len(base)


def test_what_would_round_to_zero_may_be_kept_at_the_smallest_half():
    """coremltools writes 6e-08 for 1e-09; 1.2e-07 would be another number."""
    tiny = {"b": numpy.full(16, 1e-9, numpy.float32)}
    assert relate(tiny, {"b": numpy.full(16, 6e-8, numpy.float16)}, "fp16").wrong == ()
    assert relate(tiny, {"b": numpy.full(16, 1.2e-7, numpy.float16)}, "fp16").wrong == ("b",)
