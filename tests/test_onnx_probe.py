"""Described one-operator ONNX models, and real models cut into them."""

from __future__ import annotations

import json

import pytest

from edgecheck.errors import EdgecheckError
from edgecheck.model import formats
from edgecheck.oracles import onnx_alone, onnx_cut, onnx_probe

CONV = {
    "op": "Conv", "opset": 17, "a": {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    "i": [{"t": "float32", "s": [1, 3, 8, 8], "sig": [-1, 3, 8, 8]},
          {"t": "float32", "s": [4, 3, 3, 3], "c": {"r": 1, "lo": -4, "hi": 4}}],
    "o": [{"t": "float32", "s": [1, 4, 8, 8], "sig": [-1, 4, 8, 8]}],
}  # fmt: skip
QDQ = {
    "op": "Relu", "opset": 19, "i": [{"n": "x"}], "o": [{"n": "y", "t": "float32", "s": [2, None]}],
    "before": [{"op": "DequantizeLinear", "i": [{"n": "q", "t": "int8", "s": [2, "N"]}, {"n": "scale", "t": "float32", "s": [], "c": [0.5]}],
                "o": [{"n": "x", "t": "float32", "s": [2, None]}]}],
    "after": [{"op": "QuantizeLinear", "i": [{"n": "y"}, {"n": "scale"}], "o": [{"n": "r", "t": "uint8", "s": [2, None]}]}],
}  # fmt: skip
CONSTANTS = [
    ("float32", [1.5, -2.0]), ("int64", [-3, 1 << 40]), ("int4", [-8, 7, 3]), ("uint2", [3, 0, 1, 2, 1]), ("bool", [1, 0]),
    ("bfloat16", [1.5, -0.25]), ("float16", [0.5]), ("string", ["a", "ü"]), ("uint8", {"f": 7}), ("float8e5m2", {"h": "3c00"}),
]  # fmt: skip


def test_a_description_is_a_file_that_onnx_accepts_and_edgecheck_reads():
    import onnx

    onnx.checker.check_model(onnx.load_from_string(onnx_probe.write(CONV)), full_check=True)
    node = onnx_probe.read(CONV).graphs[0].nodes[onnx_probe.at(CONV)]
    assert (node.op, node.version, node.attrs["pads"], node.attrs["group"]) == ("Conv", 11, (1, 1, 1, 1), 1)
    assert [t.shape for t in node.inputs] == [(None, 3, 8, 8), (4, 3, 3, 3)]
    assert [t.const for t in node.inputs] == [False, True]


def test_neighbours_stand_around_the_node_that_is_asked_about():
    import onnx

    onnx.checker.check_model(onnx.load_from_string(onnx_probe.write(QDQ)), full_check=True)
    graph = onnx_probe.read(QDQ).graphs[0]
    assert [node.op for node in graph.nodes] == ["DequantizeLinear", "Relu", "QuantizeLinear"]
    assert graph.nodes[onnx_probe.at(QDQ)].op == "Relu"
    assert [t.name for t in (*graph.inputs, *graph.outputs)] == ["q", "r"]


@pytest.mark.parametrize(("dtype", "values"), CONSTANTS, ids=[dtype for dtype, _ in CONSTANTS])
def test_constants_come_back_as_they_were_described(dtype, values):
    size = 2 if isinstance(values, dict) else len(values)
    spec = {
        "op": "Identity",
        "opset": 25,
        "i": [{"t": dtype, "s": [size], "c": values}],
        "o": [{"t": dtype, "s": [size]}],
    }
    array = onnx_probe.read(spec).graphs[0].nodes[0].inputs[0].data.array()
    expected = {"float8e5m2": [1.0, 0.0], "uint8": [7, 7]}.get(dtype, values)
    assert array.tolist() == expected


@pytest.mark.parametrize("dtype", ["sequence(float32)", "optional(sequence(int64))", "map(int64,float32)"])
def test_types_that_are_no_tensors(dtype):
    spec = {"op": "Identity", "opset": 19, "i": [{"t": dtype}], "o": [{"t": dtype}]}
    assert onnx_probe.read(spec).graphs[0].inputs[0].dtype == dtype


def test_what_cannot_be_described_is_said():
    with pytest.raises(EdgecheckError, match="a constant of shape \\[3\\] is described with 2 values"):
        onnx_probe.write({"op": "Abs", "opset": 13, "i": [{"t": "int8", "s": [3], "c": [1, 2]}], "o": [{}]})
    with pytest.raises(EdgecheckError, match="ONNX has no element type 'int128'"):
        onnx_probe.write({"op": "Abs", "opset": 13, "i": [{"t": "int128", "s": [3]}], "o": [{}]})


def _facts(node):
    return node.op, node.version, [t and (t.dtype, t.shape, t.const) for t in node.inputs]


def test_a_cut_model_keeps_every_node_as_it_was(models_dir, tmp_path):
    """The pieces, read again, are the nodes of the file: operator, version, types, shapes, constants."""
    for path in sorted((models_dir / "text2tashkeel").rglob("*.onnx"))[:3]:
        model = formats.read(path)
        pieces = list(onnx_cut.pieces(model))
        assert [(p.graph, p.index, p.op) for p in pieces] == [(n.graph, n.index, n.op) for n in model.nodes]
        for piece, node in zip(pieces, model.nodes):
            assert piece.content is not None
            (tmp_path / "piece.onnx").write_bytes(piece.content)
            again = formats.read(tmp_path / "piece.onnx").graphs[0].nodes[piece.at]
            assert _facts(again) == _facts(node)


@pytest.mark.parametrize("asked", range(3))
def test_a_quantised_operator_keeps_its_neighbours(asked, tmp_path):
    """Whichever of the three is asked about, the piece holds all three."""
    path = tmp_path / "qdq.onnx"
    path.write_bytes(onnx_probe.write(QDQ))
    piece = onnx_cut.cut(path)[asked]
    (tmp_path / "piece.onnx").write_bytes(piece.content)
    nodes = formats.read(tmp_path / "piece.onnx").graphs[0].nodes
    assert [node.op for node in nodes] == ["DequantizeLinear", "Relu", "QuantizeLinear"]
    assert nodes[piece.at].op == piece.op
    alone = onnx_cut.cut(path, quantized=False)[asked]
    (tmp_path / "alone.onnx").write_bytes(alone.content)
    assert [node.op for node in formats.read(tmp_path / "alone.onnx").graphs[0].nodes] == [piece.op]


def test_a_piece_is_asked_about_once_for_each_of_its_operators(tmp_path):
    path = tmp_path / "qdq.onnx"
    path.write_bytes(onnx_probe.write(QDQ))
    asked = []

    def judge(file, name, op):
        asked.append((op, file.read_bytes()))
        return ("fallback" if op == "Relu" else "supported"), name

    answers = onnx_alone.answers(path, judge)
    assert [(one.op, one.verdict) for one in answers] == [
        ("DequantizeLinear", "supported"), ("Relu", "fallback"), ("QuantizeLinear", "supported"),
    ]  # fmt: skip
    assert len({content for _, content in asked}) == 1


def test_a_stored_description_is_json_and_gives_the_same_node(tmp_path):
    path = tmp_path / "conv.onnx"
    path.write_bytes(onnx_probe.write(CONV))
    model = formats.read(path)
    (node,) = model.nodes
    stored = onnx_cut.stored(onnx_cut.describe(node, onnx_cut.Neighbours(model)))
    again = onnx_probe.read(json.loads(json.dumps(stored))).graphs[0].nodes[0]
    assert _facts(again) == _facts(node)
    assert dict(again.attrs) == dict(node.attrs)
    assert (again.inputs[1].data.array() == node.inputs[1].data.array()).all()


def test_only_attributes_that_the_file_says_are_written(tmp_path):
    """The reader fills defaults in; runtimes refuse `pads` beside `auto_pad`."""
    import onnx

    spec = {**CONV, "a": {"kernel_shape": [3, 3], "auto_pad": "VALID"}, "o": [{"t": "float32"}]}
    (tmp_path / "conv.onnx").write_bytes(onnx_probe.write(spec))
    (piece,) = onnx_cut.cut(tmp_path / "conv.onnx")
    names = [one.name for one in onnx.load_from_string(piece.content).graph.node[0].attribute]
    assert names == ["kernel_shape", "auto_pad"]


@pytest.mark.parametrize("values", [[1, -2], [1, -2, 7]])
def test_a_constant_of_four_bits_comes_back(values):
    weights = {"t": "int4", "s": [len(values)], "c": values}
    scale, zero = {"t": "float32", "s": [], "c": [0.5]}, {"t": "int4", "s": [], "c": [0]}
    made = {"t": "float32", "s": [len(values)]}
    model = onnx_probe.read({"op": "DequantizeLinear", "opset": 21, "i": [weights, scale, zero], "o": [made]})
    (node,) = model.nodes
    assert node.inputs[0].data.array().tolist() == values


def test_what_comes_from_sizes_is_cut_out_with_its_reader(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Shape", ["r"], ["s"]),
        helper.make_node("Reshape", ["r", "s"], ["y"]),
    ]
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3])] for name in "xy"]
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(helper.make_graph(nodes, "g", *sides)).SerializeToString())
    model = formats.read(path)
    operators = lambda piece: [one.op_type for one in onnx.load_from_string(piece.content).graph.node]  # noqa: E731
    assert operators(list(onnx_cut.pieces(model))[2]) == ["Reshape"]
    assert operators(list(onnx_cut.pieces(model, sizes=True))[2]) == ["Shape", "Reshape"]


