"""Runners: what runs a pipeline's model on a device, or on something that stands for one. A file is a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What runs a model file: a plugin of `edgecheck.runtimes` with `load`, and the options that it takes."""

    runtime: str
    options: Mapping[str, Any] = field(default_factory=dict)


class Runner(Protocol):
    """`runners/<name>.py`."""

    NAME: str
    RUNTIMES: Mapping[str, tuple[str, ...]]  # of each model format: names for `--runtime`, the usual one first

    def engine(self, path: Path, format: str, runtime: str) -> Engine:
        """What runs this file; `runtime` is one of `RUNTIMES[format]`."""

    def device(self) -> dict[str, str]:
        """The facts of the device, as a golden run records them: model, chip, os, fingerprint."""

    def conditions(self) -> dict[str, str | int]:
        """What may change how fast it runs: governor, power, temperature; only what is known."""
