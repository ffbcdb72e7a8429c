"""What a model costs: multiply-accumulates, parameters, bytes of weights, memory for activations.

What counts as a multiply-accumulate is said in `edgecheck.model.macs`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgecheck.model.graph import DTYPE_BITS, Graph, Model, Node, Tensor
from edgecheck.model.macs import LARGEST, macs

__all__ = ["Cost", "cost", "macs", "size"]

_LOOPS = frozenset({"WHILE", "STABLEHLO_WHILE", "Loop", "Scan", "while_loop", "nn::loop"})
_HANDLES = frozenset({"resource", "variant"})  # a handle to state that lives elsewhere
_SMALL_INTEGERS = frozenset(name for name, bits in DTYPE_BITS.items() if bits <= 8 and "int" in name)
#: Inputs that hold numbers for the operator rather than weights: scales, regions, factors.
_NO_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "Resize": (1, 2), "Upsample": (1,), "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "Pad": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7), "QLinearMatMul": (1, 2, 4, 5, 6, 7),
}  # fmt: skip


def size(number: int) -> str:
    """Bytes in binary units: `1.2 MiB`."""
    for unit, sign in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if number >= unit:
            return f"{number / unit:.3g} {sign}"
    return f"{number} B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Totals over all graphs of a model: the body of a loop counts once, both branches of a condition count, a
    function counts as often as it is called.

    macs: multiply-accumulates of one run; None where a node's are not known.
    macs_unknown_nodes: how many nodes' are not known.
    macs_at_one: the same with every dynamic dimension taken as 1; None where that is not enough.
    loop_macs: the part of `macs` inside loop bodies, which a run repeats; None where a node's are not known.
    parameters: elements of constant weights (floating, quantised or 8-bit and smaller; no scalars, scales or shapes).
    weight_bytes: bytes that these take in the file.
    activation_peak_bytes: the largest sum of values alive at once when the first graph's nodes run in the file's
        order and nothing is done in place; a nested graph adds its own peak while it runs; None where a size is
        not known.
    ops: operator → how many; sorted by name.
    op_macs: operator → known multiply-accumulates, where there are any; sorted by name.
    """

    macs: int | None
    macs_unknown_nodes: int
    macs_at_one: int | None
    loop_macs: int | None
    parameters: int
    weight_bytes: int
    activation_peak_bytes: int | None
    ops: Mapping[str, int]
    op_macs: Mapping[str, int]


def cost(model: Model) -> Cost:
    """The cost of a model, from shapes alone: no weight is read."""
    order = _callers_first(model)
    calls = _calls(model, order)
    work = [(node, _times(macs(node), calls.get(node.graph))) for node in model.nodes]
    inside = _repeated(model)
    op_macs: Counter[str] = Counter()
    for node, one in work:
        if one:
            op_macs[node.op] += one
    weights = list(_weights(model))
    return Cost(
        macs=_sum(one for _, one in work),
        macs_unknown_nodes=sum(one is None for _, one in work),
        macs_at_one=_sum(_times(macs(node, dynamic=1), calls.get(node.graph)) for node, _ in work),
        loop_macs=_sum(one for node, one in work if node.graph in inside),
        parameters=sum(min(tensor.size or 0, LARGEST) for tensor in weights),
        weight_bytes=sum(tensor.data.nbytes for tensor in weights if tensor.data is not None),
        activation_peak_bytes=_peaks(model, order).get(0) if model.graphs else 0,
        ops=dict(sorted(Counter(node.op for node, _ in work).items())),
        op_macs=dict(sorted(op_macs.items())),
    )


def _times(macs: int | None, calls: int | None) -> int | None:
    return None if macs is None or calls is None or macs * calls > LARGEST else macs * calls


def _callers_first(model: Model) -> list[int]:
    """Graph numbers, each after all graphs that run it; without graphs that run themselves, which no format allows."""
    waits: Counter[int] = Counter()
    for graph in model.graphs:
        waits.update({number for node in graph.nodes for number in node.subgraphs})
    order = [graph.index for graph in model.graphs if not waits[graph.index]]
    for number in order:  # grows while it is walked
        for one in sorted({one for node in model.graphs[number].nodes for one in node.subgraphs}):
            waits[one] -= 1
            if not waits[one]:
                order.append(one)
    return order


