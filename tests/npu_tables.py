"""What the tests of the NPU tables share: `edgecheck check` on a real file, and one described operator held to a table."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from edgecheck.check import NodeVerdict, check, point
from edgecheck.cli import main
from edgecheck.oracles import tflite_probe
from edgecheck.tables import bundle


def report(capsys: Any, target: str, file: Path, *settings: str) -> list[dict[str, Any]]:
    """The nodes of `edgecheck check FILE --target TARGET`."""
    options = [part for one in settings for part in ("--set", one)]
    main(["check", str(file), "--target", target, *options, "--output-format", "json"])
    (model,) = json.loads(capsys.readouterr().out)["models"]
    (found,) = model["targets"]
    nodes: list[dict[str, Any]] = found["nodes"]
    return nodes


def counted(nodes: list[dict[str, Any]]) -> dict[str, int]:
    return dict(Counter(one["verdict"] for one in nodes))


def by_op(nodes: list[dict[str, Any]], verdict: str) -> dict[str, int]:
    return dict(Counter(one["op"] for one in nodes if one["verdict"] == verdict))


def judged(target: str, spec: dict[str, Any], **settings: str) -> NodeVerdict:
    """The verdict on a described TFLite operator."""
    at = point(bundle.load(target), None, settings)
    (one,) = check(tflite_probe.read(spec), at)
    return one


def said(target: str, spec: dict[str, Any], **settings: str) -> tuple[str, str | None]:
    one = judged(target, spec, **settings)
    return one.verdict, one.limit


def t(dtype: str, shape: list[int | None], **more: Any) -> dict[str, Any]:
    """A tensor of a description; a dynamic dimension is None."""
    fixed = [1 if dim is None else dim for dim in shape]
    signature = {"sig": [-1 if dim is None else dim for dim in shape]} if None in shape else {}
    return {"t": dtype, "s": fixed, **signature, **more}


def op(kind: str, inputs: list[Any], outputs: list[Any], **attributes: Any) -> dict[str, Any]:
    return {"op": kind, "a": attributes, "i": inputs, "o": outputs}
