"""The tensors of a golden run: a safetensors file, read as an untrusted one, mapped, canonical.

Layout as safetensors has it: eight bytes of header length (little endian), a JSON header, the data. Here the header is
canonical (see docs/golden-run.md), so every recorder writes the same bytes for the same tensors.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from edgecheck.errors import FormatError
from edgecheck.golden import Aggregates, Recorded
from edgecheck.golden.recorder import BINS, aggregated

if TYPE_CHECKING:
    import numpy

FILE = "tensors.safetensors"
MOST_HEADER = 8 << 20  # bytes
#: Of the signs that make JSON take memory: a file of 16 MB of `[],[],` would become 400 MB of lists.
MOST_SIGNS = 400_000
#: Our names of safetensors' element types; `string`, `int4` and `uint4` are stored as bytes.
STORED: Mapping[str, str] = {
    "bool": "BOOL", "int8": "I8", "uint8": "U8", "int16": "I16", "uint16": "U16", "int32": "I32", "uint32": "U32",
    "int64": "I64", "uint64": "U64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "int4": "U8", "uint4": "U8", "string": "U8",
}  # fmt: skip
WIDTH: Mapping[str, int] = {
    "BOOL": 1, "I8": 1, "U8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4,
    "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
OFFSETS = "#offsets"  # the second tensor of a string tensor: where each string ends, int64
AGGREGATES = "#aggregates"  # count, NaN, infinite, zero, least, greatest, mean, deviation: float64
HISTOGRAM = "#histogram"  # 16 bins from least to greatest: int64


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stored tensor lies in the data."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class Tensors:
    """A mapped safetensors file. Raises `FormatError` with the file's name where anything does not add up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with opened(path) as file:
                size = os.fstat(file.fileno()).st_size
                self.start, header = _header(path, file, size)
                self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        except OSError as error:
            raise FormatError(f"cannot read {path}: {error.strerror}") from None
        self.places = dict(_places(path, header, size - self.start))

    def values(self, case: str, tensor: Recorded) -> numpy.ndarray:
        """See `GoldenRun.values`."""
        name = f"{case}/{tensor.stage}/{tensor.name}"
        if tensor.withheld:
            raise FormatError(f"{self.path}: {name} was withheld from the recording")
        return self.read(name, tensor.dtype, tensor.shape)

    def aggregates(self, case: str, tensor: Recorded) -> Aggregates | None:
        """See `GoldenRun.aggregates`."""
        name = f"{case}/{tensor.stage}/{tensor.name}"
        if tensor.aggregates:
            return _aggregates(*self._summary(name))
        if tensor.withheld:
            return None
        if tensor.dtype == "string":
            ends = struct.unpack(f"<{tensor.size}q", self._bytes(name + OFFSETS))
            lengths = struct.pack(f"<{len(ends)}q", *(b - a for a, b in zip((0, *ends), ends, strict=False)))
            return _aggregates(*aggregated(lengths, "int64", tensor.size))
        return _aggregates(*aggregated(self._bytes(name), tensor.dtype, tensor.size))

    def check_aggregates(self, name: str, count: int) -> None:
        """That aggregates are those of `count` values as far as that can be seen. Raises `FormatError`."""
        for suffix, dtype, shape in ((AGGREGATES, "F64", (8,)), (HISTOGRAM, "I64", (BINS,))):
            place = self.place(name + suffix)
            if (place.dtype, place.shape) != (dtype, shape):
                raise FormatError(f"{self.path}: {name}{suffix} is not {dtype} {list(shape)}")
        figures, bins = self._summary(name)
        counts, (low, high, mean, deviation) = figures[:4], figures[4:]
        whole = all(0 <= one <= count and one == int(one) for one in counts) and counts[0] == count
        finite = count - counts[1] - counts[2] if whole else -1
        ordered = low <= high and not (math.isinf(low) or math.isinf(high))
        if (
            finite < counts[3] or min(bins) < 0 or sum(bins) != finite or (finite > 0) != ordered
            or math.isinf(mean) or math.isinf(deviation) or deviation < 0
        ):  # fmt: skip
            raise FormatError(f"{self.path}: {name}{AGGREGATES} and {HISTOGRAM} are not those of {count} values")

    def _summary(self, name: str) -> tuple[list[float], list[int]]:
        figures, bins = self._bytes(name + AGGREGATES), self._bytes(name + HISTOGRAM)
        return list(struct.unpack("<8d", figures)), list(struct.unpack(f"<{BINS}q", bins))

    def _bytes(self, name: str) -> memoryview:
        place = self.place(name)
        return memoryview(self._content)[self.start + place.start : self.start + place.end]

    def latency(self, span: str, launch: str) -> numpy.ndarray:
        """See `GoldenRun.latency`."""
        name = f"latency/{span}/{launch}"
        found = self.read(name, "int64", self.place(name).shape)
        if found.size and found.min() < 0:
            raise FormatError(f"{self.path}: {name} holds a time below zero")
        return found

    def place(self, name: str) -> Place:
        found = self.places.get(name)
        if found is None:
            raise FormatError(f"{self.path}: there is no tensor {name!r}")
        return found

    def read(self, name: str, dtype: str, shape: Sequence[int]) -> numpy.ndarray:
        """Values of the logical type, from what is stored."""
        import numpy

        place = self.place(name)
        raw = numpy.frombuffer(self._content, numpy.uint8, place.end - place.start, self.start + place.start)
        if dtype == "string":
            return self._strings(name, raw, shape)
        if dtype in ("int4", "uint4"):
            return _nibbles(raw, shape, signed=dtype == "int4")
        if dtype == "bfloat16":
            return (raw.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32).reshape(shape)
        if dtype == "bool":
            whole: numpy.ndarray = raw != 0
            return whole.reshape(shape)
        return raw.view(numpy.dtype(dtype).newbyteorder("<")).reshape(shape)

    def _strings(self, name: str, raw: numpy.ndarray, shape: Sequence[int]) -> numpy.ndarray:
        import numpy

        ends = self.read(name + OFFSETS, "int64", self.place(name + OFFSETS).shape).tolist()
        pieces = [bytes(raw[a:b]).decode("utf-8", "replace") for a, b in zip([0, *ends], ends, strict=False)]
        found = numpy.empty(len(pieces), object)
        found[:] = pieces
        return found.reshape(shape)

    def check(self, name: str, tensor: Recorded) -> None:
        """That what is stored has the type and size that the run declares. Raises `FormatError`."""
        place = self.place(name)
        count = tensor.size
        if place.dtype != STORED[tensor.dtype]:
            raise FormatError(f"{self.path}: {name} is stored as {place.dtype}, declared as {tensor.dtype}")
        stored = place.end - place.start
        if tensor.dtype == "string":
            self._check_strings(name, count, stored)
        elif tensor.dtype in ("int4", "uint4"):
            if stored != (count + 1) // 2:
                raise FormatError(f"{self.path}: {name} has {stored} bytes for {count} values of 4 bits")
        elif place.shape != tensor.shape:
            raise FormatError(f"{self.path}: {name} is {list(place.shape)}, declared as {list(tensor.shape)}")

    def _check_strings(self, name: str, count: int, stored: int) -> None:
        offsets = self.place(name + OFFSETS)
        if offsets.dtype != "I64" or offsets.shape != (count,):
            raise FormatError(f"{self.path}: {name}{OFFSETS} does not hold one int64 for each of {count} strings")
        last = 0
        for (end,) in struct.iter_unpack("<q", self._bytes(name + OFFSETS)):
            if not last <= end <= stored:
                raise FormatError(f"{self.path}: {name}{OFFSETS} does not rise from 0 to {stored}")
            last = end
        if last != stored:
            raise FormatError(f"{self.path}: {name}{OFFSETS} ends at {last}, the bytes at {stored}")


