"""ONNX messages into graphs: names resolved, defaults filled in, types and shapes completed.

Graphs are numbered depth-first in the order of the file: a node's graphs, in the order of its attributes, come
right behind the graph that holds the node. The bodies of model-local functions follow after all of these, in the
order of the file; a node that calls one has its number in `subgraphs`. Each body stands once, however often it
is called, so that the nodes of all graphs are the operators that stand in the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecheck.errors import FormatError
from edgecheck.model.formats import (
    onnx_rules_math,
    onnx_rules_move,
    onnx_rules_sequence,
    onnx_rules_space,
    onnx_schema,
)
from edgecheck.model.formats.onnx_attributes import imply
from edgecheck.model.formats.onnx_control import bind, conclude
from edgecheck.model.formats.onnx_data import ListData, constant, sparse
from edgecheck.model.formats.onnx_messages import (
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    Type,
)
from edgecheck.model.formats.onnx_order import nested_graphs, refuse_disorder
from edgecheck.model.formats.onnx_shapes import Call, Value, infer, merge, refine
from edgecheck.model.graph import Graph, Node, Tensor

RULES = (
    onnx_rules_math,
    onnx_rules_move,
    onnx_rules_sequence,
    onnx_rules_space,
)  # imported for the rules they register
_MOST_CALLS = 4096  # of functions of the file, with different types, that are followed
_DEEPEST_CALL = 16
_FRAME = re.compile(r'File "([^"]+)", line (\d+)|(\S[^\n]*?)\((\d+)\): ')
_FOREIGN = re.compile(r"(^|/)(site-packages|dist-packages|torch)/")


@dataclass(slots=True)
class _Scope:
    """The names that a graph's nodes can read: its own, then those of the graphs around it."""

    values: dict[str, Value] = field(default_factory=dict)
    outer: _Scope | None = None

    def find(self, name: str) -> Value | None:
        scope: _Scope | None = self
        while scope is not None:
            found = scope.values.get(name)
            if found is not None:
                return found
            scope = scope.outer
        return None


@dataclass(slots=True)
class _Step:
    """A node with what was found out about it."""

    proto: NodeProto
    op: str
    version: int | None
    inputs: list[Value | None]
    outputs: list[Value | None]
    attrs: dict[str, Any]
    input_names: tuple[str, ...]
    subgraphs: tuple[int, ...]


