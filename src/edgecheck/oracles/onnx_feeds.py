"""Plausible values for the free inputs of a one-operator ONNX model, so that an oracle can execute it.

A dynamic size becomes 2. Small random numbers; indices and starts 0, ends and sizes 1, axes the last. An operator that
refuses its *values* on the CPU too says nothing of its support: whoever executes with these asks the CPU first.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.model.graph import Model, Tensor

if TYPE_CHECKING:
    import numpy

#: What a CPU kernel refuses in every run, whatever the values: types, ranks and attributes that its constructor does
#: not look at.
EVERY_RUN = re.compile(
    r"NOT_IMPLEMENTED|does not support double|not implemented for CPU"
    r"|Dilation not supported for AutoPadType|Unsupported pooling size|Unsupported kernel dimension"
    r"|Only support GridSample Cubic mode|lrn\.cc.*NumDimensions\(\) == 4|fmod attribute must be true for floating"
    r"|data type is not supported with Scatter"
    r"|past_key provided and present_key being null|Resize node.*IsPrimitiveDataType<T>\(dtype_\) was false"
)
#: What it refuses for sizes, which are those of every run where the model's are known and no input holds sizes.
_EVERY_SIZE = re.compile(
    r"MatmulInteger : input1 zero point must be|conv_integer\.cc|ConvInteger::Compute|mode only supports"
    r"|total_sequence_length \(between attn_mask and|is not defined for empty set with bool type"
    r"|Explicit output_shape is inconsistent with input spatial"
)
#: What it refuses for the sizes behind batch and channels, whatever these two are.
_EVERY_SPACE = re.compile(r"padding values must be non-negative")

DYNAMIC, OTHER = 2, 4  # the size that stands for one that is not known, and another to try
LARGEST = 1 << 24  # elements; an input beyond is not made

#: Formal names of inputs whose values mean something.
_MEANING = {
    "indices": 0, "starts": 0, "start": 0, "axes": -1, "axis": 0, "ends": 1, "limit": 4, "delta": 1, "steps": 1,
    "step": 1, "k": 1, "K": 1, "repeats": 1, "pads": 0, "depth": 4, "sizes": 4, "size": 4, "split": 1, "shape": 1,
    "sequence_lens": 1, "batch_indices": 0, "position": 0, "position_ids": 0, "seqlens_k": 0,
    "total_sequence_length": 1,
    "input_ids": 0, "dft_length": 4, "frame_step": 1, "M": 1, "max_output_boxes_per_class": 1, "cond": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value for the graph input `name`; `array` is a numpy array (bool, int, float, or texts)."""

    name: str
    dtype: str
    array: numpy.ndarray


def values(model: Model, size: int = DYNAMIC) -> list[Value] | None:
    """One for each input of the first graph; None where a type cannot be made (bfloat16, sequences, a huge tensor).

    `size` stands for each that is open.
    """
    meaning = dict(_meanings(model))
    made = [_value(tensor, meaning.get(tensor.name), size) for tensor in model.graphs[0].inputs]
    return None if any(one is None for one in made) else [one for one in made if one is not None]


def open_sizes(model: Model) -> bool:
    """Whether an input of the first graph has a size that is not known."""
    return any(tensor.shape is not None and None in tensor.shape for tensor in model.graphs[0].inputs)


def refused_in_every_run(model: Model, told: str) -> bool:
    """Whether what a run of the one-operator model was told is so whatever the values of its inputs."""
    if EVERY_RUN.search(told):
        return True
    read = (
        (t, name) for node in model.graphs[0].nodes for t, name in zip(node.inputs, node.input_names) if t is not None
    )
    free = any(name in ("scales", "sizes") and not t.const for t, name in read)
    shapes = [t.shape if t.shape is not None else (None,) * 3 for t in model.graphs[0].inputs]
    if _EVERY_SPACE.search(told):
        return not free and all(None not in shape[2:] for shape in shapes)
    return bool(_EVERY_SIZE.search(told)) and not free and all(None not in shape for shape in shapes)


def _meanings(model: Model) -> Iterator[tuple[str, int]]:
    """What integer stands in an input, by the formal name under which a node of the first graph reads it."""
    for node in model.graphs[0].nodes:
        for tensor, formal in zip(node.inputs, node.input_names):
            if tensor is not None and formal in _MEANING:
                yield tensor.name, _MEANING[formal]


def _value(tensor: Tensor, meaning: int | None, open: int) -> Value | None:
    import numpy

    dtype = tensor.dtype or ""
    dims = [open if size is None else size for size in tensor.shape or ()]
    if numpy.prod(dims, dtype=float) > LARGEST:
        return None
    dice = numpy.random.RandomState(zlib.crc32(tensor.name.encode()))
    if dtype == "string":
        return Value(name=tensor.name, dtype=dtype, array=numpy.full(dims, "a", object))
    if dtype == "bool":
        array = dice.randint(0, 2, dims).astype(bool) if meaning is None else numpy.ones(dims, bool)
    elif dtype in ("float16", "float32", "float64"):
        array = numpy.asarray(dice.uniform(0.1, 0.9, dims) if meaning is None else numpy.full(dims, meaning), dtype)
    elif dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        number = dice.randint(1, 5, dims) if meaning is None else numpy.full(dims, meaning)
        array = numpy.asarray(abs(number) if dtype.startswith("u") else number, dtype)
    else:
        return None
    return Value(name=tensor.name, dtype=dtype, array=numpy.ascontiguousarray(array).reshape(dims))
