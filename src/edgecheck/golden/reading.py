"""A golden run from its folder, held to the format before anything of it is used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgecheck.errors import FormatError
from edgecheck.golden import DTYPE_BITS, SCHEMA, Case, GoldenRun, Launch, Recorded
from edgecheck.golden.tensors import AGGREGATES, FILE, HISTOGRAM, OFFSETS, Tensors, opened, parsed

MOST_JSON = 16 << 20  # bytes of run.json
MOST = {"stages": 256, "cases": 20_000, "tensors of a case": 4096, "launches": 4096, "spans": 64}
#: Names of pipelines, stages, cases, tensors, spans and launches: they become paths and keys.
NAME = re.compile(r"(?! )[^\x00-\x1f/\\#\ud800-\udfff]{1,200}(?<! )")
_TEXT = ("model", "wrapper", "device", "recorder")
_MIXED = ("runtime", "conditions")
_KEYS = {"schema", "pipeline", "stages", "cases", "latency", "time", *_TEXT, *_MIXED}


def read(folder: Path) -> GoldenRun:
    """The run in `folder`; raises `FormatError` with the place of what breaks the format. Only run.json is loaded."""
    path = folder / "run.json"
    raw = _json(path)
    where = str(path)
    _object(raw, where, "", _KEYS, ("schema", "pipeline", "stages", "cases"))
    if raw["schema"] != SCHEMA:
        raise FormatError(f"{where}: its schema is {str(raw['schema'])[:60]!r}; this reads {SCHEMA}")
    stages = tuple(_names(raw["stages"], where, "stages"))
    cases = tuple(_cases(raw["cases"], where, stages))
    spans, launches = _latency(raw.get("latency", {}), where)
    data = Tensors(folder / FILE)
    _held(data, cases, spans, launches)
    return GoldenRun(
        folder=folder, pipeline=_name(raw["pipeline"], where, "pipeline"), stages=stages, cases=cases,
        time=_text(raw.get("time", ""), where, "time"), spans=spans, launches=launches, data=data,
        **{key: _facts(raw.get(key, {}), where, key, numbers=key in _MIXED) for key in (*_TEXT, *_MIXED)},
    )  # fmt: skip


def _json(path: Path) -> Any:
    try:
        with opened(path) as file:
            content = file.read(MOST_JSON + 1)
    except OSError as error:
        raise FormatError(
            f"cannot read {path}: {error.strerror}", help="a golden run is a folder with run.json"
        ) from None
    if len(content) > MOST_JSON:
        raise FormatError(f"{path} has more than {MOST_JSON >> 20} MB", help="record fewer cases in one run")
    return parsed(content, str(path))


def _object(raw: Any, where: str, place: str, known: set[str], needed: tuple[str, ...]) -> None:
    if not isinstance(raw, dict):
        raise FormatError(f"{where}: {place or 'the file'} is no object")
    prefix = f"{place}." if place else ""
    for key in raw:
        if key not in known:
            raise FormatError(f"{where}: there is no key {prefix + key[:60]!r}")
    for key in needed:
        if key not in raw:
            raise FormatError(f"{where}: '{prefix}{key}' is missing")


def _name(raw: Any, where: str, place: str) -> str:
    if not isinstance(raw, str) or not NAME.fullmatch(raw) or raw in {".", ".."}:
        raise FormatError(
            f"{where}: '{place}' is {str(raw)[:60]!r}, which is no name (no slash, no '#', 1 to 200 signs)"
        )
    return raw


def _names(raw: Any, where: str, place: str) -> Iterator[str]:
    if not isinstance(raw, list) or len(raw) > MOST[place]:
        raise FormatError(f"{where}: '{place}' is no list of at most {MOST[place]} names")
    if len({one for one in raw if isinstance(one, str)}) != len(raw):
        raise FormatError(f"{where}: '{place}' names something twice")
    for i, one in enumerate(raw):
        yield _name(one, where, f"{place}[{i}]")


def _text(raw: Any, where: str, place: str) -> str:
    if not _is_text(raw, 2000):
        raise FormatError(f"{where}: '{place}' is no text of at most 2,000 signs")
    return str(raw)


def _is_text(raw: Any, most: int) -> bool:
    """Half a pair of UTF-16 alone, which JSON can write, is no text."""
    return isinstance(raw, str) and len(raw) <= most and not any("\ud800" <= sign <= "\udfff" for sign in raw)


def _facts(raw: Any, where: str, place: str, *, numbers: bool) -> dict[str, Any]:
    if not isinstance(raw, dict) or len(raw) > 200:
        raise FormatError(f"{where}: '{place}' is no object of at most 200 facts")
    for key, value in raw.items():
        whole = numbers and type(value) is int and abs(value) < 1 << 53
        if not _is_text(key, 200) or not (whole or _is_text(value, 2000)):
            kind = "text or a whole number" if numbers else "text"
            raise FormatError(f"{where}: {place + '.' + key[:60]!r} is not {kind}")
    return raw


def _cases(raw: Any, where: str, stages: tuple[str, ...]) -> Iterator[Case]:
    if not isinstance(raw, list) or len(raw) > MOST["cases"]:
        raise FormatError(f"{where}: 'cases' is no list of at most {MOST['cases']:,}")
    names: set[str] = set()
    for i, one in enumerate(raw):
        place = f"cases[{i}]"
        _object(one, where, place, {"name", "tensors"}, ("name", "tensors"))
        name = _name(one["name"], where, f"{place}.name")
        if name in names or name == "latency":
            raise FormatError(f"{where}: '{place}.name' {name!r} is taken")
        names.add(name)
        yield Case(name=name, tensors=tuple(_recorded(one["tensors"], where, place, stages)))


def _recorded(raw: Any, where: str, place: str, stages: tuple[str, ...]) -> Iterator[Recorded]:
    if not isinstance(raw, list) or len(raw) > MOST["tensors of a case"]:
        raise FormatError(f"{where}: '{place}.tensors' is no list of at most {MOST['tensors of a case']}")
    seen: set[tuple[str, str]] = set()
    for i, one in enumerate(raw):
        at = f"{place}.tensors[{i}]"
        _object(
            one,
            where,
            at,
            {"stage", "name", "dtype", "shape", "withheld", "sha256", "aggregates"},
            ("stage", "name", "dtype", "shape"),
        )
        stage, name = _name(one["stage"], where, f"{at}.stage"), _name(one["name"], where, f"{at}.name")
        if stage not in stages:
            raise FormatError(f"{where}: '{at}.stage' {stage!r} is none of the stages")
        if (stage, name) in seen:
            raise FormatError(f"{where}: '{at}' {stage}/{name} stands twice")
        seen.add((stage, name))
        yield _tensor(one, where, at, stage, name)


def _tensor(one: Mapping[str, Any], where: str, at: str, stage: str, name: str) -> Recorded:
    if not isinstance(one["dtype"], str) or one["dtype"] not in DTYPE_BITS:
        raise FormatError(f"{where}: '{at}.dtype' is {str(one['dtype'])[:40]!r}; there are {', '.join(DTYPE_BITS)}")
    shape = one["shape"]
    if not isinstance(shape, list) or len(shape) > 32 or any(type(d) is not int or not 0 <= d < 1 << 53 for d in shape):
        raise FormatError(f"{where}: '{at}.shape' is no list of at most 32 sizes")
    total = 1
    for size in shape:
        total *= size
    if total >= 1 << 53:
        raise FormatError(f"{where}: '{at}.shape' has {total:.1e} values")
    withheld, digest = one.get("withheld", ""), one.get("sha256")
    if withheld not in ("", "hash", "omitted"):
        raise FormatError(f"{where}: '{at}.withheld' is neither 'hash' nor 'omitted'")
    if (withheld == "hash") != (isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest) is not None):
        raise FormatError(f"{where}: '{at}.sha256' goes with withheld = 'hash', 64 digits")
    if one.get("aggregates", True) is not True:
        raise FormatError(f"{where}: '{at}.aggregates' is not true; where there are none the key is left out")
    return Recorded(
        stage=stage, name=name, dtype=one["dtype"], shape=tuple(shape), withheld=withheld, sha256=digest,
        aggregates="aggregates" in one,
    )  # fmt: skip


def _latency(raw: Any, where: str) -> tuple[tuple[str, ...], tuple[Launch, ...]]:
    _object(raw, where, "latency", {"spans", "launches"}, ())
    spans = tuple(_names(raw.get("spans", []), where, "spans"))
    listed = raw.get("launches", [])
    if not isinstance(listed, list) or len(listed) > MOST["launches"]:
        raise FormatError(f"{where}: 'latency.launches' is no list of at most {MOST['launches']}")
    launches = []
    for i, one in enumerate(listed):
        at = f"latency.launches[{i}]"
        _object(one, where, at, {"name", "warmup"}, ("name", "warmup"))
        if type(one["warmup"]) is not int or not 0 <= one["warmup"] < 1 << 31:
            raise FormatError(f"{where}: '{at}.warmup' is no count")
        launches.append(Launch(name=_name(one["name"], where, f"{at}.name"), warmup=one["warmup"]))
    if len({one.name for one in launches}) != len(launches):
        raise FormatError(f"{where}: 'latency.launches' names one twice")
    return spans, tuple(launches)


def _held(data: Tensors, cases: tuple[Case, ...], spans: tuple[str, ...], launches: tuple[Launch, ...]) -> None:
    """Every declared tensor is stored as declared, and nothing else is stored."""
    expected: set[str] = set()
    for case in cases:
        for tensor in case.tensors:
            name = f"{case.name}/{tensor.stage}/{tensor.name}"
            if tensor.aggregates:
                data.check_aggregates(name, tensor.size)
                expected |= {name + AGGREGATES, name + HISTOGRAM}
            if not tensor.withheld:
                data.check(name, tensor)
                expected |= {name, name + OFFSETS} if tensor.dtype == "string" else {name}
    for span in spans:
        for launch in launches:
            name = f"latency/{span}/{launch.name}"
            place = data.place(name)
            if place.dtype != "I64" or len(place.shape) != 1:
                raise FormatError(f"{data.path}: {name} is no list of int64 nanoseconds")
            expected.add(name)
    for name in data.places:
        if name not in expected:
            raise FormatError(f"{data.path}: run.json does not declare {name[:100]!r}")
