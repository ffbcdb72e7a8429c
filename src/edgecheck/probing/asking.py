"""Many models to one oracle: in parallel, with progress, and never the same question twice.

Answers are kept in a journal in the cache, by the model's bytes, the target, its settings, the oracle's version, its
environment and its sources: a run that was stopped goes on where it was, and a changed oracle is asked again.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from edgecheck import environments, oracles
from edgecheck.errors import EdgecheckError
from edgecheck.oracles import Answer, Outcome, ask
from edgecheck.probing import sources

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """An oracle that can be asked here."""

    module: str
    plugin: Any
    python: Path
    version: str

    @property
    def name(self) -> str:
        return str(self.plugin.NAME)


def names() -> list[str]:
    """The oracles there are: the modules of `edgecheck.oracles` that answer."""
    return [info.name for info in iter_modules(oracles.__path__) if hasattr(_plugin(info.name), "verdicts")]


def _plugin(name: str) -> ModuleType:
    return import_module(f"edgecheck.oracles.{name}")


def targets(oracle: str) -> tuple[str, ...]:
    """The targets that an oracle decides."""
    return tuple(_plugin(oracle).TARGETS)


def witness(oracle: str, target: str, at: str | None = None) -> Witness:
    """The oracle with its interpreter. Raises EdgecheckError: 2 for names, 3 for an environment that is not there."""
    known = names()
    if oracle not in known:
        raise EdgecheckError(f"there is no oracle '{oracle}'", help=f"oracles: {', '.join(known)}")
    plugin: Any = _plugin(oracle)
    if target not in plugin.TARGETS:
        able = [name for name in known if target in targets(name)]
        hint = f"its oracles: {', '.join(able)}" if able else f"it decides {', '.join(plugin.TARGETS)}"
        raise EdgecheckError(f"the oracle {oracle} does not decide {target}", help=hint)
    by_version: Mapping[str, str] = getattr(plugin, "ENVIRONMENTS", {})
    if at is not None and by_version and at not in by_version:
        points = ", ".join(f"{target}@{one}" for one in by_version)
        raise EdgecheckError(f"{oracle} has no environment for {target}@{at}", help=f"it has some for {points}")
    python = environments.interpreter(by_version.get(at or "", plugin.ENVIRONMENT))
    if beside := getattr(plugin, "BESIDE", {}).get(target):  # whose libraries it loads
        environments.interpreter(beside)
    release: Callable[[str | None], str] | None = getattr(plugin, "release", None)  # where no Python package tells it
    distribution = getattr(plugin, "DISTRIBUTIONS", {}).get(at, plugin.NEEDS[0])
    version = release(at) if release is not None else installed(python, distribution)
    return Witness(module=oracle, plugin=plugin, python=python, version=version)


def installed(python: Path, distribution: str) -> str:
    """The version of a distribution in an environment; EdgecheckError (3) where it is not there."""
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EdgecheckError(
            f"{distribution} is not installed in {python}", code=3, help="`edgecheck doctor` shows what is there"
        )
    return done.stdout.strip()


class Journal:
    """The answers of one oracle's version, one JSON line each; lines that are cut off count as not there."""

    def __init__(self, witness: Witness) -> None:
        depends = [sources.mark(Path(str(witness.plugin.__file__))), witness.version.encode(), _place(witness.python)]
        self.mark = hashlib.sha256(b"\0".join(depends)).hexdigest()[:16]
        self.path = environments.cache() / "answers" / f"{witness.module}-{witness.version}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.known = dict(self._lines())
        self._lock = threading.Lock()
        self._ends_whole()

    def _lines(self) -> Iterator[tuple[str, Any]]:
        if self.path.is_file():
            for line in self.path.read_text("utf-8").splitlines():
                try:
                    row = json.loads(line)
                    yield row["key"], row
                except (ValueError, KeyError, TypeError):
                    continue

    def _ends_whole(self) -> None:
        """A line that was cut off must not swallow the next one."""
        if self.path.is_file() and self.path.stat().st_size:
            with self.path.open("rb+") as file:
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")

    def key(self, model: Path, target: str, settings: Mapping[str, Any]) -> str:
        question = json.dumps([self.mark, target, dict(settings)], sort_keys=True).encode()
        return hashlib.sha256(_content(model) + question).hexdigest()[:32]

    def find(self, key: str, model: Path) -> Outcome | None:
        row = self.known.get(key)
        if row is None:
            return None
        answers = tuple(Answer(graph=g, index=i, op=op, verdict=v, reason=r) for g, i, op, v, r in row["answers"])
        return Outcome(model=model, answers=answers, failure=row["failure"])

    def keep(self, key: str, outcome: Outcome) -> None:
        answers = [[a.graph, a.index, a.op, a.verdict, a.reason[:200]] for a in outcome.answers]
        row = {"key": key, "answers": answers, "failure": outcome.failure}
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
        self.known[key] = row


