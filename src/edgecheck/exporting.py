"""From a source to proven files: the whole way for every format and precision asked for.

Nothing here imports a framework. The source, the converters and the runtimes each run in a child process, in an
interpreter that has what they need; this module decides, measures and writes.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgecheck import child, environments, ladder, placing, proving
from edgecheck.cases import Case
from edgecheck.deliverables import Artefact, Job, Reference, Result, Say
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import SUFFIXES, Attempt, ExportRequest, Source
from edgecheck.proof import Verdict


def export(job: Job, say: Say = lambda text: None) -> Result:
    """Export, prove, and write each artefact with its manifest into `job.out`.

    Raises `EdgecheckError` for what is the user's to mend; a converter that fails is a finding in the result.
    """
    exporters = {format: exporter(job.source, format) for format in job.formats}
    for format, plugin in exporters.items():
        _refuse_precisions(job, format, plugin)
    with placing.workplace(job.out) as work:
        reference = refer(job, say)
        if "int8-static" in job.precisions and job.calibration is not None:
            reference = proving.with_samples(job, reference, say)
        artefacts = [
            artefact
            for format in job.formats
            for artefact in _format(job, reference, exporters[format], format, work, say)
        ]
        findings = (*(f for artefact in artefacts for f in artefact.findings), *proving.not_run(job, artefacts))
        return Result(job=job, reference=reference, artefacts=tuple(artefacts), findings=findings)


def prove_file(job: Job, format: str, path: Path, say: Say = lambda text: None, precision: str = "fp32") -> Result:
    """Hold a file that somebody exported against its source. Nothing is written."""
    reference = refer(job, say)
    given = Artefact(
        format=format, precision=precision, path=path.resolve(), verdict=Verdict(state="unknown"), says="as given"
    )
    proven = proving.prove(job, reference, given, say)
    artefact = proving.concluded(job, reference, proven, format, precision, (), say)
    findings = (*artefact.findings, *proving.not_run(job, [artefact]))
    return Result(job=job, reference=reference, artefacts=(artefact,), findings=findings)


def _from(format: str) -> str:
    """The frameworks that have a way to a format."""
    known = (one for one in ("torch", "tf", "onnx") if importlib.util.find_spec(f"edgecheck.exporters.{one}_{format}"))
    return ", ".join(known)


def exporter(source: Source, format: str) -> str:
    """The plugin's name. Raises when there is no way from this framework to this format."""
    if format not in SUFFIXES:
        raise EdgecheckError(f"there is no format {format!r}; there are {', '.join(SUFFIXES)}")
    name = f"{source.framework}_{format}"
    if importlib.util.find_spec(f"edgecheck.exporters.{name}") is None:
        raise EdgecheckError(
            f"there is no way from {source.kind} to {format}", help=f"to {format} from {_from(format)}"
        )
    return name


def _refuse_precisions(job: Job, format: str, plugin: str) -> None:
    """Raises, before anything runs, when a precision is asked for that nothing here can write."""
    own = importlib.import_module(f"edgecheck.exporters.{plugin}").PRECISIONS
    wanted = [precision for precision in job.precisions if precision not in own]
    if wanted and importlib.util.find_spec(f"edgecheck.quantizers.{format}") is None:
        raise EdgecheckError(
            f"there is no {format} in {wanted[0]}: the exporter writes {', '.join(own)}, and no quantizer takes it",
            help=f"say --precision {','.join(own)}, or another format",
        )


def request(job: Job, format: str, precision: str) -> ExportRequest:
    """What the plugins are told."""
    return ExportRequest(
        source=job.source, format=format, precision=precision, inputs=job.inputs, opset=job.opset, seed=job.seed,
        signature=job.signature, calibration=job.calibration,
    )  # fmt: skip


def refer(job: Job, say: Say) -> Reference:
    """Load the source in its framework and ask it for its answers."""
    plugin = importlib.import_module(f"edgecheck.sources.{job.source.framework}_model")
    python = environments.choose(plugin.NEEDS, plugin.ENVIRONMENT)
    say(f"{job.source.text}: loading, running the reference")
    found = child.call(
        python, "edgecheck.reference:measure", request=request(job, job.formats[0], "fp32"),
        timeout=job.timeout, label=f"loading {job.source.text}",
    )  # fmt: skip
    return Reference(
        signature=found["signature"], cases=tuple(Case(**case) for case in found["cases"]),
        outputs=tuple(found["outputs"]), skipped=tuple(found["skipped"]), notes=tuple(found["notes"]),
        parameters=found["parameters"], fingerprint=found["fingerprint"],
    )  # fmt: skip


