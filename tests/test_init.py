"""`edgecheck init`: what it writes can be recorded and compared as it is, for models of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto, helper, save

from edgecheck.cli import main
from edgecheck.golden.reading import read

ROOT = Path(__file__).parents[1]


def model(path: Path, shape: list, dtype: int) -> Path:
    """One operator over an input of a shape and a type."""
    ends = [helper.make_tensor_value_info(name, dtype, shape) for name in ("given", "made")]
    graph = helper.make_graph([helper.make_node("Identity", ["given"], ["made"])], "g", ends[:1], ends[1:])
    save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


@pytest.mark.parametrize(
    ("shape", "dtype", "word"),
    [
        ([1, 3, 48, 40], TensorProto.FLOAT, 'image("NCHW"'),
        ([1, 48, 40, 3], TensorProto.FLOAT, 'image("NHWC"'),
        ([1, 40, 48, 1], TensorProto.UINT8, 'image("NHWC"'),
        ([1, 16000], TensorProto.FLOAT, "audio(16000"),
        ([1, 12], TensorProto.INT64, 'kind="tokens"'),
        (["batch", 7], TensorProto.FLOAT, "Meaning()"),
    ],
)
def test_the_file_can_be_recorded_and_compared_as_it_is(tmp_path, capfd, shape, dtype, word):
    made = model(tmp_path / "some model.onnx", shape, dtype)
    source, run = tmp_path / "pipeline.py", tmp_path / "run"
    assert main(["init", str(source), "--model", str(made)]) == 0
    assert word in source.read_text()
    assert main(["record", str(source), "--out", str(run)]) == 0
    assert main(["compare", str(run)]) == 0
    assert read(run).stages == ("input", "preprocess", "model")
    capfd.readouterr()


def test_a_file_that_is_there_stays(tmp_path, capfd):
    source = tmp_path / "pipeline.py"
    source.write_text("mine")
    made = model(tmp_path / "m.onnx", [1, 4], TensorProto.FLOAT)
    assert main(["init", str(source), "--model", str(made)]) == 2
    assert source.read_text() == "mine"
    assert "is already there" in capfd.readouterr().err


def test_what_cannot_be_begun_is_said(tmp_path, capfd):
    made = model(tmp_path / "m.onnx", [1, 4], TensorProto.FLOAT)
    assert main(["init", str(tmp_path / "no" / "pipeline.py"), "--model", str(made)]) == 2
    assert "there is no folder" in capfd.readouterr().err
    (tmp_path / "none.onnx").write_bytes(b"nothing")
    assert main(["init", str(tmp_path / "pipeline.py"), "--model", str(tmp_path / "none.onnx")]) == 2
    assert not (tmp_path / "pipeline.py").exists()
    capfd.readouterr()
