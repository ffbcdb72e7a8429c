"""What people lost days to, each with the number of its report: edgecheck says it before the merge.

The files are made here to the report's description: the reports' own models are not public, or not free to keep.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecheck.check import check, point
from edgecheck.checking import check_model
from edgecheck.cli import main
from edgecheck.model.formats import read
from edgecheck.oracles import tflite_probe
from edgecheck.selection import selections
from edgecheck.tables import bundle
from npu_tables import op, t

F, I8 = "float32", {"q": [0.05, 3]}
WEIGHTS8 = {
    "t": "int8",
    "s": [4, 3, 3, 2],
    "q": {"s": [0.1, 0.2, 0.3, 0.4], "z": [0] * 4, "d": 0},
    "c": {"r": 1, "lo": -127, "hi": 127},
}
BIAS32 = {"t": "int32", "s": [4], "q": {"s": [0.005, 0.01, 0.015, 0.02], "z": [0] * 4, "d": 0}, "c": [0, 1, 2, 3]}
CONV = {
    "padding": "SAME", "stride_w": 1, "stride_h": 1, "dilation_w_factor": 1, "dilation_h_factor": 1,
    "fused_activation_function": "NONE",
}  # fmt: skip


def conv(version):
    """A convolution quantised channel by channel, as converters have written it since TensorFlow 2.3."""
    return {
        **op("CONV_2D", [t("int8", [1, 8, 8, 2], **I8), WEIGHTS8, BIAS32], [t("int8", [1, 8, 8, 4], **I8)], **CONV),
        "v": version,
    }


@pytest.mark.parametrize("report", ["tensorflow#43232", "tensorflow#41943", "tensorflow#42305"])
def test_an_operator_newer_than_the_boards_runtime(report):
    """`Didn't find op for builtin opcode 'CONV_2D' version '5'`: at load, on the board, after the model was shipped."""
    table = bundle.load("litert-cpu")
    old, new = (check(tflite_probe.read(conv(5)), point(table, version))[0] for version in ("2.2", "2.4"))
    assert old.verdict == "rejected", report
    assert "2." in old.reason
    assert old.evidence
    assert new.verdict == "supported"


def test_every_version_of_an_operator_needs_its_runtime():
    """tensorflow#50641, #47334: the same for other operators: what a runtime takes never shrinks as it gets newer."""
    table = bundle.load("litert-cpu")
    spec = {**op("ADD", [t(F, [1, 4]), t(F, [1, 4])], [t(F, [1, 4])], fused_activation_function="NONE"), "v": 1}
    assert {
        check(tflite_probe.read(spec), point(table, v))[0].verdict for v in ("1.15", "2.5", "2.14", "litert-2.3")
    } == {"supported"}
    newest = {**spec, "v": 6}
    verdicts = [check(tflite_probe.read(newest), point(table, v))[0].verdict for v in table.versions]
    assert "rejected" in verdicts
    assert sorted(verdicts, reverse=False) == verdicts  # rejected …, then supported …


def file(path: Path, nodes, inputs, outputs, constants=(), opset=17) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(numpy.asarray(value), name) for name, value in constants],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


def test_int64_leaves_webgpu(tmp_path):
    """onnxruntime#22425, #25236: embedding ids and masks in int64 run on the CPU side of a browser."""
    nodes = [
        helper.make_node("Add", ["ids", "one"], ["moved"]),
        helper.make_node("Gather", ["table", "moved"], ["words"]),
        helper.make_node("Relu", ["words"], ["y"]),
    ]
    constants = [("one", numpy.array(1)), ("table", numpy.ones((100, 8), numpy.float32))]
    path = file(
        tmp_path / "m.onnx",
        nodes,
        [("ids", TensorProto.INT64, [1, 128])],
        [("y", TensorProto.FLOAT, [1, 128, 8])],
        constants,
    )
    (target,) = check_model(read(path), selections(["ort-webgpu"], [], {})).targets
    verdicts = {one.node.op: one for one in target.verdicts}
    assert verdicts["Relu"].verdict == "supported"
    assert verdicts["Add"].verdict == "fallback"
    assert "int64" in verdicts["Add"].reason


