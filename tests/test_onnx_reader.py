"""The ONNX reader against the onnx package: the standard's own test models, the real ones, and made ones."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecheck.errors import FormatError
from edgecheck.model import formats
from edgecheck.model.formats.onnx import read
from edgecheck.model.formats.onnx_messages import DTYPES
from edgecheck.model.graph import DTYPE_BITS


def declared(type_proto):
    """(dtype, shape) as a value declares them; (None, None) for what is no tensor."""
    if not type_proto.HasField("tensor_type"):
        return None, None
    tensor = type_proto.tensor_type
    dims = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    return DTYPES.get(tensor.elem_type), dims if tensor.HasField("shape") else None


def contradicts(a, b):
    if a is None or b is None:
        return False
    return len(a) != len(b) or any(x is not None and y is not None and x != y for x, y in zip(a, b))


def nodes_of(graph):
    """The nodes of a GraphProto and of the graphs nested in it, depth-first: each graph whole, then those in it."""
    found = [list(graph.node)]
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.type == attribute.GRAPH else [])):
                found += nodes_of(inner)
    return found


def same_attributes(node, proto, opsets):
    ours = {
        k: v for k, v in node.attrs.items() if not isinstance(v, tuple) or not v or isinstance(v[0], int | float | str)
    }
    for attribute in proto.attribute:
        value = helper.get_attribute_value(attribute) if not attribute.ref_attr_name else None
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, int | float | str):
            assert ours[attribute.name] == value or math.isnan(value)
        elif isinstance(value, list) and all(isinstance(v, int | float | bytes) for v in value):
            assert ours[attribute.name] == tuple(v.decode() if isinstance(v, bytes) else v for v in value)
        elif isinstance(value, TensorProto):
            same_values(ours[attribute.name], value)
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    try:
        schema = onnx.defs.get_schema(proto.op_type, opsets.get(domain, 0), domain)
    except onnx.defs.SchemaError:
        assert node.version is None
        return
    assert node.version == schema.since_version
    given = {attribute.name for attribute in proto.attribute}
    for name, attribute in schema.attributes.items():
        if name not in given and attribute.default_value.name:
            value = helper.get_attribute_value(attribute.default_value)
            assert ours[name] == (value.decode() if isinstance(value, bytes) else value) or isinstance(value, list)


def same_values(tensor, proto):
    expected = numpy_helper.to_array(proto)
    assert tensor.dtype == DTYPES[proto.data_type]
    assert tensor.shape == tuple(proto.dims)
    actual = tensor.data.array()
    assert actual.shape == expected.shape
    if expected.dtype == object:
        assert actual.tolist() == expected.tolist()
    elif expected.dtype == actual.dtype:
        assert actual.tobytes() == expected.tobytes()
    else:  # ml_dtypes' types come as float32 or int8
        np.testing.assert_array_equal(actual, expected.astype(actual.dtype))


def compare(path, proto):
    """Everything that the file says, against the onnx package's reading of it."""
    model = read(path)
    main = nodes_of(proto.graph)
    functions = [nodes for function in proto.functions for nodes in nodes_of(function)]
    assert [len(graph.nodes) for graph in model.graphs] == [len(nodes) for nodes in main + functions]
    opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in proto.opset_import}
    for graph, nodes in zip(model.graphs, main):
        for node, theirs in zip(graph.nodes, nodes):
            assert node.op == (
                f"{theirs.domain}::{theirs.op_type}" if theirs.domain not in ("", "ai.onnx") else theirs.op_type
            )
            assert node.name == theirs.name
            assert [t.name if t else "" for t in node.inputs] == list(theirs.input)
            assert [t.name if t else "" for t in node.outputs] == list(theirs.output)
            same_attributes(node, theirs, opsets)
    tensors = {t.name: t for n in model.graphs[0].nodes for t in (*n.inputs, *n.outputs) if t}
    for value in (*proto.graph.value_info, *proto.graph.output):
        dtype, shape = declared(value.type)
        if value.name in tensors and dtype:
            assert tensors[value.name].dtype == dtype
            assert not contradicts(tensors[value.name].shape, shape), value.name
    for constant in proto.graph.initializer:
        if constant.name in tensors and tensors[constant.name].const:
            same_values(tensors[constant.name], constant)
    return model


def test_the_real_models_are_read_as_onnx_reads_them(models_dir):
    paths = sorted(models_dir.rglob("*.onnx"))
    assert len(paths) > 20
    for path in paths:
        compare(path, onnx.load(path))


