"""Numbers and counts as people read them; the cargo-shaped block of one finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgecheck.findings import Finding
from edgecheck.model import cost
from edgecheck.model.cost import Cost

#: Control characters, and what XML cannot hold: a file chooses the names in it, and they reach terminals and CI logs.
_CONTROLS = {
    **{code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))},
    **{ord(sign): f"\\{name}" for sign, name in (("\n", "n"), ("\r", "r"), ("\t", "t"))},
    **{
        code: f"\\u{code:04x}"
        for code in (0x2028, 0x2029, 0xFFFE, 0xFFFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    },
}
_COLOURS = {"error": "31;1", "warning": "33;1", "note": "36;1", "ok": "32", "dim": "2", "bold": "1"}


def line(text: str) -> str:
    """`text` on one line, control characters as escapes."""
    return text.translate(_CONTROLS)


def paint(text: str, name: str, colour: bool) -> str:
    """`text` in one of the colours of the reports, or as it is."""
    return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m" if colour else text


def amount(number: int | None, unit: str = "") -> str:
    """1,234,567 as `1.23 M`; None as `unknown`."""
    if number is None:
        return "unknown"
    for size, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g} {sign}{unit}"
    return f"{number} {unit}".rstrip()


def size(number: int | None) -> str:
    """Bytes in binary units; None as `unknown`."""
    return "unknown" if number is None else cost.size(number)


def share(part: float | None) -> str:
    """A share in per cent, never rounded up to 100 or down to 0."""
    if part is None:
        return "unknown"
    if part in (0.0, 1.0):
        return f"{part:.0%}"
    return f"{min(max(part * 100, 0.1), 99.9):.1f} %".replace(" %", "%")


def plural(count: int, word: str) -> str:
    """`1 island`, `2 islands`."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows as aligned columns, those in `right` to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return [
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def counted(finding: Finding) -> str:
    """How many of what a finding is of: nodes of a model, cases of a golden run."""
    return plural(finding.count, "case" if finding.rule.startswith("EC4") else "node")


def block(finding: Finding, *, colour: bool, verbose: bool = False) -> Iterator[str]:
    """The finding as rustc and cargo would print it."""
    head = paint(f"{finding.severity}[{finding.rule}]", finding.severity, colour)
    more = f"  ({counted(finding)})" if finding.count > 1 else ""
    yield f"{head}: {line(finding.message)}{more}"
    if finding.place:
        where = (
            f"{finding.model} {finding.place}" if finding.model and finding.place != finding.model else finding.place
        )
        yield f"  {paint('-->', 'dim', colour)} {line(where)}" + (
            f" and {finding.count - 1} more" if finding.count > 1 else ""
        )
    shown = finding.evidence if verbose else finding.evidence[:2]
    if shown:
        yield f"  note: evidence {'; '.join(shown)}"
    if finding.help:
        yield f"  help: {line(finding.help)}"


def source_line(finding: Finding) -> tuple[str, int | None]:
    """The user's own file and line, from `… (model.py:23)` at the end of a place; else the model file."""
    inside = (finding.place or "").rpartition("(")[2].rstrip(")")
    file, _, line = inside.rpartition(":")
    return (file, int(line)) if file and line.isdigit() else (finding.model or "", None)


def work(cost: Cost) -> str:
    """`300 M MACs`, with what was assumed where a dimension is dynamic."""
    if cost.macs is not None:
        return f"{amount(cost.macs)} MACs"
    if cost.macs_at_one is not None:
        return f"{amount(cost.macs_at_one)} MACs (dynamic dimensions taken as 1)"
    return f"MACs unknown ({plural(cost.macs_unknown_nodes, 'operator')} cannot be counted)"