class Builder:
    """Makes the graphs of one file."""

    def __init__(self, buffer: memoryview, model: ModelProto, folder: Path) -> None:
        self.buffer = buffer
        self.model = model
        self.folder = folder
        self.overridable: list[str] = []
        self._graphs: list[Graph | None] = []
        self._results: dict[int, list[Value]] = {}
        self._functions: dict[tuple[str, str, str], tuple[int, FunctionProto]] = {}
        self._given: dict[
            int, list[Value]
        ] = {}  # number of a function's body → what its calls give, as far as they agree
        self._made: dict[tuple[int, Any], list[Value]] = {}  # what a call with these types makes
        self._deep = 0

    def graphs(self) -> tuple[Graph, ...]:
        main = self.model.graph
        if main is None:
            raise FormatError("the file holds no graph: it is not an ONNX model")
        refuse_disorder(self.model)
        number = _graphs_within(main)
        for function in self.model.functions:
            self._functions[function.domain, function.graph.name, function.overload] = (number, function)
            number += _graphs_within(function.graph)
        opsets = self.model.opsets or {"": 1}  # the first two IR versions had one opset and did not say so
        self._graph(main, None, opsets, None, [])
        for function in self.model.functions:
            bound = self._given.get(len(self._graphs), [])
            self._graph(function.graph, None, {**opsets, **function.opsets}, None, bound)
        return tuple(graph for graph in self._graphs if graph is not None)

    def _graph(
        self,
        proto: GraphProto,
        outer: _Scope | None,
        opsets: dict[str, int],
        parent: tuple[int, int] | None,
        bound: list[Value],
    ) -> int:
        """Read one graph and those within it; returns its number."""
        index = len(self._graphs)
        self._graphs.append(None)
        scope = _Scope(outer=outer)
        self._constants(proto, scope)
        inputs = self._inputs(proto, scope, bound, main=index == 0)
        declared = {value.name: value.type for value in (*proto.values, *proto.outputs)}
        _register_outputs(proto, scope, declared)
        steps = [self._step(node, (index, i), scope, opsets, declared) for i, node in enumerate(proto.nodes)]
        self._results[index] = [_output(value.name, value.type, scope, proto.name) for value in proto.outputs]
        self._graphs[index] = Graph(
            index=index,
            name=proto.name,
            inputs=tuple(_tensor(value) for value in inputs),
            outputs=tuple(_tensor(value) for value in self._results[index]),
            nodes=tuple(_node(step, index, i) for i, step in enumerate(steps)),
            parent=parent,
            constants=frozenset(tensor.name for tensor in proto.constants),
        )
        return index

    def _constants(self, proto: GraphProto, scope: _Scope) -> None:
        for tensor in proto.constants:
            scope.values[tensor.name] = self._value(tensor, tensor.name)
        for dispersed in proto.sparse_constants:
            scope.values[dispersed.values.name] = self._value(dispersed, dispersed.values.name)

    def _value(self, tensor: TensorProto | SparseTensorProto, name: str) -> Value:
        if isinstance(tensor, SparseTensorProto):
            data = sparse(self.buffer, tensor, self.folder)
            return Value(name, tensor.values.dtype, tuple(tensor.dims), data, sparse=True)
        return Value(name, tensor.dtype, tuple(tensor.dims), constant(self.buffer, tensor, self.folder))

    def _inputs(self, proto: GraphProto, scope: _Scope, bound: list[Value], *, main: bool) -> list[Value]:
        """The values that the caller gives. Until IR 3 every constant is an input too, but none that is given."""
        inputs = []
        for i, info in enumerate(proto.inputs):
            given = bound[i] if i < len(bound) else Value()
            value = Value(info.name, info.type.dtype or given.dtype, refine(info.type.shape, given.shape))
            if info.name in scope.values:
                if self.model.ir_version < 4:
                    continue
                if main:
                    self.overridable.append(info.name)
            scope.values[info.name] = value
            inputs.append(value)
        return inputs

    def _step(
        self, proto: NodeProto, at: tuple[int, int], scope: _Scope, opsets: dict[str, int], declared: dict[str, Type]
    ) -> _Step:
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        op = f"{domain}::{proto.op}" if domain else proto.op
        function = self._functions.get((proto.domain, proto.op, proto.overload))
        schema = None if function else onnx_schema.schema(domain, proto.op, opsets.get(domain, 0))
        since = schema.since if schema else 0 if onnx_schema.standard(domain) else 1
        inputs = [_input(name, scope, proto, at) for name in proto.inputs]
        attrs, subgraphs = self._attributes(proto, at, scope, opsets, (op, since, inputs))
        if schema:
            mentioned = {attribute.name for attribute in proto.attributes}
            attrs |= {name: value for name, value in schema.defaults.items() if name not in mentioned}
            imply(op, since, attrs, inputs)
        outputs = [scope.values[name] if name else None for name in proto.outputs]
        if since:
            self._infer(Call(op, since, attrs, inputs), outputs, declared, subgraphs)
        if function:
            subgraphs = (function[0],)
            self._call(function, inputs, outputs, opsets)
        names = _formal_names(schema, function, len(inputs))
        return _Step(proto, op, schema.since if schema else None, inputs, outputs, attrs, names, subgraphs)

    def _attributes(
        self, proto: NodeProto, at: tuple[int, int], scope: _Scope, opsets: dict[str, int], node: tuple[str, int, Any]
    ) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Values by name, and the numbers of the graphs among them; what a function's caller gives is left out."""
        attrs: dict[str, Any] = {}
        graphs: dict[str, Any] = {}
        for attribute in proto.attributes:
            value = attribute.value
            if isinstance(value, GraphProto) or (
                isinstance(value, tuple) and value and isinstance(value[0], GraphProto)
            ):
                graphs[attribute.name] = value
            elif not attribute.refers and value is not None:
                attrs[attribute.name] = self._plain(value)
        op, since, inputs = node
        subgraphs: list[int] = []
        for name, value in graphs.items():
            many = value if isinstance(value, tuple) else (value,)
            defaults = onnx_schema.schema("", op, since)
            bound = bind(op, since, {**(defaults.defaults if defaults else {}), **attrs}, inputs)
            numbers = tuple(self._graph(graph, scope, opsets, at, bound) for graph in many)
            attrs[name] = numbers if isinstance(value, tuple) else numbers[0]
            subgraphs += numbers
        return attrs, tuple(subgraphs)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, TensorProto | SparseTensorProto):
            return _tensor(self._value(value, value.name if isinstance(value, TensorProto) else value.values.name))
        if isinstance(value, Type):
            return value.dtype
        if isinstance(value, tuple):
            return tuple(self._plain(item) for item in value) if value and not _simple(value[0]) else value
        return value

    def _call(
        self, function: tuple[int, FunctionProto], inputs: list[Value | None], outputs: list[Value | None], opsets: Any
    ) -> None:
        """Note what a call gives to a function's body, and complete what it makes by reading the body with it."""
        number, body = function
        given = [Value("", one.dtype, one.shape) if one else Value() for one in inputs]
        before = self._given.get(number)
        self._given[number] = [_agreed(a, b) for a, b in zip(before, given)] if before is not None else given
        key = number, tuple((one.dtype, one.shape) for one in given)
        if key not in self._made and len(self._made) < _MOST_CALLS and self._deep < _DEEPEST_CALL:
            self._deep += 1
            self._made[key] = []  # a function that calls itself makes nothing that is known
            first = len(self._graphs)
            scratch = self._graph(body.graph, None, {**opsets, **body.opsets}, None, given)
            self._made[key] = self._results[scratch]
            del self._graphs[first:]
            self._deep -= 1
        for value, found in zip(outputs, self._made.get(key, ())):
            if value is not None:
                value.dtype, value.shape = value.dtype or found.dtype, refine(value.shape, found.shape)

    def _infer(
        self, call: Call, outputs: list[Value | None], declared: dict[str, Type], subgraphs: tuple[int, ...]
    ) -> None:
        """Complete the outputs; what the file declares wins."""
        call.out = [Value() for _ in outputs]
        if call.op == "Constant":
            _constant_node(call)
        elif subgraphs:
            conclude(call, [self._results[number] for number in subgraphs])
        else:
            infer(call)
        for value, found in zip(outputs, call.out, strict=True):
            if value is None:
                continue
            value.data, value.sparse, value.known = found.data, found.sparse, found.known
            value.dtype = value.dtype or found.dtype
            value.shape = refine(value.shape, found.shape)


