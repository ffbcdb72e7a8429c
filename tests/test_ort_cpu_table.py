"""The table `ort-cpu` against ONNX Runtime: stored probes, onnx's node tests, real models, and the oracle itself."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from edgecheck.check import check, judge, point
from edgecheck.errors import EdgecheckError
from edgecheck.model.formats import onnx as reader
from edgecheck.model.graph import Node, Tensor
from edgecheck.oracles import Answer, ask, isolated, ort_cpu
from edgecheck.tables import bundle
from edgecheck.tables.scope import Edges, Scope

EVIDENCE = Path(__file__).parents[1] / "op_tables" / "evidence"
PROBES = sorted(EVIDENCE.glob("onnxruntime-[0-9]*.jsonl"))
#: A session is made, and the node fails when it runs, whatever the values.
FAIL_WHEN_RUN = {
    "test_attention_4d_diff_heads_mask4d_padded_kv",
    "test_reduce_max_empty_set_bool",
}


@pytest.fixture(scope="module")
def table():
    return bundle.load("ort-cpu")


def onnx_file(path, nodes, inputs, outputs, *, opset=17, ir_version=8, opsets=(), **more):
    """Write a model whose inputs and outputs are (name, element type, shape)."""
    import onnx
    from onnx import helper

    sides = ([helper.make_tensor_value_info(*one) for one in side] for side in (inputs, outputs))
    graph = helper.make_graph(nodes, "g", *sides)
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(*one) for one in opsets)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=ir_version, **more), path)
    return path


def verdicts(table, path, version=None):
    return [(one.node.op, one.verdict, one.reason) for one in check(reader.read(path), point(table, version))]


@pytest.mark.parametrize("path", PROBES, ids=lambda path: path.stem)
def test_stored_probes_are_judged_as_they_were_measured(table, path):
    wrong = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        inputs, outputs = (
            tuple(one and Tensor(name="", dtype=one, shape=None) for one in row[side]) for side in ("inputs", "outputs")
        )
        node = Node(
            graph=0, index=0, name="", op=row["op"], version=row["op_version"], inputs=inputs, outputs=outputs, attrs={}
        )
        opset = (
            17 if "::" in row["op"] else row["op_version"]
        )  # that of the file that scripts/sweep_ort_cpu.py asked about
        scope = Scope(node=node, env={"file_ir_version": 8, "file_opset": opset}, edges=Edges({}, {}))
        verdict = judge(node, point(table, row["version"].rsplit(".", 1)[0]), scope).verdict
        # A limit that needs a value or a shape is unknown here: types are all that a probe carries.
        if verdict != row["verdict"] and not (verdict == "unknown" and row["verdict"] == "supported"):
            wrong.append((row["probe"], verdict, row["verdict"]))
    assert wrong == []


def test_every_release_of_the_axis_has_stored_probes(table):
    assert sorted(path.stem.split("-")[1].rsplit(".", 1)[0] for path in PROBES) == sorted(table.versions)


def test_patch_releases_belong_to_their_point(table):
    assert point(table, "1.31.1").version == "1.31.1"
    for outside in ("1.16.3", "1.32"):
        with pytest.raises(EdgecheckError, match="lies outside what the table knows"):
            point(table, outside)


@pytest.fixture(scope="module")
def cases():
    """onnx's node tests; making them overflows on purpose."""
    import warnings

    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return collect_testcases(None)


@pytest.fixture(scope="module")
def node_tests(cases, tmp_path_factory):
    """Their models as files."""
    folder = tmp_path_factory.mktemp("node-tests")
    paths = []
    for one in cases:
        paths.append(folder / f"{one.name}.onnx")
        paths[-1].write_bytes(one.model.SerializeToString())
    return paths


def test_node_tests_of_onnx(table, node_tests):
    """Node by node; nothing differs."""
    counts, differ = Counter(), set()
    newest = point(table)
    ort_cpu.warm_up()
    ran = isolated(
        lambda: [[asdict(a) for a in ort_cpu.verdicts(path, "ort-cpu", {})] for path in node_tests], seconds=600
    )
    assert ran.failure is None
    for path, answers in zip(node_tests, ran.value):
        ours = {(one.node.graph, one.node.index): one for one in check(reader.read(path), newest)}
        for answer in (Answer(**one) for one in answers):
            if answer.verdict in ("inconclusive", "invalid"):
                counts[answer.verdict] += 1
                continue
            verdict = ours[answer.graph, answer.index].verdict
            counts[verdict == answer.verdict] += 1
            if verdict != answer.verdict:
                differ.add((path.stem, verdict, answer.verdict))
    assert differ == set()
    assert counts[True] > 8000
    assert counts["inconclusive"] + counts["invalid"] < 0.02 * counts[True]


