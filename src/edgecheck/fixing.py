"""A model's refused operators, rewritten where that is proven to change nothing: from a file to a better one.

The op tables decide whether a rewrite helps; running both files on the same inputs, whether it keeps the function.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgecheck import child, environments
from edgecheck.checking import check_model
from edgecheck.deliverables import Say
from edgecheck.errors import EdgecheckError
from edgecheck.exporters import InputOption
from edgecheck.findings import Finding
from edgecheck.model.formats import read
from edgecheck.placing import workplace
from edgecheck.proof import Measured
from edgecheck.results import CheckedModel, CheckedTarget
from edgecheck.selection import Selection
from edgecheck.witness import Witness


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rewrite that was tried. `state`: applied, not proven, undecided, or failed (with `reason`)."""

    rewrite: str
    says: str
    nodes: tuple[int, ...]  # of the main graph, as the file had them when it was tried
    state: str
    reason: str = ""
    measured: Measured | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """What came of it. `path` is the new file, in a dry run too; None where no rewrite helped."""

    before: CheckedModel
    after: CheckedModel
    path: Path | None
    steps: tuple[Step, ...]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for."""

    model: Path
    out: Path
    wanted: tuple[Selection, ...]
    inputs: tuple[InputOption, ...] = ()
    seed: int = 0
    timeout: float = 300.0
    freeze: bool = False  # free dimensions become the sizes of the proof's inputs
    dry: bool = False  # nothing is written


def fix(order: Order, say: Say = lambda text: None) -> Fixed:
    """Rewrite until nothing helps any more, and write the file if something did.

    Raises `EdgecheckError` (2) for a file that cannot be read or a format without rewrites, (3) where the original
    does not run here, so that nothing could be proven.
    """
    model = read(order.model)
    plugin = rewriter(model.format)
    before = check_model(model, order.wanted)
    if not order.freeze and not any(_refused(target) for target in before.targets):
        return Fixed(before=before, after=before, path=None, steps=(), versions={})
    with workplace(order.out.parent) as work:
        python = environments.choose(plugin.NEEDS, plugin.ENVIRONMENT)
        say(f"{order.model}: running the original")
        witness = Witness(
            model, plugin.RUNTIME, inputs=order.inputs, seed=order.seed, timeout=order.timeout, frozen=order.freeze
        )
        found = _search(order, plugin, python, before, witness, work, say)
        if found.path is not None:
            if not order.dry:
                _keep(found.path, order.out)
            found = replace(found, after=_moved(found.after, order.out), path=order.out)
    return found


def _moved(checked: CheckedModel, path: Path) -> CheckedModel:
    """What was found of a file, now that the file stands elsewhere."""
    old, new = str(checked.model.path), str(path)

    def told(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        return tuple(
            replace(
                one, model=one.model and one.model.replace(old, new), place=one.place and one.place.replace(old, new)
            )
            for one in findings
        )

    targets = tuple(replace(target, findings=told(target.findings)) for target in checked.targets)
    return replace(checked, model=replace(checked.model, path=path), targets=targets, findings=told(checked.findings))


def rewriter(format: str) -> Any:
    """The plugin of a format."""
    if importlib.util.find_spec(f"edgecheck.rewrites.{format}") is None:
        raise EdgecheckError(f"there are no rewrites for {format}", help="fix the source model, then export it again")
    return importlib.import_module(f"edgecheck.rewrites.{format}")


def _search(
    order: Order, plugin: Any, python: Path, before: CheckedModel, witness: Witness, work: Path, say: Say
) -> Fixed:
    current, path = before, order.model
    steps: list[Step] = []
    versions: dict[str, str] = {}
    tried: set[tuple[str, tuple[int, ...], int]] = set()
    if order.freeze:
        current, path, step = _frozen(order, plugin, python, witness, work / f"frozen{order.model.suffix}", say)
        steps.append(step)
    progress = True
    while progress:
        progress = False
        for rewrite, nodes in list(_candidates(plugin, current)):
            key = (rewrite, nodes, current.model.node_count)
            if key in tried:
                continue
            tried.add(key)
            made = work / f"{len(tried)}{order.model.suffix}"
            candidate = _candidate(order, plugin, python, path, rewrite, nodes, made)
            if isinstance(candidate, str):
                steps.append(
                    Step(rewrite=rewrite, says=plugin.SAYS[rewrite], nodes=nodes, state="failed", reason=candidate)
                )
                continue
            if candidate is None or not _better(checked := check_model(read(made), order.wanted), current):
                continue
            versions |= candidate["versions"]
            say(f"{rewrite}: {plugin.SAYS[rewrite]}: proving")
            verdict, measured = witness.judge(made)
            step = Step(
                rewrite=rewrite, says=plugin.SAYS[rewrite], nodes=nodes, measured=measured, reason=verdict.reason,
                state={"proven": "applied", "not proven": "not proven"}.get(verdict.state, "undecided"),
            )  # fmt: skip
            steps.append(step)
            if step.state == "applied":
                current, path, progress = checked, made, True
                break
    changed = path != order.model
    return Fixed(before=before, after=current, path=path if changed else None, steps=tuple(steps), versions=versions)


def _frozen(
    order: Order, plugin: Any, python: Path, witness: Witness, made: Path, say: Say
) -> tuple[CheckedModel, Path, Step]:
    """The file with its free dimensions fixed. Raises (3) where that is not proven."""
    sizes = witness.sizes
    child.call(
        python, f"{plugin.__name__}:freeze", path=order.model.resolve(), sizes=sizes, out=made, timeout=order.timeout,
        label="fixing the sizes",
    )  # fmt: skip
    say("sizes fixed: proving")
    verdict, measured = witness.judge(made)
    if verdict.state != "proven":
        raise EdgecheckError(f"with its sizes fixed the model is not proven: {verdict.reason}", code=3)
    shown = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in sizes.items())
    step = Step(rewrite="sizes-fixed", says=shown, nodes=(), state="applied", measured=measured)
    return check_model(read(made), order.wanted), made, step


def _candidates(plugin: Any, checked: CheckedModel) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Rewrites of the operators that are refused, then those of the whole file."""
    refused: dict[str, set[int]] = {}
    for target in checked.targets:
        for graph, index, op in _refused(target):
            if graph == 0:
                refused.setdefault(op, set()).add(index)
    offered: dict[str, set[int]] = {}
    for op, nodes in sorted(refused.items(), key=lambda item: (-len(item[1]), item[0])):
        for rewrite in plugin.offers(op):
            offered.setdefault(rewrite, set()).update(nodes)
    last = sorted(offered, key=lambda name: name == "as-onnx-defines-it")  # an operator's own rewrite makes fewer nodes
    for rewrite in last:
        yield rewrite, tuple(sorted(offered[rewrite]))
    reasons = [v.reason or "" for t in checked.targets for v in t.verdicts if v.verdict in ("fallback", "rejected")]
    for rewrite in plugin.whole(checked.model.metadata, reasons) if reasons else ():
        yield rewrite, ()


