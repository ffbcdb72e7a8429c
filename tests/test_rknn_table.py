"""The tables `rknn-*` against RKNN-Toolkit2's compiler: stored probes, and the compiler itself."""

from __future__ import annotations

import pytest

from edgecheck.check import check, point
from edgecheck.environments import interpreter
from edgecheck.oracles import ask, onnx_probe, rknn
from edgecheck.probing import evidence, replay
from edgecheck.tables import bundle

CHIPS = ("rknn-rk3588", "rknn-rk3566", "rknn-rv1103")


@pytest.mark.parametrize("target", CHIPS)
def test_stored_probes_are_judged_as_they_were_measured(target):
    rows = evidence.of_target(target)
    agreement = replay.compared(rows, bundle.load(target))
    assert agreement.asked > 150
    assert agreement.explained < 0.2 * agreement.asked
    assert agreement.false_supported + agreement.false_refused + agreement.unknown + agreement.mixed == []


def tensor(*shape, dtype="float32", **more):
    return {"t": dtype, "s": list(shape), **more}


def spec(op, inputs, opset=17, made="float32", **attributes):
    return {"op": op, "opset": opset, "a": attributes, "i": inputs, "o": [{"t": made}]}


def ints(*values):
    return [tensor(len(one), dtype="int64", c=list(one)) for one in values]