def _place(python: Path) -> bytes:
    """The name of an interpreter's environment, which has the digest of its lock."""
    return python.parent.parent.name.encode()


def _content(model: Path) -> bytes:
    """The bytes of a model; of a package, which is a folder, those of its files in order."""
    if model.is_dir():
        return b"".join(path.read_bytes() for path in sorted(model.rglob("*")) if path.is_file())
    return model.read_bytes()


def ask_all(
    witness: Witness,
    models: Sequence[Path],
    target: str,
    settings: Mapping[str, Any],
    *,
    jobs: int = 2,
    seconds_each: float = 30.0,
    say: Say | None = None,
) -> list[Outcome]:
    """One outcome for each model, in order. What the journal knows is not asked again."""
    journal = Journal(witness)
    keys = [journal.key(model, target, settings) for model in models]
    first: dict[str, Path] = {}
    for key, model in zip(keys, models):
        first.setdefault(key, model)
    todo = [(key, model) for key, model in first.items() if key not in journal.known]
    progress = _Progress(len(todo), len(models), f"{witness.module} {target}", say)
    size = max(1, min(50, -(-len(todo) // max(jobs, 1))))
    parts = [todo[start : start + size] for start in range(0, len(todo), size)]

    def work(part: list[tuple[str, Path]]) -> None:
        for key, outcome in _asked(witness, part, target, settings, seconds_each):
            journal.keep(key, outcome)
            progress.one(outcome)

    with ThreadPoolExecutor(max(jobs, 1)) as pool:
        for done in [pool.submit(work, part) for part in parts]:
            done.result()
    progress.end()
    found = [journal.find(key, model) for key, model in zip(keys, models)]
    return [outcome for outcome in found if outcome is not None]


def _asked(
    witness: Witness, part: list[tuple[str, Path]], target: str, settings: Mapping[str, Any], seconds: float
) -> Iterator[tuple[str, Outcome]]:
    """Ask about a part; where the oracle's process ends, the model it had is inconclusive and the rest goes on."""
    left = list(part)
    plain = {name: str(value) for name, value in settings.items()}
    while left:
        count = 0
        try:
            for outcome in ask(
                witness.module, witness.python, [model for _, model in left], target, plain, seconds_each=seconds
            ):
                yield left[count][0], outcome
                count += 1
            return
        except EdgecheckError as error:
            if count == 0 and len(left) == len(part):
                raise
            yield left[count][0], Outcome(model=left[count][1], answers=(), failure=str(error))
            left = left[count + 1 :]


class _Progress:
    """How far a run is, on stderr through `say`: at most one line in two seconds."""

    def __init__(self, todo: int, every: int, title: str, say: Say | None) -> None:
        self.todo, self.title, self.say = todo, title, say or (lambda _: None)
        self.done = self.failed = 0
        self.start = self.last = time.monotonic()
        self._lock = threading.Lock()
        if every > todo:
            self.say(f"{title}: {every - todo} of {every} answers are in the journal already")

    def one(self, outcome: Outcome) -> None:
        with self._lock:
            self.done += 1
            self.failed += outcome.failure is not None
            if time.monotonic() - self.last >= 2:
                self.last = time.monotonic()
                left = (self.last - self.start) / self.done * (self.todo - self.done)
                self.say(
                    f"{self.title}: {self.done}/{self.todo}, {self.failed} without an answer, about {left:.0f} s left"
                )

    def end(self) -> None:
        if self.todo:
            self.say(
                f"{self.title}: {self.done} asked in {time.monotonic() - self.start:.0f} s, "
                f"{self.failed} without an answer"
            )


def on_stderr(text: str) -> None:
    """Progress for a person."""
    if sys.stderr is not None:
        print(text, file=sys.stderr, flush=True)
