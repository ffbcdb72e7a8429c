"""The limit language: text into a small tree, and back into words.

Python's expression syntax, parsed with the standard library, plus two things Python has not: `in[0]`
for an input and `1..3` for an inclusive range. The tree is nested lists of JSON values, so that the bundle
holds limits already parsed; `evaluation.py` gives it a value. The words are in `op_tables/README.md`.
"""

from __future__ import annotations

import ast
import re

from edgecheck.tables.phrases import Tree
from edgecheck.tables.scope import NAMES

FIELDS = frozenset(
    {
        "shape",
        "rank",
        "dtype",
        "size",
        "nbytes",
        "name",
        "const",
        "scale",
        "zero_point",
        "scales",
        "zero_points",
        "axis",
        "producer",
        "consumers",
    }
)
TENSOR_FUNCTIONS = frozenset(
    {
        "exists",
        "written",
        "const",
        "folded",
        "computed",
        "dtype",
        "rank",
        "size",
        "shape",
        "static",
        "quantized",
        "per_channel",
        "sparse",
        "variable",
        "value",
        "scalar",
        "weight_sum",
        "broadcast",
        "known",
        "origin",
        "after",
        "before",
        "made_with",
        "readers_supported",
        "maker_supported",
        "of_model",
        "reader_verdict",
        "maker_verdict",
        "siblings",
        "read_into",
        "made_from",
        "clipped",
        "unclipped",
        "unit_type",
        "unit_scale",
        "unit_zero_point",
        "unit_per_channel",
        "shape1",
        "shape4",
    }
)
PLAIN_FUNCTIONS = frozenset(
    {
        "len",
        "min",
        "max",
        "abs",
        "sum",
        "round",
        "floor",
        "ceil",
        "log2",
        "pow2",
        "whole",
        "same",
        "all",
        "any",
        "prod",
        "canonical",
        "lone_sums",
        "einsum_kind",
    }
)
FUNCTIONS = TENSOR_FUNCTIONS | PLAIN_FUNCTIONS
LONGEST = 4000  # characters of one limit

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"[^"\\]*"|'[^'\\]*')|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<sign>\.\.|\*\*|//|[<>=!]=|[-+*/%<>()\[\],.:]))"""
)
_WORDS = frozenset({"and", "or", "not", "in", "if", "else", "for", "is"})

_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitOr: "range",
}


_SIDES = {"in_": "input", "out": "output"}


class LanguageError(ValueError):
    """A limit that is not in the language; the sentence quotes the part that is wrong."""


def parse(text: str) -> Tree:
    """The tree of a limit; raises `LanguageError` with the part that is not in the language."""
    if len(text) > LONGEST:
        raise LanguageError(f"a limit of {len(text)} characters; at most {LONGEST}")
    try:
        return _tree(ast.parse(_python(text), mode="eval").body, frozenset())
    except SyntaxError as error:
        raise LanguageError(f"{text!r} is not an expression: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise LanguageError("a limit nested too deeply") from None


def _python(text: str) -> str:
    """`in[0]` as `in_[0]` where an operand stands, `a..b` as `a | b` (binds tighter than `in`)."""
    out: list[str] = []
    at, operand = 0, True  # operand: a value may stand here, so `in` is the inputs
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise LanguageError(f"{text[at : at + 20]!r} is not in the limit language")
        at = match.end()
        token = match.group().strip()
        if token == "in" and operand:
            out.append("in_")
            operand = False
        elif match["sign"]:
            out.append("|" if token == ".." else token)
            operand = token not in {")", "]"}
        elif token == "in_":
            raise LanguageError("'in_' is not in the limit language")
        else:
            out.append(token)
            operand = token in _WORDS and not (token == "not" and not operand)
    return " ".join(out).replace(" . ", ".")


def _tree(node: ast.expr, bound: frozenset[str]) -> Tree:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return node.value
        case ast.Name(id=name) if name in bound:
            return ["var", name]
        case ast.Name(id=name) if name in NAMES:
            return [name]
        case ast.Subscript(value=ast.Name(id="in_" | "out" as side), slice=index):
            return [_SIDES[side], _position(index)]
        case ast.Attribute(value=ast.Name(id="in_" | "out" as side), attr=name):
            return [_SIDES[side], name]
        case ast.Attribute(value=ast.Name(id="attr" | "env" as owner), attr=name):
            return [owner, name]
        case ast.Attribute(value=value, attr=name) if name in FIELDS:
            return ["get", _tree(value, bound), name]
        case ast.Subscript(value=value, slice=ast.Slice(lower=low, upper=high, step=None)):
            ends = [None if end is None else _tree(end, bound) for end in (low, high)]
            return ["slice", _tree(value, bound), *ends]
        case ast.Subscript(value=value, slice=index):
            return ["index", _tree(value, bound), _tree(index, bound)]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return ["list", *(_tree(item, bound) for item in items)]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return ["call", name, *(_tree(argument, bound) for argument in args)]
        case ast.GeneratorExp(generators=[loop]) | ast.ListComp(generators=[loop]):
            return _loop(node.elt, loop, bound)
        case _:
            return _operation(node, bound)


def _operation(node: ast.expr, bound: frozenset[str]) -> Tree:
    match node:
        case ast.BoolOp(op=joint, values=values):
            return ["and" if isinstance(joint, ast.And) else "or", *(_tree(value, bound) for value in values)]
        case ast.UnaryOp(op=ast.Not(), operand=value):
            return ["not", _tree(value, bound)]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.UnaryOp(op=ast.USub(), operand=value):
            return ["-", 0, _tree(value, bound)]
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return [_BINARY[type(sign)], _tree(left, bound), _tree(right, bound)]
        case ast.IfExp(test=test, body=then, orelse=other):
            return ["if", _tree(test, bound), _tree(then, bound), _tree(other, bound)]
        case ast.Compare(left=left, ops=signs, comparators=others) if all(type(sign) in _COMPARE for sign in signs):
            sides = [_tree(side, bound) for side in (left, *others)]
            pairs = [[_COMPARE[type(sign)], sides[i], sides[i + 1]] for i, sign in enumerate(signs)]
            return pairs[0] if len(pairs) == 1 else ["and", *pairs]
        case ast.Name(id=name):
            raise LanguageError(f"{name!r} is not a name of the limit language")
        case ast.Call(func=ast.Name(id=name)):
            raise LanguageError(f"{name!r} is not a function of the limit language")
        case ast.Attribute(attr=name):
            raise LanguageError(f"{name!r} is not a field of a tensor")
        case _:
            raise LanguageError(f"{ast.unparse(node).replace('in_', 'in')!r} is not in the limit language")


def _position(index: ast.expr) -> int:
    match index:
        case ast.Constant(value=int() as position):
            return position
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as position)):
            return -position
        case _:
            raise LanguageError("an input or output is named by a number: in[0]")


def _loop(body: ast.expr, loop: ast.comprehension, bound: frozenset[str]) -> Tree:
    if not isinstance(loop.target, ast.Name) or loop.is_async:
        raise LanguageError("a loop has one plain variable: all(… for t in inputs)")
    inner = bound | {loop.target.id}
    tests = [_tree(test, inner) for test in loop.ifs]
    return ["for", loop.target.id, _tree(loop.iter, bound), _tree(body, inner), *tests]
