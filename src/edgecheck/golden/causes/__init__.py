"""Why a stage differs: hypotheses of the trade, tried on the device's own input, ranked by what they explain.

A family is a file in this folder with `hypotheses(trial) -> Iterator[Hypothesis]`, named in `search.FAMILIES`. The
contract of a family:

- It gets one case and yields what may have been done otherwise, the more usual first; a hypothesis that cannot apply
  (no image among the tensors, a model file, no `again`) is not yielded. It judges nothing: `search` tries each on all
  cases, combines them two by two, and answers with what explains the difference, or with nothing.
- A hypothesis must predict the device's outputs from what *we* have: it may look at `trial.device` to work out a
  parameter (a pad value, an offset), but the prediction is then made by the same rule for every case, and `fit` counts
  the numbers that were taken from the device.
- A prediction may be a masked array: masked elements are not known (what they were was lost by clipping) and are not
  judged.
- `id` is a word that stays for ever, kebab-case; several hypotheses may have the same id with other parameters
  (`resize-kernel` for each kernel). The same fault has the same id whichever family finds it.
- What is dear to work out and needed by several families is kept in `trial.memo`; what holds for the stage and not for
  one case has a key that begins with `stage/`, and `search` gives it to the other cases. `stage/cases` are all cases.
- The order of `search.FAMILIES` is the order in which outputs are changed when two hypotheses are put together.

Types only in this file.
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

    `again(inputs, knobs)` runs our stage; None where it cannot be run again; it raises ValueError where the stage
    fails on them. `before` is the step before this one in the same sequence, where there is one; `first` the first
    step of the sequence. Arrays are as recorded. `memo` is where families keep what they worked out about this case.
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
    alternatives: Mapping[str, Arrays] = field(
        default_factory=dict
    )  # cause id → our outputs with the memory kept otherwise
    model: bool = False  # the stage is a model file: knobs and resampling make no sense
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def meaning(self, name: str) -> Meaning:
        return self.meanings.get(name, Meaning())


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One thing that may have been done otherwise on the device.

    `apply(trial, arrays)`: with `on` = "input" it gets the stage's inputs and gives those that change; with "output"
    it gets all outputs and gives all of them, changed (so it can rename and leave out); with "knobs" it gives (as a
    dict) the knobs to turn; with "stage" it gives all outputs, made from the inputs without our stage. It raises
    ValueError where it does not apply to this case.
    `fit`: so many parameters were fitted to the device's values, so it needs to be far better to be believed.
    `group`: of two of the same group (two scales, two turns) only one is true, so they are not put together.
    `also`: further ids, where one hypothesis is two faults at once (a stage that was read as a whole).
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
    also: tuple[str, ...] = ()
    group: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.id, *self.also)


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
