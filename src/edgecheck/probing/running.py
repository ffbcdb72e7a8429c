"""Probes to an oracle, its answers beside the table, and into the evidence."""

from __future__ import annotations

import datetime
import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecheck import environments
from edgecheck.oracles import Outcome, onnx_probe
from edgecheck.probing import evidence, making
from edgecheck.probing.asking import Say, Witness, ask_all
from edgecheck.probing.replay import at_point, of_spec
from edgecheck.probing.sides import Bases, questions, sides
from edgecheck.results import TargetPoint

Spec = Mapping[str, Any]
BASES_EACH = 14  # random descriptions of one operator that limits are probed from


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What is asked, and which side of which limit it was made for ("": none)."""

    spec: Spec
    limit: str = ""
    side: str = "base"
    name: str = ""


def operator(spec: Spec, format: str) -> str:
    """The operator's name as tables write it."""
    return onnx_probe.name(spec) if format == "onnx" else str(spec["op"]).removeprefix("CUSTOM:")


def random_probes(format: str, seed: int, count: int, ops: Sequence[str] = ()) -> list[Probe]:
    """Random probes; the same seed gives the same."""
    made = making.random(format, seed, count, ops)
    return [Probe(spec=spec, name=f"s{seed}-{number:04}") for number, spec in enumerate(made)]


def node_tests() -> list[Probe]:
    """onnx's own tests of one operator."""
    return [
        Probe(spec={k: v for k, v in s.items() if k != "test"}, name=s["test"])
        for s in making.random("onnx", 0, 0, node_tests=True)
    ]


def recorded(target: str) -> list[Probe]:
    """What was asked before about the target, at whatever point of its axis."""
    return _probes_of(evidence.of_target(target))


def recorded_at(target: TargetPoint) -> list[Probe]:
    """What was asked before about the target at this point of its axis, with these settings."""
    rows = evidence.of_target(target.table.id)
    return _probes_of(row for row in rows if at_point(row, target.table) == target)


def _probes_of(rows: Iterable[evidence.Row]) -> list[Probe]:
    return [
        Probe(spec=evidence.described(row) or {}, limit=row.get("limit") or "", side=row["side"], name=row["probe"])
        for row in rows
        if evidence.described(row) is not None
    ]


def limit_probes(target: TargetPoint, say: Say, ops: Sequence[str] = ()) -> list[Probe]:
    """For each limit of the table its probes on both sides, from recorded and random bases."""
    table = target.table
    bases: dict[str, list[Spec]] = {}
    for one in (*recorded(table.id), *_random_bases(table.format, say, ops or table.ops)):
        bases.setdefault(operator(one.spec, table.format), []).append(one.spec)
    judged = Bases(target, bases)
    probes: list[Probe] = []
    wanted = [(op, limit) for op, limit in questions(table) if not ops or op in ops]
    for number, (op, limit) in enumerate(wanted):
        if number % 50 == 0:
            say(f"{table.id}: limit {number} of {len(wanted)}, {len(probes)} probes")
        for place, made in enumerate(sides(target, op, limit, judged)):
            probes.append(Probe(spec=made.spec, limit=limit.id, side=made.side, name=f"{op}-{limit.id}-{place}"))
    return probes


def _random_bases(format: str, say: Say, ops: Sequence[str]) -> list[Probe]:
    """A few random probes of each operator, kept in the cache by the maker's source."""
    scripts = sorted((Path(__file__).parents[3] / "scripts").glob(f"*{format}*.py"))
    mark = hashlib.sha256(b"".join(path.read_bytes() for path in scripts)).hexdigest()[:12]
    kept = environments.cache() / "probes" / f"{format}-{mark}.jsonl"
    known = _kept(kept)
    missing = [op for op in ops if op not in known and "::" not in op.removeprefix("ai.onnx.")]
    if missing:
        say(f"random {format} probes of {len(missing)} operators as bases")
        kept.parent.mkdir(parents=True, exist_ok=True)
        made = making.random(format, 90, BASES_EACH * len(missing), missing)
        with kept.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(spec) + "\n" for spec in made)
            file.writelines(json.dumps({"op": op, "none": True}) + "\n" for op in missing)
        known = _kept(kept)
    return [Probe(spec=spec) for op in ops for spec in known.get(op, ()) if "none" not in spec]


