"""PyTorch models through export and proof, with the real converters and runtimes."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy
import pytest

from edgecheck import exporting, manifest, sources
from edgecheck.cli import main
from edgecheck.deliverables import Job
from edgecheck.errors import EdgecheckError
from edgecheck.model import formats

CASES = Path(__file__).parent / "cases"
SMALL = CASES / "small.py"
ALL = ("onnx", "tflite", "coreml")


@pytest.fixture(scope="module", autouse=True)
def environment(torch_python, module_environment):
    """The converters run in the locked environment, whatever this interpreter has."""
    module_environment("EDGECHECK_TORCH_PYTHON", str(torch_python))


@pytest.fixture(scope="module")
def module_environment():
    patch = pytest.MonkeyPatch()
    yield patch.setenv
    patch.undo()


def job(name, out, to=("onnx",), **more):
    return Job(source=sources.find(f"{SMALL}:{name}"), formats=to, out=out, name=name, **more)


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    """The small CNN in all three formats."""
    return exporting.export(job("cnn", tmp_path_factory.mktemp("cnn"), ALL))


@pytest.mark.export
def test_a_cnn_is_proven_in_all_three_formats(cnn):
    assert [a.format for a in cnn.artefacts] == list(ALL)
    assert [(a.verdict.state, a.verdict.reason) for a in cnn.artefacts] == [("proven", "")] * 3
    assert [f.rule for f in cnn.findings] == ["EC912"]
    for artefact in cnn.artefacts:
        assert min(d.snr_db for d in artefact.measured.distances if d.snr_db is not None) > 100
        assert len({d.case for d in artefact.measured.distances}) == 6


@pytest.mark.export
def test_the_manifest_tells_how_to_make_the_file_again(cnn):
    for artefact in cnn.artefacts:
        described = json.loads(artefact.manifest.read_text("utf-8"))
        assert described["schema"] == "edgecheck.manifest/1"
        assert described["artefact"]["sha256"] == manifest.sha256(artefact.path)
        assert described["artefact"]["nodes"] == formats.read(artefact.path).node_count
        assert described["artefact"]["macs"] > 300_000
        assert described["source"]["sha256"] == manifest.sha256(SMALL)
        assert described["versions"]["torch"].startswith("2.")
        assert described["rung"]["name"] == artefact.rung
        assert described["proof"]["minimum_tolerance"]["snr_db"] > 100
        assert {d["case"] for d in described["proof"]["distances"]} >= {"example", "random-0", "zeros", "large"}


@pytest.mark.export
def test_the_opset_asked_for_is_the_opset_written(tmp_path):
    """The dynamo exporter warns and goes on at 18 where it cannot convert: that is not what was asked for."""
    result = exporting.export(job("cnn", tmp_path, opset=13))
    (artefact,) = result.artefacts
    assert (artefact.verdict.state, artefact.rung) == ("proven", "trace")
    assert formats.read(artefact.path).metadata["opset"] == 13
    (nothing,) = exporting.export(job("cnn", tmp_path / "no", opset=999)).artefacts
    assert nothing.path is None
    assert "opset 18, not 999" in nothing.attempts[0].message


@pytest.mark.export
@pytest.mark.parametrize("format", ALL)
def test_four_corrupted_rows_of_one_weight_are_found_and_the_line_is_named(cnn, format, tmp_path):
    artefact = next(a for a in cnn.artefacts if a.format == format)
    broken = tmp_path / artefact.path.name
    corrupt(artefact.path, broken, (32, 16, 3, 3))
    found = exporting.prove_file(cnn.job, format, broken)
    assert found.artefacts[0].verdict.state == "not proven"
    finding = found.findings[0]
    line = next(i for i, text in enumerate(SMALL.read_text().splitlines(), 1) if "self.second(x)" in text)
    assert finding.rule == "EC302"
    assert finding.place.startswith("aten.conv2d of second (")
    assert finding.place.endswith(f"small.py:{line})")
    assert "is the first that differs" in finding.evidence[0]


@pytest.mark.export
def test_an_onnx_file_names_the_users_line_and_no_folder_of_this_machine(cnn):
    """torch writes every frame's absolute path into the file; a file that is shipped must not tell where it was made."""
    path = cnn.artefacts[0].path
    content = path.read_bytes()
    assert str(CASES).encode() not in content
    assert b"site-packages" not in content
    lines = {node.source for node in formats.read(path).nodes}
    assert {Path(line.rpartition(":")[0]).name for line in lines} == {"small.py"}


