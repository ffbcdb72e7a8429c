"""Rewrites of ONNX files, with the onnx package: by operator, by ONNX's own definitions, and of the whole file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecheck.model.graph import Node
from edgecheck.rewrites import onnx_layout, onnx_patterns  # noqa: F401 - they register their rules
from edgecheck.rewrites.onnx_build import Builder, Known, inner_names
from edgecheck.rewrites.onnx_operators import RULES

NEEDS = ("onnx", "onnxruntime")
ENVIRONMENT = "torch"
RUNTIME = "onnxruntime"

DEFINITION = "as-onnx-defines-it"
FOLD = "fold-constants"
OPSETS = (21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11)
WHOLE = (FOLD, *(f"opset-{number}" for number in OPSETS))
SAYS = {
    **RULES.says(),
    DEFINITION: "the body that the ONNX standard gives the operator",
    FOLD: "what depends on constants and known shapes only is computed now",
    **{f"opset-{number}": f"the same operators in opset {number}" for number in OPSETS},
}
LARGEST = 1 << 20  # elements of a folded constant


def hints(node: Node, why: str) -> tuple[str, ...]:
    """See `Rewriter`."""
    return RULES.hints(node, why)


def offers(op: str) -> tuple[str, ...]:
    """Rewrites of this operator; last ONNX's own definition, which exists for many."""
    own = RULES.named(op)
    return own if "::" in op else (*own, DEFINITION)


def whole(metadata: Mapping[str, Any], reasons: Sequence[str]) -> tuple[str, ...]:
    """Folding; and other opsets, the nearest first, where a version is what stands in the way."""
    if not any("opset" in reason or "version" in reason for reason in reasons):
        return (FOLD,)
    own = metadata.get("opset")
    others = [one for one in OPSETS if one != own]
    return (FOLD, *(f"opset-{one}" for one in sorted(others, key=lambda one: abs(one - int(own or OPSETS[0])))))


def apply(path: Path, rewrite: str, nodes: Sequence[int], out: Path) -> dict[str, Any]:
    """See `Rewriter`. Raises what onnx raises for a file it refuses."""
    import onnx

    model = onnx.load(str(path))
    if rewrite == FOLD:
        count = _fold(model)
    elif rewrite.startswith("opset-"):
        model = onnx.version_converter.convert_version(model, int(rewrite.removeprefix("opset-")))
        count = len(model.graph.node)
    else:
        count = _replace(model, rewrite, set(nodes))
    if count:
        onnx.checker.check_model(model)
        onnx.save(model, str(out))
    return {"rewritten": count, "versions": {"onnx": onnx.__version__}}


def freeze(path: Path, sizes: Mapping[str, tuple[int, ...]], out: Path) -> None:
    """See `Rewriter`. Sizes of inner values are inferred again."""
    import onnx

    model = onnx.load(str(path))
    named: dict[str, int] = {}
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, sizes.get(value.name, ()), strict=False):
            if dim.HasField("dim_param"):
                named[dim.dim_param] = size
            dim.dim_value = size
    del model.graph.value_info[:]
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in named:
                dim.dim_value = named[dim.dim_param]
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    onnx.checker.check_model(model)
    onnx.save(model, str(out))


def _replace(model: Any, rewrite: str, nodes: set[int]) -> int:
    known = Known(model)
    kept: list[Any] = []
    constants: list[Any] = []
    dropped: set[int] = set()
    count = 0
    for position, node in enumerate(list(model.graph.node)):
        if id(node) in dropped:
            continue
        made = _made(model, node, rewrite, count, known) if position in nodes else None
        if made is None:
            kept.append(node)
            continue
        kept += made[0]
        constants += made[1]
        dropped |= {id(one) for one in made[2]}
        count += 1
    kept = [node for node in kept if id(node) not in dropped]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(constants)
    _import_domains(model)
    return count


def _import_domains(model: Any) -> None:
    """A line for the domain of each new node."""
    import onnx

    known = {one.domain for one in model.opset_import}
    for domain in dict.fromkeys(node.domain for node in model.graph.node):
        if domain not in known and domain != "ai.onnx":
            model.opset_import.append(onnx.helper.make_opsetid(domain, 1))


def _made(
    model: Any, node: Any, rewrite: str, number: int, known: Known
) -> tuple[list[Any], list[Any], list[Any]] | None:
    """New nodes, new constants, and other nodes that go."""
    if rewrite == DEFINITION:
        defined = _defined(model, node, number, known)
        return None if defined is None else (*defined, [])
    ops, _, function = RULES[rewrite]
    name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"
    builder = Builder(model, node, number, known)
    if name not in ops or not function(builder):
        return None
    return builder.nodes, builder.constants, builder.dropped


