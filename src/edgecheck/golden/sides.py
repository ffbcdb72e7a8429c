"""What the child process with the user's wrapper code does for `record` and `compare`; called by `edgecheck.child`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgecheck import worker
from edgecheck.errors import EdgecheckError
from edgecheck.golden.compared import Comparison, StageCompared, pack
from edgecheck.golden.measuring import CANARY_IS, measured, sampled
from edgecheck.golden.play import Player, load, nearest, offline
from edgecheck.golden.precision import model as model_file
from edgecheck.golden.precision import precision
from edgecheck.golden.reading import read
from edgecheck.golden.recorder import Recorder
from edgecheck.golden.replay import Replay
from edgecheck.golden.replay import compare as hold
from edgecheck.pipeline import INPUT, Model, Pipeline, Stage, step
from edgecheck.runners import Engine


def player(pipeline: Pipeline, folder: Path, on: str, runtime: str, models: Mapping[str, str]) -> Player:
    """A player whose models run on the runner `on`. `runtime`: one of the runner's names, else its usual one."""
    runner = importlib.import_module(f"edgecheck.runners.{on}")

    def engine(path: Path) -> Engine:
        read = model_file(path)
        names = runner.RUNTIMES.get(read.format)
        if not names:
            raise EdgecheckError(f"{on} runs no {read.format} files", help=f"it runs {', '.join(runner.RUNTIMES)}")
        chosen: Engine = runner.engine(path, read.format, runtime if runtime in names else names[0])
        if chosen.runtime == "tflm":  # knows its tensors by number only
            graph = read.graphs[0]
            named = {"inputs": [one.name for one in graph.inputs], "outputs": [one.name for one in graph.outputs]}
            chosen = replace(chosen, options={**chosen.options, "names": named})
        return chosen

    return Player(pipeline, folder, engine, models=models)


def record(
    source: str,
    out: str,
    *,
    on: str,
    runtime: str = "",
    models: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    withhold: Mapping[str, str] | None = None,
    aggregates: bool = False,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    time: str = "",
    samples: list[dict[str, Any]] | None = None,
    session: str = "",
) -> dict[str, Any]:
    """Run every case and write the golden run to `out`; what was recorded, in figures.

    `only`: names of cases or sequences. `withhold`: tensor or `stage/tensor` → "hash" or "omitted"; `aggregates`: of
    those keep what they are like. `samples`: latencies of launches of one `session`, measured before by `measure`.
    """
    pipeline, folder = load(source)
    runner = importlib.import_module(f"edgecheck.runners.{on}")
    with player(pipeline, folder, on, runtime, models or {}) as play:
        cases = _chosen(_cases(pipeline), only)
        told = _told(pipeline, play, runner, facts or {})
        if samples:
            told["conditions"] = {"canary": CANARY_IS, "session": session, **told["conditions"]}
        recorder = Recorder(out, pipeline.name, list(pipeline.order), most=4 << 30, time=time, **told)
        previous = ""
        for number, (name, inputs) in enumerate(cases.items()):
            worker.report("case", number=number, total=len(cases), name=name)
            previous = _begin(play, name, previous)
            recorder.case(name)
            _record_case(recorder, play, inputs, _Kept(withhold or {}, aggregates))
        sampled(recorder, samples or ())
        if not recorder.finish():
            raise EdgecheckError(recorder.error, code=2)
    return {
        "pipeline": pipeline.name, "device": told["device"].get("model", "device"), "cases": len(cases),
        "stages": list(pipeline.order), "runtime": dict(told["runtime"]),
    }  # fmt: skip


def _begin(play: Player, name: str, previous: str) -> str:
    sequence, place = step(name)
    if sequence != previous or place == 0:
        for stage in play.pipeline.stages:
            play.begin(stage)
    return sequence