def _header(path: Path, file: Any, size: int) -> tuple[int, Any]:
    """(where the data begins, the header)."""
    head = file.read(8)
    if len(head) < 8:
        raise FormatError(f"{path} is cut short: {size} bytes are no safetensors file")
    (length,) = struct.unpack("<Q", head)
    if length > min(MOST_HEADER, size - 8):
        raise FormatError(f"{path}: its header claims {length:,} bytes, the file has {size:,}")
    header = parsed(file.read(length), f"{path}: its header")
    if not isinstance(header, dict):
        raise FormatError(f"{path}: its header is no JSON object")
    return 8 + length, header


def opened(path: Path) -> IO[bytes]:
    """A plain file, opened to be read: no link, which could lead anywhere, no pipe, which would never end.

    Raises `FormatError` and `OSError`.
    """
    if path.is_symlink():
        raise FormatError(f"{path} is a link", help="a golden run holds its files; copy what the link leads to")
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FormatError(f"{path} is no plain file")
    return file


def parsed(content: bytes, where: str) -> Any:
    """JSON as UTF-8, no key twice, no NaN, of bounded size in memory. Raises `FormatError`."""
    if sum(map(content.count, (b"{", b"[", b",", b":"))) > MOST_SIGNS:
        raise FormatError(f"{where} describes more than a run holds, some 20,000 tensors")
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where} is no JSON ({str(error)[:80]})") from None


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _aggregates(figures: Sequence[float], histogram: Sequence[int]) -> Aggregates:
    count, nan, inf, zeros = map(int, figures[:4])
    low, high, mean, deviation = figures[4:]
    return Aggregates(
        count=count, nan=nan, inf=inf, zeros=zeros, low=low, high=high, mean=mean, deviation=deviation,
        histogram=tuple(histogram),
    )  # fmt: skip


