"""The TFLite reader against LiteRT's generated schema and its interpreter, and against the schema's corners."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecheck.errors import FormatError
from edgecheck.model import raw_options
from edgecheck.model.formats.tflite import read

MAKER = Path(__file__).with_name("tflite_models.py")
MADE = (
    "while", "if", "spatial", "spatial_int8", "dynamic", "flex", "lstm", "sparse_blocks", "codes", "composite", "outside",
)  # fmt: skip
REAL = (
    "alexa", "face_detection_back", "face_detection_front", "face_detection_full_range",
    "face_detection_full_range_sparse", "face_detection_short_range", "face_landmark", "hey_jarvis", "hey_mycroft",
    "iris_landmark", "nmp", "okay_nabu", "sine_float",
)  # fmt: skip
#: Which enum an attribute has, where its value is a name.
ENUM_OF = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
    "kernel_type": "LSTMKernelType",
    "mode": "MirrorPadMode",
    "composite_attributes_format": "CustomOptionsFormat",
}


@pytest.fixture(scope="session")
def real(models_dir):
    return {path.stem: path for path in models_dir.rglob("*.tflite")}


@pytest.fixture(scope="session")
def made(tf_python, real, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tflite")
    subprocess.run([tf_python, MAKER, folder, *real.values()], check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="session")
def expected(made):
    return json.loads((made / "expected.json").read_text())


@pytest.fixture(scope="session")
def models(made, real):
    paths = {**{path.stem: path for path in made.glob("*.tflite")}, **real}
    return {name: read(paths[name]) for name in (*MADE, *REAL)}


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def same_attribute(name, ours, theirs, enums):
    if name == "composite_attributes":
        return isinstance(ours, dict)
    if isinstance(ours, str) and not isinstance(theirs, str):
        return enums[ENUM_OF.get(name, "TensorType")][ours] == theirs
    if isinstance(ours, tuple):
        return list(ours) == (theirs or [])
    return ours == theirs


def same_shape(ours, theirs):
    if ours is None:  # unknown rank: only where the file says so
        return theirs["shape"] == [] and not theirs["has_rank"] and theirs["constant"] is None
    return [-1 if dim is None else dim for dim in ours] == (theirs["signature"] or theirs["shape"])


@pytest.mark.export
@pytest.mark.parametrize("name", MADE + REAL)
def test_operators_equal_the_generated_schema(models, expected, name):
    model, theirs = models[name], expected[f"{name}.tflite"]
    assert [graph.name for graph in model.graphs] == [graph["name"] for graph in theirs["graphs"]]
    assert sorted(model.metadata["signatures"]) == theirs["signatures"]
    for graph, one in zip(model.graphs, theirs["graphs"], strict=True):
        names = [tensor["name"] for tensor in one["tensors"]]
        assert [t.name for t in graph.inputs] == [names[i] for i in one["inputs"]]
        assert [t.name for t in graph.outputs] == [names[i] for i in one["outputs"]]
        assert len(graph.nodes) == len(one["nodes"])
        for place, (node, other) in enumerate(zip(graph.nodes, one["nodes"], strict=True)):
            assert (node.graph, node.index) == (graph.index, place)
            assert [node.op, node.version, node.custom] == [other["op"], other["version"], other["custom"]]
            for tensors, indices in ((node.inputs, other["inputs"]), (node.outputs, other["outputs"])):
                assert [t and t.name for t in tensors] == [None if i == -1 else names[i] for i in indices]


@pytest.mark.export
@pytest.mark.parametrize("name", MADE + REAL)
def test_attributes_equal_the_generated_schema(models, expected, name):
    seen = 0
    for node, other in zip(models[name].nodes, (n for g in expected[f"{name}.tflite"]["graphs"] for n in g["nodes"])):
        if other["custom"] or other["options"] is None:
            continue
        options = {snake(key): value for key, value in other["options"].items()}
        assert set(node.attrs) - {"intermediates", "intermediates_size"} == set(options)
        for key, value in options.items():
            assert same_attribute(key, node.attrs[key], value, expected["enums"]), (
                node.op,
                key,
                node.attrs[key],
                value,
            )
        seen += 1
    assert seen or name in {"codes", "outside", "flex"}


@pytest.mark.export
@pytest.mark.parametrize("name", MADE + REAL)
def test_tensors_equal_the_generated_schema(models, expected, name):
    for graph, one in zip(models[name].graphs, expected[f"{name}.tflite"]["graphs"], strict=True):
        ours = {t.name: t for n in graph.nodes for t in (*n.inputs, *n.outputs) if t is not None}
        ours.update({t.name: t for t in graph.inputs + graph.outputs})
        for other in one["tensors"]:
            tensor = ours.get(other["name"])
            if tensor is None:  # an intermediate, or not used
                continue
            assert tensor.dtype == other["type"].lower()
            assert same_shape(tensor.shape, other), tensor.name
            assert (tensor.sparse, tensor.variable) == (other["sparse"], other["variable"])
            assert (None if tensor.data is None else tensor.data.nbytes) == (other["constant"] and other["constant"][0])
            if tensor.data is not None and hasattr(tensor.data, "buffer"):
                raw = tensor.data.buffer[tensor.data.offset : tensor.data.offset + tensor.data.nbytes]
                assert digest(raw) == other["constant"][1]
            quantized = tensor.quantization
            assert list(quantized.scales if quantized else ()) == other["scales"]
            if quantized is not None:
                assert list(quantized.zero_points) == other["zero_points"]
                assert quantized.axis == other["axis"]


@pytest.mark.export
@pytest.mark.parametrize("name", ["spatial", "spatial_int8", "lstm", *REAL])
def test_constants_equal_the_interpreter_bit_for_bit(models, expected, name):
    """Sparse constants too: their dense values are what DENSIFY makes of them."""
    found = expected[f"{name}.tflite"]["interpreter"]
    assert found is not None
    by_name = {one["name"]: one for one in found if one["digest"]}
    compared = 0
    for node in models[name].graphs[0].nodes:
        for tensor in node.inputs:
            if tensor is None or tensor.data is None or tensor.dtype == "string":
                continue
            other = by_name.get(node.outputs[0].name if node.op == "DENSIFY" else tensor.name)
            if other is None:
                continue
            values = tensor.data.array()
            assert values.dtype == other["dtype"]
            assert list(values.shape) == other["shape"]
            assert digest(np.ascontiguousarray(values)) == other["digest"], tensor.name
            compared += 1
    assert compared >= 3


@pytest.mark.export
def test_block_sparse_weights_come_back_dense(made, models):
    weights = next(t for node in models["sparse_blocks"].nodes for t in node.inputs if t is not None and t.sparse)
    dense = np.load(made / "sparse_blocks.npy")
    assert weights.data.nbytes < dense.nbytes / 2
    assert np.array_equal(weights.data.array(), dense)


@pytest.mark.export
def test_nested_graphs_know_who_runs_them(models):
    loop, branches = models["while"], models["if"]
    (node,) = (one for one in loop.nodes if one.op == "WHILE")
    assert node.subgraphs == (node.attrs["cond_subgraph_index"], node.attrs["body_subgraph_index"])
    assert [graph.parent for graph in loop.graphs] == [None, (0, node.index), (0, node.index)]
    (node,) = (one for one in branches.nodes if one.op == "IF")
    assert sorted(node.subgraphs) == [1, 2]
    assert models["alexa"].nodes.__next__().op == "CALL_ONCE"
    assert models["alexa"].graphs[1].parent == (0, 0)
    composite = models["composite"]
    assert [node.subgraphs for node in composite.nodes] == [(1,), ()]
    first = next(composite.nodes).attrs
    assert first["composite_attributes"] == {"axis": -1, "epsilon": pytest.approx(1e-5), "_TENSOR_V1_axes": (1, 2)}


@pytest.mark.export
def test_old_new_future_and_custom_operators(models):
    add, conv, gelu, future, mine = models["codes"].nodes
    assert (add.op, add.version, add.attrs["pot_scale_int16"]) == ("ADD", 2, True)
    assert add.inputs[1] is None
    assert (conv.op, conv.attrs["dilation_h_factor"], conv.attrs["padding"]) == ("CONV_2D", 1, "SAME")
    assert (gelu.op, gelu.attrs) == ("GELU", {"approximate": False})
    assert (future.op, future.version, future.attrs) == ("BUILTIN_250", 7, {})
    assert (mine.op, mine.custom, mine.version) == ("Mine", True, 4)
    assert mine.attrs == {
        "max_detections": 10, "scale": 0.5, "name": "nms", "on": True, "sizes": (1, 2, 300), "custom_options_size": 100,
    }  # fmt: skip


def test_the_struct_in_mediapipe_options():
    pool = struct.pack("<6i", 2, 3, 4, 3, 4, 1)
    named = {"padding": "VALID", "stride_w": 3, "stride_h": 4, "filter_width": 3, "filter_height": 4}
    assert raw_options.attributes("MaxUnpooling2D", pool + b"\1" * 24) == named | {"fused_activation_function": "RELU"}
    assert raw_options.attributes("Convolution2DTransposeBias", pool[:5]) == {
        "padding": "VALID",
        "stride_w": 3,
        "stride_h": 0,
    }
    assert raw_options.attributes("MaxUnpooling2D", b"\7\0\0\0")["padding"] == 7
    assert raw_options.attributes("MaxUnpooling2D", b"") == raw_options.attributes("Mine", pool) == {}


@pytest.mark.export
def test_weights_and_options_behind_the_flatbuffer(models):
    (node,) = models["outside"].nodes
    assert node.attrs == {"beam": 4, "custom_options_size": 15}
    assert np.array_equal(node.inputs[0].data.array(), np.arange(6, dtype=np.float32).reshape(2, 3))


@pytest.mark.export
def test_types(made):
    from edgecheck.model.formats.flat import FlatBuffer
    from edgecheck.model.formats.mapped import map_file
    from edgecheck.model.formats.tflite_tensors import Buffers, read_tensors

    root = FlatBuffer(map_file(made / "types.tflite")).root()
    (tensors,) = read_tensors(list(root.tables(2)), Buffers(root))
    by_name = {tensor.name: tensor for tensor in tensors}
    int4 = by_name["int4"]
    assert int4.data.array().tolist() == [[1, 2, 3], [-8, -1, 7]]
    assert (int4.quantization.scales, int4.quantization.axis, int4.nbytes) == ((0.5, 0.25), 0, 3)
    assert by_name["scalar"].shape == ()
    assert by_name["unranked"].shape is None
    assert by_name["constant_scalar"].data.array() == 7
    assert by_name["dynamic"].shape == (None, 8)
    assert by_name["state"].variable
    assert by_name["words"].data.array().tolist() == [b"ab", b"cde"]
    assert by_name["bfloat16"].data.array().tolist() == [1.0, -2.0]
    assert by_name["empty"].data is None
    assert by_name["blocks"].quantization.scales == ()
    assert by_name["future"].dtype is None


@pytest.mark.export
def test_zip_behind_the_model(made):
    assert read(made / "zipped.tflite").metadata["zip_entries"] == 2
    assert "zip_entries" not in read(made / "types.tflite").metadata


@pytest.mark.export
def test_a_ring_of_subgraphs_is_refused(made):
    with pytest.raises(FormatError, match="subgraph 0 runs itself, directly or through another"):
        read(made / "ring.tflite")


def test_not_a_model(tmp_path):
    for name, content, sentence in (
        ("short", b"\x1c\0\0\0TF", "not a TFLite model"),
        ("other", b"\x1c\0\0\0TFL2" + bytes(64), "bytes 4 to 8 are b'TFL2', not b'TFL3'"),
        ("root", b"\xff\xff\xff\x7fTFL3", "the offset at byte 0 leads to byte 2,147,483,647 of a file of 8 bytes"),
        ("empty", b"\x10\0\0\0TFL3\4\0\4\0\0\0\0\0\4\0\0\0", "vtable"),
    ):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        with pytest.raises(FormatError, match=re.escape(sentence)) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_a_reading_is_fast_and_light(models_dir):
    """Cold, in its own process: the time of the reading alone, and the peak memory of all."""
    path = next(models_dir.rglob("nmp.tflite"))
    code = (
        "import sys, time; from pathlib import Path; from edgecheck.model.formats.tflite import read\n"
        "start = time.process_time(); read(Path(sys.argv[1])); spent = time.process_time() - start\n"
        "status = dict(line.split(':') for line in open('/proc/self/status'))\n"
        "print(spent, status['VmHWM'].split()[0], 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    seconds, kilobytes, numpy = done.stdout.split()
    assert float(seconds) < 0.05
    assert int(kilobytes) < 40_000
    assert numpy == "False"