def test_the_checker_said_yes_and_the_phone_said_no(tmp_path):
    """onnxruntime#19590: the usability checker calls a model with free sizes good for NNAPI, which takes none of it."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])]
    constants = [("w", numpy.ones((4, 3, 3, 3), numpy.float32))]
    sizes = ["batch", 3, "height", "width"]
    path = file(
        tmp_path / "m.onnx",
        nodes,
        [("x", TensorProto.FLOAT, sizes)],
        [("y", TensorProto.FLOAT, ["batch", 4, "h", "w"])],
        constants,
    )
    (target,) = check_model(read(path), selections(["ort-nnapi"], [], {})).targets
    assert target.count("supported") == 0
    fixed = file(
        tmp_path / "f.onnx",
        nodes,
        [("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [("y", TensorProto.FLOAT, [1, 4, 6, 6])],
        constants,
    )
    (target,) = check_model(read(fixed), selections(["ort-nnapi"], [], {})).targets
    assert target.count("supported") == 2


def test_back_and_forth_is_said(tmp_path):
    """onnxruntime#7859: 71 s with NNAPI, 3 s on the CPU alone: a model cut into many islands."""
    nodes, last = [], "x"
    for i in range(6):
        nodes += [helper.make_node("Relu", [last], [f"r{i}"]), helper.make_node("Erf", [f"r{i}"], [f"e{i}"])]
        last = f"e{i}"
    path = file(tmp_path / "m.onnx", nodes, [("x", TensorProto.FLOAT, [1, 8])], [(last, TensorProto.FLOAT, [1, 8])])
    (target,) = check_model(read(path), selections(["ort-nnapi"], [], {})).targets
    assert (target.count("supported"), target.count("fallback"), target.partition.islands) == (6, 6, 6)
    assert [one.rule for one in target.findings if one.severity == "warning"] == ["EC102", "EC201"]


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "attributes"),
    [
        ("UNIQUE", [t(F, [8])], [t(F, [8]), t("int32", [8])], {"idx_out_type": "int32"}),
        ("GATHER_ND", [t(F, [4, 4]), t("int32", [2, 2])], [t(F, [2])], {}),
    ],
)
def test_no_false_all_clear_for_the_gpu(kind, inputs, outputs, attributes):
    """tensorflow#77042: since 2.18 the model analyzer calls everything compatible with the GPU, GATHER_ND and UNIQUE too."""
    (one,) = check(tflite_probe.read(op(kind, inputs, outputs, **attributes)), point(bundle.load("litert-gpu")))
    assert one.verdict in ("fallback", "rejected")


def test_support_can_be_asked(capsys):
    """tensorflow#41263: "can it be queried which ops the GPU delegate takes?" It can: offline, with limits and evidence."""
    assert main(["ops", "litert-gpu", "RESIZE_BILINEAR"]) == 0
    assert "gpu_compatibility.cc" in capsys.readouterr().out


def test_a_compiler_nobody_has_is_never_green(models_dir):
    """LiteRT#7891: on a Pixel the NPU was dropped without a word. What only Google's compiler knows is unknown, with a reason."""
    path = next((models_dir / "pymicro_wakeword").rglob("okay_nabu.tflite"))
    (target,) = check_model(read(path), selections(["litert-google-tensor"], [], {})).targets
    assert target.count("supported") == 0
    assert all(one.reason for one in target.verdicts)


def test_one_miss_and_the_rest_is_on_the_cpu():
    """edgetpu#342: 2 operators on the Edge TPU and 153 on the CPU, since the first TRANSPOSE ends the part that is mapped."""
    table = bundle.load("coral-edgetpu")
    assert table.partition == "prefix"
    pad = op(
        "PAD",
        [t("int8", [1, 8, 8, 2], n="x", **I8), {"t": "int32", "s": [4, 2], "c": [0, 0, 1, 1, 1, 1, 0, 0]}],
        [t("int8", [1, 10, 10, 2], **I8)],
    )
    turned = op(
        "TRANSPOSE",
        [t("int8", [1, 8, 8, 2], **I8), {"t": "int32", "s": [4], "c": [0, 3, 1, 2]}],
        [t("int8", [1, 2, 8, 8], **I8)],
    )
    assert check(tflite_probe.read(pad), point(table))[0].verdict == "supported"
    assert check(tflite_probe.read(turned), point(table))[0].verdict != "supported"


