"""One read-only view of a model file, whatever its format.

A reader fills these in once; nothing here holds a copy of a weight. Unknown is `None`
(an unknown dimension, an unknown rank, an unknown number of MACs), never 0 or -1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy

#: Element types, by numpy's names where numpy has one. `width` in bits.
DTYPE_BITS: Mapping[str, int] = {
    "float16": 16, "bfloat16": 16, "float32": 32, "float64": 64,
    "float8e4m3fn": 8, "float8e4m3fnuz": 8, "float8e5m2": 8, "float8e5m2fnuz": 8,
    "float8e8m0": 8, "float6e2m3": 6, "float6e3m2": 6, "float4e2m1": 4,
    "int2": 2, "int4": 4, "int8": 8, "int16": 16, "int32": 32, "int64": 64,
    "uint1": 1, "uint2": 2, "uint3": 3, "uint4": 4, "uint6": 6,
    "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64,
    "bool": 8, "complex64": 64, "complex128": 128,
}  # fmt: skip

Shape = tuple[int | None, ...]


class Data(Protocol):
    """Where a constant's bytes lie. Nothing is read before `array` is called."""

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""

    def array(self) -> numpy.ndarray:
        """The values, in the tensor's dtype and shape.

        Raises `FormatError` when the bytes are missing or too few, and for a dtype that
        numpy cannot hold unless the reader unpacks it (int4 comes back as int8).
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Affine quantisation: real = scale * (q - zero_point), per tensor (one scale) or along `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]  # empty: the file has none, which counts as zeros
    axis: int | None = None  # None: the file names none; with one scale it says nothing about the values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tensor:
    """A value that flows along an edge, or a constant. Compared by identity."""

    name: str
    dtype: str | None  # a key of DTYPE_BITS, "string", "resource", "sequence(...)", ...; None: unknown
    shape: Shape | None  # None: rank unknown; a None inside: that dimension is unknown or dynamic
    data: Data | None = None  # set for constants
    quantization: Quantization | None = None
    sparse: bool = False
    variable: bool = False  # keeps its value between calls
    stored: tuple[int, ...] | None = None  # TFLite: the plain sizes in the file, where `shape` leaves some open

    @property
    def const(self) -> bool:
        return self.data is not None

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def size(self) -> int | None:
        """Elements; None where a dimension is unknown."""
        if self.shape is None:
            return None
        total = 1
        for dim in self.shape:
            if dim is None:
                return None
            total *= dim
        return total

    @property
    def nbytes(self) -> int | None:
        bits = DTYPE_BITS.get(self.dtype or "")
        size = self.size
        return None if bits is None or size is None else (size * bits + 7) // 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """One operator. `index` is its position in its graph in the file, as tools count it."""

    graph: int
    index: int
    name: str
    op: str  # "CONV_2D", "Conv", "com.microsoft::Gelu", "conv", "nn::convolution", a TFLite custom code
    version: int | None  # TFLite operator version; ONNX schema since_version; Core ML opset as iOS major
    inputs: tuple[Tensor | None, ...]  # None: an optional input left out
    outputs: tuple[Tensor | None, ...]
    attrs: Mapping[str, Any]  # format defaults filled in; names as in the format's schema
    input_names: tuple[str, ...] = ()  # formal names, parallel to `inputs`, where the format has them
    subgraphs: tuple[int, ...] = ()  # numbers of the graphs this node runs (If, While, Loop, ...)
    custom: bool = False
    source: str | None = None  # "model.py:23" where the exporter kept it
    written: frozenset[str] | None = None  # the attributes that stand in the file; None: all of `attrs`


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """A list of nodes in the order of the file."""

    index: int
    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    parent: tuple[int, int] | None = None  # (graph, node index) that holds this graph
    constants: frozenset[str] = frozenset()  # names of those that this very graph holds (ONNX: its initializers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """A model file. `graphs[0]` is what a runtime runs first; nested graphs are numbered depth-first."""

    path: Path
    format: str  # "onnx", "tflite", "coreml", "executorch"
    sha256: str  # of the file; of a package: of its sorted (name, file hash) lines
    graphs: tuple[Graph, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)  # opsets, producer, spec version, ...

    @property
    def nodes(self) -> Iterator[Node]:
        for graph in self.graphs:
            yield from graph.nodes

    @property
    def node_count(self) -> int:
        return sum(len(graph.nodes) for graph in self.graphs)