def _agreed(first: Value, second: Value) -> Value:
    """What two calls give alike."""
    return Value("", first.dtype if first.dtype == second.dtype else None, merge(first.shape, second.shape))


def _simple(value: object) -> bool:
    return isinstance(value, int | float | str)


def _graphs_within(graph: GraphProto) -> int:
    """The graph and all that are nested in it."""
    return 1 + sum(_graphs_within(inner) for node in graph.nodes for inner in nested_graphs(node))


def _register_outputs(proto: GraphProto, scope: _Scope, declared: dict[str, Type]) -> None:
    made = {value.name for value in proto.inputs} | {one.name for one in proto.constants}
    for i, node in enumerate(proto.nodes):
        for name in node.outputs:
            if name in made:
                raise FormatError(f"node {i} ({node.op}) of graph {proto.name!r} makes {name!r}, which is there")
            if name:
                made.add(name)
                type_ = declared.get(name, Type())
                scope.values[name] = Value(name, type_.dtype, type_.shape)


def _input(name: str, scope: _Scope, node: NodeProto, at: tuple[int, int]) -> Value | None:
    if not name:
        return None
    value = scope.find(name)
    if value is None:
        raise FormatError(f"node {at[1]} ({node.op}) of graph {at[0]} reads {name!r}, which nothing makes")
    return value


def _output(name: str, type_: Type, scope: _Scope, graph: str) -> Value:
    value = scope.find(name)
    if value is None:
        raise FormatError(f"graph {graph!r} gives {name!r}, which nothing makes")
    value.dtype = value.dtype or type_.dtype
    return value


def _formal_names(
    schema: onnx_schema.Schema | None, function: tuple[int, FunctionProto] | None, count: int
) -> tuple[str, ...]:
    if schema:
        return schema.input_names(count)
    if function:
        names = [value.name for value in function[1].graph.inputs][:count]
        return (*names, *("",) * (count - len(names)))
    return ()


def _constant_node(call: Call) -> None:
    if not call.out:
        return
    out = call.out[0]
    for name in ("value", "sparse_value"):
        tensor = call.attrs.get(name)
        if isinstance(tensor, Tensor):
            out.dtype, out.shape, out.data, out.sparse = tensor.dtype, tensor.shape, tensor.data, tensor.sparse
            return
    for suffix, dtype in (("int", "int64"), ("float", "float32"), ("string", "string")):
        one, many = call.attrs.get(f"value_{suffix}"), call.attrs.get(f"value_{suffix}s")
        if one is not None or isinstance(many, tuple):
            values = (one,) if one is not None else many or ()
            out.dtype, out.shape = dtype, () if one is not None else (len(values),)
            out.data = ListData(values, dtype, () if one is not None else (len(values),))
            return


def _tensor(value: Value) -> Tensor:
    if value.tensor is None:
        value.tensor = Tensor(
            name=value.name, dtype=value.dtype, shape=value.shape, data=value.data, sparse=value.sparse
        )
    return value.tensor


def _node(step: _Step, graph: int, index: int) -> Node:
    proto = step.proto
    return Node(
        graph=graph,
        index=index,
        name=proto.name,
        op=step.op,
        version=step.version,
        inputs=tuple(_tensor(value) if value else None for value in step.inputs),
        outputs=tuple(_tensor(value) if value else None for value in step.outputs),
        attrs=step.attrs,
        input_names=step.input_names,
        subgraphs=step.subgraphs,
        custom=not onnx_schema.standard(step.op.rpartition("::")[0]) and not step.input_names,
        source=_source(proto),
        written=frozenset(attribute.name for attribute in proto.attributes),
    )


def _source(proto: NodeProto) -> str | None:
    """ "file:line" of the user's code that made the node: the innermost frame outside the framework.

    torch.export writes Python's traceback, innermost last; the exporter of before wrote its own, innermost first.
    """
    frames = [
        (match[1], match[2]) if match[1] else (match[3], match[4])
        for match in _FRAME.finditer(proto.properties.get("pkg.torch.onnx.stack_trace") or "")
    ][::-1] or [(match[3], match[4]) for match in _FRAME.finditer(proto.doc) if match[3]]
    own = [frame for frame in frames if not _FOREIGN.search(frame[0])]
    return f"{own[0][0]}:{own[0][1]}" if own else None
