"""What ML Drift, LiteRT's GPU accelerator, prints while a model is compiled: what it leaves to the CPU, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: One line an operator (`DENSIFY: Operation is not supported.`), then how many are left to the GPU.
_REFUSED = re.compile(r"Following operations are not supported by GPU delegate:\n(?P<why>(?:\S+: ?.*(?:\n|$))+)")
_SOME_TAKEN = re.compile(r"^[1-9]\d* operations will run on the GPU", re.M)
_NO_KERNEL = re.compile(
    r".*\n.*failed to prepare|Didn't find op for builtin opcode.*|Encountered unresolved custom op: \S+"
    r"|.*only supports static-sized tensors.*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an operator is left to the CPU (`own`; None: only others in the file are), and the first line of all."""

    own: str | None
    first: str
    some_taken: bool

    @property
    def reason(self) -> str:
        return (self.own or self.first)[:300]


def refusal(text: str, op: str) -> Refusal | None:
    """What was said of the operator `op`, the last of a small file; None where nothing was left to the CPU.

    A piece may hold what makes the operator's constants too (DENSIFY, DEQUANTIZE), which has refusals of its own.
    """
    refused = _REFUSED.search(text)
    if refused is None:
        return None
    lines = refused["why"].strip().splitlines()
    own = next((line for line in reversed(lines) if line.partition(":")[0] == op), None)
    return Refusal(own=own, first=lines[0], some_taken=_SOME_TAKEN.search(text) is not None)


def no_kernel(text: str) -> str | None:
    """The sentence with which LiteRT's own kernel, or the delegate that runs what is left, refused the model."""
    found = _NO_KERNEL.search(text)
    return None if found is None else found[0].strip()[:300]
