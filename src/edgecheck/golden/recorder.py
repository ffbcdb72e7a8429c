"""Records a golden run from a Python app: one file, no dependency; copy it into the app or import it from edgecheck.

    recorder = Recorder("run-1", "face", ["decode", "preprocess", "model", "postprocess"], device={"model": "Pixel 8"})
    recorder.case("img_001")
    recorder.tensor("decode", "image", array)           # numpy, array.array, memoryview, bytes; or a list of str
    recorder.sample("end_to_end", 12_345_678)           # nanoseconds
    recorder.finish()

It never raises into the app: what went wrong stands in `error`, and then nothing is written. Switched off, a call
returns at once. Tensors are copied when they are recorded; beyond `most` bytes recording stops, with `error` set.
The format is docs/golden-run.md; recorders in other languages write the same bytes for the same calls.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import struct
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
_KINDS = {
    "?": "bool", "b": "int8", "B": "uint8", "c": "uint8", "h": "int16", "H": "uint16", "i": "int32", "I": "uint32",
    "l": "int64", "L": "uint64", "q": "int64", "Q": "uint64", "e": "float16", "f": "float32", "d": "float64",
}  # fmt: skip


class Recorder:
    """One run of one pipeline. See the module."""

    def __init__(
        self, folder: str, pipeline: str, stages: list[str], *, on: bool = True, most: int = 256 << 20, time: str = "",
        **facts: dict[str, Any],
    ) -> None:  # fmt: skip
        """`facts`: model, wrapper, device, runtime, conditions: texts, and whole numbers for the last two."""
        self.on, self.error = on, ""
        self._folder, self._pipeline, self._stages, self._time = str(folder), pipeline, list(stages), time
        self._facts, self._most, self._held = facts, most, 0
        self._cases: list[tuple[str, list[str]]] = []
        self._tensors: list[tuple[str, str, list[int], bytes]] = []
        self._launches = [("0", 0)]
        self._named = False
        self._samples: dict[tuple[str, str], list[int]] = {}

    def case(self, name: str) -> None:
        """The tensors that follow belong to this input."""
        if self.on and not self.error:
            self._cases.append((name, []))

    def tensor(
        self, stage: str, name: str, value: Any, *, dtype: str = "", shape: list[int] | None = None, withhold: str = ""
    ) -> None:
        """A tensor of a stage. `dtype` and `shape` where the value does not know them (bfloat16, int4, bytes).

        `withhold`: "hash" keeps only the SHA-256 of the bytes, "omitted" only type and shape.
        """
        if not self.on or self.error:
            return
        try:
            self._record(stage, name, value, dtype, shape, withhold)
        except (TypeError, ValueError, BufferError, MemoryError, IndexError, AttributeError) as error:
            self.error = f"{stage}/{name} was not recorded: {error}"

    def sample(self, span: str, nanoseconds: int) -> None:
        """One latency of this launch."""
        if self.on and not self.error:
            self._samples.setdefault((span, self._launches[-1][0]), []).append(int(nanoseconds))

    def launch(self, name: str, warmup: int = 0) -> None:
        """The samples that follow belong to this start of the process, after `warmup` runs that were not kept."""
        if self.on and not self.error:
            self._launches = [*(self._launches if self._named else ()), (name, int(warmup))]
            self._named = True

    def finish(self) -> bool:
        """Write the folder, whole or not at all; False where `error` says why not."""
        if not self.on:
            return False
        if not self.error:
            try:
                self._write()
            except (OSError, ValueError, TypeError) as error:
                self.error = f"{self._folder} was not written: {error}"
        return not self.error

    def _record(self, stage: str, name: str, value: Any, dtype: str, shape: list[int] | None, withhold: str) -> None:
        if not self._cases:
            raise ValueError("no case was begun")
        case, declared = self._cases[-1]
        full = f"{case}/{stage}/{name}"
        if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value) and dtype in ("", "string"):
            pieces = [one.encode("utf-8") for one in value]
            data, dtype, shape = b"".join(pieces), "string", [len(pieces)] if shape is None else list(shape)
            ends, at = [], 0
            for piece in pieces:
                at += len(piece)
                ends.append(at)
        else:
            data, dtype, shape = _bytes(value, dtype, shape)
            ends = []
        entry = f'{{"stage":{_quoted(stage)},"name":{_quoted(name)},"dtype":"{dtype}","shape":{_list(shape)}'
        if withhold == "hash":
            entry += f',"withheld":"hash","sha256":"{hashlib.sha256(data).hexdigest()}"'
        elif withhold:
            entry += f',"withheld":{_quoted(withhold)}'
        declared.append(entry + "}")
        if withhold:
            return
        self._held += len(data)
        if self._held > self._most:
            raise MemoryError(f"more than {self._most} bytes; raise `most`, or record fewer tensors")
        stored = [len(data)] if _STORED[dtype] == "U8" and dtype != "uint8" else shape
        self._tensors.append((full, _STORED[dtype], stored, data))
        if dtype == "string":
            self._tensors.append((full + "#offsets", "I64", [len(ends)], struct.pack(f"<{len(ends)}q", *ends)))

    def _write(self) -> None:
        spans = sorted({span for span, _ in self._samples}, key=lambda one: one.encode("utf-8"))
        tensors = list(self._tensors)
        for span in spans:
            for name, _ in self._launches:
                samples = self._samples.get((span, name), [])
                packed = struct.pack(f"<{len(samples)}q", *samples)
                tensors.append((f"latency/{span}/{name}", "I64", [len(samples)], packed))
        tensors.sort(key=lambda one: (-_WIDTH[one[1]], one[0].encode("utf-8")))
        folder = Path(self._folder)
        temporary = folder.with_name(f"{folder.name}.part-{os.getpid()}")
        try:
            temporary.mkdir(parents=True)
            with (temporary / "tensors.safetensors").open("wb") as file:
                file.write(_header(tensors))
                for one in tensors:
                    file.write(one[3])
            (temporary / "run.json").write_bytes(self._json(spans).encode("utf-8"))
            temporary.rename(folder)
        finally:
            with contextlib.suppress(OSError):
                shutil.rmtree(temporary)

    def _json(self, spans: list[str]) -> str:
        parts = ['"schema":"edgecheck.golden/1"', f'"pipeline":{_quoted(self._pipeline)}']
        parts += [
            f'"{key}":{_facts(self._facts.get(key, {}))}'
            for key in ("model", "wrapper", "device", "runtime", "conditions")
        ]
        parts.append('"stages":[' + ",".join(map(_quoted, self._stages)) + "]")
        cases = [f'{{"name":{_quoted(name)},"tensors":[{",".join(found)}]}}' for name, found in self._cases]
        parts.append('"cases":[' + ",".join(cases) + "]")
        launches = [f'{{"name":{_quoted(name)},"warmup":{warmup}}}' for name, warmup in self._launches]
        parts.append(
            '"latency":{"spans":[' + ",".join(map(_quoted, spans)) + '],"launches":[' + ",".join(launches) + "]}"
        )
        parts.append(f'"recorder":{_facts(self._facts.get("recorder", {"name": "edgecheck", "version": "1"}))}')
        parts.append(f'"time":{_quoted(self._time)}')
        return "{" + ",".join(parts) + "}\n"


def _bytes(value: Any, dtype: str, shape: list[int] | None) -> tuple[bytes, str, list[int]]:
    """Little-endian bytes in row order, the element type and the shape."""
    if hasattr(value, "__array__") and not isinstance(value, memoryview):
        order = getattr(value.dtype, "byteorder", "=")
        value = value.astype(value.dtype.newbyteorder("<")) if order == ">" else value
        if not dtype and value.dtype.name == "bfloat16":
            return value.tobytes(), "bfloat16", list(value.shape)
    view = memoryview(value)
    kind = view.format.lstrip("@=<")
    if not dtype:
        if kind not in _KINDS or (kind in "lL" and view.itemsize != 8):
            raise ValueError(f"elements of kind {view.format!r} need a dtype")
        dtype = _KINDS[kind]
    if dtype not in _STORED or dtype == "string":
        raise ValueError(f"there is no dtype {dtype!r}")
    data = view.tobytes()
    shape = list(view.shape or ()) if shape is None and dtype not in ("int4", "uint4") else list(shape or [])
    count = 1
    for size in shape:
        count *= size
    need = (count + 1) // 2 if dtype in ("int4", "uint4") else count * _WIDTH[_STORED[dtype]]
    if len(data) != need:
        raise ValueError(f"{len(data)} bytes for {shape} {dtype}")
    return data, dtype, shape


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
    keys = sorted(facts, key=lambda one: one.encode("utf-8"))
    return (
        "{"
        + ",".join(f"{_quoted(k)}:{int(facts[k]) if isinstance(facts[k], int) else _quoted(facts[k])}" for k in keys)
        + "}"
    )


def _list(sizes: list[int]) -> str:
    return "[" + ",".join(str(int(one)) for one in sizes) + "]"


_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quoted(text: str) -> str:
    return '"' + "".join(_SHORT.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 32 else c) for c in text) + '"'
