"""Rewrites of a model that keep its mathematics: other operators, the same function.

A plugin is one file per format, `<format>.py`, a module with

- `NEEDS` and `ENVIRONMENT`: what it imports (inside functions), and the locked environment that has it,
- `RUNTIME`: the runtime plugin that runs both files,
- `offers(op)`: names of the rewrites for an operator, the likeliest first; `whole(…)`: those of the whole file,
- `SAYS`: what each does, in a few words,
- `apply(path, rewrite, nodes, out)`: write the file with those nodes of the main graph rewritten; runs in a child,
- `freeze(path, sizes, out)`: write the file with its free dimensions fixed; runs in a child.

The op tables decide whether a rewrite helps, and running both files whether it keeps the function: so a plugin may
offer more than what fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from edgecheck.model.graph import Node


class Rewriter(Protocol):
    """What a module in this folder offers."""

    NEEDS: tuple[str, ...]
    ENVIRONMENT: str
    RUNTIME: str
    WHOLE: tuple[str, ...]  # names of the rewrites of a whole file
    SAYS: Mapping[str, str]

    def offers(self, op: str) -> tuple[str, ...]:
        """Names of the rewrites that take such a node."""

    def hints(self, node: Node, why: str) -> tuple[str, ...]:
        """Those made for such an operator that may fit a node refused for the reason `why`: for a check's help."""

    def whole(self, metadata: Mapping[str, Any], reasons: Sequence[str]) -> tuple[str, ...]:
        """Those of `WHOLE` that may help where operators are refused for these reasons, the likeliest first."""

    def apply(self, path: Path, rewrite: str, nodes: Sequence[int], out: Path) -> dict[str, Any]:
        """`{"rewritten": how many nodes, "versions": …}`; nothing is written where it is 0."""

    def freeze(self, path: Path, sizes: Mapping[str, tuple[int, ...]], out: Path) -> None:
        """`sizes`: every input's shape by name."""
