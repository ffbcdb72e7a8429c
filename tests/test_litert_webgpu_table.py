"""The table `litert-webgpu` against LiteRT.js in a browser: stored probes, and how the browser's answers are read."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from edgecheck import browser
from edgecheck.check import check, point
from edgecheck.errors import EdgecheckError
from edgecheck.model.graph import Graph, Model, Node, Tensor
from edgecheck.oracles import ask
from edgecheck.oracles.litert_web import SILENT, judged
from edgecheck.probing import making
from edgecheck.probing.replay import at_point, of_spec
from edgecheck.tables import bundle

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT / "op_tables" / "evidence" / "litert_web-2.5.3.jsonl"


def target(**settings):
    return point(bundle.load("litert-webgpu"), None, settings)


@pytest.fixture(scope="module")
def stored():
    rows = [json.loads(line) for line in EVIDENCE.read_text().splitlines()]
    return [row for row in rows if row["verdict"] in {"supported", "fallback", "rejected"}]


def test_stored_probes_are_judged_as_they_were_measured(stored):
    table, wrong = bundle.load("litert-webgpu"), []
    for row in stored:
        one = of_spec(row["spec"], at_point(row, table))
        if one.verdict != row["verdict"] and "differs" not in row:
            wrong.append((row["probe"], one.verdict, row["verdict"], one.reason))
    assert len(stored) > 1000
    assert wrong == []


def unary(op, dtype, **more):
    tensor = {"t": dtype, "s": [2, 3], **more}
    return {"op": op, "i": [tensor], "o": [tensor]}


@pytest.mark.parametrize(("dtype", "verdict"), [("float32", "supported"), ("int32", "supported"), ("int8", "rejected")])
def test_the_package_passes_three_types(dtype, verdict):
    spec = unary("ABS", dtype, **({"q": [0.5, 0]} if dtype == "int8" else {}))
    one = of_spec(spec, target())
    assert one.verdict == verdict
    assert of_spec(spec, target(interface="module")).verdict == "supported"
    if verdict == "rejected":
        assert one.limit == "passed-types"
        assert "float32 inputs and outputs" in (one.help or "")


def test_what_lies_within_a_model_may_have_other_types():
    """A model of int8 with float inputs and outputs is what the package runs."""
    tensors = [
        Tensor(name=n, dtype=d, shape=(2, 3)) for n, d in zip("abcd", ("float32", "int32", "float32", "float16"))
    ]
    nodes = tuple(
        Node(
            graph=0,
            index=i,
            name=str(i),
            op="CAST",
            version=1,
            inputs=(tensors[i],),
            outputs=(tensors[i + 1],),
            attrs={},
        )
        for i in range(3)
    )
    graph = Graph(index=0, name="main", inputs=(tensors[0],), outputs=(tensors[3],), nodes=nodes)
    model = Model(path=Path("m.tflite"), format="tflite", sha256="", graphs=(graph,))
    assert [one.limit for one in check(model, target())] == [None, None, "passed-types"]


def test_the_native_accelerator_takes_more():
    """Where the browser's accelerator is the older one."""
    spec = {
        "op": "ARG_MAX", "a": {"output_type": "int32"},
        "i": [{"t": "int32", "s": [2, 3]}, {"t": "int32", "s": [1], "c": [1]}], "o": [{"t": "int32", "s": [2]}],
    }  # fmt: skip
    assert of_spec(spec, target()).verdict == "fallback"
    assert of_spec(spec, point(bundle.load("litert-gpu-mldrift"))).verdict == "supported"


@pytest.mark.parametrize(
    ("attributes", "verdict", "limit"),
    [
        ({"epsilon": 1e-5, "sub_type": 1}, "supported", None),
        ({"epsilon": 1e-5, "sub_type": 1, "_TENSOR_V1_reduction_axes": (1,)}, "fallback", "axes"),
        ({"epsilon": 1e-5, "sub_type": 0}, "fallback", "attributes"),
        ({"epsilon": 1e-5, "sub_type": 0, "num_groups": 2, "channel_axis": 1}, "fallback", "channels-last"),
    ],
)
def test_a_normalisation_that_stands_as_a_composite(attributes, verdict, limit):
    """The browser runs it; the native accelerator takes it too and then crashes, so nothing is said of it there."""
    tensor = {"t": "float32", "s": [1, 4, 8]}
    spec = {
        "op": "STABLEHLO_COMPOSITE",
        "a": {"name": "odml.group_norm", "decomposition_subgraph_index": 1, "composite_attributes": attributes},
        "i": [tensor],
        "o": [tensor],
    }
    one = of_spec(spec, target())
    assert (one.verdict, one.limit) == (verdict, limit)
    native = of_spec(spec, point(bundle.load("litert-gpu-mldrift")))
    assert native.verdict == ("unknown" if verdict == "supported" else verdict)


