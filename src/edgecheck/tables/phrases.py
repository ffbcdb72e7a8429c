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


def said(name: str, arguments: tuple[Tree, ...] | list[Tree], truth: bool) -> str:
    """A question of the language as a sentence: `input 1 is not a constant`, `'x' has dynamic dimensions`."""
    if name == "known" and str(arguments[0][-1]).startswith("file_"):
        return f"the file has {'' if truth else 'no '}{arguments[0][1][5:].replace('_', ' ')}"
    if name not in _SENTENCES or len(arguments) != 1:
        return f"{words(['call', name, *arguments])} is {str(truth).lower()}"
    about = arguments[0]
    of_a_tensor = isinstance(about, list) and about[0] == "call" and about[1] in {"shape", "rank", "dtype", "size"}
    if name == "exists" and (of_a_tensor or (isinstance(about, list) and about[0] in {"index", "slice"})):
        return f"{words(about)} is {'' if truth else 'not '}known"
    return f"{words(about)} {_SENTENCES[name][not truth]}"


def _joined(head: str) -> Callable[..., str]:
    return lambda *parts: f" {head} ".join(map(words, parts))


def _for(name: str, items: Tree, body: Tree, *tests: Tree) -> str:
    item = ["var", name]
    if not tests and isinstance(body, list) and body[0] == "if" and body[2] == item:
        return words(items)  # axes from the end, counted from the start
    if not tests or body != item:
        return f"{words(body)} for {name} in {words(items)}"
    if "'const'" not in str(tests[0]):
        return f"{words(items)} that count"
    return f"{'computed' if tests[0][0] == 'not' else 'constant'} {words(items)}"


def _slice(items: Tree, low: Tree, high: Tree) -> str:
    ends = ("" if end is None else words(end) for end in (low, high))
    return f"{words(items)}[{':'.join(ends)}]"


def _of(owner: str, field: str) -> str:
    """`input 0's dtype`, `'x' dtype`."""
    return f"{owner} {field}" if owner.endswith("'") else f"{owner}'s {field}"


_PROPERTIES = {
    "rank": "rank", "dtype": "dtype", "size": "size", "shape": "shape", "value": "values", "scalar": "value",
    "shape1": "stored shape", "shape4": "shape in four dimensions", "origin": "stored dtype",
    "unit_type": "type on the engine", "unit_scale": "scale on the engine",
    "unit_zero_point": "zero point on the engine",
}  # fmt: skip
#: Functions that lead from a tensor to what stands beside it.
_PATHS = {
    "before": "the first input of what makes {}", "after": "the first output of what reads {}",
    "made_from": "the inputs of what makes {}", "read_into": "the outputs of what reads {}",
    "siblings": "the inputs of what reads {}", "made_with": "{1} of what makes {0}",
    "maker_verdict": "the verdict on what makes {}", "reader_verdict": "the verdict on what reads {}",
}  # fmt: skip


def _call(name: str, *arguments: Tree) -> str:
    if name == "known":
        return words(arguments[0])
    if name == "len":
        return f"number of {words(arguments[0])}"
    if name in _PROPERTIES and len(arguments) == 1:
        return _of(words(arguments[0]), _PROPERTIES[name])
    if name in _PATHS:
        return _PATHS[name].format(words(arguments[0]), *arguments[1:])
    return f"{name.replace('_', ' ')}({', '.join(map(words, arguments))})"


#: What a question says of its tensor when it holds, and when it does not.
_SENTENCES: dict[str, tuple[str, str]] = {
    "computed": ("is known before the model runs", "is computed while the model runs"),
    "const": ("is a constant", "is not a constant"),
    "exists": ("is given", "is left out"),
    "folded": ("is a constant once the file is loaded", "is not a constant once the file is loaded"),
    "maker_supported": ("is made by an operator that runs here", "is made by an operator that does not run here"),
    "of_model": ("is an input or output of the model", "is no input or output of the model"),
    "per_channel": ("is quantised per channel", "is not quantised per channel"),
    "unit_per_channel": ("is quantised per channel on the engine", "is quantised per tensor on the engine"),
    "quantized": ("is quantised", "is not quantised"),
    "readers_supported": ("is read by operators that run here", "is read by an operator that does not run here"),
    "sparse": ("is sparse", "is not sparse"),
    "static": ("has a fixed shape", "has dynamic dimensions"),
    "variable": ("is a variable", "is not a variable"),
    "written": ("is written in the file", "is not written in the file"),
}
_PHRASES: dict[str, Callable[..., str]] = {
    "input": lambda key: f"input {key}",
    "output": lambda key: f"output {key}",
    "attr": str,
    "env": lambda name: f"the file's {name[5:].replace('_', ' ')}" if name.startswith("file_") else f"setting {name}",
    "var": lambda name, title=None: title or name,
    "inputs": lambda: "inputs",
    "outputs": lambda: "outputs",
    "op": lambda: "op",
    "op_version": lambda: "op version",
    "arity": lambda: "number of inputs",
    "named": lambda: "names of the inputs",
    "inside": lambda: "the verdicts within it",
    "inner_ops": lambda: "the operators within it",
    "given_back": lambda: "an input of its graph is also an output",
    "captures": lambda: "its graphs read constants of the graph around them",
    "ranks_meet": lambda: "its graphs end in the same ranks",
    "graph": lambda: "its graph's number",
    "get": lambda owner, field: _of(words(owner), field.replace("_", " ")),
    "index": lambda items, place: f"{words(items)}[{words(place)}]",
    "slice": _slice,
    "list": lambda *items: f"[{', '.join(map(words, items))}]",
    "call": _call,
    "range": lambda low, high: f"{words(low)}..{words(high)}",
    "not": lambda part: f"not {words(part)}",
    "if": lambda test, then, other: f"{words(then)} if {words(test)} else {words(other)}",
    "for": _for,
    "and": _joined("and"),
    "or": _joined("or"),
}
