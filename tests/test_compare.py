"""`edgecheck compare`: every finding on both sides, what fails and how that is said, formats, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy
import onnx
import pytest

from edgecheck.cli import main
from edgecheck.golden.between import compare as between
from edgecheck.golden.compared import pack, unpack
from edgecheck.golden.findings import findings
from edgecheck.golden.pairing import Pairing, crossed
from edgecheck.golden.reading import read
from edgecheck.golden.sides import compare
from golden_toy import as_it_is, at, photos, pipeline, record

ROOT = Path(__file__).parents[1]


@pytest.fixture
def source(tmp_path) -> Path:
    return pipeline(tmp_path / "toy")


def found(run: Path, source: Path, **options):
    """The findings of a replay, in this process: the wrapper code is the test's own."""
    return list(findings(unpack(compare(str(run), str(source), search=False, **options))))


def rules(all_found) -> list[str]:
    return sorted({one.rule for one in all_found})


def test_a_correct_recording_has_no_finding(tmp_path, source):
    assert found(record(tmp_path / "run"), source) == []


def negated(value):
    return -value


@pytest.mark.parametrize(
    ("change", "expected", "sentence"),
    [
        (at("preprocess", "input", negated), ["EC402", "EC406"], "'preprocess' is the first that differs, in 3 of 3 cases"),
        (at("model", "logits", lambda v: v[:, ::-1]), ["EC402", "EC406"], "what the app decides changes at model/logits"),
        (at("model", "steps", lambda v: None), ["EC403"], "'steps' is not in the recording"),
        (at("preprocess", "input", lambda v: None), ["EC921"], "the device did not record it"),
        (at("model", "logits", named="scores"), ["EC404"], "'logits' is called 'scores' on the device"),
        (at("preprocess", "input", lambda v: v.transpose(0, 3, 1, 2)), ["EC405"], "1x3x12x8 on the device, 1x12x8x3 here"),
        (at("model", "steps", lambda v: v.astype("int16")), ["EC405"], "'steps' is int16 on the device, int8 here"),
        (at("decide", "text", lambda v: numpy.asarray(["other"], object)), ["EC402", "EC406"], "'other' instead of 'class"),
        (at("decide", "label", lambda v: None), ["EC403"], "'label' is not in the recording"),
    ],
)  # fmt: skip
def test_what_differs_has_a_name(tmp_path, source, change, expected, sentence):
    told = found(record(tmp_path / "run", change), source)
    assert rules(told) == expected
    assert any(sentence in one.message for one in told), [one.message for one in told]


def test_an_extra_tensor_and_an_extra_stage_are_findings(tmp_path, source):
    def change(case, stage, name, value):
        return [(name, value, {}), *([("more", numpy.arange(9.0), {})] if stage == "decide" and name == "text" else [])]

    told = found(record(tmp_path / "run", change), source)
    assert [(one.rule, one.severity) for one in told] == [("EC403", "warning")]
    fewer = pipeline(
        tmp_path / "fewer", replaced={'        Stage("decide", decide, gives={"label": Meaning(kind="labels"), "text": Meaning(kind="text")}),\n': ""}
    )  # fmt: skip
    assert "no stage 'decide'" in found(record(tmp_path / "whole"), fewer)[0].message


def test_one_step_beyond_the_tolerance_is_caught(tmp_path, source):
    """`steps` may be two steps off; the third is a finding, in one element of one case."""

    def off(by):
        def act(value):
            moved = value.copy()
            moved.flat[5] += by
            return moved

        return act

    assert found(record(tmp_path / "two", at("model", "steps", off(2))), source) == []
    told = found(record(tmp_path / "three", at("model", "steps", off(3))), source)
    assert rules(told) == ["EC402"]
    assert "3 steps, 1 of 24 elements" in told[0].message


def test_another_model_file_is_said(tmp_path, models_dir):
    """The same net in a file of another hash: only that is told."""
    model = onnx.load(ROOT / "golden" / "onet" / "onet.onnx")
    model.producer_name = "another"
    onnx.save(model, tmp_path / "another.onnx")
    run, source = (ROOT / "golden" / "onet" / name for name in ("host/onnxruntime", "pipeline.py"))
    assert "EC407" not in rules(found(run, source))
    told = found(run, source, models={"model": str(tmp_path / "another.onnx")})
    assert "EC407" in rules(told)
    assert "another.onnx" not in next(one for one in told if one.rule == "EC407").message.partition("than")[0]


