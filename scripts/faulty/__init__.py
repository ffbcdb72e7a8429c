"""Faults that wrapper code has, put into the device's side of the pipelines of golden/, to be found by `edgecheck compare`.

Each file has the faults of one pipeline: what the device does otherwise at a stage, with parameters drawn at random,
and the causes that name it. A fault is made of independent code (Pillow, OpenCV, plain numpy), never of the search's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Outputs = Mapping[str, Any]
#: What the device's stage gives, from its input and from what the correct stage would have given.
Faulty = Callable[[Mapping[str, Any], Outputs], Outputs]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`make(rng)` draws parameters: what it does in words, and the stage. `memory`: how a stage's state is kept otherwise."""

    name: str
    stage: str
    causes: tuple[str, ...]  # ids, any of which is right
    make: Callable[[Any], tuple[str, Faulty]] | None = None
    memory: str = ""


def fixed(say: str, change: Faulty) -> Callable[[Any], tuple[str, Faulty]]:
    """A fault without parameters."""
    return lambda rng: (say, change)


@dataclass(frozen=True)
class Otherwise:
    """A stage made by `maker(inputs, **options)`: two of one maker can be put together."""

    maker: Callable[..., Outputs]
    options: Mapping[str, Any]

    def __call__(self, inputs: Mapping[str, Any], right: Outputs) -> Outputs:
        return self.maker(inputs, **self.options)


def both(one: Faulty, other: Faulty) -> Faulty:
    """Two faults of one stage at once."""
    if isinstance(one, Otherwise) and isinstance(other, Otherwise) and one.maker is other.maker:
        options = {**one.options, **other.options}
        if "before" in one.options and "before" in other.options:  # two changes of the input follow each other
            options["before"] = lambda value: other.options["before"](one.options["before"](value))
        return Otherwise(one.maker, options)
    first, second = (other, one) if isinstance(other, Otherwise) else (one, other)
    return lambda inputs, right: second(inputs, first(inputs, right))


def together(one: Fault, other: Fault) -> bool:
    """Both can act: of two that make one stage anew, neither would be left of the other but for different options."""
    import numpy as np

    if one.stage != other.stage:
        return True
    if one.make is None or other.make is None:
        return False
    first, second = (fault.make(np.random.default_rng(0))[1] for fault in (one, other) if fault.make)
    if not (isinstance(first, Otherwise) and isinstance(second, Otherwise)):
        return True
    return first.maker is second.maker and not first.options.keys() & second.options.keys()


def softmax(x: Any) -> Any:
    import numpy as np

    e = np.exp(x - x.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype(x.dtype)


def sigmoid(x: Any) -> Any:
    import numpy as np

    return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(x.dtype)


def half(x: Any) -> Any:
    import numpy as np

    return x.astype(np.float16).astype(np.float32)
