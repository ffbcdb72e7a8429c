"""EC2xx: a cut that costs more than it saves, on real models."""

from __future__ import annotations

import pytest

from edgecheck import residency
from edgecheck.checking import check_model
from edgecheck.model.formats import read
from edgecheck.selection import selections


def found(path, target):
    checked = check_model(read(path), selections([target], [], {})).targets[0]
    return checked, [one for one in checked.findings if one.rule.startswith("EC2")]


@pytest.fixture(scope="module")
def pitch(models_dir):
    return next((models_dir / "basic_pitch").rglob("nmp.tflite"))


@pytest.mark.export
def test_back_and_forth_and_a_reshape_between_islands(pitch):
    checked, findings = found(pitch, "litert-gpu")
    assert checked.partition.islands == 17
    assert [(one.rule, one.severity, one.count) for one in findings] == [("EC201", "warning", 1), ("EC202", "note", 2)]
    assert findings[0].message.startswith("the model goes back and forth: 17 islands on litert-gpu")
    assert findings[1].message.startswith("RESHAPE alone parts two islands")


@pytest.mark.export
def test_nothing_crosses_where_one_processor_runs_both_sides(pitch):
    checked, findings = found(pitch, "litert-xnnpack")
    assert checked.partition.islands == 17
    assert findings == []


@pytest.mark.export
def test_the_line_between_a_cut_and_back_and_forth(pitch, monkeypatch):
    monkeypatch.setattr(residency, "PING_PONG", 18)
    _, findings = found(pitch, "litert-gpu")
    assert [one.rule for one in findings] == ["EC202"]


@pytest.mark.export
def test_a_model_that_falls_back_whole_has_no_islands_to_part(pitch):
    checked, findings = found(pitch, "ethos-u55")
    assert checked.count("fallback") == len(checked.verdicts)
    assert findings == []
