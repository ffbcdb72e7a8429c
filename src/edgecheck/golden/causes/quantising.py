"""Floats made into integers: how ties fall, the zero point, the scale, signed against unsigned, overflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from edgecheck.golden.causes import Arrays, Hypothesis, Trial
from edgecheck.golden.causes.layout import changed

WIDTHS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}


def hypotheses(trial: Trial) -> Iterator[Hypothesis]:
    """Of every tensor of 8 or 16 bits that is not a picture."""
    for name, array in trial.ours.items():
        kind = array.dtype.name
        if kind not in WIDTHS or trial.meaning(name).kind in ("image", "labels", "tokens"):
            continue
        yield from _signs(name, kind)
        yield from _shifted(trial, name, kind)
        meaning = trial.meaning(name)
        source = real(trial, name)
        if source is not None and meaning.scale:
            yield from _roundings(name, source, kind, meaning.scale, meaning.zero_point)
            yield from _scales(trial, name, source, kind, meaning.scale, meaning.zero_point)


def real(trial: Trial, name: str) -> str | None:
    """The stage's input of floats of which the tensor is the integers."""
    shape = trial.ours[name].shape
    fitting = [one for one, value in trial.inputs.items() if value.dtype.kind == "f" and value.shape == shape]
    return fitting[0] if fitting and not trial.model else None


def _made(
    name: str, source: str, kind: str, rounding: Callable[[Any], Any], scale: float, zero: float, *, wrap: bool = False
) -> Callable[[Trial, Arrays], Arrays]:
    def apply(trial: Trial, arrays: Arrays) -> Arrays:
        import numpy as np

        low, high = WIDTHS[kind]
        value = rounding(trial.inputs[source].astype(np.float64) / scale) + zero
        if wrap:
            value = (value - low) % (high - low + 1) + low
        return {**arrays, name: np.clip(value, low, high).astype(kind)}

    return apply


def _roundings(name: str, source: str, kind: str, scale: float, zero: int) -> Iterator[Hypothesis]:
    """Ways to make an integer of a float, and no saturation."""
    import numpy as np

    ways: dict[str, tuple[str, Callable[[Any], Any], float]] = {
        "rint": ("ties to even", np.rint, zero),
        "away": ("ties away from zero", lambda x: np.trunc(x + np.copysign(0.5, x)), zero),
        "up": ("ties upwards", lambda x: np.floor(x + 0.5), zero),
        "trunc": ("towards zero", np.trunc, zero),
        "floor": ("downwards", np.floor, zero),
        "ceil": ("upwards", np.ceil, zero),
        "shifted trunc": ("towards zero after the zero point is added", lambda x: np.trunc(x + zero), 0),
    }
    for way, (say, function, added) in ways.items():
        yield Hypothesis(
            id="quantise-rounding",
            say=f"the device rounds {name} {say}",
            on="output",
            apply=_made(name, source, kind, function, scale, added),
            ours=f"{name} = round_{way.replace(' ', '_')}(x / {scale:.6g})",
            device=f"{name} = round(x / {scale:.6g}) + {zero}",
            parameters={"way": way},
        )
    yield Hypothesis(
        id="overflow-wraps",
        say=f"what is too large for {kind} wraps around in the device's {name}",
        on="output",
        apply=_made(name, source, kind, np.rint, scale, zero, wrap=True),
        ours=f"{name} = round(x / {scale:.6g}).astype('{kind}')",
        device="clamp to the type's range before the cast",
        cost=1.3,
    )


def _scales(trial: Trial, name: str, source: str, kind: str, scale: float, zero: int) -> Iterator[Hypothesis]:
    """Another step: what the device's own integers say, and the classics beside ours."""
    import numpy as np

    device = trial.device.get(name)
    if device is None or device.shape != trial.ours[name].shape or device.dtype.kind not in "iu":
        return
    x, q = trial.inputs[source].astype(np.float64).reshape(-1), device.astype(np.float64).reshape(-1)
    low, high = WIDTHS[kind]
    inside = (q > low) & (q < high)
    if inside.sum() < 8 or np.ptp(x[inside]) == 0:
        return
    slope, offset = np.polyfit(x[inside], q[inside], 1)
    if slope <= 0:
        return
    found, moved = 1 / slope, round(float(offset))
    if abs(found / scale - 1) > 0.002:
        yield _rescaled(name, source, kind, scale, zero, found, zero)
        if moved != zero:
            yield _rescaled(name, source, kind, scale, zero, found, moved)
    for other in (scale * 255 / 256, scale * 256 / 255, scale * 127 / 128, scale * 128 / 127):
        if abs(found / other - 1) < 0.002:
            yield _rescaled(name, source, kind, scale, zero, other, zero)


