"""An operator's attributes: its option table by the schema's names, with the schema's defaults.

The schema is data, `tflite_schema.json`, made by `scripts/make_tflite_schema.py`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from edgecheck.model import raw_options
from edgecheck.model.formats.flat import Table
from edgecheck.model.formats.flex import scalars

CUSTOM = 32
# Slots of the table Operator.
_OPTIONS_TYPE, _OPTIONS, _CUSTOM_OPTIONS, _INTERMEDIATES = 3, 4, 5, 8
_LARGE_OFFSET, _LARGE_SIZE, _OPTIONS_2_TYPE, _OPTIONS_2 = 9, 10, 11, 12


class Schema(NamedTuple):
    """The names behind the numbers in a file. Lists are indexed by value; "" is a value that is not used."""

    operators: list[str]
    types: list[str]
    options: list[str]
    options_2: list[str]
    options_of: dict[str, str]
    enums: dict[str, list[str]]
    tables: dict[str, list[tuple[str, str, Any, str | None]]]


@cache
def schema() -> Schema:
    """The bundled schema, read once."""
    data = json.loads(Path(__file__).with_name("tflite_schema.json").read_bytes())
    return Schema(**{name: data[name] for name in Schema._fields})


def operator_name(code: int) -> str:
    """CONV_2D for 3; BUILTIN_<code> for an operator that the schema does not have."""
    return _named(schema().operators, code) or f"BUILTIN_{code}"


def _named(names: list[str], value: int) -> str:
    return names[value] if 0 <= value < len(names) else ""


def attributes(operator: Table, op: str, *, custom: bool) -> dict[str, Any]:
    """The attributes of one operator of the file; raises FormatError where a field points outside it."""
    if custom:
        return custom_attributes(operator, op)
    known = schema()
    for names, type_slot, slot in (
        (known.options, _OPTIONS_TYPE, _OPTIONS),
        (known.options_2, _OPTIONS_2_TYPE, _OPTIONS_2),
    ):
        if kind := operator.integer(type_slot, "B"):
            name = _named(names, kind)
            return _fields(operator.table(slot), name) if name else {}
    return defaults(op)


def unstated(operator: Table) -> bool:
    """Whether an operator has no option table at all."""
    return not (operator.integer(_OPTIONS_TYPE, "B") or operator.integer(_OPTIONS_2_TYPE, "B"))


def defaults(op: str) -> dict[str, Any]:
    """The attributes of a builtin operator whose file says none; {} for one without an option table."""
    return _fields(None, schema().options_of.get(op, ""))


def _fields(table: Table | None, name: str) -> dict[str, Any]:
    """Every field of option table `name`, from `table` or by default."""
    known = schema()
    values: dict[str, Any] = {}
    for slot, (field, code, default, enum) in enumerate(known.tables.get(name, ())):
        if not field:
            continue
        value = _value(table, slot, code, default)
        values[field] = value if enum is None else _enumerated(known.enums[enum], value)
    if table is not None and "composite_attributes" in values:
        slot = [field[0] for field in known.tables[name]].index("composite_attributes")
        values["composite_attributes"] = scalars(table.flat, *table.span(slot))
    return values


def _value(table: Table | None, slot: int, code: str, default: Any) -> Any:
    if code == "s":
        return None if table is None else table.text(slot)
    if code.startswith("["):
        return () if table is None else table.integers(slot, code[1:])
    return default if table is None else table.number(slot, code, default)


def _enumerated(names: list[str], value: Any) -> Any:
    """The name of an enum's value, a tuple of them for a list; a value without a name stays a number."""
    if isinstance(value, tuple):
        return tuple(_named(names, one) or one for one in value)
    return _named(names, value) or value


def custom_attributes(operator: Table, op: str) -> dict[str, Any]:
    """`custom_options_size` in bytes and, by name, a FlexBuffers map's scalars or a known struct's numbers."""
    start, size = operator.span(_CUSTOM_OPTIONS)
    if not size and (offset := operator.integer(_LARGE_OFFSET, "Q")) > 1:
        start, size = offset, operator.integer(_LARGE_SIZE, "Q")
        operator.flat.inside(start, size, "custom options")
    if op in raw_options.FIELDS:
        named: dict[str, Any] = raw_options.attributes(op, bytes(operator.flat.buffer[start : start + min(size, 64)]))
    else:
        named = scalars(operator.flat, start, size)
    return {**named, "custom_options_size": size}


def intermediates(operator: Table) -> tuple[int, ...]:
    """Tensor numbers that are internal to an LSTM operator."""
    return operator.integers(_INTERMEDIATES)
