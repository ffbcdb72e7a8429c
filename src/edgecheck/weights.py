"""Weights held against each other tensor by tensor: a source's against a file's, a file's against its fp32 twin's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Smaller constants (shapes, epsilons, axes) are no weights.
SMALLEST = 16

#: What Core ML's converter and compressor add to a constant's name.
SUFFIXES = re.compile(r"(_to_fp16|_to_fp32|_quantized|_palettized|_compressed|_cast_fp16)+(_\d+)?$")

#: A constant that coremltools named itself.
NUMBERED = re.compile(r"(const|op)_\d+(_.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Which of the source's weights stand in the file with the same numbers; the others were folded or split."""

    same: tuple[str, ...]
    folded: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """A lower precision against fp32: what was compared, and what is not the fp32 value rounded."""

    compared: int
    wrong: tuple[str, ...]
    missing: tuple[str, ...]  # constants of the fp32 file without a counterpart


def find(source: Mapping[str, Any], constants: Mapping[str, Any]) -> Found:
    """Each weight of the source among a file's constants, whatever its layout: the same numbers, bit for bit."""
    there = {_content(value) for value in constants.values() if value.size >= SMALLEST}
    weights = {n: v for n, v in source.items() if v.dtype.kind == "f" and v.size >= SMALLEST}
    same = tuple(name for name, value in weights.items() if _content(value) in there)
    return Found(same=same, folded=tuple(name for name in weights if name not in same))


def _content(value: Any) -> tuple[int, str]:
    import numpy

    ordered = numpy.sort(numpy.asarray(value, numpy.float32).ravel())
    return value.size, hashlib.sha256(ordered.tobytes()).hexdigest()


def relate(base: Mapping[str, Any], other: Mapping[str, Any], precision: str) -> Related:
    """Every constant of the fp32 file against the one of its name in the other file.

    Constants without a name of their own are numbered, in each file anew: one that is not its namesake's rounding is
    looked for among all of its size.
    """
    twins = {plain(name): value for name, value in other.items()}
    wrong, missing = [], []
    compared = 0
    for name, value in base.items():
        if value.dtype.kind != "f" or value.size < SMALLEST:
            continue
        twin = twins.get(plain(name))
        if (twin is not None and twin.size == value.size and rounded(value, twin.reshape(value.shape), precision)) or (
            NUMBERED.fullmatch(plain(name))
            and any(
                one.size == value.size and rounded(value, one.reshape(value.shape), precision) for one in twins.values()
            )
        ):
            compared += 1
        elif twin is None or twin.size != value.size:
            missing.append(name)
        else:
            compared += 1
            wrong.append(name)
    return Related(compared=compared, wrong=tuple(wrong), missing=tuple(missing))


def plain(name: str) -> str:
    """A constant's name without what lowering the precision added to it."""
    return SUFFIXES.sub("", name)


def rounded(value: Any, twin: Any, precision: str) -> bool:
    """Whether every element of `twin` is that of `value`, rounded as the precision rounds."""
    import numpy

    a, b = numpy.asarray(value, numpy.float64), numpy.asarray(twin, numpy.float64)
    # coremltools keeps what would round to zero at the smallest float16, so the last place counts whole, not half.
    half = numpy.abs(a) * 2.0**-11 + 2.0**-24
    if precision == "fp16":
        return bool((numpy.abs(a - b) <= half).all())
    # int8, symmetric, a scale for each output channel: half a step of the channel's largest value. The scale itself is
    # a float16, which moves the 127th step by 127 * 2**-11 of a step.
    rows = numpy.abs(a).reshape(a.shape[0], -1) if a.ndim > 1 else numpy.abs(a).reshape(1, -1)
    step = rows.max(axis=1) / 127
    error = numpy.abs(a - b).reshape(rows.shape)
    return bool((error <= 0.6 * step[:, None] + half.reshape(rows.shape)).all())
