"""Values scaled otherwise: mean and std, a division by 255 twice or not at all, gamma, alpha that is multiplied in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.alpha import alphas
from edgecheck.golden.causes.channels import cast, in_pixels
from edgecheck.golden.causes.layout import changed
from edgecheck.golden.causes.pictures import Picture, levels, pictures

if TYPE_CHECKING:
    import numpy

RGB = tuple[float, float, float]
IMAGENET: tuple[RGB, RGB] = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
CLIP: tuple[RGB, RGB] = ((122.7709, 116.7460, 104.0937), (68.5005, 66.6322, 70.3232))
#: (value - mean) / std of values from 0 to 255, as wrappers do it; one number stands for all channels.
VARIANTS: dict[str, tuple[RGB | float, RGB | float]] = {
    "0 to 255, not normalised": (0.0, 1.0),
    "0 to 1": (0.0, 255.0),
    "-1 to 1": (127.5, 127.5),
    "(x - 127.5) / 128": (127.5, 128.0),
    "(x - 128) / 128": (128.0, 128.0),
    "(x - 128) / 127": (128.0, 127.0),
    "(x - 128) / 127.5": (128.0, 127.5),
    "(x - 127.5) / 127": (127.5, 127.0),
    "-0.5 to 0.5": (127.5, 255.0),
    "x / 256": (0.0, 256.0),
    "x / 128": (0.0, 128.0),
    "0 to 2": (0.0, 127.5),
    "x - 128": (128.0, 1.0),
    "x - 127.5": (127.5, 1.0),
    "ImageNet's mean and std": IMAGENET,
    "ImageNet's mean and std in the order of BGR": (IMAGENET[0][::-1], IMAGENET[1][::-1]),
    "ImageNet's mean in the order of BGR, its std in that of RGB": (IMAGENET[0][::-1], IMAGENET[1]),
    "ImageNet's mean, std 255": (IMAGENET[0], 255.0),
    "ImageNet's std without its mean": (0.0, IMAGENET[1]),
    "ImageNet's mean, one std of 0.226": (IMAGENET[0], 57.63),
    "one mean of 0.449 and one std of 0.226": (114.495, 57.63),
    "ImageNet's mean and std for 0 to 1 on 0 to 255": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "ImageNet's mean and std after a second division by 255": (
        tuple(255 * one for one in IMAGENET[0]),  # type: ignore[dict-item]
        tuple(255 * one for one in IMAGENET[1]),
    ),
    "Caffe's mean, no std": ((123.68, 116.779, 103.939), 1.0),
    "Caffe's mean in the order of BGR, no std": ((103.939, 116.779, 123.68), 1.0),
    "104, 117, 123 taken off": ((104.0, 117.0, 123.0), 1.0),
    "123, 117, 104 taken off": ((123.0, 117.0, 104.0), 1.0),
    "CLIP's mean and std": CLIP,
    "CIFAR-10's mean and std": ((125.307, 122.961, 113.8575), (62.985, 62.0925, 66.708)),
    "mean 0.5 and std 0.5 for 0 to 1 on 0 to 255": (0.5, 0.5),
    "mean 127.5 and std 127.5 on 0 to 1": (127.5 * 255, 127.5 * 255),
}
CLASSIC = {"0 to 255, not normalised", "0 to 1", "-1 to 1", "ImageNet's mean and std", "(x - 127.5) / 128"}
GAMMAS = {"gamma 2.2": 2.2, "gamma 1/2.2": 1 / 2.2, "gamma 1.8": 1.8, "gamma 2.4": 2.4, "gamma 1/1.8": 1 / 1.8}


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Pictures in every normalisation; any number divided twice; then what least squares says."""
    if not trial.model:
        for one in pictures(trial, trial.ours):
            yield from normalised(trial, one)
            yield from curves(one)
            if one.view(trial.ours[one.name]).shape[-1] == 4:
                yield from alphas(one, "output")
        if trial.again is not None:
            for one in pictures(trial, trial.inputs):
                yield from curves_before(trial, one)
    for name, array in trial.ours.items():
        if array.dtype.kind == "f":
            yield from rescaled(trial, name)
            yield from clipped(trial, name)
        if array.dtype.kind in "uif":
            yield from fitted(trial, name)


