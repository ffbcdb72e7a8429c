"""The random choices that probes are made of, and the register of their makers."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

QUANTIZED = ("int8", "int16", "uint8")
ALL_TYPES = (
    "int8",
    "int16",
    "uint8",
    "float32",
    "int32",
    "int64",
    "bool",
    "float16",
    "uint32",
    "uint16",
    "int4",
    "float64",
)
FAF = ("NONE", "NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1", "TANH", "SIGN_BIT")

Json = dict[str, Any]
BASES: dict[str, Callable[[Dice], Json]] = {}


class Dice(random.Random):
    """The random choices probes are made of."""

    kind: str = "int8"

    def dtype(self) -> str:
        return self.choices(("int8", "int16", "uint8", "float32", "int32", "int64", "bool"), (48, 16, 7, 18, 6, 3, 2))[
            0
        ]

    def quantization(self, dtype: str) -> Any:
        if dtype == "int8":
            return [self.choice((0.5, 0.25, 0.0078125, 0.1, 0.023)), self.choice((0, 0, -128, 3, 127, -5))]
        if dtype == "uint8":
            return [self.choice((0.5, 0.25, 0.00390625)), self.choice((0, 128, 3, 255))]
        if dtype == "int16":
            return [self.choice((0.5, 0.001, 3.0517578125e-05)), 0]
        if dtype in ("int32", "int64") and self.random() < 0.2:
            return [0.1, 0]
        return None

    def tensor(self, dtype: str, shape: list[int], **more: Any) -> Json:
        one: Json = {"t": dtype, "s": list(shape), **more}
        q = more.get("q", self.quantization(dtype))
        if q is not None:
            one["q"] = q
        return {k: v for k, v in one.items() if v is not None}

    def const(self, dtype: str, shape: list[int], values: Any = None, **more: Any) -> Json:
        low = 0 if dtype in ("bool", "uint8") else -3
        c = values if values is not None else {"r": self.randrange(1000), "lo": low, "hi": 2 if dtype == "bool" else 4}
        return self.tensor(dtype, shape, c=c, **more)

    def numbers(self, values: list[int], dtype: str = "int32", shape: list[int] | None = None) -> Json:
        return {"t": dtype, "s": [len(values)] if shape is None else shape, "c": values}

    def dim(self) -> int:
        return self.choices((1, 2, 3, 4, 5, 7, 8, 12, 16, 31, 64), (12, 12, 9, 12, 7, 6, 14, 8, 10, 3, 3))[0]

    def shape(self, low: int = 1, high: int = 4) -> list[int]:
        rank = self.choices(range(low, high + 1), [1 + 3 * (r in (2, 3)) + 6 * (r == 4) for r in range(low, high + 1)])[
            0
        ]
        shape = [self.dim() for _ in range(rank)]
        if rank > 1 and self.random() < 0.75:
            shape[0] = 1
        return shape

    def image(self) -> list[int]:
        batch = 1 if self.random() < 0.9 else 2
        h, w = self.choice((1, 2, 4, 5, 8, 9, 16)), self.choice((1, 2, 4, 5, 8, 9, 12, 16))
        return [batch, h, w, self.choice((1, 2, 3, 4, 8, 16))]

    def broadcastable(self, shape: list[int]) -> list[int]:
        how = self.random()
        if how < 0.4:
            return list(shape)
        if how < 0.6:
            return [d if self.random() < 0.6 else 1 for d in shape]
        if how < 0.75:
            return shape[self.randrange(len(shape)) :] if shape else []
        return [1] if how < 0.9 else []

    def axis(self, rank: int) -> int:
        return self.randrange(-rank, rank) if rank else 0


def base(*names: str) -> Callable[[Callable[..., Json]], Callable[..., Json]]:
    """Register the maker of a valid description for each operator."""

    def register(maker: Callable[..., Json]) -> Callable[..., Json]:
        for name in names:
            BASES[name] = (
                (lambda d, name=name: {"op": name, **maker(d, name)})
                if maker.__code__.co_argcount > 1
                else (lambda d, name=name: {"op": name, **maker(d)})
            )
        return maker

    return register


def _out(size: int, kernel: int, stride: int, padding: str, dilation: int = 1) -> int:
    effective = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == "SAME" else max(-(-(size - effective + 1) // stride), 0)


def _window(d: Dice) -> tuple[str, int, int, int, int]:
    """padding, kernel h and w, stride h and w"""
    big = d.random() < 0.12
    sizes = (1, 2, 3, 4, 5, 8, 9, 16) if big else (1, 1, 2, 3, 3, 5)
    return (
        d.choice(("SAME", "VALID")),
        d.choice(sizes),
        d.choice(sizes),
        d.choice((1, 1, 2, 2, 3, 4, 6)),
        d.choice((1, 1, 2, 2, 3, 4, 6)),
    )


def _weights(d: Dice, dtype: str, shape: list[int], axis: int, channels: int) -> Json:
    kind = {"int8": "int8", "int16": "int8", "uint8": "uint8"}.get(dtype, "float32")
    if kind == "int8" and d.random() < 0.6:
        q: Any = {"s": [0.01] * channels, "z": [0] * channels, "d": axis}
    else:
        q = [0.01, 128 if kind == "uint8" else 0] if kind != "float32" else None
    if dtype == "float32" and d.random() < 0.1:
        kind, q = "int8", [0.01, 0]  # hybrid
    if kind == "int8" and d.random() < 0.08:
        kind = "int4"
    return d.const(kind, shape, q=q) if q else d.const(kind, shape)


def _bias(d: Dice, dtype: str, channels: int) -> list[Any]:
    how = d.random()
    if how < 0.12:
        return [None] if how < 0.06 else []
    kind = {"float32": "float32", "int16": d.choice(("int64", "int64", "int32"))}.get(dtype, "int32")
    q = None if kind == "float32" else [0.0001, 0]
    return [d.const(kind, [channels], q=q) if q else d.const(kind, [channels])]
