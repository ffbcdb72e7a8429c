"""A limit's tree on a node: true, false, or unknown with the reason (Kleene's three-valued logic)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edgecheck.errors import FormatError
from edgecheck.model.graph import Node, Tensor
from edgecheck.tables.functions import FUNCTIONS
from edgecheck.tables.phrases import Tree, words
from edgecheck.tables.scope import LARGEST_VALUE, NAMES, Absent, Scope, Unknown, tensor_field


def evaluate(tree: Tree, scope: Scope) -> Any:
    """The tree's value; `Unknown` wherever something it needs is not known. Never raises on a file's content."""
    if not isinstance(tree, list):
        return tree
    return _HEADS[tree[0]](tree, scope)


def holds(tree: Tree, scope: Scope) -> bool | Unknown:
    """The tree as a condition."""
    value = _HEADS[tree[0]](tree, scope) if type(tree) in _TREES else tree
    kind = type(value)
    if kind is bool or kind is Unknown:
        return value  # type: ignore[no-any-return]
    return Unknown(f"{value.what} is not there") if kind is Absent else bool(value)


def _known(tree: Tree, scope: Scope) -> Any:
    """The value, with a thing that is absent turned into unknown."""
    value = _HEADS[tree[0]](tree, scope) if type(tree) in _TREES else tree
    return Unknown(f"{value.what} is not there") if type(value) is Absent else value


def _all_known(trees: Sequence[Tree], scope: Scope) -> list[Any] | Unknown:
    values = []
    for tree in trees:
        value = _known(tree, scope) if type(tree) in _TREES else tree
        if type(value) is Unknown:
            return value
        values.append(value)
    return values


def _and(tree: Tree, scope: Scope) -> Any:
    unknown = None
    for operand in tree[1:]:
        value = holds(operand, scope)
        if value is False:
            return False
        if value is not True:
            unknown = unknown or value
    return unknown or True


def _or(tree: Tree, scope: Scope) -> Any:
    unknown = None
    for operand in tree[1:]:
        value = holds(operand, scope)
        if value is True:
            return True
        if value is not False:
            unknown = unknown or value
    return unknown or False


def _not(tree: Tree, scope: Scope) -> Any:
    value = holds(tree[1], scope)
    return value if isinstance(value, Unknown) else not value


def _if(tree: Tree, scope: Scope) -> Any:
    test = holds(tree[1], scope)
    if isinstance(test, Unknown):
        then, other = evaluate(tree[2], scope), evaluate(tree[3], scope)
        return then if type(then) is type(other) and then == other else test
    return evaluate(tree[2] if test else tree[3], scope)


def _contains(item: Any, many: Any) -> Any:
    if isinstance(many, range):
        return isinstance(item, (int, float)) and many.start <= item < many.stop
    if isinstance(many, tuple) and len(many) == 3 and many[0] == "between":
        return isinstance(item, (int, float)) and many[1] <= item <= many[2]
    if type(many) is list and _partly(many):
        return (
            True
            if item in [one for one in many if not isinstance(one, Unknown)]
            else Unknown("part of a list is not known")
        )
    return item in many


def _divide(a: Any, b: Any) -> Any:
    return a / b if b else Unknown("a division by zero")


def _power(a: Any, b: Any) -> Any:
    return a**b if abs(a) <= 2**32 and 0 <= b <= 16 else Unknown("a power out of range")


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "//": lambda a, b: a // b if b else Unknown("a division by zero"),
    "%": lambda a, b: a % b if b else Unknown("a division by zero"),
    "**": _power,
    "in": _contains,
    "range": lambda a, b: ("between", a, b),
}


def _binary(tree: Tree, scope: Scope) -> Any:
    head, left, right = tree
    if type(left) in _TREES and type(left := _known(left, scope)) is Unknown:
        return left
    if type(right) in _TREES and type(right := _known(right, scope)) is Unknown:
        return right
    if head != "in" and ((type(left) is list and _partly(left)) or (type(right) is list and _partly(right))):
        return _lists_equal(left, right, head)
    try:
        if head == "not in":
            inside = _contains(left, right)
            return inside if isinstance(inside, Unknown) else not inside
        return _BINARY[head](left, right)
    except (TypeError, ValueError, OverflowError):
        return Unknown(f"{words(tree)} has no value here")


def _partly(values: list[Any]) -> bool:
    """Whether a place of a list is unknown."""
    return Unknown in map(type, values)


def _lists_equal(left: Any, right: Any, head: str) -> Any:
    """Lists with unknown places: different for sure, or unknown."""
    if head in {"==", "!="} and isinstance(left, list) and isinstance(right, list):
        pairs = [(a, b) for a, b in zip(left, right) if not isinstance(a, Unknown) and not isinstance(b, Unknown)]
        if len(left) != len(right) or any(a != b for a, b in pairs):
            return head == "!="
    return Unknown("a dimension is not known")


def _operand(tree: Tree, scope: Scope) -> Any:
    head, key = tree
    node = scope.node
    tensors = node.inputs if head == "input" else node.outputs
    if type(key) is str:
        if head == "output" or key not in node.input_names:
            return Absent(f"{head} {key}")
        key = node.input_names.index(key)
    tensor = tensors[key] if -len(tensors) <= key < len(tensors) else None
    return Absent(f"{head} {tree[1]}") if tensor is None else tensor


def _attribute(tree: Tree, scope: Scope) -> Any:
    value = scope.node.attrs.get(tree[1])
    if value is None:
        return Absent(f"attribute {tree[1]}")
    return list(value) if isinstance(value, tuple) else value


def _setting(tree: Tree, scope: Scope) -> Any:
    value = scope.env.get(tree[1])
    return Unknown(f"setting {tree[1]} is not set (--set {tree[1]}=…)") if value is None else value


def _name(tree: Tree, scope: Scope) -> Any:
    match tree[0]:
        case "inputs":
            return [tensor for tensor in scope.node.inputs if tensor is not None]
        case "outputs":
            return [tensor for tensor in scope.node.outputs if tensor is not None]
        case "op":
            return scope.node.op
        case "graph":
            return scope.node.graph
        case "arity":
            return len(scope.node.inputs)
        case "named":
            return list(scope.node.input_names)
        case "inside":
            within = (scope.edges.nodes.get(number, ()) for number in scope.node.subgraphs)
            return [_verdict(node, scope) for nodes in within for node in nodes]
        case "inner_ops":
            return [node.op for number in scope.node.subgraphs for node in scope.edges.nodes.get(number, ())]
        case "given_back":
            return any(number in scope.edges.given_back for number in scope.node.subgraphs)
        case "captures":
            return any(number in scope.edges.captures for number in scope.node.subgraphs)
        case "ranks_meet":
            return _ranks_meet([scope.edges.results.get(number, ()) for number in scope.node.subgraphs])
        case _:
            version = scope.node.version
            return Unknown("the operator's version is not known") if version is None else version


def _ranks_meet(results: Sequence[Sequence[Tensor]]) -> bool | Unknown:
    """Whether the graphs of a node end in the same ranks; one pair that differs decides."""
    pairs = [{tensor.rank for tensor in pair} for pair in zip(*results)]
    if any(len(ranks - {None}) > 1 for ranks in pairs):
        return False
    return Unknown("a rank within it is not known") if any(None in ranks for ranks in pairs) else True


def _verdict(node: Node, scope: Scope) -> str | Unknown:
    """Of another node on the same target."""
    verdict = "unknown" if scope.verdict is None else scope.verdict(node)
    return Unknown(f"{node.op} within it is not decided") if verdict == "unknown" else verdict


def _get(tree: Tree, scope: Scope) -> Any:
    tensor = _known(tree[1], scope)
    if type(tensor) is Tensor:
        return tensor_field(tensor, tree[2], scope.edges)
    return tensor if type(tensor) is Unknown else Unknown(f"{words(tree[1])} is no tensor")


def _index(tree: Tree, scope: Scope) -> Any:
    values = _all_known(tree[1:], scope)
    if isinstance(values, Unknown):
        return values
    items, index = values
    if isinstance(items, dict) and isinstance(index, str):
        value = items.get(index, Absent(words(tree)))
        return list(value) if isinstance(value, tuple) else value
    if not isinstance(items, list) or not isinstance(index, int):
        return Unknown(f"{words(tree)} has no value here")
    return items[index] if -len(items) <= index < len(items) else Unknown(f"{words(tree[1])} has no place {index}")


def _slice(tree: Tree, scope: Scope) -> Any:
    items = _known(tree[1], scope)
    ends = [None if end is None else _known(end, scope) for end in tree[2:]]
    for value in (items, *ends):
        if isinstance(value, Unknown):
            return value
    whole = all(end is None or isinstance(end, int) for end in ends)
    return items[slice(*ends)] if isinstance(items, list) and whole else Unknown(f"{words(tree)} has no value here")


def _list(tree: Tree, scope: Scope) -> Any:
    values = tree[1:]
    return values if _TREES.isdisjoint(map(type, values)) else _all_known(values, scope)


def _for(tree: Tree, scope: Scope) -> Any:
    """A list with one value per item; an item whose test is unknown gives an unknown value."""
    items = _items(tree, scope)
    return items if isinstance(items, Unknown) else list(_values(tree, items, scope))


def _items(loop: Tree, scope: Scope) -> list[Any] | Unknown:
    """What a loop goes over."""
    items = _known(loop[2], scope)
    if isinstance(items, tuple):  # a range
        if items[2] - items[1] >= LARGEST_VALUE:
            return Unknown(f"{words(loop[2])} is too long to look at")
        return list(range(items[1], items[2] + 1))
    return items if isinstance(items, (list, Unknown)) else Unknown(f"{words(loop[2])} is no list")


def _values(loop: Tree, items: Sequence[Any], scope: Scope) -> Iterator[Any]:
    """The body's value for each item that the tests let through."""
    _, variable, _, body, *tests = loop
    before = scope.bound
    scope.bound = bound = dict(before)
    try:
        for item in items:
            bound[variable] = item
            wanted = _and([None, *tests], scope) if tests else True
            if wanted is not False:
                yield _known(body, scope) if wanted is True else wanted
    finally:
        scope.bound = before