def test_the_known_differences_fail_when_they_run(cases):
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for one in cases:
        if one.name in FAIL_WHEN_RUN:
            session = onnxruntime.InferenceSession(one.model.SerializeToString(), options)
            names = [value.name for value in one.model.graph.input]
            feeds = {name: numpy.asarray(value) for name, value in zip(names, one.data_sets[0][0])}
            with pytest.raises(Exception, match="Non-zero status code"):
                session.run(None, feeds)


def test_real_models(table, models_dir):
    paths = sorted(models_dir.rglob("*.onnx"))
    assert len(paths) > 20
    differ = []
    for outcome in ask("ort_cpu", Path(sys.executable), paths, "ort-cpu"):
        ours = check(reader.read(outcome.model), point(table))
        assert len(ours) == len(outcome.answers)
        theirs = {(one.graph, one.index): (one.op, one.verdict) for one in outcome.answers}
        differ += [
            (outcome.model.name, one.node.op, one.reason)
            for one in ours
            if theirs[one.node.graph, one.node.index] != (one.node.op, one.verdict)
        ]
    assert differ == []


def test_a_type_without_a_kernel_is_said_with_what_was_found(table, tmp_path):
    from onnx import TensorProto, helper

    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])
    shape = [1, 1, 4, 4]
    values = [("x", TensorProto.DOUBLE, shape), ("w", TensorProto.DOUBLE, [1, 1, 1, 1])]
    path = onnx_file(tmp_path / "m.onnx", [node], values, [("y", TensorProto.DOUBLE, shape)])
    ((_, verdict, reason),) = verdicts(table, path)
    assert (verdict, reason) == ("rejected", "input 0's dtype is float64; input 0 must be float16 or float32")


@pytest.mark.parametrize(
    ("op", "domain", "shapes", "outputs", "attributes"),
    [
        ("GridSample", "com.microsoft", [[1, 1, 4, 4], [1, 3, 3, 2]], 1, {}),
        ("GroupQueryAttention", "com.microsoft", [[1, 4, 32], [1, 4, 32], [1, 4, 32]], 3, {"num_heads": 4, "kv_num_heads": 4}),
    ],
)  # fmt: skip
def test_outputs_that_the_file_does_not_declare_have_the_type_of_the_input(
    table, tmp_path, op, domain, shapes, outputs, attributes
):
    import onnx
    from onnx import TensorProto, helper

    inputs = [(f"x{i}", TensorProto.FLOAT, shape) for i, shape in enumerate(shapes)]
    names = [name for name, _, _ in inputs]
    if outputs == 3:
        inputs += [("lengths", TensorProto.INT32, [1]), ("total", TensorProto.INT32, [])]
        names += ["", "", "lengths", "total"]
    node = helper.make_node(op, names, [f"y{i}" for i in range(outputs)], domain=domain, **attributes)
    path = onnx_file(tmp_path / "m.onnx", [node], inputs, [], opsets=[("com.microsoft", 1)])
    model = onnx.load(path)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output)
    onnx.save(model, path)
    assert [one[1] for one in verdicts(table, path)] == ["supported"]


@pytest.mark.parametrize(
    ("version", "verdict"), [("1.17", "rejected"), ("1.20", "rejected"), ("1.27", "rejected"), ("1.31", "supported")]
)
def test_rotary_dimensions_without_heads_came_late(table, tmp_path, version, verdict):
    from onnx import TensorProto, helper

    inputs = [
        ("x", TensorProto.FLOAT, [2, 2, 3, 8]), ("p", TensorProto.INT64, [1]),
        ("c", TensorProto.FLOAT, [10, 4]), ("s", TensorProto.FLOAT, [10, 4]),
    ]  # fmt: skip
    node = helper.make_node(
        "RotaryEmbedding", ["x", "p", "c", "s"], ["y"], domain="com.microsoft", rotary_embedding_dim=8
    )
    out = [("y", TensorProto.FLOAT, [2, 2, 3, 8])]
    path = onnx_file(tmp_path / "m.onnx", [node], inputs, out, opsets=[("com.microsoft", 1)])
    assert [one[1] for one in verdicts(table, path, version)] == [verdict]


def test_float16_runs_through_float32(table, tmp_path):
    from onnx import TensorProto, helper

    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])
    shape = [1, 1, 4, 4]
    values = [("x", TensorProto.FLOAT16, shape), ("w", TensorProto.FLOAT16, [1, 1, 1, 1])]
    path = onnx_file(tmp_path / "m.onnx", [node], values, [("y", TensorProto.FLOAT16, shape)])
    assert [one[1] for one in verdicts(table, path)] == ["supported"]
    assert next(iter(ask("ort_cpu", Path(sys.executable), [path], "ort-cpu"))).answers[0].verdict == "supported"


