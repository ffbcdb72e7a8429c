"""One-operator ONNX models from a short description, and back as a `Model`.

A description is JSON: `{"op": "Conv", "domain"?: "com.microsoft", "opset": 17, "a": {attributes}, "i": [tensors],
"o": [tensors]}`, and where needed `"ir"` (the file's IR version), `"opsets"` (versions of other domains),
`"before"` and `"after"` (neighbours: lists of `{"op", "domain"?, "a", "i", "o"}`), so that the operator asked about is
node number `len(before)`, which is `at(spec)`.

A tensor is null (left out) or `{"t": dtype, "s": shape}`; a size of null is not known, a text is the name of one that
is not, without `"s"` the rank is not known. `"sig"` is the shape that the file tells where it tells less than `"s"`,
with -1 for a dynamic size. `"c"` makes a constant: a list, `{"f": number}` (filled), `{"r": seed, "lo": …, "hi": …}`
(random integers), `{"h": "hex"}` (its bytes). Tensors that carry the same `"n"` are one tensor; only one mention
needs a type. A dtype may be `sequence(float32)`, `optional(…)`, `map(int64,float32)`.

Within a graph of an attribute, `"outer": true` marks a constant that the graph around it holds.

An attribute is a number, a text, a list of them, a constant tensor, `{"type": dtype}`, `{"floats": []}` or
`{"strings": []}` (empty lists of these), or a graph: `{"nodes": […], "i": […], "o": […]}`.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecheck.errors import EdgecheckError
from edgecheck.model import formats
from edgecheck.model.graph import DTYPE_BITS, Model
from edgecheck.oracles import onnx_wire as wire

if TYPE_CHECKING:
    import numpy

Spec = Mapping[str, Any]

#: The IR version that came with an opset; from `onnx.helper.VERSION_TABLE` of onnx 1.23.
_IR = ((28, 14), (25, 13), (24, 12), (23, 11), (21, 10), (19, 9), (1, 8))


def at(spec: Spec) -> int:
    """The number of the node that the description asks about."""
    return len(spec.get("before", ()))


def name(spec: Spec) -> str:
    """The operator's name as tables write it: `Conv`, `com.microsoft::Gelu`."""
    domain = spec.get("domain", "")
    return f"{domain}::{spec['op']}" if domain not in ("", "ai.onnx") else str(spec["op"])


def write(spec: Spec) -> bytes:
    """The description as an .onnx file. Raises EdgecheckError for a tensor that it does not describe."""
    nodes = [*spec.get("before", ()), spec, *spec.get("after", ())]
    domains = [node.get("domain", "") for node in nodes]
    opsets = {"": int(spec["opset"])} | {d: _version(d) for d in domains if d not in ("", "ai.onnx")}
    opsets |= spec.get("opsets", {})
    ir = spec.get("ir") or next(ir for opset, ir in _IR if spec["opset"] >= opset)
    return wire.model(_graph(nodes, None, None, "probe"), ir_version=ir, opsets=opsets)


def read(spec: Spec) -> Model:
    """The `Model` that edgecheck reads from the file that `write` makes; nothing of the file stays."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(write(spec))
        file.flush()
        return formats.read(Path(file.name))


def _version(domain: str) -> int:
    return {"ai.onnx.ml": 3}.get(domain, 1)


def _graph(nodes: Sequence[Spec], inputs: Sequence[Spec] | None, outputs: Sequence[Spec] | None, title: str) -> bytes:
    """A GraphProto. Without `inputs` and `outputs`: what nothing makes, and what nothing reads."""
    tensors = _Tensors()
    for one in inputs or ():
        tensors.add(one, "")
    written = [tensors.node(node, number) for number, node in enumerate(nodes)]
    given = tensors.free() if inputs is None else [tensors.add(one, "") for one in inputs]
    results = tensors.last() if outputs is None else [tensors.add(one, "") for one in outputs]
    infos = ([tensors.info(name) for name in side] for side in (given, results))
    return wire.graph(title, written, tensors.constants(), *infos)


class _Tensors:
    """The tensors of a graph that is being written, by name."""

    def __init__(self) -> None:
        self.known: dict[str, Spec] = {}
        self.made: dict[str, int] = {}
        self.used: dict[str, int] = {}

    def add(self, one: Spec, default: str) -> str:
        label = str(one.get("n", default))
        if label not in self.known or ("t" in one and "t" not in self.known[label]):
            self.known[label] = one
        return label

    def node(self, node: Spec, number: int) -> bytes:
        """The NodeProto; unnamed tensors of node 0 are i0, i1, … and o0, …, those of a neighbour n1i0, …"""
        prefix = "" if "opset" in node else f"n{number}"
        reads = ["" if one is None else self.add(one, f"{prefix}i{k}") for k, one in enumerate(node["i"])]
        makes = ["" if one is None else self.add(one, f"{prefix}o{k}") for k, one in enumerate(node["o"])]
        self.used |= dict.fromkeys((label for label in reads if label), number)
        self.made |= dict.fromkeys((label for label in makes if label), number)
        for inner in _graphs(node):
            for captured, one in _captured(inner):
                self.used[self.add({key: one[key] for key in one if key != "outer"}, captured)] = number
        attributes = [wire.attribute(key, value, _attribute) for key, value in (node.get("a") or {}).items()]
        title = node.get("name") or f"{node['op']}_{number}"
        return wire.node(node["op"], node.get("domain", ""), reads, makes, attributes, title)

    def free(self) -> list[str]:
        return [label for label in self.used if label not in self.made and "c" not in self.known[label]]

    def last(self) -> list[str]:
        return [label for label in self.made if label not in self.used or self.known[label].get("out")]

    def constants(self) -> list[bytes]:
        return [constant_message(one, label) for label, one in self.known.items() if "c" in one and "outer" not in one]

    def info(self, label: str) -> bytes:
        one = self.known[label]
        shape = one.get("sig", one.get("s"))
        sizes = None if shape is None else [None if isinstance(d, int) and d < 0 else d for d in shape]
        return wire.value_info(label, one.get("t"), sizes)


def _graphs(node: Spec) -> Iterator[Spec]:
    """The graphs among a node's attributes."""
    for value in (node.get("a") or {}).values():
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, Mapping) and "nodes" in one:
                yield one


