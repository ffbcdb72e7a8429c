"""The files of this package that an oracle's answers depend on, read from its import statements.

A module depends on what it imports, at the top or inside a function, and what that imports. A package that is imported
counts whole, with the files of data beside its modules (a page, a schema): its modules may be imported by name. Only of
the package itself and of `edgecheck.oracles`, where every module stands alone, does nothing else count.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
_ALONE = (ROOT, ROOT / "oracles")


def mark(source: Path) -> bytes:
    """A digest of the file `source` and of all that it depends on; it changes when one of them does."""
    whole = hashlib.sha256(source.read_bytes())
    for path in files(source):
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return whole.digest()


def files(source: Path) -> tuple[Path, ...]:
    """The files of edgecheck that the module `source` depends on, sorted, without itself."""
    found: set[Path] = set()
    todo = [source]
    while todo:
        new = {file for file in _imported(todo.pop()) if file not in found}
        found |= new
        todo += sorted(file for file in new if file.suffix == ".py")
    return tuple(sorted(found - {source}))


@cache
def _imported(source: Path) -> frozenset[Path]:
    """The files of the modules that one file imports."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(*(_of(alias.name) for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:  # a module of that package, or something in it
                found |= _of(f"{node.module}.{alias.name}") or _of(node.module)
    return frozenset(found)


def _of(name: str) -> set[Path]:
    """The files of a module or package of edgecheck, with the `__init__.py` of those around it; none of another."""
    first, *parts = name.split(".")
    place = ROOT.joinpath(*parts)
    around = {folder / "__init__.py" for folder in (ROOT.joinpath(*parts[:depth]) for depth in range(len(parts)))}
    if first != ROOT.name:
        return set()
    if place.is_dir():
        return around | _package(place)
    return around | {place.with_suffix(".py")} if place.with_suffix(".py").is_file() else set()


def _package(folder: Path) -> set[Path]:
    if folder in _ALONE:
        return {folder / "__init__.py"}
    return {file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
