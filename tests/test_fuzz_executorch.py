"""Damaged and hostile .pte and .pt2 files: a model or one sentence, in bounded time and memory."""

from __future__ import annotations

import contextlib
import random
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecheck.errors import FormatError
from edgecheck.model.formats import executorch, exported
from edgecheck.model.formats.stored_zip import entries

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "tests" / "cases" / "programs" / name for name in ("net.pte", "net.pt2", "branch.pt2")]
READERS = {".pte": executorch.read, ".pt2": exported.read}


def outcome(path):
    try:
        return READERS[path.suffix](path)
    except FormatError as error:
        assert "\n" not in str(error)
        return str(error)


@settings(max_examples=300, deadline=2000)
@given(content=st.binary(max_size=512))
def test_any_bytes(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp()
    for name, head in (("a.pte", b"\x08\0\0\0ET12"), ("b.pte", b""), ("c.pt2", b"PK\x03\x04"), ("d.pt2", b"")):
        if head + content:
            (folder / name).write_bytes(head + content)
            found = outcome(folder / name)
            assert found if isinstance(found, str) else found.format == "executorch"


@settings(max_examples=200, deadline=2000)
@given(content=st.binary(min_size=1, max_size=256))
def test_any_directory(content):
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, 46, max(len(content) - 46, 0), 0)
    found = {}
    with contextlib.suppress(FormatError):
        found = entries(memoryview(content + end))
    assert len(found) <= 1  # the directory names one


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_cut_off_anywhere(file, tmp_path):
    whole, rng, refused = file.read_bytes(), random.Random(3), 0
    for length in (1, 7, 8, 9, *(rng.randrange(16, len(whole)) for _ in range(60))):
        path = tmp_path / f"cut{file.suffix}"
        path.write_bytes(whole[:length])
        start = time.perf_counter()
        refused += isinstance(outcome(path), str)
        assert time.perf_counter() - start < 2
    assert refused >= 63


def nested(depth):
    """A graph in a graph in a graph."""
    graph = {"inputs": [], "outputs": [], "nodes": [], "tensor_values": {}}
    for _ in range(depth):
        argument = {"name": "g", "arg": {"as_graph": {"name": "g", "graph": graph}}}
        node = {"target": "torch.ops.higher_order.cond", "inputs": [argument], "outputs": [], "metadata": {}}
        graph = {"inputs": [], "outputs": [], "nodes": [node], "tensor_values": {}}
    return graph


@pytest.mark.parametrize(("depth", "answer"), [(3, None), (40, "nested more than 32 deep")])
def test_graphs_in_graphs(tmp_path, depth, answer):
    import json
    import zipfile

    program = {
        "schema_version": {"major": 8, "minor": 1},
        "graph_module": {"graph": nested(depth), "signature": {"input_specs": [], "output_specs": []}},
    }
    path = tmp_path / "deep.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("deep/models/model.json", json.dumps(program))
    result = outcome(path)
    assert answer in result if answer else len(result.graphs) == depth + 1


def fuzz(count):
    command = [sys.executable, str(ROOT / "scripts" / "fuzz.py"), "executorch", "--count", str(count), "--seed", "5"]
    return subprocess.run([*command, *map(str, FILES)], capture_output=True, text=True, timeout=900)


def test_mutated_programs():
    done = fuzz(600)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_ten_thousand_mutated_programs():
    done = fuzz(10_000)
    assert done.returncode == 0, done.stdout + done.stderr
