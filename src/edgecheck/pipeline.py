"""What a pipeline file declares: stages around a model, their tensors, what these mean, what still is the same.

    from edgecheck.pipeline import Model, Pipeline, Stage, image, scores

    def preprocess(photo, *, mean=127.5, scale=127.5):
        return {"input": ((photo - mean) / scale)[None].astype("float32")}

    PIPELINE = Pipeline(
        name="face",
        inputs={"photo": image("HWC")},
        stages=(
            Stage("preprocess", preprocess, gives={"input": image("NHWC", low=-1, high=1)}),
            Stage("model", Model("face.tflite"), gives={"scores": scores()}),
        ),
        cases=lambda: {"one": {"photo": ...}},
    )

A stage is a plain function: its parameters are the names of tensors that the input or an earlier stage gives (the
nearest one before it), it returns a dict of arrays (or lists of str). Keyword-only parameters with a default are its
knobs: the search for a cause may turn them. A parameter `state` is the stage's memory from one step of a sequence to
the next, a dict that the function changes. Only the standard library is imported here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edgecheck.errors import EdgecheckError

Kind = Literal[
    "values", "image", "audio", "mel", "logits", "probabilities", "scores", "boxes", "labels", "tokens", "text"
]
INPUT = "input"  # the first stage of a recording: what the cases hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a tensor is, as far as that is known; an empty field is not known.

    `layout` names axes ("HWC", "NCHW", "NHWC", "HW"; "T" for audio, "MT" for mel by time). `low` and `high` are the
    values that black and white (silence and full scale) have. `scale` and `zero_point` are a quantised tensor's.
    """

    kind: Kind = "values"
    layout: str = ""
    channels: str = ""  # "RGB", "BGR", "RGBA", "GRAY"
    low: float | None = None
    high: float | None = None
    rate: int = 0  # Hz
    format: str = ""  # of boxes: "xyxy", "yxyx", "xywh", "cxcywh"
    scale: float = 0.0
    zero_point: int = 0


def image(layout: str = "HWC", channels: str = "RGB", *, low: float = 0.0, high: float = 255.0) -> Meaning:
    """Pixels; `low` and `high` are the values of black and white."""
    return Meaning(kind="image", layout=layout, channels=channels, low=low, high=high)


def audio(rate: int, layout: str = "T", *, high: float = 1.0) -> Meaning:
    """Samples at `rate` Hz; `high` is full scale: 1.0, or 32768 for int16."""
    return Meaning(kind="audio", layout=layout, rate=rate, low=-high, high=high)


def mel(rate: int, layout: str = "TM") -> Meaning:
    """A (log) mel spectrogram; `layout` says which axis is time and which is mel."""
    return Meaning(kind="mel", layout=layout, rate=rate)


def logits() -> Meaning:
    """Scores before softmax or sigmoid; classes on the last axis."""
    return Meaning(kind="logits")


def probabilities() -> Meaning:
    """Scores after softmax; classes on the last axis."""
    return Meaning(kind="probabilities")


def scores() -> Meaning:
    """One confidence for each detection."""
    return Meaning(kind="scores")


def boxes(format: str = "xyxy") -> Meaning:
    """Boxes on the last axis: "xyxy", "yxyx", "xywh" or "cxcywh"."""
    return Meaning(kind="boxes", format=format)


