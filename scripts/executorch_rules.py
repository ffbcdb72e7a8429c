"""What ExecuTorch's tables are written from: limits, rules, and what an operator of a file becomes.

Each backend's own module (executorch_xnnpack, executorch_vulkan, executorch_coreml, executorch_ethos_u) reads its
partitioner into a `Backend`; scripts/import_executorch.py writes the tables.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from executorch_parts import ALIASES, IN_PLACE, NO_KERNEL, NOTHING_LEFT, PARTS

SCHEMA = Path(__file__).parents[1] / "src" / "edgecheck" / "model" / "formats" / "aten_schema.txt"
_LOWERING = json.loads(Path(__file__).with_name("executorch_lowering.json").read_text(encoding="utf-8"))
SEEN = {op: tuple(parts) for op, parts in _LOWERING["parts"].items() if parts != [op]}
NO_KERNEL_PARTS = frozenset(_LOWERING["no_kernel"])
NO_WAY = frozenset(_LOWERING["no_way"])
BECOMES = {**PARTS, **dict.fromkeys(NOTHING_LEFT, ())}


@dataclass(frozen=True, kw_only=True)
class Limit:
    id: str
    require: str
    say: str
    source: str
    otherwise: str = "fallback"
    help: str = ""
    when: str = ""
    of: str = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One [[op]]: its limits, or a refusal."""

    op: str
    source: str
    limits: tuple[Limit, ...] = ()
    refusal: str = ""
    verdict: str = "fallback"


@dataclass(kw_only=True)
class Backend:
    """What a backend takes: edge operator → place, and limits for each operator of the file."""

    place: Mapping[str, str]
    limits: Mapping[str, tuple[Limit, ...]]  # by edge operator: hold for whatever is lowered to it
    own: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)  # by the operator of the file
    whole: frozenset[str] = frozenset()  # operators of the file that the backend keeps as they are
    becomes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # where its own passes come before


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def written(rule: Rule) -> str:
    lines = ["[[op]]", f"op = {quoted(rule.op)}"]
    if rule.refusal:
        lines += [f'verdict = "{rule.verdict}"', f"say = {quoted(rule.refusal)}"]
    lines.append(f"source = [{quoted(rule.source)}]")
    for limit in rule.limits:
        lines += ["[[op.limit]]", f"id = {quoted(limit.id)}"]
        lines += [f"when = {quoted(limit.when)}"] if limit.when else []
        lines += [f'of = "{limit.of}"'] if limit.of else []
        if not limit.require:
            lines += [f"opaque = {quoted(limit.say)}", f"source = [{quoted(limit.source)}]"]
            continue
        lines += [f"require = {quoted(limit.require)}"]
        lines += [
            f'otherwise = "{limit.otherwise}"',
            f"say = {quoted(limit.say)}",
            f"source = [{quoted(limit.source)}]",
        ]
        lines += [f"help = {quoted(limit.help)}"] if limit.help else []
    return "\n".join(lines) + "\n"


def line_of(path: Path, pattern: str) -> int:
    """The first line that matches; a pattern that is gone stops the import."""
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.search(pattern, text):
            return number
    raise SystemExit(f"{path}: {pattern} is not there any more")


INFERENCE = Limit(
    id="inference", require="not attr.train", source="exir", otherwise="rejected",
    say="while training it draws random numbers, for which ExecuTorch has no kernel", help="call .eval() before the export",
)  # fmt: skip
TRAINING = replace(
    INFERENCE, require="not attr.training",
    say="while training it becomes aten._native_batch_norm_legit_functional.default, for which ExecuTorch has no kernel",
)  # fmt: skip
DROPPING = replace(
    INFERENCE, otherwise="fallback", say="while training it draws random numbers, in ExecuTorch's portable kernel"
)


def rules(backend: Backend, operators: list[str], becomes: Mapping[str, tuple[str, ...]]) -> Iterator[Rule]:
    """A rule for each operator of a file, from the edge operators that it becomes."""
    for op in operators:
        parts = (op,) if op in backend.whole else becomes.get(op, (op,))
        missing = [part for part in parts if part not in backend.place]
        places = [backend.place[part] for part in parts if part in backend.place]
        if missing and op in becomes and op not in backend.whole:
            without = [part for part in missing if part in NO_KERNEL_PARTS or part in NO_KERNEL]
            says = f"becomes {', '.join(without)}, for which ExecuTorch has no kernel"
            yield Rule(
                op=op,
                source=places[0] if places else "portable",
                refusal=says if without else f"becomes {', '.join(missing)}, which the backend does not take",
                verdict="rejected" if without else "fallback",
            )
            continue
        if missing:
            continue
        limits: dict[tuple[str, str], Limit] = {}
        for part in parts:
            for limit in backend.limits.get(part, ()) if op not in backend.own or part == op else ():
                limits.setdefault((limit.id, limit.require), limit)
        for limit in backend.own.get(op, ()):
            limits.setdefault((limit.id, limit.require), limit)
        if op == "aten.batch_norm.default" and op not in backend.whole and op not in backend.own:
            limits["inference", ""] = TRAINING
        if op.partition("dropout")[1] and op not in backend.whole:
            limits["inference", ""] = DROPPING if op == "aten.dropout.default" else INFERENCE
        yield Rule(
            op=op, source=places[0] if places else "exir:remove_noop_pass.py", limits=tuple(numbered(limits.values()))
        )


