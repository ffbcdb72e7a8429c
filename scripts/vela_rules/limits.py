"""A limit as Vela's report or source states it."""

from __future__ import annotations

from dataclasses import dataclass, field

SEEN = "2026-11-21"
TARGETS = {
    "ethos-u55": "Ethos-U55 and Ethos-U65",
    "ethos-u65": "Ethos-U55 and Ethos-U65",
    "ethos-u85": "Ethos-U85",
}
QUANTIZE_HELP = "quantise the model to int8 with a calibration set (full integer quantisation) before compiling"


@dataclass(frozen=True)
class Limit:
    id: str
    require: str
    say: str
    source: tuple[str, ...]
    otherwise: str = "fallback"
    help: str = ""
    when: str = ""
    opaque: str = ""


def refuse(id: str, require: str, say: str, place: str, help: str = "") -> Limit:
    return Limit(id, require, say, (f"semantics:{place}",), "rejected", help)


@dataclass
class Section:
    """One operator of the report."""

    name: str
    line: int
    bullets: list[tuple[int, str]] = field(default_factory=list)
