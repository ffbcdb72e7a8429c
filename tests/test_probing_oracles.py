"""A sample of the stored probes, asked again of the oracles: they still answer as they did."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecheck.cli import main
from edgecheck.oracles import ask, onnx_probe
from edgecheck.probing import asking, evidence, making, models, replay, running
from edgecheck.tables import bundle

#: About a second for each probe with its start: CI asks these. (oracle, target) → how many.
QUICK = {
    ("vela", "ethos-u55"): 12,
    ("tflm", "tflm"): 12,
    ("litert_xnnpack", "litert-xnnpack"): 20,
    ("ort_cpu", "ort-cpu"): 40,
}
#: What is asked about is no file of one operator there, or nothing is stored (mlia): tests of their own.
OTHERWISE = ("coreml_registry", "executorch", "mlia")
REST = [
    (oracle, target)
    for oracle in asking.names()
    if oracle not in OTHERWISE
    for target in asking.targets(oracle)
    if (oracle, target) not in QUICK
]


@pytest.mark.export
@pytest.mark.parametrize(("oracle", "target"), QUICK)
def test_a_sample_is_answered_as_it_was(oracle, target, tmp_path: Path):
    assert changed(oracle, target, QUICK[oracle, target], tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize(("oracle", "target"), REST)
def test_every_oracle_answers_a_sample_as_it_did(oracle, target, tmp_path: Path):
    assert changed(oracle, target, 12, tmp_path) == []


@pytest.mark.slow
def test_qualcomms_compiler_answers_a_sample_of_calls_as_it_did(tmp_path: Path):
    described = [(row, evidence.described(row) or {}) for row in evidence.of_target("executorch-qnn")]
    rows = [row for row, spec in described if not {"p", "x"} & spec.keys() and alike_alone(row, spec)]
    sample = random.Random(20261121).sample(rows, 8)
    specs = [{"op": row["op"], **(evidence.described(row) or {})} for row in sample]
    paths = [path for path in making.write(specs, "executorch", tmp_path) if path]
    witness = asking.witness("executorch", "executorch-qnn")
    outcomes = ask("executorch", witness.python, paths, "executorch-qnn", seconds_each=300)
    assert [one.answers[0].verdict for one in outcomes] == [row["verdict"] for row in sample]


def alike_alone(row: evidence.Row, spec: evidence.Row) -> bool:
    """Whether nothing hangs on what reads the call: a probe returns what it makes, and nothing reads it."""
    unread = {**row, "model": {**spec, "r": [[] for _ in spec["r"]]}}
    return replay.judged(unread, bundle.load("executorch-qnn")).verdict == row["verdict"]


@pytest.mark.export
def test_what_was_said_of_a_model_is_kept_where_it_was_asked_for(models_dir, tmp_path, capsys):
    model = models_dir / "tflite_micro/tflite_micro/python/tflite_micro/sine_float.tflite"
    before = {path: path.read_bytes() for path in models.folder().glob("tflm-*.jsonl")}
    kept = tmp_path / "kept.jsonl"
    assert main(["probe", "--target", "tflm", "--oracle", "tflm", "--out", str(kept), str(model)]) == 0
    rows = list(evidence.read(kept))
    assert [(row["model"], row["same"]) for row in rows] == [(models.named(model), rows[0]["asked"])]
    assert {path: path.read_bytes() for path in models.folder().glob("tflm-*.jsonl")} == before
    assert f"kept in {kept}" in capsys.readouterr().err


def changed(oracle: str, target: str, count: int, folder: Path) -> list[tuple[Any, ...]]:
    """Of `count` stored rows those that the oracle answers otherwise today."""
    table = bundle.load(target)
    witness = asking.witness(oracle, target)
    rows = [
        row
        for row in evidence.of_target(target)
        if row["oracle"] in (oracle, witness.name) and row["verdict"] in evidence.CONCLUSIVE
        if evidence.described(row) and witness.version.endswith(row["version"])
    ]
    sample = random.Random(20261121).sample(rows, count)
    by_point: dict[str, list[evidence.Row]] = defaultdict(list)
    for row in sample:
        by_point[str(running.settings(replay.at_point(row, table)))].append(row)
    found = []
    for number, group in enumerate(by_point.values()):
        place = folder / str(number)
        place.mkdir()
        found += list(differing(witness, target, group, place))
    return found


def differing(
    witness: asking.Witness, target: str, rows: list[evidence.Row], folder: Path
) -> Iterator[tuple[Any, ...]]:
    """Rows of one point of the target's axis that the oracle answers otherwise."""
    table = bundle.load(target)
    paths = making.write([evidence.described(row) or {} for row in rows], table.format, folder)
    assert None not in paths
    settings = {name: str(value) for name, value in running.settings(replay.at_point(rows[0], table)).items()}
    for row, outcome in zip(rows, ask(witness.module, witness.python, [p for p in paths if p], target, settings)):
        place = onnx_probe.at(evidence.described(row) or {}) if table.format == "onnx" else 0
        verdict, reason = running.answer(outcome, place)
        if verdict != row["verdict"]:
            yield row["probe"], row["op"], row["verdict"], verdict, reason
