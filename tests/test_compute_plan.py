"""What a Mac says of its Neural Engine, taken up. The plans here are made up: they test the form and enter no table."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from edgecheck.check import check, point
from edgecheck.errors import EdgecheckError
from edgecheck.model.formats import coreml
from edgecheck.tables import bundle, lint, vocabulary
from edgecheck.tables.compiled import compile_table
from edgecheck.tables.optable import from_compiled

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import import_compute_plan as importer  # noqa: E402 - the folder of scripts is no package

CHIP, SYSTEM = "Apple M2", "macOS 15.2"


@pytest.fixture(scope="module")
def model(models_dir):
    return coreml.read(next(models_dir.rglob("nmp.mlpackage")))


@pytest.fixture
def tables(tmp_path):
    """A copy of the committed table, and nothing else."""
    (tmp_path / "targets").mkdir()
    (tmp_path / "evidence").mkdir()
    shutil.copy(ROOT / "op_tables" / "targets" / "coreml-ane.toml", tmp_path / "targets")
    return tmp_path


def dumped(folder, operations, more=None):
    path = folder / "plan.json"
    document = {"schema": importer.SCHEMA, "chip": CHIP, "system": SYSTEM, "date": "2026-11-21"}
    path.write_text(json.dumps(document | {"operations": operations} | (more or {})), "utf-8")
    return importer.read_plan(path)


def operation(node, preferred="neuralEngine", supported=("cpu", "gpu", "neuralEngine")):
    return {"op": f"ios16.{node.op}", "output": node.outputs[0].name, "preferred": preferred, "supported": supported}


def convolutions(model):
    return [node for node in model.nodes if node.op == "conv"]


def loaded(tables):
    document = tomllib.loads((tables / "targets" / "coreml-ane.toml").read_text("utf-8"))
    header, ops = compile_table(document, where="coreml-ane.toml")
    return from_compiled(header, ops)


def test_the_committed_table_holds_no_fact_and_says_so(model):
    table = bundle.load("coreml-ane")
    assert table.facts == 0
    assert not table.closed_world
    assert "Nothing has been measured yet" in table.notes
    assert not list((ROOT / "op_tables" / "evidence").glob("MLComputePlan-*"))
    assert {verdict.verdict for verdict in check(model, point(table))} == {"unknown"}


def test_a_table_without_a_fact_is_asked_by_name_only():
    assert "coreml-ane" in bundle.targets("coreml")
    assert "coreml-ane" not in bundle.deciding("coreml")
    assert "coreml" in bundle.deciding("coreml")


def test_a_plan_becomes_evidence_and_facts_of_what_was_measured(model, tables):
    first, second, *_ = convolutions(model)
    plan = dumped(tables, [operation(first), operation(second, "cpu", ("cpu",))])
    path = importer.take_up(plan, model, tables)
    assert path.name == "MLComputePlan-macOS-15.2-Apple-M2.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert sorted(line["verdict"] for line in lines) == ["fallback", "supported"]
    table = loaded(tables)
    assert list(lint.lint(table, vocabulary.of("coreml"))) == []
    assert list(table.ops) == ["conv"]
    found = check(model, point(table, None, {"chip": CHIP, "system": SYSTEM}))
    verdicts = {node.outputs[0].name: one.verdict for node, one in zip(model.nodes, found, strict=True)}
    assert verdicts[first.outputs[0].name] == "supported"
    assert verdicts[second.outputs[0].name] == "fallback"
    assert "unknown" in verdicts.values()


@pytest.mark.parametrize("settings", [{}, {"chip": "Apple M1", "system": SYSTEM}, {"chip": CHIP, "system": "iOS 18.2"}])
def test_another_chip_or_system_is_unknown(model, tables, settings):
    importer.take_up(dumped(tables, [operation(convolutions(model)[0])]), model, tables)
    verdicts = check(model, point(loaded(tables), None, settings))
    assert {verdict.verdict for verdict in verdicts} == {"unknown"}


def test_what_it_could_run_and_did_not_is_no_fact(model, tables):
    importer.take_up(dumped(tables, [operation(convolutions(model)[0], "gpu")]), model, tables)
    assert loaded(tables).facts == 0


def test_plans_that_disagree_give_no_fact(model, tables, capsys):
    node = convolutions(model)[0]
    importer.take_up(dumped(tables, [operation(node)]), model, tables)
    assert loaded(tables).facts == 1
    importer.take_up(dumped(tables, [operation(node, "cpu", ("cpu",))]), model, tables)
    assert loaded(tables).facts == 0
    assert "no fact, the plans disagree" in capsys.readouterr().err


def test_the_upper_half_survives_and_again_changes_nothing(model, tables):
    table = tables / "targets" / "coreml-ane.toml"
    before = table.read_text("utf-8")
    plan = dumped(tables, [operation(convolutions(model)[0])])
    evidence = importer.take_up(plan, model, tables)
    once = table.read_text("utf-8"), evidence.read_text("utf-8")
    assert once[0].startswith(before)
    importer.take_up(plan, model, tables)
    assert (table.read_text("utf-8"), evidence.read_text("utf-8")) == once


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"schema": "other"}, "'schema' is not edgecheck.compute-plan/1"),
        ({"chip": 'M2"'}, "'chip' is 'M2\"'; must be a short plain text"),
        ({"date": "today"}, "'date' is 'today'; must be a day"),
        ({"operations": []}, "'operations' is missing"),
        ({"operations": [3]}, "operations[0] is no object"),
        ({"operations": [{"op": "conv", "output": "x", "preferred": "npu"}]}, "operations[0] names the device 'npu'"),
        ({"operations": [{"output": "x"}]}, "operations[0]: 'op' is None"),
    ],
)
def test_a_dump_that_is_none(tables, more, sentence):
    with pytest.raises(EdgecheckError) as error:
        dumped(tables, [], more)
    assert sentence in str(error.value)


def test_a_plan_of_another_model(model, tables):
    wrong = operation(convolutions(model)[0]) | {"output": "nowhere"}
    with pytest.raises(EdgecheckError, match="has no such value"):
        importer.take_up(dumped(tables, [wrong]), model, tables)
    wrong = operation(convolutions(model)[0]) | {"op": "relu"}
    with pytest.raises(EdgecheckError, match="makes it with conv"):
        importer.take_up(dumped(tables, [wrong]), model, tables)
