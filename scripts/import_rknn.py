"""Write op_tables/targets/rknn-rk3588.toml, rknn-rk3566.toml and rknn-rv1103.toml.

    python scripts/import_rknn.py CHECKOUT [--check]

CHECKOUT holds doc/RKNNToolKit2_OP_Support-2.3.2.md of airockchip/rknn-toolkit2 at the commit below. That list says only which
operators the toolkit knows, and is older than the toolkit: what the compiler of rknn-toolkit2 2.5.0 does with each was
measured (oracle `rknn`, op_tables/evidence/rknn-*.jsonl), and stands in rknn_npu.py and rknn_chips.py as rules. Rockchip's licence lets
nobody take the software apart: nothing here comes from its code. Each operator cites the line of the list, where there
is one, and the measurement.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from rknn_chips import CHIPS, CPU, INSTEAD, NEWER, NOT_AWAY, ON_CPU, REFUSED, elsewhere, halved
from rknn_npu import NPU
from rknn_rules import Limit

TABLES = Path(__file__).parents[1] / "op_tables" / "targets"
COMMIT = "59a913d172e7f5ff03c9076e2ec7b1b1288ffd08"
LIST = "doc/RKNNToolKit2_OP_Support-2.3.2.md"
_ROW = re.compile(r"^\| (\w+) +\| ")


AWAY = "computed while the file is loaded: nothing of it is left"
SCALARS = """
[[limit]]
id = "no-scalar-input"
require = "all(t.producer != '' or const(t) or t.rank >= 1 for t in inputs)"
otherwise = "rejected"
say = "an input of rank 0 cannot be calibrated"
source = ["measured:build"]
help = "give the input the shape [1]"

[[limit]]
id = "no-scalar-input-cpu"
of = "fallback"
require = "all(t.producer != '' or const(t) or t.rank >= 1 for t in inputs)"
otherwise = "rejected"
say = "an input of rank 0 cannot be calibrated"
source = ["measured:build"]
help = "give the input the shape [1]"
"""
HEAD = """\
# Made by scripts/import_rknn.py: change its rules, not this file.
[target]
id = "rknn-{chip}"
title = "{title}"
format = "onnx"
version_axis = "rknn-toolkit2"
versions = ["2.5"]
closed_world = true
on_miss = "rejected"
partition = "islands"
notes = "{notes}"

[source.list]
repo = "airockchip/rknn-toolkit2"
commit = "{commit}"
path = "{path}"
licence = "RKNN SDK License (facts only)"
seen = 2026-11-21

[source.measured]
package = "rknn-toolkit2"
version = "2.5.0"
command = "build(verbose=True), target_platform={chip}"
licence = "RKNN SDK License (verdicts only)"
seen = 2026-11-21

[[limit]]
id = "opset-19"
require = "not exists(env.file_opset) or env.file_opset <= 19"
otherwise = "rejected"
say = "the toolkit loads files up to opset 19"
source = ["measured:load_onnx"]
help = "export with opset_version=19 or lower"

[[limit]]
id = "static-input"
require = "known(env.file_static_inputs, True) and all(t.producer != '' or static(t) for t in inputs)"
otherwise = "rejected"
say = "the sizes of the model's inputs must be static"
source = ["measured:load_onnx"]
help = "export with fixed sizes, or give input_size_list to load_onnx"

[[limit]]
id = "types"
require = "all(dtype(t) in ['float32', 'float16', 'float64', 'int8', 'uint8', 'int32', 'int64', 'bool'] for t in inputs)"
otherwise = "rejected"
say = "the toolkit has no such type"
source = ["measured:load_onnx"]

[[limit]]
id = "opset-19-cpu"
of = "fallback"
require = "not exists(env.file_opset) or env.file_opset <= 19"
otherwise = "rejected"
say = "the toolkit loads files up to opset 19"
source = ["measured:load_onnx"]
help = "export with opset_version=19 or lower"

[[limit]]
id = "static-input-cpu"
of = "fallback"
require = "known(env.file_static_inputs, True) and all(t.producer != '' or static(t) for t in inputs)"
otherwise = "rejected"
say = "the sizes of the model's inputs must be static"
source = ["measured:load_onnx"]
help = "export with fixed sizes, or give input_size_list to load_onnx"