def _quantified(every: bool, loop: Tree, scope: Scope) -> Any:
    """`all(… for …)` and `any(… for …)`: the first item that decides ends the loop."""
    items = _items(loop, scope)
    if isinstance(items, Unknown):
        return items
    unknown = None
    for value in _values(loop, _deciding(loop, items), scope):
        if type(value) is Unknown:
            unknown = unknown or value
        elif bool(value) is not every:
            return not every
    return unknown or every


def _deciding(loop: Tree, items: list[Any]) -> Sequence[Any]:
    """Enough of many plain numbers: the distinct ones, and of a bare comparison with a literal the two ends."""
    if len(items) < 8 or not set(map(type, items)) <= {int, float}:
        return items
    distinct = dict.fromkeys(items)
    body = loop[3]
    bare = isinstance(body, list) and body[0] in {"<", "<=", ">", ">="} and len(loop) == 4
    if not bare or isinstance(body[2], list) or body[1] != ["var", loop[1]] or any(map(math.isnan, distinct)):
        return list(distinct)
    return [min(distinct), max(distinct)]


def _call(tree: Tree, scope: Scope) -> Any:
    name, arguments = tree[1], tree[2:]
    if name == "exists":
        return not isinstance(evaluate(arguments[0], scope), (Absent, Unknown))
    if name == "written":
        return _written(arguments[0], scope)
    if name == "known" and len(arguments) == 2:
        value = evaluate(arguments[0], scope)
        return evaluate(arguments[1], scope) if isinstance(value, (Absent, Unknown)) else value
    if name in {"all", "any"} and len(arguments) == 1:
        if isinstance(arguments[0], list) and arguments[0][0] == "for":
            return _quantified(name == "all", arguments[0], scope)
        items = _known(arguments[0], scope)
        if isinstance(items, Unknown):
            return items
        return (_and if name == "all" else _or)([None, *(_Held(item) for item in items)], scope)
    values = _all_known(arguments, scope)
    if isinstance(values, Unknown):
        return values
    try:
        return FUNCTIONS[name](scope, *values)
    except (TypeError, ValueError, OverflowError, IndexError, AttributeError, ZeroDivisionError):
        return Unknown(f"{words(tree)} has no value here")
    except FormatError as error:
        return Unknown(str(error))


def _written(attribute: Tree, scope: Scope) -> Any:
    """Whether the file itself says the attribute, and not the format's default."""
    if not isinstance(attribute, list) or attribute[0] != "attr":
        return Unknown("written() asks of an attribute")
    names = scope.node.written
    return attribute[1] in (scope.node.attrs if names is None else names)


class _Held(list[Any]):
    """A value already computed, standing where a tree is expected."""

    def __init__(self, value: Any) -> None:
        super().__init__(["held", value])


#: What is a tree, and no value of its own.
_TREES = frozenset({list, _Held})

_HEADS: dict[str, Callable[[Tree, Scope], Any]] = {
    "and": _and,
    "or": _or,
    "not": _not,
    "if": _if,
    "input": _operand,
    "output": _operand,
    "attr": _attribute,
    "env": _setting,
    "get": _get,
    "index": _index,
    "slice": _slice,
    "list": _list,
    "for": _for,
    "call": _call,
    "var": lambda t, s: s.bound[t[1]],
    "held": lambda t, _: t[1],
    **dict.fromkeys(NAMES, _name),
    **dict.fromkeys((*_BINARY, "not in"), _binary),
}
