"""Write the generated halves of tidl.toml and tidl-tflite.toml: the operators TI's page lists, and how many dimensions.

    python scripts/import_tidl.py CHECKOUT [--check]

CHECKOUT is TexasInstruments/edgeai-tidl-tools at the commit the table names. Of `docs/supported_ops_rts_versions.md` only
facts are taken (operator, line, number of dimensions): its licence allows no copy of its sentences.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from two_halves import entry, run

PAGE = Path("docs/supported_ops_rts_versions.md")
SCHEMA = Path(__file__).parents[1] / "src/edgecheck/model/formats/tflite_schema.json"
_ROW = re.compile(r"^\| \d+ \| ([\w/]+) \| TIDL_\w+ \|(.*)\|\s*$", re.M)
_DIMENSIONS = re.compile(r"[Nn]umber of non-singleton variable input dimensions[^<]*<= (\d)")
#: Rows that say "not as an operator of its own"; the table's upper half has them.
INSIDE_OTHERS = frozenset({"DropOut", "Erf", "Identity", "ReduceMean"})
NAMES = {"Logistic": ""}  # "Sigmoid/Logistic": ONNX has the first


def onnx(checkout: Path) -> Iterator[str]:
    text = (checkout / PAGE).read_text()
    end = text.index("### Support for fused combinations")
    yield from _half(text, 0, end, lambda op: "" if op in INSIDE_OTHERS else NAMES.get(op, op))


def tflite(checkout: Path) -> Iterator[str]:
    text = (checkout / PAGE).read_text()
    names = {op.replace("_", "").lower(): op for op in json.loads(SCHEMA.read_text())["operators"]}
    start = text.index("## Operator Mapping (TFLite)")
    yield from _half(text, start, len(text), lambda op: names[op.lower()])


def _half(text: str, start: int, end: int, name: Callable[[str], str]) -> Iterator[str]:
    found = {}
    for row in _ROW.finditer(text, start, end):
        line = text.count("\n", 0, row.start()) + 1
        for op in filter(None, map(name, row[1].split("/"))):
            found[op] = (line, _DIMENSIONS.search(row[2]))
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
    return run("import_tidl.py", "TexasInstruments/edgeai-tidl-tools", {"tidl": onnx, "tidl-tflite": tflite}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
