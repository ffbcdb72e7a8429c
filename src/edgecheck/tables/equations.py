"""What the limit language asks of an Einsum equation."""

from __future__ import annotations


def canonical(equation: str) -> str:
    """The equation with its letters renamed a, b, c, … as they come, without spaces."""
    names: dict[str, str] = {}
    letters = (names.setdefault(c, chr(ord("a") + len(names))) if c.isalpha() else c for c in equation)
    return "".join(c for c in letters if c != " ")


def lone_sums(equation: str) -> int:
    """How many letters one operand has alone and the result lacks, so that they are summed before any product;
    -1 where a letter stands twice in an operand: its diagonal is taken.
    """
    operands, arrow, result = equation.replace(" ", "").partition("->")
    terms = [[c for c in term if c.isalpha()] for term in operands.split(",")]
    if any(len(term) != len(set(term)) for term in terms):
        return -1
    letters = [c for term in terms for c in term]
    if not arrow:  # the result has what stands once
        return 0
    return sum(letters.count(c) == 1 and c not in result for c in letters)


def kind(equation: str) -> str:
    """What the equation is to an engine that knows few: "identity", "transpose", "sum" or "diagonal" of one operand
    ("inner diagonal": not of its last two dimensions, or with nothing left), "product" or "pairwise" of two
    ("flattened": more than one letter is summed over both); "" for all else.
    """
    operands, arrow, result = equation.replace(" ", "").partition("->")
    terms = operands.split(",")
    if not all(all(c.isalpha() for c in term) for term in (*terms, result)):
        return ""
    if not arrow:  # the letters that stand once, in their order
        result = "".join(sorted(c for c in set(operands) if c.isalpha() and operands.count(c) == 1))
    if len(terms) == 1:
        return _of_one(operands, result)
    if len(terms) > 2:
        return ""
    if terms == [result, result]:
        return "product"
    return "pairwise" if len((set(terms[0]) & set(terms[1])) - set(result)) < 2 else "flattened"


def _of_one(term: str, result: str) -> str:
    """The kind of an equation with one operand."""
    if len(term) == len(result):
        return "identity" if term == result else "transpose"
    if len(set(term)) == len(term):
        return "sum"
    if len(set(term)) < len(term) - 1 or sorted(set(term), key=term.index)[-1] != term[-1]:
        return ""
    return "diagonal" if term[-1] == term[-2] and result else "inner diagonal"
