"""Nodes that are alike are judged once: the verdicts are those of judging each."""

from __future__ import annotations

import pytest

from edgecheck import check as module
from edgecheck.check import check
from edgecheck.model.formats import read
from edgecheck.selection import bundled


@pytest.mark.export
@pytest.mark.parametrize(
    "name", ["nmp.onnx", "nmp.tflite", "okay_nabu.tflite", "nmp.mlpackage", "face_detection_back.tflite"]
)
def test_the_verdicts_are_those_of_every_node_alone(models_dir, monkeypatch, name):
    model = read(next(models_dir.rglob(name)))
    together = [check(model, one.point) for one in bundled(model.format, {})]
    assert any(len(known) > 1 for known in module.twins(model).values())  # they do share what they found
    monkeypatch.setattr(module, "twins", lambda model: {id(node): set() for node in model.nodes})
    assert together == [check(model, one.point) for one in bundled(model.format, {})]
