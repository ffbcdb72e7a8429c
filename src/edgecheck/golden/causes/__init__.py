"""Why a stage differs: hypotheses of the trade, tried on the device's own input, ranked by what they explain.

A family is a file in this folder with `hypotheses(trial) -> Iterator[Hypothesis]`; `search` runs all of them, combines
the best two by two, and answers with what explains the difference, or with nothing. Types only in this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edgecheck.pipeline import Meaning

if TYPE_CHECKING:
    import numpy

Arrays = Mapping[str, "numpy.ndarray"]
#: Where a hypothesis acts: on what goes into our stage, on its knobs, instead of the stage, on what comes out of it.
On = Literal["input", "knobs", "stage", "output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One case of one stage: the device's own input, what our stage makes of it, what the device made of it.

    `again(inputs, knobs)` runs our stage; None where it cannot be run again. `before` is the step before this one in
    the same sequence, where there is one; `first` the first step of the sequence. Arrays are as recorded.
    """

    case: str
    stage: str
    inputs: Arrays
    ours: Arrays
    device: Arrays
    meanings: Mapping[str, Meaning] = field(default_factory=dict)  # of inputs and outputs, by name
    knobs: Mapping[str, Any] = field(default_factory=dict)  # our values
    again: Callable[[Arrays, Mapping[str, Any]], Arrays] | None = None
    before: Trial | None = None
    first: Trial | None = None
    state: Mapping[str, Any] = field(default_factory=dict)  # ours, before this step
    model: bool = False  # the stage is a model file: knobs and resampling make no sense

    def meaning(self, name: str) -> Meaning:
        return self.meanings.get(name, Meaning())


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One thing that may have been done otherwise on the device.

    `apply(trial, arrays)`: with `on` = "input" it gets the stage's inputs and gives changed ones; with "output" it
    gets outputs and gives changed ones; with "knobs" it gives (as a dict) the knobs to turn; with "stage" it gives
    outputs made without our stage. It raises ValueError where it does not apply to this case.
    `fit`: it has parameters that were fitted to the device's values, so it needs to be far better to be believed.
    """

    id: str  # the cause: "channel-order", "resize-kernel"
    say: str  # "the device's channels are BGR, ours are RGB"
    on: On
    apply: Callable[[Trial, Arrays], Mapping[str, Any]]
    ours: str = ""  # one line of code that makes our side do the same
    device: str = ""  # one line that mends the device's side
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cost: float = 1.0  # how unlikely it is before looking: 1 a classic, 3 an oddity
    fit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What explains the difference: one hypothesis or two, and how much of the difference it takes away.

    `share`: of the squared difference over all cases, 0 to 1. `within`: what is left is inside the tolerance.
    """

    ids: tuple[str, ...]
    say: str
    share: float
    within: bool
    ours: str = ""
    device: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
