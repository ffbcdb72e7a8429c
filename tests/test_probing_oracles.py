"""A sample of the stored probes, asked again of the oracles that are quick: they still answer as they did."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edgecheck import environments
from edgecheck.oracles import ask, onnx_probe
from edgecheck.probing import asking, evidence, making
from edgecheck.probing.running import answer
from edgecheck.tables import bundle

#: module → environment, target, how many are asked: about a second each with its start.
QUICK = {
    "vela": ("vela", "ethos-u55", 12),
    "tflm": ("tflm", "tflm", 12),
    "litert_xnnpack": ("tf", "litert-xnnpack", 20),
    "ort_cpu": ("torch", "ort-cpu", 40),
}


@pytest.mark.export
@pytest.mark.parametrize("oracle", QUICK)
def test_a_sample_is_answered_as_it_was(oracle, tmp_path: Path):
    environment, target, count = QUICK[oracle]
    if environments.state(environment).problem:
        pytest.skip(f"the {environment} environment has not been made: `make oracles`")
    witness = asking.witness(oracle, target)
    format = bundle.load(target).format
    rows = [
        row
        for row in evidence.of_target(target)
        if row["verdict"] in evidence.CONCLUSIVE and evidence.described(row) and row["version"] == witness.version
    ]
    sample = random.Random(20261121).sample(rows, count)
    paths = making.write([evidence.described(row) or {} for row in sample], format, tmp_path)
    asked = [(row, path) for row, path in zip(sample, paths) if path is not None]
    assert len(asked) == count
    changed = []
    for (row, _), outcome in zip(asked, ask(oracle, witness.python, [path for _, path in asked], target)):
        place = onnx_probe.at(evidence.described(row) or {}) if format == "onnx" else 0
        verdict, reason = answer(outcome, place)
        if verdict != row["verdict"]:
            changed.append((row["probe"], row["op"], row["verdict"], verdict, reason))
    assert changed == []