def numbered(limits: Iterable[Limit]) -> Iterator[Limit]:
    """The limits, a name that comes again with a number behind it."""
    seen: Counter[str] = Counter()
    for limit in limits:
        seen[limit.id] += 1
        yield limit if seen[limit.id] == 1 else replace(limit, id=f"{limit.id}-{seen[limit.id]}")


def operators(backend: Backend) -> list[str]:
    """Edge operators and the operators of a file that become them, those in place included."""
    return sorted({op for op in (*backend.place, *BECOMES, *backend.own) if "." in op})


def twins(rule: Rule, schema: frozenset[str]) -> Iterator[Rule]:
    """The same rule for the operator that writes in place, and for other names of the same one."""
    name, _, overload = rule.op.removeprefix("aten.").partition(".")
    for short in (name, *ALIASES.get(name, ())):
        for op in (f"aten.{short}.{overload}", f"aten.{short}_.{overload}"):
            known = op in schema or (short in IN_PLACE and op.partition("_.")[2] == "default")
            known = known or (
                op in (f"aten.{short}.Tensor", f"aten.{short}.Scalar") and short != name and short[0] == "_"
            )
            if known and op != rule.op:
                yield replace(rule, op=op)


def in_place_of(ops: Iterable[str]) -> Iterator[str]:
    """The operators of torch that do the same in place."""
    for op in ops:
        space, name, overload = op.split(".")
        if f"{space}.{name}_.{overload}" in schema_names():
            yield f"{space}.{name}_.{overload}"


@cache
def schema_names() -> frozenset[str]:
    """Every operator that torch has."""
    return frozenset(line.split()[0] for line in SCHEMA.read_text(encoding="utf-8").splitlines()[1:] if line)


def portable(site: Path) -> Iterator[Rule]:
    """The kernel calls of a .pte, and the runtime's own instructions."""
    text = (site / "executorch/kernels/portable/functions.yaml").read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"- (op|func): (?:aten::)?([\w.:]+)", line)
        if found:
            name = found[2].replace("::", ".")
            op = name if name.startswith(("dim_order_ops.", "et_copy.")) else f"aten.{name}"
            op = op if op.count(".") == 2 else f"{op}.default"
            yield Rule(op=op, source=f"portable:{number}", refusal="runs on the CPU, in ExecuTorch's portable kernel")
    for name in ("move_call", "jump_false_call", "free_call"):
        yield Rule(op=f"executorch.{name}", source="schema", refusal="is an instruction of ExecuTorch's runtime")


def delegates(backend_id: str) -> Iterator[str]:
    """Entries for delegate calls: the target's own is supported, another's is not known here."""
    for name in ("XnnpackBackend", "CoreMLBackend", "VulkanBackend", "EthosUBackend", "QnnBackend", "NeutronBackend"):
        limit = (
            ""
            if name == backend_id
            else (
                '[[op.limit]]\nid = "another-backend"\n'
                f'opaque = "it was lowered to {name}: it runs where the app links that backend too"\nsource = ["schema"]\n'
            )
        )
        yield f'[[op]]\nop = "executorch_call_delegate::{name}"\nsource = ["schema"]\n{limit}'


#: Activations that a layer of weights takes along.
FUSED = [
    "aten.relu.default",
    "aten.relu_.default",
    "aten.hardtanh.default",
    "aten.hardtanh_.default",
    "aten.relu6.default",
    "aten.relu6_.default",
]
#: Unrolled into linear layers and arithmetic.
RECURRENT = (
    "aten.lstm.input", "aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input",
    "aten.lstm_cell.default", "aten.gru_cell.default", "aten.rnn_tanh_cell.default", "aten.rnn_relu_cell.default",
)  # fmt: skip
#: What `x.to(…)` and `x.type_as(…)` are in a file.
CASTS = ("aten.type_as.default", "aten.to.dtype", "aten.to.dtype_layout", "aten.to.device", "aten.to.other")
