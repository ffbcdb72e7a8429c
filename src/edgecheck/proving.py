"""Hold one artefact against the reference, and say what follows from it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgecheck import child, environments, interface, proof, weights
from edgecheck.bisect import Fault, first_difference
from edgecheck.cases import Case
from edgecheck.deliverables import Artefact, Job, Reference, Say
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import Attempt, ExportRequest, InputSpec, Signature
from edgecheck.findings import Finding
from edgecheck.proof import TOLERANCES, Tolerance, Verdict

#: The runtime plugin for each format.
RUNTIMES = {
    "onnx": "onnxruntime", "tflite": "litert",
    "coreml": "coreml_macos" if sys.platform == "darwin" else "coreml_reference",
}  # fmt: skip

#: How a runtime is called in sentences.
RUNTIME_NAMES = {
    "onnxruntime": "ONNX Runtime", "litert": "LiteRT", "tflite_runtime": "tflite-runtime",
    "coreml_macos": "Core ML", "coreml_reference": "reference evaluator",
}  # fmt: skip


#: Why a format's own runtime has not run a file here.
NOT_RUN = {
    "coreml_reference": "Core ML runs on Apple's systems only; its operations were evaluated by edgecheck instead"
}


def runtime_of(job: Job, artefact: Artefact) -> str:
    """The plugin that runs the artefact: its format's, or the older one that was asked for."""
    return "tflite_runtime" if job.tflite_runtime and artefact.format == "tflite" else RUNTIMES[artefact.format]


def tolerance(job: Job, precision: str) -> Tolerance:
    """The user's, else the precision's own."""
    return job.tolerance or TOLERANCES[precision]


def prove(job: Job, reference: Reference, artefact: Artefact, say: Say) -> Artefact:
    """The artefact with its verdict, distances and findings."""
    runtime = runtime_of(job, artefact)
    cases, outputs = _comparable(reference, artefact)
    say(f"{artefact.format} {artefact.precision}: proving on {len(cases)} inputs in {RUNTIME_NAMES[runtime]}")
    try:
        trial = _try(job, reference, artefact, cases, runtime)
    except child.ChildError as error:
        happened = "does not run it" if error.what == "raised" else error.what
        detail = error.detail.replace(str(artefact.path), "the file")  # it lies in a temporary folder
        reason = f"{RUNTIME_NAMES[runtime]} {happened}: {detail}"
        state: Any = "not proven" if error.what == "raised" else "unknown"
        return replace(artefact, verdict=Verdict(state=state, reason=reason), ran_by=RUNTIME_NAMES[runtime])
    artefact = replace(artefact, ran_by=RUNTIME_NAMES[runtime], not_run=NOT_RUN.get(runtime, ""))
    if "lacks" in trial:
        reason = f"the evaluator of Core ML's operations lacks {', '.join(trial['lacks'])}"
        return replace(artefact, verdict=Verdict(state="unknown", reason=reason))
    return judge(job, reference, artefact, cases, outputs, trial)


def judge(
    job: Job, reference: Reference, artefact: Artefact, cases: Sequence[Case], outputs: Sequence[Any], trial: Any
) -> Artefact:
    """Interface first, then the figures."""
    limit = tolerance(job, artefact.precision)
    compared = proof.compare(cases, outputs, trial["outputs"])
    measured = replace(compared, skipped=(*reference.skipped, *compared.skipped))
    verdict = proof.judge(measured, limit)
    exported = artefact.exported
    names = (exported.input_names, exported.output_names) if exported else ({}, {})
    wrong = interface.differences(expected(reference, artefact), trial["interface"], artefact.format, names=names)
    if wrong and verdict.state == "proven":
        verdict = Verdict(state="not proven", reason=wrong[0])
    return replace(
        artefact, verdict=verdict, measured=measured, tolerance=limit, ran_by=RUNTIME_NAMES[runtime_of(job, artefact)],
        notes=(*artefact.notes, *wrong[1:]),
    )  # fmt: skip


