"""TFLite: quantisation as the file has it, and files larger than the memory they may take."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgecheck.check import check, point
from edgecheck.model.formats.tflite import read
from edgecheck.tables import bundle
from tflite_file import INT32, T, write

Q = {"scales": [0.5], "zero_points": [0]}


def layer(path, **given):
    """One FULLY_CONNECTED whose input has the quantisation `given`."""
    tensors = [
        T(name="x", **{"shape": [1, 16], **given}), T(name="w", shape=[16, 16], weights=256, **Q),
        T(name="b", shape=[16], dtype=INT32, weights=64, scales=[0.25], zero_points=[0]), T(name="y", shape=[1, 16], **Q),
    ]  # fmt: skip
    return read(write(path, tensors, [([0, 1, 2], [3])]))


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"scales": [0.5], "zero_points": [3], "axis": 1}, ((0.5,), (3,), 1)),
        ({"scales": [0.5], "zero_points": [0]}, ((0.5,), (0,), 0)),
        ({"scales": [0.5]}, ((0.5,), (), 0)),
        ({"scales": [0.5, 0.25], "zero_points": [1, 2], "axis": 1}, ((0.5, 0.25), (1, 2), 1)),
    ],
)
def test_quantisation_is_what_the_file_has(tmp_path, given, seen):
    found = layer(tmp_path / "m.tflite", **given).graphs[0].inputs[0].quantization
    assert (found.scales, found.zero_points, found.axis) == seen


@pytest.mark.parametrize(
    ("given", "shape", "stored"),
    [
        ({}, (1, 16), None),
        ({"shape": [3, 16], "signature": [-1, 16]}, (None, 16), (3, 16)),
        ({"shape": [1, 16], "signature": [1, 16]}, (1, 16), None),
        ({"shape": [], "signature": [-1, 16]}, (None, 16), ()),
        ({"shape": [], "ranked": False}, None, ()),
        ({"shape": []}, (), None),
    ],
)
def test_the_sizes_below_open_dimensions_are_kept(tmp_path, given, shape, stored):
    found = layer(tmp_path / "m.tflite", **{"shape": [1, 16], **given}).graphs[0].inputs[0]
    assert (found.shape, found.stored) == (shape, stored)


@pytest.mark.parametrize(("sizes", "expected"), [([1, 16], "supported"), ([1, 1], "rejected")])
def test_a_runtime_prepares_the_sizes_that_are_stored(tmp_path, sizes, expected):
    """[-1, -1] with 1 stored below: the filter reads 16 values, and `allocate_tensors` sees one."""
    model = layer(tmp_path / "m.tflite", shape=sizes, signature=[-1, -1], **Q)
    (one,) = check(model, point(bundle.load("litert-cpu")))
    assert one.verdict == expected
    assert one.node is model.graphs[0].nodes[0]
    assert expected == "supported" or "resize_tensor_input" in (one.help or "")


def test_a_tensor_without_zero_points_is_not_quantised_for_vela(tmp_path):
    """Vela asks for a scale and a zero point; the interpreter takes a missing one as 0."""
    for table, without in (("ethos-u55", "fallback"), ("litert-xnnpack", "supported")):
        at = point(bundle.load(table))
        assert check(layer(tmp_path / "a.tflite", **Q), at)[0].verdict == "supported"
        assert check(layer(tmp_path / "b.tflite", scales=[0.5]), at)[0].verdict == without


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
def test_a_file_of_half_a_gigabyte_is_checked_in_little_memory(tmp_path):
    """On every target that takes TFLite, weights and hash included."""
    wide, tensors, operators = 3200, [T(name="x", shape=[1, 3200], **Q)], []
    for i in range(50):
        at = len(tensors)
        tensors += [
            T(name=f"w{i}", shape=[wide, wide], weights=wide * wide, **Q),
            T(name=f"b{i}", shape=[wide], dtype=INT32, weights=4 * wide, scales=[0.25], zero_points=[0]),
            T(name=f"y{i}", shape=[1, wide], **Q),
        ]
        operators.append(([at - 1, at, at + 1], [at + 2]))
    path = write(tmp_path / "large.tflite", tensors, operators)
    assert path.stat().st_size > 500_000_000
    script = (
        "from edgecheck.cli import main; code = main(['check', 'large.tflite', '--output-file', 'report.txt'])\n"
        "print(code, next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    code, kilobytes = map(int, done.stdout.split())
    assert code in {0, 1, 3}
    assert "50 operators" in (tmp_path / "report.txt").read_text()
    assert kilobytes < 100_000
