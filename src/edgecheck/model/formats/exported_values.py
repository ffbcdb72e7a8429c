"""What stands in the JSON of a program of torch.export: tensors, their sizes and types, and arguments as plain values.

Source: torch/_export/serde/schema.py, schema version 8. Everything is checked for its type before it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecheck.errors import FormatError
from edgecheck.model.formats.mapped import RawData
from edgecheck.model.graph import DTYPE_BITS, Data, Shape, Tensor

if TYPE_CHECKING:
    import numpy

#: torch's ScalarType as export numbers it.
DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16",
    29: "float8e4m3fn", 30: "float8e5m2", 31: "float8e4m3fnuz", 32: "float8e5m2fnuz", 33: "float8e8m0",
    34: "uint32", 35: "uint64",
}  # fmt: skip
_MEMORY_FORMATS = {1: "contiguous", 2: "channels_last", 3: "channels_last_3d", 4: "preserve"}
_LAYOUTS = {1: "sparse_coo", 2: "sparse_csr", 3: "sparse_csc", 4: "sparse_bsr", 5: "sparse_bsc", 7: "strided"}
_MOST_DIMENSIONS = 64


def mapping(value: Any, what: str) -> dict[str, Any]:
    """`value`, if it is a JSON object; else FormatError that names `what`."""
    if not isinstance(value, dict):
        raise FormatError(f"{what} is a {type(value).__name__}, not an object")
    return value


def listing(value: Any, what: str) -> list[Any]:
    """`value`, if it is a JSON list."""
    if not isinstance(value, list):
        raise FormatError(f"{what} is a {type(value).__name__}, not a list")
    return value


def text(value: Any, what: str) -> str:
    """`value`, if it is a string."""
    if not isinstance(value, str):
        raise FormatError(f"{what} is a {type(value).__name__}, not a string")
    return value


def whole(value: Any, what: str) -> int:
    """`value`, if it is a whole number of 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or not -(1 << 63) <= value < 1 << 64:
        raise FormatError(f"{what} is {str(value)[:40]!r}, not a whole number")
    return value


def one(value: Any, what: str) -> tuple[str, Any]:
    """The only entry of a union: (its name, its value)."""
    entries = mapping(value, what)
    if len(entries) != 1:
        raise FormatError(f"{what} has {len(entries)} entries where one is expected")
    return next(iter(entries.items()))


def named(value: Any, what: str) -> str:
    """The `name` of a tensor argument."""
    return text(mapping(value, what).get("name"), f"the name in {what}")


