"""Type rules of sequences and optionals, and of the quantised operators whose result has a type of its own."""

from __future__ import annotations

from edgecheck.model.formats.onnx_messages import DTYPES
from edgecheck.model.formats.onnx_shapes import Call, rule


@rule("SequenceConstruct", "SplitToSequence")
def to_sequence(c: Call) -> None:
    if c.dtype(0):
        c.put(0, dtype=f"sequence({c.dtype(0)})")


@rule("SequenceInsert", "SequenceErase")
def same_sequence(c: Call) -> None:
    c.put(0, dtype=c.dtype(0))


@rule("SequenceAt", "ConcatFromSequence")
def from_sequence(c: Call) -> None:
    dtype = c.dtype(0) or ""
    if dtype.startswith("sequence("):
        c.put(0, dtype=dtype[len("sequence(") : -1])


@rule("SequenceEmpty")
def empty_sequence(c: Call) -> None:
    c.put(0, dtype=f"sequence({DTYPES.get(c.attr_int('dtype', 1))})")


@rule("OptionalHasElement")
def has_element(c: Call) -> None:
    c.put(0, dtype="bool", shape=())


@rule("SequenceLength")
def sequence_length(c: Call) -> None:
    c.put(0, dtype="int64", shape=())


@rule("Optional")
def optional(c: Call) -> None:
    held = c.dtype(0) if c.has(0) else c.attrs.get("type")
    if held:
        c.put(0, dtype=f"optional({held})")


@rule("OptionalGetElement")
def optional_element(c: Call) -> None:
    dtype = c.dtype(0) or ""
    if dtype.startswith("optional("):
        c.put(0, dtype=dtype[len("optional(") : -1])
    elif dtype:
        c.put(0, dtype=dtype, shape=c.shape(0))


@rule("com.microsoft::MatMulInteger16", "com.microsoft::MulInteger")
def integers(c: Call) -> None:
    c.put(0, dtype="int32")


@rule("com.microsoft::QGemm")
def quantized_gemm(c: Call) -> None:
    c.put(0, dtype=c.dtype(8) if c.has(8) else "float32")
