"""`edgecheck fix`: real models and every TFLite rewrite, proven by running both files."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecheck.cli import main

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def tflite_rows(torch_python, tmp_path_factory):
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "src")}
    command = [str(torch_python), str(TESTS / "tflite_rewrites.py"), str(tmp_path_factory.mktemp("tflite"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.export
def test_every_tflite_rewrite_gives_the_same_numbers_where_it_fits(tflite_rows):
    *rows, last = tflite_rows
    assert all(row["offered"] for row in rows)
    assert [row["rewrite"] for row in rows if row["rewritten"] != row["fits"]] == []
    assert [row for row in rows if row["fits"] and not row["difference"] <= 2e-6] == []
    assert {row["rewrite"] for row in rows if row["fits"]} == set(last["rewrites"])
    assert [row["rewrite"] for row in rows if row["fits"] and not row["promised"]] == []
    kept_back = [row["rewrite"] for row in rows if not row["fits"] and not row["promised"]]
    assert {"hard-swish-as-relu6", "gelu-as-tanh"} <= set(kept_back), "int8, and a GELU that is exact"


@pytest.fixture
def pitch(models_dir):
    return next((models_dir / "basic_pitch").rglob("nmp.tflite"))


@pytest.mark.export
def test_a_trained_model_moves_to_the_gpu_whole(pitch, tmp_path, capsys):
    """basic-pitch has a free batch, so shapes are computed and 33 operators fall back; with the batch fixed none does."""
    before = pitch.read_bytes()
    out = tmp_path / "fixed.tflite"
    code = main(
        ["fix", str(pitch), "--target", "litert-gpu", "--freeze", "--out", str(out), "--output-format", "json", "-q"]
    )
    result = json.loads(capsys.readouterr().out)
    assert code == 0
    assert result["targets"][0]["before"] == {"supported": 189, "fallback": 33, "rejected": 0, "unknown": 0}
    assert result["targets"][0]["after"] == {"supported": 210, "fallback": 0, "rejected": 0, "unknown": 0}
    assert [step["rewrite"] for step in result["steps"]] == ["sizes-fixed", "reshape-instead", "fold-constants"]
    assert all(
        step["state"] == "applied" and step["distances"]["snr_db"] is None for step in result["steps"]
    )  # bit-equal
    manifest = json.loads((tmp_path / "fixed.tflite.edgecheck.json").read_text())
    assert manifest["schema"] == "edgecheck.fix/1"
    assert pitch.read_bytes() == before
    assert main(["check", str(out), "--target", "litert-gpu"]) == 0


def newer(tmp_path: Path, *, scale: float = 1.0) -> Path:
    """A Gelu of opset 21, which ONNX Runtime 1.17 does not load, between two products."""
    rng = numpy.random.default_rng(0)
    weights = {name: (scale * rng.standard_normal((8, 8))).astype(numpy.float32) for name in ("w", "v")}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Gelu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "v"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 8])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=9)
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.mark.export
def test_an_older_opset_and_what_it_lacks(tmp_path, capsys):
    path = newer(tmp_path)
    assert main(["check", str(path), "--target", "ort-cpu@1.17"]) == 1
    capsys.readouterr()
    assert main(["fix", str(path), "--target", "ort-cpu@1.17"]) == 0
    assert "written: " in capsys.readouterr().out
    assert main(["check", str(tmp_path / "m.fixed.onnx"), "--target", "ort-cpu@1.17"]) == 0


@pytest.mark.export
def test_a_dry_run_writes_nothing(tmp_path, capsys):
    path = newer(tmp_path)
    assert main(["fix", str(path), "--target", "ort-cpu@1.17", "--dry-run", "-q"]) == 0
    assert "would write" in capsys.readouterr().out
    assert [one.name for one in tmp_path.iterdir()] == ["m.onnx"]
    earlier = tmp_path / "m.fixed.onnx"
    earlier.write_text("an earlier result")
    assert main(["fix", str(path), "--target", "ort-cpu@1.17", "--dry-run", "-q"]) == 0
    assert earlier.read_text() == "an earlier result"


@pytest.mark.export
def test_what_changes_the_numbers_is_left_out(tmp_path, capsys, monkeypatch):
    """A rewrite that is off by a hundredth helps the verdict and fails the proof: nothing is written."""
    from edgecheck import fixing

    broken = tmp_path / "plugin"
    broken.mkdir()
    real = fixing._candidate

    def candidate(order, plugin, python, path, rewrite, nodes, made):
        found = real(order, plugin, python, path, rewrite, nodes, made)
        if isinstance(found, dict):
            model = onnx.load(made)
            for tensor in model.graph.initializer:
                if tensor.name == "v":
                    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * numpy.float32(1.01), "v"))
            onnx.save(model, made)
        return found

    monkeypatch.setattr(fixing, "_candidate", candidate)
    path = newer(tmp_path)
    assert main(["fix", str(path), "--target", "ort-cpu@1.17", "-q"]) == 1
    out = capsys.readouterr().out
    assert "left out, not proven" in out
    assert "nothing written" in out
    assert not (tmp_path / "m.fixed.onnx").exists()


@pytest.mark.export
def test_nothing_to_fix(tmp_path, capsys):
    path = newer(tmp_path)
    assert main(["fix", str(path), "--target", "ort-cpu", "-q"]) == 0
    assert "nothing to fix" in capsys.readouterr().out


def test_wrong_orders_are_one_sentence(tmp_path, capsys):
    path = newer(tmp_path)
    assert main(["fix", str(path)]) == 2
    assert main(["fix", str(path), "--target", "ethos-u55"]) == 2
    assert main(["fix", str(path), "--target", "ort-cpu@1.17", "--out", str(path)]) == 2
    assert main(["fix", str(tmp_path / "none.onnx"), "--target", "ort-cpu"]) == 2
    errors = capsys.readouterr().err
    assert errors.count("error: ") == 4
    assert "Traceback" not in errors


@pytest.mark.export
def test_free_sizes_are_named_as_what_stands_in_the_way(tmp_path, capsys):
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 8])],
    )
    path = tmp_path / "free.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    assert main(["fix", str(path), "--target", "ort-qnn", "-q"]) == 1
    assert "--freeze fixes the free dimensions first" in capsys.readouterr().out
    assert main(["fix", str(path), "--target", "ort-qnn", "--freeze", "-q"]) == 0
    out = capsys.readouterr().out
    assert "1 supported" in out
    assert "--freeze" not in out
