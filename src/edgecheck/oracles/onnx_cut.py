"""An ONNX file cut into one-operator models, for oracles that only answer for a whole model.

A piece keeps the operator's own tensors, its attributes and graphs, the opset and IR version. With it stands what an
engine decides it together with: whatever makes an input from constants only (DequantizeLinear, Cast, Reshape, … of a
constant), and around an operator whose inputs come from DequantizeLinear or whose outputs go to QuantizeLinear these
neighbours. Shapes are what edgecheck infers. Not exact where a decision depends on other neighbours (fusion).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecheck.model import formats
from edgecheck.model.graph import Graph, Model, Node, Tensor
from edgecheck.oracles import onnx_probe

#: Operator → chains of operators behind its first output, with which an engine takes it as one.
Patterns = Mapping[str, tuple[tuple[str, ...], ...]]
#: Operator → the operator before its first input, with which an engine takes it as one.
Before = Mapping[str, str]

_BRANCHES = frozenset(
    {"then_branch", "else_branch", "body", "decoder", "encoder", "init_decoder", "score_mod", "prob_mod"}
)
_TO_REAL, _TO_QUANTIZED = "DequantizeLinear", "QuantizeLinear"
_SIZES = ("Shape", "Size")
_MOST_FOLDED = 16  # nodes that make an input from constants
_LARGEST_STORED = 600  # elements of a constant that a stored description holds
_NOT_FOLDED = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One operator as a model of its own: the node `at` of the piece's first graph."""

    graph: int
    index: int
    op: str
    content: bytes | None  # None: it cannot be cut out of its model
    at: int = 0


def cut(model: Path, *, quantized: bool = True) -> list[Piece]:
    """The pieces of the file in its own order, graphs depth-first; `quantized`: with Q and DQ neighbours."""
    read = formats.read(model)
    return list(pieces(read, quantized=quantized))


def pieces(
    model: Model,
    *,
    quantized: bool = True,
    sizes: bool = False,
    patterns: Patterns | None = None,
    before: Before | None = None,
    names: bool = True,
) -> Iterator[Piece]:
    """One for each node of every graph; `sizes`: what comes from the sizes of static tensors counts as constant.

    With `patterns`, an operator at the head of such a chain is cut out together with it; with `before`, together with
    what stands there. `names`: false numbers nodes and tensors, so that what is alike is the same file.
    """
    around = Neighbours(model, sizes=sizes, patterns=patterns, before=before)
    for node in model.nodes:
        spec = describe(node, around, quantized=quantized)
        content = None if spec is None else onnx_probe.write(spec if names else _renamed(spec, {}))
        place = 0 if spec is None else onnx_probe.at(spec)
        yield Piece(graph=node.graph, index=node.index, op=node.op, content=content, at=place)


def _renamed(value: Any, known: dict[str, str]) -> Any:
    """The description with tensors and nodes numbered as they come."""
    if isinstance(value, Mapping):
        new = {key: _renamed(one, known) for key, one in value.items() if key not in ("c", "n")}
        new |= {"c": value["c"]} if "c" in value else {}
        if "n" in value:
            new["n"] = known.setdefault(f"t {value['n']}", f"t{len(known)}")
        if "op" in value and "name" in value:
            new["name"] = known.setdefault(f"n {value['name']}", f"n{len(known)}")
        return new
    return [_renamed(one, known) for one in value] if isinstance(value, list) else value


def _kind(node: Node) -> str:
    """The operator's name without its domain: com.microsoft has a QuantizeLinear of its own."""
    return node.op.rpartition("::")[2]


