"""What a stage remembers, and what comes late: state that is not reset, a step behind, outputs of the step before."""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.golden.causes import Arrays, Hypothesis, Trial

#: Cause → what to say, and what mends it. The outputs under each come with the trial.
SAID = {
    "state-not-reset": (
        "the device does not reset its state between sequences",
        "reset the state when a sequence begins",
    ),
    "state-reset-each-step": (
        "the device resets its state at every step",
        "keep the state from step to step",
    ),
    "state-off-by-one": (
        "the device's state is one step behind",
        "store the new state before the next step uses it",
    ),
    "input-one-step-late": (
        "the device works on the input of the step before",
        "fill the buffer before the stage runs",
    ),
    "stale-first-frame": (
        "the device works on the first input of the sequence again and again",
        "refresh the input buffer",
    ),
    "state-first-step-missed": (
        "the first step of a sequence leaves nothing behind on the device",
        "start with the first step",
    ),
}


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """The alternatives that were played; for a stage without memory, inputs and outputs of earlier steps."""
    for cause in trial.alternatives:
        yield _played(cause)
    if trial.before is not None:
        yield _late_output()
        if not trial.alternatives and trial.again is not None:
            yield _input_of("input-one-step-late", "before")
    if trial.first is not None and not trial.alternatives and trial.again is not None:
        yield _input_of("stale-first-frame", "first")


def _played(cause: str) -> Hypothesis:
    say, mend = SAID[cause]

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        if cause not in trial.alternatives:
            raise ValueError("this case was not played so")
        return trial.alternatives[cause]

    return Hypothesis(id=cause, say=say, on="stage", apply=apply, device=mend, ours=f"# {say}", cost=1.2)


def _input_of(cause: str, which: str) -> Hypothesis:
    say, mend = SAID[cause]

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        other = getattr(trial, which)
        return dict(arrays if other is None else other.inputs)

    return Hypothesis(id=cause, say=say, on="input", apply=apply, device=mend, ours=f"# {say}", cost=1.2)


def _late_output() -> Hypothesis:
    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        return trial.ours if trial.before is None else trial.before.ours

    return Hypothesis(
        id="stale-output",
        say="the device hands on the output of the step before",
        on="stage",
        apply=apply,
        device="read the output after the stage has run",
        ours="# hand on the output of the step before",
        cost=1.4,
    )
