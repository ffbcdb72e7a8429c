"""The functions of the limit language. Each takes the scope and known values, and may give `Unknown`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgecheck.model.clips import needless
from edgecheck.model.formats.mapped import RawData
from edgecheck.model.graph import Node, Tensor
from edgecheck.tables.equations import canonical, kind, lone_sums
from edgecheck.tables.scope import LARGEST_VALUE, Edges, Scope, Unknown, tensor_field

if TYPE_CHECKING:
    import numpy


#: Operators that runtimes compute away when they load a file with constant inputs.
FOLDING = frozenset({
    "DEQUANTIZE", "DENSIFY", "Cast", "DequantizeLinear", "com.microsoft::DequantizeLinear", "cast", "const", "Constant",
    "ConstantOfShape", "Identity",
    "quantized_decomposed.dequantize_per_tensor.default", "quantized_decomposed.dequantize_per_channel.default",
})  # fmt: skip


def _field(name: str) -> Callable[[Scope, Tensor], Any]:
    return lambda scope, tensor: tensor_field(tensor, name, scope.edges)


def folded(tensor: Tensor, edges: Edges, depth: int = 8) -> bool:
    """Constant, or computed from constants only by ops that runtimes fold when they load the file."""
    layer = {id(tensor): tensor}
    for _ in range(depth + 1):  # layer by layer, each tensor once: a hostile file can have very many ways through
        makers = [edges.producer.get(key) for key, one in layer.items() if not one.const]
        if any(node is None or not (node.op in FOLDING or node.op.startswith("constexpr_")) for node in makers):
            return False
        layer = {id(one): one for node in makers if node for one in node.inputs if one is not None}
        if not layer:
            return True
    return False


#: Operators whose result is not settled when the file is loaded.
DRAWN = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
)


def computed(tensor: Tensor, edges: Edges) -> bool:
    """Constant, or made by whatever operators from constants and from the sizes of static tensors only."""
    known = edges.computed
    ahead = [tensor]
    while ahead:  # a stack of its own: a file can be deeper than Python's
        one = ahead[-1]
        node = edges.producer.get(id(one))
        if id(one) in known or one.const or node is None or _measures(node):
            known.setdefault(id(one), one.const or node is not None)
            ahead.pop()
            continue
        needed = [read for read in node.inputs if read is not None]
        if node.op in DRAWN or node.subgraphs or not all(known.get(id(read), True) for read in needed):
            known[id(one)] = False
            ahead.pop()
            continue
        missing = next((read for read in needed if id(read) not in known), None)
        if missing is None:
            known[id(one)] = True
            ahead.pop()
        elif len(ahead) > len(edges.producer):
            return False  # a ring
        else:
            ahead.append(missing)
    return known[id(tensor)]


def _measures(node: Node) -> bool:
    """A Shape or Size that is known before anything runs."""
    return node.op in ("Shape", "Size") and bool(node.inputs) and node.inputs[0] is not None and static(node.inputs[0])


def origin(tensor: Tensor, edges: Edges) -> str | Unknown:
    """The dtype of the constant that it is, or is folded from."""
    while not tensor.const:
        node = edges.producer.get(id(tensor))
        if node is None or not folded(tensor, edges) or not node.inputs or node.inputs[0] is None:
            return Unknown(f"'{tensor.name}' is not constant")
        if node.op == "ConstantOfShape":  # its input is a shape, not the values
            break
        tensor = node.inputs[0]
    return tensor.dtype or Unknown(f"the dtype of '{tensor.name}' is not known")


def after(scope: Scope, tensor: Tensor) -> Tensor | Unknown:
    """The first output of the only operator that reads it."""
    readers = scope.edges.consumers.get(id(tensor), ())
    made = readers[0].outputs[0] if len(readers) == 1 and readers[0].outputs else None
    return Unknown(f"'{tensor.name}' has not one reader") if made is None else made


def before(scope: Scope, tensor: Tensor) -> Tensor | Unknown:
    """The first input of the operator that makes it."""
    node = scope.edges.producer.get(id(tensor))
    read = node.inputs[0] if node is not None and node.inputs else None
    return Unknown(f"nothing makes '{tensor.name}'") if read is None else read


def siblings(scope: Scope, tensor: Tensor) -> list[Tensor] | Unknown:
    """The inputs of the first operator that reads it, those that are left out skipped."""
    readers = scope.edges.consumers.get(id(tensor), ())
    if not readers:
        return Unknown(f"nothing reads '{tensor.name}'")
    return [one for one in readers[0].inputs if one is not None]


def read_into(scope: Scope, tensor: Tensor) -> list[Tensor] | Unknown:
    """The outputs of the first operator that reads it."""
    readers = scope.edges.consumers.get(id(tensor), ())
    if not readers:
        return Unknown(f"nothing reads '{tensor.name}'")
    return [one for one in readers[0].outputs if one is not None]


def made_from(scope: Scope, tensor: Tensor) -> list[Tensor] | Unknown:
    """The inputs of the operator that makes it, those that are left out skipped."""
    node = scope.edges.producer.get(id(tensor))
    return (
        Unknown(f"nothing makes '{tensor.name}'") if node is None else [one for one in node.inputs if one is not None]
    )


def made_with(scope: Scope, tensor: Tensor, attribute: str) -> Any:
    """An attribute of the operator that makes it."""
    node = scope.edges.producer.get(id(tensor))
    value = None if node is None else node.attrs.get(attribute)
    if value is None:
        return Unknown(f"'{tensor.name}' is not made with {attribute}")
    return list(value) if isinstance(value, tuple) else value


def shape1(_: Scope, tensor: Tensor) -> Any:
    """The plain shape that a TFLite file stores and compilers read: 1 for a dynamic dimension, as converters write."""
    if tensor.shape is None:
        return Unknown(f"the rank of '{tensor.name}' is not known")
    stored = tensor.stored or ()
    return list(stored) if len(stored) == len(tensor.shape) else [1 if dim is None else dim for dim in tensor.shape]


def shape4(scope: Scope, tensor: Tensor) -> Any:
    """`shape1` with ones in front up to four dimensions."""
    shape = shape1(scope, tensor)
    return shape if isinstance(shape, Unknown) else [1] * (4 - len(shape)) + shape


def readers_supported(scope: Scope, tensor: Tensor) -> bool | Unknown:
    """Whether this target supports every node that reads the tensor."""
    if scope.verdict is None:
        return Unknown(f"the readers of '{tensor.name}' are not judged")
    verdicts = {scope.verdict(node) for node in scope.edges.consumers.get(id(tensor), ())}
    if verdicts & {"fallback", "rejected"}:
        return False
    return Unknown(f"a reader of '{tensor.name}' is not decided") if "unknown" in verdicts else True


def reader_verdict(scope: Scope, tensor: Tensor) -> str | Unknown:
    """What this target does with the first operator that reads it: "supported", "fallback" or "rejected"."""
    return _verdict(scope, tensor, next(iter(scope.edges.consumers.get(id(tensor), ())), None))


def maker_verdict(scope: Scope, tensor: Tensor) -> str | Unknown:
    """What this target does with the operator that makes it."""
    return _verdict(scope, tensor, scope.edges.producer.get(id(tensor)))


def _verdict(scope: Scope, tensor: Tensor, node: Node | None) -> str | Unknown:
    verdict = "unknown" if node is None or scope.verdict is None else scope.verdict(node)
    return Unknown(f"what makes or reads '{tensor.name}' is not decided") if verdict == "unknown" else verdict


def static(tensor: Tensor) -> bool:
    return tensor.shape is not None and None not in tensor.shape


def maker_supported(scope: Scope, tensor: Tensor) -> bool | Unknown:
    """Whether this target supports the node that makes the tensor; true of what no node makes."""
    node = scope.edges.producer.get(id(tensor))
    if node is None:
        return True
    verdict = "unknown" if scope.verdict is None else scope.verdict(node)
    return Unknown(f"what makes '{tensor.name}' is not decided") if verdict == "unknown" else verdict == "supported"


def unit_type(tensor: Tensor, edges: Edges) -> str | Unknown:
    """The dtype an engine sees that joins an operator with its DequantizeLinear before and QuantizeLinear behind."""
    seen: Tensor | None = tensor
    node = _converter(tensor, edges)
    if node is not None:
        side = node.inputs if node.op.endswith("DequantizeLinear") else node.outputs
        seen = side[0] if side else None
    dtype = seen.dtype if seen is not None else None
    return dtype or Unknown(f"the dtype of '{tensor.name}' is not known")


def _converter(tensor: Tensor, edges: Edges) -> Node | None:
    """The DequantizeLinear that makes it, or the first of the QuantizeLinear that alone read it."""
    node = edges.producer.get(id(tensor))
    if node is not None and node.op.endswith("DequantizeLinear") and node.inputs:
        return node
    readers = edges.consumers.get(id(tensor), ())
    quantize = [one for one in readers if one.op in ("QuantizeLinear", "com.microsoft::QuantizeLinear")]
    return readers[0] if readers and len(quantize) == len(readers) else None


def clipped(scope: Scope, tensor: Tensor) -> Tensor:
    """What the Relu or Clip makes that alone reads it, if the one QuantizeLinear behind cuts off as much; or itself."""
    readers = scope.edges.consumers.get(id(tensor), ())
    clip = readers[0] if len(readers) == 1 else None
    made = clip.outputs[0] if clip is not None and clip.op in ("Relu", "Clip") and clip.inputs[0] is tensor else None
    behind = () if made is None else scope.edges.consumers.get(id(made), ())
    if clip is None or made is None or len(behind) != 1 or {id(tensor), id(made)} & scope.edges.outer:
        return tensor
    return made if behind[0].op == "QuantizeLinear" and needless(clip, behind[0]) else tensor


def unclipped(scope: Scope, tensor: Tensor) -> Tensor:
    """What the Relu or Clip reads that makes it, where `clipped` of that is this tensor; else itself."""
    node = scope.edges.producer.get(id(tensor))
    read = node.inputs[0] if node is not None and node.inputs else None
    return read if read is not None and clipped(scope, read) is tensor else tensor


def unit_scale(scope: Scope, tensor: Tensor) -> Any:
    """The first scale of the DequantizeLinear before it, or of the QuantizeLinear behind it."""
    return _parameter(scope, tensor, 1)


def unit_zero_point(scope: Scope, tensor: Tensor) -> Any:
    """As `unit_scale`, the first zero point; 0 where none is given."""
    return _parameter(scope, tensor, 2)


def unit_per_channel(scope: Scope, tensor: Tensor) -> bool | Unknown:
    """Whether that DequantizeLinear or QuantizeLinear has more than one scale."""
    given = _given(scope, tensor, 1)
    return given if isinstance(given, Unknown) else given is not None and given.size != 1


def _given(scope: Scope, tensor: Tensor, place: int) -> Tensor | Unknown | None:
    node = _converter(tensor, scope.edges)
    if node is None:
        return Unknown(f"'{tensor.name}' is not in a quantised unit")
    return node.inputs[place] if len(node.inputs) > place else None


def _parameter(scope: Scope, tensor: Tensor, place: int) -> Any:
    given = _given(scope, tensor, place)
    if given is None or isinstance(given, Unknown):
        return 0 if given is None else given
    values = _list(given)
    return values if isinstance(values, Unknown) else values[0] if values else Unknown(f"'{given.name}' is empty")


def _values(tensor: Tensor, most: int) -> numpy.ndarray | Unknown:
    if tensor.data is None:
        return Unknown(f"'{tensor.name}' is not constant")
    if (tensor.size or 0) > most:
        return Unknown(f"'{tensor.name}' has {tensor.size:,} values")
    return tensor.data.array()


def _list(tensor: Tensor) -> list[Any] | Unknown:
    """A small constant's values in order; numpy is imported only for what has to be unpacked."""
    if tensor.data is None:
        return Unknown(f"'{tensor.name}' is not constant")
    if (tensor.size or 0) > LARGEST_VALUE:
        return Unknown(f"'{tensor.name}' has {tensor.size:,} values")
    if isinstance(tensor.data, RawData) and (flat := tensor.data.flat()) is not None:
        return flat
    values: list[Any] = tensor.data.array().reshape(-1).tolist()
    return values


