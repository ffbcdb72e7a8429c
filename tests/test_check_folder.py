"""`edgecheck check FOLDER`: what is in a folder and does not fit is said, and the rest is checked."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jsonschema
import pytest
from onnx import TensorProto, helper

from edgecheck.cli import main

SCHEMA = json.loads((Path(__file__).parents[1] / "docs/check.schema.json").read_text())
FORMATS = ("full", "concise", "json", "sarif", "junit", "github", "markdown", "html")


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch, tmp_path):
    for name in ("GITHUB_ACTIONS", "EDGECHECK_OUTPUT_FORMAT", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path, models_dir):
    """`m/`: relu.onnx, which every target of ONNX takes, and face.tflite."""
    (tmp_path / "m").mkdir()
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])] for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", *ends)
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    (tmp_path / "m/relu.onnx").write_bytes(model.SerializeToString())
    shutil.copy(next(models_dir.rglob("face_detection_front.tflite")), tmp_path / "m/face.tflite")
    return tmp_path / "m"


def run(capsys, *arguments):
    code = main(["check", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def test_a_file_found_that_is_for_other_targets_is_a_note(folder, capsys):
    code, out, err = run(capsys, "m", "--target", "ort-cpu")
    assert (code, err) == (0, "")
    assert "note[EC103]: m/face.tflite is a tflite file, and ort-cpu takes another format\n" in out
    assert out.splitlines()[-1] == "1 model on 1 target: every operator is supported; 1 file not checked"


def test_a_device_checks_what_it_takes(folder, capsys):
    code, out, _ = run(capsys, "m", "--device", "corstone-300", "--output-format", "json")
    report = json.loads(out)
    jsonschema.validate(report, SCHEMA)
    assert code == 1
    assert [one["path"] for one in report["models"]] == ["m/face.tflite"]
    assert [(one["rule"], one["model"]) for one in report["findings"] if one["rule"] == "EC103"] == [
        ("EC103", "m/relu.onnx")
    ]


def test_a_file_named_must_fit(folder, capsys):
    code, out, err = run(capsys, "m/relu.onnx", "m/face.tflite", "--target", "ort-cpu")
    assert (code, out) == (2, "")
    assert err.startswith("error: m/face.tflite is a tflite file, and ort-cpu takes another format\n")
    assert run(capsys, "m", "m/face.tflite", "--target", "ort-cpu")[0] == 2, "found in a folder, and named too"


def test_a_folder_with_nothing_for_the_target_is_a_wrong_command(folder, capsys):
    code, out, err = run(capsys, "m", "--target", "coreml")
    assert (code, out, err.splitlines()[0]) == (2, "", "error: none of the 2 files found is for coreml")
    code, out, err = run(capsys, "m", "--target", "coreml,ort-cpu")
    assert (code, err.splitlines()[0]) == (2, "error: coreml takes none of the models (onnx)")


def test_one_damaged_file_does_not_stop_the_others(folder, capsys):
    (folder / "cut.tflite").write_bytes((folder / "face.tflite").read_bytes()[:500])
    (folder / "empty.onnx").touch()
    (folder / "face.tflite").unlink()
    code, out, err = run(capsys, "m", "--target", "ort-cpu")
    assert (code, err) == (3, "")
    assert "note[EC905]: not checked: m/empty.onnx is empty\n  help: the download" in out
    assert "note[EC905]: not checked: m/cut.tflite: " in out
    assert out.splitlines()[-1] == "1 model on 1 target: 0 errors, 0 warnings, 2 not decided; 2 files not checked"
    assert run(capsys, "m", "--target", "ort-cpu", "--allow-unknown")[0] == 0
    code, out, err = run(capsys, "m", "m/empty.onnx")
    assert (code, out, err.splitlines()[0]) == (2, "", "error: m/empty.onnx is empty")


def test_a_folder_of_nothing_but_damage_is_not_decided(folder, capsys):
    for path in folder.iterdir():
        path.write_bytes(b"")
    code, out, _ = run(capsys, "m", "--target", "ort-cpu")
    assert (code, out.splitlines()[-1]) == (
        3, "0 models on 0 targets: 0 errors, 0 warnings, 2 not decided; 2 files not checked",
    )  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_every_report_names_the_files_that_were_not_checked(folder, format, capsys):
    (folder / "empty.onnx").touch()
    code, out, _ = run(capsys, "m", "--target", "ort-cpu", "--output-format", format)
    assert code == 3
    for rule, name in (("EC103", "face.tflite"), ("EC905", "empty.onnx")):
        assert rule in out
        assert name in out.replace("\\_", "_")


def test_junit_has_what_is_wrong_with_a_file(folder, tmp_path, capsys):
    graph = helper.make_graph([], "g", [], [])
    none = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    (folder / "none.onnx").write_bytes(none.SerializeToString())
    code, out, _ = run(capsys, "m", "--target", "ort-cpu", "--output-format", "junit")
    suites = {one.get("name"): one for one in ElementTree.fromstring(out)}
    assert code == 3
    assert suites["m/none.onnx"][0].get("name") == "the file"
    assert suites["m/none.onnx"].get("skipped") == "1"
    assert "EC901" in suites["m/none.onnx"][0][0].text
    assert [case.get("name") for case in suites["m/face.tflite"]] == ["the file"]
    assert suites["m/relu.onnx"].attrib == {
        "name": "m/relu.onnx", "tests": "1", "failures": "0", "skipped": "0", "errors": "0",
    }  # fmt: skip
    _, out, _ = run(capsys, "m/none.onnx", "--target", "ort-cpu", "--output-format", "json")
    assert json.loads(out)["models"][0]["targets"][0]["summary"]["macs_supported"] is None, "no work to share out"


def test_names_in_a_folder(folder, capsys):
    (folder / "sub.onnx").mkdir()
    (folder / "face.tflite").rename(folder / "sub.onnx/FACE.TFLITE")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.onnx").symlink_to("nowhere")
    code, out, _ = run(capsys, "m", "--output-format", "json")
    report = json.loads(out)
    assert [one["path"] for one in report["models"]] == ["m/relu.onnx", "m/sub.onnx/FACE.TFLITE"]
    assert [one["message"] for one in report["findings"] if one["rule"] == "EC905"] == [
        "not checked: m/gone.onnx does not exist"
    ]
    assert code in {1, 3}