def quantized(scale: float, zero_point: int = 0) -> Meaning:
    """Integers that stand for `(value - zero_point) * scale`."""
    return Meaning(kind="values", scale=scale, zero_point=zero_point)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """What still counts as the same; every field that is set must hold. Chosen by dtype and precision where none is.

    `absolute` is in the units of the tensor, `relative` a share of the tensor's range, `snr_db` decibels, `lsb` steps
    of an integer tensor; `share` is the part of the elements that may differ at all, with what chance adds to it.
    """

    absolute: float | None = None
    relative: float | None = None
    snr_db: float | None = None
    lsb: float | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model file as a stage. `takes` maps the file's input names to tensors; `gives` the file's outputs to names.

    Without them the names are the file's own. `path` is relative to the pipeline file. `real`: quantised outputs are
    given as the reals they stand for. `runtime` names a runner's runtime; empty is the first one for the format.
    """

    path: str
    takes: Mapping[str, str] = field(default_factory=dict)
    gives: Mapping[str, str] = field(default_factory=dict)
    runtime: str = ""
    real: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """A named step. `gives` says what its tensors mean; `state` makes the memory that a sequence begins with."""

    name: str
    run: Callable[..., Any] | Model
    gives: Mapping[str, Meaning] = field(default_factory=dict)
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    state: Callable[[], dict[str, Any]] | None = None

    @property
    def takes(self) -> tuple[str, ...]:
        """The tensors it asks for; of a model without `takes` they are not known before the file is read."""
        if isinstance(self.run, Model):
            return tuple(self.run.takes.values())
        found = inspect.signature(self.run).parameters.values()
        return tuple(one.name for one in found if one.kind is not one.KEYWORD_ONLY and one.name != "state")

    @property
    def knobs(self) -> dict[str, Any]:
        """Keyword-only parameters and their defaults."""
        if isinstance(self.run, Model):
            return {}
        found = inspect.signature(self.run).parameters.values()
        return {one.name: one.default for one in found if one.kind is one.KEYWORD_ONLY}

    @property
    def stateful(self) -> bool:
        return self.state is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Stages in the order in which they run. `cases` gives, by name, the arrays of `inputs`.

    A case named `NAME@K` is step K of the sequence NAME: stages with a state keep it from step to step.
    """

    name: str
    stages: tuple[Stage, ...]
    inputs: Mapping[str, Meaning] = field(default_factory=dict)
    cases: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
    wrapper: Mapping[str, str] = field(default_factory=dict)  # language, version

    def meaning(self, stage: str, tensor: str) -> Meaning:
        """What a tensor of a stage means; of one that is not declared, nothing is known."""
        if stage == INPUT:
            return self.inputs.get(tensor, Meaning())
        found = next((one for one in self.stages if one.name == stage), None)
        return found.gives.get(tensor, Meaning()) if found else Meaning()

    @property
    def order(self) -> tuple[str, ...]:
        """Stage names as a recording has them: `input` first."""
        return (INPUT, *(one.name for one in self.stages))


def step(case: str) -> tuple[str, int]:
    """The sequence of a case and its place in it; a case without `@` is a sequence of one."""
    name, mark, number = case.rpartition("@")
    return (name, int(number)) if mark and number.isdecimal() else (case, 0)


def validate(pipeline: Any, place: str) -> Pipeline:
    """The pipeline, when its declaration holds together; raises `EdgecheckError` with what does not."""
    if not isinstance(pipeline, Pipeline):
        raise EdgecheckError(f"{place} is {type(pipeline).__name__}, not a Pipeline", help="see `edgecheck init`")
    names = pipeline.order
    twice = next((one for i, one in enumerate(names) if one in names[:i]), None)
    if twice is not None:
        raise EdgecheckError(f"{place}: two stages are named '{twice}'", help=f"'{INPUT}' is the cases' own")
    if not pipeline.stages:
        raise EdgecheckError(f"{place} has no stages")
    given = set(pipeline.inputs)
    for stage in pipeline.stages:
        missing = [one for one in stage.takes if one not in given] if stage.gives and given else []
        if missing:
            raise EdgecheckError(
                f"{place}: stage '{stage.name}' takes '{missing[0]}', which nothing before it gives",
                help=f"there are {', '.join(sorted(given)) or 'no tensors'}",
            )
        given |= set(stage.gives)
        if not stage.gives:  # its tensors are not declared: from here on anything may be there
            given = set()
    return pipeline
