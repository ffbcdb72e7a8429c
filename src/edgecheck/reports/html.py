"""The report as one page: no script, no network, opens from a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from edgecheck import __version__
from edgecheck.findings import Finding
from edgecheck.golden.compared import ComparedRun
from edgecheck.reports.compared import section
from edgecheck.reports.picture import draw, strip
from edgecheck.reports.words import amount, plural, share, size, work
from edgecheck.results import CheckedModel, CheckedTarget

NAME = "html"

_COLOURS = {
    "good": "supported (islands alternate in shade)",
    "warn": "falls back",
    "bad": "rejected",
    "none": "unknown",
}
_KEY = "".join(f'<span style="background:var(--{colour})"></span>{text}' for colour, text in _COLOURS.items())


def check(
    models: Sequence[CheckedModel], unchecked: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """The whole check as a page."""
    names = ", ".join(one.model.path.name for one in models)
    rest = f"<section><h2>Files not checked</h2>{_findings(unchecked)}</section>" if unchecked else ""
    return page(f"edgecheck: {names}", (*(model_section(one) for one in models), rest))


def compare(
    runs: Sequence[ComparedRun], broken: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """Golden runs held against our side, as a page with pictures."""
    names = ", ".join(one.folder.name for one in runs)
    rest = f"<section><h2>Runs not read</h2>{_findings(broken)}</section>" if broken else ""
    return page(f"edgecheck compare: {names}", (*(section(one) for one in runs), rest))


def page(title: str, sections: Iterable[str]) -> str:
    """A page around sections of HTML."""
    style = Path(__file__).with_name("page.css").read_text("utf-8")
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(title)}</title>"
    body = f"<h1>{escape(title)}</h1><p class=quiet>edgecheck {__version__}</p>{''.join(sections)}"
    return f"<!doctype html><html lang=en>{head}<style>{style}</style><main>{body}</main></html>\n"


def model_section(one: CheckedModel) -> str:
    """One model: what it is, its targets in rows with their partition, findings, graphs, costs."""
    model, cost = one.model, one.cost
    about = f"{work(cost)}, {amount(cost.parameters)} parameters, {size(cost.weight_bytes)} of weights"
    about = f"{model.format}, {plural(model.node_count, 'operator')}, {about}"
    pictures = "".join(_picture(one, target) for target in one.targets)
    return (
        f"<section><h2>{escape(model.path.name)}</h2><p class=quiet>{escape(about)}</p>{_rows(one.targets)}"
        f"<p class='key quiet'>{_KEY}</p>{_findings(one.all_findings)}{pictures}{_costs(one)}</section>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table of ready-made HTML cells; the columns in `numbers` are to the right."""
    kinds = [" class=n" if i in numbers else "" for i in range(len(head))]
    top = "".join(f"<th{kind}>{cell}</th>" for kind, cell in zip(kinds, head))
    body = "".join(f"<tr>{''.join(f'<td{k}>{c}</td>' for k, c in zip(kinds, row))}</tr>" for row in rows)
    return f"<div class=wide><table><tr>{top}</tr>{body}</table></div>"


def _rows(targets: Sequence[CheckedTarget]) -> str:
    counts = ["supported", "fallback", "rejected", "unknown", "MACs", "islands", "crossing"]
    rows = ([escape(one.point.title), *_numbers(one), strip(one)] for one in targets)
    return table(["target", *counts, "operators in the file's order"], rows, numbers=range(1, 8))


def _numbers(one: CheckedTarget) -> list[str]:
    cut = one.partition
    counts = [str(one.count(verdict)) for verdict in ("supported", "fallback", "rejected", "unknown")]
    return [*counts, share(cut.macs_supported), str(cut.islands), size(cut.crossing_bytes)]


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>Every operator is supported on every target asked for.</p>"
    blocks = "".join(_finding(finding) for finding in findings)
    opened = " open" if len(findings) <= 8 else ""
    return f"<details{opened}><summary>{plural(len(findings), 'finding')}</summary>{blocks}</details>"


def _finding(finding: Finding) -> str:
    more = f" ({plural(finding.count, 'node')})" if finding.count > 1 else ""
    lines = [f"<b>{finding.severity}[{finding.rule}]</b> {escape(finding.message)}{more}"]
    if finding.place:
        lines.append(f"<code>{escape(finding.place)}</code>")
    if finding.evidence:
        lines.append(f"<span class=quiet>evidence: {escape('; '.join(finding.evidence))}</span>")
    if finding.help:
        lines.append(f"help: {escape(finding.help)}")
    return f"<div class='finding {finding.severity}'>{'<br>'.join(lines)}</div>"


def _picture(one: CheckedModel, target: CheckedTarget) -> str:
    graphs = "".join(f"<div class=graph>{draw(graph, target)}</div>" for graph in one.model.graphs if graph.nodes)
    return f"<details><summary>the graph on {escape(target.point.title)}</summary>{graphs}</details>"


def _costs(one: CheckedModel) -> str:
    """Where the multiply-accumulates are, and how often each operator stands in the file."""
    macs, counts = one.cost.op_macs, one.cost.ops
    most = max((value or 0 for value in macs.values()), default=0) or 1
    names = sorted(counts, key=lambda op: (-(macs.get(op) or 0), -counts[op], op))
    rows = ([escape(op), str(counts[op]), amount(macs.get(op, 0)), bar((macs.get(op) or 0) / most)] for op in names)
    made = table(["operator", "times", "MACs", "share"], rows, numbers=(1, 2))
    return f"<details><summary>cost by operator</summary>{made}</details>"


def bar(part: float, kind: str = "") -> str:
    """A horizontal bar of a share in [0, 1] of its cell."""
    return f"<svg class=share><rect class='bar {kind}' width='{part * 100:.1f}%' height=12 rx=2 /></svg>"
