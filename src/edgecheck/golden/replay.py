"""Replay a golden run through our pipeline: each stage with the device's own input, and the whole from the start.

A stage that differs with the device's own input is at fault by itself; one that differs only along the way has been
handed something else. Runs in the child process that holds the user's wrapper code; figures come out, not verdicts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgecheck import worker
from edgecheck.errors import EdgecheckError
from edgecheck.golden import Case, GoldenRun, Recorded, tolerance
from edgecheck.golden.causes import Trial
from edgecheck.golden.compared import Comparison, Mismatch, StageCompared, State, TensorCompared
from edgecheck.golden.hashing import digest
from edgecheck.golden.inputs import Inputs
from edgecheck.golden.judging import Judge, worst
from edgecheck.golden.memory import alternatives
from edgecheck.golden.monitors import summarised, too_few
from edgecheck.golden.pairing import Pairing, absent, crossed, pair
from edgecheck.golden.play import Player, nearest
from edgecheck.golden.precision import gain, precision
from edgecheck.pipeline import INPUT, Model, Pipeline, Stage, Tolerance, step

MOST_TRIALS = 6  # differing cases of a stage that the search for a cause looks at
MOST_BYTES = 256 << 20  # of their tensors
MOST_SAMPLED = 64  # of our own cases, where only what the device's tensors are like is known


@dataclass(slots=True)
class _Watched:
    """What is gathered about one stage while the cases go by."""

    pairing: Pairing = field(default_factory=Pairing)
    alone: list[TensorCompared] = field(default_factory=list)
    along: list[TensorCompared] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    differing: set[str] = field(default_factory=set)
    cases: set[str] = field(default_factory=set)
    reasons: dict[str, str] = field(default_factory=dict)  # why not compared → a case
    blamed: set[str] = field(default_factory=set)
    held: int = 0  # bytes of `trials`
    before: Trial | None = None
    first: Trial | None = None
    fed: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)  # of a stage that remembers


class Replay:
    """One run against one pipeline. `alone` and `along` are two players, so that their memories do not mix."""

    def __init__(self, run: GoldenRun, alone: Player, along: Player, *, judge: Judge) -> None:
        self.run, self.pipeline, self.judge = run, alone.pipeline, judge
        self.alone, self.along = alone, along
        self.watched = {stage.name: _Watched() for stage in self.pipeline.stages}
        self.inputs = Inputs(run, alone.pipeline)

    def walk(self) -> None:
        """Every case, in the order of the recording."""
        sequence = ""
        for number, case in enumerate(self.run.cases):
            worker.report("case", number=number, total=len(self.run.cases), name=case.name)
            name, place = step(case.name)
            if name != sequence or place == 0:
                sequence = name
                self._begin()
            self._case(case)

    def _begin(self) -> None:
        for stage in self.pipeline.stages:
            self.alone.begin(stage)
            self.along.begin(stage)
            self.watched[stage.name].before = self.watched[stage.name].first = None

    def _case(self, case: Case) -> None:
        recorded = {stage: {one.name: one for one in case.of(stage)} for stage in self.run.stages}
        start = self.inputs.start(case, recorded)
        chain: dict[str, dict[str, Any]] = {INPUT: start}  # the device's, ours where it recorded none
        ours: dict[str, dict[str, Any]] = {INPUT: dict(start)}
        borrowed: dict[str, set[str]] = {}  # stage → names that are ours in `chain`
        for stage in self.pipeline.stages:
            worker.report("stage", name=stage.name, case=case.name)
            self._stage(stage, case, recorded.get(stage.name, {}), chain, ours, borrowed)

    def other_cases(self) -> None:
        """Where the device's inputs are not known: our own cases from the start, as a sample beside the device's."""
        if not (self.inputs.refused or self.inputs.lost) or not any(
            one.device for one in self.inputs.gathered.tensors.values()
        ):
            return
        previous = ""
        for case, inputs in list((self.inputs.offline or {}).items())[:MOST_SAMPLED]:
            name, place = step(case)
            if name != previous or place == 0:
                previous = name
                self._begin()
            for key in inputs:
                meaning = self.pipeline.meaning(INPUT, key)
                self.inputs.gathered.ours(INPUT, key, meaning, case, summarised(inputs[key], meaning, INPUT))
            self._sample(case, inputs)

    def _sample(self, case: str, inputs: Mapping[str, Any]) -> None:
        chain: dict[str, dict[str, Any]] = {INPUT: dict(inputs)}
        for stage in self.pipeline.stages:
            taken, lacking = nearest(self.along.takes(stage), chain)
            if lacking:
                return
            try:
                chain[stage.name] = self.along.run(stage, taken, None).outputs
            except EdgecheckError as error:
                if error.code != 3:
                    raise
                return
            for name, value in chain[stage.name].items():
                meaning = self.pipeline.meaning(stage.name, name)
                self.inputs.gathered.ours(stage.name, name, meaning, case, summarised(value, meaning, stage.name))

    def _stage(
        self, stage: Stage, case: Case, recorded: Mapping[str, Recorded], chain: dict[str, dict[str, Any]],
        ours: dict[str, dict[str, Any]], borrowed: dict[str, set[str]],
    ) -> None:  # fmt: skip
        watched = self.watched[stage.name]
        inputs, lacking = nearest(self.alone.takes(stage), chain)
        if lacking:
            why = self.inputs.refused.get(case.name) if lacking in self.pipeline.inputs else None
            watched.reasons.setdefault(why or f"its input '{lacking}' was not recorded", case.name)
            self._unreplayed(stage, case, recorded, chain)
            return
        state = copy.deepcopy(self.alone.states.get(stage.name, {}))
        given = self._given(stage, case, inputs)
        if given is None:
            self._unreplayed(stage, case, recorded, chain)
            return
        along = self._along(stage, inputs, given, ours)
        device = {name: self.run.values(case.name, one) for name, one in recorded.items() if not one.withheld}
        pair(stage.name, case.name, given, device, watched.pairing)
        crossed(stage.name, case.name, given, device, watched.pairing)
        if recorded:
            absent(stage.name, case.name, given, set(recorded), watched.pairing)
        seen = {
            name: watched.pairing.seen(name, device[held])
            for name in given
            if (held := watched.pairing.device_name(name)) in device
        }
        self._withheld(watched, case, recorded, given)
        watched.blamed |= {earlier for earlier, names in borrowed.items() if names & set(inputs)}
        beyond = self._compare(stage, case, given, along, seen)
        if seen:
            watched.cases.add(case.name)
            trial = self._trial(stage, case, inputs, given, device, seen, state)
            self._keep(watched, trial, beyond)
        elif not recorded:
            watched.reasons.setdefault("the device did not record it", case.name)
        self._take_state(stage, device)
        chain[stage.name] = {**given, **seen}
        ours[stage.name] = along
        borrowed[stage.name] = {name for name in given if name not in seen}

    def _given(self, stage: Stage, case: Case, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """What our stage makes of the device's own input; None, with the reason noted, where it fails on it."""
        watched = self.watched[stage.name]
        if self.alone.remembers(stage):
            watched.fed.append((case.name, {name: value.copy() for name, value in inputs.items()}))
        try:
            return self.alone.run(stage, inputs, None).outputs
        except EdgecheckError as error:
            if error.code != 3:  # a mistake of the pipeline file itself
                raise
            watched.reasons.setdefault(f"it failed here on the device's own input ({error})", case.name)
            return None

    def _along(
        self, stage: Stage, inputs: Mapping[str, Any], given: dict[str, Any], ours: Mapping[str, dict[str, Any]]
    ) -> dict[str, Any]:
        """The stage with our own input from the start; not run twice where nothing has differed yet."""
        mine, lacking = nearest(self.along.takes(stage) if self.along.remembers(stage) else tuple(inputs), ours)
        if lacking:
            return {}
        if not self.along.remembers(stage) and all(_equal(mine[name], inputs[name]) for name in inputs):
            return given
        try:
            return self.along.run(stage, mine, None).outputs
        except EdgecheckError:  # what is ours all the way is a figure beside the other; that one is told
            return {}

    def _compare(
        self, stage: Stage, case: Case, given: Mapping[str, Any], along: Mapping[str, Any], seen: Mapping[str, Any]
    ) -> bool:
        """Whether anything of the stage, run on the device's input, leaves its tolerance."""
        watched = self.watched[stage.name]
        found = [self.judge.tensor(stage, case.name, name, given[name], value) for name, value in seen.items()]
        watched.alone = worst([*watched.alone, *found])
        end = [
            one
            if along[one.name] is given[one.name]
            else self.judge.tensor(stage, case.name, one.name, along[one.name], seen[one.name])
            for one in found
            if one.name in along
        ]
        watched.along = worst([*watched.along, *end])
        beyond = any(one.beyond for one in found)
        if beyond:
            watched.differing.add(case.name)
        return beyond

    def _withheld(
        self, watched: _Watched, case: Case, recorded: Mapping[str, Recorded], given: Mapping[str, Any]
    ) -> None:
        """Say what cannot be compared, or that a hash agrees."""
        for name, one in recorded.items():
            if not one.withheld or name not in given:
                continue
            self.inputs.watch_device(case, one)
            if one.aggregates:
                found = summarised(given[name], self.inputs.meant(one), one.stage)
                self.inputs.gathered.ours(one.stage, name, self.inputs.meant(one), case.name, found)
            if one.withheld == "hash" and one.sha256 == digest(given[name], one.dtype):
                watched.cases.add(case.name)
            else:
                how = " and the hash is another" if one.withheld == "hash" else ""
                kept = ": only what they are like was compared" if one.aggregates else ", so a distance cannot be told"
                watched.reasons.setdefault(f"the values of '{name}' are withheld{how}{kept}", case.name)

    def _trial(
        self, stage: Stage, case: Case, inputs: Mapping[str, Any], given: Mapping[str, Any], device: Mapping[str, Any],
        seen: Mapping[str, Any], state: Mapping[str, Any],
    ) -> Trial:  # fmt: skip
        """What the search for a cause may look at. Tensors of another shape or name are as the device has them."""
        watched = self.watched[stage.name]
        meanings = {name: self._meaning(stage, name) for name in inputs}
        meanings |= {name: self.pipeline.meaning(stage.name, name) for name in given}
        again = None if isinstance(stage.run, Model) and self.alone.remembers(stage) else self.alone.trial(stage, state)
        return Trial(
            case=case.name, stage=stage.name, inputs=dict(inputs), ours=dict(given),
            device={**{n: v for n, v in device.items() if n in given and n not in seen}, **seen}, meanings=meanings,
            knobs=stage.knobs, again=_quiet(again), before=watched.before, first=watched.first, state=state,
            model=isinstance(stage.run, Model),
        )  # fmt: skip

    def _meaning(self, stage: Stage, name: str) -> Any:
        """Of an input: what the nearest stage before that gives it says it is."""
        names = [one.name for one in self.pipeline.stages]
        for earlier in (*reversed(names[: names.index(stage.name)]), INPUT):
            declared = self.pipeline.inputs if earlier == INPUT else _stage_of(self.pipeline, earlier).gives
            if name in declared:
                return declared[name]
        return self.pipeline.meaning(INPUT, name)

    def _keep(self, watched: _Watched, trial: Trial, beyond: bool) -> None:
        """Remember a differing case for the search, in bounded memory; values of a mapped file are copied."""
        size = sum(value.nbytes for side in (trial.inputs, trial.ours, trial.device) for value in side.values())
        if beyond and len(watched.trials) < MOST_TRIALS and watched.held + size <= MOST_BYTES:
            watched.trials.append(trial)
            watched.held += size
        watched.before = replace(trial, before=None, first=None, memo={})
        watched.first = watched.first or watched.before

    def _take_state(self, stage: Stage, device: Mapping[str, Any]) -> None:
        """The device's memory after this step, where it recorded it, is what our next step begins with."""
        for name, value in device.items():
            key = name.removeprefix("state.")
            if key != name and stage.stateful and key in self.alone.states[stage.name]:
                self.alone.states[stage.name][key] = value.copy()

    def _unreplayed(
        self, stage: Stage, case: Case, recorded: Mapping[str, Recorded], chain: dict[str, dict[str, Any]]
    ) -> None:
        """A stage that cannot be run again: what the device recorded of it goes on to the next."""
        for one in recorded.values():
            self.inputs.watch_device(case, one)
        chain[stage.name] = {
            name: self.run.values(case.name, one) for name, one in recorded.items() if not one.withheld
        }

    def told_otherwise(self, stage: Stage) -> list[Trial]:
        """The trials of a stage; where it remembers, with what it gives when the memory is kept otherwise."""
        watched = self.watched[stage.name]
        if not watched.fed:
            return watched.trials
        wanted = {trial.case for trial in watched.trials}
        found = alternatives(self.alone, stage, watched.fed, wanted)
        return [
            replace(
                trial, alternatives={name: given[trial.case] for name, given in found.items() if trial.case in given}
            )
            for trial in watched.trials
        ]

    def stages(self) -> Iterator[StageCompared]:
        """What was found, in order."""
        for stage in self.pipeline.stages:
            watched = self.watched[stage.name]
            state: State = "differs" if watched.differing else "same" if watched.cases else "not compared"
            reason = "; ".join(watched.reasons) if state != "differs" else ""
            yield StageCompared(
                name=stage.name, state=state, reason=reason, tensors=tuple(watched.alone), along=tuple(watched.along),
                cases=len(watched.cases), differing=len(watched.differing),
                blamed=tuple(one.name for one in self.pipeline.stages if one.name in watched.blamed),
            )  # fmt: skip

    def mismatches(self) -> Iterator[Mismatch]:
        """Names, shapes and types that are not the same on both sides; stages that only one side has."""
        for name in self.run.stages:
            if name not in self.pipeline.order:
                yield Mismatch(stage=name, kind="extra", say=f"the pipeline has no stage '{name}'", case="")
        for watched in self.watched.values():
            yield from watched.pairing.mismatches.values()


