"""A difference in words: how much in the tensor's own units, where it lies, and whether a decision changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecheck.golden.measure import Figures, shape
from edgecheck.pipeline import Meaning

if TYPE_CHECKING:
    import numpy

MOST = 1 << 24  # elements that are looked at for the place of a difference
CONTAINED = 0.98  # of the squared difference that must lie in a part for the part to be named


def units(found: Figures, meaning: Meaning, dtype: str) -> str:
    """The largest difference as a person would say it."""
    if found.problem or found.identical:
        return found.problem
    if dtype in ("string", "object"):
        return f"{found.differing} of {found.count} differ"
    ratio = f", {found.snr_db:.0f} dB" if found.power > 0 else ""
    if not dtype.startswith(("float", "bfloat")):
        return f"{found.max_abs:g} step{'s' if found.max_abs != 1 else ''}, {found.differing} of {found.count} elements"
    if meaning.scale:
        return f"{found.max_abs / meaning.scale:.3g} steps of its quantisation{ratio}"
    if meaning.kind == "image" and meaning.low is not None and meaning.high is not None:
        levels = found.max_abs / max(1e-12, meaning.high - meaning.low) * 255
        return f"{levels:.3g} of 255 levels{ratio}"
    if dtype == "float16":
        return f"{_ulps(found):.3g} ULP of float16{ratio}"
    return f"{found.max_abs:.3g} on a range of {found.range:.3g}{ratio}"


def _ulps(found: Figures) -> float:
    import numpy

    return found.max_abs / float(numpy.spacing(numpy.float16(min(found.range, 65504.0))))


def where(ours: numpy.ndarray, device: numpy.ndarray, meaning: Meaning) -> str:
    """The part that holds nearly all of the difference; empty where it is everywhere."""
    import numpy

    if ours.shape != device.shape or ours.size > MOST or ours.dtype.kind in "OUS" or ours.ndim == 0:
        return ""
    with numpy.errstate(invalid="ignore"):
        square = numpy.nan_to_num((device.astype(numpy.float64) - ours.astype(numpy.float64)) ** 2, posinf=0.0)
    total = float(square.sum())
    if total <= 0:
        return ""
    names = _axes(meaning, ours.ndim)
    for axis in range(ours.ndim):
        said = _along(square, axis, names[axis], total)
        if said:
            return said
    return _border(square, names, total)


def _axes(meaning: Meaning, rank: int) -> list[str]:
    words = {"N": "item", "H": "row", "W": "column", "C": "channel", "T": "step", "M": "mel band"}
    layout = meaning.layout if len(meaning.layout) == rank else ""
    return [words.get(layout[i], f"axis {i}") if layout else f"axis {i}" for i in range(rank)]


def _along(square: Any, axis: int, name: str, total: float) -> str:
    """`channel 0` or `rows 0 to 7`, where few consecutive places along an axis hold nearly everything."""
    import numpy

    size = square.shape[axis]
    if size < 2:
        return ""
    sums = square.sum(axis=tuple(i for i in range(square.ndim) if i != axis))
    held = numpy.flatnonzero(sums > (1 - CONTAINED) * total / size)
    if not len(held):
        return ""
    first, last = int(held[0]), int(held[-1])
    count = last - first + 1
    if count > max(1, size // 4) or float(sums[first : last + 1].sum()) < CONTAINED * total:
        return ""
    return f"{name} {first}" if count == 1 else f"{name}s {first} to {last}"


def _border(square: Any, names: list[str], total: float) -> str:
    if "row" not in names or "column" not in names:
        return ""
    import numpy

    rows, columns = names.index("row"), names.index("column")
    inner = square
    for axis in (rows, columns):
        rim = max(1, square.shape[axis] // 16)
        inner = numpy.take(inner, range(rim, square.shape[axis] - rim), axis=axis)
    return "the border" if float(inner.sum()) < (1 - CONTAINED) * total else ""


def decision(ours: numpy.ndarray, device: numpy.ndarray, meaning: Meaning) -> str:
    """What somebody who acts on the tensor would do otherwise; empty where nothing changes or nothing is known."""
    if meaning.kind in ("logits", "probabilities"):
        return _top(ours, device)
    if meaning.kind in ("labels", "tokens", "text"):
        return _changed(ours, device)
    if meaning.kind == "boxes":
        return _boxes(ours, device, meaning.format or "xyxy")
    return ""


def _top(ours: Any, device: Any) -> str:
    import numpy

    if ours.shape != device.shape or ours.ndim == 0 or ours.shape[-1] < 2 or not ours.size:
        return ""
    a, b = ours.reshape(-1, ours.shape[-1]), device.reshape(-1, ours.shape[-1])
    here, there = a.argmax(-1), b.argmax(-1)
    flips = numpy.flatnonzero(here != there)
    if not len(flips):
        return ""
    i = int(flips[0])
    two = numpy.partition(a[i].astype(numpy.float64), -2)[-2:]
    more = f", {len(flips)} of {len(here)} rows" if len(here) > 1 else ""
    return f"the top class is {int(there[i])} instead of {int(here[i])} (its lead was {two[1] - two[0]:.3g}){more}"


def _changed(ours: Any, device: Any) -> str:
    if ours.shape != device.shape:
        return f"{device.size} instead of {ours.size}"
    pairs = zip(ours.reshape(-1), device.reshape(-1), strict=True)
    wrong = next(((a, b) for a, b in pairs if str(a) != str(b)), None)
    return f"{str(wrong[1])[:40]!r} instead of {str(wrong[0])[:40]!r}" if wrong else ""


def _boxes(ours: Any, device: Any, format: str) -> str:
    """Boxes that have no partner of at least half their area on the other side."""
    import numpy

    if ours.ndim < 2 or device.ndim < 2 or ours.shape[-1] < 4 or device.shape[-1] < 4:
        return "" if ours.shape == device.shape else f"{shape(device)} boxes instead of {shape(ours)}"
    a, b = corners(ours.reshape(-1, ours.shape[-1]), format), corners(device.reshape(-1, device.shape[-1]), format)
    if not len(a) or not len(b):
        return f"{len(b)} boxes instead of {len(a)}" if len(a) != len(b) else ""
    overlap = iou(a, b)
    lost, added = int((overlap.max(1) < 0.5).sum()), int((overlap.max(0) < 0.5).sum())
    if lost or added or len(a) != len(b):
        return f"{len(b)} boxes instead of {len(a)}: {lost} without a partner here, {added} there"
    worst = float(numpy.min(overlap.max(1)))
    return f"the worst box overlaps by {worst:.2f}" if worst < 0.9 else ""


def corners(boxes: Any, format: str) -> Any:
    """xmin, ymin, xmax, ymax of boxes in any of the formats; float64, (n, 4)."""
    import numpy

    b = boxes[:, :4].astype(numpy.float64)
    if format == "yxyx":
        return b[:, [1, 0, 3, 2]]
    if format == "xywh":
        return numpy.concatenate([b[:, :2], b[:, :2] + b[:, 2:]], axis=1)
    if format == "cxcywh":
        return numpy.concatenate([b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2], axis=1)
    return b


def iou(a: Any, b: Any) -> Any:
    """Intersection over union of every pair; (n, 4) and (m, 4) corners give (n, m)."""
    import numpy

    low = numpy.maximum(a[:, None, :2], b[None, :, :2])
    high = numpy.minimum(a[:, None, 2:], b[None, :, 2:])
    both = numpy.clip(high - low, 0, None).prod(-1)
    area = (a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (b[:, 2:] - b[:, :2]).prod(-1)[None]
    return both / numpy.maximum(area - both, 1e-12)
