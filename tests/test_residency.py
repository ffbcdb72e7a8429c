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
    checked, findings = found(pitch, "nnapi")
    assert checked.partition.islands == 17
    assert [(one.rule, one.severity, one.count) for one in findings] == [("EC201", "warning", 1), ("EC202", "note", 3)]
    assert findings[0].message.startswith("the model goes back and forth: 17 islands on nnapi")
    assert findings[1].message.startswith("RESHAPE alone parts two islands")


@pytest.mark.export
def test_nothing_crosses_where_one_processor_runs_both_sides(pitch):
    checked, findings = found(pitch, "litert-xnnpack")
    assert checked.partition.islands == 17
    assert findings == []


@pytest.mark.export
def test_the_line_between_a_cut_and_back_and_forth(pitch, monkeypatch):
    monkeypatch.setattr(residency, "PING_PONG", 18)
    _, findings = found(pitch, "nnapi")
    assert [one.rule for one in findings] == ["EC202"]


@pytest.mark.export
def test_a_delegate_that_takes_one_island_leaves_supported_operators_behind(pitch):
    checked, (finding,) = found(pitch, "litert-gpu")
    behind = checked.count("supported") - len(checked.partition.island_of)
    assert (finding.rule, finding.severity, finding.count) == ("EC203", "warning", behind)
    assert finding.message == (
        f"{behind} operators that litert-gpu supports stay on the CPU: it takes one island of the model only, "
        f"here {len(checked.partition.island_of)} operators"
    )


@pytest.mark.export
def test_a_model_that_falls_back_whole_has_no_islands_to_part(pitch):
    checked, findings = found(pitch, "ethos-u55")
    assert checked.count("fallback") == len(checked.verdicts)
    assert findings == []
