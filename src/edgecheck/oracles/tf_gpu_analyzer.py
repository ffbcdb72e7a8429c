"""TensorFlow Lite's model analyzer, up to TensorFlow 2.17.1: which operators the classic GPU delegate takes.

The delegate (OpenCL, OpenGL ES; Metal on iOS) decides with the same function on a phone. Later analyzers, and that of
ai-edge-litert, answer "compatible" to every model, so the version is pinned. Only the analyzer's own library is
loaded, not TensorFlow. `supported`: no incompatibility was reported; `fallback`: the CPU runs it, with the reason.

The delegate reads float16 constants behind a DEQUANTIZE as constants (FP16GraphPartitionHelper in LiteRT's
tflite/delegates/utils.cc); the analyzer does not and would refuse every convolution of a float16 file. So it is given
the file with those inputs rewired, which is what the delegate asks about.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from edgecheck.oracles import Answer

NAME = "tensorflow-cpu"
ENVIRONMENT = "tf-gpu-analyzer"
NEEDS = ("tensorflow-cpu", "flatbuffers", "numpy")
TARGETS = ("litert-gpu",)

_ANALYZER = "tensorflow/lite/python/analyzer_wrapper/_pywrap_analyzer_wrapper.so"
_SCHEMA = "tensorflow/lite/python/schema_py_generated.py"
_GRAPH = re.compile(r"^Subgraph#(\d+)")
_OPERATOR = re.compile(r"^  Op#(\d+) (.+?)\(.*\) -> \[.*\]$")
_REFUSED = re.compile(r"^GPU COMPATIBILITY WARNING: (.*)$")
#: What it says of a custom operator, whose options it never reads: the delegate has them.
_BLIND = ("Unable to retrieve custom_initial_data", "Unable to retrieve builtin_data")
_FLOAT16, _DEQUANTIZE = 1, 6


def warm_up() -> None:
    """Load the analyzer and the schema once, before the forks."""
    _module(_ANALYZER), _module(_SCHEMA)


def _module(path: str) -> Any:
    """One file of TensorFlow's distribution as a module, without importing TensorFlow."""
    import importlib.util
    import sys

    name = Path(path).stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, str(distribution(NEEDS[0]).locate_file(path)))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator, in the file's order."""
    analyze = _module(_ANALYZER).ModelAnalyzer
    content = rewired(model.read_bytes())
    if content is None:
        return list(answers(analyze(str(model), True, True)))
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        file.write(content)
        file.flush()
        return list(answers(analyze(file.name, True, True)))


def rewired(content: bytes) -> bytes | None:
    """The file as the analyzer can read it; None where it can as it stands.

    Readers of dequantised float16 constants read the constants, and values that lie behind the flatbuffer lie in it.
    """
    import flatbuffers

    model = _module(_SCHEMA).ModelT.InitFromPackedBuf(bytearray(content), 0)
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    changed = inlined(model, content)
    for graph in model.subgraphs:
        operators = [] if graph.operators is None else graph.operators
        folded = {}
        for operator in operators:
            if codes[operator.opcodeIndex] == _DEQUANTIZE and _is_half_constant(model, graph, operator.inputs[0]):
                folded[int(operator.outputs[0])] = int(operator.inputs[0])
        for operator in operators if folded else []:
            operator.inputs = [folded.get(int(i), int(i)) for i in ([] if operator.inputs is None else operator.inputs)]
            changed = True
    if not changed:
        return None
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def inlined(model: Any, content: bytes) -> bool:
    """Bring the bytes behind the flatbuffer into their buffers; whether there were any."""
    import numpy

    behind = [buffer for buffer in model.buffers or [] if buffer.offset > 1]
    for buffer in behind:
        buffer.data = numpy.frombuffer(content, "uint8", buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    return bool(behind)


def _is_half_constant(model: Any, graph: Any, number: int) -> bool:
    tensor = graph.tensors[number]
    data = model.buffers[tensor.buffer].data
    return bool(tensor.type == _FLOAT16 and data is not None and len(data))


def answers(report: str) -> Iterator[Answer]:
    """The verdicts in the analyzer's text: a warning stands under the operator it is about."""
    graph, found = 0, None
    for line in report.splitlines():
        operator, refused = _OPERATOR.match(line), _REFUSED.match(line)
        if start := _GRAPH.match(line):
            graph = int(start[1])
        elif operator:
            if found is not None:
                yield found
            found = Answer(graph=graph, index=int(operator[1]), op=_name(operator[2]), verdict="supported")
        elif refused and found is not None and not refused[1].startswith("Subgraph#"):
            verdict = "inconclusive" if refused[1].startswith(_BLIND) else "fallback"
            found = Answer(graph=found.graph, index=found.index, op=found.op, verdict=verdict, reason=refused[1])
    if found is not None:
        yield found


def _name(text: str) -> str:
    """`CUSTOM MyOp` as the custom code alone."""
    return text.removeprefix("CUSTOM ")
