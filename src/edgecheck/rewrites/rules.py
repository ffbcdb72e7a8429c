"""A collection of rewrites by name: the operators each takes, what it does in a few words, and the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgecheck.model.graph import Node
from edgecheck.rewrites.fits import Fits, anything

#: Builds the new nodes with a builder of its format; False where it does not fit the node.
Rule = Callable[[Any], bool]


class Rules(dict[str, tuple[tuple[str, ...], str, Rule]]):
    """name → (operators, what it does, function)."""

    def __init__(self) -> None:
        super().__init__()
        self._fits: dict[str, Fits] = {}

    def rule(self, name: str, *ops: str, says: str, fits: Fits = anything) -> Callable[[Rule], Rule]:
        """Add a function, as a decorator; `fits` says which nodes it may be promised for."""

        def added(function: Rule) -> Rule:
            self[name], self._fits[name] = (ops, says, function), fits
            return function

        return added

    def named(self, op: str) -> tuple[str, ...]:
        """Names of those made for an operator."""
        return tuple(name for name, (ops, _, _) in self.items() if op in ops)

    def hints(self, node: Node, why: str) -> tuple[str, ...]:
        """Those that may be promised for a node that is refused for the reason `why`."""
        return tuple(name for name in self.named(node.op) if self._fits[name](node, why))

    def says(self) -> dict[str, str]:
        return {name: says for name, (_, says, _) in self.items()}
