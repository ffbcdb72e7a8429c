"""Transparency: alpha multiplied into the colours, taken out of them, or the picture laid on white."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.channels import in_pixels
from edgecheck.golden.causes.pictures import Picture

if TYPE_CHECKING:
    import numpy


def alphas(one: Picture, on: str) -> Iterator[Hypothesis]:
    """Alpha multiplied into the colours, taken out of them, or the picture laid on white."""

    def with_alpha(change: Callable[[Any, Any], Any]) -> Callable[[Trial, Arrays], Arrays]:
        def apply(trial: Trial, arrays: Arrays) -> Arrays:
            def changed_pixels(x: numpy.ndarray) -> numpy.ndarray:
                import numpy as np

                return np.concatenate([change(x[..., :3], x[..., 3:]), x[..., 3:]], axis=-1)

            made = {one.name: in_pixels(trial, one, arrays[one.name], changed_pixels)}
            return {**arrays, **made} if on == "output" else made

        return apply

    ways: dict[str, tuple[str, Callable[[Any, Any], Any], str]] = {
        "premultiplied-alpha": ("has alpha multiplied into its colours", lambda c, a: c * a, "rgb *= alpha / 255"),
        "straight-alpha": ("has alpha taken out of its colours", _unmultiplied, "rgb /= alpha / 255"),
        "alpha-on-white": (
            "is laid on white where it is transparent",
            lambda c, a: c * a + 1 - a,
            "rgb = rgb * a + 255 * (1 - a)",
        ),
    }
    for way, (say, change, line) in ways.items():
        yield Hypothesis(
            id="premultiplied-alpha",
            say=f"the device's {one.name} {say}",
            on="output" if on == "output" else "input",
            apply=with_alpha(change),
            ours=line,
            device="decode with straight alpha (BitmapFactory: inPremultiplied = false), or drop alpha before",
            parameters={"way": way},
            cost=1.2,
        )


def _unmultiplied(colours: Any, alpha: Any) -> Any:
    import numpy as np

    return np.where(alpha > 0, np.clip(colours / np.maximum(alpha, 1 / 255), 0, 1), 0)
