"""`edgecheck golden`: what golden runs there are, what one holds, whether it keeps to the format; stores of them."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgecheck.cli import output
from edgecheck.cli.progress import Progress
from edgecheck.errors import EdgecheckError, FormatError
from edgecheck.findings import Finding
from edgecheck.golden import GoldenRun
from edgecheck.golden.bucket import DamagedError
from edgecheck.golden.reading import read
from edgecheck.golden.shelf import find
from edgecheck.golden.store import Entry, Filter, Store, Transfer, instant, is_url, open_store, superseded
from edgecheck.reports import words

HELP = """List golden runs, show one, verify that they keep to the format, remove all but the newest; push them to a
store, or pull them out of one. A store is a folder, s3://bucket/prefix, or any other URL that fsspec knows."""
EPILOG = """examples:
  edgecheck golden list                        every run below golden/
  edgecheck golden show golden/face/pixel-8/run-1
  edgecheck golden verify recordings/          exit 1 where a run breaks the format: say it before it is committed
  edgecheck golden prune --keep 3 --dry-run    all but the newest three of each pipeline and device
  edgecheck golden push recordings/run-1 s3://team-golden/runs
  edgecheck golden push golden s3://team-golden/runs        every run below golden/
  edgecheck golden list s3://team-golden/runs --pipeline face --device "Pixel 8" --since 2026-11-01
  edgecheck golden pull s3://team-golden/runs/face/pixel-8/run-1
  edgecheck golden pull s3://team-golden/runs --pipeline face recordings
  edgecheck golden prune s3://team-golden/runs --keep 10

A transfer that was cut off goes on where it stopped when the same command is run again. Credentials come from the
usual AWS chain (AWS_PROFILE, environment, role); AWS_ENDPOINT_URL names another service that speaks S3.
The format is docs/golden-run.md, stores are docs/stores.md; the recorders an app links are in recorders/.
"""
FORMATS = ("full", "json")
ACTIONS = ("list", "show", "verify", "prune", "push", "pull")


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("action", choices=ACTIONS, metavar="ACTION", help=", ".join(ACTIONS))
    parser.add_argument(
        "places", nargs="*", metavar="PLACE",
        help="a run, a folder of them, or a store's URL (default: golden); push: RUN… STORE; pull: STORE [FOLDER]",
    )  # fmt: skip
    chosen = parser.add_argument_group("which runs (list, verify, prune, pull)")
    chosen.add_argument("--pipeline", default="", metavar="NAME", help="only this pipeline's")
    chosen.add_argument("--device", default="", metavar="NAME", help="only those of this device")
    chosen.add_argument("--since", metavar="DATE", help="only those recorded then or later (2026-11-01, UTC)")
    chosen.add_argument("--until", metavar="DATE", help="only those recorded then or before")
    parser.add_argument(
        "--keep", type=int, default=5, metavar="N", help="prune: of each pipeline and device (default: 5)"
    )
    parser.add_argument("--broken", action="store_true", help="prune: runs that cannot be used, too")
    parser.add_argument("--dry-run", action="store_true", help="prune: say what would go")
    output.configure(parser, FORMATS)


def run(arguments: argparse.Namespace) -> int:
    """Do it; `verify` and `list` exit with 1 where a run is broken."""
    format = output.chosen_format(arguments, FORMATS)
    places: list[str] = arguments.places
    if arguments.action == "push":
        return _push(places, arguments, format)
    if len(places) > (2 if arguments.action == "pull" else 1):
        raise EdgecheckError(f"{arguments.action} takes one place, not {len(places)}", help="edgecheck golden --help")
    place = places[0] if places else "golden"
    if arguments.action == "pull":
        return _pull(places, arguments, format)
    if arguments.action == "show":
        with _local(place) as folder:
            shown = described(read(folder)) | {"folder": place}
        text = json.dumps(shown, indent=1) if format == "json" else "\n".join(_shown(shown))
        output.write(text, arguments.output_file)
        return 0
    store = open_store(place)
    found = store.entries(_wanted(arguments))
    if arguments.action == "prune":
        return _prune(store, found, arguments)
    if arguments.action == "verify":
        found = _verified(store, place, found)
    findings = [_broken(one) for one in found if one.problem]
    text = json.dumps(listed(found), indent=1) if format == "json" else "\n".join(_listed(found, findings))
    output.write(text, arguments.output_file)
    return output.exit_code(findings, arguments)


def _wanted(arguments: argparse.Namespace) -> Filter:
    times = [instant(arguments.since or ""), instant(arguments.until or "", end=True)]
    for name, given, time in zip(("since", "until"), (arguments.since, arguments.until), times):
        if given and time is None:
            raise EdgecheckError(f"--{name} {given} is no date", help="write it as 2026-11-01, or 2026-11-01T12:00")
    return Filter(pipeline=arguments.pipeline, device=arguments.device, since=times[0], until=times[1])


