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


def onnx_file(
    path: Path, kind: str, inputs: list[Any], *, constants: dict[str, Any] | None = None, **more: Any
) -> Path:
    """A model of one ONNX node: `inputs` are names of `constants`, "" or shapes of float inputs."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    opset = more.pop("opset", 18)
    out = more.pop("out", None)
    names, fed = [], []
    for number, one in enumerate(inputs):
        names.append(one if isinstance(one, str) else f"x{number}")
        if not isinstance(one, str):
            fed.append(helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, one))
    node = helper.make_node(kind, names, ["y"], **more)
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, out)
    fixed = [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    graph = helper.make_graph([node], "g", fed, [made], fixed)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


def alone(capsys: Any, target: str, file: Path, *settings: str) -> tuple[str, str | None]:
    """Verdict and limit of the only node of a file, as `edgecheck check` reports them."""
    (node,) = report(capsys, target, file, *settings)
    return node["verdict"], node["limit"]
