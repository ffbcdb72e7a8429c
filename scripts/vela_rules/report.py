"""Vela's report read into operators with their limits."""

from __future__ import annotations

import json
import re

from vela_rules.bullets import bullets
from vela_rules.fragments import dtypes
from vela_rules.limits import Limit, Section
from vela_rules.semantics import fused, semantics


def sections(lines: list[str], family: str) -> tuple[list[Section], list[tuple[int, str, list[str]]]]:
    """The operators of one family with their bullets, and the generic bullets with their exceptions."""
    table = next(i for i, line in enumerate(lines) if line == f"## {family} TFLite Summary Table")
    ops: dict[str, Section] = {}
    for i in range(table, len(lines)):
        if i > table and lines[i].startswith("## "):
            break
        if match := re.match(r"\| ([A-Z][A-Z0-9_]+) \|", lines[i]):
            ops[match[1]] = Section(match[1], i + 1)
    generic = []
    start = next(i for i, line in enumerate(lines) if line == f"## {family} TFLite Generic Constraints")
    for i in range(start + 1, len(lines)):
        if lines[i].startswith("## "):
            break
        if lines[i].startswith("- "):
            generic.append((i + 1, lines[i][2:], _exceptions(lines, i)))
    current: Section | None = None
    for i, line in enumerate(lines):
        if match := re.match(rf"### {family} TFLite ([A-Z0-9_]+) Constraints", line):
            current = ops.get(match[1])
        elif line.startswith("#"):
            current = None
        elif current and line.startswith("- "):
            current.bullets.append((i + 1, line[2:]))
    return list(ops.values()), generic


def _exceptions(lines: list[str], at: int) -> list[str]:
    for line in lines[at + 1 :]:
        if line.startswith(("- ", "#")):
            return []
        if match := re.match(r"\s+- Exceptions: \[([^\]]*)\]", line):
            return [name.strip().replace("ARGMAX", "ARG_MAX") for name in match[1].split(",")]
    return []


def limits_of(target: str, section: Section, generic: list[tuple[int, str, list[str]]]) -> list[Limit]:
    known = bullets(target, section.name)
    out = list(semantics(section.name))
    stated = [(line, text) for line, text, exceptions in generic if section.name not in exceptions] + section.bullets
    for line, text in stated:
        limit = next((one for start, one in known if text.startswith(start)), None)
        if limit is None:
            raise SystemExit(
                f"{section.name}: the report has a constraint that no rule here says: {text!r} (line {line})"
            )
        if limit.require == "True":
            continue
        types = dtypes(text) if "DTYPES" in limit.require else []
        require = limit.require.replace("DTYPES", json.dumps(types))
        say = limit.say.replace("DTYPES", ", ".join(types))
        out.append(Limit(limit.id, require, say, (f"report:{line}", *limit.source), limit.otherwise, limit.help))
    out += fused(target, section.name)
    return out
