"""LiteRT's compiler plugins for NPUs, through the tool that applies one to a file ahead of time.

A file is cut, and the plugin is asked about each operator as a model of its own, in a process of its own. It selects
the operators that it takes, and compiles them: Qualcomm's with the compiler for the chip, which onnxruntime-qnn
brings. Intel's compiler for the NPU comes with its driver alone: OpenVINO's reader makes its model of what the plugin
selects, and there it ends. `supported`: selected and compiled (Intel: selected and read). `fallback`: not selected, so
the CPU keeps it. `rejected`: selected and then not compiled, or the plugin stopped: the whole model is then compiled
for no NPU. `invalid`: refused, and LiteRT's own kernels refuse the file too. Qualcomm's binaries come under their own
terms; only verdicts are kept.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecheck.lifetime import end_with_parent
from edgecheck.model import formats
from edgecheck.oracles import Answer, tflite_valid
from edgecheck.oracles.cut import Piece, cut
from edgecheck.oracles.tflite_probe import schema
from edgecheck.oracles.tflite_together import stands_alone, together, with_an_input

NAME = "ai-edge-litert"
ENVIRONMENT = "litert-npu"
NEEDS = ("ai-edge-litert", "onnxruntime-qnn", "openvino", "flatbuffers", "numpy")
TARGETS = ("litert-qualcomm", "litert-intel-npu")
SECONDS = 120.0

Found = tuple[str, str]  # verdict and reason
Asked = tuple[bytes, str]  # a model and the name of its operator

_COMPILED: Found = ("supported", "selected and compiled")
_TOGETHER_OK: Found = ("supported", "selected and compiled with its model")
_NOT_COMPILED: Found = ("rejected", "selected, and then not compiled")
_READ: Found = ("supported", "selected, and read by OpenVINO; the compiler for the NPU was not asked")
_STILL: Found = ("invalid", "it reads constants alone: nothing flows into the graph")
_DROPPED: Found = ("invalid", "the plugin drops the activation SIGN_BIT: the answer is about another operator")
_DYNAMIC: Found = ("inconclusive", "what the compiler for the NPU makes of an unknown dimension was not asked")
_MADE: Found = ("inconclusive", "not compiled with what makes its constants: which of them it was is not known")
_NOT_CUT: Found = ("inconclusive", "it cannot be cut out of its model")
_BY_OPENVINO = "OpenVINO: "
_TOGETHER = 24  # operators in one model
_LARGE = 1 << 24  # bytes of one model

_SELECTED = re.compile(r"Partitioned subgraph<0>, selected (\d+) ops, from a total of (\d+) ops")
_INLINED = re.compile(r"Inlined \d+ composite ops into subgraph<0>")
#: What a plugin prints of an operator that it does not take, and which of the models side by side it is of.
_REFUSED = re.compile(r"LiteRT Op #\d+ .* is not supported in .*(\n  .*)+")
_PLACE = re.compile(r"\bp(\d+)_\d+\b")
_BUILDER = re.compile(r"^ERROR: \[Qnn\] (?P<told>.*\w.*)", re.M)
_STOPPED = re.compile(r"^ERROR: \[[\w.]+:\d+\] (?P<told>(?!ERROR:|QNN op validation).*\w.*)", re.M)
_VALIDATED = "QNN op validation failed"
_READER = re.compile(r"Exception in compilation: (?P<told>.*)", re.S)
_NO_COMPILER = re.compile(r"VCL compiler loading failed|libopenvino_intel_npu_compiler")
_MACHINE = re.compile(r"Could not load shared library|Loaded 0 plugins|Failed to create backend handle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A plugin: its folder below `vendors`, its name in LiteRT, the chip that is asked for, and flags."""

    folder: str
    manufacturer: str
    chip: str
    flags: tuple[str, ...] = ()


