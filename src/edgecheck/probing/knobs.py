"""What of a described probe can be turned, guided by what a limit reads: sizes, types, attributes, constants, scales.

A `Knob` gives a changed copy of a description for a value. An integer knob has an order, so that the value at which
a limit flips can be found by halving.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgecheck.model.graph import DTYPE_BITS
from edgecheck.tables.phrases import Tree

Spec = dict[str, Any]
_TYPES = ("float32", "int8", "int32", "float16", "int64", "uint8", "int16", "bool")
_RARE = ("int4", "uint16", "uint32", "float64", "bfloat16", "complex64", "uint64")  # where a limit takes all of _TYPES
#: TensorProto.DataType of onnx.proto.
_ONNX_TYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10,
    "float64": 11, "uint32": 12, "uint64": 13, "complex64": 14, "complex128": 15, "bfloat16": 16, "float8e4m3fn": 17,
    "float8e5m2": 19, "uint4": 21, "int4": 22, "float4e2m1": 23,
}  # fmt: skip
_SIZES = frozenset({"shape", "rank", "size", "nbytes", "len", "prod", "broadcast", "shape1", "shape4", "static"})
_VALUES = frozenset({"value", "scalar", "weight_sum", "const", "folded", "origin"})
_SCALES = frozenset({"scale", "scales", "zero_point", "zero_points", "quantized", "per_channel", "axis"})

#: Where a part of a limit's tree has a name, which is no value that the limit compares with.
_NAMED = {"call": 1, "attr": 1, "env": 1, "var": 1, "input": 1, "output": 1, "for": 1, "get": 2}


@dataclass(frozen=True, slots=True)
class Knob:
    """`turn(spec, value)` changes the copy it is given. `now`: the value in the description."""

    name: str
    turn: Callable[[Spec, Any], None]
    now: Any
    values: tuple[Any, ...]
    ordered: bool = False

    def turned(self, spec: Mapping[str, Any], value: Any) -> Spec:
        changed: Spec = copy.deepcopy(dict(spec))
        self.turn(changed, value)
        return changed


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a limit speaks of."""

    words: frozenset[str]  # heads, fields and functions
    numbers: tuple[int | float, ...]
    texts: tuple[str, ...]
    attributes: tuple[str, ...]
    settings: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *trees: Tree) -> Mentions:
        words: set[str] = set()
        numbers: set[int | float] = set()
        texts: set[str] = set()
        attributes: set[str] = set()
        settings: set[str] = set()
        for part in (part for tree in trees for part in _walk(tree)):
            if isinstance(part, bool):
                continue
            if isinstance(part, int | float):
                numbers.add(part)
            elif isinstance(part, str):
                texts.add(part)
            elif part and isinstance(part, list):
                words.update(one for one in (part[0], *part[1:]) if isinstance(one, str))
                if part[0] in ("attr", "env"):
                    (attributes if part[0] == "attr" else settings).add(part[1])
        small = sorted(number for number in numbers if abs(number) <= 1 << 20)
        return cls(frozenset(words), tuple(small), tuple(sorted(texts)), tuple(sorted(attributes)), frozenset(settings))


def _walk(tree: Tree) -> Iterator[Any]:
    """The tree and all that it is made of, but for the names of functions, fields, attributes and the like."""
    yield tree
    if isinstance(tree, list):
        for place, part in enumerate(tree[1:], 1):
            if _NAMED.get(tree[0]) != place or not isinstance(part, str):
                yield from _walk(part)


def knobs(spec: Mapping[str, Any], format: str, mentions: Mentions) -> Iterator[Knob]:
    """The knobs of the description that a limit may notice, the likeliest first."""
    yield from _attributes(spec, mentions)
    if mentions.words & {"dtype", "origin", "same"} or set(mentions.texts) & set(DTYPE_BITS):
        yield from _types(spec, mentions)
    if mentions.words & (_SIZES | {"index", "slice"}):
        yield from _shapes(spec, mentions)
    if mentions.words & _VALUES:
        yield from _constants(spec, mentions)
    if mentions.words & _SCALES and format == "tflite":
        yield from _quantization(spec, mentions)
    if mentions.words & {"exists", "arity", "inputs", "len"}:
        yield from _presence(spec)
    if format == "onnx" and "output" in mentions.words:
        yield from _result_types(spec, mentions)
    if "op_version" in mentions.words or "file_opset" in mentions.settings:
        yield _numbered("opset" if format == "onnx" else "v", spec, mentions, 1)
    if "file_ir_version" in mentions.settings:
        yield _numbered("ir", spec, mentions, 8)