def test_pieces_that_are_alike_are_the_same_file_without_their_names():
    def node(source, result):
        return {"op": "Relu", "name": f"r_{result}", "a": {}, "i": [{"n": source, "t": "float32", "s": [2]}], "o": [
            {"n": result, "t": "float32", "s": [2]}
        ]}  # fmt: skip

    model = onnx_probe.read({**node("a", "b"), "opset": 17, "after": [node("b", "c")]})
    named, plain = ([one.content for one in onnx_cut.pieces(model, names=names)] for names in (True, False))
    assert named[0] != named[1]
    assert plain[0] == plain[1]


def test_a_dynamic_quantisation_belongs_to_no_operator():
    """Its name ends like QuantizeLinear's, but an engine takes no operator together with it."""
    made = {"t": "float32", "s": [1, 4], "n": "y"}
    dynamic = {"op": "DynamicQuantizeLinear", "i": [made]}
    dynamic["o"] = [
        {"t": t, "s": s, "n": n} for n, t, s in (("q", "uint8", [1, 4]), ("s", "float32", []), ("z", "uint8", []))
    ]
    spec = {"op": "Relu", "i": [{"t": "float32", "s": [1, 4], "n": "x"}], "o": [made], "after": [dynamic], "opset": 20}
    model = onnx_probe.read(spec)
    around = onnx_cut.Neighbours(model)
    pieces = [onnx_cut.describe(node, around) for node in model.nodes]
    assert [{"before", "after"} & set(piece or ()) for piece in pieces] == [set(), set()]
