"""`edgecheck golden`: list, show, verify, prune."""

from __future__ import annotations

import json

import numpy
import pytest

from edgecheck.cli import main
from edgecheck.golden.recorder import Recorder


def recorded(folder, *, pipeline="face", device="Pixel 8", time="2026-11-21T07:00:00Z"):
    folder.parent.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(str(folder), pipeline, ["decode", "model"], device={"model": device}, time=time)
    recorder.case("img")
    recorder.tensor("decode", "image", numpy.arange(12, dtype=numpy.uint8).reshape(2, 2, 3))
    recorder.tensor("decode", "face", numpy.zeros(3, numpy.uint8), withhold="hash")
    recorder.tensor("model", "scores", numpy.array([0.25, numpy.nan, 0.75], numpy.float32))
    recorder.launch("first", warmup=2)
    for value in (1_000_000, 2_000_000, 3_000_000):
        recorder.sample("model", value)
    assert recorder.finish(), recorder.error
    return folder


@pytest.fixture
def shelf(tmp_path):
    for i in range(3):
        recorded(tmp_path / "golden" / "face" / "pixel-8" / f"run-{i}", time=f"2026-11-2{i}T07:00:00Z")
    recorded(tmp_path / "golden" / "face" / "iphone-15" / "run-0", device="iPhone 15")
    return tmp_path / "golden"


def test_list_shows_every_run(shelf, capsys):
    assert main(["golden", "list", str(shelf), "--output-format", "json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["device"] for run in runs] == ["iPhone 15", "Pixel 8", "Pixel 8", "Pixel 8"]
    assert {(run["cases"], run["withheld"], run["launches"]) for run in runs} == {(1, 1, 1)}


def test_show_says_what_is_in_it(shelf, capsys):
    assert main(["golden", "show", str(shelf / "face/pixel-8/run-0")]) == 0
    out = capsys.readouterr().out
    assert "0 .. 11, mean 5.5" in out
    assert "0.25 .. 0.75, mean 0.5, 1 not finite" in out
    assert "withheld (hash)" in out
    assert "2.000" in out


def test_verify_finds_the_broken_one(shelf, capsys):
    assert main(["golden", "verify", str(shelf)]) == 0
    path = shelf / "face/pixel-8/run-1/tensors.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    capsys.readouterr()
    assert main(["golden", "verify", str(shelf)]) == 1
    out = capsys.readouterr().out
    assert out.count("error[EC401]") == 1
    assert "bytes for a shape of" in out
    assert main(["golden", "verify", str(shelf), "--fail-on", "never"]) == 0


def test_prune_keeps_the_newest_of_each_device(shelf, capsys):
    assert main(["golden", "prune", str(shelf), "--keep", "1", "--dry-run"]) == 0
    assert capsys.readouterr().out.count("would remove") == 2
    assert main(["golden", "prune", str(shelf), "--keep", "1"]) == 0
    left = sorted(str(path.parent.relative_to(shelf)) for path in shelf.rglob("run.json"))
    assert left == ["face/iphone-15/run-0", "face/pixel-8/run-2"]
    assert not [path for path in shelf.rglob("*") if ".part" in path.name]


@pytest.mark.parametrize(
    "arguments", [["list", "nowhere"], ["show", "nowhere"], ["prune", ".", "--keep", "0"], ["verify", "."]]
)
def test_wrong_orders_are_one_sentence(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["golden", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_recording_that_is_not_finished_is_not_listed(shelf, capsys):
    (shelf / "face/pixel-8/run-2").rename(shelf / "face/pixel-8/run-2.part-99")
    assert main(["golden", "list", str(shelf), "--output-format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 3
