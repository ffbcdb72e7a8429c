"""The picture turned or mirrored: flips, quarter turns, the orientation that EXIF asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.pictures import Picture, pictures

if TYPE_CHECKING:
    import numpy

#: What undoes nothing and everything else: (quarter turns counter-clockwise, then mirrored left to right).
#: The key is the EXIF orientation whose picture has to be turned so to stand upright.
UPRIGHT: dict[int, tuple[int, bool]] = {
    1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False),
}  # fmt: skip
WORDS = {
    2: ("flip-horizontal", "mirrored left to right", "np.flip(image, 1)"),
    4: ("flip-vertical", "upside down, mirrored top to bottom", "np.flip(image, 0)"),
    3: ("rotation", "turned by 180°", "np.rot90(image, 2)"),
    6: ("rotation", "turned by 90° clockwise", "np.rot90(image, 3)"),
    8: ("rotation", "turned by 90° counter-clockwise", "np.rot90(image, 1)"),
    5: ("rotation-mirrored", "transposed (turned and mirrored)", "np.swapaxes(image, 0, 1)"),
    7: ("rotation-mirrored", "transposed along the other diagonal", "np.rot90(np.swapaxes(image, 0, 1), 2)"),
}


def turned(pixels: numpy.ndarray, orientation: int) -> numpy.ndarray:
    """[..., height, width, channels] turned as a picture with this EXIF orientation has to be."""
    import numpy as np

    turns, mirrored = UPRIGHT[orientation]
    made = np.rot90(pixels, turns, axes=(-3, -2))
    return np.flip(made, -2) if mirrored else made


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """For pictures that come out, and those that go in."""
    if trial.model:
        return
    exif = next((found for one in trial.inputs.values() if (found := orientation(one)) > 1), 1)
    for one in pictures(trial, trial.ours):
        yield from turns(one, "output", exif)
    if trial.again is not None:
        for one in pictures(trial, trial.inputs):
            yield from turns(one, "input", 1)


def turns(one: Picture, on: str, exif: int) -> Iterator[Hypothesis]:
    """All seven; `exif`: the orientation of the file that was decoded, which names the one that goes with it."""
    for number, (cause, say, line) in WORDS.items():
        by_exif = exif > 1 and number in (exif, INVERSE[exif])
        hint = ": EXIF orientation or the sensor's angle" if cause.startswith("rotation") else ""
        yield Hypothesis(
            id="exif-orientation" if by_exif else cause,
            say=f"the device's {one.name} is {say}"
            + (f": the file's EXIF orientation is {exif}, and one side ignores it" if by_exif else hint),
            on="output" if on == "output" else "input",
            apply=change(one, number, on),
            ours=line.replace("image", one.name),
            device=MEND[INVERSE[number]],
            parameters={"orientation": number},
            group="turn",
            cost=1.0 if on == "output" else 1.1,
        )


INVERSE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
MEND = {
    2: "mirror it back: cv::flip(image, image, 1)",
    4: "flip it back: cv::flip(image, image, 0)",
    3: "cv::rotate(image, image, cv::ROTATE_180)",
    6: "cv::rotate(image, image, cv::ROTATE_90_CLOCKWISE)",
    8: "cv::rotate(image, image, cv::ROTATE_90_COUNTERCLOCKWISE)",
    5: "cv::transpose(image, image)",
    7: "cv::transpose(image, image); cv::rotate(image, image, cv::ROTATE_180)",
}


def change(one: Picture, number: int, on: str) -> Callable[[Trial, Arrays], Arrays]:
    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        made = {one.name: np.ascontiguousarray(one.changed(arrays[one.name], lambda x: turned(x, number)))}
        return {**arrays, **made} if on == "output" else made

    return apply


def orientation(array: numpy.ndarray) -> int:
    """The EXIF orientation in the bytes of a JPEG file, 1 where there is none (EXIF 2.32, section 4.6.4)."""
    if array.ndim != 1 or array.dtype.kind != "u" or array.dtype.itemsize != 1 or array.size < 64:
        return 1
    data = array[:65536].tobytes()
    at = data.find(b"Exif\0\0")
    if data[:2] != b"\xff\xd8" or at < 0:
        return 1
    tiff = data[at + 6 :]
    order = "little" if tiff[:2] == b"II" else "big"

    def number(place: int, size: int) -> int:
        return int.from_bytes(tiff[place : place + size], "little" if order == "little" else "big")

    start = number(4, 4)
    for entry in range(min(number(start, 2), 64)):
        place = start + 2 + 12 * entry
        if number(place, 2) == 0x0112:
            found = number(place + 8, 2)
            return found if found in UPRIGHT else 1
    return 1
