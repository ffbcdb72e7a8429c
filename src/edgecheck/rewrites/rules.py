"""A collection of rewrites by name: the operators each takes, what it does in a few words, and the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Builds the new nodes with a builder of its format; False where it does not fit the node.
Rule = Callable[[Any], bool]


class Rules(dict[str, tuple[tuple[str, ...], str, Rule]]):
    """name → (operators, what it does, function)."""

    def rule(self, name: str, *ops: str, says: str) -> Callable[[Rule], Rule]:
        """Add a function, as a decorator."""

        def added(function: Rule) -> Rule:
            self[name] = (ops, says, function)
            return function

        return added

    def named(self, op: str) -> tuple[str, ...]:
        """Names of those made for an operator."""
        return tuple(name for name, (ops, _, _) in self.items() if op in ops)

    def says(self) -> dict[str, str]:
        return {name: says for name, (_, says, _) in self.items()}