def _numbered(key: str, spec: Mapping[str, Any], mentions: Mentions, default: int) -> Knob:
    """A version that the description states."""
    now = int(spec.get(key, default))
    return Knob(key, lambda s, v: s.__setitem__(key, max(1, v)), now, _near(mentions, now), ordered=True)


def _result_types(spec: Mapping[str, Any], mentions: Mentions) -> Iterator[Knob]:
    """Attributes of ONNX operators that name the type of what is made: its number, or a tensor of it."""
    wanted = dict.fromkeys((*(text for text in mentions.texts if text in _ONNX_TYPES), *_TYPES, *_RARE))
    for name in ("to", "dtype", "output_dtype", "output_datatype"):
        if name in (spec.get("a") or {}):

            def turn(s: Spec, value: str, name: str = name) -> None:
                s["a"][name] = _ONNX_TYPES[value]

            yield Knob(f"attr.{name} type", turn, None, tuple(wanted))
    value = (spec.get("a") or {}).get("value")
    if isinstance(value, dict) and "t" in value:
        yield Knob("attr.value type", lambda s, v: _retype(s["a"]["value"], v), value["t"], tuple(wanted))


def _near(mentions: Mentions, now: int) -> tuple[int, ...]:
    """Integers around those that the limit names, nearest to the present one first."""
    wanted = {int(n) + step for n in mentions.numbers if n == int(n) for step in (-1, 0, 1)} | {
        1,
        now + 1,
        now * 2,
        now - 1,
    }
    return tuple(sorted((n for n in wanted if n != now), key=lambda n: (abs(n - now), n)))


def _attributes(spec: Mapping[str, Any], mentions: Mentions) -> Iterator[Knob]:
    a = spec.get("a") or {}
    for name in mentions.attributes:
        now = a.get(name)

        def turn(s: Spec, value: Any, name: str = name) -> None:
            s.setdefault("a", {})[name] = value

        if isinstance(now, bool) or (now is None and not mentions.numbers and not mentions.texts):
            yield Knob(f"attr.{name}", turn, now, (True, False))
        elif isinstance(now, list) and all(isinstance(one, int) for one in now) and now:
            yield from _listed(name, now, mentions)
        elif isinstance(now, int) or (now is None and mentions.numbers):
            yield Knob(
                f"attr.{name}", turn, now if now is not None else 0, _near(mentions, now or 0), ordered=now is not None
            )
        elif isinstance(now, float):
            around = (n + step for n in mentions.numbers for step in (0.0, 0.5, -0.5))
            yield Knob(f"attr.{name}", turn, now, (*around, 0.0, 1.0, -1.0))
        if isinstance(now, str) or now is None:
            yield Knob(f"attr.{name}", turn, now, (*mentions.texts, "NONE", "SAME", "VALID", "RELU", "RELU6"))
        if name in a:
            yield Knob(f"no attr.{name}", _remover("a", name), True, (None,))


def _remover(*path: Any) -> Callable[[Spec, Any], None]:
    """Takes the last of the path out of what the rest of it leads to."""

    def turn(spec: Spec, value: Any) -> None:
        part: Any = spec
        for step in path[:-1]:
            part = part[step]
        part.pop(path[-1])

    return turn


def _listed(name: str, now: list[int], mentions: Mentions) -> Iterator[Knob]:
    def turn_all(s: Spec, value: int) -> None:
        s["a"][name] = [value] * len(now)

    yield Knob(f"attr.{name}[:]", turn_all, now[0], _near(mentions, now[0]), ordered=True)
    for place, one in enumerate(now):

        def turn(s: Spec, value: int, place: int = place) -> None:
            s["a"][name][place] = value

        yield Knob(f"attr.{name}[{place}]", turn, one, _near(mentions, one), ordered=True)


