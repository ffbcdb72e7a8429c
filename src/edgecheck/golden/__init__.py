"""Golden runs: what happened on a device, stage by stage, as facts without a verdict. The format: docs/golden-run.md.

Types only; `reading` takes a folder in, `writing` puts one out, both without numpy unless values are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy

SCHEMA = "edgecheck.golden/1"

#: What a recording may hold instead of a tensor's values.
Withheld = Literal["", "hash", "omitted"]

#: Bits of each element type. `string` is UTF-8, stored as bytes and offsets; types below 8 bits are packed.
DTYPE_BITS: Mapping[str, int] = {
    "bool": 8, "int4": 4, "uint4": 4, "int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32,
    "int64": 64, "uint64": 64, "float16": 16, "bfloat16": 16, "float32": 32, "float64": 64, "string": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One tensor of one stage of one case, as it was declared; its values stay in the file until they are asked for."""

    stage: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    withheld: Withheld = ""
    sha256: str | None = None  # of the bytes, where they are withheld as a hash
    aggregates: bool = False  # count, least, mean, … were recorded beside or instead of the values

    @property
    def size(self) -> int:
        total = 1
        for one in self.shape:
            total *= one
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregates:
    """What a tensor's values are like, without the values; of strings, what the lengths of their UTF-8 are like.

    `low` to `deviation` (of the population) are of the finite values; NaN where there are none, or no room in float64.
    `histogram`: the finite values in 16 equal bins from `low` to `high`.
    """

    count: int
    nan: int
    inf: int  # of both signs
    zeros: int
    low: float
    high: float
    mean: float
    deviation: float
    histogram: tuple[int, ...]

    @property
    def finite(self) -> int:
        return self.count - self.nan - self.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One input and what every stage made of it, in order."""

    name: str
    tensors: tuple[Recorded, ...]

    def of(self, stage: str) -> tuple[Recorded, ...]:
        return tuple(one for one in self.tensors if one.stage == stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start of the process: the unit of a latency measurement."""

    name: str
    warmup: int  # runs before the first sample


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenRun:
    """A recording. `model`, `wrapper`, `device`, `runtime`, `conditions`, `recorder` are as the recorder wrote them."""

    folder: Path
    pipeline: str
    stages: tuple[str, ...]
    cases: tuple[Case, ...]
    model: Mapping[str, str] = field(default_factory=dict)
    wrapper: Mapping[str, str] = field(default_factory=dict)
    device: Mapping[str, str] = field(default_factory=dict)
    runtime: Mapping[str, str | int] = field(default_factory=dict)
    conditions: Mapping[str, str | int] = field(default_factory=dict)
    recorder: Mapping[str, str] = field(default_factory=dict)
    time: str = ""
    spans: tuple[str, ...] = ()
    launches: tuple[Launch, ...] = ()
    data: Any = None  # the mapped tensors: `edgecheck.golden.tensors.Tensors`

    def case(self, name: str) -> Case | None:
        return next((one for one in self.cases if one.name == name), None)

    def values(self, case: str, tensor: Recorded) -> numpy.ndarray:
        """A tensor's values, a view of the file; int4 as int8, bfloat16 as float32, strings as objects.

        Raises `FormatError` where they are withheld.
        """
        found: numpy.ndarray = self.data.values(case, tensor)
        return found

    def aggregates(self, case: str, tensor: Recorded) -> Aggregates | None:
        """What was recorded of a tensor, else what its values give; None where both were withheld."""
        found: Aggregates | None = self.data.aggregates(case, tensor)
        return found

    def latency(self, span: str, launch: str) -> numpy.ndarray:
        """Nanoseconds of every sample of one launch, int64."""
        found: numpy.ndarray = self.data.latency(span, launch)
        return found
