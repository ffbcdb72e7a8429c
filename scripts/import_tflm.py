"""The operators tflite-micro registers, and what their kernels check → the table `tflm`.

    python scripts/import_tflm.py CHECKOUT [--out op_tables/targets]     # a checkout of tensorflow/tflite-micro

The list of operators is read from `python/tflite_micro/python_ops_resolver.cc` (the resolver of the wheel, which holds every
kernel) and `micro_mutable_op_resolver.h` (names of custom operators). What a kernel's Prepare and Eval demand stands in
`tflm_rules`, each with its place in `tensorflow/lite/micro/kernels`; an operator without rules there has none. A new operator
in the resolver shows up in the table at the next import, without limits until somebody reads its kernel.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from tflm_rules import RULES
from tflm_rules.checks import ACTIVATED, GENERIC_EMPTY, GENERIC_FOLDED, GENERIC_OUTPUTS, HELP, RANGE, Rule, counted


def resolved(checkout: Path) -> list[tuple[str, int]]:
    """(operator, line of the resolver) for every operator the wheel registers."""
    header = (checkout / "tensorflow/lite/micro/micro_mutable_op_resolver.h").read_text()
    names = {}
    for body in re.split(r"\n  TfLiteStatus (?=Add)", header):
        method = body.split("(")[0]
        found = re.search(r'BuiltinOperator_([A-Z0-9_]+)|AddCustom\(\s*"([^"]+)"', body)
        names[method] = (found[1] or found[2]) if found else {"AddEthosU": "ethos-u"}.get(method, "")
    lines = (checkout / "python/tflite_micro/python_ops_resolver.cc").read_text().splitlines()
    out = []
    for number, line in enumerate(lines, 1):
        if (match := re.match(r"\s+(Add\w+)\(\);", line)) and names.get(match[1]):
            out.append((names[match[1]], number))
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--out", type=Path, default=Path("op_tables/targets"))
    options = parser.parse_args()
    path = options.out / "tflm.toml"
    parts = [path.read_text().split("[[limit]]")[0].split("[[op]]")[0].rstrip() + "\n"]
    parts += [_limit("[[limit]]", rule) for rule in (GENERIC_FOLDED, GENERIC_EMPTY, GENERIC_OUTPUTS)]
    for op, line in resolved(options.checkout):
        parts.append(f'[[op]]\nop = "{op}"\nsource = ["resolver:{line}"]\n')
        rules = [*counted(op), *RULES.get(op, []), *([RANGE] if op in ACTIVATED else [])]
        parts += [_limit("[[op.limit]]", rule) for rule in rules]
    path.write_text("\n".join(parts))
    return 0


def _limit(head: str, rule: Rule) -> str:
    id, require, say, place = rule
    source = place if place.startswith("interpreter:") else f"kernels:{place}"
    text = f"{head}\nid = {json.dumps(id)}\nrequire = '{require}'\notherwise = \"rejected\"\nsay = {json.dumps(say)}\nsource = {json.dumps([source])}\n"
    return text + (f"help = {json.dumps(HELP[id])}\n" if id in HELP else "")


if __name__ == "__main__":
    sys.exit(main())