# Withheld


def test_a_withheld_input_is_taken_from_the_pipeline_where_its_hash_agrees(tmp_path, source):
    run = record(tmp_path / "run", at("input", "photo", withhold="hash"))
    comparison = unpack(compare(str(run), str(source), search=False))
    assert list(findings(comparison)) == []
    assert comparison.notes == ("the input of 3 cases is the pipeline's own, and its hash is the device's",)


@pytest.mark.parametrize("aggregates", [False, True])
def test_a_withheld_input_that_is_another_is_not_used(tmp_path, source, aggregates):
    change = at("input", "photo", withhold="hash", aggregates=aggregates)
    told = found(record(tmp_path / "run", change, made=photos(dark=0.5)), source)
    undecided = [one for one in told if one.rule == "EC921"]
    assert "the hash of its 'photo' is not that of the pipeline's own case" in undecided[0].message
    assert rules(told) == (["EC409", "EC921"] if aggregates else ["EC921"])
    if aggregates:
        drift = next(one for one in told if one.rule == "EC409")
        assert "mean brightness 0.2" in drift.message
        assert "on the device, 0.5" in drift.message
        assert "in 3 of 3 cases" in drift.message


def test_aggregates_alone_show_that_an_omitted_input_is_another(tmp_path, source):
    change = at("input", "photo", withhold="omitted", aggregates=True)
    assert rules(found(record(tmp_path / "same", change), source)) == []
    told = found(record(tmp_path / "dark", change, made=photos(dark=0.5)), source)
    assert rules(told) == ["EC409", "EC921"]


def test_drift_of_a_withheld_output_is_named_and_a_small_one_is_none(tmp_path, source):
    def run(name, act, **keywords):
        return found(record(tmp_path / name, at("model", "logits", act, withhold="omitted", **keywords)), source)

    assert rules(run("plain", lambda v: v * 3)) == ["EC921"]
    told = run("far", lambda v: v * 3, aggregates=True)
    assert rules(told) == ["EC409", "EC921"]
    assert "deviation" in next(one.message for one in told if one.rule == "EC409")
    assert rules(run("near", lambda v: v * 1.0005, aggregates=True)) == ["EC921"]
    missing = run("nan", lambda v: numpy.where(v == v.max(), numpy.nan, v), aggregates=True)
    assert "missing values (NaN) 16.7% on the device, none here" in next(
        o.message for o in missing if o.rule == "EC409"
    )


def test_a_hash_that_is_another_cannot_tell_how_far(tmp_path, source):
    told = found(record(tmp_path / "run", at("preprocess", "input", negated, withhold="hash")), source)
    assert "EC921" in rules(told)
    assert any("the hash is another, so a distance cannot be told" in one.message for one in told)


# Two recordings


def test_a_canary_run_of_the_same_cases(tmp_path):
    reference = read(record(tmp_path / "reference"))
    assert list(findings(between(read(record(tmp_path / "same")), reference))) == []
    other = read(record(tmp_path / "other", at("model", "logits", lambda v: v + 1)))
    told = list(findings(between(other, reference)))
    assert rules(told) == ["EC402"]
    assert "Nothing was replayed" in told[0].message
    withheld = at("input", "photo", withhold="omitted", aggregates=True)
    dark = read(record(tmp_path / "dark", withheld, made=photos(dark=0.5)))
    assert "EC409" in rules(findings(between(dark, reference)))


def test_a_canary_run_of_other_cases_is_a_sample(tmp_path):
    """Alike photos are no drift, darker ones are, and of few nothing is said."""

    def run(name, **options):
        change = at("input", "photo", withhold="omitted", aggregates=True)
        return read(record(tmp_path / name, change, made=photos(**options)))

    reference = run("reference", count=30)
    alike = run("alike", count=30, prefix="field", seed=100)
    assert rules(findings(between(alike, reference))) == ["EC921"]
    dark = run("dark", count=30, prefix="field", seed=100, dark=0.7)
    told = [one for one in findings(between(dark, reference)) if one.rule == "EC409"]
    assert "'photo' has drifted" in told[0].message
    assert "30 cases against 30" in told[0].message
    assert "chance of" in told[0].evidence[0]
    few = between(run("few", count=4, prefix="field", dark=0.7), reference)
    assert rules(findings(few)) == ["EC921"]
    assert any("too few to tell drift from chance" in note for note in few.notes)


