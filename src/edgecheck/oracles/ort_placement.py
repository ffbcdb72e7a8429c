"""ONNX Runtime with WebGPU, native and in the browser, or with WebNN: what its log says, and what a run adds to that.

An operator is `supported` where all of it is placed on WebGPU (or WebNN) and a run with made-up values succeeds,
`fallback` where it is placed on the CPU, `rejected` where no session can be made, or the run fails although the CPU
alone can run it with the same values, has no kernel of it or fails whatever they are, or the CPU's kernel fails
whatever the values are. Where the CPU fails too for another reason the values are at fault, and placement alone
decides. Where sizes are open, and a run fails with some and succeeds with others, or fails on the CPU too, or the CPU
cannot be asked, there is no answer.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgecheck.model import formats
from edgecheck.model.graph import Model
from edgecheck.oracles import Answer, onnx_feeds
from edgecheck.oracles.onnx_cut import cut

_ALL = re.compile(r"All nodes placed on \[(?P<provider>\w+)ExecutionProvider\]")
_SOME = re.compile(r"Node\(s\) placed on \[(?P<provider>\w+)ExecutionProvider\]")
_NODE = re.compile(r"VerifyEachNodeIsAssignedToAnEp\]\s+(?P<op>[\w.:]+) \((?P<name>.*)\)\s*$")
_WEBNN = "WebNN"
_COPIES = ("MemcpyToHost", "MemcpyFromHost")

_NO_KERNEL = re.compile(
    r"ERROR_CODE: 9\b|NOT_IMPLEMENTED|Could not find an implementation|Provider type for .* is not set"
)
_INVALID = re.compile(
    r"INVALID_GRAPH|Unrecognized attribute|Mismatched attribute type|ERROR_CODE: 10\b"
    r"|TypeInferenceError|ShapeInferenceError|Type Error|Failed to load model"
)
#: What the adapter lacks, not the runtime: SwiftShader has no 16-bit floats in shaders.
_ADAPTER = re.compile(r"requires f16|shader-f16|Failed to get (GPU|a WebGPU) adapter|no available backend|Vulkan", re.I)
#: WebNN computed the operator beforehand (a Shape), so that the cut graph has no input left: it says nothing of it.
_FOLDED = re.compile(r"The number \(\d+\) of MLTensor\(s\) doesn't match the expectation \(0\)")
#: What a failed run says of the node: WebGPU's kernels in JavaScript, and all others.
_RAN = re.compile(r"Kernel \"\[\w+\] (?P<javascript>[^\"]*)\" failed|while running \w+ node\. Name:'(?P<native>[^']*)'")
_GONE = re.compile(
    r"no answer in|killed by|Failed to construct locale|aborted|unreachable|memory access|out of memory"
    r"|device (was )?lost|called recursively",
    re.I,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What became of a session: whether it was made, the log until then, and why it, or its run, failed."""

    made: bool
    log: Sequence[str] = field(default=())
    failure: str = ""


#: (model, values to run it with or None, on the CPU alone) → what became of it.
Maker = Callable[[bytes, list[onnx_feeds.Value] | None, bool], Session]


def placed(lines: Sequence[str]) -> list[tuple[str, str, str]]:
    """(operator, name, provider without "ExecutionProvider") of each node of the log's last list, copies left out.

    Where all nodes lie on one provider the log names none: ("", "", provider).
    """
    return [one for one in _listed(lines) if one[0] not in _COPIES]


