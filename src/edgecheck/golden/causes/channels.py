"""Channels in another order, one too many, or no colour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.pictures import Picture, levels, pictures

if TYPE_CHECKING:
    import numpy

#: Weights of red, green and blue: BT.601 (OpenCV, Pillow), BT.709 (TensorFlow uses 601 too), BT.2020, the plain mean.
GREYS = {
    "BT.601": (0.299, 0.587, 0.114),
    "BT.709": (0.2126, 0.7152, 0.0722),
    "BT.2020": (0.2627, 0.6780, 0.0593),
    "the mean of the channels": (1 / 3, 1 / 3, 1 / 3),
    "BT.601 with red and blue swapped": (0.114, 0.587, 0.299),
}
#: Orders other than BGR: seen where ARGB words are read as RGBA bytes, or with planes mixed up.
ORDERS = {"BGR": (2, 1, 0), "GBR": (1, 2, 0), "BRG": (2, 0, 1), "RBG": (0, 2, 1), "GRB": (1, 0, 2)}


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """For each picture that the stage gives."""
    if trial.model:
        return
    for one in pictures(trial, trial.ours):
        channels = one.view(trial.ours[one.name]).shape[-1]
        if channels == 3:
            yield from orders(trial, one)
            yield from greys(trial, one)
        if channels == 4:
            yield from alphas(one)
    for one in pictures(trial, trial.inputs):
        if trial.again and one.view(trial.inputs[one.name]).shape[-1] == 3:
            yield at_the_input(one)


def orders(trial: Trial, one: Picture) -> Iterator[Hypothesis]:
    """The channels permuted, before the values are scaled (each keeps its place's mean) or after."""
    import numpy as np

    same = not any(np.ptp(side) > 1e-6 * np.abs(side).max() for side in levels(trial, one, trial.ours[one.name]))
    for name, order in ORDERS.items():
        for late in (False,) if same else (False, True):
            yield Hypothesis(
                id="channel-order",
                say=f"the device's channels of {one.name} come as {name} where ours are RGB"
                + (", permuted after the normalisation" if late else ""),
                on="output",
                apply=permuted(one, order, late),
                ours=f"{one.name} = {one.name}{index(one, order)}",
                device="convert BGR to RGB before the model" if name == "BGR" else f"undo the order {name}",
                parameters={"order": name},
                cost=(1.0 if name == "BGR" else 2.5) + 0.5 * late,
            )


def index(one: Picture, order: tuple[int, ...]) -> str:
    """`[..., [2, 1, 0]]`, with the channels where they are."""
    picked = "::-1" if order == (2, 1, 0) else str(list(order))
    return f"[..., {picked}]" if one.axes[2] > one.axes[1] else f"[..., {picked}, :, :]"


def permuted(one: Picture, order: tuple[int, ...], late: bool) -> Callable[[Trial, Arrays], Arrays]:
    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        array = arrays[one.name]
        if late:
            return {**arrays, one.name: one.changed(array, lambda x: x[..., list(order)])}
        return {**arrays, one.name: in_pixels(trial, one, array, lambda x: x[..., list(order)])}

    return apply


def in_pixels(
    trial: Trial, one: Picture, array: numpy.ndarray, change: Callable[[numpy.ndarray], numpy.ndarray]
) -> numpy.ndarray:
    """The tensor with `change` made to its pixels, 0 black to 1 white, and scaled back as it was."""
    black, white = levels(trial, one, array)
    span = white - black
    made = one.changed(array, lambda x: change((x - black) / span) * span + black)
    return cast(made, array)


def cast(values: numpy.ndarray, like: numpy.ndarray) -> numpy.ndarray:
    """Values in the type of another array: rounded and clipped where it holds integers."""
    import numpy as np

    if like.dtype.kind not in "ui":
        return values.astype(like.dtype)
    info = np.iinfo(like.dtype)
    made: numpy.ndarray = np.clip(np.rint(values), info.min, info.max).astype(like.dtype)
    return made


def greys(trial: Trial, one: Picture) -> Iterator[Hypothesis]:
    """Our colour as grey; and of what is grey on our side, other weights cannot be had without the input."""
    import numpy as np

    pixels = one.view(trial.ours[one.name])
    if np.array_equal(pixels[..., 0], pixels[..., 1]):
        yield from coloured(trial, one)
        return
    for name, weights in GREYS.items():
        yield Hypothesis(
            id="colour-grey",
            say=f"the device's {one.name} is grey ({name}), ours has colour",
            on="output",
            apply=grey(one, weights),
            ours=f"grey = rgb @ {[round(w, 4) for w in weights]}",
            device="decode with colour: three channels, not a grey one repeated",
            parameters={"weights": name},
            cost=1.0 if name == "BT.601" else 1.3,
        )


def grey(one: Picture, weights: tuple[float, ...]) -> Callable[[Trial, Arrays], Arrays]:
    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        def mixed(pixels: numpy.ndarray) -> numpy.ndarray:
            return np.repeat((pixels @ np.asarray(weights))[..., None], 3, axis=-1)

        return {**arrays, one.name: in_pixels(trial, one, arrays[one.name], mixed)}

    return apply


def coloured(trial: Trial, one: Picture) -> Iterator[Hypothesis]:
    """Ours is grey: the device's grey has other weights, or it has colour. The input of the same size says which."""
    for source in pictures(trial, trial.inputs):
        pixels = source.view(trial.inputs[source.name])
        if pixels.shape != one.view(trial.ours[one.name]).shape:
            continue
        yield Hypothesis(
            id="colour-grey",
            say=f"the device's {one.name} has colour, ours is grey",
            on="output",
            apply=_with_colour(one, source, None),
            ours="keep the three channels",
            device="make it grey before the model",
        )
        for name, weights in GREYS.items():
            yield Hypothesis(
                id="grey-weights",
                say=f"the device's grey of {one.name} is weighted by {name}",
                on="output",
                apply=_with_colour(one, source, weights),
                ours=f"grey = rgb @ {[round(w, 4) for w in weights]}",
                device="use the weights that training used",
                parameters={"weights": name},
            )


def _with_colour(one: Picture, source: Picture, weights: tuple[float, ...] | None) -> Callable[[Trial, Arrays], Arrays]:
    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        pixels = source.view(trial.inputs[source.name])
        black, white = levels(trial, source, trial.inputs[source.name])
        share = (pixels - black) / (white - black)
        if weights is not None:
            share = np.repeat((share @ np.asarray(weights))[..., None], 3, axis=-1)
        return {
            **arrays,
            one.name: in_pixels(trial, one, arrays[one.name], lambda old: np.broadcast_to(share, old.shape)),
        }

    return apply


def alphas(one: Picture) -> Iterator[Hypothesis]:
    """Four channels: where the alpha is."""
    for name, order in {"ARGB": (3, 0, 1, 2), "BGRA": (2, 1, 0, 3), "ABGR": (3, 2, 1, 0)}.items():
        yield Hypothesis(
            id="channel-order",
            say=f"the device's channels of {one.name} come as {name} where ours are RGBA",
            on="output",
            apply=permuted(one, order, True),
            ours=f"{one.name} = {one.name}[..., {list(order)}]",
            device=f"read the pixels as {name}",
            parameters={"order": name},
        )
    yield Hypothesis(
        id="alpha-channel",
        say=f"the device's {one.name} has no alpha channel",
        on="output",
        apply=lambda trial, arrays: {**arrays, one.name: one.changed(arrays[one.name], lambda x: x[..., :3])},
        ours=f"{one.name} = {one.name}[..., :3]",
        device="keep the alpha channel",
    )


def at_the_input(one: Picture) -> Hypothesis:
    """The picture that goes in is BGR; for stages that do not keep it a picture."""
    return Hypothesis(
        id="channel-order",
        say=f"the device takes {one.name} as BGR, ours takes it as RGB",
        on="input",
        apply=lambda trial, arrays: {one.name: one.changed(arrays[one.name], lambda x: x[..., [2, 1, 0]])},
        ours=f"{one.name} = {one.name}[..., ::-1]",
        device="convert BGR to RGB before the stage",
        parameters={"order": "BGR"},
        cost=1.2,
    )