X, C = tensor(1, 8, 16, 16), tensor(8, c={"f": 0.5})
CASES = {
    "relu": (spec("Relu", [X]), "supported", "supported", "supported"),
    "softmax": (spec("Softmax", [X], axis=1), "supported", "fallback", "supported"),
    "transpose": (spec("Transpose", [X], perm=[0, 2, 3, 1]), "supported", "fallback", "supported"),
    "square root": (spec("Sqrt", [X]), "supported", "supported", "fallback"),
    "square root, rank 5": (spec("Sqrt", [tensor(1, 8, 4, 5, 2)]), "fallback", "fallback", "fallback"),
    "instance norm": (spec("InstanceNormalization", [X, C, C]), "supported", "supported", "fallback"),
    "exponential": (spec("Exp", [X]), "fallback", "fallback", "fallback"),
    "power 2": (spec("Pow", [X, tensor(c=[2.0])]), "supported", "supported", "supported"),
    "power given": (spec("Pow", [X, X]), "fallback", "fallback", "fallback"),
    "gather, indices constant": (
        spec("Gather", [X, tensor(2, dtype="int64", c=[0, 3])], axis=1), "supported", "supported", "supported",
    ),
    "gather, indices given": (spec("Gather", [X, tensor(2, dtype="int64")], axis=1), "fallback", "fallback", "fallback"),
    "reshape of an image, aligned": (
        spec("Reshape", [tensor(1, 6, 4, 6), tensor(3, dtype="int64", c=[1, 6, 24])]), "supported", "fallback", "supported",
    ),
    "reshape of an image, not aligned": (
        spec("Reshape", [tensor(1, 6, 5, 5), tensor(3, dtype="int64", c=[1, 6, 25])]), "fallback", "fallback", "supported",
    ),
    "reshape to an image, not aligned": (
        spec("Reshape", [tensor(1, 6, 25), tensor(4, dtype="int64", c=[1, 6, 5, 5])]), "fallback", "fallback", "supported",
    ),
    "reshape between images of one width": (
        spec("Reshape", [tensor(1, 6, 5, 7), tensor(4, dtype="int64", c=[1, 5, 6, 7])]), "supported", "fallback", "supported",
    ),
    "reshape of vectors": (spec("Reshape", [tensor(5, 7), tensor(1, dtype="int64", c=[35])]), "supported", "supported", "supported"),
    "transpose of a plane of 8192": (spec("Transpose", [tensor(1, 2, 128, 64)], perm=[0, 2, 1, 3]), "supported", "fallback", "supported"),
    "transpose of a plane of 8256": (spec("Transpose", [tensor(1, 2, 129, 64)], perm=[0, 2, 1, 3]), "fallback", "fallback", None),
    "slice": (spec("Slice", [X, *ints([0], [4], [1], [1])]), "supported", "supported", "supported"),
    "slice, step 2": (spec("Slice", [X, *ints([0], [8], [1], [2])]), "fallback", "fallback", "fallback"),
    "where": (spec("Where", [tensor(1, 8, 16, 16, dtype="bool"), X, X]), "supported", "supported", "supported"),
    "where, a scalar given": (spec("Where", [tensor(1, 8, 16, 16, dtype="bool"), X, tensor()]), "fallback", "fallback", None),
    "divide images": (spec("Div", [X, X]), "supported", "supported", "fallback"),
    "divide channels": (spec("Div", [tensor(1, 8, 1, 1), tensor(1, 8, 1, 1)]), "fallback", "fallback", "fallback"),
    "maximum of images": (spec("Max", [X, X]), "supported", "supported", "supported"),
    "maximum of matrices": (spec("Max", [tensor(8, 16), tensor(8, 16)]), "fallback", "fallback", "fallback"),
    "pad height": (spec("Pad", [X, *ints([0, 0, 1, 0, 0, 0, 1, 0])]), "supported", "supported", "supported"),
    "pad channels": (spec("Pad", [X, *ints([0, 1, 0, 0, 0, 0, 0, 0])]), "supported", "supported", "supported"),
    "pad channels and width": (spec("Pad", [tensor(1, 24, 1, 33), *ints([0, 1, 0, 1, 0, 0, 1, 2])]), "fallback", None, None),
    "expand the batch": (spec("Expand", [X, *ints([4, 8, 16, 16])]), "fallback", "fallback", None),
    "expand the channels": (spec("Expand", [tensor(1, 1, 16, 16), *ints([1, 8, 16, 16])]), "supported", "supported", "supported"),
    "resize by 2, half pixel": (
        spec("Resize", [X, None, tensor(4, c=[1.0, 1.0, 2.0, 2.0])], mode="linear"), "supported", "supported", None,
    ),
    "resize by 1.5, half pixel": (
        spec("Resize", [X, None, tensor(4, c=[1.0, 1.0, 1.5, 1.5])], mode="linear"), "fallback", "fallback", None,
    ),
    "transposed convolution, stride 2": (
        spec("ConvTranspose", [X, tensor(8, 4, 3, 3, c={"f": 0.5})], strides=[2, 2]), "supported", "supported", "supported",
    ),
    "transposed convolution, stride 3": (
        spec("ConvTranspose", [X, tensor(8, 4, 3, 3, c={"f": 0.5})], strides=[3, 3]), "fallback", "fallback", "supported",
    ),
    "transposed convolution, stride 3, dilated": (
        spec("ConvTranspose", [X, tensor(8, 4, 3, 3, c={"f": 0.5})], strides=[3, 3], dilations=[2, 2]), "supported", "fallback", "supported",
    ),
    "gather nd, constant rows": (
        spec("GatherND", [tensor(4, 5), tensor(2, 1, dtype="int64", c=[0, 2])]), "rejected", "rejected", "rejected",
    ),
    "gather nd, constant elements": (
        spec("GatherND", [tensor(4, 5, 6), tensor(1, 2, dtype="int64", c=[0, 1])]), "fallback", "fallback", "fallback",
    ),
    "reverse, lengths that do not grow": (
        spec("ReverseSequence", [tensor(3, 4, 8), *ints([3, 2, 1, 1])], batch_axis=1, time_axis=0), "supported", "supported", "supported",
    ),
    "reverse, lengths that grow": (
        spec("ReverseSequence", [tensor(3, 4, 8), *ints([1, 2, 3, 3])], batch_axis=1, time_axis=0), "fallback", "fallback", "fallback",
    ),
    "expand the first of five that counts": (
        spec("Expand", [tensor(1, 1, 4, 7, 8), *ints([1, 3, 4, 7, 8])]), "fallback", "fallback", "fallback",
    ),
    "expand by as much as the batch": (
        spec("Expand", [tensor(2, 3, 1, 4), *ints([2, 3, 2, 4])]), "supported", "supported", "supported",
    ),
    "the only slice of an image": (
        spec("Gather", [tensor(2, 1, 12, 20), tensor(dtype="int64", c=[0])], axis=1), "supported", "fallback", "supported",
    ),
    "one pixel of 24 channels": (spec("Unsqueeze", [tensor(1, 24, 1), *ints([-1])]), "supported", "supported", "supported"),
    "topk, k given": (
        {**spec("TopK", [X, tensor(1, dtype="int64")]), "o": [{"t": "float32"}, {"t": "int64"}]},
        "rejected", "rejected", "rejected",
    ),
    "average over padding that no window reaches": (
        spec("AveragePool", [tensor(1, 4, 32, 32)], kernel_shape=[8, 8], strides=[8, 8], pads=[1, 1, 1, 1]), "supported", "supported", None,
    ),
    "average over padding that is not counted": (
        spec("AveragePool", [tensor(1, 4, 32, 32)], kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1]), "fallback", "fallback", "fallback",
    ),
    "add to five dimensions, the second 1": (spec("Add", [tensor(2, 1, 3, 5, 6), tensor(6, c={"f": 0.5})]), "supported", None, None),
    "add to five dimensions, the third 1": (spec("Add", [tensor(2, 3, 1, 5, 6), tensor(6, c={"f": 0.5})]), "rejected", None, None),
    "all of five dimensions": (spec("Slice", [tensor(1, 2, 3, 5, 6), *ints([0], [3], [2])]), "supported", None, None),
    "8400 boxes turned": (spec("Transpose", [tensor(1, 84, 8400)], perm=[0, 2, 1]), "fallback", "fallback", "fallback"),
    "8192 boxes turned": (spec("Transpose", [tensor(1, 84, 8192)], perm=[0, 2, 1]), "supported", None, None),
    "a reshape to 65536 pixels": (spec("Reshape", [tensor(12288, 16), *ints([1, 3, 256, 256])]), "supported", "fallback", None),
    "a reshape to 131072 pixels": (spec("Reshape", [tensor(24576, 16), *ints([1, 3, 512, 256])]), "fallback", "fallback", None),
    "channels padded behind": (spec("Pad", [X, *ints([0, 0, 0, 0, 0, 2, 1, 0])]), "supported", "supported", "fallback"),
    "three channels padded behind": (spec("Pad", [tensor(1, 3, 9, 9), *ints([0, 0, 0, 0, 0, 1, 0, 0])]), "fallback", "fallback", "fallback"),
    "resize by a half, half pixel": (
        spec("Resize", [X, None, tensor(4, c=[1.0, 1.0, 0.5, 0.5])], mode="linear"), "supported", "supported", "supported",
    ),
    "resize by 1.5, asymmetric": (
        spec("Resize", [X, None, tensor(4, c=[1.0, 1.0, 1.5, 1.5])], mode="linear", coordinate_transformation_mode="asymmetric"),
        "fallback", "fallback", "fallback",
    ),
    "all rows scattered": (
        spec("ScatterND", [tensor(2, 64), tensor(2, 1, dtype="int64", c=[0, 1]), tensor(2, 64)]), "fallback", "fallback", "fallback",
    ),
    "a reduction to L2 over no axes": (spec("ReduceL2", [tensor(3, 2, 2), tensor(0, dtype="int64", c=[])], opset=18), "fallback", None, None),
    "a hard sigmoid without a slope": (spec("HardSigmoid", [X], alpha=0.0), "supported", None, "rejected"),
    "group normalisation": (spec("GroupNormalization", [X, tensor(4, c={"f": 0.5}), tensor(4, c={"f": 0.5})], opset=18, num_groups=4), "fallback", "fallback", "fallback"),
    "random numbers": (spec("RandomNormalLike", [X]), "rejected", "rejected", "rejected"),
    "square windows of a square image": (spec("Transpose", [tensor(1, 3, 8, 2, 8, 2)], perm=[0, 1, 3, 5, 2, 4]), "supported", None, None),
    "windows of a wide image": (spec("Transpose", [tensor(1, 3, 8, 2, 6, 2)], perm=[0, 1, 3, 5, 2, 4]), "fallback", None, None),
    "elements scattered": (
        spec("ScatterND", [tensor(8, 8, 4, 4), tensor(2, 2, dtype="int64", c=[0, 0, 1, 1]), tensor(2, 4, 4)]), "fallback", "fallback", None,
    ),
    "a list sliced with steps": (spec("Slice", [tensor(32), *ints([0], [32], [0], [2])]), "supported", None, None),
    "rows of a matrix sliced with steps": (spec("Slice", [tensor(4, 32), *ints([0], [4], [0], [2])]), "fallback", None, None),
    "depth padded": (spec("Pad", [tensor(2, 1, 3, 4, 5), *ints([0, 0, 0, 0, 0, 0, 0, 0, 1, 0])]), "supported", None, None),
    "depth padded, two by two": (spec("Pad", [tensor(2, 2, 3, 4, 5), *ints([0, 0, 0, 0, 0, 0, 0, 0, 1, 0])]), "fallback", None, None),
    "softmax over the second of five": (spec("Softmax", [tensor(2, 3, 4, 5, 6)], axis=1), "supported", None, None),
    "a constant of two images": (
        spec("Add", [tensor(1, 8, 4, 4), tensor(2, 8, 4, 4, c={"r": 7, "lo": 1, "hi": 9})]), "fallback", None, None,
    ),
    "a constant of two images, one number": (spec("Add", [tensor(1, 8, 4, 4), tensor(2, 8, 4, 4, c={"f": 0.5})]), "supported", "supported", "supported"),
    "one-hot of other types": (
        spec("OneHot", [tensor(3, dtype="int64"), tensor(dtype="int64", c=[10]), tensor(2, dtype="int32", c=[0, 1])], made="int32"), "rejected", None, None,
    ),
    "wide integers gathered along the rows": (spec("Gather", [tensor(8, 4, dtype="int64"), *ints([1, 0])], made="int64", axis=0), "fallback", None, None),
    "wide integers gathered along the columns": (spec("Gather", [tensor(8, 4, dtype="int64"), *ints([1, 0])], made="int64", axis=1), "supported", None, None),
    "a power of fewer dimensions": (spec("Pow", [tensor(8, c={"f": 2}), tensor(1, 4, 8)]), "rejected", None, None),
}  # fmt: skip