def _calls(model: Model, order: Sequence[int]) -> dict[int, int]:
    """How many places run each graph, those of the graphs around it counted in; 1 for a graph that nothing runs.

    A graph that runs itself is left out.
    """
    called: Counter[int] = Counter()
    for number in order:
        times = called[number] = called[number] or 1
        for node in model.graphs[number].nodes:
            for one in node.subgraphs:
                called[one] += times
    return {number: called[number] for number in order}


def _sum(values: Iterator[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _repeated(model: Model) -> set[int]:
    """Numbers of the graphs that run inside a loop, at any depth."""
    found: set[int] = set()
    waiting = [number for node in model.nodes if node.op in _LOOPS for number in node.subgraphs]
    while waiting:
        number = waiting.pop()
        if number not in found and number < len(model.graphs):
            found.add(number)
            waiting += [inner for node in model.graphs[number].nodes for inner in node.subgraphs]
    return found


def _weights(model: Model) -> Iterator[Tensor]:
    """Each constant weight once, however many nodes or tensors share its bytes."""
    seen: set[object] = set()
    for node in model.nodes:
        skipped = _NO_WEIGHTS.get(node.op.removeprefix("com.microsoft::"), ())
        for index, tensor in enumerate(node.inputs):
            if tensor is None or index in skipped or not _is_weight(tensor):
                continue
            place = _place(tensor)
            if place not in seen:
                seen.add(place)
                yield tensor


def _is_weight(tensor: Tensor) -> bool:
    if tensor.data is None or not tensor.shape:
        return False
    dtype = tensor.dtype or ""
    floating = "float" in dtype or dtype.startswith("complex")
    return floating or tensor.quantization is not None or dtype in _SMALL_INTEGERS


def _place(tensor: Tensor) -> object:
    """Where a constant's bytes lie, so that tensors that share them count once."""
    offset, buffer = getattr(tensor.data, "offset", None), getattr(tensor.data, "buffer", None)
    return id(tensor.data) if offset is None else (id(buffer), offset, tensor.dtype)


def _peaks(model: Model, order: Sequence[int]) -> dict[int, int | None]:
    """For each graph the largest sum of live bytes; None where a size is not known."""
    known: dict[int, int | None] = {}
    for number in reversed(order):
        known[number] = _peak(model.graphs[number], known)
    return known


def _peak(graph: Graph, known: Mapping[int, int | None]) -> int | None:
    """The largest sum of live bytes of one graph; `known`: those of the graphs that its nodes run."""
    last = {id(tensor): index for index, node in enumerate(graph.nodes) for tensor in _held(node)}
    kept = {id(tensor) for tensor in graph.outputs}
    live: dict[int, int] = {}
    peak = now = _enter(live, graph.inputs)
    for index, node in enumerate(graph.nodes):
        added, nested = _enter(live, tuple(_held(node))), [known.get(number) for number in node.subgraphs]
        if now is None or peak is None or added is None or None in nested or peak > LARGEST:
            return None
        now += added
        peak = max(peak, now + max((one for one in nested if one is not None), default=0))
        for tensor in _held(node):
            if last[id(tensor)] == index and id(tensor) not in kept and not tensor.variable:
                now -= live.pop(id(tensor), 0)
    return peak


def _held(node: Node) -> Iterator[Tensor]:
    """The values that a node reads and writes, without constants."""
    for tensor in (*node.inputs, *node.outputs):
        if tensor is not None and tensor.data is None:
            yield tensor


def _enter(live: dict[int, int], tensors: tuple[Tensor, ...]) -> int | None:
    """Bytes that these values add to the live ones, which they join; None where the size of one is not known."""
    added = 0
    for tensor in tensors:
        if tensor.data is not None or id(tensor) in live:
            continue
        size = 0 if tensor.dtype in _HANDLES else tensor.nbytes
        if size is None:
            return None
        live[id(tensor)] = size
        added += size
    return added