def test_it_speaks_of_every_operator_of_the_native_table():
    assert set(bundle.load("litert-webgpu").ops) == set(bundle.load("litert-gpu-mldrift").ops)


def test_the_limits_of_the_upper_half_replace_the_native_ones(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import import_litert_web

    upper, _, lower = import_litert_web.WEB.read_text().partition(import_litert_web.MARK)
    own, below = (
        {(one["id"], op) for one in tomllib.loads(half)["op_limit"] for op in one["ops"]} for half in (upper, lower)
    )
    gone = {(limit, op) for limit, ops in import_litert_web.GONE for op in ops}
    assert len(below) > 500
    assert own
    assert (own | gone) & below == set()


REFUSED = ["ERROR: Following operations are not supported by GPU delegate:", "TILE: no."]
NONE = "No operations will run on the GPU, and all 1 operations will run on the CPU."
UNPREPARED = "ERROR: kernel.cc:1 x was not true.\nERROR: Node number 0 (TILE) failed to prepare."


@pytest.mark.parametrize(
    ("said", "verdict", "reason"),
    [
        ({"made": True, "accelerated": True, "text": []}, "supported", "accelerated"),
        # What XNNPACK takes counts as accelerated too.
        ({"made": True, "accelerated": True, "text": [*REFUSED, NONE]}, "fallback", "TILE: no."),
        ({"made": True, "accelerated": False, "text": []}, "inconclusive", SILENT),
        (
            {
                "made": True,
                "accelerated": False,
                "text": [REFUSED[0], "DENSIFY: no.", "1 operations will run on the GPU, and the remaining 1 …"],
            },
            "supported",
            "accelerated; left to the CPU: DENSIFY: no.",
        ),
        (
            {"failure": "ERROR: [litert_web.cc:245]", "printed": [UNPREPARED]},
            "rejected",
            "ERROR: kernel.cc:1 x was not true.\nERROR: Node number 0 (TILE) failed to prepare",
        ),
        (
            {
                "failure": "ERROR: [litert_web.cc:245]",
                "printed": [*REFUSED, NONE, "ERROR: failed to delegate TILE node #0",
                            "ERROR: Node number 1 (TfLiteXNNPackDelegate) failed to prepare."],
            },
            "rejected",
            "TILE: no.; ERROR: failed to delegate TILE node #0\n"
            "ERROR: Node number 1 (TfLiteXNNPackDelegate) failed to prepare",
        ),
        ({"failure": "ERROR: [litert_web.cc:245]", "printed": []}, "inconclusive", SILENT),
        ({"failure": "Aborted().", "printed": [UNPREPARED], "fatal": True}, "inconclusive", "Aborted()."),
        ({"failure": "No GPU adapter found."}, "invalid", "the browser has no WebGPU adapter"),
    ],
)  # fmt: skip
def test_a_compilation_is_read(said, verdict, reason):
    assert judged(said, "TILE") == (verdict, reason)


@pytest.fixture
def the_browser():
    try:
        browser.executable(), browser.installed()
    except EdgecheckError as error:
        pytest.skip(f"{error}: {error.help}")


@pytest.mark.export
@pytest.mark.slow
def test_the_browser_still_answers_as_it_did(the_browser, tf_python, stored, tmp_path):
    sample = [row for row in stored if row.get("settings") and "differs" not in row][:: max(1, len(stored) // 12)]
    models = making.write([row["spec"] for row in sample], "tflite", tmp_path)
    for row, outcome in zip(sample, ask("litert_web", tf_python, models, "litert-webgpu", row_settings("module"))):
        (answer,) = outcome.answers
        assert (row["probe"], answer.verdict) == (row["probe"], row["verdict"])


@pytest.mark.export
@pytest.mark.slow
def test_the_browser_passes_the_types_that_the_table_says(the_browser, tf_python, tmp_path):
    kinds = ("float32", "int32", "uint8", "int8", "int16", "int64", "bool", "float16")
    specs = [unary("RESHAPE", kind) for kind in kinds]
    for spec in specs:
        spec |= {"a": {"new_shape": [2, 3]}, "i": [spec["i"][0], {"t": "int32", "s": [2], "c": [2, 3]}]}
    models = making.write(specs, "tflite", tmp_path)
    outcomes = ask("litert_web", tf_python, models, "litert-webgpu", row_settings("package"))
    said = {kind: outcome.answers[0] for kind, outcome in zip(kinds, outcomes)}
    assert {kind for kind, answer in said.items() if answer.verdict != "rejected"} == {"float32", "int32", "uint8"}
    assert said["int8"].reason == "INT8 as an input or output: Element type INT8 is not supported."
    assert [of_spec(spec, target()).verdict for spec in specs] == [said[kind].verdict for kind in kinds]


def row_settings(interface):
    return {"interface": interface, "version": "2.5.3"}
