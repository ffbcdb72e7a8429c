"""What `scripts/litert_qualcomm_types.txt` says, as limits of a table. The file's head says what a line means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TYPES = Path(__file__).with_name("litert_qualcomm_types.txt")

#: Types that the plugin hands on as they are, with a scale or without one.
UNSCALED = ("float16", "float32", "bool", "int64")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Types that are taken with `most` dimensions or fewer; `refused`: with one more, and then not compiled."""

    types: tuple[str, ...]
    quantized: bool
    most: int
    refused: bool

    @property
    def taken(self) -> int:
        return self.most + self.refused

    def matches(self, tensor: str) -> str:
        """The condition that a tensor is of these types. Scales of floats and booleans are not looked at, and int4 is
        handed on as quantised int8."""
        if self.quantized:
            scaled = f"quantized({tensor}) and {tensor}.dtype in {list(self.types)}"
            return f"({scaled} or {tensor}.dtype == 'int4')" if "int8" in self.types else f"({scaled})"
        parts = [[t for t in self.types if t in UNSCALED], [t for t in self.types if t not in UNSCALED]]
        conditions = [f"{tensor}.dtype in {parts[0]}"] if parts[0] else []
        conditions += [f"(not quantized({tensor}) and {tensor}.dtype in {parts[1]})"] if parts[1] else []
        return f"({' or '.join(conditions)})"


@dataclass(frozen=True, kw_only=True)
class Types:
    """The types of an operator, or of that for which `when` is true; `place`: the input that says them; `same`: tensors
    that must be alike."""

    op: str
    when: str
    place: int
    groups: tuple[Group, ...]
    same: tuple[str, ...]


def types(path: Path = TYPES) -> list[Types]:
    """What the file says of each operator."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            named, plain, quantized, *alike = (part.strip() for part in line.split(" | "))
            names, _, when = named.partition(" ? ")
            names, _, place = names.partition(" @")
            groups = (*_groups(plain, quantized=False), *_groups(quantized, quantized=True))
            same = tuple(" ".join(alike).split())
            found += [Types(op=op, when=when, place=int(place or 0), groups=groups, same=same) for op in names.split()]
    return found


def _groups(text: str, *, quantized: bool) -> Iterator[Group]:
    """`float32 int32 5; bool 4R` → the dimensions of each."""
    for part in text.split(";"):
        *names, most = part.split()
        if names:
            refused = most.endswith("R")
            yield Group(types=tuple(names), quantized=quantized, most=int(most.rstrip("R")), refused=refused)


def limits(one: Types) -> Iterator[str]:
    """Limits as TOML: the types, and the dimensions of each."""
    tensor = f"in[{one.place}]"
    if one.groups:
        yield _limit("types", " or ".join(g.matches(tensor) for g in one.groups), _said(one.groups))
    if one.same:
        yield _limit("one-type", " and ".join(_alike(t, tensor) for t in one.same), "these must be of one type")
    if len({g.taken for g in one.groups}) == 1:
        most = one.groups[0].taken
        yield _limit("dimensions", f"{tensor}.rank <= {most}", f"at most {most} dimensions")
    elif one.groups:
        require = " or ".join(f"({tensor}.rank <= {g.taken} and {g.matches(tensor)})" for g in one.groups)
        yield _limit(
            "dimensions", require, "; ".join(f"at most {g.taken} dimensions of {_said([g])}" for g in one.groups)
        )
    for g in one.groups:
        if g.refused:
            say = f"{g.taken} dimensions of {_said([g])} are selected, and then not compiled"
            require = f"{tensor}.rank != {g.taken} or not {g.matches(tensor)}"
            yield _limit(f"compiled-{g.types[0]}", require, say, otherwise="rejected")


def _alike(name: str, tensor: str) -> str:
    """`in1`, `out0`, or `inputs` for all of them: of the tensor's type, and quantised where it is."""
    scales = f"({tensor}.dtype in {list(UNSCALED)} or quantized(t) == quantized({tensor}))"
    alike = f"(t.dtype == {tensor}.dtype and {scales} or t.dtype == 'int4' and {tensor}.dtype in ['int4', 'int8'])"
    if name == "inputs":
        return f"all({alike} for t in inputs)"
    one = f"{name.rstrip('0123456789')}[{name.lstrip('inout')}]"
    return alike.replace("t.dtype ==", f"{one}.dtype ==").replace("quantized(t)", f"quantized({one})")


def _said(groups: Sequence[Group]) -> str:
    return "; ".join(("quantised " if g.quantized else "") + ", ".join(g.types) for g in groups)


def _limit(name: str, require: str, say: str, otherwise: str = "fallback") -> str:
    lines = [f'id = "{name}"', f'require = "{require}"', f'otherwise = "{otherwise}"', f'say = "{say}"']
    return "\n".join(["[[op.limit]]", *lines, 'source = ["measured"]', ""])
