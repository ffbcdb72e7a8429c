"""Camera frames: the YUV matrix and its range, U and V swapped, planes taken for others, chroma filled in, row stride.

A stage that makes a picture of YUV bytes is read from both ends: the layout and the chroma filter from what they leave
unexplained, matrix and range from the colours that fit best. Where only RGB is seen, the matrices are tried on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING

from edgecheck.golden.causes import Arrays, Hypothesis, On, Trial
from edgecheck.golden.causes.channels import cast, in_pixels
from edgecheck.golden.causes.pictures import Picture, levels, pictures
from edgecheck.golden.causes.strides import of_frames

if TYPE_CHECKING:
    import numpy

#: Weights of red and blue: ITU-R BT.601-7 2.5.1, BT.709-6 3.2, BT.2020-2 table 4.
WEIGHTS = {"BT.601": (0.299, 0.114), "BT.709": (0.2126, 0.0722), "BT.2020": (0.2627, 0.0593)}
RANGES = ("limited", "full")
LAYOUTS = ("NV12", "NV21", "I420", "YV12")
FILTERS = ("nearest", "linear", "linear, left")
FITS = 0.02  # of the variance: what the right layout may leave (pixels that are cut off at 0 and 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How YUV bytes become RGB, 0 to 255."""

    layout: str
    filter: str
    matrix: str
    range: str


