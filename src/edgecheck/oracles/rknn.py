"""Rockchip's RKNN-Toolkit2: whether its compiler places an ONNX operator on the NPU, on the CPU, or refuses it.

`build(verbose=True)` prints a table of layers with their target. The file is cut into its operators; all that one
became decides, but for the operators cut out with it, and the reshapes, transposes and paddings that fit it in.
`supported`: on the NPU; `fallback`: on the chip's CPU; `rejected`: loading or building fails, or it becomes a custom
operator that nobody has registered. Float16 without quantisation; chips that only have integers (RV1103) are built with
int8 on made-up calibration values, or with the scales of a file that brings its own. What refuses a file whatever its
operators are, a newer opset or an input without a size, rejects them all. Pieces that differ only in the values of
weights and scales are built once. Rockchip's terms come with the package: nothing of it is kept here but the verdicts.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgecheck.model import formats
from edgecheck.oracles import Answer, Ran, isolated, onnx_alone

NAME = "rknn-toolkit2"
ENVIRONMENT = "rknn"
NEEDS = ("rknn-toolkit2", "onnx", "onnxruntime", "numpy")
TARGETS = ("rknn-rk3588", "rknn-rk3566", "rknn-rv1103")
SECONDS = 90.0

_INTEGERS = ("rv1103", "rv1106")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_LAYER = re.compile(r"D RKNN: \[[\d:.]+\] \d+\s+(?P<op>\S+)\s+\S+\s+(?P<target>CPU|NPU|GPU)\s+.*?(?P<name>\S+)\s*$")
_CUSTOM = re.compile(r"Meet RKNN unsupport Operator: .*?type = (?P<op>\w+)")
_SAID = re.compile(
    r"^(?:\w+\.)*\w*(?:Error|Exception|NotImplemented|Fail|InvalidGraph|InvalidArgument): ?.*", re.MULTILINE
)
_ABOUT = re.compile(r"The (?:input \d+ of )?(?P<op>[A-Z]\w+)\('")
#: Preconditions of the file, and of the one-operator model, that say nothing of the operator; a file whose shapes break
#: the operator's own rules ends in a ShapeInferenceError.
_NO_EVIDENCE = (
    "are constants", "is not support!", "Not support input data type", "InvalidGraph",
    "Exception during initialization", "Type Error", "[ShapeInferenceError]",
)  # fmt: skip
_QUANTISING = ("QuantizeLinear", "DequantizeLinear")
#: What it prints where a file brings its own scales.
_IS_QUANTIZED = "please set do_quantization = False"
#: The toolkit runs the model on the CPU to fold constants; made-up values can fail there.
_RUN_FAILED = ("Non-zero status code", "InvalidArgument", "float NaN")
#: Sequences: it takes every input and every result for a tensor.
_NO_TENSOR = ("Invalid tensor data type", "expected to be of type")
#: What refuses a file whatever its operators are.
_OF_THE_FILE = ("onnx opset", "is not support!")
_LAST_OPSET = 19
#: Operators whose inputs behind the first are weights, and how large these are at least.
_WEIGHED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization")
_FEW = 16
#: A result that is quantised behind the clipping that belongs to it.
_CLIPPED = dict.fromkeys(("Conv", "ConvTranspose"), (("Relu", "QuantizeLinear"), ("Clip", "QuantizeLinear")))
_EDGES = ("InputOperator", "OutputOperator")
_LAYOUT = ("Reshape", "Transpose", "exDataConvert")
_OF_LAYOUT = (
    "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "QuantizeLinear",
    "DequantizeLinear",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """A row of the compiler's table."""

    op: str
    target: str
    name: str  # "Conv:conv1"; without a colon where the compiler made it for itself


def warm_up() -> None:
    """Import it, and make one object, before the forks: both are slow."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import onnxruntime  # noqa: F401
    from rknn.api import RKNN

    RKNN(verbose=False)


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator of the file."""
    chip = target.removeprefix("rknn-")
    refused = _refused_whole(model, chip)
    if refused is not None:
        return [
            Answer(graph=node.graph, index=node.index, op=node.op, verdict="rejected", reason=refused)
            for node in formats.read(model).nodes
        ]
    judge = partial(_judged, chip=chip, seen={})
    return onnx_alone.asking(judge, sizes=True, patterns=_CLIPPED)(model, target, settings)


