"""The tables of ONNX Runtime web, and the browser that was asked: ort-webgpu, ort-webgpu-jsep, ort-wasm.

That the tables agree with the stored answers is held by tests/test_probing.py; here stand the users' own questions.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecheck import browser, environments
from edgecheck.browser import host
from edgecheck.check import check, point
from edgecheck.check_findings import findings
from edgecheck.errors import EdgecheckError
from edgecheck.oracles import ask, onnx_feeds, onnx_probe, ort_placement
from probe_evidence import table

Spec = dict[str, object]
X: Spec = {"t": "float32", "s": [1, 3, 8, 8]}
CONV: Spec = {"op": "Conv", "opset": 17, "i": [X, {"t": "float32", "s": [4, 3, 3, 3]}], "o": [{"t": "float32"}]}


def said(target: str, spec: Spec, version: str | None = None, **settings: str) -> tuple[str, str]:
    """Verdict and reason of a described operator."""
    one = check(onnx_probe.read(spec), point(table(target), version, settings))[onnx_probe.at(spec)]
    return one.verdict, one.reason or ""


def unary(op: str, dtype: str, opset: int = 17, **attributes: object) -> Spec:
    both = [{"t": dtype, "s": [2, 3]}]
    return {"op": op, "opset": opset, "i": both, "o": [{"t": dtype, "s": [2, 3], "n": "y"}], "a": attributes}


@pytest.mark.parametrize("target", ["ort-webgpu", "ort-webgpu-jsep"])
@pytest.mark.parametrize("op", ["Add", "Mul", "Div", "ReduceMax", "Abs"])
def test_int64_does_not_run_on_webgpu(target: str, op: str) -> None:
    """onnxruntime#22425, #25236: int64 tensors silently run on WebAssembly."""
    spec = unary(op, "int64")
    if op in ("Add", "Mul", "Div"):
        spec["i"] = [{"t": "int64", "s": [2, 3]}, {"t": "int64", "s": [2, 3], "n": "b"}]
    verdict, reason = said(target, spec)
    assert verdict == "fallback"
    assert "int64" in reason
    assert said(target, {**spec, "i": [{**one, "t": "float32"} for one in spec["i"]]})[0] == "supported"  # type: ignore[attr-defined]


def test_a_conv_without_dilations_is_placed_and_fails_in_the_javascript_kernels() -> None:
    """Placement is not execution: 'dilations should be 2D'. The kernels of onnxruntime-web/webgpu take it."""
    verdict, reason = said("ort-webgpu-jsep", {**CONV, "a": {"strides": [1, 1]}})
    assert (verdict, "without the attributes kernel_shape and dilations" in reason) == ("rejected", True)
    assert said("ort-webgpu-jsep", {**CONV, "a": {"strides": [1, 1], "dilations": [1, 1]}})[0] == "supported"
    assert said("ort-webgpu", CONV)[0] == "supported"
    assert said("ort-wasm", CONV)[0] == "supported"


def test_half_precision_needs_the_adapters_feature() -> None:
    spec = unary("Sigmoid", "float16")
    assert said("ort-webgpu", spec)[0] == "supported"
    verdict, reason = said("ort-webgpu", spec, f16="no")
    assert (verdict, "shader-f16" in reason) == ("rejected", True)


def test_a_double_has_a_cpu_kernel_on_the_desktop_and_none_beside_webgpu() -> None:
    spec = unary("Abs", "float64")
    assert said("ort-webgpu", spec)[0] == "rejected"
    assert said("ort-webgpu", spec, "1.27", build="native")[0] == "fallback"
    assert said("ort-wasm", spec)[0] == "supported"


@pytest.mark.parametrize("target", ["ort-cpu", "ort-wasm", "ort-webgpu", "ort-webgpu-jsep"])
def test_a_gru_of_doubles_makes_a_session_and_fails_in_every_run(target: str) -> None:
    inputs = [{"t": "float64", "s": s} for s in ([3, 1, 2], [1, 12, 2], [1, 12, 4])]
    spec = {"op": "GRU", "opset": 17, "i": inputs, "o": [{"t": "float64"}], "a": {"hidden_size": 4}}
    verdict, reason = said(target, spec)
    assert (verdict, "every run fails" in reason) == ("rejected", True)


