"""Write the generated half of op_tables/targets/esp-dl.toml from ESP-DL's own table of operators and its registry.

    python scripts/import_esp_dl.py CHECKOUT [--check]

CHECKOUT is espressif/esp-dl at the commit the table names; `operator_support_state.md` (operators, precisions,
restrictions; made by the project from tools/ops_test/config/op_cfg.toml) and the registry of
`esp-dl/dl/module/include/dl_module_creator.hpp` are read. A restriction that is not known here stops the import.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from two_halves import entry, run

STATE = Path("operator_support_state.md")
CREATOR = Path("esp-dl/dl/module/include/dl_module_creator.hpp")
PRECISIONS = ("int8", "int16", "float32")
_ROW = re.compile(r"^\| (\w+)\[\(ESP-DL\)\]\S*\s*\|([^|]+)\|([^|]+)\|([^|]+)\|([^|]*)\|$", re.M)
_REGISTERED = re.compile(r'this->register_module\("(\w+)"')

UP_TO_4 = ("rank-4", "all(t.rank <= 4 for t in inputs)", "inputs of at most 4 dimensions")
SPATIAL = ("one-or-two-dimensional", "in[0].rank in 3..4", "one or two spatial dimensions")
UNDILATED = ("no-dilation", "all(d == 1 for d in known(attr.dilations, [1]))", "no dilation")
ANY_ROI = "known(attr.coordinate_transformation_mode, 'half_pixel') != 'tf_crop_and_resize'"
#: A restriction's words → (limit, condition, what it says).
RESTRICTIONS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "": (),
    "Support up to 4D": (UP_TO_4,),
    "Support up to 4D, multidirectional broadcasting": (UP_TO_4,),
    "Support 1d/2d": (SPATIAL,),
    "Support 1d/2d, don't support dilation": (SPATIAL, UNDILATED),
    "Support 1d/2d conv, groups only support 1 or input_channels": (
        SPATIAL,
        ("groups", "known(attr.group, 1) in [1, in[0].shape[1]]", "group must be 1 or the number of input channels"),
    ),
    "support 1d/2d nearest/linear/bilinear, don't support roi and antialias": (
        SPATIAL,
        ("mode", "known(attr.mode, 'nearest') in ['nearest', 'linear']", "nearest or linear"),
        ("no-roi", ANY_ROI, "no region of interest"),
        ("no-antialias", "known(attr.antialias, 0) == 0", "no antialiasing"),
    ),
    "Do not support wrap mode": (
        ("no-wrap", "known(attr.mode, 'constant') in ['constant', 'edge', 'reflect']", "constant, edge or reflect"),
    ),
    "Supports reduction operations: none, add, mul, max, min": (
        ("reduction", "known(attr.reduction, 'none') in ['none', 'add', 'mul', 'max', 'min']", "a known reduction"),
    ),
    "Support up to 4D, multidirectional broadcasting, fmod=1 (C-style). Per ONNX spec fmod=0 is integer-only.": (
        UP_TO_4,
        ("c-style", "known(attr.fmod, 0) == 1", "fmod must be 1: the sign follows the dividend"),
    ),
    "Dtype of output is float32": (),
    "Support ConvTranspose by InsertZeros + Conv": (SPATIAL,),
    "Supports normalization over specified axis with scale and bias": (),
    "Supports normalization over specified axis with scale weight": (),
}


def half(checkout: Path) -> Iterator[str]:
    state, creator = (checkout / STATE).read_text(), (checkout / CREATOR).read_text()
    listed = {}
    for row in _ROW.finditer(state):
        listed[row[1]] = (state.count("\n", 0, row.start()) + 1, [cell.strip() for cell in row.groups()[1:]])
    for op, (line, cells) in sorted(listed.items()):
        yield entry(op, f"state:{line}") + _limits(line, cells)
    for one in _REGISTERED.finditer(creator):
        if one[1] in {"Gelu", "QuantizeLinear", "DequantizeLinear"}:
            line = creator.count("\n", 0, one.start()) + 1
            yield entry(one[1], f"creator:{line}", note="in the registry, and not in the table of operators")


def _limits(line: int, cells: list[str]) -> str:
    missing = [name for name, mark in zip(PRECISIONS, cells[:3]) if mark != "&#10004;"]
    found = [*RESTRICTIONS[cells[3]]]
    if missing:
        able = [name for name in PRECISIONS if name not in missing]
        found.insert(0, ("precision", f"env.precision in {able}", f"only in {' and '.join(able)}"))
    return "".join(
        f'[[op.limit]]\nid = "{name}"\nrequire = "{require}"\notherwise = "rejected"\n'
        f'say = "{say}"\nsource = ["state:{line}"]\n'
        for name, require, say in found
    )


def main() -> int:
    return run("import_esp_dl.py", "espressif/esp-dl", {"esp-dl": half}, __doc__)


if __name__ == "__main__":
    sys.exit(main())
