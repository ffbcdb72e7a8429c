"""Write what ATen operators become when ExecuTorch lowers a program: scripts/executorch_lowering.json.

    ENVIRONMENT/bin/python scripts/executorch_lowering.py PROGRAMS…

ENVIRONMENT is the executorch one, PROGRAMS are folders of .pt2 files. Every program is lowered without a delegate
(`to_edge`), and each node of the file is followed to the edge operators that name it as their source. Kept are the
operators that became the same set wherever they stood between float tensors: `{"parts": {operator: [edge operators]},
"no_kernel": [edge operators that the runtime has no kernel for]}`. A cast to another dtype is named `CAST`, a constant
that is made for it "a constant of its own", and arithmetic on other than floats "whole numbers inside".
"""

from __future__ import annotations

import json
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from executorch.exir import EdgeCompileConfig, to_edge

from executorch_parts import CAST, INTEGERS, OWN_CONSTANT

_PACKAGE = types.ModuleType("edgecheck")  # its oracle, without what its own environment has
_PACKAGE.__path__ = [str(Path(__file__).parents[1] / "src" / "edgecheck")]
sys.modules["edgecheck"] = _PACKAGE

from edgecheck.oracles import executorch as oracle  # noqa: E402

OUT = Path(__file__).with_suffix(".json")
_CONSTANTS = ("aten.scalar_tensor.default", "aten.full.default")


def dtypes(node: Any) -> set[str]:
    """The dtypes of the tensors that a node reads and makes."""
    values = [one.meta["val"] for one in (*node.all_input_nodes, node)]
    flat = [one for value in values for one in (value if isinstance(value, (list, tuple)) else [value])]
    return {str(one.dtype).removeprefix("torch.") for one in flat if isinstance(one, torch.Tensor)}


def part(node: Any) -> str:
    op, kinds = oracle._op(node.target), dtypes(node)
    if op == "dim_order_ops._to_dim_order_copy.default" and len(kinds) > 1:
        return CAST
    if op in _CONSTANTS:
        return OWN_CONSTANT
    floats = kinds <= {"float32", "bool"} or not op.startswith("aten.")
    return op if floats else INTEGERS


def lowered(path: Path, kernels: frozenset[str]) -> Iterator[tuple[str, tuple[str, ...], set[str]]]:
    """(operator of the file, what it became, those without a kernel) of each node between float tensors."""
    program = torch.export.load(path)
    names = dict(oracle._sources(program))
    dead = oracle._dead(program)
    plain = {n.name for n in program.graph.nodes if n.name in names and "val" in n.meta and dtypes(n) <= {"float32"}}
    edge = to_edge(program, compile_config=EdgeCompileConfig(_check_ir_validity=False)).exported_program()
    became: dict[str, list[Any]] = {name: [] for name in plain}
    for node in edge.graph_module.graph.nodes:
        if node.op == "call_function" and oracle._op(node.target) not in oracle._FREE:
            for name in oracle._origins(node) & plain:
                became[name].append(node)
    for name, nodes in became.items():
        ops = {oracle._op(node.target) for node in nodes}
        missing = {op for op in ops if oracle._computes(op) and op.rpartition(".")[0] not in kernels}
        if nodes or name not in dead:
            yield names[name], tuple(sorted({part(node) for node in nodes})), missing


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    kernels = oracle._portable()
    seen: dict[str, set[tuple[str, ...]]] = {}
    missing: set[str] = set()
    for folder in map(Path, sys.argv[1:]):
        for path in sorted(folder.glob("*.pt2")):
            for op, parts, without in lowered(path, kernels):
                seen.setdefault(op, set()).add(parts)
                missing |= without
    same = {op: list(next(iter(sets))) for op, sets in sorted(seen.items()) if len(sets) == 1}
    OUT.write_text(json.dumps({"parts": same, "no_kernel": sorted(missing)}, indent=0) + "\n")
    print(f"{len(same)} operators; not always the same: {sorted(set(seen) - set(same))}")


if __name__ == "__main__":
    main()
