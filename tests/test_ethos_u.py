"""The op tables `ethos-u55` and `ethos-u85` against what Vela 5.2.0 did with stored probes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tflite_file
from edgecheck import oracles
from edgecheck.check import check, point
from edgecheck.model.formats.tflite import read
from edgecheck.model.graph import Graph, Model, Node, Quantization, Tensor
from edgecheck.oracles import tflite_probe, vela
from edgecheck.probing import asking, making
from edgecheck.tables.functions import after, before, made_with, shape1, shape4
from edgecheck.tables.scope import Edges, Scope, Unknown
from probe_evidence import Agreement, compare, evidence, fresh, table

EVIDENCE = {"ethos-u55": "vela-5.2.0.jsonl", "ethos-u85": "vela-u85-5.2.0.jsonl"}
TARGETS = tuple(EVIDENCE)


@pytest.fixture(scope="module", params=TARGETS)
def agreement(request: pytest.FixtureRequest) -> Agreement:
    return compare(evidence(EVIDENCE[request.param], request.param), request.param)


def test_nothing_is_supported_where_vela_refused_it(agreement: Agreement) -> None:
    assert agreement.false_supported == []


def test_the_table_agrees_with_vela(agreement: Agreement) -> None:
    assert agreement.asked > 800
    assert agreement.placed >= 0.995, (agreement.false_refused + agreement.unknown)[:20]
    assert agreement.same / agreement.asked >= 0.98


def test_the_evidence_speaks_of_every_operator_of_the_table() -> None:
    for target in TARGETS:
        asked = {row["op"] for row in evidence(EVIDENCE[target], target)}
        listed = set(table(target).ops) - {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
        assert listed - asked <= {"SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"}


def verdict(target: str, spec: dict[str, Any]) -> tuple[str, str | None]:
    one = check(tflite_probe.read(spec), point(table(target)))[0]
    return one.verdict, one.limit


def q8(shape: list[int], **more: Any) -> dict[str, Any]:
    return {"t": "int8", "s": shape, "q": [0.5, 0], **more}


def arg_max(depth: int) -> dict[str, Any]:
    axis = {"t": "int32", "s": [1], "c": [-1]}
    return {
        "op": "ARG_MAX",
        "i": [q8([1, 4, depth]), axis],
        "o": [{"t": "int32", "s": [1, 4]}],
        "a": {"output_type": "int32"},
    }


@pytest.mark.parametrize(("depth", "expected"), [(127, ("supported", None)), (128, ("fallback", "depth-127"))])
def test_arg_max_depth_on_both_sides(depth: int, expected: tuple[str, str | None]) -> None:
    assert verdict("ethos-u55", arg_max(depth)) == expected
    assert verdict("ethos-u85", arg_max(depth)) == ("supported", None)


def softmax(dtype: str, depth: int, zero_point: int = 0) -> dict[str, Any]:
    out = {"int8": [1 / 256, -128], "int16": [1 / 32768, 0]}[dtype]
    source = {"t": dtype, "s": [1, depth], "q": [0.5, zero_point]}
    return {"op": "SOFTMAX", "i": [source], "o": [{"t": dtype, "s": [1, depth], "q": out}], "a": {"beta": 1.0}}


@pytest.mark.parametrize("target", TARGETS)
def test_softmax_depth_on_both_sides(target: str) -> None:
    assert verdict(target, softmax("int8", 65536)) == ("supported", None)
    assert verdict(target, softmax("int8", 65537)) == ("rejected", "depth-65536")


def test_int16_softmax_is_symmetric() -> None:
    assert verdict("ethos-u55", softmax("int16", 8)) == ("supported", None)
    assert verdict("ethos-u55", softmax("int16", 8, 5)) == ("rejected", "int16-zero-point")
    assert verdict("ethos-u85", softmax("int16", 8, 5)) == ("fallback", "input-zero-point")


@pytest.mark.parametrize(
    ("shape", "axis", "expected"),
    [
        ([1, 65536], 0, ("supported", None)),
        ([1, 65537], 0, ("rejected", "transposed-axis")),
        ([2, 70000], 1, ("supported", None)),
        ([2, 70000, 2], -2, ("rejected", "transposed-axis")),
    ],
)
def test_a_sum_over_another_axis_than_the_last_is_a_transpose(
    shape: list[int], axis: int, expected: tuple[str, str | None]
) -> None:
    out = [1 if place == axis % len(shape) else size for place, size in enumerate(shape)]
    spec = {"op": "SUM", "i": [q8(shape), {"t": "int32", "s": [1], "c": [axis]}], "o": [q8(out)]}
    assert verdict("ethos-u55", {**spec, "a": {"keep_dims": True}}) == expected
    assert verdict("ethos-u85", {**spec, "a": {"keep_dims": True}}) == ("supported", None)


def test_an_operator_left_to_the_cpu_can_still_break_the_file() -> None:
    spec = {
        "op": "SQUARE",
        "i": [{"t": "int8", "s": [1], "q": [1e30, 0]}],
        "o": [{"t": "int8", "s": [1], "q": [1e-30, 0]}],
        "a": {},
    }
    assert verdict("ethos-u85", spec) == ("rejected", "scale-ratio")
    assert verdict("ethos-u85", {**spec, "o": spec["i"]}) == ("fallback", None)


def pool(size: int, padding: str) -> dict[str, Any]:
    attrs = {"padding": padding, "stride_h": 1, "stride_w": 1, "filter_height": size, "filter_width": size,
             "fused_activation_function": "NONE"}  # fmt: skip
    side = 32 if padding == "SAME" else 33 - size
    return {"op": "AVERAGE_POOL_2D", "i": [q8([1, 32, 32, 4])], "o": [q8([1, side, side, 4])], "a": attrs}


def test_average_pool_window_on_both_sides() -> None:
    assert verdict("ethos-u55", pool(8, "SAME")) == ("supported", None)
    assert verdict("ethos-u55", pool(9, "SAME")) == ("fallback", "kernel")
    assert verdict("ethos-u55", pool(16, "VALID")) == ("supported", None)


def test_a_float_model_stays_on_the_cpu_with_a_way_out() -> None:
    shape = {"t": "float32", "s": [1, 4]}
    one = check(
        tflite_probe.read({"op": "ADD", "i": [shape, shape], "o": [shape], "a": {"fused_activation_function": "NONE"}}),
        point(table("ethos-u55")),
    )[0]
    assert one.verdict == "fallback"
    assert "float32" in (one.reason or "")
    assert "int8" in (one.help or "")


def test_what_breaks_tflite_semantics_is_rejected_not_left_to_the_cpu() -> None:
    spec = {"op": "HARD_SWISH", "i": [{"t": "float32", "s": [1, 4]}], "o": [{"t": "float32", "s": [1, 4]}], "a": {}}
    assert verdict("ethos-u55", spec) == ("rejected", "input-8-bit")


def test_a_dynamic_batch_is_taken_as_one() -> None:
    spec = {"op": "ABS", "i": [q8([1, 4], sig=[-1, 4])], "o": [q8([1, 4], sig=[-1, 4])], "a": {}}
    assert verdict("ethos-u55", spec) == ("supported", None)
    spec["i"][0].update(s=[1, 1], sig=[1, -1])
    spec["o"][0].update(s=[1, 1], sig=[1, -1])
    assert verdict("ethos-u55", spec) == ("fallback", "static-shape")


def dilated(fused: str) -> list[str]:
    """Verdicts of SPACE_TO_BATCH_ND, CONV_2D, BATCH_TO_SPACE_ND as exporters write a dilated convolution."""
    quant = Quantization(scales=(0.5,), zero_points=(0,))
    wave = [Tensor(name=f"t{i}", dtype="int8", shape=(1, 8, 8, 4), quantization=quant) for i in range(4)]
    spec = {"t": "int32", "s": [2], "c": [2, 2]}
    block = tflite_probe.read({"op": "SPACE_TO_BATCH_ND", "i": [spec], "o": []}).graphs[0].nodes[0].inputs[0]
    weights = tflite_probe.read(
        {"op": "CONV_2D", "i": [{"t": "int8", "s": [4, 3, 3, 4], "q": [0.1, 0], "c": {"f": 1}}], "o": []}
    )
    conv = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}

    def node(index: int, op: str, inputs: tuple[Tensor | None, ...], attrs: dict[str, Any]) -> Node:
        return Node(
            graph=0, index=index, name=op, op=op, version=1, inputs=inputs, outputs=(wave[index + 1],), attrs=attrs
        )

    nodes = (
        node(0, "SPACE_TO_BATCH_ND", (wave[0], block, block), {}),
        node(
            1, "CONV_2D", (wave[1], weights.graphs[0].nodes[0].inputs[0]), {**conv, "fused_activation_function": fused}
        ),
        node(2, "BATCH_TO_SPACE_ND", (wave[2], block, block), {}),
    )
    graph = Graph(index=0, name="main", inputs=(wave[0],), outputs=(wave[3],), nodes=nodes)
    model = Model(path=Path("dilated.tflite"), format="tflite", sha256="", graphs=(graph,))
    return [one.verdict for one in check(model, point(table("ethos-u55")))]


def test_space_to_batch_around_a_convolution_becomes_a_dilated_one() -> None:
    assert dilated("NONE") == ["supported", "supported", "supported"]
    assert dilated("RELU") == ["fallback", "supported", "fallback"]


def test_the_neighbour_functions() -> None:
    spec = {
        "op": "MUL",
        "i": [{"t": "int8", "s": [1, 2], "sig": [-1, 2]}],
        "o": [{"t": "int8", "s": [2]}],
        "a": {"x": 7},
    }
    model = tflite_probe.read(spec)
    node = model.graphs[0].nodes[0]
    scope = Scope(node=node, env={}, edges=Edges.of(model.graphs))
    source, made = node.inputs[0], node.outputs[0]
    assert source is not None
    assert made is not None
    assert after(scope, source) is made
    assert before(scope, made) is source
    assert made_with(scope, made, "x") == 7
    assert isinstance(after(scope, made), Unknown)
    assert isinstance(before(scope, source), Unknown)
    assert isinstance(made_with(scope, made, "y"), Unknown)
    assert (shape1(scope, source), shape4(scope, made)) == ([1, 2], [1, 1, 1, 2])


def test_sizes_stored_below_a_dynamic_dimension_are_read() -> None:
    filters = {"t": "int8", "s": [4, 1, 1, 8], "q": [0.01, 0], "c": {"f": 1}}
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    spec = {"op": "CONV_2D", "o": [q8([1, 4, 4, 4])], "a": {**options, "fused_activation_function": "NONE"}}
    for stored, expected in ((8, ("fallback", "static-shape")), (1, ("rejected", "group-depth"))):
        source = q8([1, 4, 4, stored], sig=[1, 4, 4, -1])
        assert verdict("ethos-u55", {**spec, "i": [source, filters, None]}) == expected


def test_the_oracle_reads_vela_s_own_words() -> None:
    log = "\nWarning (supported operators) operator: ARGMAX, ofm: 'out'\nReason: The depth is 128.\nIFM depth must be 127.\n\nInfo\n"
    op = vela._Op(graph=0, index=3, op="ARG_MAX", outputs=("out",), inputs=("in",))
    answer = vela._answer(op, vela.Counter(), vela._reasons(log))
    assert (answer.verdict, answer.reason) == ("fallback", "The depth is 128. IFM depth must be 127.")
    error = "RuntimeError: Compilation failed: Error: ARGMAX 'out' Does not have valid TFLite Semantics. - IFM has to be 8bit IFM type=INT16, Failed to parse TFLite file"
    assert vela._refusal(op, error, alone=True) == ("rejected", "IFM has to be 8bit IFM type=INT16,")
    assert vela._refusal(op, "killed by SIGSEGV", alone=True) == ("inconclusive", "killed by SIGSEGV")


@pytest.mark.parametrize("target", TARGETS)
def test_inputs_and_options_that_are_left_out(target: str) -> None:
    soft = softmax("int8", 8)
    assert verdict(target, {key: soft[key] for key in ("op", "i", "o")}) == ("rejected", "options")
    missing = {"op": "RELU", "i": [None], "o": [q8([1, 4])], "a": {}}
    assert verdict(target, missing) == ("rejected", "inputs-present")
    assert verdict(target, {**missing, "i": []})[0] == "fallback"
    third = {"op": "ADD", "i": [q8([1, 4])] * 3, "o": [q8([1, 4])], "a": {"fused_activation_function": "NONE"}}
    assert verdict(target, third) == ("rejected", "third-input")
    assert verdict(target, {**third, "i": [*third["i"][:2], None]}) == ("supported", None)


def test_a_file_without_an_option_table_is_known_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = [tflite_file.T(name=name, shape=[1, 4]) for name in "abc"]

    def told() -> list[frozenset[str] | None]:
        path = tflite_file.write(tmp_path / "dense.tflite", tensors, [([0, 1], [2])])
        return [node.written for graph in read(path).graphs for node in graph.nodes]

    assert told() == [None]
    monkeypatch.setattr(tflite_file, "FULLY_CONNECTED_OPTIONS", 0)
    assert told() == [frozenset()]


@pytest.mark.parametrize(
    ("source", "made", "expected"), [("int16", "int16", "supported"), ("int32", "int8", "rejected")]
)
def test_a_wide_convolution_has_no_hardware(source: str, made: str, expected: str) -> None:
    weights = {"t": "int8", "s": [3, 1, 1, 2], "q": [0.1, 0], "c": {"f": 1}}
    spec = {
        "op": "CONV_2D",
        "i": [{"t": source, "s": [1, 4, 4, 2], "q": [0.5, 0]}, weights],
        "o": [{"t": made, "s": [1, 4, 4, 3], "q": [0.5, 0]}],
        "a": {"padding": "SAME", "stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1},
    }
    spec["a"]["fused_activation_function"] = "NONE"
    assert verdict("ethos-u85", spec)[0] == expected


def test_the_operator_that_an_error_names_is_the_one_that_makes_the_tensor() -> None:
    error = "Error: SOFTMAX 'b' Does not have valid TFLite Semantics. - IFM and OFM types must match Failed to parse"
    ops = [
        vela._Op(graph=0, index=i, op="SOFTMAX", outputs=(made,), inputs=(read,))
        for i, (read, made) in enumerate(["ab", "bc"])
    ]
    assert [one.verdict for one in vela._refused(ops, error)] == ["rejected", "inconclusive"]


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_vela_itself_on_fresh_probes(target: str) -> None:
    ops = sorted(set(table(target).ops) - {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})
    agreement = fresh(target, "vela", seed=77, count=200, ops=ops)
    assert len(agreement.false_supported) <= 2, agreement.false_supported  # mutants may be no TFLite at all
    assert agreement.placed >= 0.98


@pytest.mark.slow
def test_mlia_agrees_on_what_the_tensorflow_converter_wrote_and_knows_no_newer_operator(
    models_dir: Path, tmp_path: Path
) -> None:
    witness = asking.witness("mlia", "ethos-u55")
    nabu = next(models_dir.rglob("okay_nabu.tflite"))
    square = {"t": "int8", "s": [1, 4, 4], "q": [0.5, 0]}
    options = {"adj_x": False, "adj_y": False, "asymmetric_quantize_inputs": False}
    product = {"op": "BATCH_MATMUL", "i": [square, square], "o": [square], "a": options}
    files = [nabu, *making.write([product], "tflite", tmp_path)]
    first, second = oracles.ask("mlia", witness.python, [one for one in files if one], "ethos-u55")
    ours = [one.verdict for one in check(read(nabu), point(table("ethos-u55")))]
    assert [one.verdict for one in first.answers] == ours
    assert [(one.verdict, one.reason) for one in second.answers] == [("fallback", "CPU only operator")]
    assert verdict("ethos-u55", product) == ("supported", None)  # as Vela itself compiles it
