"""What a hostile or hurried user gives the command: one sentence, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgecheck.check import check, point
from edgecheck.cli import main
from edgecheck.model.formats.mapped import RawData
from edgecheck.model.graph import Graph, Model, Node, Tensor
from edgecheck.tables import bundle
from edgecheck.tables.functions import FUNCTIONS
from edgecheck.tables.scope import Unknown

EVIL = "a\n::error::owned\x1b[31m<script>alert(1)</script>|`x`[l](javascript:1)\x00&\ufffe"
FORMATS = ("full", "concise", "json", "sarif", "junit", "github", "markdown", "html")


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch, tmp_path):
    for name in ("GITHUB_ACTIONS", "EDGECHECK_OUTPUT_FORMAT", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def save(path, nodes, constants=(), output="y"):
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])] for name in ("x", output)]
    graph = helper.make_graph(nodes, "g", *ends, list(constants))
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def relu(tmp_path):
    return save(tmp_path / "relu.onnx", [helper.make_node("Relu", ["x"], ["y"])])


@pytest.fixture
def evil(tmp_path):
    return save(tmp_path / "evil.onnx", [helper.make_node("Odd\n::error::b<b>", ["x"], ["y"], name=EVIL)])


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert (code == 2) == (err.startswith("error: ") and len(err.splitlines()) <= 2)
    return code, out, err.splitlines()[0] if err else ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--target", ","], "error: --target names nothing"),
        (["--target", "ort-cpu@"], "error: 'ort-cpu@' names no version"),
        (["--target", "ort-cpu@-1.20"], "error: '-1.20' is no version of ort-cpu"),
        (["--target", f"ort-cpu@{'9' * 5000}"], f"error: '{'9' * 5000}' is no version of ort-cpu"),
        (["--target", "ort-cpu,ethos-u55"], "error: ethos-u55 takes none of the models (onnx)"),
        (["--target", "ethos-u55"], "error: relu.onnx is an onnx file, and ethos-u55 takes another format"),
        (["--set", "config=nope"], "error: setting config of ethos-u55 cannot be 'nope'"),
        (["--output-file", "."], "error: cannot write .: Is a directory"),
        (["--output-file", "relu.onnx/x"], "error: cannot write relu.onnx/x: Not a directory"),
        (["--output-file", "x" * 300], f"error: cannot write {'x' * 300}: File name too long"),
        (["x" * 300 + ".onnx"], f"error: {'x' * 300}.onnx cannot be read: File name too long"),
        ([""], "error: a model's name is empty"),
    ],
)
def test_a_wrong_command_is_one_sentence(relu, arguments, sentence, capsys):
    assert run(capsys, "check", "relu.onnx", *arguments) == (2, "", sentence)
    assert [path.name for path in relu.parent.iterdir()] == ["relu.onnx"]


def test_a_setting_nobody_has_is_refused_without_targets_too(relu, capsys):
    code, _, err = run(capsys, "check", relu, "--set", "nope=3")
    assert (code, err.endswith("has a setting 'nope'")) == (2, True)


def test_a_setting_goes_to_the_targets_that_can_take_it(relu, capsys):
    assert run(capsys, "check", relu, "--set", "config=ethos-u55-64", "--fail-on", "error")[0] == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("targets = 3", "'targets' must be a list, not a int"),
        ("targets = [1]", "'targets' holds 1, which is no name"),
        ("[set]\na = {}", "'set' holds {}, which is no name"),
        ("a = [", "Invalid value (at end of document)"),
        ("\x00", "Invalid statement (at line 1, column 1)"),
    ],
)
def test_a_broken_configuration_names_its_file(relu, text, problem, capsys):
    path = relu.with_name("edgecheck.toml")
    path.write_text(text)
    assert run(capsys, "check", relu) == (2, "", f"error: {path}: {problem}")


def test_a_pyproject_without_a_table_for_us(relu, capsys):
    relu.with_name("pyproject.toml").write_text("[tool]\nedgecheck = 3")
    assert run(capsys, "check", relu)[2].endswith("[tool.edgecheck] must be a table, not a int")
    relu.with_name("pyproject.toml").write_text("tool = 3")
    assert run(capsys, "check", relu, "--target", "ort-cpu")[::2] == (0, "")


@pytest.mark.parametrize("content", [b"[tool]\na = [", b"[tool]\n\xff\xfe", b"[tool]\na" + b"[" * 5000])
@pytest.mark.parametrize("place", ["pyproject.toml", "deep/pyproject.toml"])
def test_a_broken_pyproject_of_other_tools_is_a_warning(relu, content, place, monkeypatch, capsys):
    Path("deep/er").mkdir(parents=True)
    path = relu.parent / place
    path.write_bytes(content)
    relu.with_name("edgecheck.toml").write_text('targets = ["ort-cpu"]')
    monkeypatch.chdir("deep/er")
    code, out, err = run(capsys, "check", relu, "--output-format", "json")
    assert code == 0
    assert [one["target"] for one in json.loads(out)["models"][0]["targets"]] == ["ort-cpu"], "ours above still holds"
    warned = err.startswith(f"warning: {path}: ") and err.endswith("; passed over, since it does not name edgecheck")
    assert warned == (place == "deep/pyproject.toml"), "edgecheck.toml beside it is found first"


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ('[tool.edgecheck]\ntargets = ["ort-cpu"]', True),
        ('[ tool . "edgecheck" ]\ntargets = ["ort-cpu"]', True),
        ('["tool".edgecheck]\ntargets = ["ort-cpu"]', True),
        ('[tool]\nedgecheck.targets = ["ort-cpu"]', True),
        ('tool.edgecheck.targets = ["ort-cpu"]', True),
        ('tool = {edgecheck = {targets = ["ort-cpu"]}}', True),
        ('[project]\nname = "edgecheck"\n[tool.other]\nedgecheck = {targets = ["ort-cpu"]}', False),
    ],
)
def test_a_table_for_us_is_found_however_it_is_written(relu, text, ours, capsys):
    relu.with_name("pyproject.toml").write_text(text)
    out = run(capsys, "check", relu, "--output-format", "json")[1]
    assert ([one["target"] for one in json.loads(out)["models"][0]["targets"]] == ["ort-cpu"]) == ours


def test_a_broken_pyproject_that_names_edgecheck_is_an_error(relu, capsys):
    relu.with_name("pyproject.toml").write_text('[tool.edgecheck]\ntargets = ["ort-cpu"')
    code, out, err = run(capsys, "check", relu)
    assert (code, out, err.startswith(f"error: {relu.parent}/pyproject.toml: ")) == (2, "", True)


def test_the_format_of_the_environment_is_for_the_verbs_that_have_it(relu, monkeypatch, capsys):
    monkeypatch.setenv("EDGECHECK_OUTPUT_FORMAT", "html")
    assert run(capsys, "check", relu)[1].startswith("<!doctype html>")
    assert run(capsys, "export", "gone.pt2") == (2, "", "error: gone.pt2 is not there"), "export has no html"
    monkeypatch.setenv("EDGECHECK_OUTPUT_FORMAT", "pdf")
    for verb in (["check", relu], ["export", "gone.pt2"]):
        assert run(capsys, *verb) == (2, "", "error: EDGECHECK_OUTPUT_FORMAT is 'pdf'")


def test_targets_of_the_configuration_may_be_for_other_models(relu, capsys):
    relu.with_name("edgecheck.toml").write_text('targets = ["ort-cpu", "coreml"]')
    assert run(capsys, "check", relu)[0] == 0


@pytest.mark.parametrize("format", FORMATS)
def test_names_that_are_no_utf8(relu, format, capsys):
    odd = os.fsdecode(b"x\xff.onnx")
    relu.rename(odd)
    code, _, _ = run(capsys, "check", odd, "--target", "ort-cpu", "--output-format", format, "--output-file", "report")
    assert code == 0
    report = Path("report").read_text("utf-8")
    if format in {"json", "sarif"}:
        json.loads(report)
    if format == "json":
        assert json.loads(report)["models"][0]["path"] == odd
    assert sorted(Path().iterdir()) == [Path("report"), Path(odd)]


@pytest.mark.parametrize("format", ["full", "concise", "github", "junit", "markdown", "html"])
def test_names_in_a_file_break_no_report(evil, format, capsys):
    code, out, _ = run(capsys, "check", "evil.onnx", "-v", "--output-format", format)
    assert code == 1
    assert not any(sign in out for sign in ("\x1b", "\x00", "\ufffe")) or format == "html"
    assert "<script" not in out or format in {"full", "concise", "github"}
    if format != "html":
        assert not any(line.startswith("::error::") for line in out.splitlines())
    if format == "junit":
        ElementTree.fromstring(out)
    if format == "markdown":
        assert "](javascript" not in out.replace("\\]", "")


def test_a_model_without_operators_is_not_green(tmp_path, capsys):
    path = save(tmp_path / "none.onnx", [], output="x")
    code, out, _ = run(capsys, "check", path)
    assert code == 3
    assert f"note[EC901]: {path} has no operator: there is nothing to judge" in out


@pytest.mark.parametrize(
    ("location", "offset", "problem"),
    [
        ("gone.bin", "0", "which is not there"),
        ("../secret", "0", "which is not beside the model"),
        ("/etc/passwd", "0", "which is not beside the model"),
        ("short.bin", "8", "which has 8 bytes where the model needs 24"),
        ("short.bin", str(10**24), "which has 8 bytes where the model needs "),
    ],
)
def test_external_data_that_cannot_be_read_is_not_green(tmp_path, location, offset, problem, capsys):
    (tmp_path / "short.bin").write_bytes(bytes(8))
    weight = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", "16")):
        weight.external_data.add(key=key, value=value)
    path = save(tmp_path / "m.onnx", [helper.make_node("Add", ["x", "w"], ["y"])], [weight])
    code, out, _ = run(capsys, "check", path, "--target", "ort-cpu")
    assert code == 3
    assert f"note[EC904]: {path} refers to {location}, {problem}" in out


def edgecheck(*arguments, stdout, **options):
    command = [sys.executable, "-m", "edgecheck", *map(str, arguments)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, **options)


def test_a_stdout_that_takes_nothing(relu):
    with Path("/dev/full").open("w") as full:
        done = edgecheck("check", relu, stdout=full)
    assert (done.returncode, done.stderr) == (2, "error: cannot write to stdout: No space left on device\n")
    command = f"{sys.executable} -m edgecheck check {relu} >&-"
    shut = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (shut.returncode, shut.stderr) == (2, "error: stdout is closed\n  help: say --output-file FILE\n")


@pytest.mark.parametrize("verb", ["ops", "devices", "explain", "explain EC101", "ops ort-cpu Relu"])
def test_every_list_says_that_stdout_is_closed_and_bears_a_reader_that_leaves(verb):
    program = f"{sys.executable} -m edgecheck {verb}"
    shut = subprocess.run(["sh", "-c", f"{program} >&-"], capture_output=True, text=True, timeout=60, check=False)
    assert (shut.returncode, shut.stderr) == (2, "error: stdout is closed\n  help: say --output-file FILE\n")
    left = subprocess.run(
        ["bash", "-c", f"{program} | true; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (left.returncode, left.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "a\n::error::x\x1b[31m.onnx"], ["check", "relu.onnx", "--target", "a\n::error::x\x1b[31m"],
        ["devices", "a\n::error::x\x1b[31m"], ["ops", "ort-cpu", "a\n::error::x\x1b[31m"],
        ["explain", "a\n::error::x\x1b[31m"],
    ],
)  # fmt: skip
def test_an_error_is_one_line_whatever_the_name(relu, arguments, capsys):
    code, out, err = run(capsys, *arguments)
    assert (code, out, "\x1b" in err) == (2, "", False)
    assert "a\\n::error::x\\x1b[31m" in err


@pytest.mark.parametrize("arguments", [["devices", ""], ["ops", ""], ["ops", "ort-cpu", ""], ["ops", "ort-cpu@"]])
def test_an_empty_name_is_no_name(arguments, capsys):
    assert run(capsys, *arguments)[:2] == (2, "")


#: What root may do although the mode of a file says no.
WITHOUT_ROOT = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


@pytest.mark.skipif(bool(WITHOUT_ROOT) and not shutil.which("setpriv"), reason="root reads everything")
def test_what_may_not_be_read_or_written(relu):
    def check(*arguments):
        command = [*WITHOUT_ROOT, sys.executable, "-m", "edgecheck", "check", *arguments, "--target", "ort-cpu"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    closed = Path("m/closed")
    closed.mkdir(parents=True)
    for name in ("m/relu.onnx", "m/locked.onnx", "m/closed/relu.onnx"):
        shutil.copy(relu, name)
    Path("m/locked.onnx").chmod(0)
    closed.chmod(0)
    Path("kept.txt").write_text("kept")
    Path("kept.txt").chmod(0o444)
    Path("old.txt").touch(0o600)
    code, out, err = check("m")
    assert (code, err) == (3, "")
    assert "note[EC905]: not checked: m/closed may not be read: permission denied" in out
    assert "note[EC905]: not checked: m/locked.onnx may not be read: permission denied" in out
    assert check("m/closed") == (2, "", "error: m/closed may not be read\n")
    assert check("m/locked.onnx") == (2, "", "error: m/locked.onnx may not be read: permission denied\n")
    assert check("relu.onnx", "--output-file", "kept.txt") == (
        2,
        "",
        "error: cannot write kept.txt: Permission denied\n",
    )
    assert Path("kept.txt").read_text() == "kept"
    assert check("relu.onnx", "--output-file", "old.txt")[0] == 0
    assert Path("old.txt").stat().st_mode & 0o777 == 0o600
    closed.chmod(0o755)


@pytest.mark.parametrize(
    ("surroundings", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)],
)
def test_colour_is_for_a_terminal_that_has_it(relu, surroundings, coloured):
    ours, theirs = os.openpty()
    done = edgecheck("check", relu, "--target", "ort-cpu", stdout=theirs, env={**os.environ, **surroundings})
    os.close(theirs)
    text = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "every operator is supported" in text
    assert ("\x1b[" in text) == coloured


def test_the_report_goes_into_a_pipe_and_through_a_link(relu, capsys):
    done = edgecheck("check", relu, "--target", "ort-cpu", "--output-file", "/dev/stdout", stdout=subprocess.PIPE)
    assert "every operator is supported" in done.stdout
    Path("link").symlink_to("there")
    assert run(capsys, "check", relu, "--target", "ort-cpu", "--output-file", "link")[0] == 0
    assert Path("link").is_symlink()
    assert "every operator is supported" in Path("there").read_text()


def test_equal_lists_with_unknown_places():
    same, dim = FUNCTIONS["same"], Unknown("dimension 0 of 'x' is dynamic")
    assert same(None, [dim, 3], [dim, 3]) == dim, "two dynamic dimensions need not be equal"
    assert same(None, [dim, 3], [1, 4]) is False
    assert same(None, [dim, 3], [1, 3]) == dim
    assert same(None, [1, 3], [1, 3], [1, 3]) is True


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "w.pt",
            b"\x80\x02}q\x00.",
            "w.pt is a pickle, not TorchScript; a pickle can run any code, so it is not opened",
        ),
        ("cut.pt", b"PK\x03\x04" + bytes(99), "cut.pt is not TorchScript, or is cut off"),
        ("none.pt", b"", "none.pt is empty"),
        ("p.pt2", b"\x80\x02}q\x00.", "p.pt2 is not a torch.export program, or is cut off"),
        ("none.pt2", b"", "none.pt2 is empty"),
        ("x" * 300 + ".pt2", None, f"{'x' * 300}.pt2 is not there"),
        ("", None, "the source is not there"),
    ],
)
def test_a_source_that_is_no_model_is_said_before_anything_is_loaded(name, content, sentence, capsys):
    if content is not None:
        Path(name).write_bytes(content)
    assert run(capsys, "export", name, "--out", "out") == (2, "", f"error: {sentence}")
    assert not Path("out").exists()


def test_the_name_of_a_file_stays_in_its_folder(capsys):
    Path("net.py").write_text("import torch\ndef net(): ...\n")
    code, _, err = run(capsys, "export", "net.py:net", "--out", "out", "--name", "../net")
    assert (code, err) == (2, "error: --name '../net' is no file name")


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--seed", "-1", "is no whole number from 0 to 4294967295"),
        ("--opset", "²", "is no whole number from 0 to 4294967295"),
        ("--timeout", "0", "is no time"),
        ("--timeout", "nan", "is no number"),
        ("--min-snr", "nan", "is no number"),
    ],
)
def test_numbers_that_are_none(option, value, problem, capsys):
    assert main(["export", "net.py:net", option, value]) == 2
    assert capsys.readouterr().err.endswith(f"edgecheck export: error: argument {option}: {value!r} {problem}\n")


def test_a_long_chain_of_readers_is_no_deep_recursion():
    """`readers_supported` waits for the reader's verdict, which waits for the next one's."""
    tensors = [
        Tensor(name=f"t{i}", dtype="float32", shape=(1,), data=RawData(memoryview(bytes(4)), 0, 4, "float32", (1,)))
        for i in (0,)
    ] + [Tensor(name=f"t{i}", dtype="float32", shape=(1,)) for i in range(1, 3001)]
    nodes = tuple(
        Node(graph=0, index=i, name="", op="DENSIFY", version=1, inputs=(a,), outputs=(b,), attrs={})
        for i, (a, b) in enumerate(pairwise(tensors))
    )
    graph = Graph(index=0, name="g", inputs=(), outputs=tuple(tensors[-1:]), nodes=nodes)
    model = Model(path=Path("m.tflite"), format="tflite", sha256="", graphs=(graph,))
    verdicts = check(model, point(bundle.load("litert-xnnpack")))
    assert len(verdicts) == 3000
    assert all(one.verdict != "supported" for one in verdicts[:-1])


def test_ops_at_a_version_outside_the_axis(capsys):
    assert run(capsys, "ops", "ethos-u55@99") == (2, "", "error: ethos-u55@99 lies outside what the table knows")
