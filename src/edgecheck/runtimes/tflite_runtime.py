"""tflite-runtime, LiteRT's predecessor, which many boards still run: the same interpreter under its old name."""

from __future__ import annotations

from functools import partial

from edgecheck.runtimes import litert

FORMAT = "tflite"
PACKAGE = "tflite_runtime"
NEEDS = (PACKAGE, "numpy")
ENVIRONMENTS = ("tflite-runtime",)

describe = partial(litert.describe, package=PACKAGE)
run = partial(litert.run, package=PACKAGE)
operations = partial(litert.operations, package=PACKAGE)
load = partial(litert.load, package=PACKAGE)