def to_rgb(matrix: str, range: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """RGB = YUV @ m + o, all from 0 to 255."""
    import numpy as np

    red, blue = WEIGHTS[matrix]
    green = 1 - red - blue
    r, b = 2 * (1 - red), 2 * (1 - blue)
    m = np.asarray([[1, 1, 1], [0, -blue * b / green, b], [r, -red * r / green, 0]], float)
    luma, chroma, start = (255 / 219, 255 / 224, 16.0) if range == "limited" else (1.0, 1.0, 0.0)
    m = m * np.asarray([[luma], [chroma], [chroma]])
    return m, -(np.asarray([start, 128.0, 128.0]) @ m)


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """From the planes where they are among the inputs; on the colours where they are not."""
    if trial.model:
        return
    for one in pictures(trial, trial.ours):
        if one.view(trial.ours[one.name]).shape[-1] != 3:
            continue
        frame = frames(trial, one)
        if frame is None:
            seen: numpy.ndarray | None = trial.memo.get(f"stage/colours/{one.name}")
            yield from (found for found, turn in recoloured(one) if seen is None or alike(turn, seen))
            if seen is not None and trial.again is not None:
                yield from before(trial, seen)
            continue
        yield from decoded(trial, one)
        if trial.again is not None:
            height, width = one.view(trial.ours[one.name]).shape[:2]
            yield from of_frames(height, width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The bytes of one frame: all in one tensor, or luma apart from chroma. `chroma` is what follows luma."""

    luma: numpy.ndarray  # [h, w]
    chroma: numpy.ndarray  # flat


def frames(trial: Trial, one: Picture, inputs: Arrays | None = None) -> Frame | None:
    """The frame among the inputs that has the size of the picture; None where there is none."""
    import numpy as np

    height, width = one.view(trial.ours[one.name]).shape[:2]
    found = trial.inputs if inputs is None else inputs
    if height % 2 or width % 2:
        return None
    for array in found.values():
        if array.dtype == np.uint8 and array.size == height * width * 3 // 2 and array.ndim <= 3:
            flat = array.reshape(-1)
            return Frame(luma=flat[: height * width].reshape(height, width), chroma=flat[height * width :])
    planes = [array for array in found.values() if array.dtype == np.uint8 and 2 <= array.ndim <= 3]
    luma = [one for one in planes if one.shape[:2] == (height, width) and one.size == height * width]
    chroma = [one for one in planes if one.size * 4 == height * width or one.size * 2 == height * width]
    if len(luma) != 1 or sum(one.size for one in chroma) * 2 != height * width:
        return None
    return Frame(luma=luma[0].reshape(height, width), chroma=np.concatenate([one.reshape(-1) for one in chroma]))


def planes(frame: Frame, layout: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """U and V, each [h / 2, w / 2], of what follows luma."""
    height, width = frame.luma.shape
    if layout in ("NV12", "NV21"):
        pairs = frame.chroma.reshape(height // 2, width // 2, 2)
        first, second = pairs[..., 0], pairs[..., 1]
    else:
        half = frame.chroma.size // 2
        first = frame.chroma[:half].reshape(height // 2, width // 2)
        second = frame.chroma[half:].reshape(height // 2, width // 2)
    return (second, first) if layout in ("NV21", "YV12") else (first, second)


def filled(plane: numpy.ndarray, way: str) -> numpy.ndarray:
    """A plane at twice its size: repeated, or between neighbours (3:1 in the middle, or 1:1 where sited left)."""
    import numpy as np

    if way == "nearest":
        return plane.repeat(2, 0).repeat(2, 1).astype(float)
    return twice(twice(plane.astype(float), False).T, way.endswith("left")).T if plane.size else np.zeros((0, 0))


def twice(plane: numpy.ndarray, left: bool) -> numpy.ndarray:
    """The first axis at twice its length."""
    import numpy as np

    before, after = np.concatenate([plane[:1], plane[:-1]]), np.concatenate([plane[1:], plane[-1:]])
    made = np.empty((2 * len(plane), *plane.shape[1:]))
    made[::2] = plane if left else 0.75 * plane + 0.25 * before
    made[1::2] = 0.5 * (plane + after) if left else 0.75 * plane + 0.25 * after
    return made


def yuv(frame: Frame, layout: str, way: str) -> numpy.ndarray:
    """[h, w, 3] floats."""
    import numpy as np

    u, v = planes(frame, layout)
    return np.stack([frame.luma.astype(float), filled(u, way), filled(v, way)], -1)


def read(frame: Frame, picture: numpy.ndarray) -> tuple[Decoding, tuple[int, ...]] | None:
    """How a picture [h, w, 3] was made of the frame, and the order of its channels; None where that is not seen."""

    target = picture.reshape(-1, 3).astype(float)
    total = float(((target - target.mean(0)) ** 2).sum())
    if total <= 0:
        return None
    scores = {}
    for layout in LAYOUTS:
        for way in FILTERS:
            source = yuv(frame, layout, way).reshape(-1, 3)
            scores[layout, way] = named(source, target)
    layout, way = min(scores, key=lambda key: scores[key][0])
    left, matrix, range, order = scores[layout, way]
    return (Decoding(layout=layout, filter=way, matrix=matrix, range=range), order) if left < FITS * total else None


def named(source: numpy.ndarray, target: numpy.ndarray) -> tuple[float, str, str, tuple[int, ...]]:
    """The matrix, range and order of channels that leave least, each with the best factor and offset by channel."""
    import numpy as np

    step = max(1, len(source) // 4000) | 1  # odd, so that no column is met again and again
    x, y = source[::step], target[::step]
    found = []
    for matrix in WEIGHTS:
        for range in RANGES:
            m, o = to_rgb(matrix, range)
            rgb = np.clip(x @ m + o, 0, 255)
            gram = correlate(rgb, y)
            order = max(permutations((0, 1, 2)), key=lambda p: sum(gram[p[c], c] for c in (0, 1, 2)))
            left = sum(remains(rgb[:, order[c]], y[:, c]) for c in (0, 1, 2))
            found.append((left * len(source) / len(x), matrix, range, order))
    return min(found, key=lambda one: one[0])


def correlate(x: numpy.ndarray, y: numpy.ndarray) -> numpy.ndarray:
    """The correlation of each column of one with each of the other."""
    import numpy as np

    a, b = x - x.mean(0), y - y.mean(0)
    made: numpy.ndarray = (a.T @ b) / np.maximum(np.outer(np.linalg.norm(a, axis=0), np.linalg.norm(b, axis=0)), 1e-12)
    return made


def remains(x: numpy.ndarray, y: numpy.ndarray) -> float:
    """The squares that the best line leaves."""
    a, b = x - x.mean(), y - y.mean()
    spread = float(a @ a)
    return float(b @ b) - (float(a @ b) ** 2 / spread if spread > 0 else 0.0)


def decoded(trial: Trial, one: Picture) -> Iterator[Hypothesis]:
    """Our decoding with one field, or two, as the device's."""
    frame = frames(trial, one)
    device = trial.device.get(one.name)
    if frame is None or device is None or device.shape != trial.ours[one.name].shape:
        return
    ours, theirs = read(frame, one.view(trial.ours[one.name])), read(frame, one.view(device))
    if ours is None:
        return
    order = ours[1]
    changes = list(differences(ours[0], theirs[0])) if theirs else []
    tried = [(change,) for change in changes] + [(a, b) for i, a in enumerate(changes) for b in changes[i + 1 :]]
    for fields in tried:
        other = replace(ours[0], **dict(fields))
        ids = tuple(cause(name, getattr(ours[0], name), value) for name, value in fields)
        yield Hypothesis(
            id=ids[0],
            also=ids[1:],
            say=f"the device decodes the frame as {said(other)}; ours is {said(ours[0])}",
            on="stage",
            apply=redecoded(one, ours[0], other, order),
            ours=code(other),
            device=code(ours[0]),
            parameters=dict(fields),
            cost=float(len(fields)),
        )


def differences(ours: Decoding, device: Decoding) -> Iterator[tuple[str, str]]:
    for name in ("layout", "matrix", "range", "filter"):
        if getattr(ours, name) != getattr(device, name):
            yield name, getattr(device, name)


def cause(field: str, ours: str, device: str) -> str:
    if field == "layout":
        return "uv-swapped" if {ours, device} in ({"NV12", "NV21"}, {"I420", "YV12"}) else "yuv-layout"
    return {"matrix": "yuv-matrix", "range": "yuv-range", "filter": "chroma-upsampling"}[field]


def said(one: Decoding) -> str:
    return f"{one.layout}, {one.matrix}, {one.range} range, chroma {one.filter}"


def code(one: Decoding) -> str:
    return f"rgb = from_{one.layout.lower()}(frame, matrix={one.matrix!r}, range={one.range!r}, chroma={one.filter!r})"


def redecoded(
    one: Picture, ours: Decoding, other: Decoding, order: tuple[int, ...]
) -> Callable[[Trial, Arrays], Arrays]:
    """Our picture, moved by what the other decoding changes."""

    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        frame = frames(trial, one, arrays)
        if frame is None:
            raise ValueError("no YUV frame of the picture's size")
        array = trial.ours[one.name]
        black, white = levels(trial, one, array)
        pixels = rgb(frame, other)[..., list(order)]
        made = pixels / 255 * (white - black) + black
        put = one.changed(array.astype(float), lambda x: np.broadcast_to(made, x.shape))
        return {**trial.ours, one.name: cast(put, array)}

    return apply


def rgb(frame: Frame, one: Decoding) -> numpy.ndarray:
    """[h, w, 3] from 0 to 255, rounded."""
    import numpy as np

    m, o = to_rgb(one.matrix, one.range)
    made: numpy.ndarray = np.clip(np.rint(yuv(frame, one.layout, one.filter) @ m + o), 0, 255)
    return made


def alike(turn: numpy.ndarray, seen: numpy.ndarray) -> bool:
    """A change of colours is about what was seen, whatever the scale; what is cut off moves what is seen a little."""
    import numpy as np

    turn = turn / np.linalg.norm(turn, 1, axis=0).mean()
    seen = seen / np.linalg.norm(seen, 1, axis=0).mean()
    return bool(np.linalg.norm(turn - seen) < 0.6 * np.linalg.norm(turn - np.eye(3)) + 0.05)


def before(trial: Trial, seen: numpy.ndarray) -> Iterator[Hypothesis]:
    """The same on the picture that goes in, so that what is put around it keeps its colour."""
    for one in pictures(trial, trial.inputs):
        if one.view(trial.inputs[one.name]).shape[-1] == 3:
            yield from (found for found, turn in recoloured(one, "input") if alike(turn, seen))


def recoloured(one: Picture, on: On = "output") -> Iterator[tuple[Hypothesis, numpy.ndarray]]:
    """RGB that was made with one matrix where it should have been another: on the pixels themselves.

    Each with the matrix by which the colours, as rows, are changed.
    """
    import numpy as np

    kinds = [(matrix, range) for matrix in WEIGHTS for range in RANGES]
    for ours in kinds:
        for device in kinds:
            ids = [name for name, a, b in zip(("yuv-matrix", "yuv-range"), ours, device, strict=True) if a != b]
            if len(ids) != 1 or (ids == ["yuv-range"] and ours[0] != "BT.601"):
                continue
            turn = np.linalg.inv(to_rgb(*ours)[0]) @ to_rgb(*device)[0]
            found = Hypothesis(
                id=ids[0],
                say=f"the device's {one.name} was made from YUV as {' '.join(device)}, ours as {' '.join(ours)} range",
                on=on,
                apply=mixed(one, ours, device, on),
                ours=f"decode the frame as {' '.join(device)} range",
                device=f"decode the frame as {' '.join(ours)} range",
                parameters={"ours": " ".join(ours), "device": " ".join(device)},
                cost=1.2 if "BT.2020" not in (ours[0], device[0]) else 1.6,
            )
            yield found, turn


def cut_off(pixels: numpy.ndarray) -> numpy.ndarray:
    """1 where a channel is at black or white, so that its value before the clipping is not known."""
    import numpy as np

    lost = ((pixels <= 0.002) | (pixels >= 0.998)).any(-1, keepdims=True)
    return np.broadcast_to(lost, pixels.shape).astype(float)


def mixed(one: Picture, ours: tuple[str, str], device: tuple[str, str], on: On) -> Callable[[Trial, Arrays], Arrays]:
    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        m, o = to_rgb(*ours)
        n, p = to_rgb(*device)
        turn = np.linalg.inv(m) @ n

        def change(pixels: numpy.ndarray) -> numpy.ndarray:
            result: numpy.ndarray = np.clip(((pixels * 255 - o) @ turn + p) / 255, 0, 1)
            return result

        array = arrays[one.name]
        if on == "input":
            return {one.name: in_pixels(trial, one, array, change)}
        black, white = levels(trial, one, array)
        lost = one.changed(array.astype(float), lambda x: cut_off((x - black) / (white - black))) > 0
        known: numpy.ndarray = np.ma.array(in_pixels(trial, one, array, change), mask=lost)  # type: ignore[no-untyped-call]
        return {**arrays, one.name: known}

    return apply