def _unmoved(scope: Scope, tensor: Tensor) -> Tensor:
    """What ONNX operators that keep the order of the values made it from: the constant, where there is one."""
    while tensor.data is None and (node := scope.edges.producer.get(id(tensor))) is not None:
        first = node.inputs[0] if node.inputs else None
        if first is None or node.op not in ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"):
            break
        tensor = first
    return tensor


def value(scope: Scope, tensor: Tensor) -> Any:
    """The values of a constant, flat, or of one that is only reshaped."""
    return _list(_unmoved(scope, tensor))


def scalar(scope: Scope, tensor: Tensor) -> Any:
    """The value of a constant with one element, or of one that is only reshaped."""
    values = _list(_unmoved(scope, tensor))
    if isinstance(values, Unknown):
        return values
    return values[0] if len(values) == 1 else Unknown(f"'{tensor.name}' has {len(values)} values")


def weight_sum(_: Scope, tensor: Tensor, axis: int = 0) -> Any:
    """Largest over the channels of `axis` of sum |w - zero point|."""
    array = _values(tensor, 1 << 28)
    if isinstance(array, Unknown):
        return array
    import numpy

    points = tensor.quantization.zero_points if tensor.quantization else ()
    channels = numpy.moveaxis(array, axis, 0).reshape(array.shape[axis], -1).astype(numpy.int64)
    offsets = numpy.array(points if len(points) == len(channels) else [points[0] if points else 0], dtype=numpy.int64)
    return int(numpy.abs(channels - offsets.reshape(-1, 1)).sum(axis=1).max(initial=0))


