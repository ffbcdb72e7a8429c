"""The tables `openvino-cpu`, against OpenVINO itself, and `openvino-npu`, which only lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck.check import check, point
from edgecheck.environments import interpreter
from edgecheck.model.formats import onnx as reader
from edgecheck.oracles import ask, onnx_probe
from edgecheck.probing import evidence, replay
from edgecheck.tables import bundle

EVIDENCE = Path(__file__).parents[1] / "op_tables" / "evidence" / "openvino-2026.4.1.jsonl"


def test_stored_probes_are_judged_as_they_were_measured():
    agreement = replay.compared(evidence.read(EVIDENCE), bundle.load("openvino-cpu"))
    assert agreement.asked > 400
    assert agreement.explained < 0.2 * agreement.asked
    assert agreement.false_supported + agreement.false_refused + agreement.unknown + agreement.mixed == []


def tensor(*shape, dtype="float32", **more):
    return {"t": dtype, "s": list(shape), **more}


def spec(op, inputs, opset=17, **attributes):
    return {"op": op, "opset": opset, "a": attributes, "i": inputs, "o": [{"t": "float32"}]}


X = tensor(1, 8, 16, 16)
CASES = {
    "celu": (spec("Celu", [X]), "supported"),
    "celu in float16": (spec("Celu", [tensor(2, 3, dtype="float16")], alpha=2.0), "rejected"),
    "grid sample": (spec("GridSample", [X, tensor(1, 4, 4, 2)]), "supported"),
    "grid sample in 3-D": (spec("GridSample", [tensor(1, 2, 3, 3, 3), tensor(1, 2, 2, 2, 3)], 20), "rejected"),
    "mod of floats": (spec("Mod", [X, X], fmod=1), "supported"),
    "mod of floats like integers": (spec("Mod", [X, X], fmod=0), "rejected"),
    "edge padding": (spec("Pad", [X, tensor(8, dtype="int64", c=[0, 0, 1, 1, 0, 0, 1, 1])], mode="edge"), "supported"),
    "wrapped padding": (
        spec("Pad", [X, tensor(8, dtype="int64", c=[0, 0, 1, 1, 0, 0, 1, 1])], 19, mode="wrap"), "rejected",
    ),
    "axes constant": (spec("Unsqueeze", [X, tensor(1, dtype="int64", c=[0])]), "supported"),
    "axes given": (spec("Unsqueeze", [X, tensor(1, dtype="int64")]), "rejected"),
    "no rule": (spec("Det", [tensor(3, 3)]), "rejected"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_limits_on_both_sides(case):
    asked, expected = CASES[case]
    assert replay.of_spec(asked, point(bundle.load("openvino-cpu"))).verdict == expected


def test_the_npu_lists_and_no_more():
    table = point(bundle.load("openvino-npu"))
    assert replay.of_spec(spec("Conv", [X, tensor(8, 8, 3, 3)]), table).verdict == "supported"
    assert replay.of_spec(spec("Einsum", [X, X], equation="abcd,abcd->ab"), table).verdict == "unknown"
    assert replay.of_spec(spec("Det", [tensor(3, 3)]), table).verdict == "unknown"
    dynamic = replay.of_spec(spec("Relu", [{**X, "sig": [-1, 8, 16, 16]}]), table)
    assert (dynamic.verdict, dynamic.limit) == ("unknown", "static-shape")


@pytest.mark.slow
def test_openvino_says_the_same(tmp_path, models_dir):
    paths = []
    for number, (asked, _) in enumerate(CASES.values()):
        paths.append(tmp_path / f"{number:02}.onnx")
        paths[-1].write_bytes(onnx_probe.write(asked))
    real = [path for path in sorted(models_dir.rglob("*.onnx")) if path.stat().st_size < 400_000]
    assert real
    table = point(bundle.load("openvino-cpu"))
    differ = []
    for outcome in ask("openvino", interpreter("openvino"), [*paths, *real], "openvino-cpu", seconds_each=900):
        ours = {(one.node.graph, one.node.index): one.verdict for one in check(reader.read(outcome.model), table)}
        differ += [
            (outcome.model.name, one.op, one.reason)
            for one in outcome.answers
            if one.verdict in ("supported", "rejected") and ours[one.graph, one.index] not in (one.verdict, "unknown")
        ]
    assert differ == []