def quantised(op, shape, *, before=True, after=True):
    """The operator between DequantizeLinear and QuantizeLinear, or beside one of them."""
    scale, zero = {"n": "s", "t": "float32", "s": [], "c": [0.5]}, {"n": "z", "t": "uint8", "s": [], "c": [3]}
    x, y = {"n": "x", "t": "float32", "s": list(shape)}, {"n": "y", "t": "float32", "s": list(shape)}
    made = {"op": "DequantizeLinear", "i": [{"n": "q", "t": "uint8", "s": list(shape)}, scale, zero], "o": [x]}
    read = {"op": "QuantizeLinear", "i": [y, scale, zero], "o": [{"n": "r", "t": "uint8", "s": list(shape)}]}
    own = {"op": op, "opset": 13, "i": [x], "o": [y]}
    return own | ({"before": [made]} if before else {}) | ({"after": [read]} if after else {})


@pytest.mark.parametrize(
    ("asked", "verdicts"),
    [
        (quantised("LeakyRelu", (10, 33)), ["supported", "supported", "supported"]),
        (quantised("Sqrt", (10, 33), after=False), ["fallback", "supported"]),
        (quantised("Relu", (10, 33), after=False), ["supported", "supported"]),
        (quantised("Sqrt", (1, 12, 5, 5)), ["supported", "fallback", "supported"]),
        (quantised("LeakyRelu", (10, 33), before=False), ["fallback", "fallback"]),
        (quantised("Relu", (10, 33), before=False), ["supported", "supported"]),
        (quantised("LeakyRelu", (10, 32), before=False), ["fallback", "supported"]),
    ],
)  # fmt: skip
def test_conversions_and_what_stands_beside_them(asked, verdicts):
    model = onnx_probe.read(asked)
    assert [one.verdict for one in check(model, point(bundle.load("rknn-rk3588")))] == verdicts


