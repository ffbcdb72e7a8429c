"""Which tolerance holds where nobody declared one: by what made the tensor, its type, and the precision it ran in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from edgecheck.pipeline import Kind, Meaning, Tolerance

#: Wrapper code computes the same everywhere but for the order of float operations.
WRAPPER = Tolerance(relative=1e-4)
#: Of integers that code rounds from floats: what lies next to a tie may fall on either side, and little does.
WRAPPER_INTEGER = Tolerance(lsb=1.0, share=0.02)
EXACT = Tolerance(absolute=0.0)
#: A model by the lower precision of the two sides. fp32 kernels differ by 1e-6 to 1e-4 of the range (117 to 131 dB
#: between an A76 and x86); fp16 has 11 bits. int8 kernels round ties each in its own way, layer after layer: two
#: steps of a wake word's logit, in 2,520 on four runtimes (scripts/false_alarms.py), which its sigmoid makes twelve of.
MODEL: Mapping[str, Tolerance] = {
    "fp32": Tolerance(relative=2e-3, snr_db=70.0),
    "fp16": Tolerance(relative=0.05, snr_db=30.0),
    "int8": Tolerance(lsb=3.0),
    "uint8": Tolerance(lsb=3.0),
    "int16": Tolerance(lsb=8.0),
}
#: Of a model with floats outside and integers inside: its steps are not known, so the range is the measure.
MODEL_INSIDE = Tolerance(relative=0.08, snr_db=20.0)
_EXACT: frozenset[Kind] = frozenset({"labels", "tokens", "text"})


def of(meaning: Meaning, dtype: str, precision: str | None) -> Tolerance:
    """The default for one tensor. `precision`: of the model that made it ("fp32", "int8"); None: wrapper code."""
    if meaning.kind in _EXACT or dtype in ("bool", "string"):
        return EXACT
    integer = not dtype.startswith(("float", "bfloat"))
    if precision is None:
        if not integer:
            return WRAPPER
        return WRAPPER_INTEGER if meaning.kind in ("image", "audio") or meaning.scale else EXACT
    if integer:
        return MODEL.get(precision, MODEL["int8"]) if precision in ("int8", "uint8", "int16") else MODEL["int8"]
    if precision in ("int8", "uint8", "int16"):
        return MODEL_INSIDE
    return MODEL.get(precision, MODEL["fp32"])


def steeper(tolerance: Tolerance, gain: float) -> Tolerance:
    """The tolerance of an integer tensor behind an activation that makes `gain` steps of one."""
    return replace(tolerance, lsb=math.ceil(tolerance.lsb * gain)) if tolerance.lsb is not None else tolerance


def coarser(ours: str, device: str) -> str:
    """The precision with fewer bits of two; an unknown one counts as the other."""
    order = ("int8", "uint8", "int16", "fp16", "fp32")
    known = [one for one in (ours, device) if one in order]
    return min(known, key=order.index) if known else "fp32"
