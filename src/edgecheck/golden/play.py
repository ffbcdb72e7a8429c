"""Running a pipeline's stages, each by itself, with the memory that belongs to it.

`Player` is used in the child process in which the user's wrapper code runs; models run in children of their own.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecheck import environments
from edgecheck.errors import EdgecheckError
from edgecheck.golden.precision import keeps_state
from edgecheck.pipeline import Model, Pipeline, Stage, validate
from edgecheck.runners import Engine
from edgecheck.serving import Served
from edgecheck.worker import first_line, user_place

Arrays = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one stage gave, and the nanoseconds it took: by the clock, and of the processor."""

    outputs: dict[str, Any]
    nanoseconds: int
    processor: int = 0


def load(text: str) -> tuple[Pipeline, Path]:
    """The pipeline of `file.py` or `file.py:NAME` (default PIPELINE), and the folder its paths are relative to."""
    path, _, name = text.partition(":") if not Path(text).exists() else (text, "", "")
    file = Path(path)
    if not file.is_file():
        raise EdgecheckError(f"there is no pipeline file {path}", help="`edgecheck init` writes one to start from")
    try:
        module = _imported(file)
    except EdgecheckError:
        raise
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise EdgecheckError(f"{path} cannot be imported: {said(error)}", help=_install(error)) from error
    found = getattr(module, name or "PIPELINE", None)
    if found is None:
        raise EdgecheckError(f"{path} has no {name or 'PIPELINE'}", help="PIPELINE = edgecheck.pipeline.Pipeline(…)")
    return validate(found, path), file.parent