def _rescaled(name: str, source: str, kind: str, scale: float, zero: int, found: float, moved: int) -> Hypothesis:
    import numpy as np

    both = moved != zero
    say = f"the device quantises {name} with a scale of {found:.6g}, ours is {scale:.6g}"
    return Hypothesis(
        id="quantise-scale",
        say=say + (f", and a zero point of {moved}, ours is {zero}" if both else ""),
        on="output",
        apply=_made(name, source, kind, np.rint, found, moved),
        ours=f"scale={found:.6g}",
        device=f"scale = {scale:.6g}f",
        parameters={"device": found, "ours": scale, "zero_point": moved},
        fit=1 + both,
        cost=1.2,
    )


def _shifted(trial: Trial, name: str, kind: str) -> Iterator[Hypothesis]:
    """Another zero point: every integer is moved by the same number."""
    import numpy as np

    device = trial.device.get(name)
    if device is None or device.shape != trial.ours[name].shape or device.dtype.kind not in "iu" or not device.size:
        return
    low, high = WIDTHS[kind]
    apart = device.astype(np.int64) - trial.ours[name].astype(np.int64)
    inside = (device > low) & (device < high) & (trial.ours[name] > low) & (trial.ours[name] < high)
    if not inside.any():
        return
    values, counts = np.unique(apart[inside], return_counts=True)
    step = int(values[counts.argmax()])
    if step == 0 or counts.max() < 0.5 * inside.sum():
        return
    zero, source = trial.meaning(name).zero_point, real(trial, name)
    scale = trial.meaning(name).scale
    exact = _made(name, source, kind, np.rint, scale, zero + step) if source is not None and scale else None
    plain = changed(name, lambda x: np.clip(x.astype(np.int64) + step, low, high).astype(kind))
    yield Hypothesis(
        id="zero-point",
        say=f"the device's zero point of {name} is {zero + step}, ours is {zero}",
        on="output",
        apply=exact or plain,
        ours=f"zero_point={zero + step}",
        device=f"zeroPoint = {zero}",
        parameters={"device": zero + step, "ours": zero},
        fit=1,
    )


def _signs(name: str, kind: str) -> Iterator[Hypothesis]:
    """The same bits under the other sign, or moved by half the range."""
    import numpy as np

    other = kind.removeprefix("u") if kind.startswith("u") else f"u{kind}"
    half = 1 << (np.dtype(kind).itemsize * 8 - 1)
    unsigned = np.dtype(f"u{kind.removeprefix('u')}")
    step = half if other.startswith("u") else -half
    yield Hypothesis(
        id="signed-unsigned",
        say=f"the device's {name} is {other}, the same steps moved by {step}",
        on="output",
        apply=changed(name, lambda x: (x.astype(np.int64) + step).astype(other)),
        ours=f"{name} = ({name}.astype('int32') + {step}).astype('{other}')",
        device=f"subtract {step} and store as {kind}",
        parameters={"device": other, "ours": kind},
    )
    yield Hypothesis(
        id="signed-unsigned",
        say=f"the device reads the bits of {name} as {other}",
        on="output",
        apply=changed(name, lambda x: np.ascontiguousarray(x).view(other)),
        ours=f"{name} = {name}.view('{other}')",
        device=f"declare {name} as {kind}",
        parameters={"device": other, "ours": kind, "by": "bits"},
        cost=1.1,
    )
    yield Hypothesis(
        id="signed-unsigned",
        say=f"the bits of the device's {name} are flipped in the sign",
        on="output",
        apply=changed(name, lambda x: (np.ascontiguousarray(x).view(unsigned) ^ unsigned.type(half)).view(kind)),
        ours=f"{name} = {name} ^ 0x{half:x}",
        device="do not subtract 128 twice",
        parameters={"by": "sign bit"},
        cost=1.2,
    )