def test_webassembly_runs_the_function_bodies_that_the_desktop_runs() -> None:
    assert said("ort-wasm", unary("Elu", "float64", opset=18))[0] == "supported"
    assert said("ort-wasm", unary("Elu", "float64", opset=17))[0] == "rejected"


@pytest.mark.parametrize(("op", "expected"), [("GlobalMaxPool", "supported"), ("ArgMax", "fallback")])
def test_halves_of_an_operator_of_opset_1(op: str, expected: str) -> None:
    """JavaScript's kernels have float16 for most of them."""
    shape, made = ([1, 3, 4, 4], [1, 3, 1, 1]) if op == "GlobalMaxPool" else ([2, 3], [1, 3])
    out = {"t": "int64" if op == "ArgMax" else "float16", "s": made}
    spec: Spec = {"op": op, "opset": 9, "i": [{"t": "float16", "s": shape}], "o": [out]}
    assert said("ort-webgpu-jsep", spec)[0] == expected


def test_the_axis_tells_what_a_release_added() -> None:
    """A GRU came to WebGPU behind 1.27; an LSTM was there."""
    gates: dict[str, int] = {"GRU": 3, "LSTM": 4}
    for op, old in (("GRU", "fallback"), ("LSTM", "supported")):
        size = 4 * gates[op]
        inputs = [{"t": "float32", "s": s} for s in ([3, 1, 2], [1, size, 2], [1, size, 4])]
        spec = {"op": op, "opset": 17, "i": inputs, "o": [{"t": "float32"}], "a": {"hidden_size": 4}}
        assert (said("ort-webgpu", spec, "1.27")[0], said("ort-webgpu", spec, "1.30")[0]) == (old, "supported")


def test_an_old_opset_leaves_webgpu_alone() -> None:
    assert said("ort-webgpu", unary("Abs", "float32", 6))[0] == "fallback"
    assert said("ort-webgpu", unary("Abs", "float32", 7))[0] == "supported"


def test_javascript_cannot_pass_a_bfloat16() -> None:
    verdict, reason = said("ort-wasm", unary("Identity", "bfloat16"))
    assert (verdict, "JavaScript cannot pass" in reason) == ("rejected", True)


def test_a_newer_opset_is_refused_for_what_falls_back_too() -> None:
    for opset, expected in ((26, "fallback"), (27, "rejected")):
        assert said("ort-webgpu", {**unary("Det", "float32", opset)})[0] == expected


def test_findings_name_what_was_seen() -> None:
    spec = unary("Abs", "int64")
    model, target = onnx_probe.read(spec), point(table("ort-webgpu"))
    (one,) = findings(model, target, check(model, target))
    assert one.rule == "EC102"
    assert one.message.startswith("Abs falls back on ort-webgpu: input 0's dtype is int64; the WebGPU kernel takes")


LOG = """\
[V:onnxruntime:, session_state.cc:1377 VerifyEachNodeIsAssignedToAnEp] Node placements
[V:onnxruntime:, session_state.cc:1383 VerifyEachNodeIsAssignedToAnEp]  Node(s) placed on [CPUExecutionProvider]. Number of nodes: 1
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   Gather (g)
[V:onnxruntime:, session_state.cc:1383 VerifyEachNodeIsAssignedToAnEp]  Node(s) placed on [WebGpuExecutionProvider]. Number of nodes: 2
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   MemcpyFromHost (Memcpy)
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   com.ms.internal.nhwc.Conv (c_token_1)
"""


def test_the_log_says_where_nodes_lie() -> None:
    assert ort_placement.placed(LOG.splitlines()) == [
        ("Gather", "g", "CPU"),
        ("com.ms.internal.nhwc.Conv", "c_token_1", "WebGpu"),
    ]


def session(verdict: str, failure: str = "") -> ort_placement.Session:
    line = f"All nodes placed on [{verdict}ExecutionProvider]. Number of nodes: 1"
    return ort_placement.Session(made=True, log=[line], failure=failure)


UNMADE = ort_placement.Session(made=False, failure="ERROR_CODE: 9, Could not find an implementation")


