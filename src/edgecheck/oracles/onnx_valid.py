"""Whether an ONNX file that an engine refuses is a valid one: ONNX Runtime's CPU kernels are asked.

The checker and the shape inference of ONNX let pass what no kernel can compute: an axis beyond the rank, a bias of
another length, weights of another hidden size. Where ONNX Runtime refuses such a file too, when it loads or with
whatever values it is fed, the refusal says nothing of the engine. That ONNX Runtime itself has no kernel, or does not
know the opset, says nothing of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgecheck.model import formats
from edgecheck.oracles import isolated, onnx_feeds

if TYPE_CHECKING:
    import numpy

SECONDS = 20.0
#: What ONNX Runtime refuses for its own sake.
_ITS_OWN = re.compile(
    r"NOT_IMPLEMENTED|Could not find an implementation|is not a registered|only \*guarantees\* support"
    r"|Unsupported model IR|[Nn]ot (yet )?(supported|implemented)|[Uu]nsupported"
)
_FILLED = (None, 0, 1)  # the values tried: made up by their meaning, then all the same


def complaint(model: Path) -> str | None:
    """What ONNX Runtime says against the file itself; None where it runs, or where nothing can be said."""
    ran = isolated(lambda: _refusal(model), seconds=SECONDS)
    told = str(ran.value or "")
    return told if told and not _ITS_OWN.search(told) else None


def _refusal(model: Path) -> str:
    """The sentence of a session that is not made, or of the last run where none succeeds; "" where one does."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    told = ""
    try:
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        for feeds in _feeds(model):
            told = _run_refusal(session, feeds)
            if not told:
                break
    except Exception as error:  # the boundary to a runtime whose exceptions have no common base
        told = str(error)
    return " ".join(told.split())


def _run_refusal(session: object, feeds: dict[str, numpy.ndarray]) -> str:
    try:
        session.run(None, feeds)  # type: ignore[attr-defined]
    except Exception as error:  # as above
        return str(error)
    return ""


def _feeds(model: Path) -> Iterator[dict[str, numpy.ndarray]]:
    import numpy

    values = onnx_feeds.values(formats.read(model)) or []
    if not values and formats.read(model).graphs[0].inputs:
        return
    for number in _FILLED:
        yield {
            one.name: one.array if number is None or one.dtype == "string" else numpy.full_like(one.array, number)
            for one in values
        }
