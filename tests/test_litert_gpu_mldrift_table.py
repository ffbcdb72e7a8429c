"""The table `litert-gpu-mldrift` against LiteRT's GPU accelerator: stored probes, and how its answers are read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgecheck.check import check, point
from edgecheck.oracles import Ran, ask, tflite_probe
from edgecheck.oracles.litert_gpu import SWIFTSHADER, judged
from edgecheck.probing import making
from edgecheck.probing.replay import of_spec
from edgecheck.tables import bundle

EVIDENCE = Path(__file__).parents[1] / "op_tables" / "evidence" / "litert_gpu-2.3.0.jsonl"


@pytest.fixture(scope="module")
def target():
    return point(bundle.load("litert-gpu-mldrift"))


@pytest.fixture(scope="module")
def stored():
    rows = [json.loads(line) for line in EVIDENCE.read_text().splitlines()]
    return [row for row in rows if row["verdict"] in {"supported", "fallback", "rejected"}]


def test_stored_probes_are_judged_as_they_were_measured(target, stored):
    wrong = []
    for row in stored:
        one = of_spec(row.get("model") or row["spec"], target)
        if one.verdict != row["verdict"]:
            wrong.append((row["probe"], one.verdict, row["verdict"], one.reason))
    assert len(stored) > 1000
    assert wrong == []


def test_a_computed_shape_refuses_the_whole_model(target):
    spec = {
        "op": "RESHAPE",
        "i": [{"t": "float32", "s": [4]}, {"t": "int32", "s": [2]}],
        "o": [{"t": "float32", "s": [2, 2]}],
    }
    (one,) = check(tflite_probe.read(spec), target)
    assert (one.verdict, one.limit) == ("rejected", "no-dynamic-tensor")
    assert "constants" in (one.help or "")


def add(**more):
    tensor = {"t": "float32", "s": [2, 3]}
    return {"op": "ADD", "a": {"fused_activation_function": "NONE"}, "i": [tensor, tensor], "o": [tensor], **more}


def test_the_output_is_judged_by_the_type_that_the_kernel_gives_it(target):
    """LiteRT's kernel sets it before ML Drift looks: what the file says does not count."""
    wrong = add(o=[{"t": "int64", "s": [7]}])
    integers = add(i=[{"t": "int64", "s": [2, 3]}] * 2, o=[{"t": "int64", "s": [2, 3]}])
    assert [of_spec(spec, target).verdict for spec in (add(), wrong, integers)] == [
        "supported",
        "supported",
        "fallback",
    ]


def test_a_slice_beyond_the_dimension_says_how_to_write_it(target):
    spec = {
        "op": "STRIDED_SLICE",
        "a": dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0),
        "i": [{"t": "float32", "s": [4, 4]}, *({"t": "int32", "s": [2], "c": c} for c in ([0, 0], [4, 9], [1, 1]))],
        "o": [{"t": "float32", "s": [4, 4]}],
    }
    one = of_spec(spec, target)
    assert (one.verdict, one.limit) == ("fallback", "inside")
    assert "no larger than the dimension" in (one.help or "")


#: What is printed of an operator whose constant is stored sparse.
SPARSE = (
    "ERROR: Following operations are not supported by GPU delegate:\nDENSIFY: Operation is not supported.\n"
    "DEQUANTIZE: \n{taken} operations will run on the GPU, and the remaining 2 operations will run on the CPU.\n"
)


@pytest.mark.parametrize(
    ("ran", "verdict", "reason"),
    [
        (Ran(value=True, text="", failure=None), "supported", "accelerated"),
        (
            Ran(
                value=False,
                text="ERROR: Following operations are not supported by GPU delegate:\nTILE: no.\n",
                failure=None,
            ),
            "fallback",
            "TILE: no.",
        ),
        (
            Ran(value=False, text=SPARSE.format(taken=1), failure=None),
            "supported",
            "accelerated; left to the CPU: DENSIFY: Operation is not supported.",
        ),
        (
            Ran(value=False, text=SPARSE.format(taken="No"), failure=None),
            "fallback",
            "DENSIFY: Operation is not supported.",
        ),
        (
            Ran(value=None, text="ERROR: x\nERROR: Node number 0 (ABS) failed to prepare.", failure="RuntimeError: no"),
            "rejected",
            "ERROR: x\nERROR: Node number 0 (ABS) failed to prepare",
        ),
        (Ran(value=None, text="", failure="killed by SIGILL"), "inconclusive", "killed by SIGILL"),
        (
            Ran(value=False, text="INTERNAL: No adapters found", failure=None),
            "invalid",
            "no Vulkan adapter was found (VK_ICD_FILENAMES)",
        ),
    ],
)
def test_a_compilation_is_read(ran, verdict, reason):
    assert judged(ran, "TILE") == (verdict, reason)


@pytest.mark.export
@pytest.mark.slow
def test_the_accelerator_still_answers_as_it_did(tf_python, stored, tmp_path):
    if not os.environ.get("VK_ICD_FILENAMES") and not SWIFTSHADER.exists():
        pytest.skip("no Vulkan driver is here: VK_ICD_FILENAMES names none, and chromium's is not installed")
    sample = stored[:: max(1, len(stored) // 10)]
    models = making.write([row.get("model") or row["spec"] for row in sample], "tflite", tmp_path)
    for row, outcome in zip(sample, ask("litert_gpu", tf_python, models, "litert-gpu-mldrift")):
        (answer,) = outcome.answers
        assert answer.verdict in {row["verdict"], "inconclusive"}
