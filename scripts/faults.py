"""Seeded faults: is the first stage that differs named, and the right cause? `make faults SEED=…`

    python scripts/faults.py [--seed N] [--draws N] [--pairs N] [--only PIPELINE[/FAULT]] [--json FILE]

Every fault of scripts/faulty/ is put into the device's side of its pipeline `--draws` times, with parameters drawn at
random, recorded in another runtime than the replay's and through the recorders in turn (Python, JavaScript, C++), and
held against the pipeline of golden/. Printed: where the first differing stage or the right cause was missed, and how
often each was found. `--pairs`: two faults at once, at one stage or at two.
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "recorders"), str(Path(__file__).parent)]

import driving  # noqa: E402
import numpy  # noqa: E402

from edgecheck import child  # noqa: E402
from edgecheck.errors import EdgecheckError  # noqa: E402
from edgecheck.golden import sides  # noqa: E402
from edgecheck.golden.compared import Comparison, unpack  # noqa: E402
from edgecheck.golden.play import Player, load  # noqa: E402
from edgecheck.packages import default_folder  # noqa: E402
from edgecheck.pipeline import INPUT, Pipeline, Stage, step  # noqa: E402
from faulty import Fault, both, face, onet, sound, text, together  # noqa: E402

FAULTS: dict[str, tuple[Fault, ...]] = {
    "face": face.FAULTS, "onet": onet.FAULTS, "pitch": sound.PITCH, "speech": sound.SPEECH, "wake": sound.WAKE, "text": text.FAULTS,
}  # fmt: skip
BEHIND: dict[str, dict[str, Any]] = {}  # stage → the memory that the step before began with
#: What the device's model runs in, other than the replay where there is another.
PITCH = default_folder() / "basic_pitch" / "basic_pitch" / "saved_models" / "icassp_2022" / "nmp.tflite"
DEVICES: dict[str, list[tuple[str, str, dict[str, str]]]] = {
    "face": [("local", "litert-builtin", {}), ("local", "tflite-runtime", {})],
    "onet": [("local", "litert", {"model": str(ROOT / "golden" / "onet" / "onet.tflite")})],
    "pitch": [("local", "litert-builtin", {"model": str(PITCH)})],
    "speech": [("local", "", {})],
    "wake": [("tflm", "", {}), ("local", "litert-builtin", {})],
    "text": [("local", "", {})],
}


@dataclass(frozen=True)
class Case:
    """One recording with one fault or two."""

    pipeline: str
    faults: tuple[Fault, ...]
    seed: int
    number: int

    @property
    def name(self) -> str:
        return f"{self.pipeline}/{' + '.join(one.name for one in self.faults)}"


class NoEffectError(Exception):
    """A fault that changes nothing cannot be found, and counts as nothing."""


class Recorders:
    """The recorders in turn; those of other languages are driven through a process."""

    def __init__(self, folder: Path) -> None:
        self.ways = {"python": driving.python}
        drivers = ROOT / "tests" / "recorders"
        if shutil.which("node"):
            self.ways["javascript"] = driving.Driver(["node", str(drivers / "drive.mjs")]).play
        if shutil.which("g++"):
            binary = str(folder / "drive")
            subprocess.run(
                [
                    "g++",
                    "-std=c++17",
                    "-O1",
                    f"-I{ROOT / 'recorders' / 'cpp'}",
                    "-o",
                    binary,
                    str(drivers / "drive.cpp"),
                ],
                check=True,
                cwd=ROOT,
            )
            self.ways["c++"] = driving.Driver([binary]).play
        print(f"recorders: {', '.join(sorted(self.ways))}", flush=True)

    def of(self, number: int) -> tuple[str, object]:
        names = sorted(self.ways)
        return names[number % len(names)], self.ways[names[number % len(names)]]


def tensor(stage: str, name: str, value: Any) -> tuple:
    value = numpy.asarray(value)
    if value.dtype.kind == "O":
        return ("tensor", stage, name, "string", list(value.shape), [str(one) for one in value.reshape(-1)], "", False)
    value = numpy.ascontiguousarray(value)
    return ("tensor", stage, name, value.dtype.name, list(value.shape), value.tobytes(), "", False)


def calls(
    case: Case, pipeline: Pipeline, play: Player, right: Player, runtime: dict, changes: dict, effect: set
) -> Iterator[tuple]:
    """The recorder's calls of a device that has the faults; `right` has none of them."""
    yield ("open", pipeline.name, list(pipeline.order), 1 << 30, False)
    for key, value in runtime.items():
        yield ("fact", "runtime", key, value)
    previous, kept = "", {}
    for name, inputs in sides._cases(pipeline).items():
        sequence, place = step(name)
        fresh = sequence != previous or place == 0
        previous = sequence
        yield ("case", name)
        chain = {INPUT: dict(inputs)}
        for key, value in inputs.items():
            yield tensor(INPUT, key, value)
        for stage in pipeline.stages:
            memory = next((one.memory for one in case.faults if one.stage == stage.name and one.memory), "")
            if memory == "always" or (fresh and (memory != "never" or stage.name not in kept)):
                play.begin(stage)
            given = sides.gathered(play, stage, chain)
            if memory in ("late input", "first input"):
                used = given if fresh or stage.name not in kept else kept[stage.name]
                kept[stage.name] = given if memory == "late input" or fresh else kept[stage.name]
            else:
                used, kept[stage.name] = given, given
            try:
                outputs = behind(play, stage, used, fresh) if memory == "late state" else play.run(stage, used).outputs
            except EdgecheckError:
                break  # the device's model does not take what the faulty stage made: the app stops here
            if memory:
                if fresh:
                    right.begin(stage)
                effect |= {stage.name} if differs(outputs, right.run(stage, given).outputs) else set()
            if stage.name in changes:
                whole, alone = changes[stage.name]
                made = dict(whole(given, outputs))
                others = [outputs, *(dict(one(given, outputs)) for one in alone if len(alone) > 1)]
                effect |= {stage.name} if all(differs(made, other) for other in others) else set()
                outputs = made
            for key, value in outputs.items():
                yield tensor(stage.name, key, value)
            chain[stage.name] = outputs