@pytest.mark.filterwarnings("ignore")
def test_the_standards_own_models_are_read_and_no_inferred_shape_is_wrong(tmp_path):
    from onnx.backend.test.case.node import collect_testcases

    path = tmp_path / "m.onnx"
    outputs = known = 0
    cases = collect_testcases(None)
    assert len(cases) > 1800
    for case in cases:
        proto = onnx.ModelProto()
        proto.CopyFrom(case.model)
        for value in proto.graph.output:
            value.ClearField("type")
        del proto.graph.value_info[:]
        path.write_bytes(proto.SerializeToString())
        model = compare(path, proto)
        for tensor, truth in zip(model.graphs[0].outputs, case.model.graph.output):
            dtype, shape = declared(truth.type)
            assert not contradicts(tensor.shape, shape), case.name
            assert dtype is None or tensor.dtype in (None, dtype), case.name
            outputs += shape is not None
            known += shape is not None and tensor.shape is not None
    assert known / outputs > 0.8


def test_shapes_agree_with_onnx_where_the_file_says_nothing(models_dir, tmp_path):
    path = tmp_path / "m.onnx"
    for original in sorted(models_dir.rglob("*.onnx")):
        proto = onnx.load(original)
        del proto.graph.value_info[:]
        path.write_bytes(proto.SerializeToString())
        inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
        theirs = {v.name: declared(v.type) for v in (*inferred.value_info, *inferred.output)}
        for node in read(path).graphs[0].nodes:
            for tensor in node.outputs:
                dtype, shape = theirs.get(tensor.name, (None, None)) if tensor else (None, None)
                assert tensor is None or not contradicts(tensor.shape, shape), (original, tensor.name)
                assert dtype is None or tensor.dtype in (None, dtype)


def save(path, nodes, inputs=(), outputs=(), constants=(), functions=(), ir=10, opset=21, domains=()):
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(constants))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir, functions=list(functions))
    path.write_bytes(model.SerializeToString())
    return path


def value(name, shape=(2,), dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


@pytest.mark.parametrize("code", sorted(set(DTYPES) - {8}))
@pytest.mark.parametrize("raw", [True, False])
def test_every_type_in_both_encodings(tmp_path, code, raw):
    bits = DTYPE_BITS[DTYPES[code]]
    numpy_type = helper.tensor_dtype_to_np_dtype(code)
    numbers = np.arange(7).astype(numpy_type)
    tensor = numpy_helper.from_array(numbers, "c")
    if not raw:
        if bits < 8 and "float6" in DTYPES[code]:
            tensor = TensorProto(name="c", data_type=code, dims=[7], int32_data=range(7))
        else:
            tensor = helper.make_tensor("c", code, [7], numbers)
    path = save(
        tmp_path / "m.onnx", [helper.make_node("Identity", ["c"], ["y"])], (), [value("y", (7,), code)], [tensor]
    )
    found = read(path).graphs[0].nodes[0].inputs[0]
    assert found.dtype == DTYPES[code]
    same_values(found, tensor)


def test_strings_and_constants_in_attributes(tmp_path):
    nodes = [
        helper.make_node("Constant", [], ["a"], value_strings=["x", "yä"]),
        helper.make_node("Constant", [], ["b"], value_float=0.5),
        helper.make_node("Constant", [], ["c"], value_ints=[1, 2, 3]),
        helper.make_node("Constant", [], ["d"], value=helper.make_tensor("t", TensorProto.STRING, [2], [b"p", b"q"])),
    ]
    model = read(save(tmp_path / "m.onnx", nodes, (), [value("b", ())]))
    a, b, c, d = (node.outputs[0] for node in model.graphs[0].nodes)
    assert a.data.array().tolist() == ["x", "yä"]
    assert (b.dtype, b.shape, b.data.array().item()) == ("float32", (), 0.5)
    assert (c.dtype, c.data.array().tolist()) == ("int64", [1, 2, 3])
    assert d.data.array().tolist() == ["p", "q"]


def test_a_sparse_constant_unfolds(tmp_path):
    values = numpy_helper.from_array(np.array([1.5, 2.5], np.float32), "s")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([1, 5]), "i"), [2, 3])
    path = save(tmp_path / "m.onnx", [helper.make_node("Identity", ["s"], ["y"])], (), [value("y", (2, 3))])
    proto = onnx.load(path)
    proto.graph.sparse_initializer.append(sparse)
    path.write_bytes(proto.SerializeToString())
    tensor = read(path).graphs[0].nodes[0].inputs[0]
    assert tensor.sparse
    assert tensor.data.array().tolist() == [[0, 1.5, 0], [0, 0, 2.5]]


