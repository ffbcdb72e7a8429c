"""`edgecheck probe`: put a table to the question before a real compiler or runtime."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from edgecheck.check import point
from edgecheck.cli import output
from edgecheck.errors import EdgecheckError
from edgecheck.probing import asking, evidence, models, report, running
from edgecheck.probing.asking import Witness, on_stderr
from edgecheck.probing.replay import Agreement, compared
from edgecheck.results import TargetPoint
from edgecheck.tables import bundle

HELP = (
    "Ask a real compiler or runtime about probes (smallest models on either side of a table's limits) or about "
    "model files, hold its answers against the table, and keep them as evidence."
)
EPILOG = """examples:
  edgecheck probe --target ethos-u55 --oracle vela                     every limit, on both sides
  edgecheck probe --target ort-cpu --oracle ort_cpu --seed 7 --count 500   random probes
  edgecheck probe --target litert-xnnpack --oracle litert_xnnpack models/   every node of real models
  edgecheck probe --report                                             what is measured, and how well it agrees

A run that was stopped goes on where it was: answers are kept in the cache.
Exit codes: 0 the table agrees; 1 it does not; 2 wrong command; 3 the oracle's environment is missing.
"""
FORMATS = ("full", "json", "markdown")
SOURCES = ("limits", "recorded", "node-tests")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this verb's arguments."""
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL", help="model files, or folders with some")
    parser.add_argument("--target", metavar="TARGET[@VERSION]", help="the table that is put to the question")
    parser.add_argument("--oracle", metavar="NAME", help="who answers; a wrong name lists them")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the target")
    parser.add_argument(
        "--from", dest="sources", metavar="LIST", help=f"what to ask: {', '.join(SOURCES)} (default: limits)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="ask random probes of this seed instead")
    parser.add_argument("--count", type=int, metavar="M", help="how many random probes (default 500)")
    parser.add_argument("--ops", metavar="LIST", help="only these operators")
    parser.add_argument(
        "--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2), metavar="N", help="processes at a time"
    )
    parser.add_argument("--timeout", type=float, default=60, metavar="S", help="seconds for one model (default 60)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="keep the evidence there instead of in op_tables/evidence"
    )
    parser.add_argument(
        "--keep", type=int, default=2, metavar="N", help="rows kept of one operator, side and verdict; 0: none"
    )
    parser.add_argument(
        "--report", action="store_true", help="ask nobody: what the stored evidence says, of one target or all"
    )
    parser.add_argument("--output-format", choices=FORMATS, default="full", metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--output-file", type=Path, metavar="FILE", help="write the report there instead of stdout")


def run(arguments: argparse.Namespace) -> int:
    """Ask, compare, keep; or report what is kept."""
    _refuse_nonsense(arguments)
    if arguments.report:
        names = [arguments.target.partition("@")[0]] if arguments.target else bundle.targets()
        output.write(report.stored(names, arguments.output_format), arguments.output_file)
        return 0
    name, _, version = arguments.target.partition("@")
    table = bundle.load(name)
    target = point(table, version or None, _settings(arguments.set))
    witness = asking.witness(arguments.oracle, name, target.version)
    asked = _models if arguments.models else _probes
    agreement, kept = asked(arguments, witness, target)
    title = f"{target.title} against {witness.name} {witness.version}"
    output.write(report.one(title, agreement, arguments.output_format), arguments.output_file)
    if kept is not None:
        on_stderr(f"kept in {kept}")
    if agreement.asked == 0:
        return 3
    return 0 if agreement.same + agreement.explained == agreement.asked else 1


def _refuse_nonsense(arguments: argparse.Namespace) -> None:
    if arguments.report and (arguments.models or arguments.oracle):
        raise EdgecheckError("--report asks nobody: it takes no oracle and no models", help="leave them out")
    if not arguments.report and not (arguments.target and arguments.oracle):
        raise EdgecheckError(
            "probe needs --target and --oracle",
            help=f"oracles: {', '.join(asking.names())}; `edgecheck ops` lists the targets; --report needs neither",
        )
    for name in ("jobs", "count", "timeout"):
        value = getattr(arguments, name)
        if value is not None and value <= 0:
            raise EdgecheckError(f"--{name} is {value:g}: it must be more than 0")
    if arguments.models and (arguments.seed is not None or arguments.sources):
        raise EdgecheckError("model files and --seed or --from are two different questions", help="ask one at a time")
    wrong = [one for one in (arguments.sources or "").split(",") if one and one not in SOURCES]
    if wrong:
        raise EdgecheckError(f"--from does not know '{wrong[0]}'", help=f"it knows {', '.join(SOURCES)}")


def _settings(given: list[str]) -> dict[str, str]:
    for one in given:
        if "=" not in one:
            raise EdgecheckError(f"--set {one} has no value", help="write --set NAME=VALUE")
    return dict(one.split("=", 1) for one in given)


def _probes(arguments: argparse.Namespace, witness: Witness, target: TargetPoint) -> tuple[Agreement, Path | None]:
    """Limits, random probes, what was recorded."""
    probes = _wanted(arguments, target)
    limits = {"jobs": arguments.jobs, "seconds": arguments.timeout, "say": on_stderr}
    rows = running.measured(witness, target, probes, **limits)
    path = _stored(arguments, witness, target, rows) if arguments.keep else None
    return compared(rows, target.table), path


def _stored(
    arguments: argparse.Namespace, witness: Witness, target: TargetPoint, rows: list[evidence.Row]
) -> Path | None:
    """Keep what is worth it, in place of what was answered otherwise; None where nothing is new."""
    evidence.drop_overtaken(rows, [arguments.out] if arguments.out else evidence.files())
    kept = running.worth_keeping(rows, target, arguments.keep)
    if "recorded" in (arguments.sources or "") and not arguments.out:
        kept = evidence.not_stored(kept)
    if not kept:
        return None
    path: Path = arguments.out or evidence.file_for(witness.module, witness.name, witness.version, target.table.id)
    old = list(evidence.read(path)) if path.is_file() else []
    evidence.write(path, _whole(old, kept, arguments.keep))
    return path


def _whole(old: list[evidence.Row], new: list[evidence.Row], each: int) -> list[evidence.Row]:
    """The file with the new rows: what it had stays, and is not crowded."""
    before = {json.dumps(row, sort_keys=True) for row in old}
    rows = evidence.merged(old, new)
    fresh = [row for row in rows if json.dumps(row, sort_keys=True) not in before]
    there = [row for row in rows if json.dumps(row, sort_keys=True) in before]
    thin = evidence.thinned([*there, *fresh], each)
    kept = {id(row) for row in thin} | {id(row) for row in there}
    return [row for row in rows if id(row) in kept]


def _wanted(arguments: argparse.Namespace, target: TargetPoint) -> list[running.Probe]:
    ops = [op for op in (arguments.ops or "").split(",") if op]
    if arguments.seed is not None or arguments.count is not None:
        seed, count = arguments.seed if arguments.seed is not None else 1, arguments.count or 500
        return running.random_probes(target.table.format, seed, count, ops)
    sources = [one for one in (arguments.sources or "limits").split(",") if one]
    probes: list[running.Probe] = []
    if "limits" in sources:
        probes += running.limit_probes(target, on_stderr, ops)
    if "recorded" in sources:
        probes += [one for one in running.recorded_at(target) if not ops or one.spec["op"] in ops]
    if "node-tests" in sources:
        if target.table.format != "onnx":
            raise EdgecheckError(f"node tests are ONNX's; {target.table.id} takes {target.table.format}")
        probes += running.node_tests()
    if not probes:
        raise EdgecheckError(
            "there is nothing to ask", help="name other operators, or --seed N --count M for random probes"
        )
    return probes


def _models(arguments: argparse.Namespace, witness: Witness, target: TargetPoint) -> tuple[Agreement, Path | None]:
    """Every node of model files."""
    paths = models.found(arguments.models, target.table.format)
    agreement, rows = Agreement(), []
    limits = {"jobs": arguments.jobs, "seconds": max(arguments.timeout, 300), "say": on_stderr}
    for path, model, said in models.measured(witness, target, paths, **limits):
        models.compared(model, said, target, agreement, models.named(path))
        rows.append(models.row(path, model, said, witness, target))
    return agreement, models.keep(witness, rows, arguments.out) if arguments.keep else None
