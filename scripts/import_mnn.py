"""Write the generated half of op_tables/targets/mnn.toml: the ONNX operators that MNN's converter has a converter for.

    python scripts/import_mnn.py CHECKOUT [--check]

CHECKOUT is alibaba/MNN at the commit the table names. Two registries are read below tools/converter/source: what becomes
one MNN operator (`onnx/`, REGISTER_CONVERTER), and what is rewritten first (`optimizer/onnxextra/`, insert).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from two_halves import entry, run

SOURCE = "tools/converter/source"
_DIRECT = re.compile(r"^REGISTER_CONVERTER\(\w+, *(\w+)\)", re.MULTILINE)
_REWRITTEN = re.compile(r'OnnxExtraManager::get\(\)->insert\("(\w+)"')
#: The engine's own drawing operators. Other names that are not of ONNX stay: some exporters write them (tf2onnx: Erfc).
DRAWING = {"raster_grad", "texture", "texture_mipmap"}
#: Operators of the domain com.microsoft under the same name: the converter looks only at the name.
CONTRIB = ("Gelu", "GridSample", "Pad", "Range", "Trilu", "Unique", "QuantizeLinear", "DequantizeLinear")


def half(checkout: Path) -> Iterator[str]:
    """One entry for each operator of either registry."""
    found: dict[str, str] = {}
    for folder, pattern in (("optimizer/onnxextra", _REWRITTEN), ("onnx", _DIRECT)):
        for path in sorted((checkout / SOURCE / folder).glob("*.cpp")):
            text = path.read_text()
            for one in pattern.finditer(text):
                line = text.count("\n", 0, one.start()) + 1
                found[one[1]] = f"converter:{folder}/{path.name}:{line}"
    for op, place in sorted(found.items()):
        if op in DRAWING:
            continue
        yield entry(op, place)
    for op in CONTRIB:
        yield entry(f"com.microsoft::{op}", found[op], "converter:onnx/onnxConverter.cpp:128")


def main() -> int:
    return run("import_mnn.py", "alibaba/MNN", {"mnn": half}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