@pytest.mark.parametrize(("ir", "const"), [(3, True), (4, False)])
def test_a_constant_that_is_an_input_is_given_only_from_ir_4_on(tmp_path, ir, const):
    weight = numpy_helper.from_array(np.ones(2, np.float32), "w")
    node = helper.make_node("Add", ["x", "w"], ["y"])
    model = read(save(tmp_path / "m.onnx", [node], [value("x"), value("w")], [value("y")], [weight], ir=ir, opset=9))
    assert model.graphs[0].nodes[0].inputs[1].const is const
    assert [t.name for t in model.graphs[0].inputs] == (["x"] if const else ["x", "w"])
    assert model.metadata["overridable"] == ([] if const else ["w"])


def test_nested_graphs_are_numbered_depth_first_and_read_outer_names(tmp_path):
    inner = helper.make_graph([helper.make_node("Neg", ["x"], ["n"])], "inner", [], [value("n")])
    other = helper.make_graph([helper.make_node("Abs", ["x"], ["m"])], "other", [], [value("m")])
    nested = helper.make_node("If", ["c"], ["i"], then_branch=inner, else_branch=other)
    then = helper.make_graph([nested, helper.make_node("Relu", ["i"], ["r"])], "then", [], [value("r")])
    last = helper.make_graph([helper.make_node("Exp", ["x"], ["e"])], "last", [], [value("e")])
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=last)
    model = read(save(tmp_path / "m.onnx", [node], [value("x"), value("c", (), TensorProto.BOOL)], [value("y")]))
    # onnx.helper writes attributes by name: else_branch stands before then_branch
    assert [graph.name for graph in model.graphs] == ["g", "last", "then", "other", "inner"]
    assert [graph.parent for graph in model.graphs] == [None, (0, 0), (0, 0), (2, 0), (2, 0)]
    assert model.graphs[0].nodes[0].subgraphs == (1, 2)
    assert model.graphs[4].nodes[0].inputs[0] is model.graphs[0].inputs[0]
    assert model.graphs[2].nodes[1].outputs[0].shape == (2,)


def test_a_functions_body_is_a_graph_of_its_own(tmp_path):
    body = [helper.make_node("Elu", ["a"], ["b"])]
    body[0].attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="k", type=onnx.AttributeProto.FLOAT))
    function = helper.make_function("my", "F", ["a"], ["b"], body, [helper.make_opsetid("", 21)], ["k"])
    calls = [
        helper.make_node("F", ["x"], ["t"], domain="my", k=2.0),
        helper.make_node("F", ["t"], ["y"], domain="my", k=3.0),
    ]
    path = save(tmp_path / "m.onnx", calls, [value("x")], [value("y")], functions=[function], domains=["my"])
    model = read(path)
    assert [node.subgraphs for node in model.graphs[0].nodes] == [(1,), (1,)]
    assert model.node_count == 3
    assert model.graphs[1].nodes[0].op == "Elu"
    assert "alpha" not in model.graphs[1].nodes[0].attrs  # the caller gives it: unknown, not the default
    assert model.metadata["functions"] == ["my::F"]


def external(tmp_path, **entries):
    tensor = TensorProto(name="w", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.extend(onnx.StringStringEntryProto(key=k, value=v) for k, v in entries.items())
    path = save(tmp_path / "m.onnx", [helper.make_node("Neg", ["w"], ["y"])], (), [value("y")], [tensor])
    return read(path).graphs[0].nodes[0].inputs[0]


def test_external_data_is_read_where_it_lies(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"\0" * 4 + np.array([1, 2], "<f4").tobytes())
    assert external(tmp_path, location="w.bin", offset="4", length="8").data.array().tolist() == [1, 2]


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"location": "../w.bin"}, "constant 'w' asks for '../w.bin', which is not beside the model: refused"),
        ({"location": "/etc/passwd"}, "constant 'w' asks for '/etc/passwd', which is not beside the model: refused"),
        ({"location": "gone.bin"}, "the values of constant 'w' are in another file"),
        ({"location": "w.bin", "offset": "90"}, "the file is cut off"),
    ],
)
def test_external_data_that_cannot_be_read_is_still_a_constant(tmp_path, entries, sentence):
    (tmp_path / "w.bin").write_bytes(b"\0" * 8)
    tensor = external(tmp_path, **entries)
    assert tensor.const
    with pytest.raises(FormatError, match=sentence.replace("(", r"\(")):
        tensor.data.array()