def _kept(path: Path) -> dict[str, list[Spec]]:
    known: dict[str, list[Spec]] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        spec = json.loads(line)
        known.setdefault(operator(spec, "onnx" if "domain" in spec or "opset" in spec else "tflite"), []).append(spec)
    return known


def measured(
    witness: Witness, target: TargetPoint, probes: Sequence[Probe], *, jobs: int, seconds: float, say: Say
) -> list[evidence.Row]:
    """One evidence row for each probe that makes a file."""
    format = target.table.format
    with tempfile.TemporaryDirectory() as place:
        paths = making.write([probe.spec for probe in probes], format, Path(place))
        asked = [(probe, path) for probe, path in zip(probes, paths) if path is not None]
        models = [path for _, path in asked]
        found = ask_all(witness, models, target.table.id, settings(target), jobs=jobs, seconds_each=seconds, say=say)
        return [_row(probe, outcome, witness, target) for (probe, _), outcome in zip(asked, found)]


def settings(target: TargetPoint) -> dict[str, Any]:
    """What the oracle is told of the target: its settings, and the point of the axis."""
    return {**target.settings, "version": target.version} if target.version else dict(target.settings)


def _row(probe: Probe, outcome: Outcome, witness: Witness, target: TargetPoint) -> evidence.Row:
    table = target.table
    verdict, reason = answer(outcome, onnx_probe.at(probe.spec) if table.format == "onnx" else 0)
    row: evidence.Row = {
        "target": table.id,
        "op": operator(probe.spec, table.format),
        "limit": probe.limit,
        "side": probe.side,
        "probe": probe.name,
        "verdict": verdict,
        "reason": reason[:120],
        "oracle": witness.name,
        "version": witness.version,
        "date": datetime.date.today().isoformat(),
    }
    if table.versions and at_point(row, table).version != target.version:
        row["at"] = target.version
    defaults = {name: one.default for name, one in table.settings.items() if one.default is not None}
    changed = {name: value for name, value in target.settings.items() if defaults.get(name) != value}
    return {**row, **({"settings": changed} if changed else {}), "spec": probe.spec}


def answer(outcome: Outcome, index: int) -> tuple[str, str]:
    """What the oracle said of one node of the main graph."""
    if outcome.failure is not None:
        return "inconclusive", outcome.failure
    for one in outcome.answers:
        if (one.graph, one.index) == (0, index):
            return one.verdict, one.reason
    return "inconclusive", "the oracle said nothing of this operator"


def worth_keeping(rows: Iterable[evidence.Row], target: TargetPoint, each: int = 2) -> list[evidence.Row]:
    """The rows that evidence is made of: a few of each operator, limit, side and verdict, named by what the table says.

    A probe made for a limit whose oracle does not say what that side must is kept as a plain probe of its operator.
    """
    out = []
    for row in rows:
        if row["verdict"] not in evidence.CONCLUSIVE:
            continue
        ours = of_spec(evidence.described(row) or {}, target)
        if row["limit"]:
            refused = ours.limit == row["limit"] and ours.verdict == row["verdict"]
            confirmed = refused if row["side"] == "outside" else ours.verdict == row["verdict"]
            out.append(row if confirmed else {**row, "limit": "", "side": "base"})
        elif ours.limit and ours.verdict == row["verdict"] != "supported":
            out.append({**row, "limit": ours.limit, "side": "outside"})
        else:
            out.append({**row, "side": "base"})
    return evidence.thinned(out, each)
