"""MNN's converter: whether it turns each operator of an ONNX file into MNN's own.

The converter ends with 0 when it fails, so its text is read. Its command line installs a telemetry package with pip;
here the library is called alone. Conversion is what is seen: nothing is executed.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from edgecheck.oracles import isolated, onnx_alone

NAME = "MNN"
ENVIRONMENT = "mnn"
NEEDS = ("MNN", "onnxruntime")
TARGETS = ("mnn",)
SECONDS = 60.0

_UNSUPPORTED = re.compile(r"These Op Not Support: (?P<ops>.*)")
_STAMP = re.compile(r"\[\d\d:\d\d:\d\d\] (\S*:\d+: )?")


def warm_up() -> None:
    """Load the converter's library once, before the forks."""
    import _tools  # noqa: F401
    import onnxruntime  # noqa: F401


def _judged(model: Path, name: str, op: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "m.mnn")
        ran = isolated(lambda: _converted(str(model), str(out)), seconds=SECONDS)
        written = out.is_file() and out.stat().st_size > 0
    lines = [_STAMP.sub("", line).strip() for line in ran.text.splitlines()]
    unsupported = _UNSUPPORTED.search(ran.text)
    if unsupported:
        own = f"ONNX::{op.rpartition('::')[2]}" in unsupported["ops"].replace("|", " ").split()
        told = f"These Op Not Support: {unsupported['ops'].strip()}"
        return ("rejected", told) if own else ("inconclusive", f"another operator within it: {told}")
    if written and any(line == "Converted Success!" for line in lines):
        return "supported", "converted"
    if ran.failure is not None:
        return "inconclusive", onnx_alone.short(f"{ran.failure}: {_last(lines)}")
    return "rejected", onnx_alone.short(_last(lines))


def _last(lines: list[str]) -> str:
    """The last line that is not the bare failure."""
    told = [line for line in lines if line and line not in ("Converted Failed!", "Converted Success!")]
    return told[-1] if told else "no message"


def _converted(model: str, out: str) -> int:
    import _tools

    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", model, "--MNNModel", out, "--bizCode", "edgecheck"])
    return 0


verdicts = onnx_alone.asking(_judged, names=False)
