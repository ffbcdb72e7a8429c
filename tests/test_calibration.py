"""The user's samples for static quantisation: what is wrong with a file is said in a sentence of its own."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from edgecheck.calibration import _from_file
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import InputSpec, OutputSpec, Signature

SIGNATURE = Signature(
    inputs=(InputSpec(name="x", shape=(1, 3), dtype="float32"),),
    outputs=(OutputSpec(name="y", shape=(1, 3), dtype="float32"),),
)


def saved(path, **arrays):
    numpy.savez(path, **arrays)
    return path


def cut(path):
    path.write_bytes(saved(path, x=numpy.zeros((100, 3))).read_bytes()[:-300])
    return path


def damaged(path):
    numpy.savez_compressed(path, x=numpy.random.default_rng(0).normal(size=(100, 3)))
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(200)
    path.write_bytes(content)
    return path


def plain(path, content):
    path.write_bytes(content)
    return path


def npy(path):
    with path.open("wb") as file:
        numpy.save(file, numpy.zeros((2, 3)))
    return path


CASES = {
    "does not exist": lambda path: path,
    "is no .npz file": lambda path: plain(path, b"\x80\x04]."),
    "is no .npz file: npy": npy,
    "is no .npz file: empty": lambda path: plain(path, b""),
    "is no .npz file: cut": cut,
    "cannot be read: it is damaged or was cut off": damaged,
    "'x' of PATH is no array of numbers": lambda path: saved(path, x=numpy.array([[1], [1, 2]], dtype=object)),
    "'x' of PATH is no array of numbers: text": lambda path: saved(path, x=numpy.array(["a", "b"])),
    "'x' of PATH is no array of numbers: no array": lambda path: _zip(path),
    "PATH has no array 'x'": lambda path: saved(path, z=numpy.zeros((2, 3))),
    "array 'x' of PATH is one number": lambda path: saved(path, x=numpy.float32(3)),
    "PATH holds no sample": lambda path: saved(path, x=numpy.zeros((0, 3))),
    "PATH: a sample of 'x' is 4, the input is 1x3": lambda path: saved(path, x=numpy.zeros((2, 4))),
}


def _zip(path):
    import zipfile

    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("x", b"hello")
    return path


@pytest.mark.parametrize("name", CASES)
def test_one_sentence_for_each(name, tmp_path):
    path = CASES[name](tmp_path / "s.npz")
    with pytest.raises(EdgecheckError) as refused:
        _from_file(path, SIGNATURE)
    sentence = str(refused.value)
    wanted = name.replace("PATH", str(path)) if "PATH" in name else f"{path} {name}"
    assert sentence.startswith(wanted.split(": ")[0] if name.count(": ") and "PATH:" not in name else wanted)
    assert refused.value.code == 2
    assert "pickle" not in sentence
    assert "\n" not in sentence


def test_samples_with_and_without_a_batch_dimension(tmp_path):
    for shape in ((5, 3), (5, 1, 3)):
        rows = _from_file(saved(Path(tmp_path / "s.npz"), x=numpy.ones(shape, numpy.float64)), SIGNATURE)
        assert [(row["x"].shape, row["x"].dtype) for row in rows] == [((1, 3), numpy.dtype("float32"))] * 5
