"""Write the generated half of op_tables/targets/tidl.toml: the operators TI's documentation lists, and how many dimensions.

    python scripts/import_tidl.py CHECKOUT [--check]

CHECKOUT is TexasInstruments/edgeai-tidl-tools at the commit the table names. Of `docs/supported_ops_rts_versions.md` only
facts are taken (operator, line, number of dimensions): its licence allows no copy of its sentences.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from two_halves import entry, run

PAGE = Path("docs/supported_ops_rts_versions.md")
_ROW = re.compile(r"^\| \d+ \| ([\w/]+) \| TIDL_\w+ \|(.*)\|\s*$", re.M)
_DIMENSIONS = re.compile(r"[Nn]umber of non-singleton variable input dimensions[^<]*<= (\d)")
#: Rows that say "not as an operator of its own"; the table's upper half has them.
INSIDE_OTHERS = frozenset({"DropOut", "Erf", "Identity", "ReduceMean"})
NAMES = {"Logistic": ""}  # "Sigmoid/Logistic": ONNX has the first


def half(checkout: Path) -> Iterator[str]:
    text = (checkout / PAGE).read_text()
    onnx = text[: text.index("### Support for fused combinations")]
    found = {}
    for row in _ROW.finditer(onnx):
        for op in row[1].split("/"):
            if NAMES.get(op, op) and op not in INSIDE_OTHERS:
                found[op] = (onnx.count("\n", 0, row.start()) + 1, _DIMENSIONS.search(row[2]))
    for op, (line, dimensions) in sorted(found.items()):
        yield entry(op, f"page:{line}") + (_limit(line, int(dimensions[1])) if dimensions else "")


def _limit(line: int, most: int) -> str:
    """A dimension of 1 does not count; a tensor of few dimensions needs no counting."""
    counted = f"sum([0 if n == 1 else 1 for n in t.shape]) <= {most}"
    return (
        f'[[op.limit]]\nid = "dimensions-{most}"\n'
        f'require = "all(folded(t) or t.rank <= {most} or {counted} for t in inputs)"\n'
        f'otherwise = "fallback"\nsay = "at most {most} dimensions of an input that is no constant may be more than 1"\n'
        f'source = ["page:{line}"]\n'
    )


def main() -> int:
    return run("import_tidl.py", "TexasInstruments/edgeai-tidl-tools", {"tidl": half}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
