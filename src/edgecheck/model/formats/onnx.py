"""ONNX files: every opset and IR version, nested graphs, model-local functions, other domains, external data.

Read without the `onnx` package. Constants stay in the file until their values are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgecheck.errors import FormatError
from edgecheck.model.formats.mapped import map_file, release, sha256
from edgecheck.model.formats.onnx_graph import Builder
from edgecheck.model.formats.onnx_messages import ModelProto
from edgecheck.model.formats.onnx_proto import Walk
from edgecheck.model.graph import Graph, Model

SUFFIXES = (".onnx",)
FORMAT = "onnx"


def read(path: Path) -> Model:
    """The model in an .onnx file.

    `metadata`: ir_version, opsets (by domain), opset (ONNX's own, for limits: env.file_opset), producer,
    producer_version, model_version, functions (names of the model-local ones), overridable (constants that a
    caller may replace, which are inputs here), static_inputs (whether every size of the inputs that are read is
    known, for limits: env.file_static_inputs; None where one has no shape at all).
    Raises FormatError for a file that is not a model, is damaged, or would need more memory than a model may.
    """
    buffer = map_file(path)
    try:
        proto = Walk(buffer).model()
        builder = Builder(buffer, proto, path.parent)
        graphs = builder.graphs()
    except FormatError as error:
        raise FormatError(f"{path}: {error}", help="export the model again, or check it with `onnx.checker`") from error
    release(buffer)
    return Model(
        path=path,
        format=FORMAT,
        sha256=sha256(buffer),
        graphs=graphs,
        metadata=_metadata(proto, builder.overridable) | {"static_inputs": static_inputs(graphs)},
    )


def static_inputs(graphs: Sequence[Graph]) -> bool | None:
    """Whether every size of the inputs that are read is known; None where one has no shape at all."""
    read = {id(tensor) for graph in graphs for node in graph.nodes for tensor in node.inputs}
    shapes = [one.shape for one in graphs[0].inputs if not one.const and id(one) in read]
    known = [shape for shape in shapes if shape is not None]
    return all(None not in shape for shape in known) if len(known) == len(shapes) else None


def _metadata(proto: ModelProto, overridable: list[str]) -> dict[str, object]:
    return {
        "ir_version": proto.ir_version,
        "opsets": dict(sorted(proto.opsets.items())),
        "opset": proto.opsets.get(""),
        "producer": proto.producer,
        "producer_version": proto.producer_version,
        "model_version": proto.model_version,
        "functions": [f"{function.domain}::{function.graph.name}" for function in proto.functions],
        "overridable": overridable,
    }
