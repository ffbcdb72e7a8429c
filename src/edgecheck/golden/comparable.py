"""Whether two golden runs measured the same thing: every fact that moves latency is the same, or allowed to differ."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from edgecheck.golden import GoldenRun

#: What must be equal, section by section. The first of each section must also be known.
FACTS = {
    "device": ("model", "kind", "chip", "os"),
    "runtime": ("name", "version", "delegate_asked", "delegate_applied", "precision", "threads"),
    "model": ("sha256", "input", "format"),
    "conditions": ("power", "governor", "thermal_before", "canary"),
}
NEEDED = ("device.model", "runtime.name", "model.sha256")
UNKNOWN = "not recorded"

#: A device that is none: the machine where edgecheck runs, and a stand-in for a device.
HOSTS = ("host", "emulated")

#: Words of Android's and Apple's thermal states, coolest first; equal numbers mean the same.
THERMAL = {
    "nominal": 0, "none": 0, "fair": 1, "light": 1, "moderate": 2, "serious": 3, "severe": 3, "critical": 4,
    "emergency": 5, "shutdown": 6,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One fact that is not the same on both sides, as words."""

    fact: str  # "runtime.threads"
    ours: str
    theirs: str

    def __str__(self) -> str:
        ours, theirs = (one[:12] if self.fact == "model.sha256" else one for one in (self.ours, self.theirs))
        return f"{self.fact}: {ours}, in the reference {theirs}"


def differences(run: GoldenRun, reference: GoldenRun, *, allow: Collection[str] = ()) -> list[Difference]:
    """What differs and must not; `allow` names facts (`runtime.version`) or sections (`model`) that may.

    A fact that one side did not record differs; so does a needed one that neither recorded.
    """
    found = []
    for name in (f"{section}.{key}" for section, keys in FACTS.items() for key in keys):
        ours, theirs = fact(run, name), fact(reference, name)
        lost = ours == theirs == UNKNOWN and name in NEEDED
        if (ours != theirs or lost) and not _allowed(name, allow):
            found.append(Difference(fact=name, ours=ours, theirs=theirs))
    return found


def _allowed(name: str, allow: Collection[str]) -> bool:
    """`model` allows another file, never another input: that is another question."""
    return name in allow or (name != "model.input" and name.partition(".")[0] in allow)


def fact(run: GoldenRun, name: str) -> str:
    """`runtime.threads` of a run as a word, `UNKNOWN` where it was not recorded."""
    section, key = name.split(".")
    value = str(getattr(run, section).get(key, "")).strip()
    if name == "device.kind" and not value:
        return "device"
    if name == "conditions.thermal_before" and value.lower() in THERMAL:
        return next(word for word, rank in THERMAL.items() if rank == THERMAL[value.lower()])
    return value or UNKNOWN


def unrecorded(run: GoldenRun, reference: GoldenRun) -> Iterator[str]:
    """Facts that neither run holds, so that nobody knows whether they differed."""
    for section, keys in FACTS.items():
        for name in (f"{section}.{key}" for key in keys):
            if fact(run, name) == fact(reference, name) == UNKNOWN:
                yield name


def same_device(named: str, run: GoldenRun) -> bool:
    """Whether `pixel-8` is the device of `run`, whose facts may spell it `Pixel 8`."""
    return spelled(named) in {spelled(run.device.get(key, "")) for key in ("id", "model", "name")} - {""}


def spelled(name: str) -> str:
    """`Pixel 8`, `pixel_8` and `pixel-8` are one."""
    return "-".join(name.lower().replace("_", " ").replace("-", " ").split())


def is_host(run: GoldenRun) -> bool:
    """Whether the latency of this run is that of no device: it was taken on the host, or on an emulator."""
    return run.device.get("kind", "device") in HOSTS


def delegate_lost(run: GoldenRun) -> tuple[str, str] | None:
    """(asked, applied) where a run asked for another engine than it got; a missing answer is no answer."""
    asked, applied = (str(run.runtime.get(key, "")).strip() for key in ("delegate_asked", "delegate_applied"))
    plain = ("", "none", "cpu")
    if not asked or asked.lower() == applied.lower() or (asked.lower() in plain and applied.lower() in plain):
        return None
    return asked, applied or UNKNOWN


def throttled(run: GoldenRun) -> tuple[str, str] | None:
    """(before, after) where the device was warmer after the measurement, or in a state whose rank is not known."""
    before, after = (str(run.conditions.get(key, "")).strip() for key in ("thermal_before", "thermal_after"))
    ranks = [THERMAL.get(one.lower()) for one in (before, after)]
    if not before or not after or before.lower() == after.lower():
        return None
    if ranks[0] is not None and ranks[1] is not None and ranks[1] <= ranks[0]:
        return None
    return before, after
