"""Resize, letterbox, crop and padding: both sides are read from their ends, and what differs is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial, framing
from edgecheck.golden.causes.channels import cast
from edgecheck.golden.causes.pictures import Picture, levels, picture, pictures
from edgecheck.golden.causes.reading import Reading, alike, as_before, drawn, left_by, read
from edgecheck.golden.causes.resampling import KERNELS
from edgecheck.golden.causes.values import VARIANTS, listed, to_levels, triple

if TYPE_CHECKING:
    import numpy

GOOD = 0.1  # of the variance: what our own reading may leave
SURE = 1e-3  # where more is left, the change between two readings is added to our own tensor
USUAL_PADS = (0, 1, 114, 127, 127.5, 128, 255)
STEP = 0.6 / 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """A picture that the stage makes of another, and how: on our side, and on the device's."""

    source: Picture
    target: Picture
    ours: Reading
    device: Reading


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """For each picture that is made of a picture."""
    if trial.model:
        return
    for target in pictures(trial, trial.ours):
        if (found := ends(trial, target)) is not None:
            yield from differences(found)


def ends(trial: Trial, target: Picture) -> Ends | None:
    """The two readings of a target; what they say about black and white is kept for the other families."""
    for source in pictures(trial, trial.inputs):
        pixels = source.view(trial.inputs[source.name])
        known: list[Reading | None] = trial.memo.get(f"stage/readings/{source.name}/{target.name}", [None, None])
        ours = read(pixels, target.view(trial.ours[target.name]), known[0])
        if ours is None or ours.left > GOOD:
            continue
        ours = agreed(trial, source, target, ours, ours_of)
        ours = remember(trial, source, target, ours)
        device = trial.device.get(target.name)
        for number, seen in enumerate(sights(trial, target, device)):
            other = again(pixels, seen, known[1]) or read(pixels, seen, ours)
            if other is not None:
                if number == 0 and trial.device[target.name].shape == trial.ours[target.name].shape:
                    other = agreed(trial, source, target, other, device_of, ours)
                remember_colours(trial, target, ours, other)
                trial.memo[f"stage/readings/{source.name}/{target.name}"] = [ours, other]
                return Ends(source=source, target=target, ours=ours, device=other)
        return None
    return None


def ours_of(trial: Trial) -> Arrays:
    return trial.ours


def device_of(trial: Trial) -> Arrays:
    return trial.device


def agreed(
    trial: Trial,
    source: Picture,
    target: Picture,
    reading: Reading,
    side: Callable[[Trial], Arrays],
    like: Reading | None = None,
) -> Reading:
    """The reading in that form that holds for the other cases too: one case often leaves framings that it cannot tell.

    Sizes that come out whole hide the rounding, a square picture hides the placing, one made larger the antialias.
    """
    cases = [
        one for one in trial.memo.get("stage/cases", []) if one is not trial and comparable(one, trial, target.name)
    ]
    if not cases:
        return reading
    pixels, seen = source.view(trial.inputs[source.name]), target.view(side(trial)[target.name])
    pictured = [(source.view(one.inputs[source.name]), target.view(side(one)[target.name])) for one in cases]
    best, least = reading, remains(pictured, reading)
    for one in alike(pixels, seen, reading, like) if least > 0 else ():
        found = remains(pictured, one)
        if found < 0.8 * least - 1e-6:
            best, least = one, found
    return best


def remains(pictured: list[tuple[numpy.ndarray, numpy.ndarray]], reading: Reading) -> float:
    """What a reading leaves of other cases, each as a share of its variance."""
    return sum(left_by(pixels, seen.astype(float), reading) for pixels, seen in pictured)


def comparable(one: Trial, other: Trial, name: str) -> bool:
    """The tensor has the rank there that it has here, on both sides."""
    return all(
        name in side and name in same and side[name].ndim == same[name].ndim
        for side, same in ((one.ours, other.ours), (one.device, other.device))
    )


def again(pixels: numpy.ndarray, seen: numpy.ndarray, known: Reading | None) -> Reading | None:
    """The device's reading of another case, where it fits here too."""
    return None if known is None else as_before(pixels, seen.astype(float), known)


def sights(trial: Trial, target: Picture, device: numpy.ndarray | None) -> Iterator[numpy.ndarray]:
    """The device's tensor as a picture: as ours, transposed, or with its memory read the other way."""
    import numpy as np

    if device is None or device.dtype.kind not in "uif":
        return
    shape = trial.ours[target.name].shape
    if device.shape == shape:
        yield target.view(device)
        channels = target.view(device).shape[-1]
        if channels > 1 and device.size == np.prod(shape[-3:]):
            height, width = target.view(device).shape[:2]
            if target.axes[2] > target.axes[1]:
                yield device.reshape(channels, height, width).transpose(1, 2, 0)
            else:
                yield device.reshape(height, width, channels)
        return
    other = picture(replace(trial, meanings={}), target.name, device)
    if other is not None:
        yield other.view(device)