def _listed(lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    provider = ""
    for line in lines:
        every = _ALL.search(line)
        if every:
            yield "", "", every["provider"]
        some = _SOME.search(line)
        if some:
            provider = some["provider"]
            continue
        node = _NODE.search(line)
        if node and provider:
            yield node["op"], node["name"], provider


def answers(model: Path, make: Maker, *, accelerated: bool = True, run: bool = True) -> list[Answer]:
    """One for each operator of the file, graphs depth-first; what is alike is asked about once.

    `accelerated`: WebGPU is asked for; without it the CPU's own support is the question.
    """
    seen: dict[bytes | None, tuple[str, str]] = {None: ("inconclusive", "it cannot be cut out of its model")}
    out = []
    for piece in cut(model, quantized=False):
        if piece.content is not None and piece.content not in seen:
            seen[piece.content] = judged(piece.content, make, at=piece.at, accelerated=accelerated, run=run)
        verdict, reason = seen[piece.content]
        out.append(Answer(graph=piece.graph, index=piece.index, op=piece.op, verdict=verdict, reason=reason))
    return out


def judged(content: bytes, make: Maker, *, at: int = 0, accelerated: bool = True, run: bool = True) -> tuple[str, str]:
    """Verdict and reason of the node `at` of the model; what stands before it makes its constants."""
    model = _read(content)
    values = onnx_feeds.values(model) if run else None
    others = [node.name for node in model.nodes if (node.graph, node.index) != (0, at)]
    session = make(content, values, not accelerated)
    if not session.made:
        culprit = _named(session.failure, [node.name for node in model.nodes])
        if culprit in others:  # WebNN builds all of the file before it says so
            return "inconclusive", f"{culprit}, which makes its constants, is refused: {_short(session.failure)}"
        return _refused(session.failure)
    verdict, reason = _verdict(session.log, others) if accelerated else ("supported", "a session was made")
    told = session.failure
    if verdict == "fallback" and _ADAPTER.search(told):  # what ran beside it on the GPU: the CPU's kernel was not asked
        told = make(content, values, True).failure
    if (verdict == "fallback" or not accelerated) and onnx_feeds.refused_in_every_run(model, told):
        return "rejected", f"{reason}, where every run fails: {_short(told)}"
    if not told or verdict != "supported" or _FOLDED.search(told):
        return verdict, reason
    if _GONE.search(told) or _ADAPTER.search(told) or _ran(told) in others:
        return "inconclusive", f"placed, fails when it runs: {_short(told)}"
    control = make(content, values, True) if accelerated else session
    if not control.made and _GONE.search(control.failure):
        return "inconclusive", f"placed, fails when it runs: {_short(told)}"
    if control.made and control.failure and not onnx_feeds.refused_in_every_run(model, control.failure):
        undecided = accelerated and onnx_feeds.open_sizes(model)
        return "inconclusive" if undecided else verdict, f"{reason}; not executed: {_short(control.failure)}"
    if onnx_feeds.open_sizes(model) and (not control.made or _runs_resized(model, content, make)):
        return "inconclusive", f"placed; whether it runs may hang on its open sizes: {_short(told)}"
    return "rejected", f"placed, fails when it runs: {_short(told)}"


def _runs_resized(model: Model, content: bytes, make: Maker) -> bool:
    """Whether it runs with another size for each that is open."""
    values = onnx_feeds.values(model, size=onnx_feeds.OTHER)
    return values is not None and not make(content, values, False).failure


def _ran(failure: str) -> str:
    """The node that failed in a run; "" where the message names none."""
    found = _RAN.search(failure)
    return re.sub(r"_token_\d+$", "", found["javascript"] or found["native"] or "") if found else ""


def _named(failure: str, names: Sequence[str]) -> str:
    """The node that WebNN's message begins with, as `[name]` or `[name_part]`; "" where it names none."""
    found = [one for one in names if one and re.search(rf"\[{re.escape(one)}[\]_]", failure)]
    return max(found, key=len, default="")


def _refused(failure: str) -> tuple[str, str]:
    """What it means that no session was made."""
    if _GONE.search(failure) or (_ADAPTER.search(failure) and not _NO_KERNEL.search(failure)):
        return "inconclusive", _short(failure)
    if _INVALID.search(failure) and not _NO_KERNEL.search(failure):
        return "invalid", _short(failure)
    return "rejected", _short(failure)


def _verdict(log: Sequence[str], others: Sequence[str]) -> tuple[str, str]:
    """From the placement of the operator, and of the nodes that its function body became."""
    here = [(op, name, provider) for op, name, provider in placed(log) if name not in others]
    if any(provider != "CPU" for _, _, provider in here):  # a constant's new layout is computed beforehand, on the CPU
        here = [one for one in here if not (one[0] == "Transpose" and one[1].startswith("Transpose"))] or here
    on_cpu = sorted({op for op, _, provider in here if provider == "CPU"})
    if not on_cpu:
        return "supported", f"placed on {'WebNN' if any(provider == _WEBNN for *_, provider in here) else 'WebGPU'}"
    return "fallback", f"placed on the CPU: {', '.join(filter(None, on_cpu)) or 'all of it'}"


def _read(content: bytes) -> Model:
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(content)
        file.flush()
        return formats.read(Path(file.name))


def _short(text: str) -> str:
    """One line, without the paths of the machine that built the runtime."""
    line = re.sub(r"/\S+/onnxruntime/(core|contrib_ops)/\S+ ", "", " ".join(text.split()))
    return line if len(line) <= 400 else f"{line[:120]} … {line[-270:]}"