def test_samples_of_one_kind_are_hardly_ever_called_drifted(tmp_path):
    """100 canary runs of 12 cases of one kind: at a level of 1 % none or one is expected, five would be wrong."""
    reference = read(record(tmp_path / "reference", made=photos(40)))
    alarms = 0
    for seed in range(100):
        run = read(record(tmp_path / f"run-{seed}", made=photos(12, prefix="field", seed=1000 + 50 * seed)))
        alarms += any(one.drifted for one in between(run, reference).monitors)
    assert alarms < 5


# What fails


@pytest.mark.parametrize(
    ("replaced", "code", "sentence"),
    [
        ({"import numpy\n": "import numpy\ndef broken(:\n"}, 2, "cannot be imported: SyntaxError"),
        ({"import numpy\n": "import numpy\nimport nowhere_to_be_found\n"}, 2, "No module named 'nowhere_to_be_found'"),
        ({"PIPELINE = ": "OTHER = "}, 2, "has no PIPELINE"),
        ({'Stage("decide", decide': 'Stage("model", decide'}, 2, "two stages are named 'model'"),
        ({"def decide(logits):": "def decide(nothing):"}, 2, "takes 'nothing', which nothing before it gives"),
        ({"import numpy\n": "import numpy\nraise SystemExit(4)\n"}, 2, "SystemExit"),
        ({"    best = int": "    raise KeyError('sign')\n    best = int"}, 3, "stage 'decide' raised KeyError"),
        ({"    best = int": "    import os; os.abort()\n    best = int"}, 3, "stage 'decide' of case photo-0 ended the process"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_pipeline_is_one_sentence(tmp_path, capfd, replaced, code, sentence):
    run = record(tmp_path / "run")
    assert main(["compare", str(run), "--pipeline", str(pipeline(tmp_path / "bad", replaced=replaced))]) == code
    told = capfd.readouterr()
    assert sentence in told.out + told.err
    assert "Traceback" not in told.out + told.err


def test_a_stage_that_fails_here_leaves_the_others_compared(tmp_path):
    bad = pipeline(tmp_path / "bad", replaced={"    rows = input": "    raise ValueError('no')\n    rows = input"})
    told = found(record(tmp_path / "run", at("preprocess", "input", negated)), bad)
    assert rules(told) == ["EC402", "EC921"]
    undecided = next(one for one in told if one.rule == "EC921")
    assert "stage 'model' raised ValueError: no (pipeline.py:" in undecided.message


def test_a_runtime_that_aborts_is_said(tmp_path, capfd):
    """A model file that is none: the runtime's child ends or refuses, edgecheck does not."""
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + b"\xff" * 64)
    arguments = ["compare", str(ROOT / "golden/face/host/litert"), "--model", f"model={broken}"]
    assert main(arguments) in (2, 3)
    assert "Traceback" not in capfd.readouterr().err


def test_an_unknown_runtime_or_runner_is_refused(tmp_path, source, capfd):
    run = str(record(tmp_path / "run"))
    assert main(["compare", run, "--on", "nowhere"]) == 2
    assert "nowhere" in capfd.readouterr().err
    assert main(["compare", str(tmp_path / "none"), "--pipeline", str(source)]) == 2
    assert main(["compare", run, "--pipeline", str(tmp_path / "none.py")]) == 2
    capfd.readouterr()


def test_a_run_that_gives_no_answer_is_stopped(tmp_path, capfd):
    slow = pipeline(tmp_path / "slow", replaced={"    best = int": "    import time; time.sleep(60)\n    best = int"})
    assert main(["compare", str(record(tmp_path / "run")), "--pipeline", str(slow), "--timeout", "6"]) == 3
    assert "gave no answer: no end after 6 s" in capfd.readouterr().out


def test_a_folder_of_runs_each_with_its_own_pipeline(tmp_path, capfd):
    """The good one passes, the bad one is found, the broken one is EC401, and latencies alone are passed over."""
    for name, change in (("good", as_it_is), ("bad", at("preprocess", "input", negated))):
        pipeline(tmp_path / "all" / name)
        record(tmp_path / "all" / name / "pixel-8" / "run", change)
    broken = record(tmp_path / "all" / "good" / "pixel-8" / "broken")
    (broken / "run.json").write_text("{}")
    assert main(["compare", str(tmp_path / "all"), "--output-format", "json", "--no-causes"]) == 1
    told = json.loads(capfd.readouterr().out)
    assert [run["first"] for run in told["runs"]] == ["preprocess", None]
    assert [one["rule"] for one in told["findings"]] == ["EC401", "EC402", "EC406", "EC406"]


@pytest.mark.parametrize(
    ("change", "options", "code"),
    [
        (as_it_is, [], 0),
        (at("preprocess", "input", negated), [], 1),
        (at("preprocess", "input", negated), ["--fail-on", "never"], 0),
        (at("preprocess", "input", negated), ["--exit-zero"], 0),
        (at("model", "logits", withhold="omitted"), [], 3),
        (at("model", "logits", withhold="omitted"), ["--allow-unknown"], 0),
    ],
)
def test_exit_codes(tmp_path, source, capfd, change, options, code):
    run = str(record(tmp_path / "run", change))
    assert main(["compare", run, "--pipeline", str(source), "--no-causes", *options]) == code
    capfd.readouterr()


def test_ctrl_c_stops_and_leaves_nobody_behind(tmp_path):
    marker = f"edgecheck-test-{os.getpid()}"
    waits = {
        "    best = int": f"    import time; open({str(tmp_path / marker)!r}, 'w').close(); time.sleep(60)\n    best = int"
    }
    slow = pipeline(tmp_path / "slow", replaced=waits)
    command = [sys.executable, "-m", "edgecheck", "compare", str(record(tmp_path / "run")), "--pipeline", str(slow)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / marker).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out, error) == (130, "", "stopped\n")


# Reports


@pytest.fixture(scope="module")
def differing(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("differing")

    def change(case, stage, name, value):
        act = {"input": negated, "logits": lambda v: v[:, ::-1]}.get(name, lambda v: v)
        return [(name, act(value), {"withhold": "omitted", "aggregates": True} if name == "steps" else {})]

    return [str(record(folder / "run", change)), "--pipeline", str(pipeline(folder)), "--no-causes"]


def test_the_json_report_keeps_its_schema_and_a_rerun_its_bytes(differing, capfd):
    schema = json.loads((ROOT / "docs" / "compare.schema.json").read_text())
    texts = []
    for _ in range(2):
        assert main(["compare", *differing, "--output-format", "json"]) == 1
        texts.append(capfd.readouterr().out)
    assert texts[0] == texts[1]
    jsonschema.validate(json.loads(texts[0]), schema)
    assert json.loads(texts[0])["runs"][0]["monitors"]
    del schema["$defs"]["tensor"]["properties"]["figures"]["required"]
    schema["$defs"]["stage"]["properties"]["state"] = {"const": "same"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(texts[0]), schema)


@pytest.mark.parametrize("format", ["full", "concise", "sarif", "junit", "github", "markdown", "html"])
def test_every_format_names_stage_and_rule(differing, capfd, format):
    assert main(["compare", *differing, "--output-format", format, "-v"]) == 1
    text = capfd.readouterr().out
    assert "EC402" in text
    assert "preprocess" in text
    assert "node" not in text
    if format == "junit":
        suite = ElementTree.fromstring(text)[0]
        failed = [case.get("name") for case in suite if case.find("failure") is not None]
        assert "stage preprocess" in failed
        assert suite.get("tests") == str(len(suite))
    if format == "sarif":
        assert {one["ruleId"] for one in json.loads(text)["runs"][0]["results"]} >= {"EC402", "EC406"}
    if format == "html":
        assert text.count("data:image/png") >= 3


def test_a_comparison_crosses_the_border_of_a_process(tmp_path, source):
    run = record(tmp_path / "run", at("model", "logits", lambda v: v * numpy.nan))
    packed = compare(str(run), str(source), search=False)
    assert pack(unpack(json.loads(json.dumps(packed)))) == packed


# Latency beside a comparison


def timed(folder, slower=1.0, **facts):
    from edgecheck.golden.recorder import Recorder

    told = {"model": {"sha256": "a" * 64}, "device": {"model": "Pixel 8"}, "runtime": {"name": "litert"}, **facts}
    recorder = Recorder(str(folder), "toy", ["model"], **told)
    rng = numpy.random.default_rng(1)
    for launch in range(12):
        recorder.launch(f"{launch:04d}", 5)
        for _ in range(60):
            recorder.sample("model", int(1e7 * slower * rng.normal(1, 0.01)))
            recorder.sample("decode", int(1e6 * rng.normal(1, 0.01)))
    assert recorder.finish(), recorder.error
    return str(folder)


def test_latencies_are_compared_by_span_and_what_may_differ(tmp_path, capfd):
    base = timed(tmp_path / "base")
    slow = timed(tmp_path / "slow", slower=1.2, model={"sha256": "b" * 64})
    assert main(["compare", slow, "--against", base]) == 3
    assert "EC951" in capfd.readouterr().out
    assert main(["compare", slow, "--against", base, "--allow", "model", "--span", "decode"]) == 0
    capfd.readouterr()
    assert main(["compare", slow, "--against", base, "--allow", "model", "--span", "model"]) == 1
    assert "EC502" in capfd.readouterr().out


def test_what_a_measurement_suffered_is_said_once(tmp_path, capfd):
    lost = {"name": "litert", "delegate_asked": "gpu", "delegate_applied": "cpu"}
    hot = {"thermal_before": "nominal", "thermal_after": "severe"}
    one, other = (timed(tmp_path / name, runtime=lost, conditions=hot) for name in ("one", "other"))
    arguments = [
        "compare",
        one,
        "--against",
        other,
        "--budget",
        "median model <= 90 ms",
        "--budget",
        "p90 model <= 90 ms",
    ]
    assert main([*arguments, "--output-format", "json"]) == 1
    told = [one["rule"] for one in json.loads(capfd.readouterr().out)["findings"]]
    assert [told.count(rule) for rule in ("EC503", "EC504")] == [1, 1]


def test_a_run_of_latencies_alone_wants_a_budget(tmp_path, capfd):
    assert main(["compare", timed(tmp_path / "run")]) == 2
    assert "holds latencies only" in capfd.readouterr().err
    assert main(["compare", timed(tmp_path / "other"), "--budget", "median model <= 11 ms on pixel-8"]) == 0
    capfd.readouterr()


# The pipelines of this repository


@pytest.mark.parametrize("name", ["face", "onet", "text", "speech", "wake", "pitch"])
def test_the_golden_runs_of_the_repository_are_the_same_here(name, models_dir, capfd):
    """3: another machine rounds a withheld tensor otherwise, and its hash is another; nothing may fail."""
    code = main(["compare", str(ROOT / "golden" / name), "--output-format", "json"])
    told = json.loads(capfd.readouterr().out)
    assert code in (0, 3), told["findings"]
    assert {one["rule"] for one in told["findings"]} <= {"EC408", "EC921"}
    assert all(stage["cases"] for run in told["runs"] for stage in run["stages"]) or code == 3


def test_a_twin_of_another_format_is_the_same(models_dir, capfd):
    run = str(ROOT / "golden" / "onet" / "host" / "onnxruntime")
    twin = ROOT / "golden" / "onet" / "onet.tflite"
    code = main(["compare", run, "--model", f"model={twin}", "--output-format", "json"])
    assert {one["rule"] for one in json.loads(capfd.readouterr().out)["findings"]} <= {"EC407", "EC921"}
    assert code in (1, 3)


def test_the_published_trap_is_named(tmp_path, models_dir, capfd):
    """A graph that divides by 255 itself is fed -1 to 1: the app's wrapper was written for the graph without."""
    run = tmp_path / "run"
    trap = (ROOT / "golden" / "face" / "pipeline.py").read_text().replace(
        'return {"input": ((square - mean) / scale)[None].astype(numpy.float32)}',
        'return {"input": (((square - mean) / scale) / 255)[None].astype(numpy.float32)}',
    )  # fmt: skip
    assert "/ 255)[None]" in trap
    (tmp_path / "trap.py").write_text(trap)
    assert main(["record", str(tmp_path / "trap.py"), "--case", "astronaut", "--out", str(run)]) == 0
    capfd.readouterr()
    assert (
        main(["compare", str(run), "--pipeline", str(ROOT / "golden/face/pipeline.py"), "--output-format", "json"]) == 1
    )
    told = json.loads(capfd.readouterr().out)
    first = told["runs"][0]["stages"][0]
    assert told["runs"][0]["first"] == "preprocess" == first["name"]
    cause = first["causes"][0]
    assert cause["ids"] == ["normalisation"]
    assert cause["parameters"]["device"] / cause["parameters"]["ours"] == pytest.approx(255)


def test_the_trap_inside_the_graph_is_named(tmp_path, models_dir, capfd):
    """The same, as it was published: the file that was shipped begins with a division by 255, the wrapper gives -1 to 1."""
    model = onnx.load(ROOT / "golden" / "onet" / "onet.onnx")
    for node in model.graph.node:
        node.input[:] = ["divided" if one == "x" else one for one in node.input]
    model.graph.initializer.append(onnx.numpy_helper.from_array(numpy.float32(255), "by"))
    model.graph.node.insert(0, onnx.helper.make_node("Div", ["x", "by"], ["divided"]))
    onnx.save(model, tmp_path / "shipped.onnx")
    source, run = str(ROOT / "golden" / "onet" / "pipeline.py"), str(tmp_path / "run")
    shipped = f"model={tmp_path / 'shipped.onnx'}"
    assert main(["record", source, "--model", shipped, "--case", "astronaut", "--out", run]) == 0
    capfd.readouterr()
    assert main(["compare", run, "--pipeline", source, "--output-format", "json"]) == 1
    told = json.loads(capfd.readouterr().out)
    assert told["runs"][0]["first"] == "model"
    cause = next(stage for stage in told["runs"][0]["stages"] if stage["name"] == "model")["causes"][0]
    assert "255" in cause["say"]
    assert main(["compare", run, "--pipeline", source, "--model", shipped]) == 0
    capfd.readouterr()


def test_against_now_measures_on_this_machine_only(tmp_path, capfd):
    source = pipeline(tmp_path / "toy", count=1)
    options = ["--launches", "2", "--runs", "5", "--warmup", "1", "--out", str(tmp_path / "toy" / "run")]
    assert main(["record", str(source), *options]) == 0
    assert main(
        ["compare", str(tmp_path / "toy" / "run"), "--against", "now", "--allow", "model", "--output-format", "json"]
    ) in (1, 3)
    told = json.loads(capfd.readouterr().out.partition("\n")[2])
    assert told["runs"][0]["replayed"]
    assert {one["rule"] for one in told["findings"]} <= {"EC951", "EC952", "EC502"}
    assert main(["compare", timed(tmp_path / "phone"), "--against", "now", "--pipeline", str(source)]) == 2
    assert "this machine" in capfd.readouterr().err


def test_tensors_under_each_others_names_are_a_finding_of_their_own():
    """Outputs that an app fetches in another order; equal ones, or nearly equal ones, are none."""
    rng = numpy.random.default_rng(4)
    boxes, scores, more = (rng.normal(size=shape).astype("float32") for shape in ((1, 9, 4), (1, 9, 1), (1, 9, 1)))
    ours = {"boxes": boxes, "scores": scores, "more": more}
    for device, expected in (
        (ours, []),
        ({**ours, "scores": more, "more": scores}, ["'scores' and 'more' lie under each other's names on the device"]),
        (
            {**ours, "boxes": scores, "scores": boxes},
            ["'boxes' and 'scores' lie under each other's names on the device"],
        ),
        ({**ours, "scores": scores[:, ::-1]}, []),
    ):
        known = Pairing()
        crossed("model", "one", ours, device, known)
        assert [one.say for one in known.mismatches.values()] == expected
