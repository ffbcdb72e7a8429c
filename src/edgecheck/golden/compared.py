"""What a comparison found, as figures: tensor by tensor, stage by stage. Findings are made of it later.

Everything here is data that can cross to another process as JSON (`pack`, `unpack`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgecheck.findings import Finding
from edgecheck.golden.causes import Cause
from edgecheck.golden.measure import Figures
from edgecheck.pipeline import Tolerance

State = Literal["same", "differs", "not compared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorCompared:
    """One tensor of one case: the distance, the tolerance, what left it, and the least that would pass."""

    case: str
    stage: str
    name: str
    dtype: str
    figures: Figures
    tolerance: Tolerance
    beyond: tuple[str, ...] = ()
    needed: Tolerance | None = None
    units: str = ""  # "3 steps of 255", "26 % of the range": the largest difference in the tensor's own units
    where: str = ""  # "channel 0", "rows 0 to 7"; empty: everywhere
    decision: str = ""  # "top class 3 becomes 7 (lead 0.02)": what a user of the tensor would see
    problem: str = ""  # why it could not be compared at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A tensor that is on one side only, or has another name, shape or type there. `case`: the first one."""

    stage: str
    kind: Literal["missing", "extra", "renamed", "reordered", "transposed", "retyped", "reshaped"]
    say: str
    case: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCompared:
    """One rung of the ladder. `by_itself`: with the device's own input; `along`: with ours from the start."""

    name: str
    state: State
    reason: str = ""  # why not compared
    tensors: tuple[TensorCompared, ...] = ()  # by itself: the worst of each name first
    along: tuple[TensorCompared, ...] = ()  # end to end, the worst of each name
    cases: int = 0
    differing: int = 0  # cases that left the tolerance
    causes: tuple[Cause, ...] = ()
    closest: Cause | None = None  # where none is named
    blamed: tuple[str, ...] = ()  # earlier stages that the device did not record: the fault may lie there


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides of a pipeline, held against each other."""

    pipeline: str
    ours: str  # "replay of face.py with litert 2.3.0", or the other run's folder
    device: str  # the run's folder
    stages: tuple[StageCompared, ...]
    mismatches: tuple[Mismatch, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)  # model and runtime of both sides
    pictures: tuple[Mapping[str, Any], ...] = ()
    replayed: bool = True  # else two recordings were held against each other, and nothing was run

    @property
    def first(self) -> StageCompared | None:
        """The first stage that differs by itself."""
        return next((one for one in self.stages if one.state == "differs"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """One run, what was measured, and what that means."""

    folder: Path
    comparison: Comparison
    findings: tuple[Finding, ...]


_TYPES = {one.__name__: one for one in (Figures, Tolerance, TensorCompared, Mismatch, StageCompared, Comparison, Cause)}


def pack(value: Any) -> Any:
    """Plain data of a comparison; infinities become texts, since JSON has none."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {one.name: pack(getattr(value, one.name)) for one in dataclasses.fields(value)}
        return {"$": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(key): pack(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [pack(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": "float", "value": repr(float(value))}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def unpack(tree: Any) -> Any:
    """What `pack` was given; lists come back as tuples."""
    if isinstance(tree, list | tuple):
        return tuple(unpack(one) for one in tree)
    if not isinstance(tree, Mapping):
        return tree
    if tree.get("$") == "float":
        return float(tree["value"])
    fields = {key: unpack(one) for key, one in tree.items() if key != "$"}
    return _TYPES[tree["$"]](**fields) if tree.get("$") in _TYPES else fields