def remember(trial: Trial, source: Picture, target: Picture, ours: Reading) -> Reading:
    """Black and white of our target into the memo; the reading with its colours made exact where they are plain."""
    import numpy as np

    low, high = levels(trial, source, trial.inputs[source.name])
    black, white = low @ ours.matrix + ours.offset, high @ ours.matrix + ours.offset
    if not (np.abs(white - black) > 1e-6).all() or ours.left > 0.01:
        return ours
    black, white = snapped(trial, target, black, white)
    trial.memo[f"stage/levels/{target.name}"] = (black, white)
    matrix = plain(ours.matrix, (white - black) / (high - low)) if len(low) == len(black) else None
    return ours if matrix is None else replace(ours, matrix=matrix, offset=black - low @ matrix)


def remember_colours(trial: Trial, target: Picture, ours: Reading, device: Reading) -> None:
    """How the colours of the device follow from ours, but for a scale, for the other families."""
    import numpy as np

    one, other = ours.matrix, device.matrix
    if one.shape != (3, 3) or other.shape != (3, 3) or min(np.linalg.cond(one), np.linalg.cond(other)) > 1e4:
        return
    trial.memo[f"stage/colours/{target.name}"] = np.linalg.inv(one) @ other


def snapped(
    trial: Trial, target: Picture, black: numpy.ndarray, white: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The usual normalisation that is next, where one is next; else what is declared; else as it was solved."""
    import numpy as np

    span = np.abs(white - black)

    def near(low: Any, high: Any) -> bool:
        return bool((np.abs(low - black) < 0.004 * span).all() and (np.abs(high - white) < 0.004 * span).all())

    found = []
    for mean, std in VARIANTS.values():
        m, s = triple(mean, len(black)), triple(std, len(black))
        if near(-m / s, (255 - m) / s):
            apart = float(np.abs(-m / s - black).sum() + np.abs((255 - m) / s - white).sum())
            found.append((apart, -m / s, (255 - m) / s))
    if not found and target.low is not None and target.high is not None and near(target.low, target.high):
        return np.full(len(black), target.low), np.full(len(black), target.high)
    best = min(found, key=lambda one: one[0], default=(0.0, black, white))
    return best[1], best[2]


def plain(matrix: numpy.ndarray, gains: numpy.ndarray) -> numpy.ndarray | None:
    """The matrix as a mere order of channels, where it is one."""
    import numpy as np

    if matrix.shape[0] != matrix.shape[1]:
        return None
    order = np.abs(matrix).argmax(0)
    exact = np.zeros_like(matrix)
    exact[order, np.arange(len(order))] = gains
    return exact if np.abs(exact - matrix).max() < 0.03 * np.abs(gains).max() else None


def differences(found: Ends) -> Iterator[Hypothesis]:
    """Each thing in which the readings differ, alone; then two of them, and all."""
    yield from rescaled(found)
    changes = list(changed(found))
    for one in changes:
        yield made(found, [one])
    for i, one in enumerate(changes):
        for other in changes[i + 1 :]:
            yield made(found, [one, other])
    if len(changes) > 2:
        yield made(found, changes)


def rescaled(found: Ends) -> Iterator[Hypothesis]:
    """The device's mean and std, as its own reading has them: also where it is turned, cut, or filtered otherwise."""
    import numpy as np

    ours, device = found.ours, found.device
    order = np.abs(device.matrix).argmax(0)
    if ours.matrix.shape != device.matrix.shape or sorted(order) != list(range(len(order))):
        return
    exact = plain(device.matrix, device.matrix[order, np.arange(len(order))])
    if exact is None or device.left > SURE:
        return
    black, white = device.offset, device.offset + 255 * exact.sum(0)
    if found.source.low is not None and found.source.high is not None:
        black, white = (device.offset + level * exact.sum(0) for level in (found.source.low, found.source.high))
    yield Hypothesis(
        id="normalisation",
        say=f"the device's {found.target.name} has black at {listed(black)} and white at {listed(white)}",
        on="output",
        apply=to_levels(found.target, black, white),
        ours=f"{found.target.name} = pixels / 255 * {listed(white - black)} + {listed(black)}",
        device="use the mean and std of training",
        parameters={"black": listed(black), "white": listed(white)},
        cost=2.5,
        fit=2,
        group="scale",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What differs between the readings, as fields of one."""

    fields: Mapping[str, Any]
    ids: tuple[str, ...]
    say: str
    ours: str
    device: str
    cost: float = 1.0
    fit: int = 0


def changed(found: Ends) -> Iterator[Change]:
    """Kernel, framing, padding, rounding."""
    ours, device, name = found.ours, found.device, found.target.name
    if ours.kernel != device.kernel:
        mine, other = KERNELS[ours.kernel], KERNELS[device.kernel]
        yield Change(
            fields={
                "kernel": device.kernel,
                "rounding": device.rounding if ours.rounding and device.rounding else ours.rounding,
            },
            ids=(kernel_cause(ours.kernel, device.kernel),),
            say=f"the device resizes {name} {other.say}; ours is {mine.say}",
            ours=other.code,
            device=mine.device,
            cost=other.cost,
        )
    ids = framing.causes(ours.fit, device.fit)
    if ids:
        yield Change(
            fields={"fit": device.fit},
            ids=ids,
            say=f"the device's {name} is {framing.say(device.fit)}; ours is {framing.say(ours.fit)}",
            ours=framing.code(device.fit),
            device=framing.code(ours.fit),
            fit=sum(map(bool, (*device.fit.shift, *device.fit.grow))),
        )
    yield from padded(found)
    if ours.rounding != device.rounding:
        said = {"": "kept as floats", "bytes": "rounded to 8 bits", "library": "rounded to 8 bits"}
        if said[ours.rounding] != said[device.rounding]:
            yield Change(
                fields={"rounding": device.rounding},
                ids=("rounded",),
                say=f"after the resize the device's {name} is {said[device.rounding]}, ours {said[ours.rounding]}",
                ours="image = resize(image.astype('float32'))" if not device.rounding else "image = np.rint(image)",
                device="resize as float" if not ours.rounding else "resize as 8 bits",
                cost=1.3,
            )


def kernel_cause(ours: str, device: str) -> str:
    """The word for a change of kernel."""
    one, other = KERNELS[ours], KERNELS[device]
    same = one.shape.partition("-")[0] == other.shape.partition("-")[0]
    if not same:
        return "resize-kernel"
    if one.centres != other.centres and one.antialias == other.antialias:
        return "align-corners" if "align-corners" in (one.centres, other.centres) else "half-pixel"
    return "resize-antialias" if one.antialias != other.antialias else "resize-kernel"


def padded(found: Ends) -> Iterator[Change]:
    """The padding's pixels, by each side's own colours."""
    import numpy as np

    ours, device = found.ours, found.device
    if device.pad is None:
        return
    theirs = pixels(device, device.pad)
    mine = None if ours.pad is None else pixels(ours, ours.pad)
    if theirs is None or (mine is not None and np.abs(theirs - mine).max() < 255 * STEP):
        return
    usual = [one for one in USUAL_PADS if np.abs(theirs - one).max() < 0.7]
    value = np.full(len(theirs), float(usual[0])) if usual else theirs
    after = " (0 after the normalisation)" if not usual and not np.abs(device.pad).max() > 1e-6 else ""
    line = f"{value[0]:g}" if np.ptp(value) == 0 else str([round(float(one), 2) for one in value])
    before = "not padded" if mine is None else f"{[round(float(one), 1) for one in mine]}"
    if mine is None:  # our frame has no padding: the value goes with the framing, and is no fault of its own
        return
    yield Change(
        fields={"pad": value @ ours.matrix + ours.offset},
        ids=("pad-value",),
        say=f"the device pads {found.target.name} with {line}{after}, ours with {before}",
        ours=f"pad = {line}",
        device=f"pad with {before}" + (", before the normalisation" if after else ""),
        fit=0 if usual or after else 1,
    )


def pixels(reading: Reading, values: numpy.ndarray) -> numpy.ndarray | None:
    """Values of the target as pixels of the source; None where the matrix has no inverse."""
    import numpy as np

    matrix = reading.matrix
    if matrix.shape[0] != matrix.shape[1] or np.linalg.cond(matrix) > 1e4:
        return None
    found: numpy.ndarray = np.linalg.solve(matrix.T, values - reading.offset)
    return found


def made(found: Ends, changes: list[Change]) -> Hypothesis:
    """The stage with some of its reading changed."""
    ids = tuple(dict.fromkeys(name for one in changes for name in one.ids))
    fields = {name: value for one in changes for name, value in one.fields.items()}
    other = replace(found.ours, **fields)
    if other.pad is None:
        other = replace(other, pad=borrowed(found))
    return Hypothesis(
        id=ids[0],
        also=ids[1:],
        say="; and ".join(one.say for one in changes),
        on="stage",
        apply=redrawn(found, other),
        ours="; ".join(one.ours for one in changes),
        device="; ".join(one.device for one in changes),
        parameters={name: str(value) for name, value in fields.items()},
        cost=sum(one.cost for one in changes),
        fit=sum(one.fit for one in changes),
    )


def borrowed(found: Ends) -> numpy.ndarray | None:
    """The device's padding in our colours, where only its frame has one."""
    if found.device.pad is None:
        return None
    theirs = pixels(found.device, found.device.pad)
    return None if theirs is None else theirs @ found.ours.matrix + found.ours.offset


def redrawn(found: Ends, other: Reading) -> Callable[[Trial, Arrays], Arrays]:
    """The target as the other reading makes it; the rest of the outputs stays ours."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        name = found.target.name
        source = found.source.view(arrays[found.source.name])
        ours = trial.ours[name]
        view = found.target.view(ours)
        size = (view.shape[0], view.shape[1])
        drawing = drawn(other, source, size)
        if found.ours.left > SURE and arrays is trial.inputs:
            drawing = view + drawing - drawn(found.ours, source, size)
        put = found.target.changed(ours.astype(float), lambda x: drawing.reshape((1,) * (x.ndim - 3) + drawing.shape))
        return {**trial.ours, name: cast(put, ours)}

    return apply
