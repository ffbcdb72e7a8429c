"""The budget language: what it says is what is read, and whatever is wrong is one sentence."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecheck.errors import EdgecheckError
from edgecheck.golden.budget import LONGEST, Budget, duration, milliseconds, parse, quantile_name

READ = [
    ("p90 <= 12 ms on pixel-8", Fraction(9, 10), None, 12_000_000, "pixel-8"),
    ("median model <= 8ms", Fraction(1, 2), "model", 8_000_000, None),
    ("p99 end_to_end <= 33 ms", Fraction(99, 100), "end_to_end", 33_000_000, None),
    ("p50 model ≤ 1.5us", Fraction(1, 2), "model", 1_500, None),
    ("p99.9≤2 s on Pixel 8 Pro", Fraction(999, 1000), None, 2_000_000_000, "Pixel 8 Pro"),
    ("  p90  span of words<=900ns  on  host ", Fraction(9, 10), "span of words", 900, "host"),
    ("p5 on <= 3 µs", Fraction(1, 20), "on", 3_000, None),
]


@pytest.mark.parametrize(("text", "quantile", "span", "at_most", "device"), READ, ids=[one[0] for one in READ])
def test_a_budget_is_read(text, quantile, span, at_most, device):
    assert parse(text) == Budget(quantile=quantile, span=span, at_most=at_most, device=device)


REFUSED = [
    ("", "'' is no latency budget: it is empty"),
    ("p90 12 ms", "'p90 12 ms' is no latency budget: there is no <= (or ≤) in it"),
    ("p90 < 12 ms", "a budget says <= (or ≤)"),
    ("p90 >= 12 ms", "a budget says <= (or ≤)"),
    ("p90 <= 12", "the unit is missing"),
    ("p90 <= 12 min", "the unit 'min' is none"),
    ("p90 <= 12 MS", "is no latency budget"),
    ("max <= 12 ms", "'max' is no quantile: a maximum only grows with the number of runs; p99 does not"),
    ("mean model <= 12 ms", "'mean' is no quantile: one slow run moves a mean; say median"),
    ("p0 <= 12 ms", "'p0' is no quantile"),
    ("p100 <= 12 ms", "'p100' is no quantile"),
    ("model <= 12 ms", "'model' is no quantile"),
    ("p90 <= 0 ms", "a limit is at least 1 ns"),
    ("p90 <= 0.5 ns", "in whole ns"),
    ("p90 <= 99999999999 s", "at most 1,000,000 s"),
    ("p90 <= -1 ms", "is no latency budget"),
    ("p90 <= 1e3 ms", "is no latency budget"),
    ("p90 <= 12 ms on", "is no latency budget"),
    ("p90 <= " + "9" * 5000 + " ms", "is no latency budget"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=[one[0][:30] for one in REFUSED])
def test_what_is_no_budget_is_refused_in_a_sentence(text, says):
    with pytest.raises(EdgecheckError) as caught:
        parse(text)
    assert says in str(caught.value)
    assert caught.value.code == 2
    assert caught.value.help
    assert len(str(caught.value)) < 200


words = st.from_regex(r"[a-z][a-z0-9_-]{0,8}( [a-z][a-z0-9_-]{0,8})?", fullmatch=True)
budgets = st.builds(
    Budget,
    quantile=st.integers(1, 99_999).map(lambda n: Fraction(n, 100_000)),
    at_most=st.integers(1, LONGEST),
    span=st.none() | words,
    device=st.none() | words,
)


@given(budgets)
def test_a_budget_that_is_written_is_read_back(budget):
    assert parse(str(budget)) == budget


@given(st.text(max_size=40) | st.text("p90 <=≤.msuon-", max_size=30))
def test_any_text_is_a_budget_or_a_sentence(text):
    try:
        assert parse(str(parse(text))) == parse(text)
    except EdgecheckError as error:
        assert "\n" not in str(error)


@given(st.integers(1, LONGEST))
def test_a_duration_is_exact_and_for_people_near(nanoseconds):
    number, unit = duration(nanoseconds).split()
    scale = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
    assert Fraction(number) * scale[unit] == nanoseconds
    short, unit = milliseconds(nanoseconds).split()
    assert abs(Fraction(short) * scale[unit] - nanoseconds) <= Fraction(nanoseconds, 150)


def test_a_quantile_has_a_name():
    assert [quantile_name(Fraction(one)) for one in ("1/2", "9/10", "999/1000", "1/20")] == [
        "median",
        "p90",
        "p99.9",
        "p5",
    ]
