"""The older runtime that boards still run: tflite-runtime 2.14, in its own environment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import environment
from edgecheck import child
from edgecheck.errors import EdgecheckError


@pytest.fixture(scope="module")
def old_python():
    return environment("tflite-runtime")


def both(models_dir, python, name, inputs):
    path = next(models_dir.rglob(name))
    old = child.call(python, "edgecheck.runtimes.tflite_runtime:run", path=path, cases=[inputs], timeout=120)
    return path, old


@pytest.mark.export
def test_the_old_runtime_computes_what_litert_computes(models_dir, old_python, torch_python):
    image = np.sin(np.arange(128 * 128 * 3, dtype=np.float32) / 97).reshape(1, 128, 128, 3)
    path, old = both(models_dir, old_python, "face_detection_front.tflite", {"input": image})
    new = child.call(torch_python, "edgecheck.runtimes.litert:run", path=path, cases=[{"input": image}], timeout=120)
    assert old[0].keys() == new[0].keys()
    for name, value in old[0].items():
        assert np.abs(value - new[0][name]).max() <= 1e-3 * np.abs(value).max()


@pytest.mark.export
def test_what_it_does_not_take_is_a_sentence(tmp_path, old_python):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    with pytest.raises(EdgecheckError) as caught:
        child.call(old_python, "edgecheck.runtimes.tflite_runtime:run", path=Path(broken), cases=[{}], timeout=120)
    assert "Traceback" not in str(caught.value)
