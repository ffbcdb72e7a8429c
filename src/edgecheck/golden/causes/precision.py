"""Values that lost bits on the way: float16, bfloat16, integers by rounding or truncation, an overflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.channels import in_pixels
from edgecheck.golden.causes.layout import changed
from edgecheck.golden.causes.pictures import Picture, pictures

if TYPE_CHECKING:
    import numpy


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """For every tensor of floats; and for pictures, the bytes that they were before they were scaled."""
    for name, array in trial.ours.items():
        if array.dtype.kind == "f" and array.size:
            yield from narrowed(name)
            if float(abs(array).max()) > 2:
                yield from whole(name)
    if trial.model:
        return
    for one in pictures(trial, trial.ours):
        if trial.ours[one.name].dtype.kind == "f":
            yield from in_bytes(one)


def narrowed(name: str) -> Iterator[Hypothesis]:
    """Floats of 16 bits."""
    for way, change in {"float16": half, "bfloat16": brain, "bfloat16 (cut off)": brain_cut}.items():
        word = way.partition(" ")[0]
        yield Hypothesis(
            id=word,
            say=f"the device's {name} went through {way}",
            on="output",
            apply=changed(name, change),
            ours=f"{name} = {name}.astype({word!r}).astype('float32')",
            device=f"keep {name} in float32",
            parameters={"type": way},
            cost=1.2,
        )


def half(x: numpy.ndarray) -> numpy.ndarray:
    import numpy as np

    with np.errstate(over="ignore"):
        return x.astype(np.float16).astype(x.dtype)


def brain(x: numpy.ndarray) -> numpy.ndarray:
    """Through bfloat16, to nearest even."""
    import numpy as np

    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return rounded.astype(np.uint32).view(np.float32).astype(x.dtype)


def brain_cut(x: numpy.ndarray) -> numpy.ndarray:
    """Through bfloat16 by leaving the low bits out."""
    import numpy as np

    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return bits.view(np.float32).astype(x.dtype)


def whole(name: str) -> Iterator[Hypothesis]:
    """Integers instead of reals."""
    import numpy as np

    ways: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "rint": ("rounded", np.rint),
        "trunc": ("truncated", np.trunc),
        "floor": ("truncated", np.floor),
    }
    for function, (word, change) in ways.items():
        yield Hypothesis(
            id=word,
            say=f"the device's {name} is {word} to integers",
            on="output",
            apply=changed(name, lambda x, change=change: change(x)),  # type: ignore[misc]
            ours=f"{name} = np.{function}({name})",
            device=f"keep {name} as float",
            parameters={"by": function},
            cost=1.3,
        )


def in_bytes(one: Picture) -> Iterator[Hypothesis]:
    """The pixels were bytes before they were scaled: rounded, truncated, or run over."""
    import numpy as np

    ways: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
        "rint": ("rounded", "rounded to 8 bits, then scaled", lambda x: np.clip(np.rint(x * 255), 0, 255) / 255),
        "trunc": ("truncated", "cut to 8 bits, then scaled", lambda x: np.clip(np.floor(x * 255 + 1e-3), 0, 255) / 255),
        "half": ("rounded", "rounded half up to 8 bits", lambda x: np.clip(np.floor(x * 255 + 0.5), 0, 255) / 255),
    }  # fmt: skip
    for function, (word, say, change) in ways.items():
        yield Hypothesis(
            id=word,
            say=f"the device's {one.name} is {say}",
            on="output",
            apply=pixels_changed(one, change),
            ours="pixels = np.rint(pixels)" if word == "rounded" else "pixels = pixels.astype('uint8')",
            device="keep the resized pixels as float",
            parameters={"by": f"{function} of pixels"},
            cost=1.3,
        )
    yield Hypothesis(
        id="signed-bytes",
        say=f"the device reads the bytes of {one.name} as signed: above 127 they turn negative",
        on="output",
        apply=pixels_changed(one, lambda x: np.where(np.rint(x * 255) > 127, x - 256 / 255, x)),
        ours="pixels = pixels.astype('uint8').view('int8')",
        device="val pixel = byte.toInt() and 0xFF",
        cost=1.3,
    )


def pixels_changed(one: Picture, change: Callable[[numpy.ndarray], numpy.ndarray]) -> Callable[[Trial, Arrays], Arrays]:
    return lambda trial, arrays: {**arrays, one.name: in_pixels(trial, one, arrays[one.name], change)}