@dataclass(frozen=True, slots=True, eq=False)
class StridedData:
    """A constant whose elements do not lie one behind the other: the bytes of its storage and the way through them."""

    storage: memoryview
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements
    start: int  # in elements

    @property
    def nbytes(self) -> int:
        return len(self.storage)

    def array(self) -> numpy.ndarray:
        """The values in `shape`. Raises FormatError where the way leads out of the storage."""
        import numpy as np

        width = DTYPE_BITS[self.dtype] // 8
        whole_storage = RawData(self.storage, 0, len(self.storage), self.dtype, (len(self.storage) // width,)).array()
        last = self.start + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
        if 0 in self.shape:
            return np.empty(self.shape, whole_storage.dtype)
        if self.start < 0 or min(self.strides, default=0) < 0 or last >= len(whole_storage):
            raise FormatError(f"a constant of shape {list(self.shape)} leads out of its {len(self.storage):,} bytes")
        steps = tuple(step * whole_storage.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(whole_storage[self.start :], self.shape, steps, writeable=False)


@dataclass(frozen=True, slots=True, eq=False)
class AbsentData:
    """A constant that is not in the file in a form that is read, and why."""

    why: str
    nbytes: int = 0

    def array(self) -> numpy.ndarray:
        raise FormatError(self.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """A tensor's type and sizes. `strides` and `start` in elements; None: not known, or dynamic."""

    dtype: str | None
    shape: Shape
    strides: Shape
    start: int


def meta(value: Any, what: str) -> Meta:
    """The type and sizes of a `TensorMeta`; raises FormatError where they are no sizes."""
    entry = mapping(value, what)
    sizes = tuple(size(part, what) for part in listing(entry.get("sizes"), f"the sizes of {what}"))
    strides = tuple(size(part, what) for part in listing(entry.get("strides", []), f"the strides of {what}"))
    if len(sizes) > _MOST_DIMENSIONS:
        raise FormatError(f"{what} has {len(sizes)} dimensions")
    start = size(entry.get("storage_offset", {"as_int": 0}), what) or 0
    return Meta(
        dtype=DTYPES.get(whole(entry.get("dtype"), f"the dtype of {what}")), shape=sizes, strides=strides, start=start
    )


def size(value: Any, what: str) -> int | None:
    """A SymInt: its number; None for an expression."""
    kind, inner = one(value, f"a size of {what}")
    if kind != "as_int":
        return None
    number = whole(inner, f"a size of {what}")
    if number < 0:
        raise FormatError(f"{what} has a size of {number}")
    return number


def constant(found: Meta, buffer: memoryview, place: tuple[int, int]) -> Data:
    """The values that lie at `place` (first byte, size), as `found` lays them out."""
    start, nbytes = place
    if found.dtype is None or found.dtype not in DTYPE_BITS or None in found.shape:
        return AbsentData(f"the values of a constant of type {found.dtype} cannot be read")
    shape = tuple(dim for dim in found.shape if dim is not None)
    width = DTYPE_BITS[found.dtype] // 8
    if _dense(shape, found.strides) and width:
        return RawData(buffer, start + found.start * width, max(nbytes - found.start * width, 0), found.dtype, shape)
    if len(found.strides) != len(shape) or None in found.strides or not width:
        return AbsentData("a constant whose strides are not known")
    strides = tuple(step for step in found.strides if step is not None)
    return StridedData(buffer[start : start + nbytes], found.dtype, shape, strides, found.start)


def _dense(shape: tuple[int, ...], strides: Shape) -> bool:
    expected = 1
    for dim, step in zip(reversed(shape), reversed(strides), strict=False):
        if dim not in (0, 1) and step != expected:
            return False
        expected *= dim
    return True


def plain(kind: str, value: Any, what: str) -> Any:
    """An argument that is no tensor and no graph: a number, a string, a tuple; None where it is symbolic."""
    match kind:
        case "as_none":
            return None
        case "as_scalar_type":
            return DTYPES.get(whole(value, what))
        case "as_memory_format":
            return _MEMORY_FORMATS.get(whole(value, what))
        case "as_layout":
            return _LAYOUTS.get(whole(value, what))
        case "as_sym_int" | "as_sym_float" | "as_sym_bool":
            inner, known = one(value, what)
            return None if inner == "as_name" else _scalar(known)
        case "as_sym_ints" | "as_sym_floats" | "as_sym_bools":
            return tuple(plain("as_sym_int", part, what) for part in listing(value, what))
        case "as_ints" | "as_floats" | "as_bools" | "as_strings":
            return tuple(_scalar(part) for part in listing(value, what))
        case "as_int_lists" | "as_float_lists":
            return tuple(tuple(_scalar(part) for part in listing(inner, what)) for inner in listing(value, what))
        case "as_device":
            return text(mapping(value, what).get("type", ""), what)
        case _:
            return _scalar(value)


def _scalar(value: Any) -> Any:
    """A number, a string or None; a float that JSON has no number for stands there as a word."""
    if value in ("Infinity", "-Infinity", "NaN"):
        return float(value)
    return value if isinstance(value, (bool, int, float, str)) else None


def tensor(name: str, metas: Mapping[str, Any]) -> Tensor:
    """The tensor of that name; its type and sizes are unknown where the graph does not list it."""
    if name not in metas:
        return Tensor(name=name, dtype=None, shape=None)
    found = meta(metas[name], f"tensor '{name[:80]}'")
    return Tensor(name=name, dtype=found.dtype, shape=found.shape)
