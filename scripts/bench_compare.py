"""Two golden runs of 1 GB held against each other: seconds, MB a second, peak memory; beside reading the same files.

Both sides differ slightly in every tensor, so that everything is measured. A row is the median of several launches, in
turns with a plain read of both files by numpy, so that a busy machine is busy for both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy

CACHE = Path(os.environ.get("EDGECHECK_CACHE") or Path.home() / ".cache" / "edgecheck") / "bench"
EDGECHECK = str(Path(sys.executable).with_name("edgecheck"))
CASES = 16
#: Of each case: stage, tensor, type, elements. 64 MB a case.
TENSORS = (
    ("decode", "image", "uint8", 8 << 20),
    ("preprocess", "input", "float32", 10 << 20),
    ("model", "features", "float16", 4 << 20),
    ("model", "steps", "int8", 8 << 20),
)
STORED = {"uint8": "U8", "float32": "F32", "float16": "F16", "int8": "I8"}
BLOCK = 1 << 20
READ = """
import sys, numpy
for path in sys.argv[1:]:
    with open(path, "rb", buffering=0) as file:
        while data := file.read(1 << 20):
            numpy.frombuffer(data, numpy.uint8)
"""


def blocks(dtype: str, count: int, seed: int, off: bool) -> Iterator[bytes]:
    """Noise; `off`: one element in a thousand is a step away, of floats the last bits of one."""
    rng = numpy.random.default_rng(seed)
    pool = rng.integers(-90, 90, BLOCK).astype("int8") if dtype.endswith("int8") else rng.random(BLOCK, numpy.float32)
    pool = pool.view("uint8") if dtype == "uint8" else pool.astype(dtype)
    if off:
        step = 1 if dtype.endswith("int8") else 2.0**-8
        pool[::1000] = pool[::1000] + numpy.asarray(step, pool.dtype)
    for at in range(0, count, BLOCK):
        yield pool[: min(BLOCK, count - at)].tobytes()


def made(folder: Path, off: bool) -> Path:
    """A run, written once and kept."""
    if (folder / "run.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    width = {"uint8": 1, "int8": 1, "float16": 2, "float32": 4}
    named = sorted(
        (-width[dtype], f"case-{i:02d}/{stage}/{name}", dtype, count)
        for i in range(CASES)
        for stage, name, dtype, count in TENSORS
    )
    header, at = {}, 0
    for _, name, dtype, count in named:
        size = count * width[dtype]
        header[name] = {"dtype": STORED[dtype], "shape": [count], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with (folder / "tensors.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for number, (_, _, dtype, count) in enumerate(named):
            file.writelines(blocks(dtype, count, number, off))
    cases = [
        {"name": f"case-{i:02d}", "tensors": [
            {"stage": stage, "name": name, "dtype": dtype, "shape": [count]} for stage, name, dtype, count in TENSORS
        ]}
        for i in range(CASES)
    ]  # fmt: skip
    run = {"schema": "edgecheck.golden/1", "pipeline": "large", "model": {}, "wrapper": {}, "device": {}, "runtime": {},
           "conditions": {}, "stages": ["decode", "preprocess", "model"], "cases": cases,
           "recorder": {"name": "bench", "version": "1"}, "time": ""}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(run) + "\n")
    return folder


def launch(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak MB of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in (0, 1, 3):
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> int:
    """Print the rows and what they are held to; exit 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launches", type=int, default=3)
    arguments = parser.parse_args()
    run, reference = made(CACHE / "large-b", off=True), made(CACHE / "large-a", off=False)
    files = [str(one / "tensors.safetensors") for one in (run, reference)]
    size = Path(files[0]).stat().st_size / 1e6
    rows = {
        "numpy reads both files": [sys.executable, "-c", READ, *files],
        "edgecheck compare": [EDGECHECK, "compare", str(run), "--against", str(reference), "--exit-zero"],
    }
    samples: dict[str, list[tuple[float, float, float]]] = {name: [] for name in rows}
    launch(rows["numpy reads both files"])  # warm the file cache
    for _ in range(arguments.launches):
        for name, command in rows.items():
            samples[name].append(launch(command))
    print(f"a run of {size:,.0f} MB  {'wall s':>23}{'processor s':>13}{'MB/s':>9}{'MB/processor s':>16}{'peak MB':>9}")
    medians = {
        name: [statistics.median(column) for column in zip(*runs, strict=True)] for name, runs in samples.items()
    }
    for name, (wall, spent, peak) in medians.items():
        print(f"{name:<41}{wall:>8.2f}{spent:>13.2f}{2 * size / wall:>9,.0f}{2 * size / spent:>16,.0f}{peak:>9.0f}")
    wall, spent, peak = medians["edgecheck compare"]
    held = {
        "a run of 1 GB compares in under 300 MB": peak < 300,
        "at 300 MB of tensor data and more a processor second": 2 * size / spent >= 300,
        "at 300 MB a second and more, where no other process wants the cores": 2 * size / wall >= 300
        or os.getloadavg()[0] > 2 * (os.cpu_count() or 1),
    }
    for sentence, kept in held.items():
        print(f"{'kept  ' if kept else 'MISSED'}  {sentence}")
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
