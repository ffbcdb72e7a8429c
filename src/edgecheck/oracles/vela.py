"""Arm's Vela compiler: which operators of a TFLite file it places on the Ethos-U, and why not the others.

Vela 5 compiles every TFLite file with its C++ core (Regor); what it leaves to the CPU stands in the file it
writes under its own name, and the log names the constraint. A file that breaks TFLite's semantics is refused
as a whole: the operator named by the error is `rejected`, nothing is said of the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgecheck.oracles import Answer, isolated

NAME = "ethos-u-vela"
ENVIRONMENT = "vela"
NEEDS = ("ethos-u-vela",)
TARGETS = ("ethos-u55", "ethos-u65", "ethos-u85")
SECONDS = 240.0

CONFIGS = {"ethos-u55": "ethos-u55-128", "ethos-u65": "ethos-u65-256", "ethos-u85": "ethos-u85-256"}
_WARNING = re.compile(
    r"Warning \(supported operators\) operator: (?P<op>\w+), ofm: '(?P<ofm>.*?)'\n(?P<why>(?:.+\n?)*)", re.MULTILINE
)
_INVALID = re.compile(
    r"Error: (?P<op>\w*) '(?P<name>.*?)' Does not have valid TFLite Semantics\.\s+- (?P<why>.+?)( Failed to parse|$)"
)
# It ended by itself, or for want of memory: a std::vector cannot be larger than the address space.
_CRASHES = ("killed by", "no answer", "larger than max_size", "bad_alloc", "MemoryError")
# What Vela inserts around bool graph inputs and outputs; Ethos-U55 cannot run it, whatever the operator is.
_BOOL_EDGE = ("operation (NotEqual) could", "operation (And) could")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Op:
    graph: int
    index: int
    op: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.graph, self.op, self.outputs or self.inputs[:1])


def warm_up() -> None:
    """Import Vela once, before the forks."""
    from ethosu.vela import vela  # noqa: F401


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator; `settings["config"]` is the accelerator configuration."""
    import tempfile

    ops = list(operators(model.read_bytes()))
    with tempfile.TemporaryDirectory() as folder:
        config = settings.get("config") or CONFIGS[target]
        ran = isolated(lambda: _compile(model, config, folder), seconds=SECONDS)
        if ran.value != 0:
            return _refused(ops, ran.failure or f"vela ended with {ran.value}")
        placed = list(operators(Path(folder, f"{model.stem}_vela.tflite").read_bytes()))
        known = {name for op in ops for name in op.outputs}
        cpu = Counter(_renamed(op, known).key for op in placed if op.op != "CUSTOM:ethos-u")
    reasons = _reasons(ran.text)
    return [_answer(op, cpu, reasons) for op in ops]


def _renamed(op: _Op, known: set[str]) -> _Op:
    """Vela calls a bool output it converts `<name>_int8`."""
    back = (n if n in known or n.removesuffix("_int8") not in known else n.removesuffix("_int8") for n in op.outputs)
    return replace(op, outputs=tuple(back))


def _compile(model: Path, config: str, folder: str) -> int:
    from ethosu.vela import vela

    return int(vela.main([str(model), "--accelerator-config", config, "--output-dir", folder]) or 0)


def _reasons(text: str) -> dict[tuple[str, str], str]:
    """What the log says, by operator and the name of its output."""
    return {(_plain(match["op"]), match["ofm"]): _one_line(match["why"]) for match in _WARNING.finditer(text)}


def _plain(op: str) -> str:
    """The log writes ARGMAX where the schema writes ARG_MAX."""
    return op.replace("_", "")


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip()).removeprefix("Reason: ")


def _answer(op: _Op, cpu: Counter[tuple[Any, ...]], reasons: Mapping[tuple[str, str], str]) -> Answer:
    """Left to the CPU: it stands in the compiled file, or it was refused and then removed as dead."""
    if not any(op.outputs):
        nameless = "its outputs have no names, so it cannot be told apart in the compiled file"
        return Answer(graph=op.graph, index=op.index, op=op.op, verdict="inconclusive", reason=nameless)
    own = next((reasons[_plain(op.op), name] for name in op.outputs if (_plain(op.op), name) in reasons), None)
    if cpu[op.key] <= 0 and own is None:
        return Answer(graph=op.graph, index=op.index, op=op.op, verdict="supported")
    cpu[op.key] -= 1
    fused = (why for (_, name), why in reasons.items() if name in op.outputs)
    return Answer(
        graph=op.graph, index=op.index, op=op.op, verdict="fallback", reason=own or next(fused, "left to the CPU")
    )


def _refused(ops: list[_Op], failure: str) -> list[Answer]:
    """The file was not compiled: the operator an error names is rejected, the rest stays open."""
    error = _INVALID.search(failure)
    makers = [op for op in ops if error and error["op"] and error["name"] in op.outputs]
    return [
        Answer(graph=op.graph, index=op.index, op=op.op, verdict=verdict, reason=reason)
        for op in ops
        for verdict, reason in [
            ("inconclusive", "the file was refused for another operator")
            if makers and op not in makers
            else _refusal(op, failure, alone=len(ops) == 1)
        ]
    ]


def _refusal(op: _Op, failure: str, *, alone: bool) -> tuple[str, str]:
    error = _INVALID.search(failure)
    if error and error["name"] in (*op.outputs, *op.inputs):
        same = not error["op"] or _plain(error["op"]) == _plain(op.op)
        return ("rejected", error["why"]) if same else ("inconclusive", "the file was refused for another operator")
    crashed = any(text in failure for text in _CRASHES) or "Error" not in failure
    if not alone or crashed or any(text in failure for text in _BOOL_EDGE):
        return "inconclusive", failure
    return "rejected", failure


def operators(data: bytes) -> Iterator[_Op]:
    """Every operator of a TFLite file, with the names of its tensors."""
    from ethosu.vela.tflite.BuiltinOperator import BuiltinOperator
    from ethosu.vela.tflite.Model import Model

    names = {value: name for name, value in vars(BuiltinOperator).items() if isinstance(value, int)}
    model = Model.GetRootAsModel(bytearray(data), 0)
    codes = []
    for i in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        custom = code.CustomCode()
        codes.append(f"CUSTOM:{custom.decode()}" if custom else names.get(number, str(number)))
    for graph in range(model.SubgraphsLength()):
        subgraph = model.Subgraphs(graph)
        tensors = [(subgraph.Tensors(i).Name() or b"").decode() for i in range(subgraph.TensorsLength())]
        for index in range(subgraph.OperatorsLength()):
            op = subgraph.Operators(index)
            yield _Op(
                graph=graph,
                index=index,
                op=codes[op.OpcodeIndex()],
                outputs=tuple(tensors[op.Outputs(i)] for i in range(op.OutputsLength())),
                inputs=tuple(tensors[op.Inputs(i)] if op.Inputs(i) >= 0 else "" for i in range(op.InputsLength())),
            )
