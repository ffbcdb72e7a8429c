"""A stage that turns one picture into another, read from its two ends: orientation, framing, kernel, colours.

The spatial part of such a stage is linear and separable, and what it does to colours is (but for a tone curve) one
small matrix: so for each framing and kernel of the trade the matrix that fits best is solved for, and what is left
tells how well framing and kernel fit, whatever the channels and the normalisation are. A few rows and columns of the
target are enough for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgecheck.golden.causes.framing import Fit, Framing, distinct, plain, usual
from edgecheck.golden.causes.geometry import UPRIGHT, turned
from edgecheck.golden.causes.resampling import KERNELS, Kernel, resize, resize_bytes

if TYPE_CHECKING:
    import numpy

COARSE = 24  # rows and columns that are looked at to find the framing
FINE = 48  # and to find the kernel
POOR = 0.2  # of the target's variance; where more is left, the stage is not of this kind
TURN = 0.5  # another way round has to leave less than this share of what the upright picture leaves
NEARLY = 0.003  # what a framing and kernel leave besides a tone curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a stage does to a picture: target = resampled source @ matrix + offset; `pad` is the target's own values.

    `left`: the share of the target's variance that this does not explain.
    """

    orientation: int
    fit: Fit
    kernel: str
    rounding: str  # "" floats throughout, "bytes" rounded after the resize, "library" as its library does on bytes
    matrix: numpy.ndarray  # [source channels, target channels]
    offset: numpy.ndarray
    pad: numpy.ndarray | None
    left: float
    raw: float  # the same on a few rows and columns, without the rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A target and a source, and which rows and columns of the target are looked at."""

    source: numpy.ndarray  # [H, W, C], turned upright
    target: numpy.ndarray  # [h, w, c]
    rows: numpy.ndarray
    columns: numpy.ndarray

    @property
    def sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        source, target = self.source.shape, self.target.shape
        return (source[0], source[1]), (target[0], target[1])


def some(length: int, count: int) -> numpy.ndarray:
    """Indices: the borders, and evenly between, off the beat so that no period is met."""
    import numpy as np

    if length <= count:
        return np.arange(length)
    inner = np.linspace(0, length - 1, count - 4)
    beat = np.clip(np.rint(inner + np.sin(np.arange(count - 4) * 2.4)), 0, length - 1)
    return np.unique(np.concatenate([beat, [0, 1, length - 2, length - 1]]).astype(np.int64))


def view(source: numpy.ndarray, target: numpy.ndarray, count: int, orientation: int = 1) -> View:
    return View(
        source=turned(source, orientation),
        target=target,
        rows=some(target.shape[0], count),
        columns=some(target.shape[1], count),
    )


def read(source: numpy.ndarray, target: numpy.ndarray, like: Reading | None = None) -> Reading | None:
    """How the target [h, w, c] was made of the source [H, W, C]; None where that is not seen.

    Of readings that fit about as well, the one that is most `like` another is taken.
    """
    import numpy as np

    if min(*source.shape[:2], *target.shape[:2]) < 8 or not np.isfinite(target).all() or np.ptp(target) == 0:
        return None
    target = target.astype(np.float64)
    if like is not None and (kept := as_before(source, target, like)) is not None:
        return kept
    source = np.ascontiguousarray(source) if is_bytes(source) else source.astype(np.float32)
    orientation = which_way(source, target, like)
    framing = frames(view(source, target, COARSE, orientation), like)
    if not framing:
        return None
    found = refine(view(source, target, FINE, orientation), framing, like)
    if not found or found[0][2] > POOR:
        return None
    readings = [settled(source, target, orientation, fit, kernel, like) for fit, kernel, _ in found]
    least = min(one.left for one in readings)
    return next(one for one in readings if one.left <= 1.05 * least + 1e-7)


def as_before(source: numpy.ndarray, target: numpy.ndarray, like: Reading) -> Reading | None:
    """Framing, kernel and rounding of another reading, where they leave no more here than there."""
    if left_by(source, target, like) > 1.5 * like.raw + 1e-5:
        return None
    try:
        kept = settled(source, target, like.orientation, like.fit, like.kernel, like)
    except ValueError:
        return None
    return kept if kept.left < 1.3 * like.left + 3e-7 else None


