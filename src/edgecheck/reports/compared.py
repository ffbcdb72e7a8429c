"""A comparison as a page: the ladder of stages, what was found, and how the differing tensors look on both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from edgecheck.findings import Finding
from edgecheck.golden.compared import ComparedRun, Comparison, StageCompared, TensorCompared

_TAG = {"same": "proven", "differs": "failed", "not compared": "partly"}


def section(one: ComparedRun) -> str:
    """One run."""
    compared = one.comparison
    about = f"{compared.pipeline}, against {compared.ours}"
    notes = "".join(f"<p class=quiet>{escape(note)}</p>" for note in compared.notes)
    return (
        f"<section><h2>{escape(compared.device)}</h2><p class=quiet>{escape(about)}</p>{_facts(compared)}{notes}"
        f"{_ladder(compared)}{''.join(map(_finding, one.findings))}{''.join(_pictures(compared))}"
        f"{_monitors(compared)}{_tensors(compared)}</section>"
    )


def _facts(compared: Comparison) -> str:
    """Both sides' model and runtime, where they are known."""
    rows = []
    for side, label in (("device", "device"), ("ours", "here")):
        told = compared.facts.get(side, {})
        words = [
            f"{section}: {', '.join(f'{k} {v}' for k, v in told.get(section, {}).items() if k != 'sha256')}"
            for section in ("device", "model", "runtime")
            if told.get(section)
        ]
        if words:
            rows.append(f"<tr><th>{label}</th><td>{escape('; '.join(words))}</td></tr>")
    return f"<div class=wide><table>{''.join(rows)}</table></div>" if rows else ""


def _ladder(compared: Comparison) -> str:
    head = (
        "<tr><th>stage</th><th>by itself</th><th class=n>cases</th><th class=n>differ</th><th>worst by itself</th>"
        "<th>from the start</th><th>cause</th></tr>"
    )
    rows = "".join(_rung(one, compared.first is one) for one in compared.stages)
    return f"<div class=wide><table class=ladder>{head}{rows}</table></div>"


def _rung(stage: StageCompared, first: bool) -> str:
    tag = f"<span class='tag {_TAG[stage.state]}'>{stage.state}{', first' if first else ''}</span>"
    cause = stage.causes[0].say if stage.causes else stage.reason
    return (
        f"<tr><td><code>{escape(stage.name)}</code></td><td>{tag}</td><td class=n>{stage.cases}</td>"
        f"<td class=n>{stage.differing or ''}</td><td>{escape(_least(stage.tensors))}</td>"
        f"<td>{escape(_least(stage.along))}</td><td>{escape(cause)}</td></tr>"
    )


def _least(tensors: Sequence[TensorCompared]) -> str:
    if not tensors:
        return ""
    worst = max(tensors, key=lambda one: (bool(one.beyond), one.figures.relative))
    return f"{worst.name}: {worst.units or 'equal'}"


def _finding(one: Finding) -> str:
    evidence = f"<p class=quiet>{escape('; '.join(one.evidence))}</p>" if one.evidence else ""
    help = f"<p><b>help</b> {escape(one.help)}</p>" if one.help else ""
    return (
        f"<div class='finding {one.severity}'><b>{one.severity}[{one.rule}]</b> {escape(one.message)}"
        f"<div class=quiet>{escape(one.place or '')}</div>{evidence}{help}</div>"
    )


def _pictures(compared: Comparison) -> Iterator[str]:
    """Stage by stage: what went in, both sides of what came out, the difference and its histogram."""
    stage = ""
    for one in compared.pictures:
        if one["stage"] != stage:
            stage = one["stage"]
            yield f"<h3>{escape(stage)}, case {escape(one['case'])}</h3>"
        if one["role"] == "input":
            yield f"<div class=sides>{_side('input ' + one['name'] + ' (the device’s own)', one)}</div>"
            continue
        sides = [
            _side(f"{one['name']} here", one.get("ours")),
            _side(f"{one['name']} on the device", one.get("device")),
        ]
        sides.append(_side("where they differ", one.get("difference")))
        sides.append(_histogram(one.get("histogram")))
        yield f"<div class=sides>{''.join(sides)}</div>"


def _side(title: str, shown: Mapping[str, Any] | None) -> str:
    if not shown:
        return ""
    caption = f"<figcaption>{escape(title)}</figcaption>"
    if "image" in shown:
        return f"<figure>{caption}<img alt='{escape(title)}' src='{shown['image']}'></figure>"
    if "curve" in shown:
        return f"<figure>{caption}{_curve(shown['curve'], shown['low'], shown['high'])}</figure>"
    return f"<figure>{caption}<code>{escape(str(shown.get('text', '')))}</code></figure>"


def _curve(points: Sequence[float], low: float, high: float) -> str:
    span = (high - low) or 1.0
    last = max(1, len(points) - 1)
    drawn = " ".join(f"{x / last * 320:.1f},{80 - (y - low) / span * 76 - 2:.1f}" for x, y in enumerate(points))
    line = f"<svg class=curve viewBox='0 0 320 80'><polyline points='{drawn}'/></svg>"
    return f"{line}<div class=quiet>{low:.4g} to {high:.4g}</div>"


def _histogram(told: Mapping[str, Any] | None) -> str:
    if not told:
        return ""
    counts = told["counts"]
    most = max(counts) or 1
    width = 320 / len(counts)
    bars = "".join(
        f"<rect x={i * width:.1f} y={80 - height:.1f} width={max(1.0, width - 1):.1f} height={height:.1f}></rect>"
        for i, count in enumerate(counts)
        if (height := 76 * (count / most) ** 0.5) > 0
    )
    return (
        "<figure><figcaption>device minus here (heights by square root)</figcaption>"
        f"<svg class=histogram viewBox='0 0 320 80'>{bars}</svg><div class=quiet>"
        f"{told['low']:.4g} to {told['high']:.4g}</div></figure>"
    )


def _monitors(compared: Comparison) -> str:
    """What tensors are like on both sides, where their values were not held against each other."""
    sides = ("on the device", "here") if compared.replayed else ("in this run", "in the reference")
    rows = "".join(
        f"<tr><td><code>{escape(one.stage)}/{escape(one.name)}</code></td><td>{escape(one.told(*sides))}</td>"
        f"<td>{'<b>drifted</b>' if one.drifted else ''}</td></tr>"
        for one in compared.monitors
    )
    head = "<tr><th>tensor</th><th>what it is like</th><th></th></tr>"
    about = "What tensors are like that were withheld, or are of other cases"
    table = f"<div class=wide><table>{head}{rows}</table></div>"
    return f"<details open><summary>{about}</summary>{table}</details>" if rows else ""


def _tensors(compared: Comparison) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(stage.name)}/{escape(one.name)}</code></td><td>{one.dtype}</td><td>{escape(one.case)}</td>"
        f"<td>{escape(one.units or 'equal')}</td><td>{escape(one.where)}</td>"
        f"<td>{escape('; '.join(one.beyond))}</td></tr>"
        for stage in compared.stages
        for one in stage.tensors
    )
    head = "<tr><th>tensor</th><th>type</th><th>worst case</th><th>difference</th><th>where</th><th>beyond</th></tr>"
    return f"<details><summary>Every tensor</summary><div class=wide><table>{head}{rows}</table></div></details>"
