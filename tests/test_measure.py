"""Distances against plain numpy for any type, shape and value; what is packed is unpacked; statistics keep their level."""

from __future__ import annotations

import hashlib
import json
import math

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgecheck.golden.compared import Comparison, Mismatch, Monitor, StageCompared, TensorCompared, pack, unpack
from edgecheck.golden.hashing import digest
from edgecheck.golden.measure import Figures, figures, judge, needed, over
from edgecheck.golden.measures import cumulated_gap, of_values
from edgecheck.golden.reading import read
from edgecheck.golden.recorder import Recorder, aggregated
from edgecheck.golden.sampling import exchange, smirnov
from edgecheck.pipeline import Meaning, Tolerance

TYPES = (
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
)


@st.composite
def pairs(draw):
    """Two arrays of one shape and type; the second is the first with some elements changed."""
    dtype = draw(st.sampled_from(TYPES))
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6))
    elements = arrays.from_dtype(numpy.dtype(dtype))
    a = draw(arrays.arrays(dtype, shape, elements=elements))
    b = a.copy()
    for place in draw(st.lists(st.integers(0, max(0, a.size - 1)), max_size=4)) if a.size else ():
        b.flat[place] = draw(elements)
    return a, b


@given(pairs())
@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_figures_are_those_of_plain_numpy(pair):
    a, b = pair
    found = figures(a, b)
    same = (a == b) | ((a != a) & (b != b))
    one_sided = [
        not (math.isfinite(x) and math.isfinite(y)) and not equal
        for x, y, equal in zip(a.ravel().tolist(), b.ravel().tolist(), same.ravel().tolist(), strict=True)
    ]
    wide = all(math.isfinite(float(x) - float(y)) for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
    distances = [
        abs(int(x) - int(y)) if a.dtype.kind in "iub" else abs(x - y)
        for x, y, odd, equal in zip(
            a.ravel().tolist(), b.ravel().tolist(), one_sided, same.ravel().tolist(), strict=True
        )
        if not odd and not equal and math.isfinite(float(x) - float(y))
    ]
    assert found.identical == bool(same.all()) or a.tobytes() == b.tobytes()
    if found.identical:
        return
    assert found.max_abs == pytest.approx(float(max(distances, default=0)), rel=1e-6)
    if wide:
        assert found.differing == int((~same).sum())
        square = sum(float(one) * float(one) for one in distances)
        if math.isfinite(square):
            assert found.rms == pytest.approx(math.sqrt(square / max(1, a.size)), rel=1e-6, abs=1e-300)
    if found.max_abs > 0:
        x, y = a.ravel()[found.worst].item(), b.ravel()[found.worst].item()
        assert float(abs(int(x) - int(y)) if a.dtype.kind in "iub" else abs(x - y)) == pytest.approx(
            found.max_abs, rel=1e-6
        )


@given(pairs(), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_blocks_change_nothing(pair, size):
    a, b = pair[0].ravel(), pair[1].ravel()
    whole, parts = figures(a, b), over(lambda: [(a[i : i + size], b[i : i + size]) for i in range(0, a.size, size)])
    assert (whole.identical, whole.count, whole.differing, whole.finite, whole.worst, whole.max_abs) == (
        parts.identical, parts.count, parts.differing, parts.finite, parts.worst, parts.max_abs,
    )  # fmt: skip


def test_the_last_bit_of_a_large_number_counts():
    a = numpy.asarray([2**62, 5, -(2**63)])
    found = figures(a, a + numpy.asarray([1, 0, 0]))
    assert (found.max_abs, found.differing) == (1.0, 1)
    assert judge(found, Tolerance(absolute=0.0), Meaning(), integer=True)


@given(pairs())
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_the_least_tolerance_that_would_pass_passes(pair):
    a, b = pair
    integer = a.dtype.kind != "f"
    found = figures(a, b)
    limit = Tolerance(lsb=0.0, share=0.0) if integer else Tolerance(relative=1e-9, absolute=1e-12)
    if found.finite or not math.isfinite(found.relative):
        return
    assert judge(found, needed(found, limit, Meaning(), integer=integer), Meaning(), integer=integer) == ()


numbers = st.floats(allow_nan=False) | st.integers(-(2**50), 2**50).map(float)
figured = st.builds(Figures, identical=st.booleans(), max_abs=numbers, rms=numbers, count=st.integers(0, 9))
tensors = st.builds(
    TensorCompared, case=st.text(), stage=st.text(), name=st.text(), dtype=st.just("float32"), figures=figured,
    tolerance=st.builds(Tolerance, absolute=st.none() | numbers), beyond=st.lists(st.text(), max_size=2).map(tuple),
    needed=st.none(), units=st.text(),
)  # fmt: skip
monitors = st.builds(
    Monitor, stage=st.text(), name=st.text(), measure=st.text(), unit=st.text(), ours=numbers, device=numbers,
    cases=st.integers(0, 9), paired=st.booleans(), drifted=st.booleans(), chance=st.none() | st.floats(0, 1),
)  # fmt: skip
comparisons = st.builds(
    Comparison, pipeline=st.text(), ours=st.text(), device=st.text(),
    stages=st.lists(
        st.builds(StageCompared, name=st.text(), state=st.just("same"), tensors=st.lists(tensors, max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
    mismatches=st.lists(
        st.builds(Mismatch, stage=st.text(), kind=st.just("extra"), say=st.text(), case=st.text()), max_size=2
    ).map(tuple),
    monitors=st.lists(monitors, max_size=2).map(tuple), notes=st.lists(st.text(), max_size=2).map(tuple),
)  # fmt: skip


@given(comparisons)
@settings(max_examples=60, deadline=None)
def test_what_is_packed_is_unpacked(comparison):
    assert unpack(json.loads(json.dumps(pack(comparison)))) == comparison


@given(
    arrays.arrays(
        "float64", st.integers(0, 40), elements=st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, 0.0])
    )
)
@example(numpy.array([0.0, 5e-324]))
@settings(max_examples=60, deadline=None)
def test_aggregates_of_values_are_those_that_a_recorder_writes(values):
    ours, (told, histogram) = of_values(values), aggregated(values.tobytes(), "float64", values.size)
    assert [ours.count, ours.nan, ours.inf, ours.zeros] == told[:4]
    assert list(ours.histogram) == histogram
    for one, other in zip((ours.low, ours.high, ours.mean, ours.deviation), told[4:], strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        ("int4", b"\x21\x0f"),
        ("uint4", b"\x21\x0f"),
        ("bfloat16", None),
        ("float16", None),
        ("uint8", None),
        ("string", None),
    ],
)
def test_a_hash_is_that_of_a_recorder(tmp_path, dtype, stored):
    values = numpy.asarray([1, 2, -1 if dtype == "int4" else 15])
    given_shape = {"shape": [3]} if stored else {}
    kept = stored or values.astype("float32" if dtype == "bfloat16" else dtype if dtype != "string" else object)
    if dtype == "bfloat16":
        kept, given_shape = (kept.view("uint32") >> 16).astype("uint16").tobytes(), {"shape": [3]}
    if dtype == "string":
        kept = ["a", "ü", "c"]
    recorder = Recorder(str(tmp_path / "run"), "p", ["s"])
    recorder.case("c")
    told = {"dtype": dtype} if dtype in ("int4", "uint4", "bfloat16") else {}
    recorder.tensor("s", "t", kept, withhold="hash", **told, **given_shape)
    assert recorder.finish(), recorder.error
    ours = (
        numpy.asarray(kept, object) if dtype == "string" else values.astype("float32" if "float" in dtype else "int64")
    )
    assert digest(ours, dtype) == read(tmp_path / "run").cases[0].tensors[0].sha256
    assert digest(ours[:2], dtype) != hashlib.sha256(b"").hexdigest()


def test_a_histogram_moves_only_where_values_surely_did():
    rng = numpy.random.default_rng(0)
    scores = rng.random(500)
    here = of_values(scores)
    assert cumulated_gap(here, here) <= 0
    assert cumulated_gap(here, of_values(scores + rng.normal(0, 0.005, 500))) < 0.02
    assert cumulated_gap(here, of_values(scores**4)) > 0.25
    half = numpy.concatenate([numpy.zeros(250), rng.random(250)])
    assert cumulated_gap(of_values(half), of_values(numpy.where(half == 0, 1e-4, half))) < 0.05


def test_the_tests_of_samples_keep_their_level():
    rng = numpy.random.default_rng(1)
    alike = [smirnov(rng.normal(size=12), rng.normal(size=12)) for _ in range(400)]
    assert sum(one <= 0.05 for one in alike) <= 30
    assert all(smirnov(rng.normal(size=20), rng.normal(3, 1, 20)) < 1e-3 for _ in range(20))
    classes = numpy.eye(4)
    rows = [list(classes[rng.integers(0, 4, 12)]) for _ in range(2)]
    assert exchange(*rows)[0] > 0.01
    assert exchange([classes[0]] * 12, [classes[1]] * 12) == (pytest.approx(1 / 5001, abs=2e-3), 1.0)
