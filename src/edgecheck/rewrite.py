"""A captured PyTorch program as a module again, with operations that converters lack replaced by ones they have.

`torch.cond` becomes both branches and a select, a `while_loop` whose count does not depend on the input is unrolled,
an index that is a tensor with one element becomes `index_select`. What cannot be replaced raises.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from edgecheck.errors import EdgecheckError
from edgecheck.exporters import InputSpec

#: An unrolled loop longer than this is no model for a device any more.
LONGEST_LOOP = 256


def free_shapes(inputs: Sequence[InputSpec]) -> tuple[dict[int, Any], ...] | None:
    """torch.export's `dynamic_shapes`: for each input its free axes and their ranges; None where no input has any."""
    import torch

    if not any(spec.dynamic for spec in inputs):
        return None
    return tuple(
        {item.axis % len(spec.shape): torch.export.Dim.DYNAMIC(min=item.low, max=item.high) for item in spec.dynamic}
        for spec in inputs
    )


def rewritten(program: Any, origins: Mapping[int, tuple[int, int]] | None = None) -> Any:
    """A module that computes what the ExportedProgram does, in other operations.

    `origins` names sizes that came from a free dimension: size -> (input, axis). Positions cut from a constant at such
    a size (`places[:, :length]`, `arange(length)`) are then computed from that input, so that they follow its size.
    """
    import torch

    graph_module = program.module()
    turns = loop_turns(graph_module)
    follow = {} if origins is None else dict(origins)

    class Rewritten(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.program = graph_module
            self.training = False  # eval() would reach into the captured program, which refuses it

        def forward(self, *tensors: Any) -> Any:
            replacing = interpreter(self.program, turns)
            replacing.origins = {size: (tensors[position], axis) for size, (position, axis) in follow.items()}
            return replacing.run(*tensors)

    return Rewritten()


def cuts(program: Any, sizes: Collection[int]) -> bool:
    """Whether the program cuts positions from constants at one of these sizes."""
    return any(node.op == "call_function" and _cut(node, node.args) in sizes for node in program.graph.nodes)


def _cut(node: Any, args: Sequence[Any]) -> int | None:
    """The length of `constant[..., :length]` or `arange(length)`; None for every other node."""
    import torch

    aten = torch.ops.aten
    if node.target is aten.slice.Tensor and len(args) >= 4 and args[2] in (None, 0) and len(args) < 5:
        origin = node.args[0]
        constant = origin.op == "get_attr" or (
            origin.op == "placeholder" and origin.name.startswith(("p_", "b_", "c_"))
        )
        return args[3] if constant and isinstance(args[3], int) else None
    if node.target is aten.arange.default:
        return args[0] if isinstance(args[0], int) else None
    if node.target is aten.arange.start and args[0] == 0:
        return args[1] if isinstance(args[1], int) else None
    return None


def _positions(source: Any, axis: int) -> Any:
    """0, 1, 2 … as many as `source` is long along `axis`, computed from its values so that nothing folds it."""
    import torch

    line = source.movedim(axis, 0).reshape(source.shape[axis], -1)[:, 0]
    ones = torch.sign(torch.abs(line.float()) + 1)
    return (torch.cumsum(ones, 0) - 1).to(torch.int32)


def applies(program: Any) -> bool:
    """Whether the program has an operation this module replaces."""
    import torch

    targets = (
        torch.ops.higher_order.cond, torch.ops.higher_order.while_loop,
        torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default,
    )  # fmt: skip
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    return any(node.target in targets or picks(node) for node in nodes)


def picks(node: Any) -> bool:
    """`boxes[i]` with `i` a tensor of one element."""
    import torch

    if node.target is not torch.ops.aten.index.Tensor:
        return False
    values = [index.meta["val"] for index in node.args[1] if index is not None]
    return any(value.numel() == 1 and value.dtype != torch.bool for value in values)


def interpreter(graph_module: Any, turns: Mapping[str, int]) -> Any:
    """Runs a graph with the replacements; `turns` says how often each of its loops turns."""
    import torch

    aten = torch.ops.aten
    checks = (
        aten._assert_scalar.default, aten.sym_constrain_range_for_size.default, aten.sym_constrain_range.default,
    )  # fmt: skip

    class Replacing(torch.fx.Interpreter):  # type: ignore[misc]
        origins: Mapping[int, tuple[Any, int]] = {}

        def run_node(self, n: Any) -> Any:
            if n.op == "call_module" and "guards" in str(n.target):
                return None
            replaced = self.replace(n) if n.op == "call_function" else None
            return super().run_node(n) if replaced is None else replaced[0]

        def replace(self, n: Any) -> tuple[Any] | None:
            args, _ = self.fetch_args_kwargs_from_env(n)
            length = _cut(n, args) if self.origins else None
            if length is not None and length in self.origins:
                places = _positions(*self.origins[length])
                return (args[0].index_select(args[1], places) if n.target is aten.slice.Tensor else places,)
            if n.target is torch.ops.higher_order.cond:
                return (_select(*args),)
            if n.target is torch.ops.higher_order.while_loop:
                return (_unroll(n.name, turns, args),)
            if n.target in (aten.item.default, aten._local_scalar_dense.default):
                return (args[0],)  # stays a tensor; its readers below take one
            if n.target is aten.select.int and isinstance(args[2], torch.Tensor):
                return (args[0].index_select(args[1], args[2].reshape(1)).squeeze(args[1]),)
            if picks(n):
                return (_pick(args[0], args[1]),)
            # A check of what was a number and is a tensor now; other readers of it are comparisons for such checks.
            return (None,) if n.target in checks and not isinstance(args[0], int | float | bool) else None

    return Replacing(graph_module)


def _select(condition: Any, true: Any, false: Any, operands: Sequence[Any] = ()) -> Any:
    """Both branches, and an element-wise choice."""
    import torch
    from torch.utils import _pytree

    yes, spec = _pytree.tree_flatten(interpreter(true, {}).run(*operands))
    no, _ = _pytree.tree_flatten(interpreter(false, {}).run(*operands))
    chosen = [torch.where(condition.reshape([1] * a.dim()), a, b) for a, b in zip(yes, no, strict=True)]
    return _pytree.tree_unflatten(chosen, spec)


def _unroll(name: str, turns: Mapping[str, int], args: Sequence[Any]) -> tuple[Any, ...]:
    """The body as often as its condition says."""
    if name not in turns:
        raise EdgecheckError("the number of a loop's turns depends on the input, so it cannot be unrolled")
    body, values, extra = args[1], list(args[2]), list(args[3]) if len(args) > 3 else []
    for _ in range(turns[name]):
        values = list(interpreter(body, {}).run(*values, *extra))
    return tuple(values)


def _pick(values: Any, indices: Sequence[Any]) -> Any:
    """`values[:, i]` with `i` a tensor of one element, for one such index."""
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    if len(axes) != 1:
        raise EdgecheckError("an index of several tensors with one element each cannot be replaced")
    index = indices[axes[0]]
    picked = values.index_select(axes[0], index.reshape(1))
    return picked.squeeze(axes[0]) if index.dim() == 0 else picked


def loop_turns(graph_module: Any) -> dict[str, int]:
    """How often each loop of the main graph turns, where that follows from constants alone."""
    import torch

    known = constants(graph_module, [])
    turns = {}
    for node in graph_module.graph.nodes:
        if node.op == "call_function" and node.target is torch.ops.higher_order.while_loop:
            condition, body = (getattr(graph_module, part.target) for part in node.args[:2])
            carried = [known.get(read) if hasattr(read, "op") else read for read in node.args[2]]
            count = _count(condition, body, carried)
            if count is not None:
                turns[node.name] = count
    return turns


def _count(condition: Any, body: Any, carried: list[Any]) -> int | None:
    """Turns of a loop from the constants it carries; None when its condition reads the input."""
    for turn in range(LONGEST_LOOP + 1):
        answer = outputs(condition, carried)[0]
        if answer is None:
            return None
        if not bool(answer):
            return turn
        carried = outputs(body, carried)
    raise EdgecheckError(f"a loop turns more than {LONGEST_LOOP} times, too many to unroll")


def outputs(graph_module: Any, inputs: list[Any]) -> list[Any]:
    """What follows from known inputs alone: one entry for each output, None where it does not."""
    known = constants(graph_module, inputs)
    result = next(node for node in graph_module.graph.nodes if node.op == "output").args[0]
    flat = result if isinstance(result, tuple | list) else (result,)
    return [known.get(item) if hasattr(item, "op") else item for item in flat]


def constants(graph_module: Any, inputs: list[Any]) -> dict[Any, Any]:
    """The value of every node that follows from constants and known inputs; weights do not count."""
    import torch

    known: dict[Any, Any] = {}
    places = iter(inputs)
    for node in graph_module.graph.nodes:
        if node.op == "placeholder":
            known[node] = next(places, None)
        elif node.op == "get_attr":
            value: Any = getattr(graph_module, str(node.target), None)
            known[node] = value if type(value) is torch.Tensor and value.numel() <= 16 else None
        elif node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload):
            reads = node.all_input_nodes
            fills = node.target in (
                torch.ops.aten.full.default,
                torch.ops.aten.zeros.default,
                torch.ops.aten.ones.default,
            )
            if all(known.get(read) is not None for read in reads) and (reads or fills):
                args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), known.__getitem__)
                known[node] = node.target(*args, **kwargs)
    return known
