"""A model as the risk rules see it: operators by one name whatever the format, edges, small constants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecheck.findings import Finding
from edgecheck.model.graph import Model, Node, Tensor
from edgecheck.tables.scope import Edges

if TYPE_CHECKING:
    from collections.abc import Iterable

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})

#: The formats' names for the same operation, lower case and without underscores.
_SAME = {
    "logistic": "sigmoid",
    "sum": "reducesum",
    "mean": "reducemean",
    "reducemax": "max_of",
    "reducemin": "min_of",
    "reducesumsquare": "reducesumsquare",
    "reducel2": "reducel2norm",
    "reducel2norm": "reducel2norm",
    "l2norm": "l2normalization",
    "lpnormalization": "l2normalization",
    "fullyconnected": "matmul",
    "batchmatmul": "matmul",
    "linear": "matmul",
    "gemm": "matmul",
    "realdiv": "div",
    "rsqrt": "rsqrt",
    "pow": "pow",
    "neg": "neg",
    "transpose": "transpose",
}


def kind(node: Node) -> str:
    """The operation's name, the same for the three formats: `reducesum`, `matmul`, `exp`."""
    name = node.op.rpartition("::")[2].lower().replace("_", "")
    return _SAME.get(name, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A model with its edges."""

    model: Model
    edges: Edges

    @classmethod
    def of(cls, model: Model) -> View:
        return cls(model=model, edges=Edges.of(model.graphs))

    def maker(self, tensor: Tensor | None) -> Node | None:
        """The node that makes a tensor; None for inputs and constants."""
        return None if tensor is None else self.edges.producer.get(id(tensor))

    def readers(self, tensor: Tensor | None) -> Sequence[Node]:
        return () if tensor is None else self.edges.consumers.get(id(tensor), ())

    def finding(self, rule: str, message: str, nodes: Sequence[Node], *, evidence: Iterable[str], help: str) -> Finding:
        """A note at the first of `nodes`, counted."""
        first = nodes[0]
        name = f" '{first.name}'" if first.name else ""
        place = f"graph {first.graph} node {first.index}{name}" + (f" ({first.source})" if first.source else "")
        return Finding(
            rule=rule,
            severity="note",
            message=message,
            model=str(self.model.path),
            place=place,
            evidence=tuple(evidence),
            help=help,
            count=len(nodes),
        )


def floating(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.dtype in FLOATS


def scalar(tensor: Tensor | None) -> float | None:
    """The number a one-element constant holds; None for all else, and where only numpy could unpack it."""
    if tensor is None or tensor.data is None or tensor.size != 1:
        return None
    flat = getattr(tensor.data, "flat", None)
    values: list[Any] | None = flat() if flat is not None else None
    if not values or isinstance(values[0], (str, bytes)):
        return None
    return float(values[0])


def constants(view: View, node: Node) -> Iterator[Tensor]:
    """Inputs of a node that are constants, those behind a DEQUANTIZE or Cast too."""
    for tensor in node.inputs:
        if tensor is None:
            continue
        maker = view.maker(tensor)
        if maker is not None and kind(maker) in {"dequantize", "dequantizelinear", "cast"} and maker.inputs:
            tensor = maker.inputs[0]
        if tensor is not None and tensor.const:
            yield tensor