def _imported(file: Path) -> Any:
    sys.path.insert(0, str(file.parent.resolve()))
    spec = importlib.util.spec_from_file_location(f"edgecheck_pipeline_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _install(error: BaseException) -> str | None:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install {error.name.partition('.')[0]} beside edgecheck, or name an interpreter that has it: --python"
    return None


def said(error: BaseException) -> str:
    """`ValueError: message (face.py:23)`."""
    place, message = user_place(error), first_line(error)
    return f"{type(error).__name__}{': ' if message else ''}{message}{f' ({place})' if place else ''}"


def offline(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """The pipeline's own cases as arrays, by name. Raises `EdgecheckError` with what their code raised."""
    import numpy

    try:
        found = {str(name): dict(inputs) for name, inputs in pipeline.cases().items()}
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise EdgecheckError(f"the cases of '{pipeline.name}' raised {said(error)}") from error
    for inputs in found.values():
        for name, value in inputs.items():
            array = numpy.asarray(value)
            inputs[name] = numpy.asarray(value, dtype=object) if array.dtype.kind in "US" else array
    return found


def nearest(names: Sequence[str], chain: Mapping[str, Arrays]) -> tuple[dict[str, Any], str]:
    """Each name from the nearest stage before that has it; and the first that none has."""
    found = {}
    for name in names:
        holder = next((given for given in reversed(list(chain.values())) if name in given), None)
        if holder is None:
            return {}, name
        found[name] = holder[name]
    return found, ""


class Player:
    """The stages of one pipeline, ready to be run in any order; `begin` starts a sequence afresh."""

    def __init__(
        self,
        pipeline: Pipeline,
        folder: Path,
        engine: Callable[[Path], Engine],
        *,
        models: Mapping[str, str] | None = None,
    ) -> None:
        """`engine(path)` chooses what runs a model file; `models` replaces the files of stages, by stage name."""
        self.pipeline, self._folder, self._engine = pipeline, folder, engine
        self._replaced = dict(models or {})
        self._served: dict[str, Served] = {}
        self.states: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *exception: object) -> None:
        for one in self._served.values():
            one.close()

    def begin(self, stage: Stage) -> None:
        """A new sequence: the memory of `stage` is what it is in the beginning."""
        if stage.state is not None:
            self.states[stage.name] = stage.state()
        if isinstance(stage.run, Model) and stage.name in self._served and keeps_state(self.path(stage)):
            self._served[stage.name].reset()

    def remembers(self, stage: Stage) -> bool:
        """Whether a run of the stage leaves something behind for the next."""
        return keeps_state(self.path(stage)) if isinstance(stage.run, Model) else stage.stateful

    def path(self, stage: Stage) -> Path:
        """The model file of a stage."""
        assert isinstance(stage.run, Model)
        return self._folder / self._replaced.get(stage.name, stage.run.path)

    def takes(self, stage: Stage) -> tuple[str, ...]:
        """The tensors a stage asks for, by name."""
        if not isinstance(stage.run, Model) or stage.run.takes:
            return stage.takes
        return tuple(one["name"] for one in self.served(stage).about["inputs"])

    def run(self, stage: Stage, inputs: Arrays, knobs: Mapping[str, Any] | None = None) -> Spent:
        """One step of one stage. Raises `EdgecheckError` (code 3) with what the stage raised."""
        import time

        if isinstance(stage.run, Model):
            return self._model(stage, stage.run, inputs)
        arguments = {name: inputs[name] for name in stage.takes}
        if stage.stateful:
            arguments["state"] = self.states[stage.name]
        begin, busy = time.perf_counter_ns(), time.thread_time_ns()
        try:
            given = stage.run(**arguments, **(knobs or {}))
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            raise EdgecheckError(f"stage '{stage.name}' raised {said(error)}", code=3) from error
        busy, whole = time.thread_time_ns() - busy, time.perf_counter_ns() - begin
        return Spent(outputs=_arrays(given, stage.name), nanoseconds=whole, processor=busy)

    def place(self, stage: Stage, tensor: str) -> int:
        """Which of the file's outputs a tensor of a model stage is, by number."""
        assert isinstance(stage.run, Model)
        names = [one["name"] for one in self.served(stage).about["outputs"]]
        found = _paired(stage.run.gives, names)
        return next((number for number, name in enumerate(names) if found.get(name) == tensor), len(names))

    def trial(self, stage: Stage, state: Mapping[str, Any]) -> Callable[[Arrays, Mapping[str, Any]], Arrays]:
        """A function that runs `stage` again with other inputs and knobs, always from a copy of `state`."""

        def again(inputs: Arrays, knobs: Mapping[str, Any]) -> Arrays:
            if not stage.stateful:
                return self.run(stage, inputs, knobs).outputs
            kept = self.states.get(stage.name, {})
            self.states[stage.name] = copy.deepcopy(dict(state))
            try:
                return self.run(stage, inputs, knobs).outputs
            finally:
                self.states[stage.name] = kept

        return again

    def served(self, stage: Stage) -> Served:
        """The model of a stage, loaded; it stays."""
        if stage.name not in self._served:
            path, engine = self.path(stage), self._engine_of(stage)
            plugin = importlib.import_module(f"edgecheck.runtimes.{engine.runtime}")
            interpreter = environments.choose_any(plugin.NEEDS, plugin.ENVIRONMENTS)
            self._served[stage.name] = Served(interpreter, engine.runtime, path, engine.options)
        return self._served[stage.name]

    def _engine_of(self, stage: Stage) -> Engine:
        path = self.path(stage)
        if not path.exists():
            raise EdgecheckError(
                f"stage '{stage.name}': there is no model {path}", help="paths are relative to the pipeline file"
            )
        return self._engine(path)

    def _model(self, stage: Stage, model: Model, inputs: Arrays) -> Spent:
        import numpy

        served = self.served(stage)
        names = _paired(model.takes, [one["name"] for one in served.about["inputs"]])
        feeds = {file: numpy.asarray(inputs[tensor]) for file, tensor in names.items()}
        for one in served.about["inputs"]:
            _fits(stage.name, one, feeds.get(one["name"]))
        try:
            outputs, spent = served(feeds)
        except EdgecheckError:
            if not served.alive:
                del self._served[stage.name]  # it is started again when it is next asked for
            raise
        renamed = _paired(model.gives, [one["name"] for one in served.about["outputs"]])
        if model.real:
            outputs = {one["name"]: _real(outputs[one["name"]], one) for one in served.about["outputs"]}
        kept = {renamed[name]: value for name, value in outputs.items() if name in renamed}
        return Spent(outputs=kept, nanoseconds=spent, processor=served.processor)


def _paired(declared: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """File name → tensor name: as declared; in order, where the file (another format's) has none of those names."""
    if not declared:
        return {name: name for name in names}
    if any(name in declared for name in names):
        return {name: declared[name] for name in names if name in declared}
    return dict(zip(names, declared.values()))


def _fits(stage: str, declared: Mapping[str, Any], value: Any) -> None:
    if value is None:
        raise EdgecheckError(
            f"stage '{stage}': the model's input '{declared['name']}' is not among the tensors", code=2
        )
    if value.dtype.name != declared["dtype"]:
        raise EdgecheckError(
            f"stage '{stage}': '{declared['name']}' is {value.dtype.name}, the model takes {declared['dtype']}", code=3
        )


def _real(value: Any, declared: Mapping[str, Any]) -> Any:
    import numpy

    if not declared.get("scale") or value.dtype.kind not in "iu":
        return value
    return ((value.astype(numpy.float64) - declared["zero_point"]) * declared["scale"]).astype(numpy.float32)


def _arrays(given: Any, stage: str) -> dict[str, Any]:
    """What a stage returned, as arrays by name; lists of str become arrays of objects."""
    import numpy

    if not isinstance(given, Mapping):
        raise EdgecheckError(
            f"stage '{stage}' returned {type(given).__name__}, not a dict of arrays", help='return {"input": array}'
        )
    found: dict[str, Any] = {}
    for name, value in given.items():
        array = numpy.asarray(value)
        if array.dtype.kind in "US":
            array = numpy.asarray(value, dtype=object)
        if array.dtype.kind not in "fiubO":
            raise EdgecheckError(f"stage '{stage}': '{name}' is {array.dtype}, which cannot be recorded")
        found[str(name)] = array
    return found