def left_by(source: numpy.ndarray, target: numpy.ndarray, reading: Reading) -> float:
    """What the framing and kernel of a reading leave of another picture."""
    seen = view(source, target, FINE, reading.orientation)
    try:
        return left(seen, reading.fit.frame(*seen.sizes), KERNELS[reading.kernel])
    except ValueError:
        return 9.0


def alike(source: numpy.ndarray, target: numpy.ndarray, reading: Reading, like: Reading | None) -> Iterator[Reading]:
    """Other framings that come to the same here, and then other kernels; those of the other side first."""
    seen = view(source, target.astype(float), FINE, reading.orientation)
    frame = reading.fit.frame(*seen.sizes)
    fits = nearest_first(like)
    same = [one for one in dict.fromkeys(fits) if one != reading.fit and is_framed(one, seen, frame)]
    yield from (replace(reading, fit=one) for one in same)
    for name, kernel in KERNELS.items():
        if name != reading.kernel and left(seen, frame, kernel) <= 1.05 * reading.raw + 2e-6:
            yield from (replace(reading, fit=one, kernel=name) for one in (reading.fit, *same))


def nearest_first(like: Reading | None) -> list[Fit]:
    """The usual framings, those first that have most in common with the other side's."""
    fits = [*([like.fit] if like else []), *usual()]
    if like is None:
        return fits
    fields = ("kind", "ratio", "place", "rounding", "shift", "grow")
    return sorted(fits, key=lambda one: sum(getattr(one, name) != getattr(like.fit, name) for name in fields))


def is_framed(fit: Fit, seen: View, frame: Framing) -> bool:
    try:
        return fit.frame(*seen.sizes) == frame
    except ValueError:
        return False


def which_way(source: numpy.ndarray, target: numpy.ndarray, like: Reading | None) -> int:
    """The orientation, as an EXIF number: upright unless another is far better."""
    first = like.orientation if like else 1
    upright = best_plain(view(source, target, COARSE, first), like)
    if upright < 0.02:
        return first
    others = {one: best_plain(view(source, target, COARSE, one), like) for one in UPRIGHT if one != first}
    best = min(others, key=lambda one: others[one])
    return best if others[best] < TURN * upright else first


def best_plain(seen: View, like: Reading | None) -> float:
    """What the best of a few framings leaves."""
    fits = [like.fit] if like else []
    found = distinct(*seen.sizes, iter([*fits, *plain()]))
    return min((left(seen, one, KERNELS["linear-antialias"]) for one in found), default=9.0)


def frames(seen: View, like: Reading | None, count: int = 6) -> list[Fit]:
    """The framings that fit best, with two kernels to look through."""
    found = distinct(*seen.sizes, iter(nearest_first(like)))
    scores = {fit: left(seen, frame, KERNELS["linear-antialias"]) for frame, fit in found.items()}
    ranked = sorted(scores, key=lambda one: scores[one])
    near = [one for one in ranked if scores[one] < 2.5 * scores[ranked[0]] + 0.01] if ranked else []
    if not near or scores[near[0]] > 2.5 * POOR:
        return []
    return near[:count]


def left(seen: View, frame: Framing, kernel: Kernel, curved: bool = False) -> float:
    """The share of the target's variance that remains after the best colours."""
    fitted = colours(seen, frame, kernel, curved)
    return fitted[0] if fitted else 9.0


def colours(
    seen: View, frame: Framing, kernel: Kernel, curved: bool = False
) -> tuple[float, numpy.ndarray, numpy.ndarray] | None:
    """What remains, and the matrix and offset from source to target; padding is its own mean."""
    import numpy as np

    rows, columns = frame.inside(seen.sizes[1])
    r = seen.rows[(seen.rows >= rows.start) & (seen.rows < rows.stop)]
    c = seen.columns[(seen.columns >= columns.start) & (seen.columns < columns.stop)]
    if len(r) < 4 or len(c) < 4:
        return None
    part = cropped(seen.source, frame)
    made = resize(kernel, part, frame.size, r - frame.offset[0], c - frame.offset[1])
    whole = seen.target[np.ix_(seen.rows, seen.columns)]
    wanted = seen.target[np.ix_(r, c)].reshape(-1, whole.shape[-1])
    total = float(((whole - whole.mean((0, 1))) ** 2).sum())
    if total <= 0:
        return None
    x = np.clip(made.reshape(-1, made.shape[-1]).astype(np.float64), 0, 255) if is_bytes(seen.source) else made
    x = x.reshape(-1, made.shape[-1])
    matrix, offset, remains = solved(x, wanted, curved)
    outside = np.ones(whole.shape[:2], bool)
    outside[np.ix_(np.isin(seen.rows, r), np.isin(seen.columns, c))] = False
    if outside.any():
        beside = whole[outside]
        remains += float(((beside - np.median(beside, axis=0)) ** 2).sum())
    return remains / total, matrix, offset


