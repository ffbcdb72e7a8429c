"""What a difference looks like: both sides of the tensors that left their tolerance, and what lies between, in small.

Pictures are PNG data URIs, curves and histograms lists of numbers; the page puts them together. Shapes are thinned
out, never averaged, so that a single wrong row stays visible.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Trial
from edgecheck.pipeline import Meaning

if TYPE_CHECKING:
    import numpy

MOST_SIDE = 256  # pixels
MOST_POINTS = 400  # of a curve
BINS = 41


def of(trial: Trial, names: list[str]) -> Iterator[dict[str, Any]]:
    """Of one case of a stage: its inputs, then every tensor of `names` on both sides."""
    for name, value in trial.inputs.items():
        shown = _shown(value, trial.meaning(name))
        if shown:
            yield {"stage": trial.stage, "case": trial.case, "name": name, "role": "input", **shown}
    for name in names:
        ours, device = trial.ours.get(name), trial.device.get(name)
        if ours is not None and device is not None:
            yield {
                "stage": trial.stage,
                "case": trial.case,
                "name": name,
                "role": "output",
                **_both(ours, device, trial.meaning(name)),
            }


def _both(ours: Any, device: Any, meaning: Meaning) -> dict[str, Any]:
    import numpy

    first, second = _shown(ours, meaning), _shown(device, meaning, like=ours)
    made: dict[str, Any] = {"ours": first, "device": second}
    if ours.shape != device.shape or ours.dtype.kind in "OUS":
        return made
    difference = device.astype(numpy.float64) - ours.astype(numpy.float64)
    difference = numpy.where(numpy.isfinite(difference), difference, 0.0)
    flat = _picture_axes(difference, meaning)
    if first and "image" in first and flat is not None:
        made["difference"] = {"image": _png(_heat(numpy.abs(flat).max(-1) if flat.ndim == 3 else numpy.abs(flat)))}
    counts, edges = numpy.histogram(difference, BINS)
    made["histogram"] = {"counts": [int(one) for one in counts], "low": float(edges[0]), "high": float(edges[-1])}
    return made


def _shown(value: Any, meaning: Meaning, like: Any = None) -> dict[str, Any]:
    """A picture, a curve, or the first values of a tensor."""
    import numpy

    if value.dtype.kind in "OUS":
        return {"text": ", ".join(str(one) for one in value.reshape(-1)[:20])}
    flat = _picture_axes(value, meaning)
    if flat is not None:
        low, high = _range(meaning, like if like is not None else value)
        scaled = numpy.clip((flat.astype(numpy.float64) - low) / max(1e-12, high - low), 0, 1)
        pixels = (numpy.nan_to_num(scaled) * 255).astype(numpy.uint8)
        return {"image": _png(pixels if pixels.ndim == 3 else _heat(scaled))}
    row = numpy.nan_to_num(value.reshape(-1).astype(numpy.float64))
    if row.size > 16:
        return {"curve": _curve(row), "low": float(row.min()), "high": float(row.max())}
    return {"text": ", ".join(f"{one:.5g}" for one in row)}


def _range(meaning: Meaning, value: Any) -> tuple[float, float]:
    if meaning.low is not None and meaning.high is not None:
        return meaning.low, meaning.high
    import numpy

    finite = value[numpy.isfinite(value)] if value.dtype.kind == "f" else value
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _picture_axes(value: Any, meaning: Meaning) -> numpy.ndarray | None:
    """(H, W, 3) or (H, W), thinned; None where the tensor is no picture."""
    import numpy

    layout = meaning.layout
    if meaning.kind == "image" and len(layout) == value.ndim:
        while "N" in layout:
            value, layout = value[0], layout.replace("N", "", 1)
        if set(layout) == set("HWC"):
            value = value.transpose(layout.index("H"), layout.index("W"), layout.index("C"))
            value = value[..., :3] if value.shape[-1] >= 3 else numpy.repeat(value[..., :1], 3, axis=-1)
    elif meaning.kind == "mel" and len(layout) == value.ndim:
        while "N" in layout:
            value, layout = value[0], layout.replace("N", "", 1)
        value = value[::1] if layout == "MT" else value.T[::-1]
    else:
        value = numpy.squeeze(value)
        if value.ndim != 2 or min(value.shape) < 8:
            return None
    if value.ndim not in (2, 3):
        return None
    steps = [max(1, -(-size // MOST_SIDE)) for size in value.shape[:2]]
    return numpy.ascontiguousarray(value[:: steps[0], :: steps[1]])


def _curve(row: Any) -> list[float]:
    """Least and largest of every stretch, in turn: peaks stay."""
    import numpy

    if row.size <= MOST_POINTS:
        return [float(f"{one:.5g}") for one in row]
    parts = numpy.array_split(row, MOST_POINTS // 2)
    return [float(f"{one:.5g}") for part in parts for one in (part.min(), part.max())]


def _heat(values: Any) -> Any:
    """(H, W) of any scale to (H, W, 3): dark blue over orange to white."""
    import numpy

    top = float(values.max()) or 1.0
    x = numpy.clip(values / top, 0, 1)[..., None]
    stops = numpy.array([[13, 20, 48], [88, 48, 120], [212, 84, 62], [250, 176, 70], [255, 252, 224]], numpy.float64)
    place = x * (len(stops) - 1)
    index = numpy.minimum(place.astype(int), len(stops) - 2)[..., 0]
    part = place - index[..., None]
    return (stops[index] * (1 - part) + stops[index + 1] * part).astype(numpy.uint8)


def _png(pixels: Any) -> str:
    """(H, W, 3) uint8 as a data URI."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + pixels[y].tobytes() for y in range(height))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 6)),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode("ascii")
