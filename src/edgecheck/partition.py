"""Verdicts → islands, crossings and the share of the work that is on the target. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edgecheck.model.graph import Model, Node, Tensor
from edgecheck.results import NodeVerdict, Partition


def partition(
    model: Model, verdicts: Sequence[NodeVerdict], macs: Callable[[Node], int | None], *, taken: str = "islands"
) -> Partition:
    """The cut of a model. `taken`: every island, only the "largest" of a graph, or the "whole" model or nothing."""
    on = {(v.node.graph, v.node.index): v.verdict == "supported" for v in verdicts}
    if taken == "whole" and not all(on.values()):
        on = dict.fromkeys(on, False)
    island_of: dict[tuple[int, int], int] = {}
    count = 0
    for graph in model.graphs:
        groups = _groups(graph.nodes, on)
        if taken == "largest" and groups:
            left = max(groups, key=len)
            on.update(((node.graph, node.index), False) for group in groups if group is not left for node in group)
            groups = [left]
        for group in groups:
            island_of.update(((node.graph, node.index), count) for node in group)
            count += 1
    return Partition(
        islands=count,
        crossing_bytes=_crossing(model, on),
        macs_supported=_share(model, on, macs),
        island_of=island_of,
    )


def _groups(nodes: Sequence[Node], on: Mapping[tuple[int, int], bool]) -> list[list[Node]]:
    """The supported groups of one graph, by alternating rounds over what is ready."""
    maker = {id(tensor): i for i, node in enumerate(nodes) for tensor in node.outputs if tensor is not None}
    waits = [
        len({maker[id(t)] for t in node.inputs if t is not None and id(t) in maker} - {i})
        for i, node in enumerate(nodes)
    ]
    readers: list[set[int]] = [set() for _ in nodes]
    for i, node in enumerate(nodes):
        for tensor in node.inputs:
            if tensor is not None and maker.get(id(tensor), i) != i:
                readers[maker[id(tensor)]].add(i)
    ready: dict[bool, list[int]] = {True: [], False: []}
    for i, wait in enumerate(waits):
        if wait == 0:
            ready[_side(nodes[i], on)].append(i)
    groups: list[list[Node]] = []
    side = bool(ready[True])
    while ready[True] or ready[False]:
        taken = _round(nodes, on, ready, side, waits, readers)
        if side and any(_works(node) for node in taken):
            groups.append(taken)
        side = not side
    return groups


def _round(
    nodes: Sequence[Node],
    on: Mapping[tuple[int, int], bool],
    ready: dict[bool, list[int]],
    side: bool,
    waits: list[int],
    readers: list[set[int]],
) -> list[Node]:
    taken: list[Node] = []
    while ready[side]:
        i = ready[side].pop()
        taken.append(nodes[i])
        for reader in readers[i]:
            waits[reader] -= 1
            if waits[reader] == 0:
                ready[_side(nodes[reader], on)].append(reader)
    return sorted(taken, key=lambda node: node.index)


def _side(node: Node, on: Mapping[tuple[int, int], bool]) -> bool:
    return on.get((node.graph, node.index), False)


def _works(node: Node) -> bool:
    """A constant is no work: it makes no island."""
    return node.op not in {"const", "Constant"}


def _crossing(model: Model, on: Mapping[tuple[int, int], bool]) -> int | None:
    maker: dict[int, Node] = {}
    for node in model.nodes:
        for tensor in node.outputs:
            if tensor is not None and not tensor.const:
                maker[id(tensor)] = node
    crossing: dict[int, Tensor] = {}
    for node in model.nodes:
        for tensor in node.inputs:
            if tensor is None or id(tensor) not in maker:
                continue
            if _side(maker[id(tensor)], on) != _side(node, on):
                crossing[id(tensor)] = tensor
    total = 0
    for tensor in crossing.values():
        if tensor.nbytes is None:
            return None
        total += tensor.nbytes
    return total


def _share(model: Model, on: Mapping[tuple[int, int], bool], macs: Callable[[Node], int | None]) -> float | None:
    """Nodes whose work is not known make the share unknown, unless every node is on one side.

    A model without nodes has no work to share out: unknown too.
    """
    if not on:
        return None
    sides = set(on.values())
    if sides <= {True}:
        return 1.0
    if sides == {False}:
        return 0.0
    total = supported = 0
    for node in model.nodes:
        work = macs(node)
        if work is None:
            return None
        total += work
        supported += work if _side(node, on) else 0
    return supported / total if total else None
