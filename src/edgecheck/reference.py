"""Runs in a child: the source framework's own answer to every case."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from typing import Any

from edgecheck import cases
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import ExportRequest, Loaded
from edgecheck.worker import first_line, report

#: Share of an output's range that one rounding step in the input may move it; a fifth of what fp32 must keep.
SHAKY = 2e-4


def load(request: ExportRequest) -> Loaded:
    """The source, through its framework's plugin."""
    plugin = importlib.import_module(f"edgecheck.sources.{request.source.framework}_model")
    loaded: Loaded = plugin.load(request)
    return loaded


def measure(request: ExportRequest) -> dict[str, Any]:
    """Signature, cases and the source's outputs; cases on which the source fails are named in `skipped`."""
    report("loading")
    loaded = load(request)
    taken = fingerprint(loaded)  # before it runs: a module may count its calls in a buffer
    report("running")
    kept, outputs, skipped = [], [], []
    for case in cases.make(loaded.signature, loaded.examples, request.seed):
        try:
            outputs.append(loaded.run(case.inputs))
        except Exception as error:  # the user's model may raise anything on an edge value
            skipped.append(f"{case.name}: the source fails: {type(error).__name__}: {first_line(error)}")
            continue
        kept.append(case)
    _refuse_random(loaded, outputs[0], kept[0].inputs, request)
    kept, outputs = _steady(loaded, kept, outputs, skipped, request.seed)
    return {
        "signature": loaded.signature,
        "cases": [{"name": case.name, "typical": case.typical, "inputs": dict(case.inputs)} for case in kept],
        "outputs": outputs, "skipped": skipped, "notes": list(loaded.notes), "parameters": loaded.parameters,
        "fingerprint": taken,
    }  # fmt: skip


def answers(request: ExportRequest, inputs: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The source's outputs for each of `inputs`."""
    loaded = load(request)
    return [loaded.run(one) for one in inputs]


def _steady(
    loaded: Loaded, kept: list[Any], outputs: list[Any], skipped: list[str], seed: int
) -> tuple[list[Any], list[Any]]:
    """The cases whose answer rounding does not decide; the others are named in `skipped`.

    Where one rounding step in the input moves the source's own output visibly (a logarithm of nearly nothing, a
    division by it), two correct implementations differ as much: such a case is no witness. The user's example stays.
    """
    steady, answers = [], []
    for case, answer in zip(kept, outputs, strict=True):
        moved = _moved(loaded, case, kept[0].inputs, answer, seed)
        if case.name != "example" and moved > SHAKY:
            skipped.append(
                f"{case.name}: no witness: the source's own output moves by {moved:.1g} of its range when the input "
                "moves by one rounding step"
            )
        else:
            steady.append(case)
            answers.append(answer)
    return steady, answers


def _moved(loaded: Loaded, case: Any, example: Mapping[str, Any], answer: Mapping[str, Any], seed: int) -> float:
    """The largest change of an output, in its range, when every float input moves by one step of the example's size."""
    import numpy

    rng = numpy.random.default_rng([seed, 99])
    inputs = {}
    for name, value in case.inputs.items():
        inputs[name] = value
        if value.dtype.kind == "f":
            step = numpy.finfo(value.dtype).eps * max(float(numpy.std(value)), float(numpy.std(example[name])))
            inputs[name] = numpy.asarray(value + step * rng.choice((-1.0, 1.0), value.shape), dtype=value.dtype)
    if all(inputs[name] is value for name, value in case.inputs.items()):
        return 0.0
    moved = 0.0
    for name, after in loaded.run(inputs).items():
        before = answer[name]
        if before.dtype.kind == "f" and before.size and after.shape == before.shape and numpy.isfinite(before).all():
            span = float(numpy.ptp(before)) or float(numpy.abs(before).max()) or 1.0
            moved = max(moved, float(numpy.abs(after - before).max()) / span)
    return moved


def _refuse_random(loaded: Loaded, first: Mapping[str, Any], inputs: Mapping[str, Any], request: ExportRequest) -> None:
    """A model that answers twice differently cannot be proven."""
    import numpy

    again = loaded.run(inputs)
    for name, value in first.items():
        if again[name].shape != value.shape or not numpy.array_equal(
            again[name], value, equal_nan=value.dtype.kind == "f"
        ):
            raise EdgecheckError(
                f"{request.source.text}: output {name!r} differs between two runs on the same input", code=3,
                help="the model draws random numbers or keeps state; take that out of what is exported",
            )  # fmt: skip


def fingerprint(loaded: Loaded) -> str:
    """A hash of all weights: it tells a callable that builds another model each time."""
    digest = hashlib.sha256()
    weights = loaded.weights()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].tobytes())
    return digest.hexdigest()


def taps(request: ExportRequest, inputs: Mapping[str, Any]) -> list[Any]:
    """The source's inner values for one input; empty where its framework cannot give them."""
    loaded = load(request)
    return [] if loaded.taps is None else loaded.taps(inputs)


def weights(request: ExportRequest) -> dict[str, Any]:
    """Every parameter and buffer of the source by name."""
    return loaded_weights(load(request))


def loaded_weights(loaded: Loaded) -> dict[str, Any]:
    """As arrays of their own."""
    return dict(loaded.weights())
