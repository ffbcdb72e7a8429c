"""How well the tables agree with their oracles, in words, JSON and a page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgecheck.probing import evidence, models
from edgecheck.probing.replay import Agreement, compared
from edgecheck.tables import bundle
from edgecheck.tables.optable import Entry, Limit, OpTable, every_limit

MOST_SHOWN = 40


@dataclass(slots=True, kw_only=True)
class Standing:
    """What is known of one target's table."""

    table: OpTable
    facts: Counter[str] = field(default_factory=Counter)  # by the best kind of evidence
    ops_probed: int = 0
    limits: int = 0
    paired: int = 0  # limits with a conclusive probe on both sides
    probes: dict[str, Agreement] = field(default_factory=dict)  # by oracle and version
    models: dict[str, Agreement] = field(default_factory=dict)
    model_count: dict[str, int] = field(default_factory=dict)


def standing(target: str) -> Standing:
    """The stored evidence of a target beside its table."""
    table = bundle.load(target)
    rows = evidence.of_target(target)
    found = Standing(table=table)
    _count_facts(found, rows)
    for name in dict.fromkeys(_oracle(row) for row in rows):
        found.probes[name] = compared((row for row in rows if _oracle(row) == name), table)
    for row in models.stored(target):
        agreement = found.models.setdefault(_oracle(row), Agreement())
        found.model_count[_oracle(row)] = found.model_count.get(_oracle(row), 0) + 1
        _add_stored(row, agreement)
    return found


def _oracle(row: Mapping[str, Any]) -> str:
    at = f" at {row['at']}" if row.get("at") else ""
    return f"{row['oracle']} {row['version']}{at}"


def _add_stored(row: Mapping[str, Any], agreement: Agreement) -> None:
    """The figures that were true when the model was measured; tests hold the verdicts against the table again."""
    agreement.asked += row["asked"]
    agreement.same += row["same"]
    agreement.supported += row["supported"]
    agreement.undecided += row["nodes"] - row["asked"]
    for name in ("unknown", "false_supported", "false_refused", "mixed"):
        getattr(agreement, name).extend(f"{row['model']} {one}" for one in row.get(name, ()))


def _count_facts(found: Standing, rows: Sequence[Mapping[str, Any]]) -> None:
    conclusive = [row for row in rows if row["verdict"] in evidence.CONCLUSIVE]
    probed = {row["op"] for row in conclusive}
    sides: dict[tuple[str, str], set[str]] = {}
    for row in conclusive:
        if row.get("limit"):
            sides.setdefault((row["op"], row["limit"]), set()).add(row["side"])
    found.ops_probed = len(probed & set(found.table.ops))
    for key, limit in {(limit.id, limit.text): limit for _, limit in every_limit(found.table)}.items():
        found.limits += bool(key)
        found.paired += _paired(found.table, limit, sides)
    for _, limit in every_limit(found.table):
        found.facts[kind(limit, found.table)] += 1
    for op in found.table.ops:
        for one in found.table.entries(op):
            found.facts[kind(one, found.table)] += 1


def _paired(table: OpTable, limit: Limit, sides: Mapping[tuple[str, str], set[str]]) -> bool:
    """Whether the limit, on whatever operator that has it, was measured on both sides."""
    # By what it says: with the probes that measured it, the same limit is another object for each operator.
    same = (limit.id, limit.text)
    entries = ((op, entry) for op in table.ops for entry in table.entries(op))
    owners = {op for op, entry in entries if same in ((one.id, one.text) for one in entry.limits)}
    return any(
        name == limit.id and {"inside", "outside"} <= both and (not owners or op in owners)
        for (op, name), both in sides.items()
    )


def kind(fact: Entry | Limit, table: OpTable) -> str:
    """The best evidence of a fact: measured, generated (a package's registry or report), code, documentation."""
    if fact.probes:
        return "measured"
    kinds = [_kind_of(table.sources.get(reference.partition(":")[0], {})) for reference in fact.source]
    return min(kinds, key=("generated", "code", "documentation").index, default="documentation")


def _kind_of(source: Mapping[str, Any]) -> str:
    if source.get("kind"):
        return {"docs": "documentation", "doc": "documentation"}.get(str(source["kind"]), "generated")
    if "command" in source:
        return "generated"
    path = str(source.get("path", ""))
    if path.endswith((".md", ".rst", ".html", ".pdf", ".mdx", ".txt")) or ("url" in source and not path):
        return "documentation"
    return "code"


def one(title: str, agreement: Agreement, format: str) -> str:
    """What one run found."""
    if format == "json":
        return json.dumps({"title": title, **_figures(agreement)}, indent=1)
    lines = [f"{title}: {sentence(agreement)}"]
    for name, sentences in _lists(agreement):
        lines += [f"{name}: {len(sentences)}"] + [f"  {one}" for one in sentences[:MOST_SHOWN]]
        lines += [f"  … and {len(sentences) - MOST_SHOWN} more"] if len(sentences) > MOST_SHOWN else []
    return "\n".join(lines)


def sentence(agreement: Agreement) -> str:
    """`994 of 1000 conclusive answers agree (99.40 %) …`."""
    if not agreement.asked:
        return f"no conclusive answer, {agreement.undecided} inconclusive or invalid"
    yes = agreement.supported / agreement.asked
    share = f"({agreement.share:.2%}; always yes: {yes:.1%})"
    text = f"{agreement.same:,} of {agreement.asked:,} conclusive answers agree {share}"
    explained = f", {agreement.explained} differ as the evidence explains" if agreement.explained else ""
    return f"{text}{explained}, {agreement.undecided} inconclusive or invalid"


