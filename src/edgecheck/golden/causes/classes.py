"""Classes along the last axis: in the other order, moved by a background class, or one left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from edgecheck.golden.causes import Hypothesis, Trial
from edgecheck.golden.causes.layout import changed

KINDS = ("logits", "probabilities", "scores")


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Of tensors that are declared to hold scores of classes."""
    for name, array in trial.ours.items():
        if trial.meaning(name).kind not in KINDS or array.ndim < 2 or array.shape[-1] < 2:
            continue
        yield _moved(name, "class-order", "are in the other order", lambda x: x[..., ::-1])
        for step in (1, -1):
            word = "later" if step > 0 else "earlier"
            yield _moved(name, "class-offset", f"stand one {word}: a background class more or less", _rolled(step))
        device = trial.device.get(name)
        if device is not None and device.ndim == array.ndim and device.shape[-1] == array.shape[-1] - 1:
            yield _moved(name, "class-offset", "lack the first one: the background", lambda x: x[..., 1:])
            yield _moved(name, "class-offset", "lack the last one", lambda x: x[..., :-1])


def _rolled(step: int) -> Callable[[Any], Any]:
    def change(x: Any) -> Any:
        import numpy as np

        return np.roll(x, step, axis=-1)

    return change


def _moved(name: str, cause: str, say: str, change: Callable[[Any], Any]) -> Hypothesis:
    return Hypothesis(
        id=cause,
        say=f"the classes of the device's {name} {say}",
        on="output",
        apply=changed(name, change),
        ours=f"# the classes of {name} {say}",
        device="use the label file of the model that is shipped",
        cost=0.9,
    )