def behind(play: Player, stage: Stage, given: dict, fresh: bool) -> dict:
    """A step that works on the memory which the step before began with; the memory itself goes on as it should."""
    now = copy.deepcopy(play.states[stage.name])
    earlier = now if fresh else BEHIND[stage.name]
    BEHIND[stage.name] = now
    play.states[stage.name] = copy.deepcopy(earlier)
    outputs = play.run(stage, given).outputs
    play.states[stage.name] = copy.deepcopy(now)
    play.run(stage, given)
    return outputs


def differs(made: dict, right: dict) -> bool:
    """Whether a fault shows in the outputs of a stage at all."""
    if made.keys() != right.keys():
        return True
    return any(
        made[k].shape != right[k].shape or made[k].dtype != right[k].dtype or bool((made[k] != right[k]).any())
        for k in made
    )


def recorded(case: Case, folder: Path, recorders: Recorders) -> tuple[str, list[str]]:
    """Which recorder wrote it, and what the faults do in words; drawn again where a fault has no effect on the cases."""
    for attempt in range(8):
        rng = numpy.random.default_rng([case.seed, case.number, attempt])
        language, said, shown = attempted(case, folder, recorders, rng)
        if shown >= {fault.stage for fault in case.faults}:
            return language, said
        shutil.rmtree(folder)
        if not any(fault.make for fault in case.faults):
            break  # nothing is drawn
    raise NoEffectError(f"{case.name} shows in none of the cases, whatever is drawn")


def attempted(case: Case, folder: Path, recorders: Recorders, rng: Any) -> tuple[str, list[str], set[str]]:
    """Recorder, words, and the stages on which a fault showed."""
    changes, said, effect = {}, [], set()
    for fault in case.faults:
        if fault.make is None:
            said.append(fault.memory)
            continue
        words, change = fault.make(rng)
        said.append(words)
        before = changes.get(fault.stage)
        changes[fault.stage] = (both(before[0], change), [*before[1], change]) if before else (change, [change])
    pipeline, place = load(str(ROOT / "golden" / case.pipeline / "pipeline.py"))
    devices = DEVICES[case.pipeline]
    on, runtime, models = devices[case.number % len(devices)]
    language, way = recorders.of(case.number)
    with (
        sides.player(pipeline, place, on, runtime, models) as play,
        sides.player(pipeline, place, on, runtime, models) as right,
    ):
        model = next(stage for stage in pipeline.stages if stage.name == "model")
        facts = {k: v for k, v in play.served(model).about["runtime"].items() if isinstance(v, int | str)}
        problem = way(list(calls(case, pipeline, play, right, facts, changes, effect)), folder)
    if problem:
        raise SystemExit(f"{case.name}: the {language} recorder: {problem}")
    return language, said, effect