def broadcast(_: Scope, a: Tensor, b: Tensor) -> Any:
    if a.shape is None or b.shape is None:
        return Unknown("a rank is not known")
    unknown = False
    for left, right in zip(reversed(a.shape), reversed(b.shape)):
        if left is None or right is None:
            unknown = unknown or not (left == 1 or right == 1)
        elif left != right and 1 not in (left, right):
            return False
    return Unknown("a dimension is not known") if unknown else True


def _same(_: Scope, first: Any, *others: Any) -> Any:
    unknown = None
    for other in others:
        equal = _equal(first, other)
        if equal is False:
            return False
        unknown = unknown or (equal if isinstance(equal, Unknown) else None)
    return unknown or True


def _equal(a: Any, b: Any) -> bool | Unknown:
    """Lists with unknown places are different for sure, or it is unknown."""
    if not isinstance(a, list) or not isinstance(b, list):
        return bool(a == b)
    if len(a) != len(b):
        return False
    missing = [one for pair in zip(a, b) for one in pair if isinstance(one, Unknown)]
    known = ((x, y) for x, y in zip(a, b) if not isinstance(x, Unknown) and not isinstance(y, Unknown))
    if any(x != y for x, y in known):
        return False
    return missing[0] if missing else True


def _numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(_: Scope, *values: Any) -> Any:
        items: Sequence[Any] = values[0] if len(values) == 1 and isinstance(values[0], list) else values
        for item in items:
            if isinstance(item, Unknown):
                return item
        return function(items)

    return apply


