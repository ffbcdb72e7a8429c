"""Write the generated halves of op_tables/targets/k230.toml and k230-tflite.toml from nncase's importers.

    python scripts/import_nncase.py CHECKOUT [--check]

CHECKOUT is kendryte/nncase at the commit the tables name. Read are the switches of `OnnxImporter.cs` and `TFLiteImporter.cs`,
and `docs/onnx_ops.md` and `docs/tflite_ops.md` beside them; where they differ the code wins, and the entry says so.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from two_halves import entry, run

IMPORTER = Path("src/Nncase.Importer")
ONNX_CASE = re.compile(r'^\s+"(\w+)" => Visit', re.M)
TFLITE_CASE = re.compile(r"^\s+tflite\.BuiltinOperator\.(\w+) => Visit", re.M)
ROW = re.compile(r"^\| (\w+)\s*\|\s*(\S+)", re.M)
#: The importer's spelling is not ONNX's, so that its case is never reached.
MISSPELT = {"QLinearMatmul": "QLinearMatMul"}


def _lines(text: str, pattern: re.Pattern[str]) -> dict[str, int]:
    return {one[1]: text.count("\n", 0, one.start(1)) + 1 for one in pattern.finditer(text)}


def _documented(text: str) -> Mapping[str, int]:
    """Operators that the page marks as supported → line."""
    return {one[1]: text.count("\n", 0, one.start()) + 1 for one in ROW.finditer(text) if one[2].startswith("✅")}


def onnx(checkout: Path) -> Iterator[str]:
    cases = _lines((checkout / IMPORTER / "Onnx/OnnxImporter.cs").read_text(), ONNX_CASE)
    page = _documented((checkout / "docs/onnx_ops.md").read_text())
    for op, line in sorted(cases.items()):
        if op not in MISSPELT:
            yield entry(op, f"onnx:{line}", *([f"page:{page[op]}"] if op in page else []))
    for spelt, op in MISSPELT.items():
        say = f"the importer has a case for '{spelt}', which is no operator of ONNX"
        yield entry(op, f"onnx:{cases[spelt]}", verdict="rejected", say=say)
    for op in sorted(set(page) - set(cases) - set(MISSPELT.values())):
        say = "the page lists it as supported, and the importer has no case for it"
        yield entry(op, f"page:{page[op]}", "base:107", verdict="rejected", say=say)


def tflite(checkout: Path) -> Iterator[str]:
    cases = _lines((checkout / IMPORTER / "TFLite/TFLiteImporter.cs").read_text(), TFLITE_CASE)
    page = {op.upper(): line for op, line in _documented((checkout / "docs/tflite_ops.md").read_text()).items()}
    for op, line in sorted(cases.items()):
        yield entry(op, f"tflite:{line}", *([f"page:{page[op]}"] if op in page else []))


def main() -> int:
    return run("import_nncase.py", "kendryte/nncase", {"k230": onnx, "k230-tflite": tflite}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
