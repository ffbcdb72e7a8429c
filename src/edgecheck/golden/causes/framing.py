"""Which part of a picture goes where: stretched, fitted into a frame, cut to it, with the roundings of the trade."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

Size = tuple[int, int]  # height, width
Place = Literal["centre", "centre-up", "top-left", "bottom-right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """`box` of the source (top, left, bottom, right) is resized to `size` and put at `offset` of the target.

    A negative offset cuts; what the target shows beside the picture is padding.
    """

    box: tuple[int, int, int, int]
    size: Size
    offset: tuple[int, int]

    def inside(self, target: Size) -> tuple[slice, slice]:
        """The rows and columns of the target that show the picture."""
        rows, columns = (
            slice(max(at, 0), max(min(at + length, limit), 0))
            for at, length, limit in zip(self.offset, self.size, target, strict=True)
        )
        return rows, columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a framing is made for any size: the same for every case.

    "stretch": the whole picture, its aspect ratio not kept. "letterbox": the whole, kept, with padding. "cut": resized
    so that the short side is `ratio` times the target, then cut. "cut-stretched": stretched to `ratio` times the
    target, then cut. "crop": the middle `ratio` of the picture cut out, then stretched. "part": cut, not resized.
    `shift` and `grow` move and enlarge what comes of it, by pixels of the target.
    """

    kind: Literal["stretch", "letterbox", "cut", "cut-stretched", "crop", "crop-square", "part"]
    ratio: float = 1.0
    rounding: Literal["floor", "round", "ceil"] = "round"
    place: Place = "centre"
    shift: tuple[int, int] = (0, 0)
    grow: tuple[int, int] = (0, 0)

    def frame(self, source: Size, target: Size) -> Framing:
        """The framing of a source of this size; ValueError where it cannot be."""
        found = MAKERS[self.kind](self, source, target)
        offset = (found.offset[0] + self.shift[0], found.offset[1] + self.shift[1])
        size = (found.size[0] + self.grow[0], found.size[1] + self.grow[1])
        made = replace(found, offset=offset, size=size)
        rows, columns = made.inside(target)
        if min(size) < 1 or rows.stop - rows.start < 1 or columns.stop - columns.start < 1:
            raise ValueError("nothing of the picture is in the frame")
        return made


ROUND: dict[str, Callable[[float], int]] = {
    "floor": lambda x: math.floor(x + 1e-6),
    "round": lambda x: math.floor(x + 0.5),
    "ceil": lambda x: math.ceil(x - 1e-6),
}