def is_bytes(array: numpy.ndarray) -> bool:
    return array.dtype.kind == "u" and array.dtype.itemsize == 1


def cropped(source: numpy.ndarray, frame: Framing) -> numpy.ndarray:
    top, left, bottom, right = frame.box
    return source[top:bottom, left:right]


def solved(x: numpy.ndarray, y: numpy.ndarray, curved: bool) -> tuple[numpy.ndarray, numpy.ndarray, float]:
    """Least squares y = x @ matrix + offset, and the squares that remain; `curved`: up to cubes, for these alone."""
    import numpy as np

    spread = float(x.std()) or 1.0
    features = [(x - x.mean(0)) / spread]
    if curved:
        features += [features[0] ** 2, features[0] ** 3]
    wide = np.concatenate([*features, np.ones((len(x), 1))], axis=1)
    gram = wide.T @ wide
    gram[np.diag_indices_from(gram)] += 1e-9 * len(x)
    answer = np.linalg.solve(gram, wide.T @ y)
    remains = float(((wide @ answer - y) ** 2).sum())
    count = x.shape[1]
    matrix = answer[:count] / spread
    return matrix, answer[-1] - x.mean(0) @ matrix, remains


def refine(seen: View, fits: list[Fit], like: Reading | None) -> list[tuple[Fit, str, float]]:
    """Framing and kernel in turn; then the framing moved by a pixel or two, if that helps. The best, and its equals."""
    source, target = seen.sizes
    curved = False
    found = best_kernels(seen, fits[:2], like, curved)
    if found[0][2] > NEARLY and (bent := best_kernels(seen, fits[:2], like, True))[0][2] < 0.5 * found[0][2]:
        curved, found = True, bent
    candidates = distinct(source, target, iter([*([like.fit] if like else []), *fits]))
    scores = {fit: left(seen, frame, KERNELS[found[0][1]], curved) for frame, fit in candidates.items()}
    near = [one for one in sorted(scores, key=lambda one: scores[one])[:3] if one not in fits[:2]]
    if near and scores[near[0]] < 1.5 * found[0][2] + 1e-5:
        found = best_kernels(seen, [found[0][0], near[0]], like, curved)
    moved = shifted(seen, found[0], curved)
    if moved[2] < 0.5 * found[0][2] and found[0][2] > 1e-4:
        found = best_kernels(seen, [moved[0], found[0][0]], like, curved)
    return found


def best_kernels(seen: View, fits: list[Fit], like: Reading | None, curved: bool) -> list[tuple[Fit, str, float]]:
    """Every kernel on every framing: those that are about as good as the best, the other side's first."""
    sizes = seen.sizes
    scores = {
        (fit, name): left(seen, fit.frame(*sizes), kernel, curved) for fit in fits for name, kernel in KERNELS.items()
    }
    least = min(scores.values())
    equal = [key for key, one in scores.items() if one <= 1.3 * least + 1e-5]

    def preference(key: tuple[Fit, str]) -> tuple[bool, bool, float]:
        fit, name = key
        return (like is None or fit != like.fit, like is None or name != like.kernel, scores[key])

    same = sorted(equal, key=preference)[:2]
    best = sorted(equal, key=lambda key: scores[key])[:2]
    return [(fit, name, scores[fit, name]) for fit, name in dict.fromkeys((*same, *best))]


def shifted(seen: View, found: tuple[Fit, str, float], curved: bool) -> tuple[Fit, str, float]:
    """The framing moved and grown pixel by pixel, as long as less and less is left."""
    best = found
    for _ in range(12):
        step = min(
            ((one, best[1], left_or_none(seen, one, best[1], curved)) for one in neighbours(best[0])),
            key=lambda one: one[2],
        )
        if step[2] >= 0.98 * best[2]:
            return best
        best = step
    return best


