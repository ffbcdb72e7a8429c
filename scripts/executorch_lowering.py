"""Write what ATen operators become when ExecuTorch lowers a program: scripts/executorch_lowering.json.

    ENVIRONMENT/bin/python scripts/executorch_lowering.py PROGRAMS…
    ENVIRONMENT/bin/python scripts/executorch_lowering.py

ENVIRONMENT is the executorch one, PROGRAMS are folders of .pt2 files. Every program is lowered without a delegate
(`to_edge`), and each node of the file is followed to the edge operators that name it as their source. Kept are the
operators that became the same set wherever they stood between float tensors: `{"parts": {operator: [edge operators]},
"no_kernel": [edge operators that the runtime has no kernel for]}`. A cast to another dtype is named `CAST`, a constant
that is made for it "a constant of its own", and arithmetic on other than floats "whole numbers inside". "no_way" are the
operators of torch that stay as they are (no decomposition, and torch itself does not compose them of others) and have no
kernel in the runtime; without PROGRAMS only they are written anew.
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


def no_way(kernels: frozenset[str]) -> list[str]:
    """Operators of torch that ExecuTorch neither takes apart nor has a kernel for; those that write to `out` left out."""
    from executorch.exir.program._program import _default_decomposition_table

    table = {str(op) for op in _default_decomposition_table()}
    composed = torch._C.DispatchKey.CompositeImplicitAutograd
    found = []
    for schema in torch._C._jit_get_all_schemas():
        views = any(
            one.alias_info is not None for one in schema.arguments
        )  # become copies; those in place, their twins
        if not schema.name.startswith("aten::") or views or "backward" in schema.name:
            continue
        name = f"{schema.name.replace('::', '.')}.{schema.overload_name or 'default'}"
        short = name.rpartition(".")[0]
        try:
            of_others = operator(name).has_kernel_for_dispatch_key(composed)
        except (AttributeError, RuntimeError):  # an operator of TorchScript
            continue
        if name not in table and short not in kernels and not of_others:
            found.append(name)
    return sorted(set(found))


def operator(name: str) -> Any:
    """`torch.ops.aten.add.Tensor` of "aten.add.Tensor"; AttributeError where there is none."""
    space, packet, overload = name.split(".", 2)
    return getattr(getattr(getattr(torch.ops, space), packet), overload)


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    kernels = oracle._portable()
    if len(sys.argv) == 1:
        OUT.write_text(json.dumps(json.loads(OUT.read_text()) | {"no_way": no_way(kernels)}, indent=0) + "\n")
        return
    seen: dict[str, set[tuple[str, ...]]] = {}
    missing: set[str] = set()
    for folder in map(Path, sys.argv[1:]):
        for path in sorted(folder.glob("*.pt2")):
            for op, parts, without in lowered(path, kernels):
                seen.setdefault(op, set()).add(parts)
                missing |= without
    same = {op: list(next(iter(sets))) for op, sets in sorted(seen.items()) if len(sets) == 1}
    OUT.write_text(
        json.dumps({"parts": same, "no_kernel": sorted(missing), "no_way": no_way(kernels)}, indent=0) + "\n"
    )
    print(f"{len(same)} operators; not always the same: {sorted(set(seen) - set(same))}")


if __name__ == "__main__":
    main()