@pytest.mark.parametrize(
    ("on_gpu", "on_cpu", "expected"),
    [
        (session("WebGpu"), session("CPU"), "supported"),
        (session("CPU"), session("CPU"), "fallback"),
        (session("CPU", "Unsupported pooling size"), session("CPU"), "rejected"),
        (session("CPU", "Program Cast requires f16"), session("CPU", "Unsupported pooling size"), "rejected"),
        (session("CPU", "Program Cast requires f16"), session("CPU"), "fallback"),
        (session("WebGpu", "not supported yet"), session("CPU"), "rejected"),
        (session("WebGpu", "index out of range"), session("CPU", "index out of range"), "supported"),
        (session("WebGpu", "not supported yet"), session("CPU", "Unsupported pooling size"), "rejected"),
        (session("WebGpu", "not implemented for webgpu"), session("CPU", "not implemented for CPU"), "rejected"),
        (session("WebGpu", "channels must be 320"), UNMADE, "rejected"),
        (
            session("WebGpu", "no such value"),
            ort_placement.Session(made=False, failure="no answer in 60 s"),
            "inconclusive",
        ),
        (session("WebGpu", "Program Elu requires f16 but"), session("CPU"), "inconclusive"),
        (UNMADE, session("CPU"), "rejected"),
        (ort_placement.Session(made=False, failure="no answer in 60 s"), session("CPU"), "inconclusive"),
        (ort_placement.Session(made=False, failure="INVALID_GRAPH"), session("CPU"), "invalid"),
    ],
)
def test_what_a_session_is_evidence_of(
    on_gpu: ort_placement.Session, on_cpu: ort_placement.Session, expected: str
) -> None:
    content = onnx_probe.write(unary("Elu", "float32"))
    assert ort_placement.judged(content, lambda _, __, cpu: on_cpu if cpu else on_gpu)[0] == expected


@pytest.mark.parametrize(
    ("sizes", "on_cpu", "expected"),
    [
        ([2, 4], session("CPU"), "rejected"),
        ([2], session("CPU"), "inconclusive"),
        ([2, 4], ort_placement.Session(made=False, failure="NOT_IMPLEMENTED"), "inconclusive"),
    ],
)
def test_a_run_that_may_hang_on_open_sizes_is_no_answer(
    sizes: list[int], on_cpu: ort_placement.Session, expected: str
) -> None:
    content = onnx_probe.write(unary("Softmax", "float32") | {"i": [{"t": "float32", "s": [1, "n"]}]})

    def make(_: bytes, values: list[onnx_feeds.Value] | None, cpu: bool) -> ort_placement.Session:
        fails = values is not None and values[0].array.shape[1] in sizes
        return on_cpu if cpu else session("WebGpu", "no such shape" if fails else "")

    assert ort_placement.judged(content, make)[0] == expected


def chained() -> bytes:
    """A Relu named Relu_1 behind one that is named Relu."""
    value: Spec = {"n": "x", "t": "float32", "s": [2]}
    middle: Spec = {"n": "m", "t": "float32", "s": [2]}
    before = {"op": "Relu", "name": "Relu", "i": [value], "o": [middle]}
    spec: Spec = {"op": "Relu", "name": "Relu_1", "opset": 17, "i": [middle], "o": [{"t": "float32", "s": [2]}]}
    return onnx_probe.write(spec | {"before": [before]})


@pytest.mark.parametrize(
    ("named", "expected"), [("[Relu_1_part] no", "rejected"), ("[Relu] no", "inconclusive"), ("no", "rejected")]
)
def test_what_a_node_before_it_is_refused_for_is_no_answer(named: str, expected: str) -> None:
    told = ort_placement.Session(made=False, failure=f"Failed to execute 'relu' on 'MLGraphBuilder': {named}")
    assert ort_placement.judged(chained(), lambda *_: told, at=1)[0] == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ('[WebGPU] Kernel "[Relu] Relu" failed. Error: no', "inconclusive"),
        ('[WebGPU] Kernel "[Relu] Relu_1_token_2" failed. Error: no', "rejected"),
        ("Non-zero status code returned while running Relu node. Name:'Relu' Status Message: no", "inconclusive"),
        ("Non-zero status code returned while running Relu node. Name:'Relu_1' Status Message: no", "rejected"),
        ("no", "rejected"),
    ],
)
def test_a_node_before_it_that_fails_in_the_run_says_nothing_of_it(told: str, expected: str) -> None:
    made = [session("WebGpu", told), session("CPU")]
    assert ort_placement.judged(chained(), lambda _, __, cpu: made[cpu], at=1)[0] == expected


