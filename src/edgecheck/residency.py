"""What a target's cut of the model costs: rules EC2xx, from verdicts and islands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgecheck.check_findings import place
from edgecheck.findings import Finding
from edgecheck.model.cost import size
from edgecheck.model.graph import Model, Node
from edgecheck.results import NodeVerdict, Partition, TargetPoint
from edgecheck.tables.scope import Edges

PING_PONG = 5  # islands: each but the first costs two crossings, a copy or a synchronisation each
_MOVES = frozenset({"TRANSPOSE", "Transpose", "transpose", "RESHAPE", "Reshape", "reshape"})


def findings(
    model: Model, target: TargetPoint, verdicts: Sequence[NodeVerdict], made: Partition, *, device: str | None = None
) -> Iterator[Finding]:
    """EC201: back and forth; EC202: what parts islands only moves values; EC203: islands that are left out."""
    left = [one.node for one in verdicts if one.verdict == "fallback"]
    if not left or target.table.partition == "whole" or target.table.same_processor:
        return
    yield from _left_out(model, target, verdicts, made, device)
    if made.islands >= PING_PONG:
        crossing = "" if made.crossing_bytes is None else f", {size(made.crossing_bytes)} crossing in one inference"
        yield Finding(
            rule="EC201",
            severity="warning",
            message=f"the model goes back and forth: {made.islands} islands on {target.table.id}{crossing}",
            model=str(model.path),
            target=target.table.id,
            device=device,
            place=place(left[0]),
            evidence=("onnxruntime issue 7859: NNAPI 71,347 ms where the CPU alone took 3,041 ms",),
            help="cure the fallback that cuts most (the operators above), or measure the whole model on the CPU",
        )
    edges = Edges.of(model.graphs)
    movers = [node for node in left if node.op in _MOVES and _between(edges, node, made)]
    if movers:
        yield Finding(
            rule="EC202",
            severity="note",
            message=f"{movers[0].op} alone parts two islands on {target.table.id}: it computes nothing "
            "and costs two crossings",
            model=str(model.path),
            target=target.table.id,
            device=device,
            place=place(movers[0]),
            evidence=("onnxruntime issue 7859",),
            help="remove it: keep one layout through the model (channels last for TFLite), or fold it away",
            count=len(movers),
        )


def _left_out(
    model: Model, target: TargetPoint, verdicts: Sequence[NodeVerdict], made: Partition, device: str | None
) -> Iterator[Finding]:
    """What the target supports and leaves to the CPU, because it takes one island of a graph."""
    supported = [one.node for one in verdicts if one.verdict == "supported"]
    behind = [node for node in supported if not _on(node, made)] if target.table.partition == "largest" else []
    if behind:
        yield Finding(
            rule="EC203",
            severity="warning",
            message=f"{len(behind)} operators that {target.table.id} supports stay on the CPU: it takes one island of "
            f"the model only, here {len(made.island_of)} operators",
            model=str(model.path),
            target=target.table.id,
            device=device,
            place=place(behind[0]),
            evidence=(f"the notes of op_tables/targets/{target.table.id}.toml name the sources",),
            help="cure what parts the islands (the operators that fall back), or let the delegate take more of them "
            "(max_delegated_partitions) and measure",
            count=len(behind),
        )


def _between(edges: Edges, node: Node, made: Partition) -> bool:
    """Whether a value comes to the node from an island and goes back into one."""
    source = edges.producer.get(id(node.inputs[0])) if node.inputs else None
    readers = [reader for tensor in node.outputs for reader in edges.consumers.get(id(tensor), ())]
    return source is not None and _on(source, made) and any(_on(reader, made) for reader in readers)


def _on(node: Node, made: Partition) -> bool:
    return (node.graph, node.index) in made.island_of
