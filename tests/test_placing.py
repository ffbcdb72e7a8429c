"""Which name a finished file gets, and what an earlier export left there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecheck import exporting, placing, sources
from edgecheck.deliverables import Artefact, Job, Reference
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import Exported, Rung, Signature
from edgecheck.findings import Finding
from edgecheck.proof import Verdict
from edgecheck.sources import user_code

REFERENCE = Reference(
    signature=Signature(inputs=(), outputs=()), cases=(), outputs=(), skipped=(), notes=(), parameters=0, fingerprint=""
)


def put(out: Path, state: str, content: bytes | None, *, keep: bool = False, package: bool = False) -> Artefact:
    """One artefact through its way into `out`."""
    (out.parent / "source.onnx").write_bytes(b"x")
    source = sources.find(str(out.parent / "source.onnx"))
    format = "coreml" if package else "onnx"
    job = Job(source=source, formats=(format,), out=out, name="net", keep_unproven=keep)
    with placing.workplace(out) as work:
        made = None
        if content is not None:
            made = work / ("model.mlpackage" if package else "model.onnx")
            if package:
                made.mkdir()
            (made / "weights" if package else made).write_bytes(content)
        rule = {"not proven": "EC302", "unknown": "EC911"}.get(state)
        found = (Finding(rule=rule, severity="error", model="m", message="it differs"),) if rule else ()
        artefact = Artefact(
            format=format, precision="fp32", path=made, verdict=Verdict(state=state), findings=found,
            exported=None if made is None else Exported(artefact=made),
        )  # fmt: skip
        return placing.place(job, REFERENCE, artefact)


def names(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir())


def test_a_proven_file_has_its_plain_name(tmp_path):
    placed = put(tmp_path / "out", "proven", b"good")
    assert names(tmp_path / "out") == ["net.onnx", "net.onnx.edgecheck.json"]
    assert json.loads(placed.manifest.read_text())["artefact"]["name"] == "net.onnx"


@pytest.mark.parametrize("package", [False, True])
@pytest.mark.parametrize("state", ["not proven", "unknown"])
def test_a_file_that_is_not_proven_does_not_look_good(state, package, tmp_path):
    suffix = "mlpackage" if package else "onnx"
    put(tmp_path / "out", "proven", b"good", package=package)
    placed = put(tmp_path / "out", state, b"bad", package=package)
    assert names(tmp_path / "out") == [f"net.unproven.{suffix}", f"net.unproven.{suffix}.edgecheck.json"]
    assert placed.findings[0].help == (f"it is written as net.unproven.{suffix}; --keep-unproven leaves the word out")
    put(tmp_path / "out", "proven", b"good again", package=package)
    assert names(tmp_path / "out") == [f"net.{suffix}", f"net.{suffix}.edgecheck.json"]


def test_the_plain_name_on_demand(tmp_path):
    placed = put(tmp_path / "out", "not proven", b"bad", keep=True)
    assert names(tmp_path / "out") == ["net.onnx", "net.onnx.edgecheck.json"]
    assert placed.findings[0].help is None


def test_when_there_is_no_file_an_older_one_of_ours_goes_and_the_users_own_stays(tmp_path):
    put(tmp_path / "out", "proven", b"old")
    put(tmp_path / "out", "unknown", None)
    assert not (tmp_path / "out").exists() or names(tmp_path / "out") == []
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / "net.onnx").write_bytes(b"made by hand")
    put(tmp_path / "out", "unknown", None)
    put(tmp_path / "out", "not proven", b"bad")
    assert (tmp_path / "out" / "net.onnx").read_bytes() == b"made by hand"


def test_a_precision_that_nothing_writes_is_said_before_anything_runs(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text("import torch\ndef net(): raise SystemExit\n")
    job = Job(
        source=sources.find(f"{tmp_path / 'net.py'}:net"), formats=("onnx",), out=tmp_path / "out", name="net",
        precisions=("fp32", "int8-dynamic"),
    )  # fmt: skip
    there = exporting.importlib.util.find_spec

    def without(name: str) -> object:
        return None if name == "edgecheck.quantizers.onnx" else there(name)

    monkeypatch.setattr(exporting.importlib.util, "find_spec", without)
    with pytest.raises(EdgecheckError, match="there is no onnx in int8-dynamic: the exporter writes fp32") as caught:
        exporting.export(job)
    assert caught.value.help == "say --precision fp32, or another format"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("framework", "missing", "says"), [
    ("torch", "lightning_bits", "EDGECHECK_TORCH_PYTHON name one that has it"),
    ("tf", "keras_cv", "EDGECHECK_TF_PYTHON name one that has it"),
    ("torch", "tensorflow", "this ran as a torch source; if it is a tf one, say --framework tf"),
    ("tf", "torch", "this ran as a tf source; if it is a torch one, say --framework torch"),
])  # fmt: skip
def test_a_missing_package_names_the_environment_of_its_framework(framework, missing, says):
    error = user_code.failure("net.py:net cannot be imported", ModuleNotFoundError(name=missing), framework)
    assert says in error.help


def test_progress_names_what_failed_and_what_worked_and_no_rung_that_had_nothing_to_do(tmp_path, monkeypatch):
    said: list[str] = []

    class Plugin:
        NEEDS, ENVIRONMENT = ("json",), "torch"
        RUNGS = (Rung(name="a", says="by a"), Rung(name="b", says="by b"), Rung(name="c", says="by c"))

    def call(python, function, *, progress, **arguments):
        for name, message in (("a", "RuntimeError: " + "long " * 60), ("b", "")):
            progress("rung", {"rung": name})
            progress("failed", {"rung": name, "message": message})
        progress("rung", {"rung": "c"})
        return {"rung": "c", "exported": None, "attempts": [], "versions": {}}

    monkeypatch.setattr(exporting.importlib, "import_module", lambda name: Plugin)
    monkeypatch.setattr(exporting.child, "call", call)
    (tmp_path / "source.onnx").write_bytes(b"x")
    job = Job(source=sources.find(str(tmp_path / "source.onnx")), formats=("onnx",), out=tmp_path, name="net")
    exporting._step(
        job, REFERENCE, "onnx_tflite", exporting.request(job, "tflite", "fp32"), ["a", "b", "c"], tmp_path, said.append
    )
    assert said[0] == "tflite fp32: exporting"
    assert said[1].startswith("tflite fp32: by a: failed: RuntimeError: long")
    assert len(said[1]) < 160
    assert said[2:] == ["tflite fp32: written: by c"]