def placed(place: Place, room: int) -> int:
    """Where a length starts that leaves `room` (which is negative where it is cut)."""
    return {"centre": room // 2, "centre-up": -(-room // 2), "top-left": 0, "bottom-right": room}[place]


def whole(source: Size) -> tuple[int, int, int, int]:
    return (0, 0, *source)


def in_place(fit: Fit, source: Size, size: Size, target: Size) -> Framing:
    offset = (placed(fit.place, target[0] - size[0]), placed(fit.place, target[1] - size[1]))
    return Framing(box=whole(source), size=size, offset=offset)


def _stretch(fit: Fit, source: Size, target: Size) -> Framing:
    return Framing(box=whole(source), size=target, offset=(0, 0))


def _letterbox(fit: Fit, source: Size, target: Size) -> Framing:
    scale = min(target[0] / source[0], target[1] / source[1])
    size = tuple(max(1, ROUND[fit.rounding](one * scale)) for one in source)
    return in_place(fit, source, (size[0], size[1]), target)


def _cut(fit: Fit, source: Size, target: Size) -> Framing:
    goal = (round(target[0] * fit.ratio), round(target[1] * fit.ratio))
    scale = max(goal[0] / source[0], goal[1] / source[1])
    size = tuple(max(goal[i], ROUND[fit.rounding](source[i] * scale)) for i in (0, 1))
    return in_place(fit, source, (size[0], size[1]), target)


def _cut_stretched(fit: Fit, source: Size, target: Size) -> Framing:
    return in_place(fit, source, (round(target[0] * fit.ratio), round(target[1] * fit.ratio)), target)


def _crop(fit: Fit, source: Size, target: Size) -> Framing:
    size = tuple(max(1, ROUND[fit.rounding](one * fit.ratio)) for one in source)
    top, left = (placed(fit.place, source[i] - size[i]) for i in (0, 1))
    return Framing(box=(top, left, top + size[0], left + size[1]), size=target, offset=(0, 0))


def _crop_square(fit: Fit, source: Size, target: Size) -> Framing:
    """The largest part of the target's shape, then resized."""
    scale = min(source[0] / target[0], source[1] / target[1]) * fit.ratio
    size = tuple(min(source[i], max(1, ROUND[fit.rounding](target[i] * scale))) for i in (0, 1))
    top, left = (placed(fit.place, source[i] - size[i]) for i in (0, 1))
    return Framing(box=(top, left, top + size[0], left + size[1]), size=target, offset=(0, 0))


def _part(fit: Fit, source: Size, target: Size) -> Framing:
    return in_place(fit, source, source, target)


MAKERS: dict[str, Callable[[Fit, Size, Size], Framing]] = {
    "stretch": _stretch,
    "letterbox": _letterbox,
    "cut": _cut,
    "cut-stretched": _cut_stretched,
    "crop": _crop,
    "crop-square": _crop_square,
    "part": _part,
}
RATIOS = (256 / 224, 232 / 224, 1 / 0.9, 1 / 0.95, 1 / 0.8)  # torchvision's 256 and 232 for 224; central fractions
PLACES: tuple[Place, ...] = ("centre", "top-left", "centre-up", "bottom-right")


def plain() -> Iterator[Fit]:
    """One of each kind: to find out which way round the picture is."""
    yield Fit(kind="stretch")
    yield Fit(kind="letterbox")
    yield Fit(kind="letterbox", place="top-left")
    yield Fit(kind="cut")
    yield Fit(kind="cut", ratio=256 / 224)
    yield Fit(kind="part")


def usual() -> Iterator[Fit]:
    """The framings of the trade, the simplest first."""
    yield Fit(kind="stretch")
    for place in PLACES:
        for rounding in ("round", "floor", "ceil"):
            yield Fit(kind="letterbox", place=place, rounding=rounding)
    for ratio in (1.0, *RATIOS):
        for place in PLACES[:3]:
            for rounding in ("floor", "round"):
                yield Fit(kind="cut", ratio=ratio, place=place, rounding=rounding)  # type: ignore[arg-type]
    for place in PLACES[:3]:
        yield Fit(kind="crop-square", place=place)
        yield Fit(kind="part", place=place)
    for ratio in RATIOS:
        yield Fit(kind="cut-stretched", ratio=ratio)
    for ratio in (0.875, 0.9, 0.95, 0.8, 0.5):
        yield Fit(kind="crop", ratio=ratio)
        yield Fit(kind="crop-square", ratio=ratio)


def distinct(source: Size, target: Size, fits: Iterator[Fit]) -> dict[Framing, Fit]:
    """The framings that differ for this size, each with the simplest that makes it."""
    found: dict[Framing, Fit] = {}
    for one in fits:
        try:
            found.setdefault(one.frame(source, target), one)
        except ValueError:
            continue
    return found


KINDS = {
    "stretch": "stretched to the frame",
    "letterbox": "fitted into the frame with its aspect ratio kept",
    "cut": "resized with its aspect ratio kept, then cut",
    "cut-stretched": "stretched larger than the frame, then cut",
    "crop": "cut to its middle, then stretched",
    "crop-square": "cut to the frame's shape, then resized",
    "part": "cut without being resized",
}


def say(fit: Fit) -> str:
    """A framing in words."""
    words = KINDS[fit.kind]
    if fit.kind in ("cut", "cut-stretched", "crop") and fit.ratio != 1:
        words += f" (ratio {fit.ratio:.4g})"
    if fit.kind == "letterbox":
        words += f" ({fit.place}, sizes by {fit.rounding})"
    elif fit.kind in ("cut", "crop-square", "part") and fit.place != "centre":
        words += f" ({fit.place})"
    if any(fit.shift) or any(fit.grow):
        words += f", moved by {fit.shift} and larger by {fit.grow} pixels"
    return words


CUTS = ("cut", "cut-stretched", "crop", "crop-square", "part")


def causes(ours: Fit, device: Fit) -> tuple[str, ...]:
    """The names of what differs between two framings."""
    if ours.kind != device.kind:
        kinds = {ours.kind, device.kind}
        return ("aspect-ratio",) if kinds == {"stretch", "letterbox"} else ("crop",)
    moved = (ours.place, ours.shift) != (device.place, device.shift)
    found = ["crop"] if ours.ratio != device.ratio else []
    if ours.kind == "letterbox":
        sized = ours.rounding != device.rounding or ours.grow != device.grow
        halved = {ours.place, device.place} == {"centre", "centre-up"} and ours.shift == device.shift
        rounded = sized or halved or (moved and ours.place == device.place and small(ours, device))
        found += ["letterbox-rounding"] if rounded else []
        found += ["letterbox-offset"] if moved and not halved and not rounded else []
        return tuple(found)
    if moved:
        found.append("crop-offset" if ours.kind in CUTS else "image-offset")
    if not found and (ours.rounding != device.rounding or ours.grow != device.grow):
        found.append("size-rounding")
    return tuple(found)


def small(ours: Fit, device: Fit) -> bool:
    return max(abs(a - b) for a, b in zip(ours.shift, device.shift, strict=True)) <= 1


def code(fit: Fit) -> str:
    """The framing as a line of Python."""
    lines = {
        "stretch": "image = resize(image, (h, w))",
        "letterbox": f"r = min(h / H, w / W); nh, nw = {fit.rounding}(H * r), {fit.rounding}(W * r); "
        + {
            "centre": "top, left = (h - nh) // 2, (w - nw) // 2",
            "centre-up": "top, left = (h - nh + 1) // 2, (w - nw + 1) // 2",
            "top-left": "top, left = 0, 0",
            "bottom-right": "top, left = h - nh, w - nw",
        }[fit.place],
        "cut": f"image = crop(resize_short_side(image, round({fit.ratio:.5g} * h)), (h, w), {fit.place!r})",
        "cut-stretched": f"r = {fit.ratio:.5g}; image = crop(resize(image, (round(r * h), round(r * w))), (h, w))",
        "crop": f"image = resize(central_crop(image, {fit.ratio:.5g}), (h, w))",
        "crop-square": f"image = resize(crop_to_aspect(image, h / w, {fit.place!r}), (h, w))",
        "part": f"image = crop(image, (h, w), {fit.place!r})",
    }
    return lines[fit.kind]
