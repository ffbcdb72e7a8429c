"""What recording costs an app: a call switched off, and an image of 640 x 480 x 3 recorded, beside a copy of its bytes.

Python, C++ and JavaScript, each in a process of its own that streams 1,000 frames and more through a recorder bound to
16 MB. Held to 1 % of a frame of 10 ms when off, to a memory that is bounded when on, and to a multiple of the copy.
"""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
FRAME_US = 10_000
MOST_MB = 16


def micros(times: int, rounds: int, act: Callable[[int], object]) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for i in range(times):
            act(i)
        best = min(best, (time.perf_counter() - start) * 1e6 / times)
    return best


def python() -> dict[str, float]:
    """The same as bench.cpp and bench.mjs do."""
    import numpy

    from edgecheck.golden.recorder import Recorder

    image = numpy.full((480, 640, 3), 7, numpy.uint8)
    off, on = Recorder("run", "p", ["s"], on=False), Recorder("run", "p", ["s"], most=MOST_MB << 20, keep_last=True)
    frames, kept = iter(range(10**9)), collections.deque(maxlen=17)  # as many copies as the recorder keeps

    def record(aggregates: bool) -> None:
        frame = next(frames)
        on.case(str(frame))
        on.tensor("s", "image", image, aggregates=aggregates)
        on.sample("model", frame)

    figures = {
        "off_us": micros(100_000, 5, lambda _: off.tensor("s", "image", image)),
        "copy_us": micros(200, 5, lambda _: kept.append(image.tobytes())),
        "on_us": micros(200, 5, lambda _: record(False)),
        "aggregates_us": micros(20, 3, lambda _: record(True)),
    }
    if on.error:
        sys.exit(on.error)
    return figures


def measured(command: list[str]) -> dict[str, float]:
    """Figures that a process printed, and its peak memory in MB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    printed = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return {**json.loads(printed), "peak_mb": usage.ru_maxrss / 1024}


def main() -> int:
    """Print a row for each language and what they are held to; exit 1 when something is missed."""
    if sys.argv[1:] == ["python"]:
        print(json.dumps(python()))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "bench"
        compiler = [
            "g++",
            "-std=c++20",
            "-O2",
            "-I",
            str(ROOT / "recorders/cpp"),
            str(ROOT / "tests/recorders/bench.cpp"),
        ]
        subprocess.run([*compiler, "-o", str(program)], check=True)
        rows = {
            "Python": measured([sys.executable, __file__, "python"]),
            "C++": measured([str(program)]),
            "JavaScript": measured(["node", str(ROOT / "tests/recorders/bench.mjs")]),
        }
    print(
        f"{'recorder':<12}{'off ns':>9}{'of a frame':>12}{'copy µs':>9}{'on µs':>9}{'of copy':>9}{'+ aggregates µs':>17}{'peak MB':>9}"
    )
    for name, row in rows.items():
        share, ratio = row["off_us"] / FRAME_US, row["on_us"] / row["copy_us"]
        print(
            f"{name:<12}{row['off_us'] * 1e3:>9.0f}{share:>12.5%}{row['copy_us']:>9.0f}{row['on_us']:>9.0f}{ratio:>9.2f}"
            f"{row['aggregates_us']:>17.0f}{row['peak_mb']:>9.0f}"
        )
    held = {
        "a recorder that is off takes under 1 % of a frame of 10 ms": all(
            r["off_us"] < FRAME_US / 100 for r in rows.values()
        ),
        "recording an image takes at most five times what keeping a copy of it does": all(
            r["on_us"] < 5 * r["copy_us"] for r in rows.values()
        ),
        "a stream of 1 GB through a recorder of 16 MB stays under 256 MB": all(
            r["peak_mb"] < 256 for r in rows.values()
        ),
    }
    for sentence, kept in held.items():
        print(f"{'kept  ' if kept else 'MISSED'}  {sentence}")
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
