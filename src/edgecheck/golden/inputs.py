"""The inputs of a replay: the device's, else the pipeline's own of the same name where nothing says that it is another.

Beside them what tensors are like whose values the device kept (`Gathered`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgecheck.golden import Case, GoldenRun, Recorded
from edgecheck.golden.hashing import alike, digest
from edgecheck.golden.measure import shape
from edgecheck.golden.monitors import Gathered, summarised, summary
from edgecheck.golden.play import offline
from edgecheck.pipeline import INPUT, Meaning, Pipeline


class Inputs:
    """What goes into the first stage, case by case."""

    def __init__(self, run: GoldenRun, pipeline: Pipeline) -> None:
        self.run, self.pipeline = run, pipeline
        self.offline: Mapping[str, Mapping[str, Any]] | None = None  # the pipeline's own cases, when they are needed
        self.borrowed: set[str] = set()  # cases whose input is the pipeline's, since the run holds none
        self.shown: set[str] = set()  # those of them whose hash says that it is the device's
        self.refused: dict[str, str] = {}  # cases of that name whose input is another → why
        self.lost: set[str] = set()  # cases whose input nobody has
        self.gathered = Gathered()

    def start(self, case: Case, recorded: Mapping[str, Mapping[str, Recorded]]) -> dict[str, Any]:
        """The input of a case: the device's, else the pipeline's own of the same name, unless it is another."""
        declared = recorded.get(INPUT, {})
        found = {name: self.run.values(case.name, one) for name, one in declared.items() if not one.withheld}
        if found and all(name in found for name in self.pipeline.inputs):
            return found
        if self.offline is None:
            self.offline = offline(self.pipeline)
        mine = self.offline.get(case.name, {})
        self._watch_input(case, declared, mine)
        other = next((why for name, one in declared.items() if (why := self._another(case, one, mine.get(name)))), "")
        if other:
            self.refused[case.name] = other
            self.gathered.apart.add(case.name)
            return found
        if not mine and not found:
            self.lost.add(case.name)
        if mine:
            self.borrowed.add(case.name)
            hashed = [name for name in mine if name not in found and name in declared]
            if hashed and all(declared[name].sha256 for name in hashed):
                self.shown.add(case.name)
        return {**{name: value for name, value in mine.items() if name not in found}, **found}

    def _another(self, case: Case, one: Recorded, mine: Any) -> str:
        """Why the pipeline's own input is not what the device had; empty where it may be."""
        if mine is None or not one.withheld:
            return ""
        if one.sha256 and one.sha256 != digest(mine, one.dtype):
            return f"the hash of its '{one.name}' is not that of the pipeline's own case of this name"
        if tuple(mine.shape) != one.shape:
            told_shape = "x".join(map(str, one.shape)) or "scalar"
            return f"its '{one.name}' is {told_shape}, that of the pipeline's own case {shape(mine)}"
        told = self.run.aggregates(case.name, one)
        if told is not None and not alike(told, summarised(mine, self.meant(one), INPUT).aggregates):
            return f"its '{one.name}' has other aggregates than the pipeline's own case of this name"
        return ""

    def _watch_input(self, case: Case, declared: Mapping[str, Recorded], mine: Mapping[str, Any]) -> None:
        for name, one in declared.items():
            self.watch_device(case, one)
            if one.withheld and name in mine:
                self.gathered.ours(
                    INPUT, name, self.meant(one), case.name, summarised(mine[name], self.meant(one), INPUT)
                )

    def watch_device(self, case: Case, one: Recorded) -> None:
        """What the device told of a tensor whose values it kept."""
        told = self.run.aggregates(case.name, one) if one.withheld else None
        if told is not None:
            found = summary(told, one.shape, one.dtype, self.meant(one), one.stage)
            self.gathered.device(one.stage, one.name, self.meant(one), case.name, found)

    def meant(self, one: Recorded) -> Meaning:
        """What the pipeline says a recorded tensor is."""
        return self.pipeline.meaning(one.stage, one.name)
