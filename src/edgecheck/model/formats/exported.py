"""Programs of torch.export (`.pt2`): a zip of JSON and weights, read without torch.

A node is a call as torch.export wrote it ("aten.conv2d.default"), in the order of the file; what torch unpacks of
several outputs is no node. The weights stay in the mapped file. A pickle in the archive is never opened. Source:
torch/_export/serde/schema.py (schema version 8) and torch/export/pt2_archive/constants.py of torch 2.13.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgecheck.errors import FormatError
from edgecheck.model.formats import aten_schema
from edgecheck.model.formats.exported_values import (
    AbsentData,
    constant,
    listing,
    mapping,
    meta,
    named,
    one,
    plain,
    tensor,
    text,
    whole,
)  # fmt: skip
from edgecheck.model.formats.mapped import map_file, release, sha256
from edgecheck.model.formats.stored_zip import entries
from edgecheck.model.graph import Data, Graph, Model, Node, Tensor

SUFFIXES = (".pt2",)
FORMAT = "executorch"

_MAJOR = 8  # of the schema; 7 and before are other JSON
_LARGEST_JSON = 128 << 20
#: Their outputs lie in the memory of their first input.
_VIEWS = frozenset(
    f"aten.{op}"
    for op in (
        *("slice.Tensor", "select.int", "narrow.default", "view.default", "transpose.int", "permute.default"),
        *("unsqueeze.default", "squeeze.default", "squeeze.dim", "squeeze.dims", "t.default", "unflatten.int"),
    )
)
_DEEPEST = 32  # graphs in graphs
_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')
_FOREIGN = re.compile(r"(site|dist)-packages|[\\/]torch[\\/]|^<")
_AGAIN = "write it again with torch.export.save of torch 2.8 or newer"


def read(path: Path) -> Model:
    """The program of a .pt2 file; raises FormatError where it is damaged, of another schema, or holds no program."""
    buffer = map_file(path)
    try:
        return _model(path, buffer)
    except FormatError as error:
        raise FormatError(f"{path}: {error}", help=error.help or _AGAIN) from error


def _model(path: Path, buffer: memoryview) -> Model:
    archive = _Archive(buffer)
    program = mapping(archive.json(archive.model), archive.model)
    major = whole(mapping(program.get("schema_version"), "schema_version").get("major"), "schema_version.major")
    if major != _MAJOR:
        raise FormatError(f"its schema is version {major}, and version {_MAJOR} is read")
    module = mapping(program.get("graph_module"), "graph_module")
    reader = _Reader(archive)
    constants = dict(reader.constants(module))
    reader.graph(mapping(module.get("graph"), "graph_module.graph"), constants, name=archive.name, parent=None, depth=0)
    release(buffer)
    metadata = {
        "kind": "torch.export",
        "torch_version": str(program.get("torch_version", "")),
        "dialect": tuple(str(verifier) for verifier in listing(program.get("verifiers", []), "verifiers")),
    }
    graphs = tuple(reader.graphs[index] for index in sorted(reader.graphs))
    return Model(path=path, format=FORMAT, sha256=sha256(buffer), graphs=graphs, metadata=metadata)


class _Archive:
    """The entries of the zip, under the one folder that torch puts them in."""

    def __init__(self, buffer: memoryview) -> None:
        self.buffer = buffer
        self.entries = entries(buffer)
        programs = sorted(one for one in self.entries if re.fullmatch(r"[^/]*/models/[^/]+\.json", one))
        if not programs:
            old = any(one.endswith("serialized_exported_program.json") for one in self.entries)
            what = "the layout of torch 2.7 or older" if old else "no models/*.json"
            raise FormatError(f"the archive has {what}: not a program of torch.export that is read")
        self.model = next((one for one in programs if one.endswith("/models/model.json")), programs[0])
        self.root = self.model.partition("/")[0]
        self.name = self.model.rpartition("/")[2].removesuffix(".json")

    def json(self, name: str) -> Any:
        start, size = self.entries[name]
        if size > _LARGEST_JSON:
            raise FormatError(f"its {name} has {size:,} bytes; at most {_LARGEST_JSON:,} are read")
        try:
            return json.loads(bytes(self.buffer[start : start + size]))
        except (ValueError, RecursionError) as error:
            raise FormatError(f"its {name} is not JSON: {error}") from None

    def config(self, kind: str) -> Mapping[str, Any]:
        """What the file says of its weights or constants: name → entry."""
        name = f"{self.root}/data/{kind}/{self.name}_{kind}_config.json"
        if name not in self.entries:
            return {}
        return mapping(mapping(self.json(name), name).get("config"), f"config of {name}")

    def data(self, kind: str, name: str, entry: Any) -> Data:
        """The values of one weight or constant, where they lie in the archive."""
        fields = mapping(entry, f"'{name[:80]}'")
        path = f"{self.root}/data/{kind}/{text(fields.get('path_name'), f'the path of {name[:80]!r}')}"
        if fields.get("use_pickle"):
            return AbsentData(f"'{name[:80]}' is stored as a pickle, which is not opened")
        if path not in self.entries:
            return AbsentData(f"'{name[:80]}' should lie in {path[:160]!r}, which is not in the archive")
        return constant(meta(fields.get("tensor_meta"), f"'{name[:80]}'"), self.buffer, self.entries[path])


class _Reader:
    """The graphs of one program while they are read, numbered depth-first."""

    def __init__(self, archive: _Archive) -> None:
        self.archive = archive
        self.graphs: dict[int, Graph] = {}
        self.numbered = 0

    def constants(self, module: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Data, bool]]]:
        """For each input of the graph that is a weight: its values, and whether the program writes to it."""
        signature = mapping(module.get("signature"), "signature")
        stored = {kind: self.archive.config(kind) for kind in ("weights", "constants")}
        written = set(_written(signature))
        in_place = set(_in_place(mapping(module.get("graph"), "graph_module.graph")))
        for spec in listing(signature.get("input_specs"), "input_specs"):
            kind, value = one(spec, "an input_spec")
            if kind not in ("parameter", "buffer", "tensor_constant"):
                continue
            entry = mapping(value, f"a {kind}")
            full = text(entry.get(f"{kind}_name"), f"the name of a {kind}")
            where = next((place for place, config in stored.items() if full in config), None)
            data: Data = AbsentData(f"'{full[:80]}' has no values in the archive")
            if where is not None:
                data = self.archive.data(where, full, stored[where][full])
            name = named(entry.get("arg"), f"a {kind}")
            yield name, (data, full in written or name in in_place)

    def graph(
        self, content: Mapping[str, Any], constants: Mapping[str, tuple[Data, bool]], *,
        name: str, parent: tuple[int, int] | None, depth: int,
    ) -> int:  # fmt: skip
        """Read one graph and those inside it; its number."""
        if depth > _DEEPEST:
            raise FormatError(f"its graphs are nested more than {_DEEPEST} deep")
        number = self.numbered
        self.numbered += 1
        values = _Values(mapping(content.get("tensor_values"), "tensor_values"), constants)
        inputs = tuple(values.arguments(listing(content.get("inputs"), "inputs")))
        nodes = tuple(
            self.node(mapping(node, f"node {index}"), values, (number, index), depth)
            for index, node in enumerate(listing(content.get("nodes"), "nodes"))
        )
        self.graphs[number] = Graph(
            index=number,
            name=name,
            inputs=tuple(one for one in inputs if not (one.const or one.variable)),
            outputs=tuple(values.arguments(listing(content.get("outputs"), "outputs"))),
            nodes=nodes,
            parent=parent,
        )
        return number

    def node(self, content: Mapping[str, Any], values: _Values, place: tuple[int, int], depth: int) -> Node:
        what = f"node {place[1]} of graph {place[0]}"
        op = text(content.get("target"), f"the target of {what}").removeprefix("torch.ops.")
        call = _Call(op)
        for argument in listing(content.get("inputs"), f"the inputs of {what}"):
            entry = mapping(argument, f"an input of {what}")
            name = text(entry.get("name"), f"the name of an input of {what}")
            kind, value = one(entry.get("arg"), f"input '{name[:80]}' of {what}")
            if kind == "as_graph":
                inner = mapping(value, f"input '{name[:80]}' of {what}")
                graph = mapping(inner.get("graph"), f"input '{name[:80]}' of {what}")
                label = text(inner.get("name"), f"the name of a graph of {what}")
                call.subgraphs.append(self.graph(graph, {}, name=label, parent=place, depth=depth + 1))
            else:
                call.take(name, kind, value, values, what)
        outputs = tuple(values.arguments(listing(content.get("outputs"), f"the outputs of {what}")))
        return call.node(place, _label(content, outputs, op), outputs, mapping(content.get("metadata", {}), what))


class _Values:
    """The tensors of one graph by name."""

    def __init__(self, metas: Mapping[str, Any], constants: Mapping[str, tuple[Data, bool]]) -> None:
        self.metas = metas
        self.constants = constants
        self.tensors: dict[str, Tensor] = {}

    def tensor(self, name: str) -> Tensor:
        if name not in self.tensors:
            found = tensor(name, self.metas)
            if name in self.constants:
                data, written = self.constants[name]
                kept = None if written else data
                found = Tensor(name=name, dtype=found.dtype, shape=found.shape, data=kept, variable=written)
            self.tensors[name] = found
        return self.tensors[name]

    def arguments(self, values: list[Any]) -> Iterator[Tensor]:
        """The tensors among arguments; symbols, numbers and what is left out are passed over."""
        for value in values:
            kind, inner = one(value, "an argument")
            yield from (one for one in self.several(kind, inner) or () if one is not None)

    def several(self, kind: str, value: Any) -> list[Tensor | None] | None:
        """The tensors that an argument is; None where it is something else."""
        match kind:
            case "as_tensor":
                return [self.tensor(named(value, "an argument"))]
            case "as_tensors":
                return [self.tensor(named(part, "an argument")) for part in listing(value, "an argument")]
            case "as_optional_tensor":
                return self.several(*one(value, "an argument")) or [None]
            case "as_optional_tensors":
                parts = (one(part, "an argument") for part in listing(value, "an argument"))
                return [found for part in parts for found in (self.several(*part) or [None])]
            case "as_nested_tensors":
                nested = (listing(part, "an argument") for part in listing(value, "an argument"))
                return [self.tensor(named(part, "an argument")) for parts in nested for part in parts]
        return None


class _Call:
    """The arguments of one node: tensors beside their formal names, all else as attributes."""

    def __init__(self, op: str) -> None:
        self.op = op
        self.schema = aten_schema.schema(op)
        self.attrs: dict[str, Any] = {}
        self.given: dict[str, list[Tensor | None]] = {}
        self.subgraphs: list[int] = []

    def take(self, name: str, kind: str, value: Any, values: _Values, what: str) -> None:
        tensors = values.several(kind, value)
        if tensors is not None:
            self.given.setdefault(name, []).extend(tensors)
        elif kind != "as_none" or not self._is_tensor(name):
            self.attrs[name] = plain(kind, value, f"input '{name[:80]}' of {what}")

    def _is_tensor(self, name: str) -> bool:
        arguments = self.schema.arguments if self.schema else ()
        return any(argument.name == name and argument.kind != "value" for argument in arguments)

    def operands(self) -> Iterator[tuple[str, Tensor | None]]:
        """Formal name and tensor in the schema's order; those left out at the end are not listed."""
        order = [argument.name for argument in self.schema.arguments if argument.kind != "value"] if self.schema else []
        last = max((position for position, name in enumerate(order) if name in self.given), default=-1)
        for name in [*order[: last + 1], *(name for name in self.given if name not in order)]:
            yield from ((name, found) for found in self.given.get(name, [None]))

    def node(self, place: tuple[int, int], name: str, outputs: tuple[Tensor, ...], metadata: Mapping[str, Any]) -> Node:
        operands = list(self.operands())
        defaults = self.schema.defaults if self.schema else {}
        left_out = {key: value for key, value in defaults.items() if key not in self.given}
        return Node(
            graph=place[0],
            index=place[1],
            name=name,
            op=self.op,
            version=None,
            inputs=tuple(found for _, found in operands),
            outputs=outputs,
            attrs={**left_out, **self.attrs},
            input_names=tuple(formal for formal, _ in operands),
            subgraphs=tuple(self.subgraphs),
            custom=self.schema is None and not self.op.startswith(("higher_order.", "_operator.", "math.")),
            source=_source(metadata),
        )