def convolution(*, weight=True, after=True):
    """Between DequantizeLinear and QuantizeLinear, its weight as 8-bit integers or floats."""
    one = {"n": "s", "t": "float32", "s": [], "c": [0.5]}
    zero = {"n": "z", "t": "int8", "s": [], "c": [0]}
    w = {"n": "w", "t": "float32", "s": [8, 8, 3, 3]}
    x, y = {"n": "x", "t": "float32", "s": [1, 8, 12, 12]}, {"n": "y", "t": "float32", "s": [1, 8, 10, 10]}
    before = [{"op": "DequantizeLinear", "i": [{"n": "q", "t": "int8", "s": [1, 8, 12, 12]}, one, zero], "o": [x]}]
    if weight:
        before.append(
            {"op": "DequantizeLinear", "i": [{**w, "n": "v", "t": "int8", "c": {"f": 3}}, one, zero], "o": [w]}
        )
    read = {"op": "QuantizeLinear", "i": [y, one, zero], "o": [{"n": "r", "t": "int8", "s": [1, 8, 10, 10]}]}
    own = {"op": "Conv", "opset": 13, "i": [x, w if weight else {**w, "c": {"f": 0.5}}], "o": [y], "before": before}
    return own | ({"after": [read]} if after else {})


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [(convolution(), "supported"), (convolution(weight=False), "rejected"), (convolution(after=False), "rejected")],
)
def test_the_rv1103_has_no_floats_beside_integers(asked, verdict):
    judged = {target: replay.of_spec(asked, point(bundle.load(target))).verdict for target in CHIPS}
    assert judged == {"rknn-rk3588": "supported", "rknn-rk3566": "supported", "rknn-rv1103": verdict}


@pytest.mark.parametrize("case", CASES)
def test_limits_on_both_sides(case):
    asked, *expected = CASES[case]
    found = [replay.of_spec(asked, point(bundle.load(target))).verdict for target in CHIPS]
    assert [None if wanted is None else verdict for verdict, wanted in zip(found, expected, strict=True)] == expected