[[limit]]
id = "types-cpu"
of = "fallback"
require = "all(dtype(t) in ['float32', 'float16', 'float64', 'int8', 'uint8', 'int32', 'int64', 'bool'] for t in inputs)"
otherwise = "rejected"
say = "the toolkit has no such type"
source = ["measured:load_onnx"]
"""
NOTES = (
    "{how} supported: the compiler of RKNN-Toolkit2 gives what the operator becomes to the NPU; fallback: to the "
    "chip's CPU. Asked about each operator alone: in a whole model, neighbours are fused, and reshapes and transposes are put in or taken out. "
    "An operator whose placement the rules do not explain is unknown."
)


def listed(checkout: Path) -> dict[str, int]:
    """ONNX operator → line of the list."""
    found: dict[str, int] = {}
    for number, line in enumerate((checkout / LIST).read_text().splitlines(), 1):
        if line.startswith("## Pytorch"):
            break
        row = _ROW.match(line)
        if row:
            found.setdefault(row[1], number)
    return found


def document(checkout: Path, chip: str) -> str:
    """The whole table of a chip."""
    integers = chip == "rv1103"
    how = "Quantised to int8 while building: this chip has no floats." if integers else "Float16 without quantisation."
    head = HEAD.format(chip=chip, title=CHIPS[chip], notes=NOTES.format(how=how), commit=COMMIT, path=LIST)
    return head + SCALARS * integers + "\n" + "\n".join(entries(listed(checkout), chip))


def rules(chip: str) -> tuple[dict[str, tuple[Limit, ...]], dict[str, tuple[Limit, ...]]]:
    """What the chip gives to the NPU, and to the CPU."""
    npu = {**NPU, **INSTEAD.get(chip, {})}
    if chip == "rk3566":
        npu = {op: tuple(halved(one) for one in limits) for op, limits in npu.items()}
    moved = {op: tuple(one for one in npu.pop(op) if one.otherwise == "rejected") for op in ON_CPU.get(chip, ())}
    return npu, {**{op: limits for op, limits in CPU.items() if op not in npu}, **moved}


def entries(lines: dict[str, int], chip: str) -> Iterator[str]:
    """One [[op]] for each operator."""
    npu, on_cpu = rules(chip)
    for op in sorted({*npu, *on_cpu, *REFUSED}):
        cited = [f'"list:{lines[op]}"'] if op in lines else []
        source = f"source = [{', '.join([*cited, chr(34) + 'measured:' + op.rpartition('::')[2] + chr(34)])}]"
        text = ["[[op]]", f'op = "{op}"']
        if op in REFUSED:
            text += ['verdict = "rejected"', f'say = "{REFUSED[op]}"']
            text += ['help = "export with opset_version=19 or lower"'] * (op in NEWER)
        elif op in on_cpu:
            text += ['verdict = "fallback"', 'say = "it runs on the CPU"']
        yield "\n".join(
            [
                *text,
                source,
                "",
                *(line for one in (npu | on_cpu).get(op, ()) for line in limit(one, source, op in on_cpu)),
            ]
        )
        if op not in NOT_AWAY:
            away = [
                "[[op]]",
                f'op = "{op}"',
                'when = "all(computed(t) for t in inputs)"',
                source,
                f'note = "{AWAY}"',
                "",
            ]
            kernels = [one for one in (npu | on_cpu).get(op, ()) if one.id in ("no-kernel", "value-written")]
            yield "\n".join([*away, *(line for one in kernels for line in limit(one, source, False))])
        when = elsewhere(op, chip) if op in on_cpu else None
        if when is not None:
            loaded = f'when = "known(env.file_static_inputs, True) and ({when})"'
            yield "\n".join(["[[op]]", f'op = "{op}"', loaded, source, ""])


def limit(one: Limit, source: str, of_fallback: bool) -> list[str]:
    head = ["[[op.limit]]", f'id = "{one.id}"']
    if one.otherwise == "opaque":
        when = [f'when = "not ({one.require})"'] if one.require else []
        return [*head, *when, f'opaque = "{one.say}"', source, ""]
    refuses = ['of = "fallback"'] if of_fallback and one.otherwise == "rejected" else []
    help = [f'help = "{one.help}"'] if one.help else []
    return [
        *head,
        *refuses,
        f'require = "{one.require}"',
        f'otherwise = "{one.otherwise}"',
        f'say = "{one.say}"',
        source,
        *help,
        "",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a table differs")
    given = parser.parse_args()
    differ = 0
    for chip in CHIPS:
        path, text = TABLES / f"rknn-{chip}.toml", document(given.checkout, chip)
        if given.check:
            differ |= text != (path.read_text() if path.is_file() else "")
        else:
            path.write_text(text)
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
