"""`edgecheck record`: what is written, what is kept back, latencies by launch, and what is said where it fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest

from edgecheck.cli import main
from edgecheck.golden.latency import compare as against
from edgecheck.golden.reading import read
from golden_toy import photos, pipeline

ROOT = Path(__file__).parents[1]


def recorded(tmp_path, *options, source=None):
    source = source or pipeline(tmp_path / "toy")
    assert main(["record", str(source), "--out", str(tmp_path / "run"), *options]) == 0
    return read(tmp_path / "run")


def test_every_stage_of_every_case_is_written(tmp_path, capfd):
    run = recorded(tmp_path)
    assert run.stages == ("input", "preprocess", "model", "decide")
    assert [case.name for case in run.cases] == ["photo-0", "photo-1", "photo-2"]
    kept = next(one for one in run.cases[1].tensors if one.name == "photo")
    assert numpy.array_equal(run.values("photo-1", kept), photos()["photo-1"])
    assert run.device["kind"] == "host"
    assert "3 cases of input, preprocess, model, decide" in capfd.readouterr().out


def test_a_run_is_named_by_pipeline_device_and_time(tmp_path, monkeypatch, capfd):
    source = pipeline(tmp_path / "toy")
    monkeypatch.chdir(tmp_path)
    assert main(["record", str(source), "--name", "first", "--fact", "device.model=Pixel 8"]) == 0
    assert read(tmp_path / "golden" / "toy" / "pixel-8" / "first").device["model"] == "Pixel 8"
    assert main(["record", str(source), "--name", "first", "--fact", "device.model=Pixel 8"]) == 2
    assert "the run is kept as" in capfd.readouterr().err


def test_private_tensors_are_kept_back_with_what_they_are_like(tmp_path, capfd):
    options = ("--withhold", "photo=hash", "--withhold", "decide/label=omitted", "--aggregates", "--case", "photo-1")
    run = recorded(tmp_path, *options)
    told = {one.name: one for one in run.cases[0].tensors}
    assert [case.name for case in run.cases] == ["photo-1"]
    assert {name: one.withheld for name, one in told.items() if one.withheld} == {"photo": "hash", "label": "omitted"}
    assert run.aggregates("photo-1", told["photo"]).mean == pytest.approx(photos()["photo-1"].mean())
    assert not told["input"].aggregates


def test_launches_have_a_canary_processor_time_and_one_session(tmp_path, capfd):
    run = recorded(tmp_path, "--launches", "2", "--runs", "4", "--warmup", "1")
    again = recorded(tmp_path / "again", "--launches", "2", "--runs", "4", "--warmup", "1")
    assert set(run.spans) == {"canary"} | {
        f"{span}{end}" for span in ("end_to_end", "preprocess", "model", "decide") for end in ("", "_cpu")
    }
    assert [launch.name for launch in run.launches] == ["0000", "0001"]
    assert all((run.latency(span, one.name) > 0).all() for span in run.spans for one in run.launches)
    assert all(run.latency(span, "0001").size == 4 for span in run.spans)
    assert run.conditions["session"] != again.conditions["session"]
    assert "matrix product" in run.conditions["canary"]
    answers = against(run, again, allow=("model", "runtime", "device.model"))
    assert [one.answer for one in answers] == ["cannot tell"]  # two launches of each, but comparable


def test_the_model_and_its_runtime_are_facts(tmp_path, models_dir, capfd):
    options = ("--case", "cat", "--runtime", "litert-builtin", "--launches", "1", "--runs", "2", "--warmup", "0")
    run = recorded(tmp_path, *options, source=ROOT / "golden" / "face" / "pipeline.py")
    assert run.model["input"] == "1x128x128x3 float32"
    assert len(run.model["sha256"]) == 64
    assert run.runtime["name"].startswith("litert")
    assert run.runtime["threads"] == 1
    assert (run.latency("model_cpu", "0000") > 0).all()


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--withhold", "photo"], 2, "is not KEY=VALUE"),
        (["--withhold", "photo=blurred"], 2, "it is 'hash' or 'omitted'"),
        (["--case", "photo-9"], 2, "the pipeline has no case 'photo-9'"),
        (["--fact", "weather.today=fair"], 2, "weather"),
        (["--on", "moon"], 2, "moon"),
        (["--python", "/nowhere/python"], 3, "cannot be started"),
    ],
)
def test_what_is_wrong_with_the_command_is_one_sentence(tmp_path, capfd, options, code, sentence):
    arguments = ["record", str(pipeline(tmp_path / "toy")), "--out", str(tmp_path / "run"), *options]
    assert main(arguments) == code
    told = capfd.readouterr().err
    assert sentence in told
    assert "Traceback" not in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("replaced", "code", "sentence"),
    [
        ({"    best = int": "    1 / 0\n    best = int"}, 3, "stage 'decide' raised ZeroDivisionError"),
        ({"    best = int": "    import os; os.abort()\n    best = int"}, 3, "died of SIGABRT"),
        ({'return {"label"': 'return 3\n    return {"label"'}, 2, "returned int, not a dict"),
        (
            {"    found = {}\n": "    raise OSError('no photos')\n    found = {}\n"},
            2,
            "the cases of 'toy' raised OSError",
        ),
        ({"    return found\n": "    return {}\n"}, 2, "has no cases to record"),
    ],
)
def test_a_stage_that_fails_writes_nothing(tmp_path, capfd, replaced, code, sentence):
    source = pipeline(tmp_path / "bad", replaced=replaced)
    assert main(["record", str(source), "--out", str(tmp_path / "run")]) == code
    told = capfd.readouterr().err
    assert sentence in told
    assert "Traceback" not in told
    assert [one.name for one in tmp_path.iterdir()] == ["bad"]


def test_a_rerun_writes_the_same_bytes_but_for_its_time(tmp_path, capfd):
    source = pipeline(tmp_path / "toy")
    runs = [recorded(tmp_path / name, source=source).folder for name in ("one", "two")]
    assert len({(run / "tensors.safetensors").read_bytes() for run in runs}) == 1
    facts = [json.loads((run / "run.json").read_text()) for run in runs]
    assert len({json.dumps({**one, "time": ""}) for one in facts}) == 1