VENDORS = {
    "litert-qualcomm": Vendor(
        folder="qualcomm", manufacturer="Qualcomm", chip="SM8750", flags=("--qualcomm_log_level=error",)
    ),
    "litert-intel-npu": Vendor(folder="intel_openvino", manufacturer="IntelOpenVINO", chip="PTL"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What the tool did: its exit status (None: it ran out of time), what it printed, and the operators that are left
    in the file: each with the place of the model it comes from, of those side by side."""

    status: int | None
    text: str
    left: frozenset[tuple[int, str]] = frozenset()
    made: frozenset[str] = frozenset()  # the tensors that those operators make


def warm_up() -> None:
    """Load the schema and the runtime once, before the forks."""
    import ai_edge_litert.interpreter  # noqa: F401

    schema()


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator. `settings["soc"]`: the chip."""
    vendor, pieces = VENDORS[target], cut(model, names=False)
    open_ones = dict(_open(model, target))
    with tempfile.TemporaryDirectory() as place:
        tool = Tool(vendor=vendor, chip=settings.get("soc") or vendor.chip, place=Path(place))
        whole = _with_its_model(model, tool) if vendor.folder == "qualcomm" else None
        if whole is not None:
            return [_answer(piece, open_ones, whole[piece.graph, piece.index]) for piece in pieces]
        asked = {piece.content: piece.op for piece in pieces if piece.content is not None}
        # Intel's plugin stops at the first partition for want of its compiler: what stands behind is never read.
        groups = _groups(asked) if vendor.folder == "qualcomm" else [[one] for one in asked.items()]
        found = {content: one for group in groups for content, one in _asked(group, tool)}
    return [_answer(piece, open_ones, found.get(piece.content or b"", _NOT_CUT)) for piece in pieces]


def _with_its_model(model: Path, tool: Tool) -> dict[tuple[int, int], Found] | None:
    """What becomes of each operator of a model with many and one graph; None where it does not compile as it is."""
    read_model = formats.read(model)
    nodes = list(read_model.nodes)
    named = [[one.name for one in node.outputs if one is not None] for node in nodes]
    if len(nodes) < 2 or len(read_model.graphs) > 1 or len({name[0] for name in named if name}) < len(nodes):
        return None
    ran = tool.apply(model.read_bytes())
    if ran.status != 0 or _INLINED.search(ran.text):
        return None
    return {
        (node.graph, node.index): ("fallback", "the plugin does not select it") if ran.made & {*names} else _TOGETHER_OK
        for node, names in zip(nodes, named)
    }


def _open(model: Path, target: str) -> Iterator[tuple[tuple[int, int], Found]]:
    """Operators of which `supported` would say nothing: Qualcomm's plugin drops a fused SIGN_BIT and hands on
    the same without it, and what Intel's compiler makes of an unknown dimension is not asked."""
    for node in formats.read(model).nodes:
        tensors = [tensor for tensor in (*node.inputs, *node.outputs) if tensor is not None]
        if target == "litert-qualcomm" and node.attrs.get("fused_activation_function") == "SIGN_BIT":
            yield (node.graph, node.index), _DROPPED
        elif target == "litert-intel-npu" and any(one.shape is None or None in one.shape for one in tensors):
            yield (node.graph, node.index), _DYNAMIC


def _answer(piece: Piece, open_ones: Mapping[tuple[int, int], Found], found: Found) -> Answer:
    other = open_ones.get((piece.graph, piece.index))
    verdict, reason = other if other is not None and (found[0] == "supported" or other == _DROPPED) else found
    return Answer(graph=piece.graph, index=piece.index, op=piece.op, verdict=verdict, reason=reason[:300])


def _groups(asked: Mapping[bytes, str]) -> Iterator[list[Asked]]:
    """A few models each, and not too many bytes; what has more subgraphs, or no input, is alone."""
    group, weight = list[Asked](), 0
    for one in asked.items():
        apart = stands_alone(one[0]) or with_an_input(one[0]) is None
        if group and (apart or len(group) == _TOGETHER or weight + len(one[0]) > _LARGE):
            yield group
            group, weight = [], 0
        if apart:
            yield [one]
        else:
            group.append(one)
            weight += len(one[0])
    if group:
        yield group


def _asked(group: Sequence[Asked], tool: Tool) -> Iterator[tuple[bytes, Found]]:
    """What becomes of each of the group; where the tool fails, of its halves."""
    if len(group) == 1:
        yield group[0][0], _alone(*group[0], tool)
        return
    found = tool.verdicts(
        together([with_an_input(content) or content for content, _ in group]), [op for _, op in group]
    )
    if found is not None:
        yield from ((content, _checked(content, one)) for (content, _), one in zip(group, found))
        return
    half = (len(group) + 1) // 2
    yield from _asked(group[:half], tool)
    yield from _asked(group[half:], tool)


def _alone(content: bytes, op: str, tool: Tool) -> Found:
    fed = with_an_input(content)
    asked = fed or content
    found = tool.verdict(asked if stands_alone(asked) else together([asked]), op)
    compiled = found in (_COMPILED, _NOT_COMPILED, _READ) or found[1].startswith(_BY_OPENVINO)
    if found == _NOT_COMPILED and schema().Model.GetRootAs(content, 0).Subgraphs(0).OperatorsLength() > 1:
        return _MADE
    return _STILL if fed is None and compiled else _checked(content, found)


def _checked(content: bytes, found: Found) -> Found:
    """`invalid` where LiteRT's own kernels refuse what the plugin refused, or make outputs of another shape."""
    if found[0] not in ("fallback", "rejected"):
        return found
    told = tflite_valid.complaint(content)
    if told is not None:
        return "invalid", f"LiteRT refuses it too: {told}"
    told = tflite_valid.restated(content)
    return found if told is None else ("invalid", f"the file is wrong: {told}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """LiteRT's tool with one plugin and chip; `place` is a folder for its files."""

    vendor: Vendor
    chip: str
    place: Path

    def verdicts(self, content: bytes, ops: Sequence[str]) -> list[Found] | None:
        """What becomes of the operators `ops` of the models side by side; None where the tool fails."""
        (self.place / "asked.tflite").write_bytes(content)
        ran = self._run("apply")
        if ran.status != 0 and not none_selected(ran):
            return None
        return [judged(ran, op, place) for place, op in enumerate(ops)]

    def verdict(self, content: bytes, op: str) -> Found:
        """What becomes of the operator `op` of a model."""
        (self.place / "asked.tflite").write_bytes(content)
        if self.vendor.folder == "qualcomm":
            return judged(self._run("apply"), op, 0)
        found = judged(self._run("partition"), op, 0)
        return read(self._run("apply")) if found[0] == "supported" else found

    def apply(self, content: bytes) -> Applied:
        """The plugin applied to a whole model."""
        (self.place / "asked.tflite").write_bytes(content)
        return self._run("apply")

    def _run(self, command: str) -> Applied:
        """The tool on the model that was written; subgraphs behind the first are left alone."""
        litert, made = _package("ai_edge_litert"), self.place / "made.tflite"
        made.unlink(missing_ok=True)
        arguments = [
            str(litert / "tools/apply_plugin_main"), f"--cmd={command}", f"--model={self.place / 'asked.tflite'}",
            f"--libs={litert / 'vendors' / self.vendor.folder / 'compiler'}", f"--o={made}", "--err=--",
            f"--soc_manufacturer={self.vendor.manufacturer}", f"--soc_model={self.chip}", "--subgraphs=0",
            *self.vendor.flags,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=SECONDS,
                preexec_fn=end_with_parent, cwd=self.place,
                env={**os.environ, "LD_LIBRARY_PATH": _libraries(self.vendor, self.place)},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Applied(status=None, text="")
        rest = list(_left(made.read_bytes())) if done.returncode == 0 and made.is_file() else []
        return Applied(
            status=done.returncode, text=done.stdout.decode(errors="replace"),
            left=frozenset((place, op) for place, op, _ in rest),
            made=frozenset(name for _, op, names in rest if op != "DISPATCH_OP" for name in names),
        )  # fmt: skip


def _package(name: str) -> Path:
    """Where a package lies; nothing of it is imported."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"{name} is not in this environment")
    return Path(next(iter(found.submodule_search_locations)))


def _libraries(vendor: Vendor, place: Path) -> str:
    """The folders with what the plugin links.

    Qualcomm's names one library more, for a low-power island, which the package does not have. It binds nothing of it
    and opens it only for that backend, so that another one stands under its name.
    """
    if vendor.folder != "qualcomm":
        return str(_package("openvino") / "libs")
    qnn, named = _package("onnxruntime_qnn"), place / "libQnnLpai.so"
    if not named.is_symlink():
        named.symlink_to(qnn / "libQnnSystem.so")
    return ":".join(str(one) for one in (qnn, qnn.with_name("onnxruntime_qnn.libs"), place))


def _left(content: bytes) -> Iterator[tuple[int, str, list[str]]]:
    """The operators of the first subgraph: the place that their tensors' names say, their names or custom codes, and
    the tensors that they make."""
    s = schema()
    model = s.ModelT.InitFromPackedBuf(bytearray(content), 0)
    names = {value: name for name, value in vars(s.BuiltinOperator).items() if isinstance(value, int)}
    main = model.subgraphs[0]
    for operator in [] if main.operators is None else main.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        custom = code.customCode.decode() if isinstance(code.customCode, bytes) else code.customCode
        ends = [int(i) for side in (operator.outputs, operator.inputs) if side is not None for i in side if i >= 0]
        said = " ".join(_text(main.tensors[i].name) for i in ends)
        place = _PLACE.search(said)
        name = custom or names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "")
        outputs = [] if operator.outputs is None else [int(i) for i in operator.outputs if i >= 0]
        yield int(place[1]) if place else 0, name, [_text(main.tensors[i].name) for i in outputs]


def _text(name: bytes | str | None) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name or ""


def none_selected(ran: Applied) -> bool:
    """Whether the plugin selected nothing: then the tool has nothing to compile, and fails."""
    selected = _SELECTED.search(ran.text)
    return selected is not None and selected[1] == "0"


def judged(ran: Applied, op: str, place: int) -> Found:
    """Verdict and reason of one run, of the operator `op` of the model at a place among those side by side."""
    if ran.status is None:
        return "inconclusive", f"no answer in {SECONDS:g} s"
    if ran.status < 0 or _MACHINE.search(ran.text):
        return "inconclusive", f"the tool ended with {ran.status}"
    if "LiteRtModel :" not in ran.text:
        return "invalid", "LiteRT does not read the file"
    if ran.status == 0 and (place, op) not in ran.left and not _INLINED.search(ran.text):
        return _COMPILED
    if ran.status == 0 or none_selected(ran):
        return "fallback", why(ran.text, place)
    if _SELECTED.search(ran.text):
        return _NOT_COMPILED
    return "rejected", f"the plugin stops: {_last(_STOPPED, ran.text) or 'it gives no reason'}"


def read(ran: Applied) -> Found:
    """Intel's: what becomes of what is selected. Its compiler for the NPU is not there."""
    if ran.status == 0 or _NO_COMPILER.search(ran.text):
        return _READ
    told = _READER.search(ran.text)
    if told is None or ran.status is None:
        return "inconclusive", f"the tool ended with {ran.status}"
    return "rejected", f"{_BY_OPENVINO}{' '.join(told['told'].split())}"


def why(text: str, place: int) -> str:
    """Why the operator of the model at a place was not selected; the validator's own words stay where they are."""
    if _INLINED.search(text):
        return "the composite's body was put in its place"
    start = 0
    for refused in _REFUSED.finditer(text):
        own = _PLACE.search(refused[0])
        if own is not None and int(own[1]) == place:
            before = text[start : refused.start()]
            told = _last(_BUILDER, before)
            if _VALIDATED in before:
                return "Qualcomm's validator refuses it"
            return f"the plugin builds nothing of it: {told}" if told else "the plugin has no builder for it"
        start = refused.end()
    return "the plugin does not select it"


def _last(pattern: re.Pattern[str], text: str) -> str:
    found = [match["told"].strip() for match in pattern.finditer(text)]
    return found[-1] if found else ""