def _label(content: Mapping[str, Any], outputs: tuple[Tensor, ...], op: str) -> str:
    """The node's own name in torch's graph."""
    name = content.get("name")
    return name if isinstance(name, str) else next((found.name for found in outputs), op)


def _written(signature: Mapping[str, Any]) -> Iterator[str]:
    """The buffers and parameters that the program changes."""
    for spec in listing(signature.get("output_specs"), "output_specs"):
        kind, value = one(spec, "an output_spec")
        if kind in ("buffer_mutation", "parameter_mutation"):
            yield text(mapping(value, kind).get(f"{kind.partition('_')[0]}_name"), f"the name of a {kind}")


def _in_place(graph: Mapping[str, Any]) -> Iterator[str]:
    """The tensors that an operator of the training dialect writes to, such as `aten.add_.Tensor`, or to a view of."""
    roots: dict[str, str] = {}
    for node in listing(graph.get("nodes"), "nodes"):
        op = mapping(node, "a node").get("target")
        inputs = listing(node.get("inputs", []), "the inputs of a node")
        if not isinstance(op, str) or not inputs:
            continue
        kind, value = one(mapping(inputs[0], "an input of a node").get("arg"), "an input of a node")
        if kind != "as_tensor":
            continue
        read = named(value, "an input of a node")
        read = roots.get(read, read)
        if aten_schema.writes(op.removeprefix("torch.ops.")):
            yield read
        elif op.removeprefix("torch.ops.") in _VIEWS:
            for made in listing(node.get("outputs", []), "the outputs of a node"):
                kind, value = one(made, "an output of a node")
                roots |= {named(value, "an output of a node"): read} if kind == "as_tensor" else {}


def _source(metadata: Mapping[str, Any]) -> str | None:
    """ "file:line" of the user's code that made the node: the innermost frame outside torch; else the module's path."""
    trace = metadata.get("stack_trace")
    frames = _FRAME.findall(trace) if isinstance(trace, str) else []
    own = [frame for frame in reversed(frames) if not _FOREIGN.search(frame[0])]
    if own:
        return f"{own[0][0]}:{own[0][1]}"
    stack = metadata.get("nn_module_stack")
    last = stack.rpartition(";")[2].split(",") if isinstance(stack, str) else []
    return last[1] or None if len(last) > 1 else None
