"""onnx's node tests as descriptions of one operator each; runs where `onnx` is installed."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgecheck.environments import cache
from edgecheck.model import formats
from edgecheck.oracles import onnx_cut, onnx_probe

Json = dict[str, Any]


def seeds() -> dict[str, list[Json]]:
    """onnx's node tests of one operator each, by operator, with the values of their small inputs under "data"."""
    import onnx

    kept = cache() / f"onnx-node-tests-{onnx.__version__}.json"
    if not kept.is_file():
        found: dict[str, list[Json]] = {}
        for name, content, arrays in node_test_models():
            spec = _described(content)
            if spec is not None and not spec.get("before") and not spec.get("after"):
                _keep_data(spec, arrays)
                found.setdefault(onnx_probe.name(spec), []).append({"test": name, **spec})
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found))
    loaded: dict[str, list[Json]] = json.loads(kept.read_text())
    return loaded


def node_test_models() -> Iterator[tuple[str, bytes, list[Any]]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # making them overflows on purpose
        from onnx.backend.test.case.node import collect_testcases

        every = collect_testcases(None)
    for one in every:
        arrays = list(one.data_sets[0][0]) if one.data_sets else []
        yield one.name, one.model.SerializeToString(), arrays


def _described(content: bytes) -> Json | None:
    """A model of one node as a stored description."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(content)
        file.flush()
        model = formats.read(Path(file.name))
        if len(model.graphs[0].nodes) != 1:
            return None
        spec = onnx_cut.describe(model.graphs[0].nodes[0], onnx_cut.Neighbours(model))
        return None if spec is None else onnx_cut.stored(spec)


def _keep_data(spec: Json, arrays: list[Any]) -> None:
    """Each free input's value from the test, where it is small and plain."""
    free = [one for one in spec["i"] if one is not None and "c" not in one]
    for one, array in zip(free, arrays):
        if getattr(array, "size", 1 << 20) <= 64 and getattr(array, "dtype", None) is not None:
            values = array.reshape(-1).tolist()
            if all(isinstance(v, (int, float, bool)) for v in values) and not one["t"].startswith(
                ("float8", "float4", "bf")
            ):
                one["data"] = [float(f"{v:.5g}") if isinstance(v, float) else int(v) for v in values]
