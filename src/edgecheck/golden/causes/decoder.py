"""Pixels that two decoders of the same file give: a few steps apart, in the colour more than in the brightness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.pictures import Picture, levels, pictures

if TYPE_CHECKING:
    import numpy

LUMA = (0.299, 0.587, 0.114)
STEPS = 3.0  # of 255: decoders that follow the standard differ by 1 or 2 in luma (IEEE 1180), with colour a bit more
COLOUR_STEPS = 60.0


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Only where the stage is given an encoded file and gives a picture."""
    kinds = [format_of(one) for one in trial.inputs.values()]
    lossy = next((one for one in kinds if one in ("JPEG", "WebP")), "")
    if trial.model or not lossy:
        return
    for one in pictures(trial, trial.ours):
        if one.view(trial.ours[one.name]).shape[-1] == 3:
            yield Hypothesis(
                id="chroma-upsampling",
                say=f"the device's decoder fills in the {lossy}'s halved colour otherwise: brightness is the same",
                on="output",
                apply=colour_of_the_device(one),
                ours="decode with the device's decoder, or store PNG test images",
                device="turn on fancy upsampling (libjpeg: cinfo.do_fancy_upsampling = TRUE)",
                cost=1.5,
            )
        yield Hypothesis(
            id="decoder",
            say=f"the device's decoder gives other pixels for the same {lossy}, by {STEPS:g} steps of 255 at most",
            on="output",
            apply=a_few_steps(one),
            ours="allow 3 steps of 255 at this stage, or store PNG test images",
            device="use the decoder (and its IDCT) that training used",
            cost=2.0,
            fit=1,
        )


def format_of(array: numpy.ndarray) -> str:
    """Of the bytes of a file; empty where they are none that is known."""
    if array.ndim != 1 or array.dtype.kind != "u" or array.dtype.itemsize != 1:
        return ""
    head = array[:12].tobytes()
    if head[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    return "WebP" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""


def a_few_steps(one: Picture) -> Callable[[Trial, Arrays], Arrays]:
    """The device's pixels, as far as they are so near that decoders explain them; else ours."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        ours = arrays[one.name].astype(np.float64)
        black, white = levels(trial, one, arrays[one.name])
        apart = trial.device[one.name].astype(np.float64) - ours
        step = float(np.max(np.abs(white - black))) / 255
        if np.mean(np.abs(apart)) > step:
            raise ValueError("more than decoders differ by")
        return {**arrays, one.name: ours + np.clip(apart, -STEPS * step, STEPS * step)}

    return apply


def colour_of_the_device(one: Picture) -> Callable[[Trial, Arrays], Arrays]:
    """Our brightness, but for a rounding, with the device's colour."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        ours = one.view(arrays[one.name]).astype(np.float64)
        apart = one.view(trial.device[one.name]).astype(np.float64) - ours
        black, white = levels(trial, one, arrays[one.name])
        step = float(np.max(np.abs(white - black))) / 255
        if np.abs(apart).mean() > 4 * step or np.abs(apart).max() > COLOUR_STEPS * step:
            raise ValueError("more than another upsampling makes")
        if np.abs(apart).max() <= STEPS * step:
            raise ValueError("no more than another IDCT makes")
        luma = (apart @ np.asarray(LUMA))[..., None]
        luma = luma - np.clip(luma, -1.5 * step, 1.5 * step)  # what conversions round
        made = (ours + apart - luma).reshape(one.view(arrays[one.name]).shape)
        return {**arrays, one.name: one.changed(arrays[one.name].astype(np.float64), lambda x: made.reshape(x.shape))}

    return apply