@pytest.mark.parametrize("report", ["coremltools#2004", "coremltools#2503"])
def test_nothing_is_promised_of_the_neural_engine(models_dir, report, capsys):
    """An iOS update took models off the Neural Engine; nothing public says which: every verdict there is unknown (exit 3)."""
    path = next((models_dir / "basic_pitch").rglob("nmp.mlpackage"))
    assert main(["check", str(path), "--target", "coreml-ane", "--output-format", "json"]) == 3, report
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert model["targets"][0]["summary"]["supported"] == 0


def test_what_stays_in_float_is_not_on_the_npu(tmp_path):
    """stm32ai-modelzoo#61: 3.6 s for 20 ms on an STM32N6: "which layers are accelerated and which fall back to the CPU?" """
    weights = [("w", numpy.ones((4, 3, 3, 3), numpy.float32))]
    ends = [("x", TensorProto.FLOAT, [1, 3, 8, 8])], [("y", TensorProto.FLOAT, [1, 4, 6, 6])]
    plain = file(tmp_path / "float.onnx", [helper.make_node("Conv", ["x", "w"], ["y"])], *ends, weights)
    (target,) = check_model(read(plain), selections(["stm32n6"], [], {})).targets
    assert target.count("fallback") == 1
    assert "Cortex-M55" in target.verdicts[0].reason
    steps = [("s", numpy.float32(0.1)), ("z", numpy.int8(0)), ("w", numpy.ones((4, 3, 3, 3), numpy.int8))]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "s", "z"], ["y"]),
    ]
    (target,) = check_model(
        read(file(tmp_path / "int8.onnx", nodes, *ends, steps)), selections(["stm32n6"], [], {})
    ).targets
    assert target.count("fallback") == 0


def test_a_program_says_what_its_delegate_left_behind(capsys):
    """react-native-executorch#684: what no delegate took runs in portable kernels; a shipped .pte is asked, not the export."""
    program = Path(__file__).parent / "cases" / "programs" / "net.pte"
    assert main(["check", str(program), "--target", "executorch-xnnpack"]) == 1
    assert (
        "fall back on executorch-xnnpack: runs on the CPU, in ExecuTorch's portable kernel" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("litert-gpu", "nmp"), ("litert-qualcomm", "nmp"), ("coral-edgetpu", "nmp"),
        ("tflm", "face_detection_back"), ("ethos-u55", "face_detection_back"),
    ],
)  # fmt: skip
def test_no_refusal_is_without_a_reason(models_dir, target, name):
    """LiteRT#83: a RuntimeError without a word. Every refusal has a reason and the place that says so."""
    path = next(models_dir.rglob(f"{name}.tflite"))
    (found,) = check_model(read(path), selections([target], [], {})).targets
    refused = [one for one in found.verdicts if one.verdict in ("fallback", "rejected")]
    assert refused
    assert all(one.reason and one.evidence for one in refused)
    assert all(one.reason for one in found.verdicts if one.verdict == "unknown")


def test_what_qualcomms_compiler_leaves_to_the_cpu_ends_the_gate(models_dir, capsys):
    """ai-hub-models#51, as a list of silent fallbacks tells it: part of a model left the Snapdragon's NPU, without a word."""
    path = next(models_dir.rglob("nmp.tflite"))
    assert main(["check", str(path), "--target", "litert-qualcomm"]) == 1
    printed = capsys.readouterr().out
    assert "EXPAND_DIMS falls back on litert-qualcomm: the plugin has no builder for EXPAND_DIMS" in printed
    assert main(["check", str(path), "--target", "litert-cpu@2.3.0"]) == 0
