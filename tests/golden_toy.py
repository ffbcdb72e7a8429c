"""A pipeline of plain functions, and recordings of it as a device would make them, changed in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy

from edgecheck.golden.recorder import Recorder

SOURCE = """
import numpy
from edgecheck.pipeline import Meaning, Pipeline, Stage, Tolerance, image, logits


def preprocess(photo, *, mean=127.5):
    return {"input": ((photo.astype("float32") - mean) / 127.5)[None]}


def model(input, *, gain=4.0):
    rows = input[0].mean(axis=0)
    return {"logits": (rows.mean(axis=1)[None, :6] * gain).astype("float32"), "steps": numpy.round(rows * 100).astype("int8")}


def decide(logits):
    best = int(logits[0].argmax())
    return {"label": numpy.asarray([best]), "text": numpy.asarray(["class %d" % best], dtype=object)}


def cases():
    found = {}
    for number in range(COUNT):
        rng = numpy.random.default_rng(number)
        found["photo-%d" % number] = {"photo": rng.integers(0, 256, (12, 8, 3)).astype("uint8")}
    return found


PIPELINE = Pipeline(
    name="toy",
    inputs={"photo": image("HWC")},
    stages=(
        Stage("preprocess", preprocess, gives={"input": image("NHWC", low=-1, high=1)}),
        Stage("model", model, gives={"logits": logits(), "steps": Meaning()}, tolerances={"steps": Tolerance(lsb=2)}),
        Stage("decide", decide, gives={"label": Meaning(kind="labels"), "text": Meaning(kind="text")}),
    ),
    cases=cases,
)
"""
STAGES = ["input", "preprocess", "model", "decide"]

#: (case, stage, name, value) to what is recorded: [(name, value, keywords)].
Change = Callable[[str, str, str, Any], list[tuple[str, Any, dict[str, Any]]]]


def pipeline(folder: Path, *, count: int = 3, replaced: Mapping[str, str] | None = None) -> Path:
    """`pipeline.py` in a folder, with pieces of its source replaced."""
    text = SOURCE.replace("COUNT", str(count))
    for old, new in (replaced or {}).items():
        assert old in text
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.py").write_text(text)
    return folder / "pipeline.py"


def as_it_is(case: str, stage: str, name: str, value: Any) -> list[tuple[str, Any, dict[str, Any]]]:
    return [(name, value, {})]


def photos(count: int = 3, *, dark: float = 1.0, prefix: str = "photo", seed: int = 0) -> dict[str, Any]:
    """The unchanged pipeline's own photos by case; or darker ones, or others."""
    made = (numpy.random.default_rng(number + seed).integers(0, 256, (12, 8, 3)) * dark for number in range(count))
    return {f"{prefix}-{number}": photo.astype(numpy.uint8) for number, photo in enumerate(made)}


def record(folder: Path, change: Change = as_it_is, *, made: Mapping[str, Any] | None = None, **facts: Any) -> Path:
    """A golden run of photos, each tensor as `change` has it; what was changed goes into the stages behind."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(str(folder), "toy", STAGES, **{"device": {"model": "Pixel 8"}, **facts})
    scope: dict[str, Any] = {}
    exec(SOURCE.replace("COUNT", "0"), scope)
    for case, photo in (made or photos()).items():
        recorder.case(case)
        given: dict[str, Any] = {"photo": photo}
        for stage, asked in zip(STAGES, (None, "photo", "input", "logits"), strict=True):
            tensors = given if asked is None else scope[stage](given[asked])
            for name, value in tensors.items():
                for told, kept, keywords in change(case, stage, name, value):
                    _keep(recorder, stage, told, kept, keywords)
                    if told == name and kept.shape == value.shape and kept.dtype == value.dtype:
                        given = {**given, name: kept}
                given.setdefault(name, value)
    assert recorder.finish(), recorder.error
    return folder


def _keep(recorder: Recorder, stage: str, name: str, value: Any, keywords: Mapping[str, Any]) -> None:
    kept = [str(one) for one in value] if value.dtype.kind == "O" else numpy.ascontiguousarray(value)
    recorder.tensor(stage, name, kept, **keywords)


def at(
    stage: str, name: str, act: Callable[[Any], Any] = lambda value: value, *, named: str = "", **keywords: Any
) -> Change:
    """A change of one tensor: its value, its name, how it is recorded; `act` giving None leaves it out."""

    def change(case: str, where: str, tensor: str, value: Any) -> list[tuple[str, Any, dict[str, Any]]]:
        if (where, tensor) != (stage, name):
            return [(tensor, value, {})]
        kept = act(value)
        return [] if kept is None else [(named or tensor, kept, keywords)]

    return change