def _captured(graph: Spec) -> Iterator[tuple[str, Spec]]:
    """What a graph within a node reads of the graph around it: names that it neither has nor makes."""
    own = {one["n"] for one in graph["i"]} | {one["n"] for node in graph["nodes"] for one in node["o"] if one}
    reads = [one for node in graph["nodes"] for one in node["i"] if one] + list(graph["o"])
    inner = [pair for node in graph["nodes"] for part in _graphs(node) for pair in _captured(part)]
    for label, one in [*((str(one["n"]), one) for one in reads), *inner]:
        if label not in own and ("c" not in one or one.get("outer")):
            yield label, one


def _attribute(value: Spec) -> tuple[int, bytes]:
    if "type" in value:
        return wire.type_attribute(wire.type_(value["type"], None))
    if "nodes" in value:
        return wire.graph_attribute(_graph(value["nodes"], value["i"], value["o"], "inner"))
    return wire.tensor_attribute(constant_message(value, value.get("n", "")))


def constant_message(one: Spec, label: str) -> bytes:
    """A described constant as a TensorProto. `"c"` may also be a `Data` of a model that was read."""
    if one["t"] == "string":
        values = [str(text) for text in constant(one).reshape(-1)]
        return wire.tensor(label, "string", one["s"], None, values)
    return wire.tensor(label, one["t"], one["s"], _raw(one))


def _raw(one: Spec) -> bytes:
    """The constant's bytes as they lie in the file (4 bits: two in a byte)."""
    import numpy

    dtype, c = one["t"], one["c"]
    if isinstance(c, Mapping) and "h" in c:
        return bytes.fromhex(c["h"])
    stored = getattr(c, "buffer", None)
    if stored is not None and hasattr(c, "offset"):
        return bytes(stored[c.offset : c.offset + c.nbytes])
    array = constant(one)
    if dtype == "bfloat16":
        return (numpy.ascontiguousarray(array, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
    bits = DTYPE_BITS.get(dtype, 0)
    if dtype.startswith(("int", "uint")) and bits < 8:
        return _packed(array.reshape(-1), bits)
    if dtype.startswith("float") and bits < 16:
        raise EdgecheckError(f"a constant of {dtype} is described by its bytes", help='write "c": {"h": "hex"}')
    return numpy.ascontiguousarray(array).tobytes()


def _packed(array: numpy.ndarray, bits: int) -> bytes:
    import numpy

    each = 8 // bits
    filling = numpy.zeros(-array.size % each, numpy.int64)
    padded = numpy.append(array.astype(numpy.int64), filling) & ((1 << bits) - 1)
    parts = [padded[place::each] << (place * bits) for place in range(each)]
    return bytes(sum(parts[1:], start=parts[0]).astype(numpy.uint8).tobytes())


def constant(one: Spec) -> numpy.ndarray:
    """A described constant's values in its shape; bfloat16 as float32, integers of fewer than 8 bits as int64."""
    import numpy

    dtype, shape, c = one["t"], list(one["s"]), one["c"]
    size = math.prod(shape)
    kind = "object" if dtype == "string" else _kind(dtype)
    if hasattr(c, "array"):
        array = numpy.asarray(c.array())
    elif isinstance(c, Mapping) and "f" in c:
        array = numpy.full(size, c["f"], kind)
    elif isinstance(c, Mapping) and "r" in c:
        array = numpy.random.RandomState(c["r"]).randint(c.get("lo", 0), c.get("hi", 8), size).astype(kind)
    else:
        with numpy.errstate(over="ignore"):  # a value beyond float16 is infinite there
            array = numpy.array(c, kind)
    if array.size != size:
        raise EdgecheckError(f"a constant of shape {shape} is described with {array.size} values")
    return array.reshape(shape)


def _kind(dtype: str) -> str:
    if dtype == "bfloat16":
        return "float32"
    if dtype.startswith(("int", "uint")) and DTYPE_BITS[dtype] < 8:
        return "int64"
    return dtype
