"""Two files of one format that should compute the same, run on the same inputs in the format's runtime."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgecheck import cases, child, environments, proof
from edgecheck.cases import Case
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import InputOption, InputSpec, Signature
from edgecheck.model.graph import Model
from edgecheck.proof import Measured, Tolerance, Verdict

#: Both files run in one runtime, in one precision: what is left is the order of roundings.
TOLERANCE = Tolerance(snr_db=80.0, max_relative=1e-4, mismatches=0.0, edges=True)


class Witness:
    """The original's answers, against which every candidate is held.

    Raises `EdgecheckError` (3) where the original does not run here, (2) where its inputs are not sized.
    """

    def __init__(
        self, model: Model, runtime: str, *, inputs: Sequence[InputOption], seed: int, timeout: float, frozen: bool
    ) -> None:
        self.runtime, self.timeout, self.frozen = runtime, timeout, frozen
        module = importlib.import_module(f"edgecheck.runtimes.{runtime}")
        self.python = environments.choose_any(module.NEEDS, getattr(module, "ENVIRONMENTS", environments.NAMES))
        try:
            self.interface = child.call(
                self.python, f"edgecheck.runtimes.{runtime}:describe", path=model.path.resolve(), timeout=timeout
            )
            made = _cases(self.interface["inputs"], inputs, seed)
            nudged = [replace(case, inputs=_nudged(case.inputs)) for case in made]
            answers = self._run(model.path, [*made, *nudged])["outputs"]
        except child.ChildError as error:
            raise EdgecheckError(
                f"{model.path} does not run here, so no rewrite could be proven: {error}",
                code=3,
                help="say sizes with --input where a dimension is free; `edgecheck doctor` shows the runtimes",
            ) from error
        kept = [i for i, case in enumerate(made) if _steady(case, answers[i], answers[len(made) + i])]
        self.cases = [made[i] for i in kept]
        self.outputs = [answers[i] for i in kept]
        self.sizes = {name: tuple(value.shape) for name, value in made[0].inputs.items()}

    def judge(self, path: Path) -> tuple[Verdict, Measured | None]:
        """How far the candidate's outputs are from the original's."""
        if not self.cases:
            return Verdict(state="unknown", reason="the model's outputs jump with the last bit of its inputs"), None
        try:
            theirs = self._run(path, self.cases)
        except child.ChildError as error:
            return Verdict(state="not proven", reason=str(error)), None
        if not _same_interface(self.interface, theirs["interface"], frozen=self.frozen):
            return Verdict(state="not proven", reason="its inputs or outputs are declared otherwise"), None
        measured = proof.compare(self.cases, self.outputs, theirs["outputs"])
        return proof.judge(measured, TOLERANCE), measured

    def _run(self, path: Path, made: Sequence[Case]) -> Any:
        return child.call(
            self.python, "edgecheck.trial:run", runtime=self.runtime, path=path.resolve(),
            cases=[dict(case.inputs) for case in made], input_names={},
            outputs=[one["name"] for one in self.interface["outputs"]], output_names={}, timeout=self.timeout,
            label=path.name,
        )  # fmt: skip


def _steady(case: Case, answer: Mapping[str, Any], nudged: Mapping[str, Any]) -> bool:
    """Whether the original itself answers alike to inputs that differ by a rounding: else the case says nothing."""
    measured = proof.compare([replace(case, typical=True)], [answer], [nudged])
    return all((one.max_relative or 0.0) <= TOLERANCE.max_relative and not one.problem for one in measured.distances)


def _nudged(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Floats moved by about a rounding; integers and masks as they are."""
    import numpy

    rng = numpy.random.default_rng(1)
    moved = {}
    for name, value in inputs.items():
        if value.dtype.kind != "f" or not value.size:
            moved[name] = value
            continue
        step = 1e-7 * max(float(numpy.abs(value).max()), 1e-2)
        moved[name] = (value + step * rng.standard_normal(value.shape)).astype(value.dtype)
    return moved


def _same_interface(original: Any, candidate: Any, *, frozen: bool) -> bool:
    """Names, order, types and shapes; a free dimension may be a size where the user asked for that."""
    for side in ("inputs", "outputs"):
        if len(original[side]) != len(candidate[side]):
            return False
        for one, two in zip(original[side], candidate[side], strict=True):
            if (one["name"], one["dtype"], len(one["shape"])) != (two["name"], two["dtype"], len(two["shape"])):
                return False
            if any(a != b and not (frozen and a is None) for a, b in zip(one["shape"], two["shape"], strict=True)):
                return False
    return True


def _cases(declared: Sequence[Mapping[str, Any]], options: Sequence[InputOption], seed: int) -> list[Case]:
    """Inputs made from the file's own declaration: random, a ramp, zeros, large."""
    import numpy

    given = {option.name: option for option in options}
    specs, examples = [], {}
    for position, one in enumerate(declared):
        name, dtype = str(one["name"]), str(one["dtype"])
        option = given.pop(name, None)
        sizes = option.shape if option is not None and option.shape is not None else tuple(one["shape"])
        if any(size is None for size in sizes[1:]):
            shown = "x".join("8" if size is None else str(size) for size in sizes[1:])
            raise EdgecheckError(f"input '{name}' has a free dimension", help=f"say --input {name}:1x{shown}:{dtype}")
        shape = tuple(1 if size is None else int(size) for size in sizes)
        specs.append(InputSpec(name=name, shape=shape, dtype=dtype))
        examples[name] = _example(numpy.random.default_rng([seed, position]), shape, dtype)
    if given:
        raise EdgecheckError(f"there is no input '{next(iter(given))}'", help=f"inputs: {', '.join(examples)}")
    return cases.make(Signature(inputs=tuple(specs), outputs=()), examples, seed)


def _example(rng: Any, shape: tuple[int, ...], dtype: str) -> Any:
    import numpy

    if dtype.startswith("float"):
        return rng.standard_normal(shape).astype(dtype)
    if dtype in ("int8", "uint8", "int16"):
        limits = numpy.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in ("int32", "int64"):
        return rng.integers(0, 8, shape).astype(dtype)
    raise EdgecheckError(f"no inputs can be made up of type {dtype}", code=3)