def test_a_newer_opset_and_a_dynamic_input_are_refused():
    table = point(bundle.load("rknn-rk3588"))
    newer = replay.of_spec(spec("Relu", [X], opset=20), table)
    assert (newer.verdict, newer.limit) == ("rejected", "opset-19")
    gelu = replay.of_spec(spec("Gelu", [X], opset=20), table)
    assert (gelu.verdict, gelu.help) == ("rejected", "export with opset_version=19 or lower")
    dynamic = replay.of_spec(spec("Exp", [{**X, "sig": [-1, 8, 16, 16]}]), table)
    assert (dynamic.verdict, dynamic.limit) == ("rejected", "static-input-cpu")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("ValueError: The input 1 of Reshape('Reshape_0') need to be constant!", "rejected"),
        ("ValueError: The DynamicQuantizeLinear('x_Q') will cause the graph to be a dynamic graph!", "inconclusive"),
        ("x.Fail: [ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Split: " + "t" * 300, "inconclusive"),
        ("x.Fail: [ONNXRuntimeError] : 1 : FAIL : Node (a) Op (Softmax) [ShapeInferenceError] 'axis' must be in", "invalid"),
        ("ValueError: Unsupport onnx opset 22, need <= 19!", "rejected"),
        ("ValueError:\nFound Random node 'n0_', which is not supported\n\nI rknn", "rejected"),
        ("x.InvalidArgument: [ONNXRuntimeError] : 2 : Failed to load model with error: Invalid tensor data type 0.", "rejected"),
    ],
)  # fmt: skip
def test_what_the_toolkit_says(said, verdict):
    assert rknn._refused(f"I rknn\n{said}\nW build: more\n", "", "Reshape")[0] == verdict


def test_reshapes_around_a_transpose_do_not_decide():
    rows = [
        ("Reshape", "NPU", "Reshape:x_rs"),
        ("Transpose", "NPU", "Transpose:/T"),
        ("Reshape", "CPU", "Reshape:/T_out-rs"),
    ]
    layers = [rknn._Layer(op=op, target=target, name=name) for op, target, name in rows]
    assert rknn._placed(layers, "/T", "Transpose") == ("supported", "Transpose on the NPU")
    assert rknn._placed(layers, "/E", "Einsum") == ("supported", "Transpose on the NPU")
    assert rknn._placed(layers[2:], "/T", "Reshape") == ("fallback", "Reshape on the CPU")


def test_a_conversion_is_told_from_the_reshapes_around_its_operator():
    rows = [
        ("Reshape", "CPU", "Reshape:t0__rs"),
        ("Exp", "CPU", "Exp:n1_"),
        ("exDataConvert", "CPU", "exDataConvert:n2_"),
        ("Reshape", "CPU", "Reshape:t5_-rs"),
    ]
    layers = [rknn._Layer(op=op, target=target, name=name) for op, target, name in rows]
    assert rknn._placed(layers, "n0_", "DequantizeLinear", ["n1_", "n2_"]) == ("supported", "nothing of it is left")
    assert rknn._placed(layers, "n1_", "Exp", ["n0_", "n2_"]) == ("fallback", "Exp on the CPU")
    assert rknn._placed(layers, "n2_", "QuantizeLinear", ["n0_", "n1_"]) == ("fallback", "exDataConvert on the CPU")


def test_short_names_leave_the_model_as_it_is():
    import onnx

    content = onnx_probe.write(quantised("Relu", (1, 8)))
    short = onnx.load_from_string(rknn._shortened(content))
    onnx.checker.check_model(short, full_check=True)
    assert [(node.op_type, node.name) for node in short.graph.node] == [
        ("DequantizeLinear", "n0_"), ("Relu", "n1_"), ("QuantizeLinear", "n2_"),
    ]  # fmt: skip
    assert all(one.name.startswith("t") for one in [*short.graph.input, *short.graph.output, *short.graph.initializer])


@pytest.mark.slow
@pytest.mark.parametrize("target", CHIPS)
def test_the_compiler_says_the_same(tmp_path, target):
    paths = []
    for number, (asked, *_) in enumerate(CASES.values()):
        paths.append(tmp_path / f"{number:02}.onnx")
        paths[-1].write_bytes(onnx_probe.write(asked))
    place = CHIPS.index(target) + 1
    answers = [outcome.answers[0] for outcome in ask("rknn", interpreter("rknn"), paths, target)]
    differ = [
        (name, answer.verdict, answer.reason)
        for (name, case), answer in zip(CASES.items(), answers, strict=True)
        if case[place] is not None and answer.verdict not in (case[place], "inconclusive")
    ]
    assert differ == []
