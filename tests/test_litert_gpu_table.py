"""The table `litert-gpu` against the classic delegate's own check: stored probes, real models, and the oracle itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from conftest import environment
from edgecheck.check import check, point
from edgecheck.model.formats import tflite
from edgecheck.oracles import ask, tflite_probe
from edgecheck.oracles.tf_gpu_analyzer import answers, inlined
from edgecheck.probing.replay import of_spec
from edgecheck.tables import bundle

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT / "op_tables" / "evidence" / "tf_gpu_analyzer-2.17.1.jsonl"
MODELS = json.loads((Path(__file__).parent / "cases" / "litert_gpu_models.json").read_text())

REPORT = """\
Your TFLite model has '2' subgraph(s). In the subgraph description below,

Subgraph#0 main(T#0) -> [T#2]
  Op#0 GATHER_ND(T#0, T#1[0, 1, 2]) -> [T#2]
GPU COMPATIBILITY WARNING: Not supported op GATHER_ND
  Op#1 CALL_ONCE(Subgraph#1) -> []

GPU COMPATIBILITY WARNING: Subgraph#0 has GPU delegate compatibility issues at nodes 0 on TFLite runtime version 2.17.1

Subgraph#1(T#0) -> [T#1]
  Op#0 ADD(T#0, T#0) -> [T#1]

Tensors of Subgraph#1
  T#0(t0) shape:[3], type:INT8
"""


@pytest.fixture(scope="module")
def target():
    return point(bundle.load("litert-gpu"))


def stored():
    return [json.loads(line) for line in EVIDENCE.read_text().splitlines()]


def test_stored_probes_are_judged_as_they_were_measured(target):
    wrong, seen = [], 0
    for row in stored():
        judged = of_spec(row.get("model") or row["spec"], target)
        seen += 1
        if judged.verdict != row["verdict"]:
            wrong.append((row["probe"], judged.verdict, row["verdict"], judged.reason))
    assert seen > 500
    assert wrong == []


def test_every_operator_the_delegate_takes_has_a_probe_it_took():
    taken = {row["op"] for row in stored() if row["verdict"] == "supported"}
    table = bundle.load("litert-gpu")
    listed = {op for op in table.ops if table.entries(op)[0].verdict == "supported"}
    assert listed - taken == {
        "Convolution2DTransposeBias",
        "DENSIFY",  # the real models have it
        "LSTM",
        "MaxPoolingWithArgmax2D",
        "MaxUnpooling2D",
    }


@pytest.mark.parametrize("name", sorted(MODELS))
def test_real_models_are_judged_as_they_were_measured(target, models_dir, name):
    judged = "".join(one.verdict[0] for one in check(tflite.read(models_dir / name), target))
    assert judged == MODELS[name]


def test_a_refusal_says_why_and_what_to_do(target):
    model = tflite_probe.read(
        {
            "op": "STRIDED_SLICE",
            "a": {"ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 2, "begin_mask": 0, "end_mask": 0},
            "i": [{"t": "float32", "s": [1, 4, 4]}, *({"t": "int32", "s": [3], "c": [0, 0, 0]} for _ in range(3))],
            "o": [{"t": "float32", "s": [1, 4]}],
        }
    )
    (judged,) = check(model, target)
    assert judged.verdict == "fallback"
    assert judged.limit == "no-masks"
    assert "shrink_axis_mask is 2" in (judged.reason or "")
    assert "x[:, 0:1]" in (judged.help or "")
    assert any("2.17.1" in source for source in judged.evidence)


def test_the_report_is_read_by_graph_and_operator():
    found = [(one.graph, one.index, one.op, one.verdict, one.reason) for one in answers(REPORT)]
    assert found == [
        (0, 0, "GATHER_ND", "fallback", "Not supported op GATHER_ND"),
        (0, 1, "CALL_ONCE", "supported", ""),
        (1, 0, "ADD", "supported", ""),
    ]


def test_values_behind_the_flatbuffer_are_brought_into_it():
    """The analyzer takes a buffer that says only where its bytes lie for one without any."""
    model = SimpleNamespace(buffers=[SimpleNamespace(data=None, offset=offset, size=3) for offset in (0, 4)])
    assert inlined(model, b"abcdefgh")
    assert model.buffers[0].data is None
    assert (bytes(model.buffers[1].data), model.buffers[1].offset) == (b"efg", 0)
    assert not inlined(model, b"abcdefgh")


@pytest.fixture(scope="session")
def analyzer_python():
    return environment("tf-gpu-analyzer")


@pytest.mark.slow
def test_the_oracle_still_answers_as_it_did(analyzer_python, models_dir, target):
    models = [models_dir / name for name in sorted(MODELS)]
    counted: Counter[bool] = Counter()
    for outcome, name in zip(ask("tf_gpu_analyzer", analyzer_python, models, "litert-gpu"), sorted(MODELS)):
        assert outcome.failure is None
        counted.update(one.verdict[0] == kept for one, kept in zip(outcome.answers, MODELS[name], strict=True))
    assert counted[False] == 0
    assert counted[True] > 1500