class Neighbours:
    """Who makes and who reads a tensor of the model."""

    def __init__(
        self, model: Model, *, sizes: bool = False, patterns: Patterns | None = None, before: Before | None = None
    ) -> None:
        self.model, self.sizes, self.patterns, self.before = model, sizes, patterns or {}, before or {}
        self.results = {id(t) for graph in model.graphs for t in graph.outputs}
        self.maker: dict[int, Node] = {}
        self.readers: dict[int, list[Node]] = {}
        for node in model.nodes:
            self.maker |= {id(t): node for t in node.outputs if t is not None}
            for tensor in node.inputs:
                if tensor is not None:
                    self.readers.setdefault(id(tensor), []).append(node)

    def folded(self, tensor: Tensor, left: int = _MOST_FOLDED) -> list[Node]:
        """The nodes, first to last, that make the tensor from constants only; [] where there are none such."""
        maker = self.maker.get(id(tensor))
        if tensor.const or maker is None or maker.op in _NOT_FOLDED or maker.subgraphs or left <= 0:
            return []
        if self.sizes and maker.op in _SIZES and all(t and t.shape and None not in t.shape for t in maker.inputs):
            return [maker]
        chain: list[Node] = []
        for one in maker.inputs:
            if one is None or one.const:
                continue
            earlier = self.folded(one, left - 1 - len(chain))
            if not earlier:
                return []
            chain += [node for node in earlier if node not in chain]
        return [*chain, maker] if any(t is not None for t in maker.inputs) else []

    def quantized(self, node: Node) -> tuple[list[Node], list[Node]]:
        """The DequantizeLinear before and the QuantizeLinear behind a node."""
        makers = [self.maker.get(id(t)) for t in node.inputs if t is not None and not t.const]
        before = [one for one in makers if one is not None and _kind(one) == _TO_REAL]
        readers = [self.readers[id(t)] for t in node.outputs if t is not None and id(t) in self.readers]
        behind = [each[0] for each in readers if all(_kind(one) == _TO_QUANTIZED for one in each)]
        return list(dict.fromkeys(before)), behind if len(behind) == len(readers) else []

    def pattern(self, node: Node) -> list[Node]:
        """The chain behind a node with which it is taken as one: each link is read by the next alone."""
        for ops in self.patterns.get(node.op, ()):
            chain = [node]
            for op in ops:
                tensor = chain[-1].outputs[0] if chain[-1].outputs else None
                readers = self.readers.get(id(tensor), [])
                if len(readers) != 1 or readers[0].op != op or id(tensor) in self.results:
                    break
                chain.append(readers[0])
            if len(chain) > len(ops):
                return chain[1:]
        return []

    def ahead(self, node: Node) -> list[Node]:
        """The operator before a node with which it is taken as one: what makes its first input, for it alone."""
        tensor = node.inputs[0] if node.inputs else None
        maker = self.maker.get(id(tensor))
        if maker is None or maker.op != self.before.get(node.op) or maker.graph != node.graph:
            return []
        return [maker] if len(self.readers[id(tensor)]) == 1 and id(tensor) not in self.results else []

    def unread(self, node: Node) -> int:
        """How many of the last outputs of a node nobody reads."""
        count = 0
        for tensor in reversed(node.outputs):
            if tensor is not None and (id(tensor) in self.readers or id(tensor) in self.results):
                break
            count += 1
        return count

    def unit(self, node: Node) -> Node:
        """The operator that a QuantizeLinear or DequantizeLinear belongs to; the node itself elsewhere."""
        if _kind(node) == _TO_QUANTIZED and node.inputs and node.inputs[0] is not None:
            maker = self.maker.get(id(node.inputs[0]))
            return maker if maker is not None and node in self.quantized(maker)[1] else node
        if _kind(node) == _TO_REAL and node.outputs and node.outputs[0] is not None:
            readers = self.readers.get(id(node.outputs[0]), [])
            return readers[0] if readers and _kind(readers[0]) != _TO_QUANTIZED else node
        return node


def describe(node: Node, around: Neighbours, *, quantized: bool = True) -> dict[str, Any] | None:
    """The description of the node as `onnx_probe.write` takes it, constants still in the model's file.

    None where it cannot be cut out: a call of a function of the file, a type that is not known, a sparse constant.
    """
    unit = around.unit(node) if quantized else node
    before, behind = around.quantized(unit) if quantized else ([], [])
    if unit.graph != node.graph or any(one.graph != node.graph for one in (*before, *behind)):
        unit, before, behind = node, [], []
    chain: list[Node] = []
    for one in (*(around.ahead(node) if node is unit else []), *before, unit):
        for tensor in (t for t in one.inputs if t is not None):
            chain += [n for n in around.folded(tensor) if n.graph == node.graph and n not in chain]
        chain += [one] if one not in chain else []
    chain += [one for one in behind if one not in chain]
    with_it = around.pattern(node) if node is unit else []
    for one in with_it:
        for tensor in (t for t in one.inputs[1:] if t is not None):
            chain += [n for n in around.folded(tensor) if n.graph == node.graph and n not in chain]
        chain += [one] if one not in chain else []
    written = [_node(one, around.model) for one in chain]
    place = chain.index(node)
    if with_it and written[place] is not None:
        kept = len(node.outputs) - around.unread(node)
        written[place] = {**(written[place] or {}), "o": (written[place] or {})["o"][:kept]}
    if any(one is None for one in written) or not _typed(chain):
        return None
    spec: dict[str, Any] = {**(written[place] or {}), **_versions(around.model)}
    sides = {"before": written[:place], "after": written[place + 1 :]}
    return spec | {side: nodes for side, nodes in sides.items() if nodes}


def _versions(model: Model) -> dict[str, Any]:
    opsets = dict(model.metadata.get("opsets") or {})
    main = opsets.pop("", 1)
    spec: dict[str, Any] = {"opset": main, "ir": max(int(model.metadata.get("ir_version") or 0), 4)}
    return spec | ({"opsets": opsets} if opsets else {})


def _typed(chain: list[Node]) -> bool:
    """Whether the types of all that the chain reads from outside are known."""
    made = {id(t) for node in chain for t in node.outputs if t is not None}
    return all(t.dtype is not None for node in chain for t in node.inputs if t is not None and id(t) not in made)