def _pow2(_: Scope, number: Any) -> bool:
    return number > 0 and float(number).is_integer() and int(number) & (int(number) - 1) == 0


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "const": lambda _, t: t.const,
    "folded": lambda scope, t: folded(t, scope.edges),
    "computed": lambda scope, t: computed(t, scope.edges),
    "of_model": lambda scope, t: id(t) in scope.edges.outer,
    "readers_supported": readers_supported,
    "maker_supported": maker_supported,
    "unit_type": lambda scope, t: unit_type(t, scope.edges),
    "unit_scale": unit_scale, "unit_zero_point": unit_zero_point, "unit_per_channel": unit_per_channel,
    "origin": lambda scope, t: origin(t, scope.edges),
    "reader_verdict": reader_verdict, "maker_verdict": maker_verdict,
    "siblings": siblings, "read_into": read_into, "made_from": made_from,
    "after": after, "before": before, "clipped": clipped, "unclipped": unclipped, "made_with": made_with,
    "dtype": _field("dtype"), "rank": _field("rank"), "size": _field("size"), "shape": _field("shape"),
    "shape1": shape1, "shape4": shape4, "static": lambda _, t: static(t),
    "quantized": lambda _, t: t.quantization is not None and len(t.quantization.scales) > 0,
    "per_channel": lambda _, t: t.quantization is not None and len(t.quantization.scales) > 1,
    "sparse": lambda _, t: t.sparse,
    "variable": lambda _, t: t.variable,
    "value": value, "scalar": scalar, "weight_sum": weight_sum, "broadcast": broadcast, "same": _same, "pow2": _pow2,
    "len": lambda _, items: len(items),
    "whole": lambda _, n: isinstance(n, int) and not isinstance(n, bool),
    "min": _numbers(min), "max": _numbers(max), "sum": _numbers(sum), "prod": _numbers(math.prod),
    "abs": lambda _, n: abs(n), "round": lambda _, n: round(n), "floor": lambda _, n: math.floor(n),
    "ceil": lambda _, n: math.ceil(n), "log2": lambda _, n: math.log2(n),
    "all": lambda _, *v: all(v), "any": lambda _, *v: any(v),
    "canonical": lambda _, text: canonical(text), "lone_sums": lambda _, text: lone_sums(text),
    "einsum_kind": lambda _, text: kind(text),
}  # fmt: skip