def _refused(target: CheckedTarget) -> list[tuple[int, int, str]]:
    return [(v.node.graph, v.node.index, v.node.op) for v in target.verdicts if v.verdict in ("fallback", "rejected")]


def _candidate(
    order: Order, plugin: Any, python: Path, path: Path, rewrite: str, nodes: tuple[int, ...], made: Path
) -> dict[str, Any] | str | None:
    """What the plugin says it did; a sentence where it failed; None where it had nothing to do."""
    try:
        found: dict[str, Any] = child.call(
            python, f"{plugin.__name__}:apply", path=path.resolve(), rewrite=rewrite, nodes=list(nodes), out=made,
            timeout=order.timeout, label=rewrite,
        )  # fmt: skip
    except child.ChildError as error:
        return str(error)
    return found if found["rewritten"] else None


def _better(candidate: CheckedModel, current: CheckedModel) -> bool:
    """No target is worse off, and one is better: fewer operators rejected, else fewer that fall back or are unknown."""
    old = [_badness(target) for target in current.targets]
    new = [_badness(target) for target in candidate.targets]
    return all(n <= o for n, o in zip(new, old, strict=True)) and new != old


def _badness(target: CheckedTarget) -> tuple[int, int]:
    return target.count("rejected"), target.count("fallback") + target.count("unknown")


def _keep(made: Path, out: Path) -> None:
    try:
        made.replace(out)
    except OSError as error:
        raise EdgecheckError(f"cannot write {out}: {error.strerror}", help="choose another --out") from error
    shutil.rmtree(made.parent, ignore_errors=True)