def triple(value: RGB | float, count: int) -> numpy.ndarray:
    """A mean or std for each of `count` channels; of one channel (and of alpha), the mean of the three."""
    import numpy as np

    if isinstance(value, float | int):
        return np.full(count, float(value))
    mean = sum(value) / 3
    return np.asarray([*value, *[mean] * (count - 3)] if count >= 3 else [mean] * count)


def normalised(trial: Trial, one: Picture) -> Iterator[Hypothesis]:
    """Every mean and std of the list but our own."""
    import numpy as np

    black, white = levels(trial, one, trial.ours[one.name])
    count = len(black)
    own = (-black * 255 / (white - black), 255 / (white - black))
    if trial.ours[one.name].dtype.kind != "f":
        return
    for name, (mean, std) in VARIANTS.items():
        m, s = triple(mean, count), triple(std, count)
        if np.allclose(m, own[0], atol=0.02) and np.allclose(s, own[1], rtol=2e-4):
            continue
        cause = named(own, (m, s))
        yield Hypothesis(
            id=cause,
            say=f"the device normalises {one.name} as {name}, ours is (x - {words(own[0])}) / {words(own[1])}",
            on="output",
            apply=to_levels(one, -m / s, (255 - m) / s),
            ours=f"{one.name} = (pixels - {code(mean)}) / {code(std)}",
            device=f"{one.name} = (pixels - {words(own[0])}) / {words(own[1])}",
            parameters={"mean": listed(m), "std": listed(s)},
            group="scale",
            cost=1.0 if name in CLASSIC else 1.4,
        )


def named(own: tuple[Any, Any], other: tuple[Any, Any]) -> str:
    """The word for a change of mean and std: some have their own."""
    import numpy as np

    def near(pair: tuple[Any, Any], mean: float, std: float) -> bool:
        return bool(np.allclose(pair[0], mean, atol=0.3) and np.allclose(pair[1], std, rtol=2e-3))

    unit, both = (near(own, 0, 255), near(other, 0, 255)), (near(own, 127.5, 127.5), near(other, 127.5, 127.5))
    if (unit[0] and both[1]) or (both[0] and unit[1]):
        return "value-range"
    if near(other, 0, 1):
        return "not-divided"
    return "normalisation"


