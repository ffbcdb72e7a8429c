"""From a limit to its probes: what the table just takes, and what only this limit refuses, as near as can be.

A base that the table takes is turned, one knob at a time, until the verdict names the limit; an ordered knob is then
halved to the two neighbouring values between which the limit flips, and of the others each value is a probe of the
side that it stands on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgecheck.errors import EdgecheckError
from edgecheck.probing.knobs import Knob, Mentions, Spec, knobs
from edgecheck.probing.replay import model_of, of_spec
from edgecheck.results import TargetPoint
from edgecheck.tables.optable import Limit, OpTable

_MOST_BASES = 4
_MOST_TRIED = 160  # turned copies of one operator's bases for one limit
_OPS_EACH = 3  # operators that a limit is probed with, where many share it


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A probe that stands on one side of a limit."""

    op: str
    limit: str
    side: str  # "inside" or "outside"
    spec: Spec
    knob: str


def questions(table: OpTable) -> list[tuple[str, Limit]]:
    """Each limit with the operators that it is probed with; one that many operators share, with a few of them."""
    every = {op: [limit for entry in table.entries(op) for limit in (*entry.limits, *table.limits)] for op in table.ops}
    chosen: dict[tuple[str, str], list[tuple[str, Limit]]] = {}
    for op, limits in every.items():
        for limit in limits:
            of_op = chosen.setdefault((limit.id, limit.text), [])
            if not limit.opaque and all(op != one for one, _ in of_op):
                of_op.append((op, limit))
    return [one for many in chosen.values() for one in _spread(many)]


def _spread(many: list[tuple[str, Limit]]) -> list[tuple[str, Limit]]:
    return many[:: max(1, -(-len(many) // _OPS_EACH))]


class Bases:
    """Descriptions of an operator with the table's verdict, each judged once."""

    def __init__(self, target: TargetPoint, specs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self.target, self.specs = target, specs
        self._judged: dict[str, list[tuple[Mapping[str, Any], str]]] = {}

    def taken(self, op: str, limit: Limit) -> list[Mapping[str, Any]]:
        """Those of the operator that pass the limit, one of each kind first."""
        if op not in self._judged:
            self._judged[op] = [(spec, verdict(self.target, spec)[0]) for spec in self.specs.get(op, ())]
        good = "fallback" if limit.of == "fallback" else "supported"
        return _varied([spec for spec, found in self._judged[op] if found == good])[:_MOST_BASES]


def _varied(specs: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The same descriptions, those of a kind (types, ranks, constants) that stood before behind the others."""
    seen: dict[str, int] = {}
    keyed: list[tuple[int, int, Mapping[str, Any]]] = []
    for spec in specs:
        kind = repr([one and (one.get("t"), len(one.get("s") or ()), "c" in one) for one in spec["i"]])
        seen[kind] = seen.get(kind, 0) + 1
        keyed.append((seen[kind], len(keyed), spec))
    return [spec for _, _, spec in sorted(keyed, key=lambda one: one[:2])]


def sides(target: TargetPoint, op: str, limit: Limit, bases: Bases, most: int = 10) -> list[Side]:
    """Probes on both sides of the limit; [] where turning finds no outside."""
    mentions = Mentions.of(limit.require, limit.when)
    tried = 0
    found: list[Side] = []
    for base in bases.taken(op, limit):
        for knob in knobs(base, target.table.format, mentions):
            if tried > _MOST_TRIED or len(found) >= most:
                return found
            if any(one.knob == knob.name for one in found):
                continue
            made = list(_of_knob(target, op, limit, base, knob))
            tried += len(knob.values)
            found += made if any(one.side == "outside" for one in made) else []
    return found


def _of_knob(target: TargetPoint, op: str, limit: Limit, base: Mapping[str, Any], knob: Knob) -> Iterator[Side]:
    """What turning this knob gives; nothing where no value leaves the limit."""
    good = "fallback" if limit.of == "fallback" else "supported"

    def side(name: str, spec: Mapping[str, Any]) -> Side:
        return Side(op=op, limit=limit.id, side=name, spec=copy.deepcopy(dict(spec)), knob=knob.name)

    ordered = knob.ordered and isinstance(knob.now, int)
    out = False
    for value in knob.values:
        spec = _try(base, knob, value, target)
        found = ("", None) if spec is None else verdict(target, spec)
        if spec is None:
            continue
        if found == (limit.otherwise, limit.id):
            if ordered:
                inside, outside = _halved(target, limit, base, knob, int(value))
                yield from (side("inside", inside), side("outside", outside))
                return
            if not out:
                yield side("inside", base)
            out = True
            yield side("outside", spec)
        elif found[0] == good and not ordered:
            yield side("inside", spec)


def verdict(target: TargetPoint, spec: Mapping[str, Any]) -> tuple[str, str | None]:
    """The table's verdict and the limit it names; `("invalid", None)` for a description that makes no model."""
    try:
        found = of_spec(spec, target)
    except (EdgecheckError, ValueError, TypeError, KeyError, IndexError, OverflowError, StopIteration):
        return "invalid", None
    return found.verdict, found.limit if found.verdict != "supported" else None


def _try(base: Mapping[str, Any], knob: Knob, value: Any, target: TargetPoint) -> Spec | None:
    try:
        return finished(knob.turned(base, value), target.table.format)
    except (EdgecheckError, KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _halved(target: TargetPoint, limit: Limit, base: Mapping[str, Any], knob: Knob, value: int) -> tuple[Spec, Spec]:
    """The two neighbouring values of an ordered knob between which the limit flips."""
    low, high = int(knob.now), value
    inside, outside = dict(base), finished(knob.turned(base, value), target.table.format)
    good = verdict(target, base)[0]
    while abs(high - low) > 1:
        middle = (low + high) // 2
        tried = _try(base, knob, middle, target)
        found = ("", None) if tried is None else verdict(target, tried)
        if tried is not None and found == (limit.otherwise, limit.id):
            high, outside = middle, tried
        elif tried is not None and found[0] == good:
            low, inside = middle, tried
        else:
            break
    return inside, outside


def finished(spec: Spec, format: str) -> Spec:
    """The description with what follows from it: the types and shapes of an ONNX operator's outputs."""
    if format != "onnx" or spec.get("after"):
        return spec
    for one in spec["o"]:
        if one is not None:
            one.pop("s", None), one.pop("sig", None)
            one.pop("t", None)
    node = model_of(spec, format).graphs[0].nodes[len(spec.get("before", ()))]
    for one, tensor in zip(spec["o"], node.outputs):
        if one is not None and tensor is not None:
            one |= {"t": tensor.dtype} if tensor.dtype else {}
            one |= {"s": list(tensor.shape)} if tensor.shape is not None else {}
    return spec
