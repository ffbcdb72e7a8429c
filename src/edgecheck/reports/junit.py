"""JUnit XML: a suite a model, a case a target."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from edgecheck.findings import Finding
from edgecheck.golden.compared import ComparedRun
from edgecheck.reports.words import block, line
from edgecheck.results import CheckedModel

NAME = "junit"


def check(
    models: Sequence[CheckedModel], unchecked: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """A case with findings fails; one with nothing but unknown verdicts or notes is skipped, with the reason.

    What is wrong with a file whatever the target is a case of its own, `the file`.
    """
    suites = [_suite(one) for one in models]
    suites += [
        _suite_of(finding.model or "", [_case(finding.model or "", "the file", [finding])]) for finding in unchecked
    ]
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="edgecheck">\n{"".join(suites)}</testsuites>\n'


def compare(
    runs: Sequence[ComparedRun], broken: Sequence[Finding] = (), *, verbose: bool = False, colour: bool = False
) -> str:
    """A suite a golden run, a case a stage; what belongs to no stage is a case of its own, `the run`."""
    suites = [_run(one) for one in runs]
    suites += [_suite_of(one.model or "", [_case(one.model or "", "the run", [one])]) for one in broken]
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="edgecheck">\n{"".join(suites)}</testsuites>\n'


def _run(one: ComparedRun) -> str:
    path, names = str(one.folder), [stage.name for stage in one.comparison.stages]
    by_stage: dict[str, list[Finding]] = {name: [] for name in names}
    rest = [found for found in one.findings if not _belongs(found, by_stage)]
    cases = [_case(path, "the run", rest)] if rest or not names else []
    return _suite_of(path, cases + [_case(path, f"stage {name}", found) for name, found in by_stage.items()])


def _belongs(finding: Finding, by_stage: dict[str, list[Finding]]) -> bool:
    """Whether it is of one stage; then it stands there."""
    name = (finding.place or "").removeprefix("stage ")
    if name == finding.place or name not in by_stage:
        return False
    by_stage[name].append(finding)
    return True


def _suite(one: CheckedModel) -> str:
    path = str(one.model.path)
    cases = [_case(path, "the file", one.findings)] if one.findings else []
    cases += [_case(path, target.point.title, target.findings) for target in one.targets]
    return _suite_of(path, cases)


def _suite_of(path: str, cases: Sequence[tuple[str, str]]) -> str:
    kinds = [kind for kind, _ in cases]
    counts = f'tests="{len(cases)}" failures="{kinds.count("failure")}" skipped="{kinds.count("skipped")}" errors="0"'
    body = "".join(text for _, text in cases)
    return f" <testsuite name={quoteattr(line(path))} {counts}>\n{body} </testsuite>\n"


def _case(path: str, name: str, findings: Sequence[Finding]) -> tuple[str, str]:
    """(passed, failure or skipped; the element). A note about a target that was checked is text beside a pass."""
    head = f"  <testcase classname={quoteattr(line(path))} name={quoteattr(line(name))}"
    if not findings:
        return "passed", f"{head}/>\n"
    text = "\n\n".join("\n".join(block(finding, colour=False)) for finding in findings)
    if not any(_fails(one) or _open(one) for one in findings):
        return "passed", f"{head}>\n   <system-out>{escape(text)}</system-out>\n  </testcase>\n"
    first = next((one for one in findings if _fails(one)), None) or next(filter(_open, findings))
    kind = "failure" if _fails(first) else "skipped"
    element = f"   <{kind} message={quoteattr(line(first.message))}>{escape(text)}</{kind}>\n"
    return kind, f"{head}>\n{element}  </testcase>\n"


def _fails(finding: Finding) -> bool:
    return finding.severity != "note" and not finding.undecided


def _open(finding: Finding) -> bool:
    """Something was not decided, or the file was not checked at all."""
    return finding.undecided or finding.rule == "EC103"