def corrupt(source, target, shape):
    """Reverse four rows of the weight whose dimensions are those of `shape`, in any order."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
    tensors = [
        t for n in formats.read(source).nodes for t in (*n.inputs, *n.outputs) if t is not None and t.data is not None
    ]
    values = next(t.data.array() for t in tensors if sorted(t.shape) == sorted(shape))
    wrong = values.reshape(values.shape[0], -1).copy()
    wrong[:4] = wrong[:4, ::-1]
    for file in [target] if target.is_file() else [f for f in target.rglob("*") if f.is_file()]:
        content = file.read_bytes()
        if values.tobytes() in content:
            file.write_bytes(content.replace(values.tobytes(), wrong.tobytes(), 1))
            return
    pytest.fail("the weight is not in the file")


LADDERS = [
    pytest.param("branches", "tflite", "rewritten", marks=pytest.mark.slow),
    pytest.param("loop", "tflite", "rewritten", marks=pytest.mark.slow),
    pytest.param("best", "tflite", "rewritten", marks=pytest.mark.slow),
    ("cnn_batch", "tflite", "resized"),
    pytest.param("encoder_dynamic", "tflite", "resized", marks=pytest.mark.slow),
    pytest.param("encoder_dynamic", "coreml", "trace", marks=pytest.mark.slow),
    pytest.param("loop", "coreml", "rewritten", marks=pytest.mark.slow),
    ("branches", "coreml", "rewritten"),
]


@pytest.mark.export
@pytest.mark.parametrize(("name", "format", "rung"), LADDERS)
def test_a_known_failure_is_walked_round_and_proven(name, format, rung, tmp_path):
    artefact = exporting.export(job(name, tmp_path, (format,))).artefacts[0]
    assert (artefact.verdict.state, artefact.rung) == ("proven", rung)
    assert artefact.attempts[-1].outcome == "worked"
    assert formats.read(artefact.path).node_count > 0
    assert artefact.fixes == ""


@pytest.mark.export
def test_dynamic_dimensions_stay_dynamic_and_are_run_at_both_ends(tmp_path):
    artefact = exporting.export(job("encoder_dynamic", tmp_path, ("onnx",))).artefacts[0]
    assert artefact.verdict.state == "proven"
    assert {"ids[1]=2-0", "ids[1]=48-1"} <= {d.case for d in artefact.measured.distances}
    assert formats.read(artefact.path).graphs[0].inputs[0].shape == (1, None)


@pytest.mark.export
def test_dicts_none_keywords_and_nested_outputs_keep_their_names(tmp_path):
    result = exporting.export(job("many_ways", tmp_path))
    assert [s.name for s in result.reference.signature.inputs] == ["batch_left", "batch_right_0", "scale"]
    assert [s.name for s in result.reference.signature.outputs] == ["logits", "parts_0", "parts_1"]
    assert result.artefacts[0].verdict.state == "proven"
    graph = formats.read(result.artefacts[0].path).graphs[0]
    assert [t.name for t in graph.inputs] == ["batch_left", "batch_right_0", "scale"]
    assert [t.name for t in graph.outputs] == ["logits", "parts_0", "parts_1"]


@pytest.mark.export
def test_a_model_that_ignores_its_input_is_unknown(tmp_path):
    result = exporting.export(job("deaf", tmp_path))
    assert result.artefacts[0].verdict.state == "unknown"
    assert [f.rule for f in result.findings] == ["EC911"]


BAD = [
    ("raises", 2, "raised: KeyError: 'weights.bin is not where it was' (small.py:"),
    ("wrong_shape", 2, "the model fails on its example input: RuntimeError: Given groups=1"),
    ("no_model", 2, "returned an int; it should return an nn.Module, or (module, example inputs)"),
    ("bare", 2, "has no example inputs"),
    ("changing", 2, "builds a model with other weights each time it is called"),
    ("crash", 3, "died of SIGABRT"),
    ("nothing_here", 2, "there is no nothing_here"),
]


@pytest.mark.export
@pytest.mark.parametrize(("name", "code", "sentence"), BAD)
def test_bad_input_is_one_sentence_and_nothing_is_written(name, code, sentence, tmp_path, capsys):
    assert main(["export", f"{SMALL}:{name}", "--out", str(tmp_path / "out"), "-q"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert captured.err.count("error:") == 1
    assert "Traceback" not in captured.err
    assert not (tmp_path / "out").exists()


@pytest.mark.export
def test_a_hang_ends_at_the_time_limit(tmp_path, capsys):
    assert main(["export", f"{SMALL}:hang", "--out", str(tmp_path), "-q", "--timeout", "6"]) == 3
    assert "no end after 6 s" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.export
@pytest.mark.slow
def test_the_same_command_gives_the_same_bytes(tmp_path):
    made = [exporting.export(job("cnn", tmp_path / side)).artefacts[0] for side in ("a", "b")]
    assert made[0].path.read_bytes() == made[1].path.read_bytes()
    assert made[0].manifest.read_bytes() == made[1].manifest.read_bytes()


@pytest.mark.export
def test_programs_and_torchscript_are_sources_and_a_pickle_is_not(torch_python, tmp_path, capsys):
    code = f"""