def _comparable(reference: Reference, artefact: Artefact) -> tuple[list[Case], list[Mapping[str, Any]]]:
    """The cases the artefact can take: a rung that fixed the dimensions takes only the example's sizes."""
    pairs = list(zip(reference.cases, reference.outputs, strict=True))
    if artefact.precision == "int8-static" and reference.samples:
        pairs = [(replace(case, typical=case.name == "example"), output) for case, output in pairs]
        pairs += zip(reference.samples, reference.sample_outputs, strict=True)
    if artefact.fixes:
        shapes = {spec.name: spec.shape for spec in reference.signature.inputs}
        pairs = [(c, o) for c, o in pairs if all(v.shape == shapes[n] for n, v in c.inputs.items())]
    return [case for case, _ in pairs], [output for _, output in pairs]


def with_samples(job: Job, reference: Reference, say: Say) -> Reference:
    """The reference with the source's answers to some of the user's calibration samples.

    A file calibrated on one kind of input clips on another: it is judged on the kind it is made for, and noise is
    only shown.
    """
    samples = calibration_samples(job, reference)
    chosen = [samples[i] for i in sorted({i * (len(samples) - 1) // 3 for i in range(4)})]
    source = importlib.import_module(f"edgecheck.sources.{job.source.framework}_model")
    say(f"{job.source.text}: running the reference on {len(chosen)} calibration samples")
    outputs = child.call(
        environments.choose(source.NEEDS, source.ENVIRONMENT), "edgecheck.reference:answers",
        request=_request(job, job.formats[0]), inputs=[dict(sample) for sample in chosen], timeout=job.timeout,
        label="running the reference on the calibration samples",
    )  # fmt: skip
    cases = tuple(Case(name=f"calibration-{i}", typical=True, inputs=sample) for i, sample in enumerate(chosen))
    return replace(reference, samples=cases, sample_outputs=tuple(outputs))


def expected(reference: Reference, artefact: Artefact) -> Signature:
    """The signature the artefact must have; with fixed dimensions where its rung fixed them."""
    if not artefact.fixes:
        return reference.signature
    inputs = tuple(InputSpec(name=s.name, shape=s.shape, dtype=s.dtype) for s in reference.signature.inputs)
    return Signature(inputs=inputs, outputs=reference.signature.outputs)


def _try(job: Job, reference: Reference, artefact: Artefact, cases: Sequence[Case], runtime: str) -> Any:
    exported = artefact.exported
    return child.call(
        interpreter(runtime), "edgecheck.trial:run", runtime=runtime, path=artefact.path,
        cases=[dict(case.inputs) for case in cases], input_names=exported.input_names if exported else {},
        outputs=[spec.name for spec in reference.signature.outputs],
        output_names=exported.output_names if exported else {}, timeout=job.timeout, label=RUNTIME_NAMES[runtime],
    )  # fmt: skip


def interpreter(runtime: str) -> Path:
    """What runs a runtime plugin: this interpreter if it can, else the first environment that has been made."""
    module = importlib.import_module(f"edgecheck.runtimes.{runtime}")
    return environments.choose_any(module.NEEDS, getattr(module, "ENVIRONMENTS", environments.NAMES))


def located(job: Job, reference: Reference, artefact: Artefact, say: Say) -> Fault | None:
    """The first operation of an fp32 artefact that differs, on the case that failed; None when it cannot be found."""
    failed = next((case for case in reference.cases if case.name == artefact.verdict.case), None)
    if failed is None or artefact.precision != "fp32" or artefact.path is None:
        return None
    say(f"{artefact.format} fp32: looking for the first operation that differs")
    exported = artefact.exported
    names = exported.input_names if exported else {}
    feeds = {names.get(name, name): value for name, value in failed.inputs.items()}
    runtime = runtime_of(job, artefact)
    source = importlib.import_module(f"edgecheck.sources.{job.source.framework}_model")
    request = _request(job, artefact.format)
    try:
        taps = child.call(
            environments.choose(source.NEEDS, source.ENVIRONMENT), "edgecheck.reference:taps", request=request,
            inputs=dict(failed.inputs), timeout=job.timeout, label="reading the source's inner values",
        )  # fmt: skip
        inner = child.call(
            interpreter(runtime), "edgecheck.trial:inner", runtime=runtime, path=artefact.path, case=feeds,
            timeout=job.timeout, label="reading the artefact's inner values",
        )  # fmt: skip
    except EdgecheckError as error:
        say(f"{artefact.format} fp32: {error}")
        return None
    return first_difference(inner["operations"], inner["values"], taps, exported.places if exported else None)


def concluded(
    job: Job, reference: Reference, kept: Artefact | None, format: str, precision: str, attempts: tuple[Attempt, ...],
    say: Say,
) -> Artefact:  # fmt: skip
    """What the ladder came to, with its findings."""
    if kept is None:
        reason = attempts[0].message if attempts else "no way applies to this model"
        artefact = Artefact(
            format=format, precision=precision, path=None, attempts=attempts,
            verdict=Verdict(state="unknown", reason=f"converter cannot: {reason}"),
        )  # fmt: skip
        return replace(artefact, findings=(_cannot(job, artefact),))
    artefact = replace(kept, attempts=attempts)
    if artefact.verdict.state == "not proven":
        artefact = replace(artefact, fault=located(job, reference, artefact, say))
    return replace(artefact, findings=tuple(findings(job, artefact)))


def _cannot(job: Job, artefact: Artefact) -> Finding:
    died = [attempt for attempt in artefact.attempts if attempt.outcome in ("crashed", "timed out")]
    tried = tuple(f"{a.says}: {a.outcome}: {a.message}" for a in artefact.attempts)
    title = f"{artefact.format} {artefact.precision}"
    if died and len(died) == len(artefact.attempts):
        return Finding(
            rule="EC914", severity="warning", model=job.source.text, target=artefact.format, evidence=tried,
            message=f"no {title}: the converter {died[0].outcome} ({died[0].message})",
            help="raise --timeout, or simplify the part of the model the converter was at",
        )  # fmt: skip
    return Finding(
        rule="EC301", severity="error", model=job.source.text, target=artefact.format, evidence=tried,
        message=f"no {title}: {artefact.verdict.reason}",
        help="each way that was tried is listed; change the operation the converter names, or export to another format",
    )  # fmt: skip


def findings(job: Job, artefact: Artefact) -> list[Finding]:
    """What a user must know about an artefact that exists."""
    title = f"{artefact.format} {artefact.precision}"
    found = []
    if artefact.verdict.state == "not proven":
        interfaces = artefact.measured is not None and not artefact.verdict.case
        found.append(
            Finding(
                rule="EC303" if interfaces else "EC302",
                severity="error",
                model=job.source.text,
                target=artefact.format,
                message=f"{title} is not proven: {artefact.verdict.reason}",
                place=artefact.fault.place or None if artefact.fault else None,
                evidence=(artefact.fault.sentence(),) if artefact.fault else (),
            )
        )
    elif artefact.verdict.state == "unknown":
        found.append(
            Finding(
                rule="EC911",
                severity="warning",
                model=job.source.text,
                target=artefact.format,
                message=f"{title} is undecided: {artefact.verdict.reason}",
                help="export the trained weights, or give example inputs the model answers to",
            )
        )
    if artefact.fixes:
        found.append(
            Finding(
                rule="EC304",
                severity="warning",
                model=job.source.text,
                target=artefact.format,
                message=f"{title} gave up {artefact.fixes}: {artefact.says}",
                evidence=tuple(f"{a.says}: {a.message}" for a in artefact.attempts if a.message),
                help="make one file for each size you need, or use a format that keeps them free",
            )
        )
    return found


def weighed(job: Job, artefact: Artefact, base: Artefact | None, say: Say) -> Artefact:
    """A Core ML file with its weights held against the source's (fp32), or against its fp32 twin's (the others)."""
    if artefact.format != "coreml" or artefact.path is None:
        return artefact
    say(f"coreml {artefact.precision}: weights, tensor by tensor")
    try:
        mine = _constants(job, artefact.path)
        if base is None or base.path is None:
            source = importlib.import_module(f"edgecheck.sources.{job.source.framework}_model")
            python = environments.choose(source.NEEDS, source.ENVIRONMENT)
            theirs = child.call(
                python, "edgecheck.reference:weights", request=_request(job, artefact.format), timeout=job.timeout
            )
            return replace(artefact, weights=weights.find(theirs, mine))
        related = weights.relate(_constants(job, base.path), mine, artefact.precision)
    except EdgecheckError as error:
        return replace(artefact, notes=(*artefact.notes, f"the weights were not compared: {error}"))
    artefact = replace(artefact, weights=related)
    if not related.wrong:
        return artefact
    reason = f"constant {related.wrong[0]} is not the fp32 file's, rounded ({len(related.wrong)} of {related.compared})"
    wrong = Finding(
        rule="EC305", severity="error", model=job.source.text, target="coreml", count=len(related.wrong),
        message=f"coreml {artefact.precision} has other weights than its fp32 file: {reason}",
    )  # fmt: skip
    return replace(artefact, verdict=Verdict(state="not proven", reason=reason), findings=(*artefact.findings, wrong))


def _constants(job: Job, path: Path) -> Any:
    return child.call(
        interpreter("coreml_reference"), "edgecheck.runtimes.coreml_reference:constants", path=path, timeout=job.timeout
    )


def _request(job: Job, format: str) -> ExportRequest:
    return ExportRequest(source=job.source, format=format, inputs=job.inputs, seed=job.seed, signature=job.signature)


def not_run(job: Job, artefacts: Sequence[Artefact]) -> tuple[Finding, ...]:
    """One finding for all files that their own runtime has not run here."""
    held = [artefact for artefact in artefacts if artefact.not_run and artefact.path is not None]
    if not held:
        return ()
    names = ", ".join(artefact.path.name for artefact in held if artefact.path is not None)
    return (
        Finding(
            rule="EC912", severity="note", model=job.source.text, target=held[0].format,
            message=f"not run here: {names}: {held[0].not_run}",
            help="run the same command on macOS to have Apple's own runtime run it",
        ),
    )  # fmt: skip


def reduced(
    job: Job, reference: Reference, base: Artefact, format: str, precision: str, work: Path, say: Say
) -> Artefact:
    """A lower precision made from the fp32 file by the format's own library, and held against the source."""
    if base.path is None:
        return replace(base, precision=precision)
    module = f"edgecheck.quantizers.{format}"
    plugin = importlib.import_module(module)
    say(f"{format} {precision}: made from fp32 by {plugin.LIBRARY}")
    folder = work / f"{format}-{precision}"
    folder.mkdir(parents=True, exist_ok=True)
    samples = list(calibration_samples(job, reference)) if precision == "int8-static" else []
    try:
        found = child.call(
            environments.choose_any(plugin.NEEDS), f"{module}:apply", path=base.path, out=folder / base.path.name,
            precision=precision, samples=samples, timeout=job.timeout, label=plugin.LIBRARY,
        )  # fmt: skip
    except child.ChildError as error:
        attempt = Attempt(rung=plugin.LIBRARY, says=plugin.LIBRARY, outcome=_outcome(error), message=error.detail)
        return concluded(job, reference, None, format, precision, (attempt,), say)
    artefact = replace(
        base, precision=precision, path=folder / base.path.name, measured=None, findings=(),
        verdict=Verdict(state="unknown"), versions={**base.versions, **found["versions"]},
        notes=(*base.notes, *found["notes"]),
    )  # fmt: skip
    proven = prove(job, reference, artefact, say)
    if base.verdict.state != "proven" and proven.verdict.state == "proven":
        proven = replace(proven, verdict=replace(base.verdict, reason=f"its fp32 file: {base.verdict.reason}"))
    return concluded(job, reference, proven, format, precision, base.attempts, say)


def _outcome(error: child.ChildError) -> Any:
    return error.what if error.what in ("crashed", "timed out") else "failed"


def calibration_samples(job: Job, reference: Reference) -> Sequence[Mapping[str, Any]]:
    """The user's calibration inputs, one mapping a sample. Raises `EdgecheckError` when there are none."""
    from edgecheck import calibration

    if job.calibration is None:
        raise EdgecheckError(
            "int8-static needs calibration data",
            help="say --calibration samples.npz, or --calibration file.py:callable",
        )
    return calibration.load(job, reference.signature)