def to_levels(one: Picture, black: numpy.ndarray, white: numpy.ndarray) -> Callable[[Trial, Arrays], Arrays]:
    """Our picture with other values for black and white."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        array = arrays[one.name]
        old_black, old_white = levels(trial, one, array)
        factor = (white - black) / (old_white - old_black)
        made = one.changed(array, lambda x: (x - old_black) * factor + black)
        return {**arrays, one.name: made.astype(array.dtype)}

    return apply


def listed(values: numpy.ndarray) -> list[float]:
    return [float(f"{one:.6g}") for one in values]


def words(values: numpy.ndarray) -> str:
    """One number where all channels have the same."""
    import numpy as np

    found = listed(np.asarray(values))
    return (
        f"{found[0]:g}" if np.ptp(values) < 1e-3 * (1 + abs(found[0])) else str([float(f"{one:.5g}") for one in found])
    )


def code(value: RGB | float) -> str:
    return f"{value:g}" if isinstance(value, float | int) else f"[{', '.join(f'{one:g}' for one in value)}]"


def linear(x: numpy.ndarray) -> numpy.ndarray:
    """sRGB to linear light."""
    import numpy as np

    return np.where(x <= 0.04045, x / 12.92, ((np.maximum(x, 0) + 0.055) / 1.055) ** 2.4)


def encoded(x: numpy.ndarray) -> numpy.ndarray:
    """Linear light to sRGB."""
    import numpy as np

    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 0) ** (1 / 2.4) - 0.055)


def power(exponent: float) -> Callable[[numpy.ndarray], numpy.ndarray]:
    import numpy as np

    return lambda x: np.sign(x) * np.abs(x) ** exponent


def all_curves() -> dict[str, Callable[[numpy.ndarray], numpy.ndarray]]:
    """Tone curves on 0 to 1, by what they are called; the inverted picture is one too."""
    found = {"linear light (sRGB decoded)": linear, "sRGB encoding": encoded}
    return {**found, **{name: power(one) for name, one in GAMMAS.items()}}


def curves(one: Picture) -> Iterator[Hypothesis]:
    for name, curve in all_curves().items():
        yield Hypothesis(
            id="gamma",
            say=f"the device's {one.name} has another tone curve: {name}",
            on="output",
            apply=lambda trial, arrays, curve=curve: {  # type: ignore[misc]
                **arrays,
                one.name: in_pixels(trial, one, arrays[one.name], curve),
            },
            ours=f"pixels = pixels ** {GAMMAS.get(name, 2.2):.3g}",
            device="turn off the conversion of colour space when decoding",
            parameters={"curve": name},
            cost=1.2,
        )
    yield Hypothesis(
        id="inverted",
        say=f"the device's {one.name} is inverted: black is white",
        on="output",
        apply=lambda trial, arrays: {**arrays, one.name: in_pixels(trial, one, arrays[one.name], lambda x: 1 - x)},
        ours="pixels = 255 - pixels",
        device="do not invert the pixels",
        cost=2.0,
    )


def curves_before(trial: Trial, one: Picture) -> Iterator[Hypothesis]:
    """The same on the way in, before anything is resized."""
    array = trial.inputs[one.name]
    for name, curve in all_curves().items():
        yield Hypothesis(
            id="gamma",
            say=f"the device's {one.name} has another tone curve before the stage: {name}",
            on="input",
            apply=lambda trial, arrays, curve=curve: {  # type: ignore[misc]
                one.name: curved(trial, one, arrays[one.name], curve)
            },
            ours=f"pixels = 255 * (pixels / 255) ** {GAMMAS.get(name, 2.2):.3g}",
            device="turn off the conversion of colour space when decoding",
            parameters={"curve": name},
            cost=1.3,
        )
    if one.view(array).shape[-1] == 4:
        yield from alphas(one, "input")


def curved(
    trial: Trial, one: Picture, array: numpy.ndarray, curve: Callable[[numpy.ndarray], numpy.ndarray]
) -> numpy.ndarray:
    """A tone curve on every channel: of bytes, by a table."""
    import numpy as np

    if array.dtype != np.uint8:
        return in_pixels(trial, one, array, curve)
    table = np.clip(np.rint(255 * curve(np.arange(256) / 255)), 0, 255).astype(np.uint8)
    found: numpy.ndarray = table[array]
    return found


def rescaled(trial: Trial, name: str) -> Iterator[Hypothesis]:
    """One more or one fewer step of scaling, on any tensor."""
    other = trial.device.get(name)
    if other is None or not other.size:
        return
    halved = f"({name} + 1) / 2"
    ways: list[tuple[str, str, Callable[[Any], Any], str, str]] = [
        ("divided-twice", "is divided by 255 once more", lambda x: x / 255, f"{name} / 255", "divide by 255 once"),
        ("not-divided", "is 255 times ours: not divided by 255", lambda x: x * 255, f"{name} * 255", f"{name} /= 255"),
        ("value-range", "is 2 * ours - 1: -1 to 1 for 0 to 1", lambda x: 2 * x - 1, f"2 * {name} - 1", halved),
        ("value-range", "is (ours + 1) / 2: 0 to 1 for -1 to 1", lambda x: (x + 1) / 2, halved, f"2 * {name} - 1"),
    ]  # fmt: skip
    for cause, say, change, ours, device in ways:
        yield Hypothesis(
            id=cause,
            say=f"the device's {name} {say}",
            on="output",
            apply=changed(name, lambda x, change=change: change(x).astype(x.dtype)),  # type: ignore[misc]
            ours=f"{name} = {ours}",
            device=device if "=" in device or device.startswith("divide") else f"{name} = {device}",
            group="scale",
        )


def clipped(trial: Trial, name: str) -> Iterator[Hypothesis]:
    """Values cut off where the device's end and ours do not."""
    import numpy as np

    ours, device = trial.ours[name], trial.device.get(name)
    if device is None or device.dtype.kind != "f" or not ours.size or not np.isfinite(device).all():
        return
    low, high = float(device.min()), float(device.max())
    cut_low = float(ours.min()) < low and np.mean(device == low) > max(0.5 * np.mean(ours <= low), 2 / device.size)
    cut_high = float(ours.max()) > high and np.mean(device == high) > max(0.5 * np.mean(ours >= high), 2 / device.size)
    if not (cut_low or cut_high):
        return
    lower, upper = low if cut_low else -np.inf, high if cut_high else np.inf
    yield Hypothesis(
        id="clipped",
        say=f"the device's {name} is cut off"
        + (f" below {low:g}" if cut_low else "")
        + (f" above {high:g}" if cut_high else ""),
        on="output",
        apply=changed(name, lambda x: np.clip(x, lower, upper).astype(x.dtype)),
        ours=f"{name} = np.clip({name}, {lower:g}, {upper:g})",
        device=f"do not clip {name}",
        parameters={"low": lower, "high": upper},
        cost=1.5,
    )