@pytest.mark.parametrize(
    ("change", "version", "sentence"),
    [
        ({"ir_version": 14}, None, "the file's ir version is 14; it loads files up to IR version 13"),
        ({"ir_version": 10}, "1.17", "the file's ir version is 10; it loads files up to IR version 9"),
        ({"opset": 22}, "1.20", "it loads files up to opset 21"),
    ],
)
def test_a_file_that_is_newer_than_the_runtime(table, tmp_path, change, version, sentence):
    from onnx import helper

    path = tmp_path / "m.onnx"
    onnx_file(path, [helper.make_node("Sigmoid", ["x"], ["y"])], [("x", 1, [1])], [("y", 1, [1])], **change)
    ((_, verdict, reason),) = verdicts(table, path, version)
    assert verdict == "rejected"
    assert sentence in reason


def test_the_files_own_functions_are_no_miss(table, tmp_path):
    from onnx import helper

    body = [helper.make_node("Neg", ["x"], ["y"])]
    function = helper.make_function("my", "Negate", ["x"], ["y"], body, [helper.make_opsetid("", 17)])
    node = helper.make_node("Negate", ["x"], ["y"], domain="my")
    path = tmp_path / "m.onnx"
    onnx_file(path, [node], [("x", 1, [1])], [("y", 1, [1])], opsets=[("my", 1)], functions=[function])
    assert verdicts(table, path)[0] == ("my::Negate", "supported", None)
    answers = next(iter(ask("ort_cpu", Path(sys.executable), [path], "ort-cpu"))).answers
    assert [(one.graph, one.op, one.verdict) for one in answers] == [
        (0, "my::Negate", "supported"),
        (1, "Neg", "supported"),
    ]


def test_types_go_through_calls_of_functions(tmp_path):
    from onnx import helper

    opset = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    inner = helper.make_function("my", "Inner", ["x"], ["y"], [helper.make_node("Exp", ["x"], ["y"])], opset)
    body = [helper.make_node("Inner", ["x"], ["e"], domain="my"), helper.make_node("Add", ["e", "x"], ["y"])]
    outer = helper.make_function("my", "Outer", ["x"], ["y"], body, opset)
    nodes = [helper.make_node("Outer", ["x"], ["h"], domain="my"), helper.make_node("Abs", ["h"], ["y"])]
    path = tmp_path / "m.onnx"
    onnx_file(path, nodes, [("x", 1, [2])], [("y", 1, [2])], opsets=[("my", 1)], functions=[outer, inner])
    read = reader.read(path)
    assert [[t.dtype for t in (*node.inputs, *node.outputs)] for node in read.nodes] == [
        ["float32"] * len((*node.inputs, *node.outputs)) for node in read.nodes
    ]


def test_one_bad_node_is_named_among_good_ones(table, tmp_path):
    from onnx import helper

    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="good"),
        helper.make_node("Cast", ["a"], ["b"], to=1, name="cast"),
        helper.make_node("RoiAlign", ["b", "r", "i"], ["y"], name="bad"),
    ]
    inputs = [("x", 1, [1, 1, 8, 8]), ("r", 1, [1, 4]), ("i", 7, [1])]
    path = onnx_file(tmp_path / "m.onnx", nodes, inputs, [("y", 1, None)], opset=22, ir_version=10)
    answers = next(iter(ask("ort_cpu", Path(sys.executable), [path], "ort-cpu"))).answers
    assert [one.verdict for one in answers] == ["supported", "supported", "rejected"]
    assert [one[1] for one in verdicts(table, path)] == ["supported", "supported", "rejected"]


def constant(name, values, dtype="float32"):
    import numpy
    from onnx import numpy_helper

    return numpy_helper.from_array(numpy.array(values, dtype), name)


