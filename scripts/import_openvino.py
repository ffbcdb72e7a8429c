"""Write the generated halves of op_tables/targets/openvino-cpu.toml and openvino-npu.toml.

    python scripts/import_openvino.py operations PYTHON FOLDER operations.json    (what ONNX operators become; PYTHON has openvino)
    python scripts/import_openvino.py cpu [--check]
    python scripts/import_openvino.py npu CHECKOUT operations.json [--check]

cpu: an entry for each operator of which a probe was read, taken and compiled (op_tables/evidence/openvino-2026.4.1.jsonl), and
for those of other domains that the documentation lists. npu: CHECKOUT is openvinotoolkit/npu_compiler at the commit the
table names; an ONNX operator is listed where all the operations that OpenVINO's frontend makes of it (measured on the probes
in FOLDER) have an importer in src/vpux_compiler/src/frontend/IE.cpp; where not, it is opaque: OpenVINO's own passes may
rewrite the operation before the NPU's compiler sees it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from two_halves import TABLES, entry, mark

EVIDENCE = TABLES.parent / "evidence" / "openvino-2026.4.1.jsonl"
FRONTEND = "src/vpux_compiler/src/frontend/IE.cpp"
#: Of the page that the table names, in this project's spelling.
DOCUMENTED = {
    "com.microsoft": (
        "Attention", "BiasGelu", "DynamicQuantizeMatMul", "EmbedLayerNormalization", "FastGelu", "FusedConv", "FusedGemm",
        "FusedMatMul", "MatMulIntegerToFloat", "MatMulNBits", "Pad", "QLinearAdd", "QLinearMul", "QuickGelu", "Range",
        "SimplifiedLayerNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
    ),
    "org.openvinotoolkit": (
        "DeformableConv2D", "DetectionOutput", "ExperimentalDetectronDetectionOutput",
        "ExperimentalDetectronGenerateProposalsSingleImage", "ExperimentalDetectronGroupNorm",
        "ExperimentalDetectronPriorGridGenerator", "ExperimentalDetectronROIFeatureExtractor", "ExperimentalDetectronTopKROIs",
        "FakeQuantize", "GroupNorm", "Normalize", "PriorBox", "PriorBoxClustered", "Swish",
    ),
}  # fmt: skip
_OF_SHAPES = {"Range"}  # folded where sizes are static
_MAPPED = re.compile(r"MAP_ENTRY\((?:ov::)?(?:op::|opset\w*::|op_util::|\w+::)*(\w+)\)")
_ASK = """\
import json, sys, openvino
core, found = openvino.Core(), {}
for line in sys.stdin:
    op, path = line.rstrip("\\n").split("\\t")
    try:
        model = core.read_model(path)
    except RuntimeError:
        continue
    kinds = {one.get_type_name() for one in model.get_ops()} - {"Parameter", "Result", "Constant"}
    found.setdefault(op, []).append(sorted(kinds))
json.dump(found, sys.stdout)
"""


def operations(python: Path, folder: Path, out: Path) -> None:
    """For each ONNX operator of the one-operator files in `folder`, the operations that each file becomes."""
    sys.path.insert(0, str(TABLES.parents[1] / "src"))
    from edgecheck.errors import FormatError
    from edgecheck.model import formats

    lines = []
    for path in sorted(folder.glob("*.onnx")):
        try:
            nodes = formats.read(path).graphs[0].nodes
        except FormatError:
            continue
        if len(nodes) == 1:
            lines.append(f"{nodes[0].op}\t{path.resolve()}\n")
    done = subprocess.run([python, "-c", _ASK], input="".join(lines), capture_output=True, text=True, check=True)
    kinds = {op: sorted({tuple(one) for one in found}) for op, found in json.loads(done.stdout).items()}
    out.write_text(json.dumps(kinds, indent=1))


def cpu() -> Iterator[str]:
    rows = [json.loads(line) for line in EVIDENCE.read_text().splitlines()]
    taken = {row["op"] for row in rows if row["target"] == "openvino-cpu" and row["verdict"] == "supported"}
    taken |= {
        "Loop",
        "com.microsoft::DynamicQuantizeLSTM",
    }  # a node test and a real model's: too long to be kept as probes
    documented = {f"{domain}::{op}": domain for domain, ops in DOCUMENTED.items() for op in ops}
    for op in sorted(taken | set(documented)):
        cited = [f"docs:{documented[op]}"] if op in documented else []
        yield entry(op, *cited, *([f"measured:{op.rpartition('::')[2]}"] if op in taken else []))


def npu(checkout: Path, kinds: Path) -> Iterator[str]:
    text = (checkout / FRONTEND).read_text()
    lines = {one[1]: text.count("\n", 0, one.start()) + 1 for one in _MAPPED.finditer(text)}
    for op, ways in sorted(json.loads(kinds.read_text()).items()):
        needed = [
            {kind for kind in way if kind not in lines and (kind == op or kind not in _OF_SHAPES)} for way in ways
        ]
        short = min(needed, key=lambda one: (len(one), sorted(one)), default=set())
        used = sorted({kind for way in ways for kind in way if kind in lines}, key=lambda kind: lines[kind])
        if not used and not short:
            continue  # only constants are left of it
        cited = [f"frontend:{lines[kind]}" for kind in used[:4]]
        yield entry(op, *cited, f"measured:{op.rpartition('::')[2]}")
        if any(needed):
            missing = ", ".join(sorted(set().union(*needed)))
            yield (
                '[[op.limit]]\nid = "rewritten"\n'
                f'opaque = "it becomes {missing}, which the compiler imports only where OpenVINO rewrites it first"\n'
                f'source = ["measured:{op.rpartition("::")[2]}"]\n'
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("operations", "cpu", "npu"))
    parser.add_argument("paths", type=Path, nargs="*")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the table differs")
    given = parser.parse_args()
    if given.what == "operations":
        operations(*given.paths)
        return 0
    path = TABLES / f"openvino-{given.what}.toml"
    half = cpu() if given.what == "cpu" else npu(*given.paths)
    text = path.read_text().partition(mark("import_openvino.py"))[0] + mark("import_openvino.py") + "\n".join(half)
    if given.check:
        return int(text != path.read_text())
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
