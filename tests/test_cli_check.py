"""`edgecheck check`, `devices` and `ops` as a user meets them: real files, exit codes, sentences, reports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from edgecheck.cli import main
from edgecheck.tables import bundle

SCHEMA = json.loads((Path(__file__).parents[1] / "docs/check.schema.json").read_text())


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch, tmp_path):
    for name in ("GITHUB_ACTIONS", "EDGECHECK_OUTPUT_FORMAT", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def face(models_dir):
    return next(models_dir.rglob("face_detection_front.tflite"))


@pytest.fixture(scope="module")
def pitch(models_dir):
    return next(models_dir.rglob("nmp.tflite"))


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def all_models(folder):
    return sorted(
        p for p in folder.rglob("*") if p.suffix in {".onnx", ".tflite", ".mlpackage"} and ".mlpackage/" not in str(p)
    )


def test_every_real_model_is_checked_on_every_target_of_its_format(models_dir, capsys):
    files = all_models(models_dir)
    assert len(files) >= 50
    code, out, _ = run(capsys, "check", *files, "--output-format", "json")
    report = json.loads(out)
    jsonschema.validate(report, SCHEMA)
    assert code in {1, 3}
    assert [model["path"] for model in report["models"]] == [str(path) for path in files]
    for model in report["models"]:
        assert [target["target"] for target in model["targets"]] == bundle.deciding(model["format"])
        for target in model["targets"]:
            assert (
                len(target["nodes"])
                == model["nodes"]
                == sum(target["summary"][v] for v in ("supported", "fallback", "rejected", "unknown"))
            )
            places = [(node["graph"], node["index"]) for node in target["nodes"]]
            assert len(set(places)) == len(places)
            assert all(node["evidence"] for node in target["nodes"] if node["verdict"] != "unknown")


def test_a_rerun_is_byte_identical(pitch, capsys):
    first = run(capsys, "check", pitch, "--output-format", "json")
    assert run(capsys, "check", pitch, "--output-format", "json") == first


def test_exit_codes_of_a_model_with_fallbacks(pitch, capsys):
    target = ("--target", "litert-xnnpack")
    assert run(capsys, "check", pitch, *target)[0] == 1
    assert run(capsys, "check", pitch, *target, "--exit-zero")[0] == 0
    assert run(capsys, "check", pitch, *target, "--fail-on", "never")[0] in {0, 3}


def test_the_full_report(pitch, capsys):
    _, out, err = run(capsys, "check", pitch, "--target", "litert-xnnpack")
    assert err == ""
    assert "warning[EC102]: " in out
    assert "  --> " in out
    assert "  note: evidence " in out
    assert "supported  fallback  rejected  unknown" in out
    assert "\x1b[" not in out, "no colour where there is no terminal"


def test_concise_and_github_reports(pitch, capsys):
    _, out, _ = run(capsys, "check", pitch, "--target", "litert-xnnpack", "--output-format", "concise")
    assert all(line.startswith(str(pitch)) and "[EC" in line for line in out.splitlines())
    _, out, _ = run(capsys, "check", pitch, "--target", "litert-xnnpack", "--output-format", "github")
    first = out.splitlines()
    assert all(
        line.startswith(("::warning file=", "::notice file=")) for line in first[: first.index("::group::edgecheck")]
    )
    assert ",title=EC102 litert-xnnpack::" in out


def test_github_is_chosen_by_itself_inside_actions(pitch, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert "\n::warning file=" in "\n" + run(capsys, "check", pitch, "--target", "litert-xnnpack")[1]
    monkeypatch.setenv("EDGECHECK_OUTPUT_FORMAT", "concise")
    assert not run(capsys, "check", pitch, "--target", "litert-xnnpack")[1].startswith("::")


def test_a_report_file_is_written_whole(face, capsys, tmp_path):
    code, out, _ = run(capsys, "check", face, "--output-format", "html", "--output-file", tmp_path / "report.html")
    assert out == ""
    assert code in {0, 1, 3}
    page = (tmp_path / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<svg" in page
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    code, _, err = run(capsys, "check", face, "--output-file", tmp_path / "no" / "report.txt")
    assert (code, err) == (2, f"error: cannot write {tmp_path}/no/report.txt: No such file or directory\n")


def test_a_device_stands_for_its_targets(face, capsys):
    code, out, _ = run(capsys, "check", face, "--device", "pixel-8", "--output-format", "json")
    report = json.loads(out)
    assert code in {0, 1, 3}
    assert report["models"][0]["targets"]
    assert all(target["devices"] == ["pixel-8"] for target in report["models"][0]["targets"])


def test_settings_and_versions(pitch, capsys):
    code, out, _ = run(
        capsys, "check", pitch, "--target", "ethos-u55", "--set", "config=ethos-u55-256", "--output-format", "json"
    )
    assert json.loads(out)["models"][0]["targets"][0]["settings"]["config"] == "ethos-u55-256"
    assert code == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing.tflite"], "error: nothing.tflite does not exist"),
        (["FACE", "--target", "ethos-u5"], "error: there is no target 'ethos-u5'\n  help: did you mean "),
        (["FACE", "--target", "ort-cpu"], "takes another format\n  help: targets for tflite: "),
        (["FACE", "--device", "nokia-3310"], "error: there is no device 'nokia-3310'"),
        (["FACE", "--target", "ethos-u55@99"], "error: ethos-u55@99 lies outside what the table knows"),
        (["FACE", "--target", "ethos-u55", "--set", "config"], "error: --set takes NAME=VALUE, not 'config'"),
        (["FACE", "--target", "ethos-u55", "--set", "speed=1"], "error: none of ethos-u55 has a setting 'speed'"),
        (
            ["FACE", "--target", "ethos-u55", "--set", "config=z80"],
            "error: setting config of ethos-u55 cannot be 'z80'",
        ),
        (["empty"], "error: empty holds no model"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(arguments, sentence, face, capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    code, out, err = run(capsys, "check", *(face if argument == "FACE" else argument for argument in arguments))
    assert code == 2
    assert sentence in err
    assert out == ""


def test_configuration_names_the_targets(face, capsys, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.edgecheck]\ntargets = ["litert-xnnpack"]\nfail-on = "error"\n')
    _, out, _ = run(capsys, "check", face, "--output-format", "json")
    assert [target["target"] for target in json.loads(out)["models"][0]["targets"]] == ["litert-xnnpack"]
    (tmp_path / "edgecheck.toml").write_text("colour = 1\n")
    code, _, err = run(capsys, "check", face)
    assert (code, err.splitlines()[0]) == (2, f"error: {tmp_path}/edgecheck.toml: unexpected key 'colour'")


def test_a_package_without_weights_is_said_and_not_green(models_dir, capsys, tmp_path):
    package = next(models_dir.rglob("nmp.mlpackage"))
    copy = tmp_path / "nmp.mlpackage"
    shutil.copytree(package, copy)
    for weights in copy.rglob("weight.bin"):
        weights.unlink()
    code, out, _ = run(capsys, "check", copy)
    assert code == 3
    assert "note[EC904]: " in out


def test_ops_lists_targets_ops_and_limits(capsys):
    code, out, _ = run(capsys, "ops")
    assert code == 0
    assert len(out.splitlines()) == len(bundle.targets())
    assert "CONV_2D" in run(capsys, "ops", "ethos-u55")[1]
    _, out, _ = run(capsys, "ops", "ethos-u55", "conv_2d")
    assert out.startswith("CONV_2D on ethos-u55\n")
    assert "evidence ethos-u-vela 5.2.0" in out
    code, _, err = run(capsys, "ops", "ethos-u55", "CONV_3D")
    assert (code, err.splitlines()[0]) == (2, "error: ethos-u55 does not list CONV_3D: the verdict is fallback")


def test_verbs(capsys):
    assert run(capsys)[0] == 2
    code, out, _ = run(capsys, "--help")
    assert (code, out.startswith("usage: edgecheck VERB")) == (0, True)
    code, _, err = run(capsys, "chek")
    assert (code, err) == (2, "error: there is no verb 'chek'\n  help: did you mean check?\n")
    for verb in ("check", "ops", "explain", "devices", "export", "doctor", "demo"):
        code, out, _ = run(capsys, verb, "--help")
        assert code == 0
        assert "examples:" in out


def test_sarif_junit_and_markdown(pitch, capsys):
    import xml.etree.ElementTree as ElementTree

    target = ("--target", "litert-xnnpack")
    _, out, _ = run(capsys, "check", pitch, *target, "--output-format", "sarif")
    results = json.loads(out)["runs"][0]["results"]
    assert {one["ruleId"] for one in results if one["level"] != "note"} == {"EC102"}
    assert len({one["partialFingerprints"]["edgecheck/1"] for one in results}) >= 1
    _, out, _ = run(capsys, "check", pitch, *target, "--output-format", "junit")
    suite = ElementTree.fromstring(out)[0]
    cases = {case.get("name").partition("@")[0]: case for case in suite}
    assert suite.get("failures") == "1"
    assert cases["litert-xnnpack"][0].tag == "failure"
    _, out, _ = run(capsys, "check", pitch, *target, "--output-format", "markdown")
    assert out.startswith("### nmp.tflite\n")
    assert "| litert-xnnpack@" in out