def _format(job: Job, reference: Reference, plugin: str, format: str, work: Path, say: Say) -> list[Artefact]:
    """Every precision of one format. A precision the exporter does not write is made from its fp32 file."""
    native = importlib.import_module(f"edgecheck.exporters.{plugin}").PRECISIONS
    made: dict[str, Artefact] = {}
    wanted = [p for p in job.precisions if p in native]
    if any(p not in native or format == "coreml" for p in job.precisions) and "fp32" not in wanted:
        wanted.insert(0, "fp32")
    for precision in wanted:
        base = made.get("fp32")
        # Another precision goes the way that worked for fp32: its distances are its own matter.
        if base is not None and base.path is None:
            made[precision] = replace(base, precision=precision)
            continue
        only = (base.rung,) if base is not None else ()
        climbed = climb(job, reference, plugin, format, precision, work, say, only)
        if only and climbed.path is None:  # the converter cannot there; one of the other ways may
            climbed = climb(job, reference, plugin, format, precision, work, say)
        made[precision] = proving.weighed(job, climbed, base, say)
    for precision in job.precisions:
        if precision not in made:
            made[precision] = proving.reduced(job, reference, made["fp32"], format, precision, work, say)
    return [placing.place(job, reference, artefact) for artefact in _said_once([made[p] for p in job.precisions])]


def _said_once(artefacts: list[Artefact]) -> list[Artefact]:
    """What holds for a format in every precision (no way to it, dimensions given up) is said of the first only."""
    shown: set[str] = set()
    kept = []
    for artefact in artefacts:
        findings = tuple(f for f in artefact.findings if f.rule not in ("EC301", "EC304") or f.rule not in shown)
        shown |= {finding.rule for finding in findings}
        kept.append(replace(artefact, findings=findings))
    return kept


def climb(
    job: Job, reference: Reference, plugin: str, format: str, precision: str, work: Path, say: Say,
    only: Sequence[str] = (),
) -> Artefact:  # fmt: skip
    """Walk the ladder until a rung's file is proven; else the first file there was, else none."""
    module = importlib.import_module(f"edgecheck.exporters.{plugin}")
    asked = request(job, format, precision)
    remaining = list(only) or ladder.names(plugin)
    rungs = {rung.name: rung for rung in module.RUNGS}
    attempts: list[Attempt] = []
    kept: Artefact | None = None
    folder = work / f"{format}-{precision}"
    while remaining:
        step = _step(job, reference, plugin, asked, remaining, folder, say)
        attempts += step["attempts"]
        remaining = remaining[remaining.index(step["last"]) + 1 :] if step["last"] in remaining else []
        if step["exported"] is None:
            continue
        rung = rungs[step["rung"]]
        artefact = Artefact(
            format=format, precision=precision, path=step["exported"].artefact, verdict=Verdict(state="unknown"),
            rung=rung.name, says=rung.says, fixes=rung.fixes, versions=step["versions"], exported=step["exported"],
            notes=step["exported"].notes,
        )  # fmt: skip
        proven = proving.prove(job, reference, artefact, say)
        kept = kept or proven
        if proven.verdict.state != "not proven":
            kept = proven
            attempts.append(Attempt(rung=rung.name, says=rung.says, outcome="worked"))
            break
        attempts.append(Attempt(rung=rung.name, says=rung.says, outcome="not proven", message=proven.verdict.reason))
    return proving.concluded(job, reference, kept, format, precision, tuple(attempts), say)


def _step(
    job: Job, reference: Reference, plugin: str, asked: ExportRequest, remaining: Sequence[str], folder: Path, say: Say
) -> dict[str, Any]:
    """One child: it goes up until a rung works, or until it dies on one."""
    module = importlib.import_module(f"edgecheck.exporters.{plugin}")
    python = environments.choose(module.NEEDS, module.ENVIRONMENT)
    rungs = {rung.name: rung for rung in module.RUNGS}

    def progress(event: str, fields: Mapping[str, Any]) -> None:
        if event == "failed" and fields["message"]:  # a rung that had nothing to do fails without a word
            say(f"{title}: {rungs[fields['rung']].says}: failed: {shortened(fields['message'])}")

    title = f"{asked.format} {asked.precision}"
    say(f"{title}: exporting")
    try:
        found = child.call(
            python, "edgecheck.ladder:climb", exporter=plugin, request=asked, rungs=list(remaining), out=folder,
            fingerprint=reference.fingerprint, timeout=job.timeout, progress=progress, label=f"{asked.format} export",
        )  # fmt: skip
    except child.ChildError as error:
        return _dead(error, remaining, rungs)
    if found["rung"] is not None:
        say(f"{title}: written: {rungs[found['rung']].says}")
    return {**found, "last": found["rung"]}


def shortened(text: str, size: int = 120) -> str:
    """One line of progress."""
    return text if len(text) <= size else text[: size - 1].rstrip() + "…"


def _dead(error: child.ChildError, remaining: Sequence[str], rungs: Mapping[str, Any]) -> dict[str, Any]:
    """A child that died: the rungs it had failed on before, and the one it died on."""
    attempts = [
        Attempt(rung=e["rung"], says=rungs[e["rung"]].says, outcome="failed", message=e["message"])
        for e in error.events if e["event"] == "failed" and e["message"]
    ]  # fmt: skip
    tried = [e["rung"] for e in error.events if e["event"] == "rung"]
    if not tried:
        raise error  # it died before any rung: loading the source or the libraries, which every rung needs
    outcome: Any = error.what if error.what in ("crashed", "timed out") else "failed"
    attempts.append(Attempt(rung=tried[-1], says=rungs[tried[-1]].says, outcome=outcome, message=error.detail))
    return {"attempts": attempts, "rung": None, "exported": None, "last": tried[-1], "versions": {}}
