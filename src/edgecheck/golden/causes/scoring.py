"""How far a prediction is from what the device gave: squared differences, each tensor on its own scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecheck.golden.causes import Arrays, Trial

if TYPE_CHECKING:
    import numpy

SAMPLE = 120_000  # elements of a tensor that are looked at; a larger one is thinned out evenly
MISMATCH = 2.0  # the energy of a tensor of another shape, or that is missing: as if it were unrelated
QUANTILES = 128
TOLD = 0.4  # a prediction that leaves more open than the rest of this share is judged as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One tensor of the device: its values (a sample of them), and the energy that one unit of difference has."""

    shape: tuple[int, ...]
    values: numpy.ndarray  # float64, or the objects themselves
    stride: int
    scale: float
    text: bool
    sorted: numpy.ndarray  # a few of the finite values


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a prediction explains by itself; and what would be left if its values were scaled, or its places mixed."""

    left: float  # energy that remains
    scaled: float  # energy that remains after the best factor and offset
    mixed: float  # energy between the sorted values


def target(array: Any) -> Target:
    """A tensor of the device, ready to be compared with predictions."""
    import numpy as np

    found = np.asarray(array)
    stride = max(1, found.size // SAMPLE)
    stride += stride > 1 and stride % 2 == 0  # an even step would see one channel or column only
    flat = found.reshape(-1)[::stride]
    if found.dtype.kind in "OUS":
        return Target(shape=found.shape, values=flat, stride=stride, scale=1.0, text=True, sorted=flat[:0])
    values = flat.astype(np.float64)
    real = values[np.isfinite(values)]
    scale = float(real.var()) if real.size else 1.0
    if scale <= 1e-24:
        scale = float(np.mean(real**2)) if real.size and real.any() else 1.0
    few = np.sort(real[:: max(1, real.size // 4000)])
    return Target(shape=found.shape, values=values, stride=stride, scale=max(scale, 1e-24), text=False, sorted=few)


def targets(trial: Trial) -> dict[str, Target]:
    """The device's tensors of a case, by name."""
    return {name: target(array) for name, array in trial.device.items()}


def energy(wanted: dict[str, Target], predicted: Arrays) -> float:
    """The mean squared difference of each tensor over its variance, summed over the tensors."""
    names = wanted.keys() | predicted.keys()
    return sum(_energy(wanted.get(name), predicted.get(name)) for name in sorted(names))


def _energy(wanted: Target | None, predicted: Any) -> float:
    import numpy as np

    values = None if wanted is None or predicted is None else sample(wanted, predicted)
    known = None if values is None or wanted is None else told(wanted, predicted)
    if wanted is None or values is None:
        return MISMATCH
    if not values.size:
        return 0.0
    if wanted.text:
        return MISMATCH * float(np.mean(values != wanted.values))
    with np.errstate(invalid="ignore", over="ignore"):
        apart = values - wanted.values
        squares = apart * apart
    odd = ~np.isfinite(squares)
    if odd.any():
        same = (values == wanted.values) | (np.isnan(values) & np.isnan(wanted.values))
        squares = np.where(odd, np.where(same, 0.0, MISMATCH * wanted.scale), squares)
    if known is not None and known.mean() >= TOLD:
        squares = squares[known]
    return min(float(squares.mean()) / wanted.scale, 1e6)


def sample(wanted: Target, predicted: Any) -> numpy.ndarray | None:
    """The elements of a prediction that the target kept; None where the shapes differ."""
    import numpy as np

    found = np.asarray(predicted)
    if found.shape != wanted.shape or (found.dtype.kind in "OUS") != wanted.text:
        return None
    flat = found.reshape(-1)[:: wanted.stride]
    return flat if wanted.text else flat.astype(np.float64)


def told(wanted: Target, predicted: Any) -> numpy.ndarray | None:
    """Which elements a prediction knows: a masked array leaves open what was lost by clipping."""
    import numpy as np

    if not isinstance(predicted, np.ma.MaskedArray):
        return None
    known: numpy.ndarray = ~np.broadcast_to(predicted.mask, predicted.shape).reshape(-1)[:: wanted.stride]
    return known


def promise(wanted: dict[str, Target], predicted: Arrays) -> Promise:
    """The energy that is left, as it is, after a factor and an offset, and when places do not matter."""
    left = energy(wanted, predicted)
    scaled = mixed = 0.0
    for name, one in wanted.items():
        scaled += _scaled(one, predicted.get(name))
        mixed += _mixed(one, predicted.get(name))
    extra = MISMATCH * len(predicted.keys() - wanted.keys())
    return Promise(left=left, scaled=min(scaled + extra, left), mixed=min(mixed + extra, left))


def _scaled(wanted: Target, predicted: Any) -> float:
    import numpy as np

    values = None if predicted is None else sample(wanted, predicted)
    if values is None:
        return MISMATCH
    if wanted.text or not values.size:
        return _energy(wanted, predicted)
    both = np.isfinite(values) & np.isfinite(wanted.values)
    x, y = values[both], wanted.values[both]
    if x.size < 3:
        return MISMATCH
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    left = float(y @ y) - (float(x @ y) ** 2 / spread if spread > 0 else 0.0)
    return float(max(left, 0.0) / x.size / wanted.scale)


def _mixed(wanted: Target, predicted: Any) -> float:
    """Sorted values are compared, so any shape of as many elements will do."""
    import numpy as np

    found = None if predicted is None else np.asarray(predicted)
    if found is None or found.dtype.kind in "OUS" or wanted.text or not found.size:
        return MISMATCH
    values = found.reshape(-1)[:: max(1, found.size // 4000)].astype(np.float64)
    x, y = np.sort(values[np.isfinite(values)]), wanted.sorted
    if not x.size or not y.size:
        return MISMATCH
    marks = np.linspace(0, 1, QUANTILES)
    apart = x[np.rint(marks * (x.size - 1)).astype(int)] - y[np.rint(marks * (y.size - 1)).astype(int)]
    return float(np.mean(apart**2)) / wanted.scale