def _refused_whole(model: Path, chip: str) -> str | None:
    """What the toolkit says of a file that it does not load for its opset or for the sizes of its inputs."""
    said = formats.read(model).metadata
    if int(said.get("opset") or 0) <= _LAST_OPSET and said.get("static_inputs") is not False:
        return None
    path = str(model.resolve())
    ran = isolated(lambda: _loaded(path, chip), seconds=SECONDS)
    if ran.value == 0 or onnx_alone.gone(ran) is not None:
        return None
    reason = _last_said(_COLOUR.sub("", ran.text), ran.failure or "")
    return onnx_alone.short(reason) if any(sign in reason for sign in _OF_THE_FILE) else None


def _judged(model: Path, name: str, op: str, *, chip: str, seen: dict[bytes, Ran]) -> tuple[str, str]:
    """`seen`: what building said of a file, by what is alike: the operators of one piece are asked about one by one."""
    nodes = list(formats.read(model).nodes)
    names = {node.name: node.name for node in nodes}
    content = model.read_bytes()
    if all(node.name and not node.subgraphs for node in nodes):
        names = {node.name: f"n{number}_" for number, node in enumerate(nodes)}
        content = _shortened(content)
    alike = _alike(content)
    if alike not in seen:
        with tempfile.TemporaryDirectory() as folder:
            short = Path(folder, "short.onnx")
            short.write_bytes(content)
            seen[alike] = _tried(str(short), chip)
    ran = seen[alike]
    text = _COLOUR.sub("", ran.text)
    lost = onnx_alone.gone(ran)
    if lost is not None:
        return "inconclusive", lost
    if ran.value != 0 and "IndexError" in text and chip in _INTEGERS and _takes_a_scalar(model):
        return "invalid", "an input of rank 0, or without a shape, cannot be calibrated"
    others = [short for long, short in names.items() if long != name]
    if ran.value != 0:
        verdict, reason = _refused(text, ran.failure or f"the build ended with {ran.value}", op)
        of_another = verdict == "rejected" and op in _QUANTISING and others and op not in reason
        return ("inconclusive" if of_another else verdict), reason
    custom = _CUSTOM.search(text)
    if custom:
        return "rejected", f"{custom['op']} becomes a custom operator that must be registered"
    layers = [_Layer(**one.groupdict()) for line in text.splitlines() if (one := _LAYER.search(line))]
    return _placed(layers, names.get(name, name), op, others)


def _shortened(content: bytes) -> bytes:
    """The file with its nodes named n0_, n1_ … and its tensors t0_, t1_ …: the compiler's table cuts long names off."""
    import onnx

    model = onnx.load_from_string(content)
    tensors: dict[str, str] = {"": ""}
    for number, node in enumerate(model.graph.node):
        node.name = f"n{number}_"
        for side in (node.input, node.output):
            side[:] = [tensors.setdefault(name, f"t{len(tensors)}_") for name in side]
    for named in (model.graph.input, model.graph.output, model.graph.value_info, model.graph.initializer):
        for one in named:
            one.name = tensors.setdefault(one.name, f"t{len(tensors)}_")
    return bytes(model.SerializeToString())


def _alike(content: bytes) -> bytes:
    """The digest of a file without the values of its weights, and of its scales but for which are equal."""
    import onnx

    model = onnx.load_from_string(content)
    weights = {name for node in model.graph.node if node.op_type in _WEIGHED for name in node.input[1:]}
    scales = {name for node in model.graph.node if node.op_type in _QUANTISING for name in node.input[1:]}
    weights |= {node.input[0] for node in model.graph.node if node.op_type == _QUANTISING[1]}
    equal: dict[bytes, int] = {}
    for one in model.graph.initializer:
        large = math.prod(one.dims) >= _FEW
        if one.name in scales or (one.name in weights and large):
            values = onnx.numpy_helper.to_array(one).tobytes()
            number = 0 if large else equal.setdefault(values, len(equal) + 1)
            one.CopyFrom(onnx.TensorProto(name=one.name, data_type=one.data_type, dims=[*one.dims, number]))
    return hashlib.sha256(model.SerializeToString(deterministic=True)).digest()


def _tried(path: str, chip: str) -> Ran:
    """What building the file said: as it is, where it brings its own scales."""
    ran = isolated(lambda: _built(path, chip, chip in _INTEGERS), seconds=SECONDS)
    if _IS_QUANTIZED in ran.text:
        return isolated(lambda: _built(path, chip, False), seconds=SECONDS)
    return ran


def _takes_a_scalar(model: Path) -> bool:
    """Or what the toolkit takes for one: an input that was cut out without its shape."""
    return any(not one.rank for one in formats.read(model).graphs[0].inputs if not one.const)


