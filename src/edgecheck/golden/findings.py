"""A comparison as findings (EC4xx): which stage differs first, by how much, where, why, and what would mend it."""

from __future__ import annotations

from collections.abc import Iterator

from edgecheck.findings import Finding
from edgecheck.golden.causes import Cause
from edgecheck.golden.compared import Comparison, Mismatch, Monitor, StageCompared, TensorCompared
from edgecheck.pipeline import Tolerance

_TELLING = {"missing": "EC403", "extra": "EC403", "renamed": "EC404", "reordered": "EC404"}


def findings(comparison: Comparison) -> Iterator[Finding]:
    """In the order in which a person would want to read them: the first stage that differs comes first."""
    place = comparison.device
    yield from _model(comparison)
    for stage in comparison.stages:
        yield from _stage(stage, comparison)
    yield from _in_the_end(comparison)
    for one in comparison.mismatches:
        yield _mismatch(one, place)
    yield from _drifted(comparison)
    yield from _accumulated(comparison)
    yield from _undecided(comparison)


def _stage(stage: StageCompared, comparison: Comparison) -> Iterator[Finding]:
    if stage.state != "differs":
        return
    worst = [one for one in stage.tensors if one.beyond]
    first = comparison.first
    name = _blamed(stage)
    lead = (
        f"stage {name} is the first that differs"
        if first is stage
        else f"stage {name} differs too{', by itself' if comparison.replayed else ''}"
    )
    told = "; ".join(f"{one.name}: {_amount(one)}" for one in worst)
    cause = stage.causes[0] if stage.causes else None
    why = _why(stage, cause) if comparison.replayed else "Nothing was replayed: it may have been handed that"
    yield Finding(
        rule="EC402", severity="error", model=comparison.device, place=f"stage {stage.name}",
        message=f"{lead}, in {stage.differing} of {stage.cases} cases: {told}. {why}",
        evidence=tuple(_evidence(stage, worst)), help=_help(cause, worst, comparison),
    )  # fmt: skip
    for one in worst:
        if one.decision:
            yield Finding(
                rule="EC406", severity="error", model=comparison.device, place=f"case {one.case}",
                message=f"what the app decides changes at {stage.name}/{one.name}: {one.decision}",
                help="this is what a user sees; the cause is at the first stage that differs",
            )  # fmt: skip


def _in_the_end(comparison: Comparison) -> Iterator[Finding]:
    """What the last stage decides otherwise because of what differs before it."""
    last = next((one for one in reversed(comparison.stages) if one.along), None)
    if comparison.first is None or last is None or last.state == "differs":
        return
    for one in last.along:
        if one.decision:
            yield Finding(
                rule="EC406", severity="error", model=comparison.device, place=f"case {one.case}",
                message=f"what the app decides changes in the end, at {one.stage}/{one.name}: {one.decision}",
                help=f"this is what a user sees of the difference at '{comparison.first.name}'",
            )  # fmt: skip


def _blamed(stage: StageCompared) -> str:
    """The stage, or the stretch that ends in it where the device did not record what lies before."""
    names = [*stage.blamed, stage.name]
    return f"'{stage.name}'" if len(names) == 1 else f"'{names[0]}' to '{stage.name}'"


def _amount(one: TensorCompared) -> str:
    text = one.units or "; ".join(one.beyond)
    return f"{text} ({one.where})" if one.where else text


def _why(stage: StageCompared, cause: Cause | None) -> str:
    if cause is not None:
        return f"Cause: {cause.say} ({_percent(cause.share)} of the difference)"
    nearest = stage.closest
    if nearest is not None and nearest.share > 0.05:
        near = f"the closest is '{nearest.say}', with {_percent(nearest.share)} of the difference"
        return f"No known cause explains it; {near}"
    return "No known cause explains it"


def _percent(share: float) -> str:
    """Never 100 % where something is left."""
    return "all" if share >= 0.99995 else f"{min(99.9, share * 100):.1f} %" if share > 0.99 else f"{share * 100:.0f} %"


def _evidence(stage: StageCompared, worst: list[TensorCompared]) -> Iterator[str]:
    for one in worst:
        yield f"case {one.case}, {stage.name}/{one.name}: {'; '.join(one.beyond)}"
    for other in stage.causes[1:3]:
        yield f"other causes that fit: {other.say} ({_percent(other.share)})"


def _help(cause: Cause | None, worst: list[TensorCompared], comparison: Comparison) -> str:
    lines = []
    if cause is not None and cause.device:
        lines.append(f"on the device: {cause.device}")
    if cause is not None and cause.ours:
        lines.append(f"or here: {cause.ours}")
    passing = [f"{one.name}: {said(one.needed)}" for one in worst if one.needed is not None]
    if passing:
        lines.append(f"the least tolerance that would pass: {', '.join(passing)}")
    return (
        "; ".join(lines) or "record the stage's own input and output, so that it can be told apart from the one before"
    )


