"""One launch of a pipeline, timed stage by stage, by the clock and by processor time, with a canary before each sample.

Called in the child process that holds the user's wrapper code; each launch is a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edgecheck.golden.play import Player
from edgecheck.golden.recorder import Recorder
from edgecheck.golden.timing import CANARY, CPU, END_TO_END
from edgecheck.pipeline import INPUT

SIDE = 192
CANARY_IS = f"float32 {SIDE}x{SIDE} matrix product, numpy"

Begin = Callable[[Player, str, str], str]
Gather = Callable[[Player, Any, Mapping[str, Mapping[str, Any]]], dict[str, Any]]


def measured(
    play: Player, cases: Mapping[str, Mapping[str, Any]], begin: Begin, gather: Gather, *, warmup: int, runs: int
) -> dict[str, list[int]]:
    """Nanoseconds of every stage, of the whole and of the canary, `runs` times over the cases after `warmup`."""
    names = [END_TO_END, *(stage.name for stage in play.pipeline.stages)]
    found: dict[str, list[int]] = {CANARY: [], **{f"{one}{end}": [] for one in names for end in ("", CPU)}}
    listed, canary, previous = list(cases.items()), _canary(), ""
    for number in range(warmup + runs):
        name, inputs = listed[number % len(listed)]
        previous = begin(play, name, previous)
        beat = canary()
        sample = _once(play, inputs, gather)
        if number >= warmup:
            found[CANARY].append(beat)
            for span, value in sample.items():
                found[span].append(max(1, value))
    return found


def _once(play: Player, inputs: Mapping[str, Any], gather: Gather) -> dict[str, int]:
    chain: dict[str, dict[str, Any]] = {INPUT: dict(inputs)}
    sample = {END_TO_END: 0, END_TO_END + CPU: 0}
    for stage in play.pipeline.stages:
        spent = play.run(stage, gather(play, stage, chain))
        chain[stage.name] = spent.outputs
        for span in (stage.name, END_TO_END):
            sample[span] = sample.get(span, 0) + spent.nanoseconds
            sample[span + CPU] = sample.get(span + CPU, 0) + spent.processor
    return sample


def _canary() -> Callable[[], int]:
    """A fixed piece of work, and how long it took just now."""
    import time

    import numpy

    square = numpy.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(numpy.float32)

    def beat() -> int:
        begin = time.perf_counter_ns()
        square @ square
        return max(1, time.perf_counter_ns() - begin)

    return beat


def sampled(recorder: Recorder, launches: Iterable[Mapping[str, Any]]) -> None:
    """Launches that were measured before, written down."""
    for launch in launches:
        recorder.launch(launch["name"], launch["warmup"])
        for span, values in launch["samples"].items():
            for value in values:
                recorder.sample(span, value)
