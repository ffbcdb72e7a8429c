"""Write the generated pages of docs/: the command line, the rules, the targets and devices. `--check`: say what is stale."""

from __future__ import annotations

import base64
import gzip
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from edgecheck.cli import HELP, VERBS, ops, parser
from edgecheck.probing import report
from edgecheck.rewrites import onnx, onnx_operators, tflite, tflite_operators
from edgecheck.tables import bundle, devices
from edgecheck.tables.optable import every_limit

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MARK = "<!-- made by scripts/make_docs.py: do not edit -->\n\n"


def command_line() -> str:
    """Every verb's own help, so that page and program cannot disagree."""
    os.environ["COLUMNS"] = "100"
    parts = [
        "# The command line\n\n",
        MARK,
        "```\n",
        HELP.format(verbs="\n".join(f"  {v:<9} {t}" for v, t in VERBS.items())),
        "```\n",
    ]
    for verb in VERBS:
        parts.append(f"\n## edgecheck {verb}\n\n```\n{parser(verb).format_help()}```\n")
    return "".join(parts)


def rules() -> str:
    """All pages of `edgecheck explain`."""
    pages = sorted((ROOT / "src/edgecheck/rules").glob("EC*.md"))
    return (
        "# The rules\n\n"
        + MARK
        + "\n".join(page.read_text("utf-8").replace("\n## ", "\n### ").replace("# EC", "## EC", 1) for page in pages)
    )


def targets() -> str:
    """What each table holds, and the devices that offer it."""
    catalogue = devices.every()
    lines = [
        "# Targets and devices\n\n",
        MARK,
        "| target | format | versions | ops | facts | measured | devices |\n|---|---|---|---:|---:|---:|---|\n",
    ]
    notes = []
    for table in map(bundle.load, bundle.targets()):
        facts = [
            *(limit for _, limit in every_limit(table)),
            *(entry for op in table.ops for entry in table.entries(op)),
        ]
        share = sum(bool(fact.probes) for fact in facts) / max(len(facts), 1)
        versions = f"{table.version_axis} {', '.join(table.versions)}"
        lines.append(
            f"| `{table.id}` | {table.format} | {versions} | {len(table.raw_ops)} | {len(facts)} | {share:.0%} | {len(devices.offering(table.id))} |\n"
        )
        notes.append(
            f"\n## {table.id}: {table.title}\n\n{table.notes}\n\nSources:\n"
            + "".join(
                f"- {table.cite(name)} ({source.get('licence', 'licence unknown')})\n"
                for name, source in table.sources.items()
            )
        )
    return "".join([*lines, *_devices(catalogue), *notes])


def _devices(catalogue: list[devices.Device]) -> Iterator[str]:
    """A table for each kind: what a device is, and what it offers."""
    yield f"\n## The {len(catalogue)} devices\n\n`edgecheck devices DEVICE` says where each of these facts stands.\n"
    for kind in devices.KINDS:
        yield f"\n### {kind}\n\n| device | | chip | targets |\n|---|---|---|---|\n"
        for device in catalogue:
            if device.kind == kind:
                offers = ", ".join(offer.name for offer in device.targets)
                yield f"| `{device.id}` | {device.title} | {device.chip or ''} | {offers} |\n"


def _plain(text: str) -> str:
    """The support browser with its data unpacked: how it was packed is a matter of the zlib that did it."""
    start = text.find('id="data">')
    if start < 0:
        return text
    end = text.index("</script>", start)
    return text[:start] + gzip.decompress(base64.b64decode(text[start + 10 : end])).decode() + text[end:]


def rewrites() -> str:
    """What `edgecheck fix` can do to an operator, format by format."""
    lines = [
        "# Rewrites\n\n",
        MARK,
        "What `edgecheck fix` tries on operators that a target refuses. The tables decide whether a rewrite helps, and running the\n"
        "original and the new file on the same inputs whether it changes nothing; one that does not fit a node leaves it alone.\n",
    ]
    for title, plugin, rules in (("ONNX", onnx, onnx_operators.RULES), ("TFLite", tflite, tflite_operators.RULES)):
        lines.append(f"\n## {title}\n\n| operators | becomes | name |\n|---|---|---|\n")
        rows = [(", ".join(f"`{op}`" for op in ops), says, name) for name, (ops, says, _) in rules.items()]
        others = [("any of them", text, name) for name, text in plugin.SAYS.items() if name not in rules]
        opsets = [name for _, _, name in others if name.startswith("opset-")]
        rows = sorted(rows) + [row for row in others if row[2] not in opsets]
        if opsets:
            rows.append(
                ("any of them", "the same operators in another opset", f"{opsets[-1]} to {opsets[0].split('-')[1]}")
            )
        lines += [f"| {ops} | {says.replace('|', chr(92) + '|')} | {name} |\n" for ops, says, name in rows]
    return "".join(lines)


def agreement() -> str:
    """What the stored evidence says of every table."""
    return report.stored(bundle.targets(), "markdown").replace("# Agreement\n\n", "# Agreement\n\n" + MARK, 1)


def main() -> int:
    """Write, or compare."""
    pages = {"cli.md": command_line(), "rules.md": rules(), "targets.md": targets()}
    pages |= {"agreement.md": agreement(), "rewrites.md": rewrites(), "support.html": ops.browser()}
    made = {DOCS / name: text for name, text in pages.items()}
    stale = [
        path for path, text in made.items() if not path.is_file() or _plain(path.read_text("utf-8")) != _plain(text)
    ]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: make docs", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(made[path], "utf-8")
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
