"""`edgecheck golden`: what golden runs there are, what one holds, whether it keeps to the format."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgecheck.cli import output
from edgecheck.errors import EdgecheckError
from edgecheck.findings import Finding
from edgecheck.golden import GoldenRun
from edgecheck.golden.reading import read
from edgecheck.golden.shelf import Found, find, remove, superseded
from edgecheck.reports import words

HELP = "List golden runs, show one, verify that they keep to the format, or remove all but the newest."
EPILOG = """examples:
  edgecheck golden list                        every run below golden/
  edgecheck golden show golden/face/pixel-8/run-1
  edgecheck golden verify recordings/          exit 1 where a run breaks the format: say it before it is committed
  edgecheck golden prune --keep 3 --dry-run    all but the newest three of each pipeline and device

The format is docs/golden-run.md; the recorders an app links are in recorders/.
"""
FORMATS = ("full", "json")


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "action", choices=("list", "show", "verify", "prune"), metavar="ACTION", help="list, show, verify, prune"
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("golden"), help="a run, or a folder of them (default: golden)"
    )
    parser.add_argument(
        "--keep", type=int, default=5, metavar="N", help="prune: of each pipeline and device (default: 5)"
    )
    parser.add_argument("--dry-run", action="store_true", help="prune: say what would go")
    output.configure(parser, FORMATS)


def run(arguments: argparse.Namespace) -> int:
    """Do it; `verify` and `list` exit with 1 where a run is broken."""
    format = output.chosen_format(arguments, FORMATS)
    if arguments.action == "show":
        shown = described(read(arguments.folder))
        text = json.dumps(shown, indent=1) if format == "json" else "\n".join(_shown(shown))
        output.write(text, arguments.output_file)
        return 0
    found = find(arguments.folder)
    if arguments.action == "prune":
        return _prune(found, arguments)
    findings = [_broken(one) for one in found if one.run is None]
    if arguments.action == "verify" and not found:
        raise EdgecheckError(f"no golden run below {arguments.folder}", help="a golden run is a folder with run.json")
    text = json.dumps(listed(found), indent=1) if format == "json" else "\n".join(_listed(found, findings))
    output.write(text, arguments.output_file)
    return output.exit_code(findings, arguments)


def _broken(one: Found) -> Finding:
    return Finding(rule="EC401", severity="error", message=one.problem, place=str(one.folder), help=one.help)


def described(run: GoldenRun) -> dict[str, Any]:
    """A run as data, schema `edgecheck.golden.show/1`: what it declares, and statistics of what it holds."""
    return {
        "schema": "edgecheck.golden.show/1", "folder": str(run.folder), "pipeline": run.pipeline, "time": run.time,
        "model": dict(run.model), "wrapper": dict(run.wrapper), "device": dict(run.device),
        "runtime": dict(run.runtime), "conditions": dict(run.conditions), "recorder": dict(run.recorder),
        "stages": list(run.stages),
        "cases": [
            {"name": case.name, "tensors": [_tensor(run, case.name, one) for one in case.tensors]} for case in run.cases
        ],
        "latency": [_latency(run, span, launch.name, launch.warmup) for span in run.spans for launch in run.launches],
    }  # fmt: skip


def _tensor(run: GoldenRun, case: str, one: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"stage": one.stage, "name": one.name, "dtype": one.dtype, "shape": list(one.shape)}
    if one.withheld:
        return made | {"withheld": one.withheld}
    values = run.values(case, one)
    if one.dtype == "string" or not values.size:
        return made
    import numpy

    wide = values if values.dtype.kind in "iub" else values.astype(numpy.float64)
    finite = wide[numpy.isfinite(wide)] if wide.dtype.kind == "f" else wide
    if finite.size < wide.size:
        made["not_finite"] = int(wide.size - finite.size)
    return made | (
        {"min": float(finite.min()), "max": float(finite.max()), "mean": float(finite.mean())} if finite.size else {}
    )


def _latency(run: GoldenRun, span: str, launch: str, warmup: int) -> dict[str, Any]:
    import numpy

    samples = run.latency(span, launch)
    made: dict[str, Any] = {"span": span, "launch": launch, "warmup": warmup, "samples": int(samples.size)}
    if samples.size:
        made |= {"median_ns": int(numpy.median(samples)), "p90_ns": int(numpy.percentile(samples, 90))}
    return made


def listed(found: list[Found]) -> dict[str, Any]:
    """The runs as data, schema `edgecheck.golden.list/1`."""
    return {"schema": "edgecheck.golden.list/1", "runs": [_row(one) for one in found]}


def _row(one: Found) -> dict[str, Any]:
    if one.run is None:
        return {"folder": str(one.folder), "problem": one.problem}
    run = one.run
    return {
        "folder": str(one.folder), "pipeline": run.pipeline, "device": run.device.get("model", ""), "time": run.time,
        "cases": len(run.cases), "stages": list(run.stages),
        "withheld": sum(bool(t.withheld) for case in run.cases for t in case.tensors), "launches": len(run.launches),
    }  # fmt: skip


def _listed(found: list[Found], findings: list[Finding]) -> Iterator[str]:
    rows = [_row(one) for one in found if one.run is not None]
    if rows:
        cells = [
            [str(row[key]) for key in ("folder", "pipeline", "device", "time", "cases", "withheld")] for row in rows
        ]
        yield from words.table([["run", "pipeline", "device", "time", "cases", "withheld"], *cells], right=(4, 5))
    for finding in findings:
        yield ""
        yield from words.block(finding, colour=False, verbose=True)
    if not found:
        yield "no golden run there"


def _shown(run: Mapping[str, Any]) -> Iterator[str]:
    yield f"{run['folder']}: {run['pipeline']}, {run['time'] or 'no time'}"
    for section in ("model", "wrapper", "device", "runtime", "conditions", "recorder"):
        facts = ", ".join(f"{key} {value}" for key, value in run[section].items())
        if facts:
            yield f"  {section}: {facts}"
    yield f"  stages: {', '.join(run['stages'])}"
    rows = [
        [
            case["name"],
            one["stage"],
            one["name"],
            one["dtype"],
            "x".join(map(str, one["shape"])) or "scalar",
            _range(one),
        ]
        for case in run["cases"]
        for one in case["tensors"]
    ]
    if rows:
        yield ""
        yield from words.table([["case", "stage", "tensor", "type", "shape", "values"], *rows])
    samples = [
        [
            one["span"],
            one["launch"],
            str(one["samples"]),
            str(one["warmup"]),
            _milliseconds(one, "median_ns"),
            _milliseconds(one, "p90_ns"),
        ]
        for one in run["latency"]
    ]
    if samples:
        yield ""
        yield from words.table(
            [["span", "launch", "samples", "warm-up", "median ms", "p90 ms"], *samples], right=(2, 3, 4, 5)
        )


def _range(one: Mapping[str, Any]) -> str:
    if "withheld" in one:
        return f"withheld ({one['withheld']})"
    if "min" not in one:
        return ""
    lost = f", {one['not_finite']} not finite" if "not_finite" in one else ""
    return f"{one['min']:.4g} .. {one['max']:.4g}, mean {one['mean']:.4g}{lost}"


def _milliseconds(one: Mapping[str, Any], key: str) -> str:
    return f"{one[key] / 1e6:.3f}" if key in one else ""


def _prune(found: list[Found], arguments: argparse.Namespace) -> int:
    if arguments.keep < 1:
        raise EdgecheckError(f"--keep {arguments.keep} would leave nothing", help="keep at least 1")
    old = superseded(found, arguments.keep)
    for one in old:
        if not arguments.dry_run:
            remove(one)
    verb = "would remove" if arguments.dry_run else "removed"
    output.write("\n".join(f"{verb} {one.folder}" for one in old) or "nothing to remove", arguments.output_file)
    return 0
