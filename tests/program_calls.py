"""What a table of ExecuTorch says of one call; for the tests of these tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgecheck.check import check, point
from edgecheck.probing.programs import model_of
from probe_evidence import table


def said(
    target: str,
    op: str,
    inputs: Sequence[tuple[Any, ...]],
    outputs: Sequence[tuple[str, list[int]]],
    attrs: Mapping[str, Any],
    **more: Any,
) -> tuple[str, str | None]:
    """(verdict, limit) of one call. `inputs` are (name, dtype, shape, constant), `outputs` (dtype, shape); `more` is as
    edgecheck.probing.programs has it."""
    spec = {
        "n": [one[0] for one in inputs],
        "i": [list(one[1:]) for one in inputs],
        "o": [[dtype, shape, 0] for dtype, shape in outputs],
        "a": attrs,
        "r": [[]] * len(outputs),
    }
    one = check(model_of({"op": op, "spec": spec | more}), point(table(target)))[0]
    return one.verdict, one.limit