def _refused(text: str, failure: str, op: str) -> tuple[str, str]:
    said = _last_said(text, failure)
    reason = onnx_alone.short(said)
    if said.startswith("KeyError") and not said.endswith(f"'{op}'"):
        return "inconclusive", reason  # the toolkit lost a tensor by its name
    about = _ABOUT.search(said)
    if about and about["op"] != op:
        return "inconclusive", reason  # a neighbour that was cut out with the operator
    if any(sign in said for sign in _NO_EVIDENCE):
        return "invalid", reason
    if any(sign in said for sign in _NO_TENSOR):
        return "rejected", reason
    return ("inconclusive" if any(sign in said for sign in _RUN_FAILED) else "rejected"), reason


def _last_said(text: str, failure: str) -> str:
    """The last error that was printed; the line below one that has no words of its own."""
    every = list(_SAID.finditer(text))
    if not every:
        return failure
    said = every[-1][0].strip()
    below = text[every[-1].end() :].split("\n\n", 1)[0].split("\n")
    return " ".join([said, *(line.strip() for line in below[:2])]).strip() if said.endswith(":") else said


def _placed(layers: list[_Layer], name: str, op: str, others: Sequence[str] = ()) -> tuple[str, str]:
    """`others`: the names of the operators that were cut out with this one."""
    every = [one for one in layers if one.op not in _EDGES]
    rows = [one for one in every if not _of_others(one, name, others)]
    named = [one for one in rows if one.name.partition(":")[2].startswith(name)]
    if op in _QUANTISING and others:  # a neighbour took it in, or it converts; reshapes are there to fit the neighbour
        own = [one for one in named if one.op not in ("Reshape", "Transpose")]
    elif op in _OF_LAYOUT and (named or others):
        own = [one for one in named if one.op not in _LAYOUT] or named
    else:
        own = _made(rows) or _made(every) or named or rows or every
        own = [one for one in own if one.op != "Pad" or op == "Pad"] or own
    if op == "Transpose" or op not in _OF_LAYOUT:  # reshapes, named after its results, are there to fit it
        own = [one for one in own if one.op == "Transpose"] or own
    told = ", ".join(f"{one.op} on the {one.target}" for one in own) or "nothing of it is left"
    return ("supported" if all(one.target == "NPU" for one in own) else "fallback"), told


def _made(rows: list[_Layer]) -> list[_Layer]:
    """What computes, and stands for operators of the file."""
    return [one for one in rows if one.op not in _LAYOUT and ":" in one.name]


def _of_others(layer: _Layer, name: str, others: Sequence[str]) -> bool:
    said = layer.name.partition(":")[2]
    longest = max((one for one in (name, *others) if one and said.startswith(one)), key=len, default=name)
    return longest != name


def _built(model: str, chip: str, quantize: bool) -> int:
    """What loading and building return; 0 is success."""
    from rknn.api import RKNN

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        rknn = RKNN(verbose=True)
        rknn.config(target_platform=chip)
        loaded = int(rknn.load_onnx(model))
        dataset = _calibration(model) if quantize and loaded == 0 else None
        return loaded or int(rknn.build(do_quantization=quantize, dataset=dataset))


def _loaded(model: str, chip: str) -> int:
    """What loading returns; 0 is success."""
    from rknn.api import RKNN

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        rknn = RKNN(verbose=True)
        rknn.config(target_platform=chip)
        return int(rknn.load_onnx(model))


def _calibration(model: str) -> str:
    """One sample of random values for the free inputs, as files of the current folder."""
    import numpy
    import onnx

    graph = onnx.load(model).graph
    constants = {one.name for one in graph.initializer}
    reads = [node.input for node in graph.node if node.op_type != "Shape"]
    read = {name for inputs in reads for name in inputs}  # the toolkit drops the others
    random = numpy.random.RandomState(0)
    names = []
    for number, one in enumerate(graph.input):
        if one.name in constants or one.name not in read:
            continue
        kind = onnx.helper.tensor_dtype_to_np_dtype(one.type.tensor_type.elem_type)
        shape = [size.dim_value for size in one.type.tensor_type.shape.dim]
        numpy.save(f"{number}.npy", numpy.asarray(random.rand(*shape) * (1 if kind.kind == "f" else 2)).astype(kind))
        names.append(f"{number}.npy")
    Path("calibration.txt").write_text(" ".join(names) + "\n")
    return "calibration.txt"
