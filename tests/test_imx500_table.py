"""The table `imx500`: Sony's description of the chip by version, real models, and the widths it gives."""

from __future__ import annotations

import numpy as np
import pytest

from edgecheck.tables import bundle
from npu_tables import alone, by_op, onnx_file, report

TARGET = "imx500"
GOOD = ("supported", None)


def test_what_is_not_described_is_unknown(models_dir, capsys):
    nodes = report(capsys, TARGET, next(models_dir.rglob("model_v8.onnx")))
    assert by_op(nodes, "rejected") == {}
    assert set(by_op(nodes, "unknown")) & {"Conv", "Relu", "Gemm", "MaxPool"} == set()
    nodes = report(capsys, TARGET, next(models_dir.rglob("akiki-vad.onnx")))
    assert {"GRU", "If"} <= set(by_op(nodes, "unknown"))


def test_every_version_says_how_to_quantise_a_convolution():
    places = {place for entry in bundle.load(TARGET).entries("Conv") for place in entry.source}
    assert {place.partition(":")[0] for place in places} == {"tpc1_0", "tpc4_0", "tpc5_0", "torch"}


@pytest.mark.parametrize(
    ("version", "kind", "bits", "expected"),
    [
        ("5.0", "Relu", 8, GOOD),
        ("5.0", "Relu", 16, GOOD),
        ("1.0", "Relu", 16, ("unknown", "output-8")),
        ("4.0", "Sigmoid", 16, GOOD),
        ("4.1", "Sigmoid", 16, ("unknown", "output-8")),
        ("5.0", "Sigmoid", 8, GOOD),
        ("5.0", "Exp", 8, GOOD),
        ("4.1", "Exp", 8, ("unknown", None)),
        ("5.0", "Softmax", 8, ("unknown", None)),
    ],
)
def test_widths_by_version(tmp_path, capsys, version, kind, bits, expected):
    file = onnx_file(tmp_path / "m.onnx", kind, [[1, 4]], out=[1, 4])
    assert alone(capsys, f"{TARGET}@{version}", file, f"activation_bits={bits}") == expected


def test_a_convolution(tmp_path, capsys):
    weights = {"w": np.zeros((4, 2, 3, 3), np.float32)}
    file = onnx_file(tmp_path / "m.onnx", "Conv", [[1, 2, 8, 8], "w"], constants=weights, out=[1, 4, 6, 6])
    assert alone(capsys, TARGET, file) == GOOD
    assert alone(capsys, f"{TARGET}@1.0", file, "activation_bits=16") == ("unknown", "output-8")
