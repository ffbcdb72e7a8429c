"""What was observed, in words: the part of a limit that failed, and the value it had."""

from __future__ import annotations

from typing import Any

from edgecheck.model.graph import Tensor
from edgecheck.tables.evaluation import evaluate, holds
from edgecheck.tables.phrases import Tree, said, words
from edgecheck.tables.scope import Absent, Scope, Unknown

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in"})


def observed(tree: Tree, scope: Scope) -> str:
    """`input 0's shape[-1] is 128` for a limit that does not hold; "" where there is nothing to show."""
    if not isinstance(tree, list):
        return ""
    match tree[0]:
        case "and":
            failing = next((part for part in tree[1:] if holds(part, scope) is False), None)
            return observed(failing, scope)
        case "or":
            parts = [observed(part, scope) for part in tree[1:] if not _plain(part)]
            return "; ".join(dict.fromkeys(part for part in parts if part))
        case "not" if isinstance(tree[1], list) and tree[1][0] == "call":
            return said(tree[1][1], tree[1][2:], True)
        case "not":
            return "" if not isinstance(tree[1], list) else f"{words(tree[1])} is true"
        case "if":
            test = holds(tree[1], scope)
            return "" if isinstance(test, Unknown) else observed(tree[2] if test else tree[3], scope)
        case "call" if tree[1] == "all" and isinstance(tree[2], list) and tree[2][0] == "for":
            return _of_each(tree[2], scope)
        case "call" if tree[1] == "static":
            return f"{said('static', tree[2:], False)}{_sizes(tree[2], scope)}"
        case "call":
            return said(tree[1], tree[2:], False)
        case head if head in _COMPARISONS:
            return _of_sides(tree[1], tree[2], scope)
        case _:
            return ""


def _sizes(tensor: Tree, scope: Scope) -> str:
    """` [?, 512]` where the rank is known."""
    value = evaluate(["call", "shape", tensor], scope)
    return f" {shown(value)}" if isinstance(value, list) else ""


def _plain(part: Tree) -> bool:
    """`not exists(…)` as one way out of an `or` says nothing of the failure."""
    return isinstance(part, list) and part[0] == "not"


def _of_sides(left: Tree, right: Tree, scope: Scope) -> str:
    sides = [f"{words(side)} is {shown(evaluate(_unfilled(side), scope))}" for side in (left, right) if _varies(side)]
    return " and ".join(sides)


def _unfilled(tree: Tree) -> Tree:
    """`known(x, 0)` stands for x: that it counts as 0 is nothing that was observed."""
    return tree[2] if isinstance(tree, list) and tree[:2] == ["call", "known"] else tree


def _varies(tree: Tree) -> bool:
    return isinstance(tree, list) and (tree[0] not in {"list", "range"} or any(_varies(part) for part in tree[1:]))


def _of_each(loop: Tree, scope: Scope) -> str:
    _, variable, items, body, *tests = loop
    before, many = scope.bound, evaluate(items, scope)
    try:
        for item in many if isinstance(many, list) else ():
            scope.bound = {**before, variable: item}
            if holds(["and", *tests], scope) is True and holds(body, scope) is False:
                return observed(_with(body, variable, _title(item, items)), scope)
    finally:
        scope.bound = before
    return ""


def _title(item: Any, items: Tree) -> str:
    return f"'{item.name}'" if isinstance(item, Tensor) else f"one of {words(items)}"


def _with(tree: Tree, variable: str, title: str) -> Tree:
    """The tree with a title for the variable's item, for `words`."""
    if not isinstance(tree, list):
        return tree
    return [*tree, title] if tree == ["var", variable] else [_with(part, variable, title) for part in tree]


def shown(value: Any) -> str:
    """A value in a sentence: `1×224×224×3` for shapes, dtypes bare, long lists cut."""
    match value:
        case Unknown() | Absent():
            return "not known"
        case Tensor():
            return f"'{value.name}'"
        case list() if value and all(isinstance(one, (int, Unknown)) and not isinstance(one, bool) for one in value):
            text = ", ".join("?" if isinstance(one, Unknown) else str(one) for one in value[:8])
            return f"[{text}{', …' if len(value) > 8 else ''}]"
        case list():
            text = ", ".join(shown(one) for one in value[:8])
            return f"[{text}{', …' if len(value) > 8 else ''}]"
        case float():
            return f"{value:g}"
        case _:
            return str(value)
