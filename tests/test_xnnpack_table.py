"""The table `litert-xnnpack` against LiteRT's default delegate: stored probes, real models, and the runtime itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from edgecheck.check import check, point
from edgecheck.model.formats import tflite
from edgecheck.model.graph import Graph, Model, Node, Quantization, Tensor
from edgecheck.oracles import ask, tflite_probe
from edgecheck.oracles.litert_xnnpack import _Step, delegated
from edgecheck.probing.programs import Stored
from edgecheck.probing.replay import model_of
from edgecheck.tables import bundle

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT / "op_tables" / "evidence" / "litert_xnnpack-2.3.0.jsonl"
MODELS = json.loads((Path(__file__).parent / "cases" / "litert_xnnpack_models.json").read_text())
#: Probes whose refusal no limit describes: state sizes of an LSTM, sizes the file stores for dynamic dimensions, block
#: sizes of a type that the kernel misreads.
NOT_DESCRIBED = {"UNIDIRECTIONAL_SEQUENCE_LSTM", "b00311", "b00341"}


@pytest.fixture(scope="module")
def target():
    return point(bundle.load("litert-xnnpack"))


@pytest.fixture(scope="module")
def stored():
    rows = [json.loads(line) for line in EVIDENCE.read_text().splitlines()]
    return [row for row in rows if row["verdict"] in {"supported", "fallback", "rejected"}]


def test_stored_probes_are_judged_as_they_were_measured(target, stored):
    wrong = []
    for row in stored:
        (judged,) = check(model_of(row.get("model") or row["spec"], "tflite"), target)
        if judged.verdict != row["verdict"] and not NOT_DESCRIBED & {row["op"], row["probe"]}:
            wrong.append((row["probe"], judged.verdict, row["verdict"], judged.reason))
    assert len(stored) > 800
    assert wrong == []


def test_every_delegated_operator_has_a_probe_that_was_delegated(stored):
    taken = {row["op"] for row in stored if row["verdict"] == "supported"}
    table = bundle.load("litert-xnnpack")
    listed = {op for op in table.ops if table.entries(op)[0].verdict == "supported"}
    never_alone = {"ASSIGN_VARIABLE", "DENSIFY", "READ_VARIABLE", "STABLEHLO_COMPOSITE", "VAR_HANDLE"}
    raw_options = {"Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D"}
    assert listed - taken == never_alone | raw_options


@pytest.mark.parametrize("name", sorted(MODELS))
def test_real_models_are_judged_as_they_were_measured(target, models_dir, name):
    judged = "".join(one.verdict[0] for one in check(tflite.read(models_dir / name), target))
    assert judged == MODELS[name]


def judge(target, op, inputs, outputs, **attrs):
    (judged,) = check(tflite_probe.read({"op": op, "v": 1, "a": attrs, "i": inputs, "o": outputs}), target)
    return judged


def test_the_sixth_input_of_a_concatenation_is_too_many(target):
    one = {"t": "float32", "s": [1, 4]}
    attrs = {"axis": 1, "fused_activation_function": "NONE"}
    five = judge(target, "CONCATENATION", [one] * 5, [{"t": "float32", "s": [1, 20]}], **attrs)
    six = judge(target, "CONCATENATION", [one] * 6, [{"t": "float32", "s": [1, 24]}], **attrs)
    assert (five.verdict, six.verdict, six.limit) == ("supported", "fallback", "inputs-2-to-5")
    assert six.help == "concatenate in two steps"


def test_what_no_kernel_takes_is_rejected_with_the_kernel_s_reason(target):
    boolean = {"t": "bool", "s": [2]}
    judged = judge(target, "ABS", [boolean], [boolean])
    assert (judged.verdict, judged.limit) == ("rejected", "kernel-type")
    assert any("elementwise.cc" in source for source in judged.evidence)


def test_an_operator_version_without_a_kernel_is_rejected(target):
    one = {"t": "float32", "s": [2]}
    spec = {"op": "NEG", "v": 9, "i": [one], "o": [one]}
    (judged,) = check(tflite_probe.read(spec), target)
    assert judged.verdict == "rejected"
    assert "version 9 of NEG" in (judged.reason or "")


def test_an_unknown_custom_operator_is_rejected(target):
    one = {"t": "float32", "s": [2]}
    assert judge(target, "CUSTOM:MyOp", [one], [one]).verdict == "rejected"


def test_a_constant_that_is_dequantised_follows_its_readers(target):
    half = {"t": "float16", "s": [4, 4], "c": {"f": 1.0}}
    spec = {"op": "DEQUANTIZE", "v": 2, "i": [half], "o": [{"t": "float32", "s": [4, 4]}]}
    (alone,) = check(tflite_probe.read(spec), target)
    assert alone.verdict == "supported"


@pytest.mark.parametrize(
    ("stored", "expected"),
    [("float16", "supported"), ("int8", "supported"), ("int16", "fallback"), ("uint8", "fallback")],
)
def test_weights_that_are_dequantised_on_the_way(target, stored, expected):
    """The delegate unpacks float16 and int8 constants only; of others it sees no constant filter."""
    read, filter_, bias, made = (
        Tensor(name=name, dtype="float32", shape=shape, data=data)
        for name, shape, data in (("x", (1, 4), None), ("w", (2, 4), None), ("b", (2,), Stored()), ("y", (1, 2), None))
    )
    scale = None if stored == "float16" else Quantization(scales=(0.1,), zero_points=(0,), axis=0)
    constant = Tensor(name="c", dtype=stored, shape=(2, 4), quantization=scale, data=Stored())
    attrs = {"keep_num_dims": False, "fused_activation_function": "NONE", "weights_format": "DEFAULT"}
    nodes = (
        Node(graph=0, index=0, name="w", op="DEQUANTIZE", version=2, inputs=(constant,), outputs=(filter_,), attrs={}),
        Node(
            graph=0, index=1, name="y", op="FULLY_CONNECTED", version=1, inputs=(read, filter_, bias), outputs=(made,),
            attrs=attrs,
        ),
    )  # fmt: skip
    graph = Graph(index=0, name="main", inputs=(read,), outputs=(made,), nodes=nodes)
    model = Model(path=Path("m.tflite"), format="tflite", sha256="", graphs=(graph,))
    assert check(model, target)[1].verdict == expected


@pytest.mark.parametrize(("sizes", "expected"), [([], "fallback"), ([1, 3, 2, 4], "supported")])
def test_a_padded_tensor_has_dimensions(target, sizes, expected):
    padded = {"t": "float32", "s": [1, 2, 2, 4]}
    amounts = {"t": "int32", "s": [4, 2], "c": [0, 0, 1, 0, 0, 0, 0, 0]}
    assert judge(target, "PAD", [padded, amounts], [{"t": "float32", "s": sizes}]).verdict == expected


@pytest.mark.parametrize(("axis", "expected"), [(0, "supported"), (3, "fallback")])
def test_uint8_weights_with_one_scale_have_it_along_dimension_0(target, axis, expected):
    image = {"t": "uint8", "s": [1, 4, 4, 3], "q": [0.1, 0]}
    weights = {"t": "uint8", "s": [1, 1, 1, 3], "q": {"s": [0.02], "z": [0], "d": axis}, "c": {"f": 1}}
    bias = {"t": "int32", "s": [3], "q": [0.002, 0], "c": {"f": 0}}
    window = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "dilation_w_factor": 1, "dilation_h_factor": 1}
    attrs = {**window, "depth_multiplier": 1, "fused_activation_function": "NONE"}
    assert judge(target, "DEPTHWISE_CONV_2D", [image, weights, bias], [image], **attrs).verdict == expected


def test_islands_are_told_from_their_edges():
    own = [
        _Step(op="RELU", inputs=(0,), outputs=(1,)),
        _Step(op="FLOOR_DIV", inputs=(1, 5), outputs=(2,)),
        _Step(op="RELU", inputs=(2,), outputs=(3,)),
        _Step(op="NEG", inputs=(3,), outputs=(4,)),
    ]
    islands = [_Step(op="DELEGATE", inputs=(0,), outputs=(1,)), _Step(op="DELEGATE", inputs=(2,), outputs=(4,))]
    assert delegated(own, islands, {4}, lambda number: number != 3) == [True, False, True, True]
    assert delegated(own, [], {4}, lambda number: True) == [False] * 4


def test_a_node_without_outputs_is_inside_when_its_value_exists_only_there():
    own = [
        _Step(op="VAR_HANDLE", inputs=(), outputs=(1,)),
        _Step(op="RELU", inputs=(0,), outputs=(2,)),
        _Step(op="ASSIGN_VARIABLE", inputs=(1, 2), outputs=()),
        _Step(op="CALL_ONCE", inputs=(), outputs=()),
    ]
    islands = [_Step(op="DELEGATE", inputs=(0,), outputs=())]
    assert delegated(own, islands, set(), lambda number: number == 0) == [True, True, True, False]


@pytest.mark.export
@pytest.mark.slow
def test_the_runtime_still_answers_as_it_did(tf_python, models_dir, target, tmp_path):
    names = sorted(MODELS)
    counted: Counter[bool] = Counter()
    for outcome, name in zip(
        ask("litert_xnnpack", tf_python, [models_dir / n for n in names], "litert-xnnpack"), names
    ):
        assert outcome.failure is None
        counted.update(one.verdict[0] == kept for one, kept in zip(outcome.answers, MODELS[name], strict=True))
    assert counted[False] == 0
    assert counted[True] > 1500
