"""Write the generated half of op_tables/targets/imx8mp-vx.toml: what NXP's fork of the VX delegate has a mapper for.

    python scripts/import_vx_delegate.py CHECKOUT [--check]

CHECKOUT is nxp-imx/tflite-vx-delegate-imx at the commit the table names; `op_map.cc` is read.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from two_halves import entry, run

SCHEMA = Path(__file__).parents[1] / "src/edgecheck/model/formats/tflite_schema.json"
_MAPPER = re.compile(r"REGISTER_OP_MAPPER\(\s*kTfLiteBuiltin(\w+),")
_CUSTOM = re.compile(r'REGISTER_CUSTOM_OP\("([\w-]+)", (\w+)\)')


def half(checkout: Path) -> Iterator[str]:
    """One entry for each mapper."""
    text = (checkout / "op_map.cc").read_text()
    names = {op.replace("_", "").lower(): op for op in json.loads(SCHEMA.read_text())["operators"]}
    found = {names[one[1].lower()]: text.count("\n", 0, one.start(1)) + 1 for one in _MAPPER.finditer(text)}
    for op, line in sorted(found.items()):
        yield entry(op, f"map:{line}")
    for one in _CUSTOM.finditer(text):
        if one[2] != "CustomOpMap":  # whose IsOpSupported refuses every node
            yield entry(one[1], f"map:{text.count(chr(10), 0, one.start()) + 1}")


def main() -> int:
    return run("import_vx_delegate.py", "nxp-imx/tflite-vx-delegate-imx", {"imx8mp-vx": half}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