@pytest.mark.parametrize(("shape", "expected"), [(["n", 3, 5, 4], True), ([1, 3, "h", 4], False), (None, False)])
def test_a_negative_padding_is_one_of_the_sizes_behind_the_channels(shape: list[object] | None, expected: bool) -> None:
    value: Spec = {"t": "float32", **({} if shape is None else {"s": shape})}
    spec: Spec = {"op": "AveragePool", "opset": 13, "i": [value], "o": [{"t": "float32"}],
                  "a": {"auto_pad": "SAME_UPPER", "kernel_shape": [1, 2], "strides": [3, 1]}}  # fmt: skip
    told = "padding values must be non-negative"
    assert onnx_feeds.refused_in_every_run(onnx_probe.read(spec), told) is expected


def test_the_host_serves_the_page_the_packages_and_the_job_alone(tmp_path: Path) -> None:
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "a.js").write_text("1")
    (tmp_path / "secret").write_text("2")
    served = host.Host(modules, "chromium")
    assert served.file("/page/page.js") == host.PAGE / "page.js"
    assert served.file("/npm/a.js") == modules / "a.js"
    for outside in ("/npm/../secret", "/page/../host.py", "/secret", str(tmp_path / "secret"), "/file/1"):
        assert served.file(outside) is None


def test_no_browser_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("EDGECHECK_CHROMIUM", raising=False)
    with pytest.raises(EdgecheckError, match="no Chromium was found") as caught:
        browser.executable()
    assert (caught.value.code, "apt-get install chromium" in str(caught.value.help)) == (3, True)
    monkeypatch.setenv("EDGECHECK_CACHE", str(tmp_path))
    with pytest.raises(EdgecheckError, match="packages are not installed"):
        browser.installed()


def test_the_lock_names_no_registry() -> None:
    text = (browser.locks() / "package-lock.json").read_text("utf-8")
    assert "integrity" in text
    assert "resolved" not in text


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ort-webgpu", "ort-webgpu-jsep", "ort-wasm"])
def test_the_browser_answers_as_the_table_says(target: str, tmp_path: Path) -> None:
    if environments.state("ort-webgpu").problem or not (browser.folder() / "node_modules").is_dir():
        pytest.skip("the browser's packages are not installed: `python scripts/fetch_browser.py`")
    specs = [unary("Abs", "float32"), unary("Abs", "int64"), unary("Acos", "float32", 22), CONV,
             unary("Softmax", "float32", axis=-1)]  # fmt: skip
    paths = [tmp_path / f"{number}.onnx" for number in range(len(specs))]
    for path, spec in zip(paths, specs):
        path.write_bytes(onnx_probe.write(spec))
    outcomes = list(ask("ort_web", environments.interpreter("ort-webgpu"), paths, target, {"version": "1.30"}))
    measured = [outcome.answers[0].verdict for outcome in outcomes]
    assert measured == [said(target, spec)[0] for spec in specs]
    assert len(set(measured)) == {"ort-webgpu": 2, "ort-webgpu-jsep": 3, "ort-wasm": 1}[target]


@pytest.mark.parametrize("target", ["ort-wasm", "ort-webgpu", "ort-webgpu-jsep"])
def test_the_limits_of_ort_cpu_are_taken_over_as_they_are_today(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python scripts/import_ort_web.py TARGET --inherit` mends it."""
    scripts = Path(__file__).parents[1] / "scripts"
    monkeypatch.syspath_prepend(str(scripts))
    import import_ort_web

    assert import_ort_web.refreshed(target) == (import_ort_web.TARGETS / f"{target}.toml").read_text()


def test_a_file_of_an_old_opset_falls_back_where_no_cpu_kernel_was_seen() -> None:
    assert said("ort-webgpu", unary("Not", "bool", 6))[0] == "fallback"
