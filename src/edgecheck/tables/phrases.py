"""A limit's tree as a person would say it. Apart from the parser, so that a check does not import it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Tree = Any  # a JSON literal, or ["head", operand, ...]


def words(tree: Tree) -> str:
    """The tree in words: `input 0's shape[-1]`, `stride_w`."""
    if not isinstance(tree, list):
        return repr(tree) if isinstance(tree, str) else str(tree)
    head, *rest = tree
    phrase = _PHRASES.get(head)
    return phrase(*rest) if phrase else f"{words(rest[0])} {head} {words(rest[1])}"


def _joined(head: str) -> Callable[..., str]:
    return lambda *parts: f" {head} ".join(map(words, parts))


def _slice(items: Tree, low: Tree, high: Tree) -> str:
    ends = ("" if end is None else words(end) for end in (low, high))
    return f"{words(items)}[{':'.join(ends)}]"


def _call(name: str, *arguments: Tree) -> str:
    if name in {"rank", "dtype", "size", "shape"} and len(arguments) == 1:
        return f"{words(arguments[0])}'s {name}"
    return f"{name.replace('_', ' ')}({', '.join(map(words, arguments))})"


_PHRASES: dict[str, Callable[..., str]] = {
    "input": lambda key: f"input {key}",
    "output": lambda key: f"output {key}",
    "attr": str,
    "env": lambda name: f"the file's {name[5:].replace('_', ' ')}" if name.startswith("file_") else f"setting {name}",
    "var": str,
    "inputs": lambda: "inputs",
    "outputs": lambda: "outputs",
    "op": lambda: "op",
    "op_version": lambda: "op version",
    "arity": lambda: "number of inputs",
    "inside": lambda: "the verdicts within it",
    "given_back": lambda: "an input of its graph is also an output",
    "captures": lambda: "its graphs read constants of the graph around them",
    "graph": lambda: "graph",
    "get": lambda owner, field: f"{words(owner)}'s {field.replace('_', ' ')}",
    "index": lambda items, place: f"{words(items)}[{words(place)}]",
    "slice": _slice,
    "list": lambda *items: f"[{', '.join(map(words, items))}]",
    "call": _call,
    "range": lambda low, high: f"{words(low)}..{words(high)}",
    "not": lambda part: f"not {words(part)}",
    "if": lambda test, then, other: f"{words(then)} if {words(test)} else {words(other)}",
    "for": lambda name, items, body, *_: f"{words(body)} for {name} in {words(items)}",
    "and": _joined("and"),
    "or": _joined("or"),
}
