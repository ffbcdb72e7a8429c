"""Arbitrary and mutated bytes: the ONNX reader and the wire walker refuse them in a sentence, or read them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecheck.errors import FormatError
from edgecheck.model.formats import wire
from edgecheck.model.formats.onnx import read

FUZZ = Path(__file__).parents[1] / "scripts" / "fuzz.py"


def encoded(number):
    found = b""
    while number > 0x7F:
        found, number = found + bytes([number & 0x7F | 0x80]), number >> 7
    return found + bytes([number])


@given(st.integers(0, 2**64 - 1), st.binary(max_size=4))
def test_a_varint_comes_back(number, behind):
    data = encoded(number)
    assert wire.varint(memoryview(data + behind), 0, len(data + behind)) == (number, len(data))


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_signed_number_comes_back(number):
    assert wire.signed(number % 2**64) == number


@given(st.lists(st.tuples(st.integers(1, 500), st.binary(max_size=200))))
def test_fields_come_back_in_place(items):
    data = b"".join(encoded(number << 3 | wire.LEN) + encoded(len(content)) + content for number, content in items)
    found = wire.fields(memoryview(data), 0, len(data))
    assert [(number, data[at:end]) for number, _, at, end in found] == items


@given(st.binary(max_size=300))
def test_fields_of_arbitrary_bytes_lie_inside(data):
    with suppress(FormatError):
        for _, kind, at, end in wire.fields(memoryview(data), 0, len(data)):
            assert kind == wire.VARINT or 0 <= at <= end <= len(data)


#: A message whose fields are mostly those of onnx.proto, nested at random.
MESSAGES = st.recursive(
    st.binary(max_size=12),
    lambda inner: st.lists(
        st.one_of(
            st.tuples(st.integers(1, 25), inner).map(lambda f: encoded(f[0] << 3 | 2) + encoded(len(f[1])) + f[1]),
            st.tuples(st.integers(1, 25), st.integers(0, 2**64 - 1)).map(lambda f: encoded(f[0] << 3) + encoded(f[1])),
        ),
        max_size=6,
    ).map(b"".join),
    max_leaves=30,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(MESSAGES)
def test_a_made_up_graph_is_read_or_refused(tmp_path, graph):
    path = tmp_path / "m.onnx"
    path.unlink(missing_ok=True)
    path.write_bytes(b"\x08\x08" + encoded(7 << 3 | 2) + encoded(len(graph)) + graph)
    nodes = []
    with suppress(FormatError):
        nodes = list(read(path).nodes)
    for node in nodes:
        assert node.op
        for tensor in node.inputs:
            if tensor and tensor.data:
                with suppress(FormatError):
                    assert tensor.data.array().size == tensor.size


def test_mutated_real_files(models_dir):
    """A thousand of the ten thousand that `scripts/fuzz.py onnx` reads, each in a child process."""
    paths = sorted(path for path in models_dir.rglob("*.onnx") if path.stat().st_size < 2 << 20)[::3]
    command = [sys.executable, str(FUZZ), "onnx", *map(str, paths), "--count", "1000", "--seed", "3"]
    source = str(FUZZ.parents[1] / "src")
    done = subprocess.run(command, env={"PYTHONPATH": source, "PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 found" in done.stdout