def fitted(trial: Trial, name: str) -> Iterator[Hypothesis]:
    """A factor and an offset from least squares: for the whole tensor, and for each channel of a picture."""
    ours, device = trial.ours[name], trial.device.get(name)
    if device is None or device.shape != ours.shape or device.dtype.kind not in "uif" or ours.size < 8:
        return
    one = next((found for found in pictures(trial, trial.ours) if found.name == name), None)
    line = straight(ours.reshape(-1, 1), device.reshape(-1, 1))
    if line is not None:
        a, b = float(line[0][0]), float(line[1][0])
        yield Hypothesis(
            id="normalisation" if one else "values-scaled",
            say=f"the device's {name} is {a:.5g} * ours {'-' if b < 0 else '+'} {abs(b):.5g}: another scale or offset",
            on="output",
            apply=changed(name, lambda x: cast(x.astype(float) * a + b, x)),
            ours=f"{name} = {a:.6g} * {name} + {b:.6g}",
            device=f"{name} = ({name} - {b:.6g}) / {a:.6g}",
            parameters={"factor": a, "offset": b},
            group="scale",
            cost=3.0,
            fit=2,
        )
    if one and one.axes[2] >= 0 and (channels := one.view(ours).shape[-1]) > 1:
        yield from fitted_channels(trial, one, channels)


def fitted_channels(trial: Trial, one: Picture, channels: int) -> Iterator[Hypothesis]:
    import numpy as np

    pair = [np.moveaxis(side[one.name], one.axes[2], -1).reshape(-1, channels) for side in (trial.ours, trial.device)]
    line = straight(*pair)
    if line is None:
        return
    a, b = line
    yield Hypothesis(
        id="normalisation",
        say=f"the device's {one.name} is {listed(a)} * ours + {listed(b)}, by channel: another mean or std",
        on="output",
        apply=lambda trial, arrays: {
            **arrays,
            one.name: cast(one.changed(arrays[one.name].astype(float), lambda x: x * a + b), arrays[one.name]),
        },
        ours=f"{one.name} = {one.name} * {listed(a)} + {listed(b)}  # by channel",
        device=f"{one.name} = ({one.name} - {listed(b)}) / {listed(a)}  # by channel",
        parameters={"factor": listed(a), "offset": listed(b)},
        group="scale",
        cost=3.5,
        fit=3,
    )


def straight(x: numpy.ndarray, y: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray] | None:
    """Factor and offset for each column; None where a column is constant or not finite."""
    import numpy as np

    step = max(1, len(x) // 50_000)
    x, y = x[::step].astype(np.float64), y[::step].astype(np.float64)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    x0, y0 = x - x.mean(0), y - y.mean(0)
    spread = (x0 * x0).sum(0)
    if not (spread > 0).all():
        return None
    a = (x0 * y0).sum(0) / spread
    if not (np.abs(a) > 1e-9).all():
        return None
    return a, y.mean(0) - a * x.mean(0)
