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
