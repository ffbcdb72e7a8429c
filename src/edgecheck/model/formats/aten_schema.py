"""What ATen says of an operator: the names of its arguments, which of them are tensors, and their defaults.

The data, aten_schema.txt, is written by scripts/make_aten_schema.py from torch's own registry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("aten_schema.txt")
_KINDS = {"T": "tensor", "L": "tensors"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument. `kind`: "tensor", "tensors" (a list) or "value"."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One overload: its arguments in order, and the defaults of those that have one."""

    arguments: tuple[Argument, ...]
    defaults: Mapping[str, Any]


@cache
def _text() -> str:
    return DATA.read_text(encoding="utf-8")


@cache
def schema(op: str) -> Schema | None:
    """The schema of `aten.add.Tensor`, also for `aten.add_.Tensor`; None for what the data does not know."""
    found = _listed(op)
    return _listed(op.replace("_.", ".", 1)) if found is None and writes(op) else found


def writes(op: str) -> bool:
    """Whether the operator writes to its first argument: its name ends in an underscore."""
    parts = op.split(".")
    return len(parts) == 3 and parts[1].endswith("_") and not parts[1].endswith("__")


def _listed(op: str) -> Schema | None:
    start = _text().find(f"\n{op} ")
    if start < 0 or "\n" in op or " " in op:
        return None
    arguments, defaults = [], {}
    for word in _text()[start + 1 : _text().index("\n", start + 1)].split()[1:]:
        left, found, default = word.partition("=")
        name, _, kind = left.partition(":")
        arguments.append(Argument(name=name, kind=_KINDS.get(kind, "value")))
        if found:
            value = json.loads(default)
            defaults[name] = tuple(value) if isinstance(value, list) else value
    return Schema(arguments=tuple(arguments), defaults=defaults)
