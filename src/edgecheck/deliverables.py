"""What an export is asked for and what comes of it: types only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecheck.bisect import Fault
from edgecheck.cases import Case
from edgecheck.exporters import Attempt, Exported, InputOption, Signature, Source
from edgecheck.findings import Finding
from edgecheck.proof import Measured, Tolerance, Verdict, worst
from edgecheck.weights import Found, Related

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked for. Paths are taken as they are."""

    source: Source
    formats: tuple[str, ...]
    out: Path
    name: str
    precisions: tuple[str, ...] = ("fp32",)
    inputs: tuple[InputOption, ...] = ()
    opset: int | None = None
    seed: int = 0
    signature: str | None = None
    calibration: str | None = None
    timeout: float = 900.0  # seconds, for each child process
    tolerance: Tolerance | None = None  # None: by precision
    tflite_runtime: bool = False  # run TFLite files in tflite-runtime instead of LiteRT
    keep_unproven: bool = False  # write files whose proof failed or is undecided under their plain name too
    command: str = ""  # for the manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The source's own answers."""

    signature: Signature
    cases: tuple[Case, ...]
    outputs: tuple[Mapping[str, Any], ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    parameters: int
    fingerprint: str
    samples: tuple[Case, ...] = ()  # of the user's calibration data, for static int8
    sample_outputs: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """One file, or why there is none."""

    format: str
    precision: str
    path: Path | None  # where it lies now; None: the converter cannot
    verdict: Verdict
    rung: str = ""
    says: str = ""  # what the rung does
    fixes: str = ""  # what the rung gave up
    attempts: tuple[Attempt, ...] = ()
    ran_by: str = ""  # "onnxruntime", "litert", "the reference evaluator of Core ML's operations"
    not_run: str = ""  # why the format's own runtime has not run it here; then the verdict is by other means
    measured: Measured | None = None
    tolerance: Tolerance | None = None
    weights: Found | Related | None = None  # Core ML: against the source's, or the fp32 file's
    fault: Fault | None = None  # the first operation that differs, where one was found
    findings: tuple[Finding, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    exported: Exported | None = None
    manifest: Path | None = None

    @property
    def signal_db(self) -> float | None:
        """Lowest signal over error of the judged cases, outputs that answer to the input; None: exact, or not run."""
        if self.measured is None:
            return None
        typical_only = self.tolerance is not None and not self.tolerance.edges
        return worst(self.measured, typical_only=typical_only)["snr_db"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Every artefact of a job, in the order asked for."""

    job: Job
    reference: Reference
    artefacts: tuple[Artefact, ...]
    findings: tuple[Finding, ...]
