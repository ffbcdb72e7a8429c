"""The demo's page: one section a model, in whatever number of jobs it was exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgecheck.cli import demo
from edgecheck.deliverables import Artefact, Reference, Result
from edgecheck.exporters import InputSpec, Signature
from edgecheck.proof import Verdict


def results() -> list[Result]:
    signature = Signature(inputs=(InputSpec(name="x", shape=(1, 4), dtype="float32"),), outputs=())
    reference = Reference(
        signature=signature, cases=(), outputs=(), skipped=(), notes=(), parameters=7, fingerprint=""
    )  # fmt: skip
    made = []
    for job in demo._jobs(Path("out")):
        files = tuple(
            Artefact(format=f, precision=p, path=Path(f"{job.name}.{p}.{f}"), verdict=Verdict(state="proven"))
            for f in job.formats for p in job.precisions
        )  # fmt: skip
        made.append(Result(job=job, reference=reference, artefacts=files, findings=()))
    return made


def test_one_section_a_model_and_every_file_in_it():
    page = demo._page(results(), [])
    assert [page.count(f"<h2>{name}</h2>") for name in ("onet", "basic-pitch")] == [1, 1]
    assert page.index("First each file is <b>proven</b>") < page.index("<h2>onet</h2>")
    assert page.index("onet.int8-static.tflite") < page.index("<h2>basic-pitch</h2>") < page.index("basic-pitch.fp32")
    assert page.count("class='tag proven'") == sum(len(one.artefacts) for one in results()) == 7


def test_a_file_that_is_not_proven_is_seen():
    first, *rest = results()
    bad = replace(first.artefacts[0], verdict=Verdict(state="not proven", reason="it differs"))
    page = demo._page([replace(first, artefacts=(bad, *first.artefacts[1:])), *rest], [])
    assert "<span class='tag failed'>not proven</span><br><span class=quiet>it differs</span>" in page
