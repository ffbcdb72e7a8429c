"""Runtimes: what runs a model file on this machine, for the proof. A file is a plugin.

A runtime plugin is a module with the names of `Runtime`; `run` is called in a child process, because a runtime may
abort. `mil.py` is the reference evaluator of Core ML's operations. A plugin that can keep a model loaded, with its
state, has `load` too: `load(path, **options) -> Loaded`, called by `edgecheck.serving` in a child.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy

Arrays = Mapping[str, "numpy.ndarray"]


class Runtime(Protocol):
    """`runtimes/<name>.py`."""

    FORMAT: str  # "onnx", "tflite", "coreml"
    NEEDS: tuple[str, ...]  # importable names
    ENVIRONMENTS: tuple[str, ...]  # locked environments that have them, the lighter first

    def describe(self, path: Path) -> dict[str, Any]:
        """`{"inputs": [...], "outputs": [...]}`: each `{"name", "shape" (None: free), "dtype"}`, in order."""

    def run(
        self, path: Path, cases: Sequence[Arrays], *, keep: Collection[str] | None = None
    ) -> list[dict[str, numpy.ndarray]]:
        """For each case (arrays by the file's input names) the outputs by the file's names, in its order.

        `keep` names inner tensors to give as well; an unknown one is left out. What the runtime raises goes through.
        """


class Loaded(Protocol):
    """A model that is ready to run, again and again, as an app keeps it; tensors pass as they are, quantised or not."""

    #: `{"inputs": […], "outputs": […], "runtime": {…}}`: each value as `Runtime.describe` has it, with `scale` and
    #: `zero_point` where it is quantised; `runtime` as a golden run records it.
    about: dict[str, Any]

    def __call__(self, inputs: Arrays) -> tuple[dict[str, numpy.ndarray], int]:
        """Outputs by name, and the nanoseconds of the inference alone (0: the caller's clock may be used)."""
