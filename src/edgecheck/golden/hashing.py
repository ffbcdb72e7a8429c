"""The hash of a tensor that a recording withholds, made from values of ours: equality can be shown, nothing more."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from edgecheck.golden import Aggregates


def digest(value: Any, dtype: str) -> str:
    """SHA-256 of the bytes as a recorder would have stored them; empty where the values cannot be of that type."""
    import numpy

    if (dtype == "string") != (value.dtype.kind in "OUS"):
        return ""
    if dtype == "string":
        return hashlib.sha256("".join(map(str, value.reshape(-1))).encode("utf-8", "replace")).hexdigest()
    with numpy.errstate(all="ignore"):
        if dtype in ("int4", "uint4"):
            nibbles = value.reshape(-1).astype(numpy.int8).view(numpy.uint8) & 15
            pairs = numpy.append(nibbles, numpy.zeros(nibbles.size % 2, numpy.uint8)).reshape(-1, 2)
            stored = pairs[:, 0] | (pairs[:, 1] << 4)
        elif dtype == "bfloat16":
            stored = (value.astype("<f4").reshape(-1).view("<u4") >> 16).astype("<u2")
        else:
            stored = value.astype(numpy.dtype(dtype).newbyteorder("<"), copy=False)
    return hashlib.sha256(stored.tobytes()).hexdigest()


def alike(a: Aggregates, b: Aggregates) -> bool:
    """Whether both can be of the same values: counts and extremes are exact, sums may be added in another order."""
    exact = ("count", "nan", "inf", "zeros")
    near = ("low", "high", "mean", "deviation")
    return all(getattr(a, one) == getattr(b, one) for one in exact) and all(
        _near(getattr(a, one), getattr(b, one), max(abs(a.low), abs(a.high)) if a.finite else 0.0) for one in near
    )


def _near(a: float, b: float, scale: float) -> bool:
    return (math.isnan(a) and math.isnan(b)) or abs(a - b) <= 1e-6 * scale
