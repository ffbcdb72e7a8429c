"""Core ML models, `.mlpackage` folders and `.mlmodel` files, as graphs.

ML Programs (coreml_mil), the old networks (coreml_network), pipelines (one node for each model, whose graphs
follow), and everything else as one node `model::<type>`. Nothing but the standard library is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecheck.errors import FormatError
from edgecheck.model.formats import wire
from edgecheck.model.formats.coreml_description import describe, tensor
from edgecheck.model.formats.coreml_mil import Program
from edgecheck.model.formats.coreml_network import Network
from edgecheck.model.formats.coreml_package import Weights, package_hash, specification
from edgecheck.model.formats.coreml_proto import decode, message
from edgecheck.model.formats.coreml_values import Blob
from edgecheck.model.formats.mapped import map_file, release, sha256
from edgecheck.model.graph import Graph, Model, Node

SUFFIXES = (".mlpackage", ".mlmodel")
FORMAT = "coreml"

_VERSION, _DESCRIPTION, _UPDATABLE = 1, 2, 10
_NETWORKS = ("neuralNetwork", "neuralNetworkClassifier", "neuralNetworkRegressor")
_PIPELINES = ("pipeline", "pipelineClassifier", "pipelineRegressor")
_DEPTH = 8
_NEWEST = 1000  # a specification version above this is not one


def read(path: Path) -> Model:
    """The model at `path`; FormatError for what is not one, or is cut off."""
    file = specification(path)
    buffer = map_file(file)
    reader = _Reader(buffer, Weights(folder=file.parent))
    try:
        metadata = reader.model(0, len(buffer), "main", 0)
    except FormatError as error:
        raise FormatError(f"{path}: {error}", help=error.help or "copy or export the model again") from error
    if not any(graph is not None for graph in reader.graphs):
        raise FormatError(f"{path} holds no model: no field of a Core ML specification is in it")
    graphs = tuple(graph for graph in reader.graphs if graph is not None)
    release(buffer)
    digest = package_hash(path) if path.is_dir() else sha256(buffer)
    metadata |= {"weights": _weight_files(graphs, reader.weights), "compute_precision": _precision(graphs)}
    return Model(path=path, format=FORMAT, sha256=digest, graphs=graphs, metadata=metadata)


@dataclass(slots=True)
class _Reader:
    buffer: wire.Buffer
    weights: Weights
    graphs: list[Graph | None] = field(default_factory=list)

    def model(self, start: int, end: int, name: str, depth: int) -> dict[str, Any]:
        """Read one Model message into graphs; its metadata."""
        if depth > _DEPTH:
            raise FormatError(f"pipelines are nested deeper than {_DEPTH}")
        version, described, kind, where, updatable = 0, None, "", (0, 0), False
        for number, wire_type, at, stop in wire.fields(self.buffer, start, end):
            if number == _VERSION and wire_type == wire.VARINT:
                version = at
            elif number == _DESCRIPTION and wire_type == wire.LEN:
                described = (at, stop)
            elif number == _UPDATABLE and wire_type == wire.VARINT:
                updatable = at != 0
            elif number >= 200 and wire_type == wire.LEN:
                known = message("Model").get(number)
                kind, where = known.name if known else f"type_{number}", (at, stop)
        if not kind or not 1 <= version <= _NEWEST:
            raise FormatError(
                "this is not a Core ML model: it names no model type" if not kind else _bad_version(version)
            )
        metadata: dict[str, Any] = {"specification_version": version, "type": kind, "updatable": updatable}
        metadata |= describe(self.buffer, *described) if described else describe(self.buffer, 0, 0)
        return metadata | self._body(kind, where, metadata, name, depth)

    def _body(self, kind: str, where: tuple[int, int], about: dict[str, Any], name: str, depth: int) -> dict[str, Any]:
        if kind == "mlProgram":
            program = Program(self.buffer, self.weights, self.graphs)
            program.read(*where, about["default_function"] or "main")
            return {"opsets": program.opsets, "class_labels": self._program_labels()}
        if kind in _PIPELINES:
            return {"models": self._pipeline(kind, where, about, name, depth)}
        inputs = tuple(tensor(item) for item in about["inputs"])
        outputs = tuple(tensor(item) for item in about["outputs"])
        if kind in _NETWORKS:
            Network(self.buffer, self.graphs).read(name, *where, inputs, outputs)
            return {
                "class_labels": self._labels(*where),
                "preprocessing": self._preprocessing(*where),
                "array_mapping": self._array_mapping(*where),
            }
        number = len(self.graphs)
        node = Node(
            graph=number, index=0, name=name, op=f"model::{kind}", version=None, inputs=inputs, outputs=outputs,
            attrs={}, input_names=("input",) * len(inputs), custom=kind == "customModel",
        )  # fmt: skip
        self.graphs.append(Graph(index=number, name=name, inputs=inputs, outputs=outputs, nodes=(node,)))
        return {}

    def _pipeline(
        self, kind: str, where: tuple[int, int], about: dict[str, Any], name: str, depth: int
    ) -> list[dict[str, Any]]:
        """One node for each contained model in a graph of their own; the models' graphs follow."""
        number = len(self.graphs)
        self.graphs.append(None)
        if kind != "pipeline":
            where = next(self._messages(*where, 1), (0, 0))
        names = [wire.text(self.buffer, *part) for part in self._messages(*where, 2)]
        nodes, described = [], []
        for index, part in enumerate(self._messages(*where, 1)):
            label = names[index] if index < len(names) else f"{name}[{index}]"
            first = len(self.graphs)
            metadata = self.model(*part, label, depth + 1)
            described.append(metadata)
            inner = self.graphs[first]
            assert inner is not None
            self.graphs[first] = Graph(
                index=first, name=inner.name, inputs=inner.inputs, outputs=inner.outputs, nodes=inner.nodes,
                parent=(number, index),
            )  # fmt: skip
            nodes.append(_stage(number, index, label, metadata, first))
        inputs = tuple(tensor(item) for item in about["inputs"])
        outputs = tuple(tensor(item) for item in about["outputs"])
        self.graphs[number] = Graph(index=number, name=name, inputs=inputs, outputs=outputs, nodes=tuple(nodes))
        return described

    def _messages(self, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
        for found, kind, at, stop in wire.fields(self.buffer, start, end):
            if found == number and kind == wire.LEN:
                yield at, stop

    def _labels(self, start: int, end: int) -> dict[str, Any] | None:
        """How many class labels a network classifier has, and of which type."""
        for number, dtype in ((100, "string"), (101, "int64")):
            for part in self._messages(start, end, number):
                return {"type": dtype, "count": _count(self.buffer, *part, dtype)}
        return None

    def _program_labels(self) -> dict[str, Any] | None:
        """The labels of a `classify` operation."""
        for graph in self.graphs:
            for node in graph.nodes if graph else ():
                if node.op == "classify" and "classes" in node.input_names:
                    classes = node.inputs[node.input_names.index("classes")]
                    if classes is not None:
                        return {"type": classes.dtype, "count": classes.size}
        return None

    def _array_mapping(self, start: int, end: int) -> str:
        """Whether arrays keep their rank in a network, or become five dimensions, as they did before iOS 13."""
        mapping = 0
        for number, kind, at, _ in wire.fields(self.buffer, start, end):
            if number == 5 and kind == wire.VARINT:
                mapping = at
        return {0: "RANK5_ARRAY_MAPPING", 1: "EXACT_ARRAY_MAPPING"}.get(mapping, str(mapping))

    def _preprocessing(self, start: int, end: int) -> list[dict[str, Any]]:
        """What a network does to its images first: scale and biases."""
        return [decode(self.buffer, *part, "NeuralNetworkPreprocessing") for part in self._messages(start, end, 2)]


def _bad_version(version: int) -> str:
    return f"this is not a Core ML model: it says specification version {version:,}"


def _count(buf: wire.Buffer, start: int, end: int, dtype: str) -> int:
    """Elements of a StringVector or an Int64Vector."""
    held = [item for item in wire.fields(buf, start, end) if item[0] == 1]
    return len(held) if dtype == "string" else sum(len(wire.varints(buf, kind, at, stop)) for _, kind, at, stop in held)


def _stage(graph: int, index: int, label: str, metadata: dict[str, Any], first: int) -> Node:
    inputs = tuple(tensor(item) for item in metadata["inputs"])
    return Node(
        graph=graph, index=index, name=label, op=f"model::{metadata['type']}", version=None, inputs=inputs,
        outputs=tuple(tensor(item) for item in metadata["outputs"]), attrs={}, input_names=("input",) * len(inputs),
        subgraphs=(first,),
    )  # fmt: skip


def _weight_files(graphs: tuple[Graph, ...], weights: Weights) -> dict[str, int | None]:
    """Bytes of every weight file the model names; None for one that is missing."""
    names = {
        held.data.file
        for graph in graphs
        for node in graph.nodes
        for held in (*node.inputs, *node.outputs)
        if held is not None and isinstance(held.data, Blob)
    }
    return {name: file.stat().st_size if (file := weights.file(name)).is_file() else None for name in sorted(names)}


def _precision(graphs: tuple[Graph, ...]) -> str | None:
    """The float type operations compute in: float16, float32, or mixed; None where there is none."""
    found = {
        made.dtype
        for graph in graphs
        for node in graph.nodes
        if node.op not in ("const", "cast") and not node.op.startswith(("constexpr_", "model::"))
        for made in node.outputs
        if made is not None and made.dtype in ("float16", "float32")
    }
    return "mixed" if len(found) > 1 else next(iter(found), None)