def _defined(model: Any, node: Any, number: int, known: Known) -> tuple[list[Any], list[Any]] | None:
    """The function body of the operator's schema, its names made fresh."""
    import onnx

    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 1)
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError:
        return None
    function = _body(schema, node, opset, known)
    if function is None or any(one.domain not in ("", "ai.onnx") for one in function.opset_import):
        return None
    given = dict(zip(function.input, node.input, strict=False))
    names = given | dict(zip(function.output, node.output, strict=False))
    prefix = f"{node.name or node.output[0]}_def{number}"
    attributes = {one.name: one for one in (*_defaults(schema), *node.attribute)}
    made: list[Any] = []
    for inner in function.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(inner)
        copy.name = f"{prefix}_{len(made)}"
        copy.input[:] = [names.get(name, f"{prefix}_{name}") if name else "" for name in inner.input]
        copy.output[:] = [names.get(name) or f"{prefix}_{name}" if name else "" for name in inner.output]
        if any(name in function.input and name not in given for name in inner.input):
            copy.input[:] = [
                "" if n in function.input and n not in given else c for n, c in zip(inner.input, copy.input)
            ]
        _refer(copy, attributes)
        copy.metadata_props.extend(node.metadata_props)
        made.append(copy)
    return made, []


def _body(schema: Any, node: Any, opset: int, known: Known) -> Any:
    import onnx

    if schema.has_function:
        versions = list(schema.function_opset_versions)
        fitting = [version for version in versions if version <= opset]  # a newer body may still fit: the checker tells
        return _parsed(schema.get_function_with_opset_version(max(fitting, default=min(versions))))
    if not schema.has_context_dependent_function:
        return None
    types = []
    for name in node.input:
        kind = onnx.TypeProto()
        if name:
            kind.tensor_type.elem_type = known.types.get(name, 1)
        types.append(kind.SerializeToString())
    versions = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
    content = schema.get_context_dependent_function_with_opset_version(
        max(versions, default=opset), node.SerializeToString(), types
    )
    return _parsed(content) if content else None


def _parsed(content: bytes) -> Any:
    import onnx

    function = onnx.FunctionProto()
    function.ParseFromString(content)
    return function


def _defaults(schema: Any) -> list[Any]:
    return [one.default_value for one in schema.attributes.values() if one.default_value.name]


def _refer(node: Any, attributes: dict[str, Any]) -> None:
    """Attributes that refer to the function's get its value, or go where it has none."""
    for attribute in list(node.attribute):
        if not attribute.ref_attr_name:
            continue
        name = attribute.name
        value = attributes.get(attribute.ref_attr_name)
        node.attribute.remove(attribute)
        if value is not None:
            added = node.attribute.add()
            added.CopyFrom(value)
            added.name = name


def _fold(model: Any) -> int:
    """Compute every node that reads constants only, and Shape and Size of what has a known shape."""
    import onnx

    known = Known(model)
    values = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer if _small(one.dims)}
    fed = {one.name for one in model.graph.input}
    values = {name: value for name, value in values.items() if name not in fed}
    kept: list[Any] = []
    folded: dict[str, Any] = {}
    for node in model.graph.node:
        found = _computed(model, node, values, known)
        if found is None:
            kept.append(node)
        else:
            values |= found
            folded |= found
    if not folded or not kept:
        return 0
    shown = {one.name for one in model.graph.output}
    used = {name for node in kept for name in node.input} | inner_names(kept)
    if shown & set(folded):
        return 0
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(v, n) for n, v in folded.items() if n in used)
    return len(folded)


def _small(dims: Any) -> bool:
    total = 1
    for size in dims:
        total *= size
    return total <= LARGEST


_RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
)


def _computed(model: Any, node: Any, values: dict[str, Any], known: Known) -> dict[str, Any] | None:
    """The node's outputs; None where they are not known now, or are no plain arrays."""
    import numpy

    if node.op_type == "Constant":
        return _run(model, node, {})
    if node.op_type in ("Shape", "Size") and node.input[0] in known.shapes:
        return _run(
            model, node, {node.input[0]: numpy.empty(known.shapes[node.input[0]], numpy.uint8)}, shapes_only=True
        )
    if node.op_type in _RANDOM or any(one.HasField("g") for one in node.attribute):
        return None
    if not node.input or any(name and name not in values for name in node.input):
        return None
    if node.op_type in ("DequantizeLinear", "QuantizeLinear"):
        return None  # the pair says how a tensor is quantised: folding it would lose that
    return _run(model, node, {name: values[name] for name in node.input if name})


def _run(model: Any, node: Any, feeds: dict[str, Any], *, shapes_only: bool = False) -> dict[str, Any] | None:
    """One node in onnx's reference evaluator."""
    import numpy
    from onnx.reference import ReferenceEvaluator

    if shapes_only:
        (array,) = feeds.values()
        if node.op_type == "Size":
            return {node.output[0]: numpy.array(array.size, numpy.int64)}
        attrs = {one.name: one.i for one in node.attribute}
        dims = list(array.shape)[attrs.get("start", 0) : attrs.get("end")]
        return {node.output[0]: numpy.array(dims, numpy.int64)}
    import onnx

    inputs = [
        onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    graph = onnx.helper.make_graph([node], "one", inputs, outputs)
    single = onnx.helper.make_model(graph, opset_imports=list(model.opset_import))
    try:
        found = ReferenceEvaluator(single).run(None, feeds)
    except Exception:  # the evaluator raises anything for what it lacks; the node then stays
        return None
    if not all(isinstance(one, numpy.ndarray | numpy.generic) and one.size <= LARGEST for one in found):
        return None
    return dict(zip([name for name in node.output if name], (numpy.asarray(one) for one in found), strict=True))