def _stage_of(pipeline: Pipeline, name: str) -> Stage:
    return next(one for one in pipeline.stages if one.name == name)


def _equal(a: Any, b: Any) -> bool:
    import numpy

    return a is b or (a.dtype == b.dtype and a.shape == b.shape and bool(numpy.array_equal(a, b)))


def _quiet(again: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A stage that fails on changed inputs does not apply: ValueError, as the search expects."""
    if again is None:
        return None

    def run(inputs: Mapping[str, Any], knobs: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = again(inputs, knobs)
        except EdgecheckError as error:
            raise ValueError(str(error)) from error
        return found

    return run


def device_precision(run: GoldenRun) -> str:
    """What the device says its model ran in; empty where it does not."""
    return str(run.runtime.get("precision", ""))


def tolerances(player: Player, run: GoldenRun) -> Callable[[Stage, str, str], Tolerance]:
    """The tolerance of a tensor: declared, else by what made it and how exactly."""

    def of(stage: Stage, name: str, dtype: str) -> Tolerance:
        if name in stage.tolerances:
            return stage.tolerances[name]
        exactness = None
        if isinstance(stage.run, Model):
            exactness = tolerance.coarser(precision(player.path(stage)), device_precision(run))
        found = tolerance.of(player.pipeline.meaning(stage.name, name), dtype, exactness)
        return tolerance.steeper(found, gain(player.path(stage), player.place(stage, name))) if exactness else found

    return of


def compare(run: GoldenRun, alone: Player, along: Player, ours: str, device: Path) -> tuple[Comparison, Replay]:
    """The run against the pipeline, without causes."""
    replayed = Replay(run, alone, along, judge=Judge(alone.pipeline, tolerances(alone, run)))
    replayed.walk()
    replayed.other_cases()
    comparison = Comparison(
        pipeline=alone.pipeline.name, ours=ours, device=str(device), stages=tuple(replayed.stages()),
        mismatches=tuple(replayed.mismatches()), monitors=(monitors := replayed.inputs.gathered.monitors()),
        notes=tuple(_notes(replayed, too_few(monitors))),
    )  # fmt: skip
    return comparison, replayed


def _notes(replayed: Replay, few: str) -> Iterator[str]:
    shown, taken = len(replayed.inputs.shown), len(replayed.inputs.borrowed - replayed.inputs.shown)
    if shown:
        yield f"the input of {shown} cases is the pipeline's own, and its hash is the device's"
    if taken:
        yield f"the input of {taken} cases is the pipeline's own: the run holds none"
    refused = list(replayed.inputs.refused.values())
    if refused:
        yield f"the input of {len(refused)} cases is not known: {refused[0]}"
    if few:
        yield few
