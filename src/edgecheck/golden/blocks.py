"""The values of a recorded tensor in blocks, read and not mapped: the memory stays small, however large it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgecheck.golden import GoldenRun, Recorded
from edgecheck.golden.measure import BLOCK

if TYPE_CHECKING:
    import numpy

_ONLY_WHOLE = frozenset({"string", "int4", "uint4", "bfloat16"})  # not stored as numpy has them


def blocks(run: GoldenRun, case: str, tensor: Recorded) -> Iterator[numpy.ndarray]:
    """Flat arrays of at most `BLOCK` elements, in order."""
    import numpy

    if tensor.dtype in _ONLY_WHOLE:
        values = run.values(case, tensor).reshape(-1)
        for at in range(0, values.size, BLOCK):
            yield values[at : at + BLOCK]
        return
    kind = numpy.dtype(tensor.dtype).newbyteorder("<")
    place = run.data.place(f"{case}/{tensor.stage}/{tensor.name}")
    with run.data.path.open("rb", buffering=0) as file:
        file.seek(run.data.start + place.start)
        left = place.end - place.start
        while left:
            data = file.read(min(left, BLOCK * kind.itemsize))
            if not data:
                return
            left -= len(data)
            yield numpy.frombuffer(data, kind)