def _node(node: Node, model: Model) -> dict[str, Any] | None:
    """One node with its tensors' names; None for a call of a function of the file."""
    functions = {str(one) for one in model.metadata.get("functions") or ()}
    if node.op in functions or f"::{node.op}" in functions:
        return None
    domain, _, op = node.op.rpartition("::")
    tensors = [t for t in (*node.inputs, *node.outputs) if t is not None]
    if any(t.sparse for t in tensors):
        return None
    # Only what the file says: runtimes refuse `pads` beside `auto_pad`, some engines ask what is there.
    said = {name: value for name, value in node.attrs.items() if node.written is None or name in node.written}
    attributes = {name: _value(name, value, node, model) for name, value in said.items()}
    spec: dict[str, Any] = {"op": op, "name": node.name or f"node_{node.index}"}
    if domain:
        spec["domain"] = domain
    if attributes:
        spec["a"] = {name: value for name, value in attributes.items() if value is not None}
    return spec | {"i": [_tensor(t) for t in node.inputs], "o": [_made(t) for t in node.outputs]}


def _value(name: str, value: Any, node: Node, model: Model) -> Any:
    """An attribute as a description; None for one that is only partly known."""
    if isinstance(value, tuple | list):
        if any(item is None for item in value):
            return None
        return [_value(name, item, node, model) for item in value] or _empty(name)
    if isinstance(value, Tensor):
        return _tensor(value)
    if name in _BRANCHES and value in node.subgraphs:
        return _inner(model.graphs[value], model)
    if name == "type" and isinstance(value, str) and node.op == "Optional":
        return {"type": value}
    return value


def _empty(name: str) -> Any:
    if name.endswith(("strings", "activations")):
        return {"strings": []}
    return {"floats": []} if name.endswith(("floats", "activation_alpha", "activation_beta", "scales")) else []


def _inner(graph: Graph, model: Model) -> dict[str, Any]:
    nodes = [_node(node, model) for node in graph.nodes]
    made = {t.name for node in graph.nodes for t in node.outputs if t is not None}
    return {
        "nodes": [_with_outer(node, made | graph.constants) for node in nodes if node is not None],
        "i": [_tensor(t) for t in graph.inputs],
        "o": [_tensor(t) for t in graph.outputs],
    }


def _with_outer(node: dict[str, Any], own: Set[str]) -> dict[str, Any]:
    """The node; a constant that it reads of a graph around its own is marked so."""
    reads = [one | {"outer": True} if one and "c" in one and one["n"] not in own else one for one in node["i"]]
    return node | {"i": reads}


def _tensor(tensor: Tensor | None) -> dict[str, Any] | None:
    if tensor is None:
        return None
    one: dict[str, Any] = {"n": tensor.name}
    if tensor.dtype is not None:
        one["t"] = tensor.dtype
    if tensor.shape is not None:
        one["s"] = list(tensor.shape)
    if tensor.data is not None:
        one["c"] = tensor.data
    return one


def _made(tensor: Tensor | None) -> dict[str, Any] | None:
    """As `_tensor`; what a Constant makes is no initializer."""
    one = _tensor(tensor)
    return one and {key: value for key, value in one.items() if key != "c"}


def stored(spec: Mapping[str, Any]) -> dict[str, Any] | None:
    """The description in JSON types, names shortened; None where a constant is too large to be stored."""
    names: dict[str, str] = {}
    try:
        plain: dict[str, Any] = _plain(spec, names)
    except _TooLargeError:
        return None
    return plain


class _TooLargeError(Exception):
    """A constant that a stored description does not hold."""


def _plain(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, Mapping) and "n" in value:
        short = names.setdefault(value["n"], f"t{len(names)}")
        return {"n": short} | {k: _constant(value) if k == "c" else v for k, v in value.items() if k != "n"}
    if isinstance(value, Mapping):
        return {k: _plain(v, names) for k, v in value.items() if k != "name" or "op" not in value}
    if isinstance(value, list | tuple):
        return [_plain(item, names) for item in value]
    return value


def _constant(one: Mapping[str, Any]) -> Any:
    c = one["c"]
    if not hasattr(c, "array"):
        return c
    if one["t"].startswith(("float8", "float4", "float6", "bfloat")):
        stored_bytes = c.buffer if hasattr(c, "offset") else None
        if stored_bytes is None or c.nbytes > _LARGEST_STORED:
            raise _TooLargeError
        return {"h": bytes(stored_bytes[c.offset : c.offset + c.nbytes]).hex()}
    if c.nbytes > 8 * (1 << 20):
        raise _TooLargeError
    values = c.array().reshape(-1)
    if values.size > 1 and (values == values[0]).all():
        return {"f": values[0].item() if hasattr(values[0], "item") else values[0]}
    if values.size > _LARGEST_STORED:
        raise _TooLargeError
    return [float(f"{v:.7g}") if isinstance(v, float) else v for v in values.tolist()]
