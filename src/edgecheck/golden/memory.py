"""A stage's memory, kept otherwise: what our stage gives where the state is not reset, reset too often, or a step late.

The device's own inputs of every case are played again in each of these ways; the outputs are hypotheses about a stage
that remembers, be it code with a state or a model with variables.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from edgecheck.errors import EdgecheckError
from edgecheck.golden.play import Player
from edgecheck.pipeline import Stage, step

Fed = Sequence[tuple[str, Mapping[str, Any]]]  # every case, in order, with the stage's inputs
Played = dict[str, Mapping[str, Any]]  # case → outputs


def alternatives(player: Player, stage: Stage, fed: Fed, wanted: set[str]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Cause id → case → our outputs under it, for the cases `wanted`. A way that the stage cannot go is left out."""
    found = {}
    for name, play in WAYS.items():
        try:
            outputs = dict(play(player, stage, fed))
        except EdgecheckError:
            continue
        found[name] = {case: value for case, value in outputs.items() if case in wanted}
    return found


def _never_reset(player: Player, stage: Stage, fed: Fed) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The memory of the sequence before is still there."""
    player.begin(stage)
    for case, inputs in fed:
        yield case, player.run(stage, inputs).outputs


def _always_reset(player: Player, stage: Stage, fed: Fed) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every step begins afresh."""
    for case, inputs in fed:
        player.begin(stage)
        yield case, player.run(stage, inputs).outputs


def _step_late(player: Player, stage: Stage, fed: Fed) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The memory is one step behind: each step works on what the step before began with."""
    if not stage.stateful:
        raise EdgecheckError("a model's variables cannot be put back")
    earlier: dict[str, Any] = {}
    for case, inputs in fed:
        if step(case)[1] == 0:
            player.begin(stage)
            earlier = copy.deepcopy(player.states[stage.name])
        now = copy.deepcopy(player.states[stage.name])
        player.states[stage.name] = earlier
        outputs = player.run(stage, inputs).outputs
        player.states[stage.name] = copy.deepcopy(now)
        player.run(stage, inputs)
        earlier = now
        yield case, outputs


def _input_late(player: Player, stage: Stage, fed: Fed) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each step gets the input of the step before; the first gets its own."""
    last: Mapping[str, Any] = {}
    for case, inputs in fed:
        if step(case)[1] == 0:
            player.begin(stage)
            last = inputs
        yield case, player.run(stage, last).outputs
        last = inputs


def _first_input(player: Player, stage: Stage, fed: Fed) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every step gets the first input of its sequence again."""
    first: Mapping[str, Any] = {}
    for case, inputs in fed:
        if step(case)[1] == 0:
            player.begin(stage)
            first = inputs
        yield case, player.run(stage, first).outputs


def _first_missed(player: Player, stage: Stage, fed: Fed) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The first step of a sequence left nothing behind."""
    for case, inputs in fed:
        if step(case)[1] <= 1:
            player.begin(stage)
        yield case, player.run(stage, inputs).outputs


WAYS: Mapping[str, Callable[[Player, Stage, Fed], Iterator[tuple[str, Mapping[str, Any]]]]] = {
    "state-not-reset": _never_reset,
    "state-reset-each-step": _always_reset,
    "state-off-by-one": _step_late,
    "input-one-step-late": _input_late,
    "stale-first-frame": _first_input,
    "state-first-step-missed": _first_missed,
}