def _tensors(spec: Mapping[str, Any]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    for side in ("i", "o"):
        for place, one in enumerate(spec[side]):
            if one is not None and "t" in one:
                yield side, place, one


def _types(spec: Mapping[str, Any], mentions: Mentions) -> Iterator[Knob]:
    named = [text for text in mentions.texts if text in DTYPE_BITS or text == "string" or text.endswith(")")]
    named += [one for one in _RARE if set(_TYPES) <= set(named) and one not in named]
    for now in dict.fromkeys(one["t"] for _, _, one in _tensors(spec)):
        wanted = tuple(one for one in dict.fromkeys((*_TYPES, *named)) if one != now)

        def turn_all(s: Spec, value: str, now: str = now) -> None:
            for _, _, one in list(_tensors(s)):
                if one["t"] == now:
                    _retype(one, value)

        yield Knob(f"every {now}", turn_all, now, wanted)
    for side, place, one in _tensors(spec):

        def turn(s: Spec, value: str, side: str = side, place: int = place) -> None:
            _retype(s[side][place], value)

        yield Knob(
            f"{side}{place}.dtype", turn, one["t"], tuple(t for t in dict.fromkeys((*_TYPES, *named)) if t != one["t"])
        )


def _retype(one: Any, dtype: str) -> None:
    one["t"] = dtype
    if isinstance(one.get("c"), list):
        real = dtype.startswith("float")
        one["c"] = [float(v) if real else abs(int(v)) % 2 if dtype == "bool" else abs(int(v)) for v in one["c"]]
    if dtype.startswith("float") or dtype == "bool":
        one.pop("q", None)
    elif one.get("q"):
        one["q"] = _in_range(one["q"], dtype)


def _in_range(q: Any, dtype: str) -> Any:
    """The quantisation with zero points that the type can hold; types of 16 bits and more have none."""

    def fitting(point: int) -> int:
        return 0 if dtype not in ("int8", "uint8") else max(point, 0) if dtype == "uint8" else min(point, 127)

    if isinstance(q, dict):
        return {**q, "z": [fitting(point) for point in q["z"]]}
    return [q[0], fitting(q[1])]


def _shapes(spec: Mapping[str, Any], mentions: Mentions) -> Iterator[Knob]:
    sizes = dict.fromkeys(size for _, _, one in _tensors(spec) for size in one.get("s") or () if isinstance(size, int))
    for now in sizes:

        def turn_all(s: Spec, value: int, now: int = now) -> None:
            for _, _, one in list(_tensors(s)):
                if now in (one.get("s") or ()):
                    _resize(one, [max(value, 0) if size == now else size for size in one["s"]])

        yield Knob(f"every size {now}", turn_all, now, _near(mentions, now), ordered=True)
    for side, place, one in _tensors(spec):
        for at, size in enumerate(one.get("s") or ()):

            def turn(s: Spec, value: int, side: str = side, place: int = place, at: int = at) -> None:
                shape = list(s[side][place]["s"])
                shape[at] = max(value, 0)
                _resize(s[side][place], shape)

            if isinstance(size, int):
                yield Knob(f"{side}{place}.shape[{at}]", turn, size, _near(mentions, size), ordered=True)
    yield from _ranks(spec)


def _resize(one: Any, shape: list[int]) -> None:
    """Another shape; a constant that was listed is filled with its first value."""
    one["s"] = shape
    one.pop("sig", None)
    if isinstance(one.get("c"), list):
        one["c"] = {"f": one["c"][0] if one["c"] else 0}
    q = one.get("q")
    if isinstance(q, dict) and len(shape) > q.get("d", 0) and shape[q.get("d", 0)] != len(q["s"]):
        size = shape[q.get("d", 0)]
        one["q"] = {**q, "s": (q["s"] * size)[:size], "z": (q["z"] * size)[:size]}


def _ranks(spec: Mapping[str, Any]) -> Iterator[Knob]:
    def more(s: Spec, count: int) -> None:
        for _, _, one in list(_tensors(s)):
            if one.get("s") is not None and "c" not in one:
                _resize(one, [1] * count + list(one["s"]) if count > 0 else list(one["s"])[-count:])

    yield Knob("every rank", more, 0, (1, 2, 3, -1, -2, -3))
    for side, place, one in _tensors(spec):

        def turn(s: Spec, count: int, side: str = side, place: int = place) -> None:
            shape = list(s[side][place]["s"])
            _resize(s[side][place], [1] * count + shape if count > 0 else shape[-count:])

        def dynamic(s: Spec, at: int, side: str = side, place: int = place) -> None:
            one = s[side][place]
            one["sig"] = [-1 if i == at or at < 0 else size for i, size in enumerate(one["s"])]

        if one.get("s") is not None:
            yield Knob(f"{side}{place}.rank", turn, 0, (1, -1, 2, -2, 3))
            if "c" not in one and one["s"]:
                yield Knob(f"{side}{place} dynamic", dynamic, None, (0, len(one["s"]) - 1, -1))


def _constants(spec: Mapping[str, Any], mentions: Mentions) -> Iterator[Knob]:
    for place, one in enumerate(spec["i"]):
        if one is None or "t" not in one or one["t"] == "string":
            continue

        def fill(s: Spec, value: Any, place: int = place) -> None:
            kind = float if s["i"][place]["t"].startswith("float") else int
            s["i"][place]["c"] = {"f": kind(value)}

        def entry(s: Spec, value: tuple[int, int], place: int = place) -> None:
            s["i"][place]["c"][value[0]] = value[1]

        if "c" in one:
            yield Knob(f"i{place} no constant", _remover("i", place, "c"), True, (None,))
            if isinstance(one["c"], list) and one["c"] and isinstance(one["c"][0], int | float):
                finite = [at for at in range(min(len(one["c"]), 6)) if math.isfinite(one["c"][at])]
                values = tuple((at, n) for at in finite for n in _near(mentions, int(one["c"][at])))
                yield Knob(f"i{place}.value[:]", entry, None, values)
        yield Knob(f"i{place} filled", fill, None, (*_near(mentions, 1), 0, 127, -127, 3))


def _quantization(spec: Mapping[str, Any], mentions: Mentions) -> Iterator[Knob]:
    for side, place, one in _tensors(spec):

        def turn(s: Spec, value: Any, side: str = side, place: int = place) -> None:
            if value is None:
                s[side][place].pop("q", None)
            else:
                s[side][place]["q"] = value

        q = one.get("q")
        points = tuple(int(n) for n in mentions.numbers if n == int(n))
        if q is None:
            yield Knob(f"{side}{place}.quantization", turn, None, ([0.5, 0], [0.1, 3]))
            continue
        scale, zero = (q[0], q[1]) if isinstance(q, list) else (q["s"][0], q["z"][0] if q["z"] else 0)
        others = [[scale * 2, zero], [scale / 1024, zero], [scale, zero + 1], *([scale, n] for n in points)]
        others += [[float(n), zero] for n in mentions.numbers if n > 0]
        last = len(one["s"]) - 1
        each = [{"s": [scale * (1 + i % 3) for i in range(one["s"][d])], "z": [zero] * one["s"][d], "d": d}
                for d in (0, last) if one["s"] and one["s"][d] > 1]  # fmt: skip
        yield Knob(f"{side}{place}.quantization", turn, q, (None, *others, *each))


def _presence(spec: Mapping[str, Any]) -> Iterator[Knob]:
    count = len(spec["i"])
    for place in range(count - 1, 0, -1):

        def turn(s: Spec, value: Any, place: int = place) -> None:
            _drop(s, place)

        yield Knob(f"no i{place}", turn, True, (None,))

    def add(s: Spec, number: int) -> None:
        s["i"] += [copy.deepcopy(s["i"][0]) | {"n": f"more{k}"} for k in range(number) if s["i"][0]]

    yield Knob("more inputs", add, 0, (1, 2, 3, 4))


def _drop(spec: Spec, place: int) -> None:
    spec["i"][place] = None
    while spec["i"] and spec["i"][-1] is None:
        spec["i"].pop()
