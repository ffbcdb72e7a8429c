"""Softmax and sigmoid: left out, applied twice, one in the other's place, or the logarithm of what they give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.layout import changed

if TYPE_CHECKING:
    import numpy

LEAST = 1e-7  # chances below it have no logarithm worth comparing


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Of every tensor of floats: what is between 0 and 1 may have been squashed, what is not may lack it."""
    for name, array in trial.ours.items():
        if array.dtype.kind != "f" or not array.size or array.ndim == 0:
            continue
        inside = float(array.min()) >= -1e-6 and float(array.max()) <= 1 + 1e-6
        if array.shape[-1] >= 2:
            yield _over(name, "softmax-twice" if inside else "softmax-added", softmax, "softmax", again=inside)
        yield _over(name, "sigmoid-twice" if inside else "sigmoid-added", sigmoid, "sigmoid", again=inside)
        if inside:
            yield _missing(name, "softmax-missing", softmax, "softmax")
            yield _missing(name, "sigmoid-missing", sigmoid, "sigmoid")
            yield _logarithm(name)


def softmax(x: numpy.ndarray) -> numpy.ndarray:
    """Over the last axis."""
    import numpy as np

    with np.errstate(over="ignore"):  # of numbers that are masked
        raised = np.exp(x - x.max(-1, keepdims=True))
    found: numpy.ndarray = raised / raised.sum(-1, keepdims=True)
    return found


def sigmoid(x: numpy.ndarray) -> numpy.ndarray:
    """Of each value."""
    import numpy as np

    found: numpy.ndarray = 1 / (1 + np.exp(-np.clip(x, -80, 80)))
    return found


def _over(name: str, cause: str, function: Callable[..., numpy.ndarray], word: str, *, again: bool) -> Hypothesis:
    when = "a second time" if again else "where we do not"
    return Hypothesis(
        id=cause,
        say=f"the device applies {word} to {name} {when}",
        on="output",
        apply=changed(name, lambda x: function(x).astype(x.dtype)),
        ours=f"{name} = {word}({name})",
        device=f"leave out the {word} behind the model",
        parameters={"function": word},
    )


def _missing(name: str, cause: str, function: Callable[..., numpy.ndarray], word: str) -> Hypothesis:
    """The device hands on what stands before: its own squashing must give ours. Only then is it believed."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        ours, device = arrays[name], trial.device.get(name)
        if device is None or device.shape != ours.shape or device.dtype.kind != "f":
            raise ValueError("nothing to hold it against")
        if float(device.min()) >= 0 and float(device.max()) <= 1:
            raise ValueError("the device's values are chances themselves")
        if float(np.abs(function(device.astype(np.float64)) - ours).max()) > 1e-4:
            raise ValueError(f"{word} of the device's values is not ours")
        return {**arrays, name: device}

    return Hypothesis(
        id=cause,
        say=f"the device hands on {name} without {word}",
        on="output",
        apply=apply,
        ours=f"hand on {name} before {word}",
        device=f"{name} = {word}({name})",
        parameters={"function": word},
    )


def _logarithm(name: str) -> Hypothesis:
    def change(x: numpy.ndarray) -> numpy.ndarray:
        import numpy as np

        found: numpy.ndarray = np.log(np.maximum(x, LEAST)).astype(x.dtype)
        return found

    return Hypothesis(
        id="log-probabilities",
        say=f"the device's {name} are logarithms of ours",
        on="output",
        apply=changed(name, change),
        ours=f"{name} = np.log({name})",
        device=f"{name} = exp({name})",
        cost=1.4,
    )