def left_or_none(seen: View, fit: Fit, kernel: str, curved: bool) -> float:
    try:
        return left(seen, fit.frame(*seen.sizes), KERNELS[kernel], curved)
    except ValueError:
        return 9.0


def neighbours(fit: Fit) -> Iterator[Fit]:
    """One step of a pixel, and of three, in each direction."""
    for step in (1, -1, 3, -3):
        yield replace(fit, shift=(fit.shift[0] + step, fit.shift[1]))
        yield replace(fit, shift=(fit.shift[0], fit.shift[1] + step))
        yield replace(fit, shift=(fit.shift[0] + step, fit.shift[1] + step))
    for step in (1, -1):
        yield replace(fit, grow=(fit.grow[0] + step, fit.grow[1]))
        yield replace(fit, grow=(fit.grow[0], fit.grow[1] + step))
        yield replace(fit, grow=(fit.grow[0] + step, fit.grow[1] + step))


def settled(
    source: numpy.ndarray, target: numpy.ndarray, orientation: int, fit: Fit, kernel: str, like: Reading | None
) -> Reading:
    """Colours, padding and rounding from the whole target."""
    import numpy as np

    upright = turned(source, orientation)
    size = (target.shape[0], target.shape[1])
    frame = fit.frame((upright.shape[0], upright.shape[1]), size)
    rows, columns = frame.inside(size)
    wanted = target[rows, columns].reshape(-1, target.shape[-1])
    outside = np.ones(size, bool)
    outside[rows, columns] = False
    pad = np.median(target[outside], axis=0) if outside.any() else None
    total = float(((target - target.mean((0, 1))) ** 2).sum())
    best = None
    for way in ("", "bytes", "library") if is_bytes(source) else ("",):
        made = resampled(upright, frame, size, kernel, way)
        matrix, offset, remains = solved(made.reshape(-1, made.shape[-1]), wanted, False)
        first = like is not None and like.rounding == way
        if best is None or remains * (0.9 if first else 1.0) < 0.95 * best[0]:
            best = (remains, way, matrix, offset)
    assert best is not None
    return Reading(
        orientation=orientation, fit=fit, kernel=kernel, rounding=best[1], matrix=best[2], offset=best[3],
        pad=pad, left=best[0] / total, raw=left(view(source, target, FINE, orientation), frame, KERNELS[kernel]),
    )  # fmt: skip


def resampled(
    upright: numpy.ndarray, frame: Framing, target: tuple[int, int], kernel: str, rounding: str
) -> numpy.ndarray:
    """The picture inside the frame, before its colours: [rows, columns, C] float64."""
    import numpy as np

    rows, columns = frame.inside(target)
    part = cropped(upright, frame)
    r = np.arange(rows.start, rows.stop) - frame.offset[0]
    c = np.arange(columns.start, columns.stop) - frame.offset[1]
    if rounding == "library" and (KERNELS[kernel].antialias or kernel == "linear"):
        result: numpy.ndarray = resize_bytes(KERNELS[kernel], part, frame.size)[np.ix_(r, c)].astype(np.float64)
        return result
    made = resize(KERNELS[kernel], part, frame.size, r, c).astype(np.float64)
    return np.clip(np.rint(made), 0, 255) if rounding else made


def drawn(reading: Reading, source: numpy.ndarray, target: tuple[int, int]) -> numpy.ndarray:
    """What a stage that was read so makes of a source: [h, w, c] float64."""
    import numpy as np

    upright = turned(source, reading.orientation)
    frame = reading.fit.frame((upright.shape[0], upright.shape[1]), target)
    rows, columns = frame.inside(target)
    made = resampled(upright, frame, target, reading.kernel, reading.rounding) @ reading.matrix + reading.offset
    if made.shape[:2] == target:
        result: numpy.ndarray = made
        return result
    if reading.pad is None:
        raise ValueError("the padding is not known")
    whole = np.broadcast_to(reading.pad, (*target, made.shape[-1])).copy()
    whole[rows, columns] = made
    return whole