def said(tolerance: Tolerance) -> str:
    """`Tolerance(relative=0.001)`, as it is pasted into a pipeline file."""
    named = {
        "absolute": tolerance.absolute, "relative": tolerance.relative, "snr_db": tolerance.snr_db,
        "lsb": tolerance.lsb, "share": tolerance.share,
    }  # fmt: skip
    return f"Tolerance({', '.join(f'{name}={value:g}' for name, value in named.items() if value is not None)})"


def _mismatch(one: Mismatch, place: str) -> Finding:
    return Finding(
        rule=_TELLING.get(one.kind, "EC405"),
        severity="error" if one.kind in ("missing", "transposed", "reshaped") else "warning",
        model=place, place=f"case {one.case}" if one.case else None, message=f"stage '{one.stage}': {one.say}",
        help=_REMEDY[one.kind],
    )  # fmt: skip


_REMEDY = {
    "missing": "record it, or take it out of what the stage returns",
    "extra": "give it in the pipeline's stage, or do not record it",
    "renamed": "use one name on both sides: an app that fetches outputs by name or order breaks at the next export",
    "reordered": "fetch outputs by name on both sides",
    "transposed": "use one layout on both sides; what was compared is the tensor with its axes put in our order",
    "retyped": "convert to one type before it is recorded; what was compared are the values",
    "reshaped": "use one shape on both sides",
}


def _model(comparison: Comparison) -> Iterator[Finding]:
    ours, device = (comparison.facts.get(side, {}).get("model", {}) for side in ("ours", "device"))
    if not comparison.stages or not ours.get("sha256") or not device.get("sha256"):
        return
    if ours["sha256"] != device["sha256"]:
        sides = ("the device", "the pipeline") if comparison.replayed else ("this run", "the reference")
        yield Finding(
            rule="EC407", severity="warning", model=comparison.device,
            message=f"{sides[0]} has another model file ({device.get('name', '?')} {device['sha256'][:12]}) than "
            f"{sides[1]} ({ours.get('name', '?')} {ours['sha256'][:12]})",
            help="replay with the file that was shipped: --model STAGE=FILE; what differs at the model may be meant"
            if comparison.replayed else "what differs at the model may be meant: --allow model",
        )  # fmt: skip


def _drifted(comparison: Comparison) -> Iterator[Finding]:
    """One for each tensor that is not like ours any more, with every measure that says so."""
    drifted: dict[tuple[str, str], list[Monitor]] = {}
    for one in comparison.monitors:
        if one.drifted:
            drifted.setdefault((one.stage, one.name), []).append(one)
    sides = ("on the device", "here") if comparison.replayed else ("in this run", "in the reference")
    for (stage, name), found in drifted.items():
        yield Finding(
            rule="EC409", severity="warning", model=comparison.device, place=f"stage {stage}",
            message=f"'{name}' has drifted: {'; '.join(one.told(*sides) for one in found)}",
            evidence=tuple(_chances(found)), help=_DRIFT_HELP[found[0].paired],
        )  # fmt: skip


_DRIFT_HELP = {
    True: "the same case is not like itself: look at what was done to it before this tensor was recorded",
    False: "look at what changed in the field: light, microphone, users; then record such cases and replay them",
}


def _chances(found: list[Monitor]) -> Iterator[str]:
    for one in found:
        if one.chance is not None:
            yield f"{one.measure}: cases of one kind lie so far apart with a chance of {one.chance:.2g}"


def _accumulated(comparison: Comparison) -> Iterator[Finding]:
    """No stage differs by itself, and the end does: small differences that grow."""
    last = next((one for one in reversed(comparison.stages) if one.along), None)
    if comparison.first is not None or last is None:
        return
    grown = [one for one in last.along if one.beyond]
    if grown:
        yield Finding(
            rule="EC408", severity="warning" if any(one.decision for one in grown) else "note", model=comparison.device,
            message="every stage agrees by itself, and the end differs: "
            + "; ".join(f"{one.name}: {_amount(one)}" for one in grown),
            help="small differences grow on the way: tighten the tolerance of an early stage to see where",
        )  # fmt: skip


def _undecided(comparison: Comparison) -> Iterator[Finding]:
    for stage in comparison.stages:
        if stage.state == "not compared" or (stage.state == "same" and stage.reason):
            yield Finding(
                rule="EC921", severity="note", model=comparison.device, place=f"stage {stage.name}",
                message=f"stage '{stage.name}' could not be {'wholly ' if stage.cases else ''}compared: "
                + (stage.reason or "no case has it"),
                help="record the tensors, or say --allow-unknown where that is meant",
            )  # fmt: skip
