"""ExecuTorch's tables: held against what its partitioners said, and against real programs."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from edgecheck.check import check, point
from edgecheck.model import formats
from edgecheck.model.graph import Node, Tensor
from edgecheck.probing import asking, making
from edgecheck.probing.programs import described, model_of
from probe_evidence import table
from program_calls import said

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests" / "cases" / "programs"
EVIDENCE = ROOT / "op_tables" / "evidence" / "executorch-1.5.1.jsonl"
MEASURED = {"executorch-xnnpack": 500, "executorch-vulkan": 480, "executorch-coreml": 240, "executorch-ethos-u": 190}


def rows(target):
    lines = EVIDENCE.read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["target"] == target]


@pytest.mark.parametrize("target", MEASURED)
def test_the_table_says_what_the_partitioner_did(target):
    found, same = rows(target), cache(lambda config: point(table(target), None, {"config": config} if config else None))
    told = [row for row in found if not row.get("differs")]
    said = [(check(model_of(row), same(row.get("settings", {}).get("config")))[0], row) for row in told]
    wrong = [
        f"{row['op']} {row['probe']}: {ours.verdict} for {row['verdict']}"
        for ours, row in said
        if ours.verdict != row["verdict"]
    ]
    false_supported = [
        f"{row['op']} {row['probe']}" for ours, row in said if ours.verdict == "supported" != row["verdict"]
    ]
    assert len(found) >= MEASURED[target]
    assert not false_supported
    assert len(wrong) <= len(found) * 0.005, wrong


def verdicts(file, target):
    return {one.node.name: one for one in check(formats.read(CASES / file), point(table(target)))}


def test_an_exported_program_on_xnnpack():
    found = verdicts("net.pt2", "executorch-xnnpack")
    assert [found[name].verdict for name in ("conv2d", "batch_norm", "silu", "linear")] == ["supported"] * 4
    assert (found["mul"].verdict, found["mul"].limit) == ("fallback", "float-scalar")
    assert found["mul_1"].verdict == "supported", "2.0 is no whole number"
    assert found["max_1"].verdict == "fallback"


def test_a_lowered_program_on_its_own_backend_and_on_another():
    own, other = (verdicts("net.pte", name) for name in ("executorch-xnnpack", "executorch-vulkan"))
    call = next(name for name in own if name.startswith("XnnpackBackend"))
    assert own[call].verdict == "supported"
    assert other[call].verdict == "unknown"
    assert {one.verdict for name, one in own.items() if name != call} == {"fallback"}


@pytest.mark.parametrize("target", ["executorch-qnn", "executorch-ethos-u", "executorch-nxp"])
def test_the_tables_that_are_read_from_code(target):
    assert len(table(target).raw_ops) > 250
    call = verdicts("net.pte", target)
    assert {one.verdict for one in call.values()} == {"fallback", "unknown"}


def test_ethos_u_takes_quantised_programs_only():
    found = verdicts("net.pt2", "executorch-ethos-u")
    assert (found["conv2d"].verdict, found["conv2d"].limit) == ("fallback", "quantised")


def test_ethos_u_takes_an_operator_between_dequantize_and_quantize():
    at = point(table("executorch-ethos-u"))
    q, d = (f"quantized_decomposed.{kind}_per_tensor.default" for kind in ("quantize", "dequantize"))
    spec = {"n": ["self"], "i": [["float32", [2, 3], 0]], "o": [["float32", [2, 3], 0]], "a": {}}
    row = {"op": "aten.neg.default", "spec": {**spec, "r": [[q]], "p": [[d, 0]]}}
    assert check(model_of(row), at)[0].verdict == "supported"
    alone = check(model_of({**row, "spec": {**row["spec"], "r": [[]]}}), at)[0]
    assert (alone.verdict, alone.limit) == ("fallback", "quantised-output")


def test_quantised_weights_on_xnnpack():
    at = point(table("executorch-xnnpack"))
    q = "quantized_decomposed.quantize_per_tensor.default"
    d, w = (f"quantized_decomposed.dequantize_per_{kind}.default" for kind in ("tensor", "channel"))
    tensors = [["float32", [1, 8], 0], ["float32", [4, 8], 0]]
    spec = {"n": ["input", "weight"], "i": tensors, "o": [["float32", [1, 4], 0]], "a": {}, "p": [[d, 0], [w, 1]]}
    said = [
        check(model_of({"op": "aten.linear.default", "spec": {**spec, "r": [readers]}}), at)[0].limit
        for readers in ([q], [q, "aten.add.Tensor"], [])
    ]
    assert said == [None, "quantised-output", "quantised-output"]


@pytest.mark.parametrize(
    ("behind", "verdict"), [("quantize", ("supported", None)), ("", ("fallback", "quantised-output"))]
)
def test_a_relu_between_a_quantised_layer_and_its_quantize(behind, verdict):
    d, w = (f"quantized_decomposed.dequantize_per_{kind}.default" for kind in ("tensor", "channel"))
    inputs = [("input", "float32", [1, 8], 0), ("weight", "float32", [4, 8], 0)]
    more = {"p": [[d, 0], [w, 1]], "r": [["aten.relu.default"]]}
    more["b"] = ["quantized_decomposed.quantize_per_tensor.default"] if behind else ["aten.sin.default"]
    assert said("executorch-xnnpack", "aten.linear.default", inputs, [("float32", [1, 4])], {}, **more) == verdict


def test_a_tensor_that_is_given_twice_is_described_so():
    tensor = Tensor(name="x", dtype="float32", shape=(2, 3))
    node = Node(
        graph=0, index=0, name="cat", op="aten.cat.default", version=None, inputs=(tensor, tensor), outputs=(tensor,),
        attrs={"dim": 0}, input_names=("tensors", "tensors"),
    )  # fmt: skip
    spec = described(node, {})
    assert spec["u"] == [0, 0]
    one = check(model_of({"op": node.op, "spec": spec}), point(table("executorch-xnnpack")))[0]
    assert (one.verdict, one.limit) == ("fallback", "two-tensors")


@pytest.mark.parametrize(("length", "verdict"), [(16000, ("supported", None)), (48000, ("fallback", "texture"))])
def test_a_long_recording_does_not_fit_into_a_texture_on_vulkan(length, verdict):
    inputs = [("input", "float32", [1, 1, length], 0), ("weight", "float32", [4, 1, 8], 1)]
    attrs = {"stride": [4], "padding": [0], "dilation": [1], "groups": 1}
    out = [("float32", [1, 4, length // 4 - 1])]
    assert said("executorch-vulkan", "aten.conv1d.default", inputs, out, attrs) == verdict


@pytest.mark.parametrize(("eps", "verdict"), [(1e-6, ("supported", None)), (None, ("rejected", "written"))])
def test_core_ml_wants_the_epsilon_of_an_rms_norm(eps, verdict):
    inputs, out = [("input", "float32", [3, 4], 0), ("weight", "float32", [4], 1)], [("float32", [3, 4])]
    attrs = {"normalized_shape": [4], **({} if eps is None else {"eps": eps})}
    assert said("executorch-coreml", "aten.rms_norm.default", inputs, out, attrs) == verdict


@pytest.mark.parametrize(("returned", "verdict"), [([0], ("supported", None)), ([0, 1], ("rejected", "values-only"))])
def test_core_ml_makes_no_indices_of_a_maximum(returned, verdict):
    out = [("float32", [1, 4, 2, 2]), ("int64", [1, 4, 2, 2])]
    inputs, attrs = [("self", "float32", [1, 4, 8, 8], 0)], {"output_size": [2, 2]}
    assert said("executorch-coreml", "aten.adaptive_max_pool2d.default", inputs, out, attrs, x=returned) == verdict


@pytest.mark.parametrize(("dims", "verdict"), [([1], ("supported", None)), ([3], ("fallback", "flip"))])
def test_ethos_u55_reverses_channels_and_rows_only(dims, verdict):
    inputs, out = [("self", "int8", [1, 3, 4, 5], 0)], [("int8", [1, 3, 4, 5])]
    assert said("executorch-ethos-u", "aten.flip.default", inputs, out, {"dims": dims}) == verdict


@pytest.mark.parametrize(
    ("dim", "keepdim", "returned", "verdict"),
    [
        (2, True, [0], ("supported", None)),
        (1, True, [0], ("rejected", "height-width")),
        (-1, True, [0], ("rejected", "height-width")),
        (2, False, [0], ("rejected", "height-width")),
        (1, True, [0, 1], ("fallback", "values-only")),
    ],
)
def test_xnnpacks_compiler_has_a_maximum_over_dimension_2_or_3_only(dim, keepdim, returned, verdict):
    inputs, out = [("self", "float32", [1, 2, 3, 4], 0)], [("float32", [1, 2, 1, 4]), ("int64", [1, 2, 1, 4])]
    attrs = {"dim": dim, "keepdim": keepdim}
    assert said("executorch-xnnpack", "aten.max.dim", inputs, out, attrs, x=returned) == verdict


@pytest.mark.parametrize(("shape", "verdict"), [([2, 3, 4], ("supported", None)), ([4], ("fallback", "matrices"))])
def test_a_vector_is_multiplied_by_a_matrix_on_vulkan(shape, verdict):
    inputs = [("self", "float32", shape, 0), ("other", "float32", [4], 0)]
    assert said("executorch-vulkan", "aten.matmul.default", inputs, [("float32", shape[:-1])], {}) == verdict


@pytest.mark.parametrize(
    ("size", "dim", "keepdim", "verdict"),
    [
        ([7], None, False, ("supported", None)),
        ([3, 7], None, True, ("supported", None)),
        ([1, 7], None, False, ("fallback", "reduction")),
        ([3, 7], -1, False, ("supported", None)),
    ],
)
def test_the_place_of_the_largest_of_all_on_vulkan(size, dim, keepdim, verdict):
    attrs = {"keepdim": keepdim, **({} if dim is None else {"dim": dim})}
    inputs, out = [("self", "float32", size, 0)], [("int64", [1] * len(size) if keepdim else [])]
    assert said("executorch-vulkan", "aten.argmax.default", inputs, out, attrs) == verdict


@pytest.mark.parametrize(
    ("readers", "verdict"), [([], ("supported", None)), (["aten.index_select.default"], ("fallback", "with-others"))]
)
def test_ethos_u_delegates_no_view_alone(readers, verdict):
    inputs, out = [("self", "int32", [2, 3], 0)], [("int32", [6])]
    assert said("executorch-ethos-u", "aten.view.default", inputs, out, {"size": [6]}, r=[readers]) == verdict


@pytest.mark.parametrize(("train", "verdict"), [(False, ("supported", None)), (True, ("fallback", "inference"))])
def test_a_dropout_that_trains_has_a_kernel(train, verdict):
    inputs, out = [("input", "float32", [2, 3], 0)], [("float32", [2, 3])]
    assert said("executorch-vulkan", "aten.dropout.default", inputs, out, {"p": 0.5, "train": train}) == verdict


@pytest.mark.slow
def test_the_oracle_on_a_probe_and_on_a_lowered_program(tmp_path):
    witness = asking.witness("executorch", "executorch-xnnpack")
    spec = {"op": "aten.cat.default", "n": ["tensors", "tensors"], "u": [0, 0], "a": {"dim": 0}, "r": [[]]}
    spec |= {"i": [["float32", [2, 3], 0]] * 2, "o": [["float32", [4, 3], 0]]}
    (path,) = making.write([spec], "executorch", tmp_path)
    twice, lowered = asking.ask_all(witness, [path, CASES / "net.pte"], "executorch-xnnpack", {}, seconds_each=300)
    assert [one.verdict for one in twice.answers] == ["fallback"]
    model = formats.read(CASES / "net.pte")
    assert [one.op for one in lowered.answers] == [node.op for node in model.nodes]
    ours = [one.verdict for one in check(model, point(table("executorch-xnnpack")))]
    assert [one.verdict for one in lowered.answers] == ours


def test_a_row_written_into_a_buffer_is_a_state_on_core_ml():
    """`self.b[0] = x[0]; return self.b.relu()`: the buffer is no constant, and Core ML before iOS 18 keeps none."""
    found = verdicts("state.pt2", "executorch-coreml")
    assert [found[name].verdict for name in ("select", "select_1", "relu")] == ["supported"] * 3
    assert (found["copy_"].verdict, found["copy_"].limit) == ("rejected", "no-state")
    assert found["relu"].node.inputs[0].variable


def test_the_letters_of_an_einsum():
    inputs, out = [("tensors", "float32", [2, 3, 4], 0)], [("float32", [2, 3])]
    summed = {"equation": "bij->bi"}
    assert said("executorch-xnnpack", "aten.einsum.default", inputs, out, summed) == ("fallback", "sums")
    assert said("executorch-vulkan", "aten.einsum.default", inputs, out, summed) == ("supported", None)
    two, product = [*inputs, ("tensors", "float32", [2, 4, 5], 0)], {"equation": "bij,bjk->bik"}
    assert said("executorch-xnnpack", "aten.einsum.default", two, out, product) == ("supported", None)
    dots = {"equation": "...ij,...jk->...ik"}
    assert said("executorch-coreml", "aten.einsum.default", two, out, dots) == ("rejected", "ellipsis")


@pytest.mark.slow
def test_a_call_that_stands_twice_has_one_verdict():
    """ExecuTorch keeps one of the two: the other is not "nothing left"."""
    witness = asking.witness("executorch", "executorch-xnnpack")
    (said,) = asking.ask_all(witness, [CASES / "twice.pt2"], "executorch-xnnpack", {}, seconds_each=300)
    assert [one.verdict for one in said.answers if one.op == "aten.select.int"] == ["fallback"] * 3
    ours = [one.verdict for one in check(formats.read(CASES / "twice.pt2"), point(table("executorch-xnnpack")))]
    assert [one.verdict for one in said.answers] == ours
