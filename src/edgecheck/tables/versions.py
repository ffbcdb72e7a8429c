"""The order of the points of a target's axis, as tables spell them."""

from __future__ import annotations

import re
from functools import cache

_NAMED = 1 << 60  # before the numbers of a named version


@cache
def order(version: str) -> tuple[int, ...]:
    """`2.10.1`, `≤37`, `v75` as comparable numbers; `litert-1.0`, an axis under its new name, is behind all of them."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version))
    return (_NAMED, *numbers) if name(version) else numbers


def name(version: str) -> str:
    """`litert` of `litert-2.1`."""
    found, dash, _ = version.removeprefix("≤").partition("-")
    return found if dash and found.isalpha() else ""
