"""A latency budget as people write it: `p90 <= 12 ms on pixel-8`, `median model <= 8ms`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from edgecheck.errors import EdgecheckError

NANOSECONDS = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
EXAMPLES = "a budget reads like `p90 <= 12 ms on pixel-8` or `median model <= 8 ms`"
LONGEST = 10**15  # nanoseconds: eleven days
_LINE = re.compile(
    r"(?P<quantile>\S+)(?:\s+(?P<span>[^<≤>=]*?))?\s*(?P<sign><=|≤)\s*"
    r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(?P<unit>[a-zµμ]*)(?:\s+on\s+(?P<device>\S.*))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`quantile` of `span` is at most `at_most` nanoseconds on `device`."""

    quantile: Fraction  # 1/2 is the median, 9/10 is p90
    at_most: int  # nanoseconds
    span: str | None = None  # None: end_to_end where it was recorded, else the only span there is
    device: str | None = None  # None: any device, but never the host

    def __str__(self) -> str:
        span = f" {self.span}" if self.span else ""
        device = f" on {self.device}" if self.device else ""
        return f"{quantile_name(self.quantile)}{span} <= {duration(self.at_most)}{device}"


def parse(text: str) -> Budget:
    """The budget that `text` says. Raises `EdgecheckError` (code 2) with what is wrong with it."""
    found = _LINE.fullmatch(text.strip())
    if found is None:
        raise EdgecheckError(f"{_short(text)} is no latency budget{_why(text)}", help=EXAMPLES)
    if found["unit"] not in NANOSECONDS:
        missing = f"the unit {found['unit']!r} is none" if found["unit"] else "the unit is missing"
        raise EdgecheckError(f"{_short(text)}: {missing}", help="the units are ns, us, ms and s")
    exact = Fraction(found["number"]) * NANOSECONDS[found["unit"]]
    if exact.denominator != 1 or not 0 < exact <= LONGEST:
        raise EdgecheckError(
            f"{_short(text)}: a limit is at least 1 ns, in whole ns, and at most {LONGEST // 10**9:,} s", help=EXAMPLES
        )
    return Budget(
        quantile=_quantile(found["quantile"], text), at_most=int(exact), span=(found["span"] or "").strip() or None,
        device=(found["device"] or "").strip() or None,
    )  # fmt: skip


def _quantile(word: str, text: str) -> Fraction:
    if word == "median":
        return Fraction(1, 2)
    found = re.fullmatch(r"p([0-9]{1,2}(?:\.[0-9]{1,3})?)", word)
    if found and Fraction(found[1]) > 0:
        return Fraction(found[1]) / 100
    why = ": a maximum only grows with the number of runs; p99 does not" if word in ("max", "maximum", "p100") else ""
    why = why or (": one slow run moves a mean; say median" if word in ("mean", "average", "avg") else "")
    raise EdgecheckError(f"{_short(text)}: {_short(word)} is no quantile{why}", help="say median, p90, p99, p99.9 …")


def _why(text: str) -> str:
    if not text.strip():
        return ": it is empty"
    if re.search(r">|(?<![<=])=|<(?!=)", text):
        return ": a budget says <= (or ≤)"
    if not re.search(r"<=|≤", text):
        return ": there is no <= (or ≤) in it"
    return ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")


def quantile_name(quantile: Fraction) -> str:
    """`median`, `p90`, `p99.9`."""
    if quantile == Fraction(1, 2):
        return "median"
    return f"p{float(quantile * 100):.10g}"


def duration(nanoseconds: int) -> str:
    """The shortest exact text: 12000000 is `12 ms`, 1500 is `1.5 us`, 999 is `999 ns`."""
    unit = next((one for one in ("s", "ms", "us") if nanoseconds >= NANOSECONDS[one]), "ns")
    whole, rest = divmod(nanoseconds, NANOSECONDS[unit])
    digits = f"{rest:0{len(str(NANOSECONDS[unit])) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits} {unit}" if digits else f"{whole} {unit}"


def milliseconds(nanoseconds: float) -> str:
    """For people: three or four digits, `12.3 ms`, `850 us`."""
    unit = next((one for one in ("s", "ms", "us") if nanoseconds >= NANOSECONDS[one]), "ns")
    value = nanoseconds / NANOSECONDS[unit]
    return f"{value:.0f} {unit}" if value >= 999.5 else f"{value:.3g} {unit}"
