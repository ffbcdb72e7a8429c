"""The table ort-webnn: ONNX Runtime web's own list, what a Chromium says its backend takes, and that browser asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck import browser, environments
from edgecheck.browser import webnn
from edgecheck.check import check, point
from edgecheck.oracles import ask, onnx_probe
from probe_evidence import table

Spec = dict[str, object]
X: Spec = {"t": "float32", "s": [1, 3, 8, 8]}


def said(op: str, inputs: list[object], version: str | None = None, opset: int = 17, domain: str = "",
         attributes: Spec | None = None, **settings: str) -> tuple[str, str]:  # fmt: skip
    spec = {"op": op, "domain": domain, "opset": opset, "i": inputs, "o": [{"t": "float32"}], "a": attributes or {}}
    one = check(onnx_probe.read(spec), point(table("ort-webnn"), version, settings))[0]
    return one.verdict, one.reason or ""


def constant(values: list[int]) -> Spec:
    return {"t": "int64", "s": [len(values)], "c": values}


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "expected", "reason"),
    [
        ("Relu", [X], {}, "supported", ""),
        ("Relu", [{"t": "float32", "s": ["n", 3]}], {}, "fallback", "static shapes only"),
        ("Relu", [{"t": "float64", "s": [2]}], {}, "fallback", "no such element type"),
        ("CastLike", [X, {"t": "float32", "s": ["n"]}], {}, "supported", ""),
        ("CastLike", [{"t": "float32", "s": ["n"]}, X], {}, "fallback", "static shapes only"),
        ("LRN", [X], {"size": 3}, "supported", ""),
        ("LRN", [{"t": "float32", "s": [1, 8, 16]}], {"size": 3}, "rejected", "it takes 4-D inputs"),
        ("Add", [{"t": "int64", "s": [2]}, {"t": "int64", "s": [2]}], {}, "supported", ""),
        ("Abs", [{"t": "int64", "s": [2]}], {}, "fallback", "with LiteRT input 0 must be float32, float16 or int32"),
        ("Relu", [{"t": "float32", "s": [1] * 6}], {}, "fallback", "0 to 5 dimensions"),
        ("Reshape", [X, constant([1, -1])], {}, "supported", ""),
        ("Reshape", [X, {"t": "int64", "s": [2]}], {}, "fallback", "shape must be a constant of the file"),
        ("Reshape", [X, constant([0, -1])], {"allowzero": 1}, "fallback", "no size in shape may be 0"),
        ("MaxPool", [X], {"kernel_shape": [2, 2]}, "supported", ""),
        ("MaxPool", [X], {"kernel_shape": [2, 2], "storage_order": 1}, "fallback", "storage_order must be 0"),
        ("MaxPool", [{"t": "float32", "s": [1, 3, 8]}], {"kernel_shape": [2]}, "fallback", "4-D inputs"),
        ("Conv", [X, {"t": "float32", "s": [4, 3, 3, 3]}], {}, "supported", ""),
        ("Pad", [X, constant([0] * 8)], {"mode": "reflect"}, "supported", ""),
        ("Pad", [X, constant([0] * 8)], {"mode": "wrap"}, "fallback", "the mode wrap is not taken"),
        ("Det", [{"t": "float32", "s": [2, 2]}], {}, "fallback", "not in the table"),
    ],
)
def test_what_the_provider_takes(op: str, inputs: list[object], attributes: Spec, expected: str, reason: str) -> None:
    verdict, why = said(op, inputs, attributes=attributes)
    assert verdict == expected
    assert reason in why


def test_a_rotary_embedding_needs_positions_and_caches_of_half_its_width() -> None:
    value, positions = {"t": "float32", "s": [2, 4, 3, 8]}, {"t": "int64", "s": [2, 3]}
    cache, whole = {"t": "float32", "s": [50, 4]}, {"t": "float32", "s": [2, 3, 4]}
    assert said("RotaryEmbedding", [value, cache, cache, positions], opset=23)[0] == "supported"
    verdict, reason = said("RotaryEmbedding", [value, whole, whole], opset=23)
    assert (verdict, "without position_ids" in reason) == ("rejected", True)
    narrow = said("RotaryEmbedding", [value, cache, cache, positions], opset=23, attributes={"rotary_embedding_dim": 4})
    assert narrow[0] == "rejected"


def test_a_release_adds_operators_and_lifts_limits() -> None:
    assert said("LpNormalization", [X], "1.27")[0] == "fallback"
    assert said("LpNormalization", [X], "1.30")[0] == "supported"


def test_a_backend_has_a_function_since_a_chromium() -> None:
    verdict, reason = said("CumSum", [X, constant([1])], backend="coreml", chromium="131")
    assert (verdict, "since Chromium 132" in reason) == ("fallback", True)
    assert said("CumSum", [X, constant([1])], backend="coreml", chromium="132")[0] == "supported"


def test_what_another_backend_takes_is_not_known() -> None:
    both = [{"t": "int64", "s": [2]}, {"t": "int64", "s": [2]}]
    verdict, reason = said("Add", both, backend="dml")
    assert (verdict, "opSupportLimits" in reason) == ("unknown", True)


def test_what_falls_back_is_asked_of_webassembly() -> None:
    """A Max of int16 has no kernel anywhere."""
    assert said("Max", [{"t": "int16", "s": [2]}, {"t": "int16", "s": [2]}])[0] == "rejected"


@pytest.mark.parametrize(("outer", "expected"), [(True, "rejected"), (False, "fallback")])
def test_a_branch_that_reads_a_constant_of_the_graph_around_it_makes_no_session(outer: bool, expected: str) -> None:
    value: Spec = {"n": "x", "t": "float32", "s": [2]}
    held: Spec = {"n": "w", "t": "float32", "s": [2], "c": [1.0, 2.0], **({"outer": True} if outer else {})}
    result: Spec = {"n": "a", "t": "float32", "s": [2]}
    branch = {"nodes": [{"op": "Add", "a": {}, "i": [value, held], "o": [result]}], "i": [], "o": [result]}
    verdict, reason = said(
        "If", [{"n": "c", "t": "bool", "s": []}], attributes={"then_branch": branch, "else_branch": branch}
    )
    assert (verdict, "no session is made" in reason) == (expected, outer)


@pytest.mark.parametrize(
    ("shape", "scale", "zero", "expected"),
    [
        ([2, 3], [], [], "supported"),
        ([2, 3], [3], [3], "supported"),
        ([2, 3], [1], [1], "rejected"),
        ([2, 1], [1], [1], "supported"),
        ([4], [1], [1], "supported"),
        ([4], [1], [], "rejected"),
        ([], [1], [1], "fallback"),
    ],
)
def test_one_scale_for_all_has_no_dimension(shape: list[int], scale: list[int], zero: list[int], expected: str) -> None:
    inputs: list[object] = [{"t": "uint8", "s": shape}, {"t": "float32", "s": scale}, {"t": "uint8", "s": zero}]
    assert said("DequantizeLinear", inputs)[0] == expected


@pytest.mark.parametrize(
    ("length", "total", "expected"), [(2, 2, "supported"), (2, 4, "fallback"), (1, 4, "supported"), (1, 2, "fallback")]
)
def test_a_grouped_attention_is_a_first_prompt_or_one_token(length: int, total: int, expected: str) -> None:
    query, key, past = ({"t": "float32", "s": s} for s in ([1, length, 16], [1, length, 8], [1, 1, 4, 8]))
    lengths: list[Spec] = [{"t": "int32", "s": [1], "c": [1]}, {"t": "int32", "s": [], "c": [total]}]
    spec: Spec = {"op": "GroupQueryAttention", "domain": "com.microsoft", "opset": 18, "i": [query, key, key, past, past, *lengths],
                  "o": [query, past, past], "a": {"num_heads": 2, "kv_num_heads": 1}}  # fmt: skip
    assert check(onnx_probe.read(spec), point(table("ort-webnn"), None, {}))[0].verdict == expected


def test_computed_scales_keep_a_resize_on_the_cpu() -> None:
    scales: Spec = {"t": "float32", "s": [4]}
    assert said("Resize", [X, None, {**scales, "c": [1, 1, 2, 2]}], opset=18)[0] == "supported"
    assert said("Resize", [X, None, scales], opset=18)[0] == "fallback"


def test_every_row_of_the_list_is_there() -> None:
    ops = table("ort-webnn").ops
    assert len(ops) == 130
    assert {"com.microsoft::MatMulNBits", "Einsum", "LSTM", "Where"} <= set(ops)


@pytest.mark.slow
def test_the_browser_answers_as_the_table_says(tmp_path: Path) -> None:
    if environments.state("ort-webgpu").problem or not (browser.folder(webnn.NAME) / "chromium").is_file():
        pytest.skip("the Chromium with WebNN is not installed: `python scripts/fetch_browser.py`")
    value: Spec = {"t": "float32", "s": [2, 3]}
    specs: list[Spec] = [
        {"op": op, "opset": 17, "i": [{**value, **more}], "o": [{"t": "float32"}]}
        for op, more in (("Abs", {}), ("Abs", {"s": [2, "n"]}), ("Tan", {}), ("Det", {"s": [2, 2]}))
    ]
    paths = [tmp_path / f"{number}.onnx" for number in range(len(specs))]
    for path, spec in zip(paths, specs):
        path.write_bytes(onnx_probe.write(spec))
    outcomes = list(ask("ort_webnn", environments.interpreter("ort-webgpu"), paths, "ort-webnn", {"version": "1.30"}))
    expected = [check(onnx_probe.read(spec), point(table("ort-webnn"), None, {}))[0].verdict for spec in specs]
    assert [outcome.answers[0].verdict for outcome in outcomes] == expected
    assert set(expected) == {"supported", "fallback"}
