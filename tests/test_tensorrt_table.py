"""The table `tensorrt`: what each release's list says, on both sides of its limits."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgecheck.check import point
from edgecheck.probing import replay
from edgecheck.tables import bundle

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import import_tensorrt


@pytest.fixture(scope="module")
def table():
    return bundle.load("tensorrt")


def tensor(dtype="float32", shape=(1, 4, 8, 8), **more):
    return {"t": dtype, "s": list(shape), **more}


def verdict(table, version, op, inputs, *, opset=17, outputs=1, **attributes):
    spec = {"op": op, "opset": opset, "a": attributes, "i": inputs, "o": [tensor() for _ in range(outputs)]}
    found = replay.of_spec(spec, point(table, version))
    return found.verdict, found.limit


X = tensor()
CASES = {
    "abs": ("10.1", "Abs", [X], {}, ("supported", None)),
    "a type that is not listed": ("8.6", "Softmax", [tensor("int32")], {}, ("rejected", "type")),
    "int64 is cast before 9": ("8.6", "Add", [tensor("int64"), tensor("int64")], {}, ("supported", None)),
    "dilated pooling": ("10.1", "MaxPool", [X], {"kernel_shape": [2, 2], "dilations": [2, 2]}, ("rejected", "no-dilation")),
    "no such limit before 10": ("9.3", "MaxPool", [X], {"kernel_shape": [2, 2], "dilations": [2, 2]}, ("supported", None)),
    "NonZero of 8.4": ("8.4", "NonZero", [X], {}, ("rejected", None)),
    "NonZero of 8.6": ("8.6", "NonZero", [X], {}, ("supported", None)),
    "weight given, 8.4": ("8.4", "Conv", [X, tensor(shape=(4, 4, 1, 1))], {}, ("rejected", "weight-const")),
    "weight given, 8.5": ("8.5", "Conv", [X, tensor(shape=(4, 4, 1, 1))], {}, ("supported", None)),
    "K 3839": ("10.1", "TopK", [tensor(shape=(4000,)), tensor("int64", (1,), c=[3839])], {}, ("supported", None)),
    "K 3840": ("10.1", "TopK", [tensor(shape=(4000,)), tensor("int64", (1,), c=[3840])], {}, ("rejected", "k-3840")),
    "not in any list": ("10.1", "DFT", [X], {}, ("rejected", None)),
    "a window before 10.4": ("10.3", "HannWindow", [tensor("int64", ())], {}, ("rejected", None)),
    "a window": ("10.4", "HannWindow", [tensor("int64", ())], {}, ("supported", None)),
    "axes given to Pad, 10.3": ("10.3", "Pad", [X, tensor("int64", (2,), c=[0, 1]), tensor(shape=(), c=0.0), tensor("int64", (1,))], {}, ("rejected", "axes-const")),
    "axes given to Pad, 10.4": ("10.4", "Pad", [X, tensor("int64", (2,), c=[0, 1]), tensor(shape=(), c=0.0), tensor("int64", (1,))], {}, ("supported", None)),
    "Pow of integers, 10.11": ("10.11", "Pow", [tensor("int64"), tensor("int64")], {}, ("rejected", "type")),
    "Pow of integers, 10.12": ("10.12", "Pow", [tensor("int64"), tensor("int64")], {}, ("supported", None)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_the_lists_say(table, case):
    version, op, inputs, attributes, expected = CASES[case]
    assert verdict(table, version, op, inputs, **attributes) == expected


def test_a_newer_opset_is_unknown(table):
    assert verdict(table, "8.6", "Abs", [X], opset=17)[0] == "supported"
    assert verdict(table, "10.1", "Cast", [X], opset=21, to=1) == ("unknown", "opset-20")


def test_the_axis_is_the_importers(table):
    assert {*import_tensorrt.AXIS, *import_tensorrt.TOLD} <= set(table.versions)


def test_an_unread_restriction_stops_the_importer():
    with pytest.raises(SystemExit, match="nobody has said what this means"):
        import_tensorrt._limits("Abs", "only on Sundays")
