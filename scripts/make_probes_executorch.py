"""Write random programs of torch.export to put to ExecuTorch's partitioners and to our tables.

    ENVIRONMENT/bin/python scripts/make_probes_executorch.py --folder OUT --seed 1 --programs 20 --calls 30
    ENVIRONMENT/bin/python scripts/make_probes_executorch.py --out FILE --seed 1 --count 100 [--ops aten.add.Tensor,…]

ENVIRONMENT is the executorch one (`edgecheck doctor --make executorch`). A program is a number of independent calls of
torch functions, each with inputs, constants and attributes of its own, and a few short chains whose operators a
partitioner looks at together. The same seed gives the same programs. With `--out`, descriptions of single calls instead
(see src/edgecheck/oracles/aten_probe.py), one JSON line each.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from executorch_calls import CALLS, DRAWN, Call, R

_PACKAGE = types.ModuleType("edgecheck")  # its readers, without what its own environment has
_PACKAGE.__path__ = [str(Path(__file__).parents[1] / "src" / "edgecheck")]
sys.modules["edgecheck"] = _PACKAGE

from edgecheck.model import formats  # noqa: E402
from edgecheck.probing import programs  # noqa: E402


class Const(torch.nn.Module):
    """A call whose last tensors are constants of the program."""

    def __init__(self, call: Call, constants: list[torch.Tensor | None]) -> None:
        super().__init__()
        self.call = call
        self.count = len(constants)
        for index, one in enumerate(constants):
            if one is not None and one.dtype.is_floating_point and R.random() < 0.7:
                setattr(self, f"p{index}", torch.nn.Parameter(one, requires_grad=False))
            else:
                self.register_buffer(f"p{index}", one)

    def forward(self, *given: Any) -> Any:
        return self.call(*given, *(getattr(self, f"p{index}") for index in range(self.count)))


class Program(torch.nn.Module):
    """Independent calls side by side."""

    def __init__(self, modules: list[Const], counts: list[int]) -> None:
        super().__init__()
        self.calls = torch.nn.ModuleList(modules)
        self.counts = counts

    def forward(self, *given: torch.Tensor) -> list[Any]:
        at, found = 0, []
        for call, count in zip(self.calls, self.counts, strict=True):
            result = call(*given[at : at + count])
            found += [result] if isinstance(result, torch.Tensor) else list(result)
            at += count
        return found


def one(name: str) -> tuple[Const, list[torch.Tensor]] | None:
    """One call that torch itself can run and export; None where it cannot (a dtype that the function refuses)."""
    call, inputs, constants = CALLS[name]()
    module = Const(call, list(constants)).eval()
    try:
        with torch.no_grad():
            module(*inputs)
    except (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError):
        return None
    return module, inputs


def program(names: list[str]) -> torch.export.ExportedProgram | None:
    parts = [found for found in map(one, names) if found is not None]
    module = Program([part[0] for part in parts], [len(part[1]) for part in parts]).eval()
    try:
        return torch.export.export(module, tuple(tensor for part in parts for tensor in part[1]))
    except Exception as error:  # torch.export raises what it likes; the program is left out
        print(f"not exported: {names[:3]}…: {str(error).splitlines()[0][:120]}")
        return None


def specs(count: int, ops: list[str]) -> Iterator[dict[str, Any]]:
    """Descriptions of single calls, `count` of them, of these operators where some are named."""
    names, left, tried = sorted(CALLS), count, 0
    while left and tried < 40 * count + len(names):
        name = names[tried % len(names)]
        tried += 1
        made_here = [spec for spec in described(name) if not ops or spec["op"] in ops]
        if ops and not made_here and tried >= len(names):
            names = [one for one in names if one != name] or names
        for spec in made_here[:left]:
            yield spec
            left -= 1


def described(name: str) -> list[dict[str, Any]]:
    """The calls of the program that one call of this name becomes; those inside of control flow left out."""
    found = program([name])
    if found is None or not found.graph_signature.user_outputs:
        return []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "one.pt2")
        torch.export.save(found, path)
        model = formats.read(path)
        readers: dict[int, list[str]] = {}
        for node in model.nodes:
            for tensor in node.inputs:
                readers.setdefault(id(tensor), []).append(node.op)
        nodes = [node for node in model.graphs[0].nodes if node.op.startswith("aten.")]
        return [{"op": node.op, **programs.described(node, readers)} for node in nodes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--ops", type=lambda text: text.split(","), default=[])
    parser.add_argument("--programs", type=int, default=20)
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--plain", action="store_true", help="float32, int32 and bool only")
    args = parser.parse_args()
    DRAWN["plain"] = args.plain
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    R.seed(args.seed)
    if args.out:
        lines = (json.dumps(spec, separators=(",", ":")) + "\n" for spec in specs(args.count, args.ops))
        args.out.write_text("".join(lines))
    if args.folder:
        write(args.folder, args.seed, args.programs, args.calls)


def write(folder: Path, seed: int, count: int, calls: int) -> None:
    """`count` programs of `calls` calls each."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting: list[str] = []
    for number in range(count):
        if len(waiting) < calls:
            names = sorted(CALLS)
            R.shuffle(names)
            waiting += names
        taken, waiting = waiting[:calls], waiting[calls:]
        found = program(taken)
        if found is not None:
            torch.export.save(found, folder / f"seed{seed}-{number:03}.pt2")


if __name__ == "__main__":
    main()
