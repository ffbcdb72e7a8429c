"""A microcontroller's runtime on this machine: TensorFlow Lite Micro with its reference kernels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgecheck.runners import Engine, local

NAME = "tflm"
RUNTIMES: Mapping[str, tuple[str, ...]] = {"tflite": ("tflm",)}


def engine(path: Path, format: str, runtime: str) -> Engine:
    """See `Runner`. TFLM does not know the names of tensors: whoever read the file passes them in `names`."""
    return Engine(runtime="tflm")


def device() -> dict[str, str]:
    """The host that the reference kernels run on."""
    return {**local.device(), "model": "tflm-host"}


conditions = local.conditions