SQUARE = [1, 2, 4, 4]
CASES = {
    "linear": ("Resize", {"mode": "linear"}, SQUARE, {2: [1, 1, 2, 2]}, "supported"),
    "linear nhwc": ("Resize", {"mode": "linear"}, [1, 4, 4, 2], {2: [1, 2, 2, 1]}, "supported"),
    "linear channels": ("Resize", {"mode": "linear"}, SQUARE, {2: [1, 2, 2, 2]}, "rejected"),
    "cubic": ("Resize", {"mode": "cubic"}, SQUARE, {2: [1, 1, 2, 2]}, "supported"),
    "cubic channels": ("Resize", {"mode": "cubic"}, SQUARE, {2: [1, 2, 2, 2]}, "rejected"),
    "cubic rank 3": ("Resize", {"mode": "cubic"}, [1, 4, 4], {2: [1, 2, 2]}, "rejected"),
    "cubic rank 5": ("Resize", {"mode": "cubic"}, [1, 1, 4, 4, 4], {2: [1, 1, 1, 2, 2]}, "rejected"),
    "antialias": ("Resize", {"mode": "linear", "antialias": 1}, SQUARE, {2: [1, 1, 2, 2]}, "supported"),
    "nearest antialias": ("Resize", {"mode": "nearest", "antialias": 1}, SQUARE, {2: [1, 1, 2, 2]}, "rejected"),
    "same": ("Conv", {"auto_pad": "SAME_UPPER", "dilations": [1, 1]}, SQUARE, {1: [[[[1.0]], [[1.0]]]]}, "supported"),
    "same dilated": (
        "Conv",
        {"auto_pad": "SAME_UPPER", "dilations": [2, 2]},
        SQUARE,
        {1: [[[[1.0]], [[1.0]]]]},
        "rejected",
    ),
    "pool 3d": ("MaxPool", {"kernel_shape": [2, 2, 2]}, [1, 1, 4, 4, 4], {}, "supported"),
    "pool 4d": ("MaxPool", {"kernel_shape": [2, 2, 2, 2]}, [1, 1, 4, 4, 4, 4], {}, "rejected"),
    "cubic grid": ("GridSample", {"mode": "cubic"}, SQUARE, {1: [[[[0.0, 0.0]]]]}, "supported"),
    "linear rank 1": ("Resize", {"mode": "linear"}, [4], {2: [2]}, "rejected"),
    "linear rank 5": ("Resize", {"mode": "linear"}, [1, 2, 4, 4, 4], {2: [1, 1, 2, 2, 2]}, "supported"),
    "linear batch": ("Resize", {"mode": "linear"}, [1, 2, 4, 4, 4], {2: [2, 1, 2, 2, 2]}, "rejected"),
    "linear axes": ("Resize", {"mode": "linear", "axes": [1, 2]}, SQUARE, {2: [2, 2]}, "supported"),
    "linear channel axes": ("Resize", {"mode": "linear", "axes": [1, 2, 3]}, SQUARE, {2: [2, 2, 2]}, "rejected"),
    "cubic nhwc": ("Resize", {"mode": "cubic"}, [1, 4, 4, 2], {2: [1, 2, 2, 1]}, "supported"),
    "cubic nhwc down": ("Resize", {"mode": "cubic"}, [1, 4, 4, 2], {2: [1, 0.5, 0.5, 1]}, "rejected"),
    "lrn": ("LRN", {"size": 3}, SQUARE, {}, "supported"),
    "lrn rank 3": ("LRN", {"size": 3}, [1, 2, 4], {}, "rejected"),
    "mod": ("Mod", {"fmod": 1}, [2], {1: [2.0, 2.0]}, "supported"),
    "mod of floats": ("Mod", {}, [2], {1: [2.0, 2.0]}, "rejected"),
    "same stride": (
        "MaxPool",
        {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
        SQUARE,
        {},
        "supported",
    ),
    "same steps over": (
        "MaxPool",
        {"kernel_shape": [1, 1], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
        SQUARE,
        {},
        "rejected",
    ),
    "cubic grid 5d": ("GridSample", {"mode": "cubic"}, [1, 1, 2, 2, 2], {1: [[[[[0.0, 0.0, 0.0]]]]]}, "rejected"),
}


@pytest.mark.parametrize("case", CASES)
def test_limits_that_only_kernels_know(table, tmp_path, case):
    """Each on both sides, asked of ONNX Runtime here: made, and run."""
    import numpy
    import onnx
    import onnxruntime
    from onnx import helper

    op, attributes, shape, constants, expected = CASES[case]
    last = max(constants, default=0)
    names = ["x", *(f"c{i}" if i in constants else "" for i in range(1, last + 1))]
    tensors = [constant(f"c{i}", values) for i, values in constants.items()]
    node = helper.make_node(op, names, ["y"], **attributes)
    inputs = [helper.make_tensor_value_info("x", 1, shape)]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", 1, None)], tensors)
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    measured = "supported"
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        session.run(None, {"x": numpy.ones(shape, "float32")})
    except Exception:  # onnxruntime's exceptions have no common base
        measured = "rejected"
    assert measured == expected
    ((_, verdict, _),) = verdicts(table, path)
    assert verdict == expected
