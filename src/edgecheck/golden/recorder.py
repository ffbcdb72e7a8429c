"""Records a golden run from a Python app: one file, no dependency; copy it into the app or import it from edgecheck.

    recorder = Recorder("run-1", "face", ["decode", "preprocess", "model", "postprocess"], device={"model": "Pixel 8"})
    recorder.case("img_001")
    recorder.tensor("decode", "image", array)           # numpy, array.array, memoryview, bytes; or a list of str
    recorder.sample("end_to_end", 12_345_678)           # nanoseconds
    recorder.finish()

It never raises into the app: what went wrong stands in `error`, and then nothing is written. Switched off, a call
returns at once. Tensors are copied when they are recorded; beyond `most` bytes recording stops with `error` set, or,
with `keep_last`, forgets its oldest cases. The format is docs/golden-run.md; recorders in other languages write the
same bytes for the same calls.
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import math
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_STORED = {
    "bool": "BOOL", "int8": "I8", "uint8": "U8", "int16": "I16", "uint16": "U16", "int32": "I32", "uint32": "U32",
    "int64": "I64", "uint64": "U64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "int4": "U8", "uint4": "U8", "string": "U8",
}  # fmt: skip
_WIDTH = {
    "BOOL": 1, "I8": 1, "U8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8,
    "U64": 8, "F64": 8,
}  # fmt: skip
#: Element types by the letters of Python's buffers; `l` is 4 or 8 bytes.
_KINDS = {
    "?1": "bool", "b1": "int8", "B1": "uint8", "c1": "uint8", "h2": "int16", "H2": "uint16", "i4": "int32",
    "I4": "uint32", "l4": "int32", "L4": "uint32", "l8": "int64", "L8": "uint64", "q8": "int64", "Q8": "uint64",
    "e2": "float16", "f4": "float32", "d8": "float64",
}  # fmt: skip
_FORMAT = {
    "bool": "?", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q",
    "uint64": "Q", "float16": "e", "float32": "f", "float64": "d",
}  # fmt: skip
_SECTIONS = ("model", "wrapper", "device", "runtime", "conditions", "recorder")
_MOST_PIECES = 20_000  # cases, tensors and what belongs to them: a reader takes no more
BINS = 16


class Recorder:
    """One run of one pipeline. See the module."""

    def __init__(
        self, folder: str, pipeline: str, stages: list[str], *, on: bool = True, most: int = 256 << 20,
        keep_last: bool = False, time: str = "", **facts: dict[str, Any],
    ) -> None:  # fmt: skip
        """`facts`: model, wrapper, device, runtime, conditions: texts, and whole numbers for the last two."""
        self.on, self.error = on, ""
        self._most, self._keep_last, self._held, self._dropped = most, keep_last, 0, 0
        self._pieces = 0
        self._cases: dict[str, _Case] = {}
        self._launches: list[tuple[str, int]] = [("0", 0)]
        self._default = True  # the launch "0" that nobody named and nothing was sampled in
        self._samples: dict[str, dict[str, array.array[int]]] = {}
        self._facts: dict[str, dict[str, str | int]] = {}
        self._finished = False
        self._guard("the run was not begun", self._open, folder, pipeline, stages, time, facts)

    def fact(self, section: str, key: str, value: str | int) -> None:
        """A fact that is known only now, as the temperature at the end."""
        if self.on:
            self._guard("a fact was not recorded", self._fact, section, key, value)

    def case(self, name: str) -> None:
        """The tensors that follow belong to this input."""
        if self.on:
            self._guard("a case was not recorded", self._case, name)

    def tensor(
        self, stage: str, name: str, value: Any, *, dtype: str = "", shape: list[int] | None = None, withhold: str = "",
        aggregates: bool = False,
    ) -> None:  # fmt: skip
        """A tensor of a stage. `dtype` and `shape` where the value does not know them (bfloat16, int4, bytes).

        `withhold`: "hash" keeps only the SHA-256 of the bytes, "omitted" only type and shape. `aggregates` keeps, too,
        the count, least, mean, … of the values: drift can be named without them. Of few values they tell the values.
        """
        if self.on:
            self._guard((stage, name), self._record, stage, name, value, dtype, shape, withhold, aggregates)

    def sample(self, span: str, nanoseconds: int) -> None:
        """One latency of this launch."""
        if self.on:
            self._guard("a sample was not recorded", self._sample, span, nanoseconds)

    def launch(self, name: str, warmup: int = 0) -> None:
        """The samples that follow belong to this start of the process, after `warmup` runs that were not kept."""
        if self.on:
            self._guard("a launch was not recorded", self._launch, name, warmup)

    def finish(self) -> bool:
        """Write the folder, whole or not at all; False where `error` says why not, or recording was off."""
        if self.on:
            self._guard("the run was not written", self._write)
            self._finished, self._cases, self._samples = True, {}, {}
        return self.on and not self.error

    def _guard(self, what: object, act: Callable[..., None], *arguments: Any) -> None:
        if not self.on or self.error:
            return
        try:
            if self._finished:
                raise ValueError("finish() was called before")
            act(*arguments)
        except Exception as error:  # an app's own objects may raise anything; nothing of it goes back into the app
            self.error = _told(what, error)

    def _open(self, folder: str, pipeline: str, stages: list[str], time: str, facts: dict[str, dict[str, Any]]) -> None:
        self._folder, self._pipeline, self._time = str(folder), _name(pipeline, "the pipeline"), _text(time, 2000)
        self._stages = [_name(one, "a stage") for one in stages]
        if len(set(self._stages)) != len(self._stages) or len(self._stages) > 256:
            raise ValueError("stages are at most 256, each named once")
        for section, found in facts.items():
            for key, value in found.items():
                self._fact(section, key, value)

    def _fact(self, section: str, key: str, value: str | int) -> None:
        number = isinstance(value, int) and not isinstance(value, bool) and section in ("runtime", "conditions")
        if (
            section not in _SECTIONS
            or not (isinstance(value, str) or number)
            or (number and abs(int(value)) >= 1 << 53)
        ):
            sections = ", ".join(_SECTIONS)
            raise ValueError(f"{section}.{key}: a text of {sections}; in runtime and conditions a number below 2^53")
        found = self._facts.setdefault(section, {})
        found[_text(key, 200)] = _text(value, 2000) if isinstance(value, str) else int(value)
        if len(found) > 199:
            raise ValueError(f"{section} has more than 199 facts")

    def _case(self, name: str) -> None:
        name = _name(name, "a case")
        if name == "latency" or name in self._cases:
            raise ValueError(f"the name {name!r} is taken")
        self._cases[name] = _Case()
        self._hold(256, 1)

    def _hold(self, size: int, pieces: int) -> None:
        """Count what the newest case grew by; forget the oldest cases, or refuse, where it is too much."""
        newest = next(reversed(self._cases.values()), None)
        self._held, self._pieces = self._held + size, self._pieces + pieces
        if newest:
            newest.size, newest.pieces = newest.size + size, newest.pieces + pieces
        while self._held > self._most or self._pieces > _MOST_PIECES:
            if not self._keep_last or len(self._cases) < 2:
                limit = f"{self._most} bytes; raise `most`," if self._held > self._most else f"{_MOST_PIECES} tensors;"
                raise MemoryError(f"more than {limit} or record fewer")
            oldest = self._cases.pop(next(iter(self._cases)))
            self._held, self._pieces = self._held - oldest.size, self._pieces - oldest.pieces
            self._dropped += 1

    def _launch(self, name: str, warmup: int) -> None:
        name = _name(name, "a launch")
        launches = [] if self._default else self._launches
        if any(one == name for one, _ in launches) or len(launches) >= 4096 or not 0 <= warmup < 1 << 31:
            raise ValueError(f"{name!r} is taken, or its warm-up no count, or it is one of more than 4096")
        self._launches, self._default = [*launches, (name, int(warmup))], False

    def _sample(self, span: str, nanoseconds: int) -> None:
        value = int(nanoseconds)
        if not 0 <= value < 1 << 53:
            raise ValueError(f"{value} is no count of nanoseconds")
        if span not in self._samples:
            span = _name(span, "a span")
            if span not in self._samples and len(self._samples) >= 64:
                raise ValueError("there are more than 64 spans")
        self._samples.setdefault(span, {}).setdefault(self._launches[-1][0], array.array("q")).append(value)
        self._default = False
        self._held += 8
        if self._held > self._most:
            self._hold(0, 0)

    def _record(
        self, stage: str, name: str, value: Any, dtype: str, shape: list[int] | None, withhold: str, aggregates: bool
    ) -> None:
        if not self._cases:
            raise ValueError("no case was begun")
        case, found = next(reversed(self._cases.items()))
        stage, name = _text(stage, 200), _name(name, "a tensor")
        if stage not in self._stages or (stage, name) in found.seen or len(found.seen) >= 4096:
            raise ValueError("there is no such stage, or it has this tensor, or its case more than 4096")
        if withhold not in ("", "hash", "omitted"):
            raise ValueError(f"withhold is {withhold!r}, neither 'hash' nor 'omitted'")
        data, dtype, shape, ends = _content(value, dtype, shape)
        entry = f'{{"stage":{_quoted(stage)},"name":{_quoted(name)},"dtype":"{dtype}","shape":{_list(shape)}'
        if withhold == "hash":
            entry += f',"withheld":"hash","sha256":"{hashlib.sha256(data).hexdigest()}"'
        elif withhold:
            entry += ',"withheld":"omitted"'
        kept = [] if withhold else _kept(f"{case}/{stage}/{name}", dtype, shape, data, ends)
        if aggregates:
            entry += ',"aggregates":true'
            kept += _summary(f"{case}/{stage}/{name}", dtype, shape, data, ends)
        found.seen.add((stage, name))
        found.entries.append(entry + "}")
        found.kept += kept
        self._hold(256 + len(entry.encode("utf-8")) + 1 + sum(len(one[3]) for one in kept), 1 + len(kept))

    def _write(self) -> None:
        spans = sorted(self._samples, key=lambda one: one.encode("utf-8"))
        tensors = [one for case in self._cases.values() for one in case.kept]
        for span in spans:
            for name, _ in self._launches:
                samples = self._samples[span].get(name, ())
                packed = struct.pack(f"<{len(samples)}q", *samples)
                tensors.append((f"latency/{span}/{name}", "I64", [len(samples)], packed))
        tensors.sort(key=lambda one: (-_WIDTH[one[1]], one[0].encode("utf-8")))
        header, text = _header(tensors), self._json(spans).encode("utf-8")
        for most, made in ((8 << 20, header), (16 << 20, text)):
            if len(made) > most or sum(map(made.count, (b"{", b"[", b",", b":"))) > 400_000:
                raise ValueError("a reader takes no run with as many names and shapes")
        folder = Path(self._folder)
        if folder.exists():
            raise FileExistsError(f"{folder} is there already")
        temporary = folder.with_name(f"{folder.name}.part-{os.getpid()}")
        try:
            temporary.mkdir(parents=True)
            with (temporary / "tensors.safetensors").open("wb") as file:
                file.write(header)
                for one in tensors:
                    file.write(one[3])
            (temporary / "run.json").write_bytes(text)
            temporary.rename(folder)
        finally:
            with contextlib.suppress(OSError):
                shutil.rmtree(temporary)

    def _json(self, spans: list[str]) -> str:
        parts = ['"schema":"edgecheck.golden/1"', f'"pipeline":{_quoted(self._pipeline)}']
        parts += [f'"{key}":{_facts(self._facts.get(key, {}))}' for key in _SECTIONS[:-1]]
        parts.append('"stages":[' + ",".join(map(_quoted, self._stages)) + "]")
        cases = (f'{{"name":{_quoted(name)},"tensors":[{",".join(of.entries)}]}}' for name, of in self._cases.items())
        parts.append('"cases":[' + ",".join(cases) + "]")
        launches = [f'{{"name":{_quoted(name)},"warmup":{warmup}}}' for name, warmup in self._launches]
        parts.append(
            '"latency":{"spans":[' + ",".join(map(_quoted, spans)) + '],"launches":[' + ",".join(launches) + "]}"
        )
        recorder: dict[str, str | int] = self._facts.get("recorder", {"name": "edgecheck", "version": "1"})
        dropped = {"dropped": str(self._dropped)} if self._dropped else {}
        parts.append(f'"recorder":{_facts({**recorder, **dropped})}')
        parts.append(f'"time":{_quoted(self._time)}')
        return "{" + ",".join(parts) + "}\n"


def _told(what: object, error: Exception) -> str:
    try:
        said = f"{what[0]}/{what[1]} was not recorded" if isinstance(what, tuple) else str(what)
        return f"{said}: {' '.join(str(error).split()) or type(error).__name__}"
    except Exception:  # a name or an error of the app that cannot even be shown
        return f"a tensor was not recorded: {type(error).__name__}"


class _Case:
    def __init__(self) -> None:
        self.entries: list[str] = []
        self.kept: list[tuple[str, str, list[int], bytes]] = []
        self.seen: set[tuple[str, str]] = set()
        self.size = self.pieces = 0


def _content(value: Any, dtype: str, shape: list[int] | None) -> tuple[bytes, str, list[int], list[int]]:
    """Bytes as they are stored, element type, shape; of strings, too, where each ends."""
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value) and dtype in ("", "string"):
        pieces = [_utf8(one) for one in value]
        sizes = [len(pieces)] if shape is None else _sizes(shape)
        if math.prod(sizes) != len(pieces):
            raise ValueError(f"{len(pieces)} texts for {sizes}")
        ends, at = [], 0
        for piece in pieces:
            at += len(piece)
            ends.append(at)
        return b"".join(pieces), "string", sizes, ends
    return (*_bytes(value, dtype, shape), [])


def _bytes(value: Any, dtype: str, shape: list[int] | None) -> tuple[bytes, str, list[int]]:
    """Little-endian bytes in row order, the element type and the shape."""
    if hasattr(value, "__array__") and not isinstance(value, memoryview):
        if not hasattr(value, "dtype") or not hasattr(value.dtype, "newbyteorder"):
            value = value.__array__()  # another framework's tensor
        value = value.astype(value.dtype.newbyteorder("<")) if value.dtype.byteorder == ">" else value
        if not dtype and value.dtype.name == "bfloat16":
            return value.tobytes(), "bfloat16", list(value.shape)
    view = memoryview(value)
    dtype = dtype or _KINDS.get(f"{view.format.lstrip('@=<')}{view.itemsize}", "")
    if dtype not in _STORED or dtype == "string":
        raise ValueError(f"elements of kind {view.format!r} need a dtype: {', '.join(_FORMAT)}, bfloat16, int4, uint4")
    half = dtype in ("int4", "uint4")
    if shape is None and half:
        raise ValueError(f"{dtype} needs a shape")
    data, sizes = view.tobytes(), _sizes(view.shape or () if shape is None else shape)
    count = math.prod(sizes)
    if len(data) != ((count + 1) // 2 if half else count * _WIDTH[_STORED[dtype]]):
        raise ValueError(f"{len(data)} bytes for {sizes} {dtype}")
    return data, dtype, sizes


def _kept(
    name: str, dtype: str, shape: list[int], data: bytes, ends: list[int]
) -> list[tuple[str, str, list[int], bytes]]:
    stored = [len(data)] if dtype in ("int4", "uint4", "string") else shape
    kept = [(name, _STORED[dtype], stored, data)]
    if dtype == "string":
        kept.append((name + "#offsets", "I64", [len(ends)], struct.pack(f"<{len(ends)}q", *ends)))
    return kept


def _summary(
    name: str, dtype: str, shape: list[int], data: bytes, ends: list[int]
) -> list[tuple[str, str, list[int], bytes]]:
    if dtype == "string":
        lengths = [b - a for a, b in zip([0, *ends], ends, strict=False)]
        data, dtype = struct.pack(f"<{len(lengths)}q", *lengths), "int64"
    figures, histogram = aggregated(data, dtype, math.prod(shape))
    # One NaN only: what a processor makes of inf - inf has the sign it likes.
    packed = b"".join(struct.pack("<d", one) if one == one else b"\0\0\0\0\0\0\xf8\x7f" for one in figures)
    return [
        (name + "#aggregates", "F64", [8], packed),
        (name + "#histogram", "I64", [BINS], struct.pack(f"<{BINS}q", *histogram)),
    ]


def aggregated(data: Any, dtype: str, count: int) -> tuple[list[float], list[int]]:
    """(count, NaN, infinite, zero, least, greatest, mean, deviation) and the histogram of stored values.

    In double precision, one value after the other, in two passes: every language gets the same bits. The last four are
    of the finite values; NaN where there are none, or where a double has no room for a sum.
    """
    try:
        import numpy  # noqa: F401
    except ImportError:
        return _one_by_one(data, dtype, count)
    return _by_blocks(data, dtype, count)


def _one_by_one(data: Any, dtype: str, count: int) -> tuple[list[float], list[int]]:
    nan, infinite, zeros, finite, total, squares = 0, 0, 0, 0, 0.0, 0.0
    low, high, histogram = math.inf, -math.inf, [0] * BINS
    for value in _numbers(data, dtype, count):
        nan += value != value
        infinite += math.isinf(value)
        zeros += value == 0
        if math.isfinite(value):
            finite, total, low, high = finite + 1, total + value, min(low, value), max(high, value)
    mean = total / finite if finite else math.nan
    base, width = low * 0.5, high * 0.5 - low * 0.5
    for value in _numbers(data, dtype, count):
        if math.isfinite(value):
            squares += (value - mean) * (value - mean)
            histogram[min(BINS - 1, int((value * 0.5 - base) / width * BINS)) if width > 0 else 0] += 1
    return _figures(count, nan, infinite, zeros, finite, low, high, mean, squares), histogram


def _figures(
    count: int, nan: int, infinite: int, zeros: int, finite: int, low: float, high: float, mean: float, squares: float
) -> list[float]:
    """A zero is written as +0, whatever has no value as NaN."""
    if not finite:
        low = high = mean = squares = math.nan
    deviation = math.sqrt(squares / finite) if finite and math.isfinite(squares) else math.nan
    mean = mean if math.isfinite(mean) else math.nan
    return [float(count), float(nan), float(infinite), float(zeros), low + 0.0, high + 0.0, mean, deviation]


def _numbers(data: Any, dtype: str, count: int) -> Iterator[float]:
    if dtype in ("int4", "uint4"):
        for i in range(count):
            nibble = data[i >> 1] >> 4 * (i & 1) & 15
            yield float(nibble - 16 if dtype == "int4" and nibble > 7 else nibble)
    elif dtype == "bfloat16":
        for (bits,) in struct.iter_unpack("<H", data):
            yield struct.unpack("<f", struct.pack("<I", bits << 16))[0]
    else:
        for (value,) in struct.iter_unpack("<" + _FORMAT[dtype], data):
            yield float(value)


def _by_blocks(data: Any, dtype: str, count: int) -> tuple[list[float], list[int]]:
    """As `_one_by_one`; a running sum of numpy adds one value after the other."""
    import numpy

    nan, infinite, zeros, finite, total, squares = 0, 0, 0, 0, 0.0, 0.0
    low, high, histogram = math.inf, -math.inf, numpy.zeros(BINS, numpy.int64)
    with numpy.errstate(all="ignore"):
        for block in _blocks(data, dtype, count):
            values = block[numpy.isfinite(block)]
            nan += int(numpy.isnan(block).sum())
            infinite += int(numpy.isinf(block).sum())
            zeros += int((block == 0).sum())
            if values.size:
                finite, low, high = finite + values.size, min(low, float(values.min())), max(high, float(values.max()))
                total = float(numpy.add.accumulate(numpy.concatenate([[total], values]))[-1])
        mean = total / finite if finite else math.nan
        base, width = low * 0.5, high * 0.5 - low * 0.5
        for block in _blocks(data, dtype, count):
            values = block[numpy.isfinite(block)]
            if values.size:
                spread = (values - mean) * (values - mean)
                squares = float(numpy.add.accumulate(numpy.concatenate([[squares], spread]))[-1])
                places = (values * 0.5 - base) / width * BINS if width > 0 else values * 0.0
                histogram += numpy.bincount(numpy.minimum(places.astype(numpy.int64), BINS - 1), minlength=BINS)
    return _figures(count, nan, infinite, zeros, finite, low, high, mean, squares), histogram.tolist()


def _blocks(data: Any, dtype: str, count: int) -> Iterator[Any]:
    import numpy

    size = 1 << 16
    if dtype in ("int4", "uint4"):
        raw = numpy.frombuffer(data, numpy.uint8)
        for at in range(0, count, size):
            pairs = raw[at // 2 : (at + size) // 2]
            both = numpy.stack([pairs & 15, pairs >> 4], axis=-1).reshape(-1)[: count - at].astype(numpy.float64)
            yield numpy.where(both > 7, both - 16, both) if dtype == "int4" else both
        return
    kind = "u2" if dtype == "bfloat16" else "u1" if dtype == "bool" else _FORMAT[dtype]
    raw = numpy.frombuffer(data, "<" + kind, count)
    for at in range(0, count, size):
        block = raw[at : at + size]
        if dtype == "bfloat16":
            block = (block.astype(numpy.uint32) << 16).view(numpy.float32)
        yield (block != 0 if dtype == "bool" else block).astype(numpy.float64)


def _header(tensors: list[tuple[str, str, list[int], bytes]]) -> bytes:
    parts, at = [], 0
    for name, dtype, shape, data in tensors:
        parts.append(
            f'{_quoted(name)}:{{"dtype":"{dtype}","shape":{_list(shape)},"data_offsets":[{at},{at + len(data)}]}}'
        )
        at += len(data)
    text = ("{" + ",".join(parts) + "}").encode("utf-8")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _facts(facts: dict[str, Any]) -> str:
    made = sorted((_utf8(key), value) for key, value in facts.items())
    return "{" + ",".join(f"{_quoted(k.decode())}:{v if isinstance(v, int) else _quoted(v)}" for k, v in made) + "}"


def _sizes(shape: Any) -> list[int]:
    sizes = [int(one) for one in shape]
    if len(sizes) > 32 or any(not 0 <= one < 1 << 53 for one in sizes) or math.prod(sizes) >= 1 << 53:
        raise ValueError(f"{str(sizes)[:60]} is no shape of at most 32 sizes")
    return sizes


def _list(sizes: list[int]) -> str:
    return "[" + ",".join(map(str, sizes)) + "]"


def _name(name: Any, what: str) -> str:
    text = _text(name, 200)
    if (
        not text
        or text in (".", "..")
        or text[0] == " "
        or text[-1] == " "
        or any(c < " " or c in "/\\#" for c in text)
    ):
        raise ValueError(f"{text[:60]!r} is no name for {what}: no slash, no '#', no space at its ends")
    return text


def _text(text: Any, most: int) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{str(text)[:60]!r} is no text")
    found = _utf8(text).decode("utf-8")
    if len(found) > most:
        raise ValueError(f"{found[:60]!r}… has more than {most} signs")
    return found


def _utf8(text: str) -> bytes:
    """UTF-8; half a pair of UTF-16 that stands alone becomes U+FFFD."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quoted(text: str) -> str:
    text = _utf8(text).decode("utf-8")
    return '"' + "".join(_SHORT.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 32 else c) for c in text) + '"'
