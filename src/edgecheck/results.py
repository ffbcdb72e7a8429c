"""What a check found, as data: types only, for the logic that fills them and the reports that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecheck.findings import Finding
from edgecheck.model.graph import Model, Node
from edgecheck.tables.optable import OpTable, Verdict

if TYPE_CHECKING:
    from edgecheck.model.cost import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeVerdict:
    """What a target does with one node. `reason` is there whenever it is not `supported`."""

    node: Node
    verdict: Verdict
    limit: str | None = None
    reason: str | None = None
    evidence: tuple[str, ...] = ()
    help: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPoint:
    """A table with a point on its axis and its settings: what TARGET@VERSION and --set name."""

    table: OpTable
    version: str | None
    settings: Mapping[str, Any]

    @property
    def title(self) -> str:
        """`ethos-u55@5.2.0 config=ethos-u55-128`."""
        settings = "".join(f" {name}={value}" for name, value in sorted(self.settings.items()))
        return self.table.id + (f"@{self.version}" if self.version else "") + settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """How a target would cut the model up.

    `islands` counts the groups of supported nodes that can run as one, as delegates form them: nodes are taken in
    dependency order, on the target as long as one is ready, then off it as long as one is ready, and so on.
    `crossing_bytes` is the size of the values that cross between the two sides, each counted once; None where a
    size is not known. `macs_supported` is the share of multiply-accumulates on the target, dynamic dimensions taken
    as 1; None where a node's are not known.
    """

    islands: int
    crossing_bytes: int | None
    macs_supported: float | None
    island_of: Mapping[tuple[int, int], int]  # (graph, index) → island, for supported nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTarget:
    """One model on one target."""

    point: TargetPoint
    devices: tuple[str, ...]
    verdicts: tuple[NodeVerdict, ...]
    partition: Partition
    findings: tuple[Finding, ...]

    def count(self, verdict: Verdict) -> int:
        return sum(one.verdict == verdict for one in self.verdicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedModel:
    """One model on all its targets. `findings` are those of the file itself."""

    model: Model
    cost: Cost
    targets: tuple[CheckedTarget, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """The file's, each target's, and last the risks (EC6xx), which fail nothing."""
        risks = tuple(finding for finding in self.findings if finding.rule.startswith("EC6"))
        others = tuple(finding for finding in self.findings if not finding.rule.startswith("EC6"))
        return others + tuple(finding for target in self.targets for finding in target.findings) + risks


def all_findings(models: Sequence[CheckedModel], unchecked: Sequence[Finding]) -> list[Finding]:
    """Of every model, then of the files that were not checked."""
    return [*(finding for one in models for finding in one.all_findings), *unchecked]