def test_an_unknown_opset_and_domain_have_no_version(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["t"]), helper.make_node("Gelu", ["t"], ["y"], domain="com.microsoft")]
    newest = read(save(tmp_path / "a.onnx", nodes, [value("x")], [value("y")], opset=99, domains=["com.microsoft"]))
    assert [(node.op, node.version) for node in newest.nodes] == [("Relu", None), ("com.microsoft::Gelu", None)]


def test_defaults_that_depend_on_the_rank(tmp_path):
    weight = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    conv = next(
        iter(read(save(tmp_path / "m.onnx", [node], [value("x", (1, 3, 8, 8))], [value("y", None)], [weight])).nodes)
    )
    assert conv.attrs["strides"] == conv.attrs["dilations"] == (1, 1)
    assert (conv.attrs["pads"], conv.attrs["kernel_shape"], conv.attrs["group"]) == ((0, 0, 0, 0), (3, 3), 1)
    assert conv.input_names == ("X", "W")
    assert conv.outputs[0].shape == (1, 4, 6, 6)


def test_a_computed_reshape_keeps_what_is_known(tmp_path):
    constants = [numpy_helper.from_array(np.array(v), n) for n, v in (("zero", [0]), ("rest", [-1]))]
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["y"]),
    ]
    model = read(save(tmp_path / "m.onnx", nodes, [value("x", (5, 3, 8))], [value("y", None)], constants))
    assert model.graphs[0].outputs[0].shape == (5, 24)


def test_an_axis_that_pytorch_counts_from_the_end(tmp_path):
    """`unflatten(-1, …)`: Mod(-1, rank) is the axis before which the shape is cut."""
    given = {"axis": [-1], "rank": [3], "zero": [0], "parts": [2, 4]}
    constants = [numpy_helper.from_array(np.array(v, np.int64), n) for n, v in given.items()]
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Mod", ["axis", "rank"], ["end"]),
        helper.make_node("Slice", ["s", "zero", "end"], ["front"]),
        helper.make_node("Concat", ["front", "parts"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["y"]),
    ]
    model = read(save(tmp_path / "m.onnx", nodes, [value("x", (5, 3, 8))], [value("y", None)], constants))
    assert model.graphs[0].outputs[0].shape == (5, 3, 2, 4)


def test_paddings_that_pytorch_computes(tmp_path):
    """Widths from the last dimension to the first, as torch.nn.functional.pad takes them, turned into ONNX's order."""
    given = {
        "zeros": [4],
        "two": [-1, 2],
        "flat": [-1],
        "start": [-1],
        "end": [-(2**63) + 1],
        "axis": [0],
        "step": [-1],
    }
    constants = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in given.items()]
    constants.append(numpy_helper.from_array(np.array([1, 2, 3, 4], np.int64), "widths"))
    nodes = [
        helper.make_node("ConstantOfShape", ["zeros"], ["none"], value=numpy_helper.from_array(np.zeros(1, np.int64))),
        helper.make_node("Concat", ["widths", "none"], ["all"], axis=0),
        helper.make_node("Reshape", ["all", "two"], ["pairs"]),
        helper.make_node("Slice", ["pairs", "start", "end", "axis", "step"], ["back"]),
        helper.make_node("Transpose", ["back"], ["turned"], perm=[1, 0]),
        helper.make_node("Reshape", ["turned", "flat"], ["pads"]),
        helper.make_node("Pad", ["x", "pads"], ["y"]),
    ]
    model = read(save(tmp_path / "m.onnx", nodes, [value("x", (1, 3, 10, 20))], [value("y", None)], constants))
    assert model.graphs[0].outputs[0].shape == (1, 3, 17, 23)


