"""A model file that scales its input once more by itself, or no longer: a division by 255 in the graph against [-1, 1].

The file that was shipped has a first operator that ours lacks, or the reverse; both got the same input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from edgecheck.golden.causes import Hypothesis, Trial

#: (cause, what the device's model does with its input, the change, what stands for it on our side)
WAYS: tuple[tuple[str, str, Callable[[Any], Any], str], ...] = (
    ("divided-twice", "divides {name} by 255 once more, inside the graph", lambda x: x / 255, "{name} / 255"),
    ("not-divided", "lacks a division of {name} by 255 that ours has in the graph", lambda x: x * 255, "{name} * 255"),
    ("normalisation", "takes 127.5 from {name} and divides by 127.5, inside the graph", lambda x: x / 127.5 - 1,
     "{name} / 127.5 - 1"),
    ("value-range", "turns {name} from 0..1 to -1..1, inside the graph", lambda x: 2 * x - 1, "2 * {name} - 1"),
    ("value-range", "takes {name} for 0..1 where ours takes -1..1", lambda x: (x + 1) / 2, "({name} + 1) / 2"),
)  # fmt: skip


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Of float inputs of a model file."""
    if not trial.model or trial.again is None:
        return
    for name, value in trial.inputs.items():
        if value.dtype.kind != "f" or trial.meaning(name).kind not in ("image", "audio", "mel", "values"):
            continue
        for cause, say, change, ours in WAYS:
            yield Hypothesis(
                id=cause, say=f"the device's model {say.format(name=name)}", on="input", apply=_changed(name, change),
                ours=f"{name} = {ours.format(name=name)}",
                device=f"ship the file that ours is, or give {name} as the shipped graph wants it", group="scale",
            )  # fmt: skip


def _changed(name: str, change: Callable[[Any], Any]) -> Callable[[Trial, Any], dict[str, Any]]:
    def apply(trial: Trial, arrays: Any) -> dict[str, Any]:
        return {name: change(arrays[name]).astype(arrays[name].dtype)}

    return apply