def found(case: Case, folder: Path) -> Comparison:
    source = str(ROOT / "golden" / case.pipeline / "pipeline.py")
    return unpack(
        child.call(sys.executable, "edgecheck.golden.sides:compare", timeout=900, run=str(folder), source=source)
    )


def place_of(fault: Fault, comparison: Comparison, most: int = 3) -> int:
    """Where the right cause stands among those named at its stage; 0: it does not."""
    stage = next(one for one in comparison.stages if one.name == fault.stage)
    for place, cause in enumerate(stage.causes[:most], 1):
        if set(cause.ids) & set(fault.causes):
            return place
    return 0


def singles(seed: int, draws: int, only: str) -> Iterator[Case]:
    number = 0
    for _ in range(draws):
        for pipeline, faults in FAULTS.items():
            for fault in faults:
                number += 1
                if only in ("", pipeline, f"{pipeline}/{fault.name}"):
                    yield Case(pipeline, (fault,), seed, number)


def pairs(seed: int, count: int, only: str) -> Iterator[Case]:
    rng = numpy.random.default_rng([seed, 77])
    made = 0
    while made < count:
        pipeline = str(rng.choice([one for one in FAULTS if only in ("", one)]))
        one, other = (FAULTS[pipeline][i] for i in sorted(rng.choice(len(FAULTS[pipeline]), 2, replace=False)))
        if set(one.causes) & set(other.causes) or not together(one, other):
            continue
        made += 1
        yield Case(pipeline, (one, other), seed, 10_000 + made)


def judge(case: Case, comparison: Comparison) -> dict:
    order = [stage.name for stage in comparison.stages]
    expected = min((fault.stage for fault in case.faults), key=order.index)
    first = comparison.first
    differ = {stage.name for stage in comparison.stages if stage.state == "differs"}
    return {
        "case": case.name, "expected": expected, "first": first.name if first else None,
        "stage": bool(first) and first.name == expected, "extra": sorted(differ - {fault.stage for fault in case.faults}),
        "places": [place_of(fault, comparison) for fault in case.faults],
        "named": {one.name: [[list(c.ids), round(c.share, 4)] for c in one.causes[:3]] for one in comparison.stages if one.state == "differs"},
        "closest": {one.name: [list(one.closest.ids), round(one.closest.share, 4)] for one in comparison.stages if one.closest},
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=2, help="of each fault (default 2)")
    parser.add_argument("--pairs", type=int, default=0, help="two faults at once")
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        recorders = Recorders(Path(temporary))
        for case in (
            *singles(arguments.seed, arguments.draws, arguments.only),
            *pairs(arguments.seed, arguments.pairs, arguments.only),
        ):
            folder, begin = Path(temporary) / f"run-{case.number}", time.monotonic()
            try:
                language, said = recorded(case, folder, recorders)
            except NoEffectError as nothing:
                print(f"none  {nothing}", flush=True)
                continue
            row = judge(case, found(case, folder)) | {
                "said": said,
                "recorder": language,
                "seconds": round(time.monotonic() - begin, 1),
            }
            rows.append(row)
            good = row["stage"] and all(place == 1 for place in row["places"])
            if good:
                print(f"ok    {case.name}: {', '.join(said)} ({row['seconds']} s)", flush=True)
            else:
                print(
                    f"MISS  {case.name}: {', '.join(said)}; first {row['first']} of {row['expected']}, places {row['places']}, "
                    f"named {row['named']}, closest {row['closest']} ({row['seconds']} s)",
                    flush=True,
                )
    report(rows, arguments.seed)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def report(rows: list[dict], seed: int) -> None:
    one = [row for row in rows if len(row["places"]) == 1]
    two = [row for row in rows if len(row["places"]) == 2]
    if one:
        share = lambda good: f"{good} of {len(one)} ({good / len(one):.1%})"  # noqa: E731
        print(
            f"single faults, seed {seed}: first stage {share(sum(r['stage'] for r in one))}, right cause first "
            f"{share(sum(r['places'] == [1] for r in one))}, in the first three {share(sum(0 < r['places'][0] <= 3 for r in one))}; "
            f"{sum(bool(r['extra']) for r in one)} with a stage too many"
        )
    if two:
        good = sum(all(row["places"]) for row in two)
        print(
            f"two faults, seed {seed}: both named {good} of {len(two)} ({good / len(two):.1%}); first stage {sum(r['stage'] for r in two)} of {len(two)}"
        )


if __name__ == "__main__":
    sys.exit(main())
