"""What an exporter is told and what it tells: the types between the parent process, sources and exporters.

A source plugin (`sources/<framework>_model.py`) and an exporter plugin (`exporters/<source>_<format>.py`) run in a
child process, in an interpreter that has everything in their `NEEDS`. The parent imports neither.

An exporter plugin is a module with the names of `Exporter`; a source plugin one with the names of `SourcePlugin`.
Adding one means adding a file; nothing is registered by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy

#: The precisions `edgecheck export --precision` knows.
PRECISIONS = ("fp32", "fp16", "int8-dynamic", "int8-static")

#: File name suffix of each format.
SUFFIXES: Mapping[str, str] = {"onnx": ".onnx", "tflite": ".tflite", "coreml": ".mlpackage"}

Arrays = Mapping[str, "numpy.ndarray"]

Outcome = Literal["worked", "failed", "crashed", "timed out", "not proven"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a model comes from, as far as the command line says it; nothing has been loaded."""

    text: str  # what the user typed
    kind: str  # "callable", "pt2", "torchscript", "onnx", "keras", "h5", "savedmodel"
    framework: str  # "torch", "tf", "onnx": the source plugin is sources/<framework>_model.py
    path: str | None = None  # absolute path of the file or folder; None for package.module:callable
    module: str | None = None  # package.module of package.module:callable
    callable: str | None = None  # name of the callable, for kind "callable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamic:
    """A dimension that must stay free: sizes `low` to `high`, both included."""

    axis: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One input by name. `shape` is the example's; `dynamic` says which of its dimensions are free."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # numpy's name
    dynamic: tuple[Dynamic, ...] = ()

    def free(self, axis: int) -> Dynamic | None:
        """The range of a free dimension; None for a fixed one."""
        return next((d for d in self.dynamic if d.axis == axis), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """One output by name; a None in `shape` is a size that follows the input or the data."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Inputs and outputs in order, after names were made unique. What the artefact must keep."""

    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOption:
    """`--input name:1x3x224x224:float32`, or `--dynamic name:0:1..8` (then only `dynamic` is set)."""

    name: str
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    dynamic: tuple[Dynamic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """One export: a source, a format, a precision, and the user's wishes."""

    source: Source
    format: str  # "onnx", "tflite", "coreml"
    precision: str = "fp32"
    inputs: tuple[InputOption, ...] = ()
    opset: int | None = None  # ONNX; None: the exporter's newest proven one
    seed: int = 0
    signature: str | None = None  # TF: which signature of a SavedModel
    calibration: str | None = None  # absolute path of an .npz, or file.py:callable; for int8-static


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One way to export. The first is the library's own; each later one is a known way round a known failure.

    `says` is shown to the user ("batch fixed at 1"); `fixes` names what the artefact gives up, empty when nothing.
    """

    name: str
    says: str
    fixes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an exporter wrote. Paths lie in the folder it was given."""

    artefact: Path  # a file, or the folder of a .mlpackage
    input_names: Mapping[str, str] = field(default_factory=dict)  # source name -> artefact name, where they differ
    output_names: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)  # artefact tensor or op name -> "layers.0.conv (net.py:23)"
    notes: tuple[str, ...] = ()  # sentences for the user


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What happened on one rung; `message` is one line."""

    rung: str
    says: str
    outcome: Outcome
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """The value of one operation inside the source model."""

    name: str  # the framework's name of the value
    op: str  # "aten.conv2d", "Conv2D", ...
    place: str  # in the user's terms: "layers.0.conv (net.py:23)"; "" where it is not known
    value: numpy.ndarray


@dataclass(slots=True, kw_only=True)
class Loaded:
    """A model in its framework, inside a child process.

    `run` takes one array per input name and gives one array per output name, in order; it is the reference.
    `weights` gives every parameter and buffer by its name in the source. `taps`, where the framework can, gives the
    inner values for one input in order of execution: against them the first operation that differs is found.
    """

    object: Any  # nn.Module, ExportedProgram, ScriptModule, keras.Model, a concrete function, onnx path ...
    form: str  # "module", "exported", "script", "keras", "concrete", "savedmodel", "onnx": what `object` is
    signature: Signature
    examples: Arrays  # the user's example inputs (or made from --input), by input name, in order
    run: Callable[[Arrays], dict[str, numpy.ndarray]]
    weights: Callable[[], dict[str, numpy.ndarray]]
    taps: Callable[[Arrays], list[Tap]] | None = None
    notes: tuple[str, ...] = ()  # "the model was in training mode; eval() was called"
    parameters: int = 0
    extra: dict[str, Any] = field(default_factory=dict)  # what the framework's own exporters need beside (args, kwargs)


class SourcePlugin(Protocol):
    """`sources/<framework>_model.py`."""

    NEEDS: tuple[str, ...]
    ENVIRONMENT: str  # "torch" or "tf": the locked environment that has them

    def load(self, request: ExportRequest) -> Loaded:
        """The model in evaluation mode. A user's mistake raises `EdgecheckError` with their file and line."""


class Exporter(Protocol):
    """`exporters/<source>_<format>.py`."""

    SOURCE: str  # framework of the sources it takes: "torch", "tf", "onnx"
    FORMAT: str  # "onnx", "tflite", "coreml"
    NEEDS: tuple[str, ...]  # importable names
    ENVIRONMENT: str
    PRECISIONS: tuple[str, ...]  # those it writes itself; others are made from its fp32 file by quantizers/<format>.py
    RUNGS: tuple[Rung, ...]

    def applies(self, loaded: Loaded, rung: str) -> bool:
        """Optional: whether a rung has anything to do for this model; decided before it is tried or reported."""

    def export(self, loaded: Loaded, request: ExportRequest, rung: str, out: Path) -> Exported:
        """Write the model into the folder `out`, on one rung.

        Whatever it raises ends this rung only; the message goes to the user in one line. `SkipRungError`
        means that the rung has nothing to do for this model and is not reported.
        """


class SkipRungError(LookupError):
    """Raised by an exporter when a rung has nothing to do for this model; the ladder goes on silently."""