def _lists(agreement: Agreement) -> Iterator[tuple[str, list[str]]]:
    named = (
        ("false supported", agreement.false_supported),
        ("false unsupported", agreement.false_refused),
        ("unknown", agreement.unknown),
        ("fallback or rejected, the other way round", agreement.mixed),
        ("explained, and agreeing now", agreement.outdated),
    )
    return ((name, sentences) for name, sentences in named if sentences)


def _figures(agreement: Agreement) -> dict[str, Any]:
    numbers = {"asked": agreement.asked, "same": agreement.same, "supported": agreement.supported}
    numbers |= {"undecided": agreement.undecided, "explained": agreement.explained}
    lists = {"unknown": agreement.unknown, "false_supported": agreement.false_supported}
    return {**numbers, **lists, "false_refused": agreement.false_refused, "mixed": agreement.mixed}


def stored(names: Sequence[str], format: str) -> str:
    """What the stored evidence says of the targets."""
    for name in names:
        bundle.load(name)
    found = [standing(name) for name in names]
    if format == "json":
        return json.dumps([_standing_as_data(one) for one in found], indent=1)
    return page(found) if format == "markdown" else "\n".join(_text(found))


def _standing_as_data(found: Standing) -> dict[str, Any]:
    return {
        "target": found.table.id,
        "ops": len(found.table.ops),
        "ops_probed": found.ops_probed,
        "facts": dict(sorted(found.facts.items())),
        "limits": found.limits,
        "limits_measured_on_both_sides": found.paired,
        "probes": {name: _figures(one) for name, one in found.probes.items()},
        "models": {name: {"models": found.model_count[name], **_figures(one)} for name, one in found.models.items()},
    }


def _text(found: Iterable[Standing]) -> Iterator[str]:
    for one in found:
        facts = ", ".join(f"{count} {name}" for name, count in sorted(one.facts.items()))
        ops = f"{len(one.table.ops)} ops, {one.ops_probed} probed"
        yield f"{one.table.id}: {sum(one.facts.values())} facts ({facts}); {ops}"
        yield f"  limits: {one.paired} of {one.limits} measured on both sides"
        for name, agreement in one.probes.items():
            yield f"  probes, {name}: {sentence(agreement)}"
        for name, agreement in one.models.items():
            yield f"  {one.model_count[name]} real models, {name}: {sentence(agreement)}"
        for agreement in (*one.probes.values(), *one.models.values()):
            for title, sentences in _lists(agreement):
                yield from (f"    {title}: {text}" for text in sentences[:10])
        if not one.probes and not one.models:
            yield "  not measured: no oracle of this target runs here, or none was asked"


def page(found: Sequence[Standing]) -> str:
    """docs/agreement.md."""
    lines = [_INTRODUCTION, _FACTS]
    for one in found:
        kinds = " | ".join(str(one.facts[name]) for name in ("measured", "generated", "code", "documentation"))
        counts = f"{len(one.table.ops)} | {one.ops_probed} | {sum(one.facts.values())}"
        lines.append(f"| `{one.table.id}` | {counts} | {kinds} | {one.limits} | {one.paired} |\n")
    lines += [_HEAD.format(title="Agreement on stored probes", what="probes")]
    lines += [_cells(one.table.id, name, "", a) for one in found for name, a in one.probes.items()]
    lines += [_HEAD.format(title="Agreement on real models, node by node", what="nodes")]
    lines += [
        _cells(one.table.id, name, f" ({one.model_count[name]} models)", a)
        for one in found
        for name, a in one.models.items()
    ]
    lines.append("\n## What differs\n")
    for one in found:
        for name, agreement in (*one.probes.items(), *one.models.items()):
            for title, sentences in _lists(agreement):
                lines.append(f"\n### {one.table.id}, {name}: {title}\n\n")
                lines += [f"- {_escaped(text)}\n" for text in sentences[:MOST_SHOWN]]
                lines += [f"- … and {len(sentences) - MOST_SHOWN} more\n"] if len(sentences) > MOST_SHOWN else []
    return "".join(lines)


_FACTS = """## Facts

| target | ops | probed | facts | measured | generated | code | documentation | limits | both sides |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"""
_INTRODUCTION = """# Agreement

What the tables say beside what real compilers and runtimes did. A probe is a smallest model on one side of a limit; its
stored answer is held against the table by the tests. `Always yes` is the share that a table without a single limit
would get right. *False supported*: the table says yes and the engine no; *false unsupported*: the other way round.
*Explained*: they differ, and the line of evidence says why on purpose (a session that is made and fails when it runs,
a probe that breaks the format). Crashes, time-outs and invalid probes are evidence of nothing and are not counted.

"""
_COLUMNS = "same verdict | always yes | explained | false supported | false unsupported | unknown | other |"
_HEAD = (
    "\n## {title}\n\n| target | oracle | {what} | " + _COLUMNS + "\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
)


def _cells(target: str, name: str, more: str, agreement: Agreement) -> str:
    asked = max(agreement.asked, 1)
    counts = [agreement.false_supported, agreement.false_refused, agreement.unknown, agreement.mixed]
    shares = f"{agreement.share:.2%} | {agreement.supported / asked:.1%} | {agreement.explained}"
    lists = " | ".join(str(len(one)) for one in counts)
    return f"| `{target}` | {name}{more} | {agreement.asked:,} | {shares} | {lists} |\n"


def _escaped(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").replace("_", "\\_").replace("*", "\\*").split())
