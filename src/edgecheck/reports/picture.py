"""The picture of a graph: operators in layers, coloured by verdict, islands outlined. SVG, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from edgecheck.model.graph import Graph, Node
from edgecheck.results import CheckedTarget, NodeVerdict

WIDE, HIGH, GAP, STEP = 128, 20, 14, 34  # px: an operator's box, the gap beside it, from layer to layer
MOST = 1500  # operators drawn; a larger graph shows its first ones and says so
_QUIET = frozenset({"const", "Constant"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an operator stands: its layer from the top and its place in it, both from 0."""

    layer: int
    slot: int


def layout(nodes: Sequence[Node]) -> dict[int, Place]:
    """A layer for each node (longest way from an input), and places that keep readers under their makers."""
    maker = {id(tensor): node.index for node in nodes for tensor in node.outputs if tensor is not None}
    layer: dict[int, int] = {}
    for node in nodes:  # files list nodes in dependency order; a node ahead of its maker starts a new column
        above = [layer[maker[id(t)]] for t in node.inputs if t is not None and maker.get(id(t)) in layer]
        layer[node.index] = 1 + max(above, default=-1)
    places: dict[int, Place] = {}
    taken: dict[int, set[int]] = {}
    for node in sorted(nodes, key=lambda one: (layer[one.index], one.index)):
        makers = [places[maker[id(t)]].slot for t in node.inputs if t is not None and maker.get(id(t)) in places]
        slot = min(makers, default=0)
        used = taken.setdefault(layer[node.index], set())
        while slot in used:
            slot += 1
        used.add(slot)
        places[node.index] = Place(layer=layer[node.index], slot=slot)
    return places


def draw(graph: Graph, target: CheckedTarget) -> str:
    """One graph on one target as an SVG element."""
    nodes = [node for node in graph.nodes if node.op not in _QUIET]
    shown = nodes[:MOST]
    verdicts = {one.node.index: one for one in target.verdicts if one.node.graph == graph.index}
    places = layout(shown)
    wide = (1 + max((place.slot for place in places.values()), default=0)) * (WIDE + GAP) + GAP
    high = (1 + max((place.layer for place in places.values()), default=0)) * STEP + GAP
    edges = "".join(_edges(shown, places))
    boxes = "".join(_box(node, places[node.index], verdicts[node.index], target.partition.island_of) for node in shown)
    cut = f"<p class=quiet>the first {MOST:,} of {len(nodes):,} operators</p>" if len(nodes) > MOST else ""
    label = f"{len(shown)} operators of graph {graph.index} on {target.point.table.id}"
    return f'{cut}<svg role=img aria-label="{escape(label)}" width={wide} height={high}>{edges}{boxes}</svg>'


def _edges(nodes: Sequence[Node], places: Mapping[int, Place]) -> list[str]:
    maker = {id(tensor): node for node in nodes for tensor in node.outputs if tensor is not None}
    lines = []
    for node in nodes:
        for tensor in node.inputs:
            start = maker.get(id(tensor)) if tensor is not None else None
            if start is not None and places[start.index].layer < places[node.index].layer:
                lines.append(_line(places[start.index], places[node.index]))
    return lines


def _line(start: Place, end: Place) -> str:
    x1, y1 = GAP + start.slot * (WIDE + GAP) + WIDE // 2, GAP + start.layer * STEP + HIGH
    x2, y2 = GAP + end.slot * (WIDE + GAP) + WIDE // 2, GAP + end.layer * STEP
    middle = (y1 + y2) // 2
    path = (
        f"M{x1} {y1}V{y2}"
        if x1 == x2 and end.layer == start.layer + 1
        else f"M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}"
    )
    return f'<path d="{path}"/>'


def _box(node: Node, place: Place, verdict: NodeVerdict, islands: Mapping[tuple[int, int], int]) -> str:
    x, y = GAP + place.slot * (WIDE + GAP), GAP + place.layer * STEP
    island = islands.get((node.graph, node.index))
    kind = verdict.verdict + (f" i{island % 2}" if island is not None else "")
    text = node.op if len(node.op) <= 19 else node.op[:18] + "…"
    title = "\n".join(filter(None, (
        f"{node.index}: {node.op} {node.name}", node.source, verdict.reason or verdict.verdict,
        None if island is None else f"island {island + 1}", verdict.help,
    )))  # fmt: skip
    return (
        f'<g class="{kind}"><title>{escape(title)}</title><rect x={x} y={y} width={WIDE} height={HIGH} rx=4 />'
        f"<text x={x + WIDE // 2} y={y + 14}>{escape(text)}</text></g>"
    )


def strip(target: CheckedTarget, graph: int = 0) -> str:
    """Every operator as a cell, in the file's order: the partition at a glance."""
    verdicts = [one for one in target.verdicts if one.node.graph == graph and one.node.op not in _QUIET]
    islands = [target.partition.island_of.get((graph, one.node.index)) for one in verdicts]
    kinds = [one.verdict + (f" i{island % 2}" if island is not None else "") for one, island in zip(verdicts, islands)]
    total, x, cells = max(len(verdicts), 1), 0.0, []
    for kind, run in groupby(kinds):
        count = sum(1 for _ in run)
        cells.append(f'<rect class="{kind}" x={x:.3f} y=0 width={count / total * 1000:.3f} height=14 />')
        x += count / total * 1000
    return f'<svg class=strip viewBox="0 0 1000 14" preserveAspectRatio=none>{"".join(cells)}</svg>'
