"""The op table `litert-cpu`: what runtimes from TensorFlow Lite 2.8 to LiteRT 2.3 did with stored probes, and its axis."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgecheck.check import check, point
from edgecheck.errors import EdgecheckError
from edgecheck.oracles import Ran, litert_cpu, tflite_probe
from probe_evidence import ROOT, evidence, fresh, table

EVIDENCE = "litert_cpu-2.3.0.jsonl"
POINTS = {"litert-1.0.1": "litert-1.0", "litert-1.4.0": "litert-1.4", "litert-2.0.3": "litert-2.0",
          "litert-2.3.0": "litert-2.3"}  # fmt: skip


def judged(spec: dict[str, Any], version: str | None = None) -> tuple[str, str | None, str]:
    one = check(tflite_probe.read(spec), point(table("litert-cpu"), version))[0]
    return one.verdict, one.limit, one.reason or ""


def test_the_table_agrees_with_every_runtime() -> None:
    asked, wrong, supported = 0, [], []
    for row in evidence(EVIDENCE, "litert-cpu"):
        verdict = judged(row["spec"], POINTS.get(row["version"], row["version"]))[0]
        asked += 1
        if verdict != row["verdict"]:
            wrong.append(f"{row['version']} {row['probe']} {row['op']}: {row['reason']}; table {verdict}")
            supported += [wrong[-1]] if verdict == "supported" else []
    assert asked > 1200
    # Hard probes are kept, easy ones are not: of all that were asked 99.5 % agree. What is left are broken mutants.
    assert len(wrong) / asked <= 0.04, wrong
    assert len(supported) / asked <= 0.03, supported


def test_the_axis_is_the_runtime_measured_from_28_on() -> None:
    versions = table("litert-cpu").versions
    assert versions[0] == "1.5"
    assert versions[versions.index("2.21") + 1] == "litert-1.0"
    assert versions[-1] == "litert-2.3"
    registers = json.loads((ROOT / "op_tables/evidence/litert-cpu-registers.json").read_text())
    for release, version in (("2.12", "2.12"), ("litert-1.0.1", "litert-1.0"), ("litert-2.3.0", "litert-2.3")):
        for op in ("CONV_2D", "CAST", "TRANSPOSE", "STABLEHLO_CASE", "ADD"):
            newest = max(v for ops in registers.values() for v in ops.get(op, [0]))
            for number in range(1, newest + 1):
                has = number in registers[release].get(op, [])
                spec = {"op": op, "v": number, "i": [], "o": []}
                limit = judged(spec, version)[1] or ""
                ahead = limit.startswith(("runtime-v", "litert-v")) or "needs runtime" in judged(spec, version)[2]
                assert ahead is not has, (op, number, version)


def fully_connected(version: int) -> dict[str, Any]:
    return {
        "op": "FULLY_CONNECTED", "v": version,
        "i": [{"t": "float32", "s": [1, 4]}, {"t": "float32", "s": [2, 4], "c": {"f": 1}},
              {"t": "float32", "s": [2], "c": {"f": 0}}],
        "o": [{"t": "float32", "s": [1, 2]}],
        "a": {"keep_num_dims": False, "fused_activation_function": "NONE"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("version", "runtime", "expected"),
    [(9, "2.2", "rejected"), (9, "2.3", "supported"), (12, "2.15", "rejected"), (12, "2.17", "supported")],
)
def test_an_operator_version_newer_than_the_board(version: int, runtime: str, expected: str) -> None:
    """tensorflow#43232, #47334, #50641: "Didn't find op for builtin opcode 'FULLY_CONNECTED' version '9'"."""
    verdict, limit, reason = judged(fully_connected(version), runtime)
    assert verdict == expected
    if expected == "rejected":
        assert limit == f"runtime-v{version}"
        assert f"version {version} of FULLY_CONNECTED comes with TensorFlow Lite" in reason


def test_litert_counts_anew() -> None:
    cast = {"op": "CAST", "v": 7, "i": [{"t": "float32", "s": [1]}], "o": [{"t": "int32", "s": [1]}], "a": {}}
    assert judged(cast, "2.19")[0] == "supported"
    assert judged(cast, "litert-1.0")[:2] == ("rejected", "litert-v7")
    assert judged(cast, "litert-1.2")[0] == "supported"
    with pytest.raises(EdgecheckError, match=r"litert-cpu@litert-2.4 lies outside"):
        point(table("litert-cpu"), "litert-2.4")
    with pytest.raises(EdgecheckError, match=r"litert-cpu@2.22 lies outside"):
        point(table("litert-cpu"), "2.22")


def test_a_type_comes_with_its_runtime() -> None:
    tensor = {"t": "float16", "s": [1, 4]}
    cos = {"op": "COS", "v": 1, "i": [tensor], "o": [tensor], "a": {}}
    assert judged(cos, "2.14")[0] == "rejected"
    assert "LiteRT" in judged(cos, "litert-1.4")[2]
    assert judged(cos)[0] == "supported"


def test_what_has_no_kernel_is_rejected_by_name() -> None:
    tensor = {"t": "float32", "s": [1]}
    assert "Mystery is not in the table" in judged({"op": "CUSTOM:Mystery", "i": [tensor], "o": [tensor]})[2]


def test_made_up_values_and_crashes_are_no_refusal() -> None:
    assert litert_cpu.judged(Ran(value=None, text="", failure="killed by SIGSEGV")) == (
        "inconclusive",
        "killed by SIGSEGV",
    )
    unset = Ran(value=["invoke", "read_variable.cc:67 variable != nullptr was not true."], text="", failure=None)
    assert litert_cpu.judged(unset)[0] == "invalid"
    missing = Ran(value=["load", "Didn't find op for builtin opcode 'ADD' version '6'."], text="", failure=None)
    assert litert_cpu.judged(missing) == ("rejected", "load: Didn't find op for builtin opcode 'ADD' version '6'.")
    assert litert_cpu.judged(Ran(value=["load", "the file is broken"], text="", failure=None))[0] == "invalid"


@pytest.mark.slow
def test_litert_itself_on_fresh_probes() -> None:
    agreement = fresh("litert-cpu", "litert_cpu", seed=79, count=400)
    assert agreement.placed >= 0.985
    assert len(agreement.false_supported) <= 4, agreement.false_supported  # mutants may be no TFLite at all
