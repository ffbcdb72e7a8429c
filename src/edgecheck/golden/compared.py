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
class Monitor:
    """What a tensor is like on both sides, by one measure: brightness, volume, missing values.

    `paired`: each case was held against itself, and `ours` and `device` are those of the case that is furthest apart;
    else they are the middle of each side's cases.
    """

    stage: str
    name: str
    measure: str
    unit: str  # "", "share", "dB", "letters"
    ours: float
    device: float
    cases: int
    paired: bool
    drifted: bool
    differing: int = 0  # of the cases
    against: int = 0  # cases of ours, where they are not the same
    chance: float | None = None  # that cases of one kind lie so far apart; None: paired, or too few to tell

    def told(self, device: str = "on the device", ours: str = "here") -> str:
        """`mean brightness 0.21 on the device, 0.48 here, in 3 of 3 cases`."""
        digits = 2 if abs(self.device - self.ours) >= 0.01 else 6
        there, here = (_valued(value, self.unit, digits) for value in (self.device, self.ours))
        cases = (
            f"in {self.differing} of {self.cases} cases"
            if self.paired
            else f"{self.cases} cases against {self.against}"
        )
        if self.measure in MOVED:
            return f"{there} of the {self.measure}, {cases}"
        return f"{self.measure} {there} {device}, {here} {ours}, {cases}"


#: Measures that say how much of one side lies elsewhere on the other.
SCORES_MOVED, CLASSES_MOVED = MOVED = ("scores that moved to other values", "cases that went to other top classes")


def _valued(value: float, unit: str, digits: int) -> str:
    if unit == "share":
        return "none" if value == 0 else f"{value:.1%}" if value >= 0.001 else f"{value:.2g}"
    text = f"{value:.1f}" if unit == "dB" else f"{value:.{digits}f}" if abs(value) < 100 else f"{value:.6g}"
    return f"{text} {unit}".rstrip()


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
    monitors: tuple[Monitor, ...] = ()  # of what could not be held against each other value by value
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


_TYPES = {
    one.__name__: one
    for one in (Figures, Tolerance, TensorCompared, Mismatch, StageCompared, Monitor, Comparison, Cause)
}


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
