"""Make net.pt2, net.pte, branch.pt2, twice.pt2 and state.pt2 beside this file: run it in the executorch environment.

    ENVIRONMENT/bin/python tests/cases/programs/make.py

`net` has an operator of each kind that matters here: delegated as it is, delegated in parts, left outside, gone; a buffer
that is written; tied weights; a dynamic batch. `twice` calls the same twice, `state` writes into a part of a buffer.
Paths of the machine are taken out of the stack traces.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower

HERE = Path(__file__).parent
SOURCE = """
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.drop = torch.nn.Dropout()
        self.first = torch.nn.Linear(4, 4, bias=False)
        self.second = torch.nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.register_buffer("count", torch.zeros(1))
        self.register_buffer("turned", torch.arange(6.0).reshape(2, 3).t())

    def forward(self, x):
        self.count.add_(1)
        y = torch.nn.functional.silu(self.norm(self.conv(x)))
        y = torch.nn.functional.adaptive_avg_pool2d(y, 1).flatten(1)
        y = self.second(self.first(self.drop(y)))
        values, places = torch.max(y, dim=-1)
        return torch.softmax(y, -1), torch.cat((y * 2, y)), values, places, self.turned * 2.0


class Branch(torch.nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda y: (torch.sin(y),), lambda y: (torch.cos(y),), (x,))


class Twice(torch.nn.Module):
    def forward(self, x):
        return x[0].flatten() + x[0].flatten().flip(0), x[1]


class State(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("b", torch.zeros(2, 4))

    def forward(self, x):
        self.b[0] = x[0]
        return self.b.relu()
"""


def exported(name: str, inputs: tuple[torch.Tensor, ...], **options: object) -> torch.export.ExportedProgram:
    torch.manual_seed(0)
    net = sys.modules["net"] = types.ModuleType("net")
    net.torch = torch
    exec(compile(SOURCE, "net.py", "exec"), net.__dict__)  # so that the traces name net.py
    program = torch.export.export(getattr(net, name)().eval(), inputs, **options)
    for module in program.graph_module.modules():
        for node in getattr(module, "graph", torch.fx.Graph()).nodes:
            if "stack_trace" in node.meta:
                node.meta["stack_trace"] = node.meta["stack_trace"].replace(sys.prefix, "").replace(sys.base_prefix, "")
    return program


def main() -> None:
    batch = torch.export.Dim("batch", min=1, max=8)
    program = exported("Net", (torch.rand(2, 3, 8, 8),), dynamic_shapes=({0: batch},))
    torch.export.save(program, HERE / "net.pt2")
    torch.export.save(exported("Branch", (torch.rand(2, 3),)), HERE / "branch.pt2")
    torch.export.save(exported("Twice", (torch.rand(2, 3, 4),)), HERE / "twice.pt2")
    torch.export.save(exported("State", (torch.rand(2, 4),)), HERE / "state.pt2")
    lowered = to_edge_transform_and_lower(
        exported("Net", (torch.rand(2, 3, 8, 8),)), partitioner=[XnnpackPartitioner()]
    )
    (HERE / "net.pte").write_bytes(lowered.to_executorch().buffer)


if __name__ == "__main__":
    main()
