"""Child processes: results, errors, deaths and time limits come back as values and sentences."""

import sys
import time
from pathlib import Path

import numpy
import pytest

from edgecheck import child
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import Dynamic, InputSpec

HERE = sys.executable


def call(function, **arguments):
    return child.call(HERE, function, **arguments)


@pytest.mark.parametrize("value", [
    None, True, 3, 2.5, "text", Path("a/b"), [1, [2]], (1, ("x",)), {"a": {1: None}},
    InputSpec(name="x", shape=(1, 2), dtype="float32", dynamic=(Dynamic(axis=0, low=1, high=4),)),
])  # fmt: skip
def test_values_survive_the_border(value, tmp_path):
    child.save(tmp_path, "v", value)
    assert child.load(tmp_path, "v") == value


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "bool", "complex64"])
def test_arrays_survive_the_border(dtype, tmp_path):
    array = numpy.arange(6).reshape(2, 3).astype(dtype)
    child.save(tmp_path, "v", {"x": array})
    found = child.load(tmp_path, "v")["x"]
    assert found.dtype == array.dtype
    assert (found == array).all()


def test_no_object_is_pickled(tmp_path):
    with pytest.raises(TypeError, match="cannot cross to another process"):
        child.save(tmp_path, "v", object())


def test_a_result_comes_back():
    assert call("edgecheck.sources.torch_flat:identifier", text="2 layers.weight") == "_2_layers_weight"


def test_a_users_mistake_keeps_its_sentence_and_code():
    with pytest.raises(EdgecheckError, match="nowhere.onnx is not there") as caught:
        call("edgecheck.sources:find", text="nowhere.onnx")
    assert caught.value.code == 2
    assert not isinstance(caught.value, child.ChildError)


def test_an_exception_is_one_line():
    with pytest.raises(
        child.ChildError, match=r"^json.loads: JSONDecodeError: Expecting value: line 1 column 1"
    ) as caught:
        child.call(HERE, "json:loads", label="json.loads", s="{broken"[1:])
    assert caught.value.what == "raised"
    assert caught.value.code == 3


def test_an_abort_is_named():
    with pytest.raises(child.ChildError, match="os:abort died of SIGABRT") as caught:
        call("os:abort")
    assert caught.value.what == "crashed"


def test_a_silent_exit_is_named():
    with pytest.raises(child.ChildError, match="ended with code 7 and no result"):
        call("os:_exit", status=7)


def test_a_hang_ends_at_the_limit():
    start = time.monotonic()
    with pytest.raises(child.ChildError, match="no end after 1 s") as caught:
        call("signal:pause", timeout=1)
    assert caught.value.what == "timed out"
    assert time.monotonic() - start < 8


def test_a_memory_limit_holds():
    with pytest.raises(child.ChildError) as caught:
        call("numpy:zeros", shape=[1 << 31], memory=1 << 30)
    assert caught.value.what in ("raised", "crashed")


def test_events_reach_the_caller():
    seen = []
    child.call(
        HERE, "edgecheck.worker:report", event="rung", progress=lambda event, fields: seen.append((event, fields))
    )
    assert seen == [("rung", {"event": "rung"})]


def test_an_interpreter_that_is_not_there():
    with pytest.raises(EdgecheckError, match="nowhere/python cannot be started"):
        child.call("/nowhere/python", "os:getcwd")


def test_what_a_killed_child_leaves_behind_goes_with_the_job(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(child.tempfile, "tempdir", None)
    assert Path(child.call(HERE, "tempfile:mkdtemp")).parent.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
