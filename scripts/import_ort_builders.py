"""Hold ort-coreml, ort-nnapi and ort-xnnpack against the operators that ONNX Runtime's code registers.

    git clone https://github.com/onnxruntime/onnxruntime-qnn
    python scripts/import_ort_builders.py onnxruntime-qnn

The tables are written by hand: a builder's conditions are code. What a later commit adds or takes away is listed here,
with exit code 1; operators that came with a later release (`since`) are left out. The commit is the one that each
table cites.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

TABLES = Path(__file__).parents[1] / "op_tables" / "targets"
_PROVIDERS = "onnxruntime/core/providers/"
#: Where each provider registers its operators, and how a line of it names one.
REGISTRIES = {
    "ort-coreml": (_PROVIDERS + "coreml/builders/op_builder_factory.cc", r'^\s*Create\w+OpBuilder\("(\w+)"'),
    "ort-nnapi": (_PROVIDERS + "nnapi/nnapi_builtin/builders/op_builder_factory.cc", r'(?:NNAPI_EP_ADD_\w+_OP_BUILDER|Create\w+OpBuilder)\("(\w+)"'),
    "ort-xnnpack": (_PROVIDERS + "xnnpack/detail/node_support_checker.cc", r'^\s*\{"(\w+)", (?:\w+::IsOnnxNodeSupported|ClipReluChecker)'),
}  # fmt: skip
#: Taken with the operator between them, registered or not.
ROUND_A_UNIT = {"DequantizeLinear", "QuantizeLinear"}


def registered(repository: Path, commit: str, target: str) -> set[str]:
    path, pattern = REGISTRIES[target]
    command = ["git", "-C", str(repository), "show", f"{commit}:{path}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return set(re.findall(pattern, text, re.MULTILINE))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("repository", type=Path, help="a clone of onnxruntime/onnxruntime-qnn")
    parser.add_argument("--commit", help="compare with another commit than the tables' own")
    chosen = parser.parse_args()
    differ = False
    for target in REGISTRIES:
        document = tomllib.loads((TABLES / f"{target}.toml").read_text("utf-8"))
        here = {one["op"].split("::")[-1] for one in document["op"] if "since" not in one} - ROUND_A_UNIT
        cited = document["source"]["checker" if target == "ort-xnnpack" else "builders"]["commit"]
        there = registered(chosen.repository, chosen.commit or cited, target) - ROUND_A_UNIT
        for word, names in (("only in the code", there - here), ("only in the table", here - there)):
            if names:
                differ = True
                print(f"{target}: {word}: {' '.join(sorted(names))}")
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