def _push(places: Sequence[str], arguments: argparse.Namespace, format: str) -> int:
    if len(places) < 2:
        raise EdgecheckError("push takes runs and a store", help="edgecheck golden push RUN s3://bucket/prefix")
    *runs, target = places
    folders = []
    for one in runs:
        if is_url(one):
            raise EdgecheckError("push takes folders, and one store at the end", help="pull the runs of a store first")
        below = find(Path(one))
        if not below:
            raise EdgecheckError(f"there is no golden run in {one}", help="a golden run is a folder with run.json")
        broken = next((run for run in below if run.run is None), None)
        if broken:
            raise EdgecheckError(broken.problem, help=broken.help)
        folders += [run.folder for run in below]
    store = open_store(target)
    with Progress("pushing", sum(_size(one) for one in folders)) as progress:
        done = [store.push(one, progress.moved) for one in folders]
    return _moved("pushed", done, arguments, format)


def _size(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.iterdir() if one.is_file())


def _pull(places: Sequence[str], arguments: argparse.Namespace, format: str) -> int:
    if not places:
        raise EdgecheckError("pull takes a store", help="edgecheck golden pull s3://bucket/prefix/face/pixel-8/run-1")
    if len(places) > 1 and is_url(places[1]):
        raise EdgecheckError("pull takes a store, and then a folder", help="push takes a folder, and then a store")
    store, into = open_store(places[0]), Path(places[1] if len(places) > 1 else "golden")
    found = store.entries(_wanted(arguments))
    if not found:
        raise EdgecheckError(f"there is no such run in {places[0]}", help="edgecheck golden list says what there is")
    broken = next((one for one in found if one.problem), None)
    if broken:
        raise EdgecheckError(broken.problem, help=broken.help)
    with Progress("pulling", sum(one.size for one in found)) as progress:
        done = [store.pull(one, into, progress.moved) for one in found]
    return _moved("pulled", done, arguments, format)


def _moved(verb: str, done: Sequence[Transfer], arguments: argparse.Namespace, format: str) -> int:
    """Say where each run is now, schema `edgecheck.golden.moved/1`."""
    if format == "json":
        rows = [{"name": one.name, "bytes": one.size, "sent": one.sent, "there": one.there} for one in done]
        text = json.dumps({"schema": "edgecheck.golden.moved/1", "runs": rows}, indent=1)
    else:
        text = "\n".join(_sentence(verb, one) for one in done)
    output.write(text, arguments.output_file)
    return 0


def _sentence(verb: str, one: Transfer) -> str:
    if one.there == one.size:
        return f"{one.name} was there already"
    there = f", {words.size(one.there)} of it had been there" if one.there else ""
    return f"{verb} {one.name} ({words.size(one.size)}{there})"


@contextmanager
def _local(place: str) -> Iterator[Path]:
    """The folder of one run; out of a store it is a copy that goes away."""
    if not is_url(place):
        yield Path(place)
        return
    store = open_store(place)
    found = store.entries(Filter())
    if len(found) != 1:
        raise EdgecheckError(f"{place} holds {len(found)} runs, not one", help="list it, and say which one")
    with tempfile.TemporaryDirectory(prefix="edgecheck-") as scratch, Progress("pulling", found[0].size) as progress:
        copy = store.pull(found[0], Path(scratch), progress.moved)
        yield Path(copy.name)


def _verified(store: Store, place: str, found: Sequence[Entry]) -> list[Entry]:
    """Every run read; those of a store are pulled for that, one at a time, and held against their markers' hashes."""
    if not found:
        raise EdgecheckError(f"no golden run below {place}", help="a golden run is a folder with run.json")
    return [one if one.problem or not is_url(place) else _read(store, one) for one in found]


def _read(store: Store, one: Entry) -> Entry:
    with tempfile.TemporaryDirectory(prefix="edgecheck-") as scratch, Progress("reading", one.size) as progress:
        try:
            copy = store.pull(one, Path(scratch), progress.moved)
            read(Path(copy.name))
        except (FormatError, DamagedError) as error:
            problem = str(error).replace(str(Path(scratch) / one.address), one.name)
            return Entry(name=one.name, address=one.address, facts=one.facts, problem=problem, help=error.help)
    return one


def _broken(one: Entry) -> Finding:
    return Finding(rule="EC401", severity="error", message=one.problem, place=one.name, help=one.help)


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


def listed(found: Sequence[Entry]) -> dict[str, Any]:
    """The runs as data, schema `edgecheck.golden.list/1`."""
    return {"schema": "edgecheck.golden.list/1", "runs": [_row(one) for one in found]}


def _row(one: Entry) -> dict[str, Any]:
    return {"folder": one.name} | ({"problem": one.problem} if one.problem else dict(one.facts))


def _listed(found: Sequence[Entry], findings: list[Finding]) -> Iterator[str]:
    rows = [_row(one) for one in found if not one.problem]
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


def _prune(store: Store, found: Sequence[Entry], arguments: argparse.Namespace) -> int:
    if arguments.keep < 1:
        raise EdgecheckError(f"--keep {arguments.keep} would leave nothing", help="keep at least 1")
    old = superseded(found, arguments.keep) + [one for one in found if one.problem and arguments.broken]
    for one in old:
        if not arguments.dry_run:
            store.remove(one)
    verb = "would remove" if arguments.dry_run else "removed"
    lines = [f"{verb} {one.name}" for one in old]
    lines += [f"{verb} {name}, which was never finished" for name in store.sweep(dry=arguments.dry_run)]
    output.write("\n".join(lines) or "nothing to remove", arguments.output_file)
    return 0