def _places(path: Path, header: Mapping[str, Any], size: int) -> Iterator[tuple[str, Place]]:
    """Every tensor's place, once it is known that they fill the data without gap or overlap."""
    found = []
    for name, raw in header.items():
        if name != "__metadata__":  # safetensors' own place for texts; nothing of it is used
            found.append((name, _place(path, name, raw, size)))
    end = 0
    for name, place in sorted(found, key=lambda item: (item[1].start, item[1].end)):
        if place.start != end:
            raise FormatError(f"{path}: {name[:100]!r} begins at {place.start}, where {end} was to be expected")
        end = place.end
    if end != size:
        raise FormatError(f"{path}: its tensors end at {end:,}, the data at {size:,}")
    yield from found


def _place(path: Path, name: str, raw: Any, size: int) -> Place:
    where = f"{path}: {name[:100]!r}"
    if not isinstance(raw, dict) or set(raw) != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"{where} is not {{dtype, shape, data_offsets}}")
    width = WIDTH.get(raw["dtype"]) if isinstance(raw["dtype"], str) else None
    shape, offsets = raw["shape"], raw["data_offsets"]
    if width is None or not _sizes(shape) or not _sizes(offsets) or len(offsets) != 2 or len(shape) > 32:
        raise FormatError(f"{where} has an element type, shape or place that is none")
    start, end = offsets
    total = 0 if 0 in shape else width
    for one in shape:
        total *= one
        if total > size:
            break
    if end > size or end - start != total:
        raise FormatError(f"{where}: {end - start} bytes for a shape of {shape} {raw['dtype']}")
    return Place(raw["dtype"], tuple(shape), start, end)


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int and 0 <= one < 1 << 53 for one in value)


def _nibbles(raw: numpy.ndarray, shape: Sequence[int], *, signed: bool) -> numpy.ndarray:
    """4-bit values, the first in the low bits, as int8 or uint8."""
    import numpy

    both = numpy.stack([raw & 15, raw >> 4], axis=-1).reshape(-1)
    count = int(numpy.prod(shape, dtype=numpy.int64))
    values = both[:count]
    return ((values ^ 8).astype(numpy.int8) - 8 if signed else values).reshape(shape)


def header(tensors: Sequence[tuple[str, str, Sequence[int], int]]) -> bytes:
    """The canonical header of (name, stored type, shape, bytes), already in `order`; length and padding included."""
    parts, at = [], 0
    for name, dtype, shape, size in tensors:
        sizes = ",".join(map(str, shape))
        parts.append(f'{quoted(name)}:{{"dtype":"{dtype}","shape":[{sizes}],"data_offsets":[{at},{at + size}]}}')
        at += size
    text = ("{" + ",".join(parts) + "}").encode("utf-8")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def order(name: str, dtype: str) -> tuple[int, bytes]:
    """Wide element types first, so that every tensor is aligned; then by name, byte by byte."""
    return (-WIDTH[dtype], name.encode("utf-8"))


def quoted(text: str) -> str:
    """A JSON string as every recorder writes it: control characters, quote and backslash escaped, the rest as it is."""
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(short.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 32 else c) for c in text) + '"'
