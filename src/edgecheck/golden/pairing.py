"""Which of the device's tensors is which of ours: renamed, transposed, reshaped and retyped ones are found, and said.

A pairing is made on the first case in which both sides are there, and holds for the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any

from edgecheck.golden.compared import Mismatch
from edgecheck.golden.measure import figures, shape

if TYPE_CHECKING:
    import numpy

#: A tensor under another name is taken for ours when it is that near, or the only one of its shape.
NEAR = 0.02
MOST_CROSSED = 12  # tensors of a stage that are held against one another


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """How a device's tensor becomes comparable with ours."""

    name: str  # on the device
    axes: tuple[int, ...] | None = None  # transpose by these
    reshape: bool = False


@dataclass(slots=True)
class Pairing:
    """Of one stage: our name → the device's; and what had to be said about it."""

    pairs: dict[str, Pair] = field(default_factory=dict)
    mismatches: dict[tuple[str, str], Mismatch] = field(default_factory=dict)

    def device_name(self, name: str) -> str:
        found = self.pairs.get(name)
        return found.name if found else name

    def seen(self, name: str, value: numpy.ndarray) -> numpy.ndarray:
        """The device's tensor as ours would lie."""
        found = self.pairs.get(name)
        if found is None:
            return value
        if found.axes is not None and value.ndim == len(found.axes):
            value = value.transpose(found.axes)
        return value


def pair(stage: str, case: str, ours: Mapping[str, Any], device: Mapping[str, Any], known: Pairing) -> None:
    """Add to `known` what this case says about names, shapes and types. Withheld tensors are not in `device`."""
    free = [name for name in device if name not in ours]
    for name, value in ours.items():
        if name in device:
            _same_name(stage, case, name, value, device[name], known)
        elif name not in known.pairs:
            other = _renamed(value, {one: device[one] for one in free})
            if other is not None:
                known.pairs[name] = Pair(name=other)
                free.remove(other)
                _note(known, stage, "renamed", case, name, f"'{name}' is called '{other}' on the device")


def crossed(stage: str, case: str, ours: Mapping[str, Any], device: Mapping[str, Any], known: Pairing) -> None:
    """Add two tensors that lie under each other's names: outputs that were fetched in another order."""
    names = [name for name in ours if name in device and ours[name].dtype.kind in "iuf"]
    if len(names) > MOST_CROSSED:
        return
    for one, other in combinations(names, 2):
        own = _near(ours[one], device[one]) or _near(ours[other], device[other])
        if not own and _near(ours[one], device[other]) and _near(ours[other], device[one]):
            say = f"'{one}' and '{other}' lie under each other's names on the device"
            _note(known, stage, "reordered", case, one, say)


def _near(ours: Any, device: Any) -> bool:
    """As good as equal, and not because nothing is in it."""
    found = figures(ours, device)
    return not found.problem and found.relative <= NEAR and ours.size > 0


def _same_name(stage: str, case: str, name: str, ours: Any, device: Any, known: Pairing) -> None:
    if ours.dtype != device.dtype and ours.dtype.kind not in "OUS":
        _note(known, stage, "retyped", case, name, f"'{name}' is {device.dtype} on the device, {ours.dtype} here")
    if name in known.pairs or ours.shape == device.shape:
        return
    axes = next(_axes(ours, device), None)
    if axes is not None:
        known.pairs[name] = Pair(name=name, axes=axes)
        say = f"'{name}' is {shape(device)} on the device, {shape(ours)} here: its axes are in another order"
        _note(known, stage, "transposed", case, name, say)


def _axes(ours: Any, device: Any) -> Iterator[tuple[int, ...]]:
    """Orders of axes that give our shape, the one that comes nearest first."""
    if ours.ndim != device.ndim or sorted(ours.shape) != sorted(device.shape) or not 2 <= ours.ndim <= 5:
        return
    fitting = [one for one in permutations(range(ours.ndim)) if tuple(device.shape[i] for i in one) == ours.shape]
    # Two axes of one size can be exchanged without anybody noticing by shape: the values decide.
    measured = [(figures(ours, device.transpose(one)).rms, one) for one in fitting]
    yield from (one for _, one in sorted(measured))


def _renamed(ours: Any, device: Mapping[str, Any]) -> str | None:
    """The only tensor that is near, or the only one of this shape and type."""
    alike = {
        name: value
        for name, value in device.items()
        if value.shape == ours.shape and value.dtype.kind == ours.dtype.kind
    }
    near = [name for name, value in alike.items() if figures(ours, value).relative <= NEAR]
    if len(near) == 1:
        return near[0]
    return next(iter(alike)) if len(alike) == 1 else None


def _note(known: Pairing, stage: str, kind: Any, case: str, name: str, say: str) -> None:
    known.mismatches.setdefault((kind, name), Mismatch(stage=stage, kind=kind, say=say, case=case))


def absent(stage: str, case: str, ours: Mapping[str, Any], recorded: set[str], known: Pairing) -> None:
    """Tensors that are on one side only; `recorded` holds the device's names, withheld ones too."""
    taken = {known.device_name(name) for name in ours}
    for name in ours:
        if known.device_name(name) not in recorded:
            _note(known, stage, "missing", case, name, f"'{name}' is not in the recording")
    for name in sorted(recorded - taken):
        if not name.startswith("state."):
            _note(known, stage, "extra", case, name, f"'{name}' is in the recording and our stage does not give it")