@pytest.mark.parametrize(("batch", "layout"), [(None, 0), (None, 1), (3, 0)])
def test_a_recurrent_layers_batch_is_that_of_its_first_state(tmp_path, batch, layout):
    sizes = [7, batch, 5] if layout == 0 else [batch, 7, 5]
    state = (1, 3, 4) if layout == 0 else (3, 1, 4)
    weights = [("w", (1, 12, 5)), ("r", (1, 12, 4))]
    constants = [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights]
    node = helper.make_node("GRU", ["x", "w", "r", "", "", "h"], ["y", "z"], hidden_size=4, layout=layout)
    path = save(tmp_path / "m.onnx", [node], [value("x", sizes), value("h", state)], constants=constants)
    made = read(path).graphs[0].nodes[0].outputs
    assert [t.shape for t in made] == ([(7, 1, 3, 4), (1, 3, 4)] if layout == 0 else [(3, 7, 1, 4), (3, 1, 4)])


def test_the_line_that_made_a_node(tmp_path):
    node = helper.make_node("Relu", ["x"], ["y"])
    trace = 'File "/home/me/net.py", line 23, in forward\n  f()\nFile "/x/site-packages/torch/nn/f.py", line 9, in relu'
    node.metadata_props.append(onnx.StringStringEntryProto(key="pkg.torch.onnx.stack_trace", value=trace))
    old = helper.make_node("Relu", ["y"], ["z"])
    old.doc_string = "/x/site-packages/torch/nn/f.py(9): relu\n/home/me/net.py(24): forward\n"
    model = read(save(tmp_path / "m.onnx", [node, old], [value("x")], [value("z")]))
    assert [n.source for n in model.nodes] == ["/home/me/net.py:23", "/home/me/net.py:24"]


def test_a_name_that_nothing_makes(tmp_path):
    path = save(tmp_path / "m.onnx", [helper.make_node("Neg", ["x"], ["y"])], (), [value("y")])
    with pytest.raises(FormatError, match=r"node 0 \(Neg\) of graph 0 reads 'x', which nothing makes"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.onnx", None, "does not exist"),
        ("m.onnx", b"", "is empty"),
        ("m.onnx", b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        ("m.onnx", b"<!DOCTYPE html><html>", "is a web page, not a model"),
        ("m.onnx", b"\x08\x08", "holds no graph"),
        ("m.onnx", b"\x3a\xff\xff\xff\xff\x07", "claims 2,147,483,647 bytes"),
        ("m.xyz", b"hello, world", "not a model in a format that edgecheck reads"),
        ("m.h5", b"\x89HDF\r\n", "is a Keras model in HDF5"),
        ("m.ort", b"\0\0\0\0ORTM", "ONNX Runtime's own"),
    ],
)
def test_files_that_are_no_models(tmp_path, name, content, sentence):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=sentence) as caught:
        formats.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "sentence"), [("m.mlmodelc", "compiled Core ML"), ("m", "a folder without a model")])
def test_folders_that_are_no_models(tmp_path, name, sentence):
    (tmp_path / name).mkdir()
    with pytest.raises(FormatError, match=sentence):
        formats.read(tmp_path / name)


def test_a_model_under_another_name_is_known_by_its_content(tmp_path):
    path = save(tmp_path / "m.bin", [helper.make_node("Neg", ["x"], ["y"])], [value("x")], [value("y")])
    assert formats.read(path).format == "onnx"


def test_deep_nesting_is_refused(tmp_path):
    def field(number, content):  # onnx's own protobuf refuses to write what is nested so deep
        size, length = len(content), b""
        while size > 0x7F:
            length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    graph = b""
    for _ in range(40):
        graph = field(1, field(4, b"If") + field(5, field(6, graph)))
    path = tmp_path / "m.onnx"
    path.write_bytes(field(7, graph))
    with pytest.raises(FormatError, match="nested more than 32 deep"):
        read(path)


def test_a_large_file_costs_little_memory(tmp_path):
    weights = [numpy_helper.from_array(np.zeros((1024, 1024), np.float32), f"w{i}") for i in range(40)]
    nodes = [helper.make_node("Add", ["x", f"w{i}"], [f"y{i}"]) for i in range(40)]
    path = save(tmp_path / "m.onnx", nodes, [value("x", (1,))], [value("y39", (1024, 1024))], weights)
    code = (
        "import sys; from pathlib import Path; from edgecheck.model import formats\n"
        "assert formats.read(Path(sys.argv[1])).node_count == 40; assert 'numpy' not in sys.modules\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    printed = subprocess.run([sys.executable, "-c", code, str(path)], env=environment, capture_output=True, check=True)
    assert int(printed.stdout) / 1024 < 60