import sys; sys.path.insert(0, {str(CASES)!r})
import torch, small
net, inputs = small.cnn()
net.eval()
torch.export.save(torch.export.export(net, inputs), {str(tmp_path / "net.pt2")!r})
torch.jit.trace(net, inputs).save({str(tmp_path / "script.pt")!r})
torch.save(net.state_dict(), {str(tmp_path / "weights.pt")!r})
"""
    subprocess.run([str(torch_python), "-c", code], check=True, capture_output=True, timeout=120)
    out = ["--out", str(tmp_path / "out"), "-q"]
    assert main(["export", str(tmp_path / "net.pt2"), *out]) == 0
    assert main(["export", str(tmp_path / "script.pt"), *out, "--input", "image:1x3x16x16:float32"]) == 0
    assert "traced, by the TorchScript exporter" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "weights.pt"), *out]) == 2
    assert "is a pickle, not TorchScript" in capsys.readouterr().err


@pytest.mark.export
@pytest.mark.slow
@pytest.mark.parametrize("net", ["pnet", "rnet", "onet"])
def test_trained_nets_and_the_onnx_they_become_as_a_source(net, tmp_path, models_dir, module_environment):
    module_environment("EDGECHECK_MODELS", str(models_dir))
    source = sources.find(f"{CASES / 'facenet.py'}:{net}")
    first = exporting.export(Job(source=source, formats=ALL, out=tmp_path, name=net))
    assert {a.verdict.state for a in first.artefacts} == {"proven"}
    again = Job(
        source=sources.find(str(first.artefacts[0].path)), formats=("tflite", "coreml"), out=tmp_path / "on", name=net
    )
    assert {a.verdict.state for a in exporting.export(again).artefacts} == {"proven"}


@pytest.mark.export
@pytest.mark.slow
def test_every_precision_of_core_ml_and_its_weights(tmp_path):
    precisions = ("fp32", "fp16", "int8-dynamic", "int8-static")
    calibration = f"{CASES / 'calibration.py'}:cnn"
    result = exporting.export(job("cnn", tmp_path, ("coreml",), precisions=precisions, calibration=calibration))
    assert {a.verdict.state for a in result.artefacts} == {"proven"}
    fp32, fp16, int8, _ = result.artefacts
    assert set(fp32.weights.same) == {
        "second.weight",
        "second.bias",
        "head.weight",
    }  # the first is folded into its norm
    assert (fp16.weights.compared, fp16.weights.wrong, fp16.weights.missing) == (5, (), ())
    assert (int8.weights.compared, int8.weights.wrong, int8.weights.missing) == (5, (), ())


@pytest.mark.export
@pytest.mark.slow
def test_a_reshape_between_quantised_values_keeps_its_zero_point_in_core_ml(tmp_path):
    calibration = f"{CASES / 'calibration.py'}:cnn"
    asked = job("flattened", tmp_path, ("coreml",), precisions=("int8-static",), calibration=calibration)
    (artefact,) = exporting.export(asked).artefacts
    assert artefact.verdict.state == "proven"
    assert artefact.signal_db > 25


@pytest.mark.export
@pytest.mark.slow
def test_every_precision_of_onnx_and_tflite(tmp_path):
    precisions = ("fp32", "fp16", "int8-dynamic", "int8-static")
    calibration = f"{CASES / 'calibration.py'}:cnn"
    result = exporting.export(job("cnn", tmp_path, ("onnx", "tflite"), precisions=precisions, calibration=calibration))
    assert {a.verdict.state for a in result.artefacts} == {"proven"}
    sizes = {(a.format, a.precision): manifest.size(a.path) for a in result.artefacts}
    for format in ("onnx", "tflite"):
        assert sizes[format, "fp16"] < sizes[format, "fp32"]
        assert sizes[format, "int8-static"] < sizes[format, "fp32"]


@pytest.mark.export
@pytest.mark.parametrize(("name", "sentence"), [
    ("wrong_name", "gives no 'image'"),
    ("wrong_shape", "a sample of 'image' is 1x4x16x16, the input is 1x3x16x16"),
])  # fmt: skip
def test_calibration_data_that_does_not_fit(name, sentence, tmp_path):
    from edgecheck import calibration

    asked = job("cnn", tmp_path, calibration=f"{CASES / 'calibration.py'}:{name}")
    signature = exporting.refer(asked, lambda text: None).signature
    with pytest.raises(EdgecheckError, match=sentence):
        calibration.load(asked, signature)


def test_calibration_from_a_file(tmp_path):
    from edgecheck import calibration
    from edgecheck.exporters import InputSpec, Signature

    signature = Signature(inputs=(InputSpec(name="x", shape=(1, 3), dtype="float32"),), outputs=())
    numpy.savez(tmp_path / "data.npz", x=numpy.zeros((5, 3)))
    found = calibration.load(job("cnn", tmp_path, calibration=str(tmp_path / "data.npz")), signature)
    assert [sample["x"].shape for sample in found] == [(1, 3)] * 5
    numpy.savez(tmp_path / "data.npz", y=numpy.zeros((5, 3)))
    with pytest.raises(EdgecheckError, match="has no array 'x'"):
        calibration.load(job("cnn", tmp_path, calibration=str(tmp_path / "data.npz")), signature)


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["nowhere.py:net"], "nowhere.py is not there"),
    (["nowhere.onnx"], "nowhere.onnx is not there"),
    ([str(SMALL)], "does not say which callable"),
    ([f"{SMALL}:cnn", "--to", "onyx"], "there is no format 'onyx'; there are onnx, tflite, coreml"),
    ([f"{SMALL}:cnn", "--precision", "int4"], "there is no precision 'int4'"),
    ([f"{SMALL}:cnn", "--precision", "int8-static"], "int8-static needs calibration data"),
    ([f"{SMALL}:cnn", "--input", "x=3"], "--input x=3 is not NAME:SHAPE:DTYPE"),
    ([f"{SMALL}:cnn", "--dynamic", "x:0:5..2"], "--dynamic x:0:5..2 is not NAME:AXIS:LOW..HIGH"),
    ([f"{SMALL}:cnn", "--prove", "gone.onnx"], "gone.onnx is not there"),
    ([f"{SMALL}:cnn", "--out", "/proc/none"], "cannot write into /proc/none"),
])  # fmt: skip
def test_a_wrong_command_is_one_sentence(arguments, sentence, capsys):
    assert main(["export", *arguments]) == 2
    assert sentence in capsys.readouterr().err
