"""Mutate real model files and read each: a reader may refuse a file, and do nothing else to it.

    python scripts/fuzz.py FORMAT --count 10000 --seed 1 FILE_OR_PACKAGE...

Each mutation is made from the seed and its own number alone, so that `--first N --count 1` repeats one. It is read in
a child process (its constants too) under an address-space limit and an alarm. Found are: a signal that ends the
child, a hang, an exception that is no FormatError, and a peak memory above the limit. What was found is kept in
`--keep`. The exit code is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 10
LARGEST = 16 << 20  # bytes of a file that is mutated; a larger one is mostly weights
MEMORY = 200 << 20
ADDRESS_SPACE = 2 << 30  # beyond what the child has before it reads
EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def mutate(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """One to four changes: bytes, numbers, lengths, blocks moved, repeated, cut out or taken from another file."""
    buffer = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice((_flip, _flip, _number, _varint, _cut, _remove, _repeat, _splice))(buffer, other, rng)
        if not buffer:
            break
    return bytes(buffer)


def _place(buffer: bytearray, rng: random.Random) -> int:
    """A position; mostly the one of several whose surroundings look least like weights."""
    places = [rng.randrange(len(buffer)) for _ in range(rng.choice((1, 4, 16)))]
    return min(places, key=lambda at: len(set(buffer[at : at + 48])))


def _flip(buffer: bytearray, other: bytes, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        at = _place(buffer, rng)
        buffer[at] = rng.choice((rng.randrange(256), buffer[at] ^ (1 << rng.randrange(8)), 0, 255))


def _number(buffer: bytearray, other: bytes, rng: random.Random) -> None:
    """A little-endian number, aligned or not: an offset or a length of a flatbuffer, a size, a dimension."""
    width = rng.choice((2, 4, 4, 8))
    at = _place(buffer, rng)
    at -= at % width if rng.random() < 0.7 else 0
    old = int.from_bytes(buffer[at : at + width], "little")
    new = rng.choice((rng.choice(EXTREMES), old + rng.randrange(-64, 65), rng.randrange(len(buffer) + 1), -old))
    buffer[at : at + width] = (new % (1 << (8 * width))).to_bytes(width, "little")


def _varint(buffer: bytearray, other: bytes, rng: random.Random) -> None:
    """A varint that claims much more, or never ends."""
    at = _place(buffer, rng)
    claim = rng.choice(
        (b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xff" * 11, b"\x80\x00", b"\x00")
    )
    buffer[at : at + rng.choice((1, len(claim)))] = claim


def _cut(buffer: bytearray, other: bytes, rng: random.Random) -> None:
    del buffer[_place(buffer, rng) :]


def _remove(buffer: bytearray, other: bytes, rng: random.Random) -> None:
    at = _place(buffer, rng)
    del buffer[at : at + rng.choice((1, 4, rng.randrange(1, 4096)))]


def _repeat(buffer: bytearray, other: bytes, rng: random.Random) -> None:
    at, size, times = _place(buffer, rng), rng.choice((1, 8, 64, rng.randrange(1, 4096))), rng.choice((1, 2, 100))
    buffer[at:at] = bytes(buffer[at : at + size]) * times


def _splice(buffer: bytearray, other: bytes, rng: random.Random) -> None:
    at, size = _place(buffer, rng), rng.choice((4, 64, 1024, 65536))
    source = rng.randrange(len(other) or 1)
    buffer[at : at + rng.choice((0, size))] = other[source : source + size]


def candidates(paths: list[Path]) -> list[tuple[Path, Path]]:
    """(what is read, the file in it that is mutated): the same for a file, one for each file of a package."""
    found = []
    for path in sorted(paths):
        files = sorted(inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else [path]
        found += [(path, file) for file in files if 0 < file.stat().st_size <= LARGEST]
    return found


@dataclass
class Child:
    """One process that reads mutated files, number after number."""

    format: str
    seed: int
    numbers: range
    keep: Path
    paths: list[Path]

    def run(self) -> None:
        """Print {"at": number} before each file, and what became of it behind it."""
        import numpy as np

        del np  # imported first, so that it does not count as a file's memory
        choices = candidates(self.paths)
        contents = {file: file.read_bytes() for _, file in choices}
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_SPACE, resource.RLIM_INFINITY))
        for number in self.numbers:
            print(json.dumps({"at": number}), flush=True)
            print(json.dumps(self._one(number, choices, contents)), flush=True)

    def _one(self, number: int, choices: list[tuple[Path, Path]], contents: dict[Path, bytes]) -> dict[str, object]:
        rng = random.Random(f"{self.seed}:{number}")
        root, file = rng.choice(choices)
        data = mutate(contents[file], contents[rng.choice(choices)[1]], rng)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / root.name
            if root.is_dir():
                shutil.copytree(root, path)
            (path / file.relative_to(root) if root.is_dir() else path).write_bytes(data)
            outcome = self._read(path)
            if outcome["outcome"] not in ("read", "refused"):
                self.save(number, path)
        return {**outcome, "file": str(file)}

    def save(self, number: int, path: Path) -> None:
        kept = self.keep / f"{self.format}-{self.seed}-{number}{path.suffix}"
        if path.is_dir():
            shutil.copytree(path, kept, dirs_exist_ok=True)
        else:
            shutil.copy(path, kept)

    def _read(self, path: Path) -> dict[str, object]:
        from edgecheck.errors import FormatError
        from edgecheck.model import formats

        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = _memory("VmRSS")
        signal.alarm(SECONDS)
        try:
            outcome = _touch(formats.read(path))
        except FormatError:
            outcome = "refused"
        except Exception:  # whatever else comes out of a reader is what this looks for
            return {"outcome": "exception", "detail": traceback.format_exc()}
        finally:
            signal.alarm(0)
        peak = _memory("VmHWM") - before
        return {"outcome": outcome if peak <= MEMORY else "memory", "peak": peak}


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _touch(model: object) -> str:
    """Ask every constant for its values, as a limit might."""
    from edgecheck.errors import FormatError

    seen: set[int] = set()
    for node in model.nodes:  # type: ignore[attr-defined]
        for tensor in (*node.inputs, *node.outputs):
            if tensor is None or not tensor.const or id(tensor) in seen:
                continue
            seen.add(id(tensor))
            try:
                _ = tensor.data.nbytes, tensor.data.array().shape
            except FormatError:
                continue
    return "read"


@dataclass
class Report:
    outcomes: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    peak: int = 0

    def add(self, number: int, line: dict[str, object]) -> None:
        outcome = str(line["outcome"])
        self.outcomes[outcome] += 1
        self.peak = max(self.peak, int(str(line.get("peak", 0))))
        if outcome not in ("read", "refused"):
            detail = str(line.get("detail") or f"{self.peak >> 20} MB")
            self.found.append(f"{outcome} at {number} of {line.get('file')}: {detail}")


def events(command: list[str], numbers: range) -> Iterator[tuple[int, dict[str, object]]]:
    """What became of each number; a child that ends before its time is replaced behind the number it ended at."""
    next_ = numbers.start
    while next_ < numbers.stop:
        child = subprocess.Popen(
            [*command, "--first", str(next_), "--count", str(numbers.stop - next_), "--child"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        at = None
        assert child.stdout
        for text in child.stdout:
            line = json.loads(text)
            if "at" in line:
                at = line["at"]
                continue
            yield at if at is not None else next_, line
            next_, at = (at if at is not None else next_) + 1, None
        code = child.wait()
        if at is None and next_ < numbers.stop:
            raise SystemExit(f"the child ended with {code} before it read anything")
        if at is not None:
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            yield at, {"outcome": "hang" if code == -signal.SIGALRM else "crash", "detail": name}
            next_ = at + 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format", choices=("onnx", "tflite", "coreml", "executorch"))
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first mutation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where files that break the reader are kept")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    keep = args.keep or Path(tempfile.gettempdir()) / "edgecheck-fuzz"
    keep.mkdir(parents=True, exist_ok=True)
    numbers = range(args.first, args.first + args.count)
    if args.child:
        Child(args.format, args.seed, numbers, keep, args.paths).run()
        return 0
    command = [
        sys.executable,
        __file__,
        args.format,
        *map(str, args.paths),
        "--seed",
        str(args.seed),
        "--keep",
        str(keep),
    ]
    report, started = Report(), time.monotonic()
    for number, line in events(command, numbers):
        report.add(number, line)
    for text in report.found:
        print(text)
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(report.outcomes.items()))
    print(f"{args.format}: {counts}; {len(report.found)} found; peak {report.peak / 2**20:.0f} MB", end="; ")
    print(f"{time.monotonic() - started:.0f} s")
    return 1 if report.found else 0


if __name__ == "__main__":
    sys.exit(main())