def _cases(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """The pipeline's own cases as arrays; raises `EdgecheckError` where there are none."""
    found = offline(pipeline)
    if not found:
        raise EdgecheckError(f"pipeline '{pipeline.name}' has no cases to record", help="cases=lambda: {'one': {…}}")
    return found


def _chosen(cases: dict[str, dict[str, Any]], only: Sequence[str]) -> dict[str, dict[str, Any]]:
    found = {name: one for name, one in cases.items() if not only or name in only or step(name)[0] in only}
    if not found:
        raise EdgecheckError(f"the pipeline has no case '{only[0]}'", help=f"it has {', '.join(list(cases)[:12])}")
    return found


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is recorded of a tensor beside or instead of its values."""

    withhold: Mapping[str, str]
    aggregates: bool

    def of(self, stage: str, name: str) -> dict[str, Any]:
        how = self.withhold.get(f"{stage}/{name}", self.withhold.get(name, ""))
        return {"withhold": how, "aggregates": bool(how) and self.aggregates}


def _record_case(recorder: Recorder, play: Player, inputs: Mapping[str, Any], kept: _Kept) -> None:
    chain: dict[str, dict[str, Any]] = {INPUT: dict(inputs)}
    _record(recorder, INPUT, inputs, kept)
    for stage in play.pipeline.stages:
        given = play.run(stage, gathered(play, stage, chain)).outputs
        _record(recorder, stage.name, given, kept)
        if stage.stateful:
            _record(recorder, stage.name, {f"state.{k}": v for k, v in play.states[stage.name].items()}, kept)
        chain[stage.name] = given


def gathered(play: Player, stage: Stage, chain: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The inputs of a stage, each from the nearest stage before that gives it."""
    found, lacking = nearest(play.takes(stage), chain)
    if lacking:
        there = sorted({name for given in chain.values() for name in given})
        raise EdgecheckError(
            f"stage '{stage.name}' takes '{lacking}', which nothing before it gives",
            help=f"there are {', '.join(there)}; Model(takes={{file's name: tensor}}) maps other names",
        )
    return found


def _record(recorder: Recorder, stage: str, tensors: Mapping[str, Any], kept: _Kept) -> None:
    import numpy

    for name, value in tensors.items():
        array = numpy.asarray(value)
        how = kept.of(stage, name)
        if array.dtype.kind == "O":
            recorder.tensor(stage, name, [str(one) for one in array.reshape(-1)], shape=list(array.shape), **how)
        else:
            recorder.tensor(stage, name, array, **how)


def _told(pipeline: Pipeline, play: Player, runner: Any, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The facts of a run: of the first model stage, the runtime, the runner's device."""
    told: dict[str, dict[str, Any]] = {
        "wrapper": {"language": "python", **pipeline.wrapper}, "device": runner.device(),
        "conditions": runner.conditions(), "model": {}, "runtime": {},
    }  # fmt: skip
    for stage in pipeline.stages:
        if isinstance(stage.run, Model) and not told["model"]:
            path = play.path(stage)
            about = play.served(stage).about["runtime"]
            told["model"] = {"name": path.name, "sha256": model_file(path).sha256, "format": model_file(path).format}
            told["runtime"] = {"precision": precision(path), **{k: v for k, v in about.items() if v is not None}}
            told["model"]["input"] = described(play.served(stage).about["inputs"])
    return {key: {**value, **facts.get(key, {})} for key, value in told.items()}


def declared(source: str) -> list[dict[str, Any]]:
    """What a pipeline file says of its tensors."""
    pipeline, _ = load(source)
    given = {INPUT: pipeline.inputs, **{stage.name: stage.gives for stage in pipeline.stages}}
    return [
        {"stage": stage, "name": name, "meaning": asdict(meaning)}
        for stage, meanings in given.items()
        for name, meaning in meanings.items()
    ]


def measure(
    source: str, *, on: str, runtime: str = "", models: Mapping[str, str] | None = None, warmup: int, runs: int
) -> dict[str, list[int]]:
    """One launch: nanoseconds of every span, `runs` times over the cases after `warmup`."""
    pipeline, folder = load(source)
    with player(pipeline, folder, on, runtime, models or {}) as play:
        return measured(play, _cases(pipeline), _begin, gathered, warmup=warmup, runs=runs)


def compare(
    run: str,
    source: str,
    *,
    on: str = "local",
    runtime: str = "",
    models: Mapping[str, str] | None = None,
    search: bool = True,
    pictures: bool = False,
) -> dict[str, Any]:
    """A golden run held against our pipeline, with causes; packed."""
    recorded = read(Path(run))
    pipeline, folder = load(source)
    with ExitStack() as stack:
        alone, along = (stack.enter_context(player(pipeline, folder, on, runtime, models or {})) for _ in range(2))
        ours = f"replay of {Path(source.partition(':')[0]).name} on {on}"
        comparison, replayed = hold(recorded, alone, along, ours, Path(run))
        comparison = replace(comparison, facts=_both(pipeline, alone, recorded))
        if search:
            stages = tuple(_explained(stage, replayed) for stage in comparison.stages)
            comparison = replace(comparison, stages=stages)
        if pictures:
            comparison = replace(comparison, pictures=tuple(_pictures(comparison, replayed)))
        packed: dict[str, Any] = pack(comparison)
        return packed


def _both(pipeline: Pipeline, play: Player, run: Any) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    for stage in pipeline.stages:
        if isinstance(stage.run, Model) and not ours:
            path = play.path(stage)
            ours = {
                "model": {"name": path.name, "sha256": model_file(path).sha256},
                "runtime": play.served(stage).about["runtime"],
            }
    return {
        "ours": ours,
        "device": {"model": dict(run.model), "runtime": dict(run.runtime), "device": dict(run.device)},
    }


def _pictures(comparison: Comparison, replayed: Replay) -> Iterator[Mapping[str, Any]]:
    """Of every stage that differs, its worst case that was kept."""
    from edgecheck.golden.pictures import of

    for stage in comparison.stages:
        trials = replayed.watched[stage.name].trials
        names = [one.name for one in stage.tensors if one.beyond]
        worst = {one.case for one in stage.tensors if one.beyond}
        if trials and names:
            yield from of(next((one for one in trials if one.case in worst), trials[0]), names)


def _explained(stage: StageCompared, replayed: Replay) -> StageCompared:
    """The stage with the causes that the search names."""
    from edgecheck.golden.causes.search import find

    watched = replayed.watched[stage.name]
    if stage.state != "differs" or not watched.trials:
        return stage
    worker.report("search", name=stage.name)
    declared = next(one for one in replayed.pipeline.stages if one.name == stage.name)
    found = find(replayed.told_otherwise(declared), replayed.judge.within(declared))
    return replace(stage, causes=tuple(found.causes), closest=None if found.causes else found.closest)


def described(inputs: Iterable[Mapping[str, Any]]) -> str:
    """`1x128x128x3 float32`: sizes and types of a model's inputs; a size that is free is `?`."""

    def size(one: Any) -> str:
        return str(one) if isinstance(one, int) and one >= 0 else "?"

    words = (f"{'x'.join(map(size, one['shape'])) or 'scalar'} {one['dtype']}" for one in inputs)
    return ", ".join(words)[:500]


def unpacked(tree: Any) -> Comparison:
    """What `compare` gave, on the other side."""
    from edgecheck.golden.compared import unpack

    found: Comparison = unpack(tree)
    return found
