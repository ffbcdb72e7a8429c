"""Arm's ML Inference Advisor: its opinion of which operators of a TFLite file belong on the Ethos-U.

MLIA does not compile. It asks the Python checker that Vela had before its C++ core, of which Vela 5 says that it is
deprecated, and the checker knows neither newer operators (BATCH_MATMUL, GELU) nor what the C++ core learnt since
(tensors without quantisation, five dimensions, batches). Where it and `vela` differ, the compiler decides: this
oracle says what a team that reads MLIA's report will see.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgecheck.oracles import Answer
from edgecheck.oracles.vela import CONFIGS
from edgecheck.oracles.vela import operators as source_operators

NAME = "mlia"
ENVIRONMENT = "mlia"
NEEDS = ("mlia", "mlia-ethos-u", "ethos-u-vela")
TARGETS = ("ethos-u55", "ethos-u65", "ethos-u85")


def warm_up() -> None:
    """Import MLIA's Vela backend once, before the forks."""
    from mlia.backend.vela import compat, compiler  # noqa: F401


def verdicts(model: Path, target: str, settings: Mapping[str, str]) -> list[Answer]:
    """One answer for each operator; `settings["config"]` is the accelerator configuration, on which none depends."""
    import tempfile

    from mlia.backend.vela.compat import supported_operators
    from mlia.backend.vela.compiler import VelaCompilerOptions

    with tempfile.TemporaryDirectory() as folder:
        config = settings.get("config") or CONFIGS[target]
        options = VelaCompilerOptions(accelerator_config=config, output_dir=Path(folder))
        checked = supported_operators(model, options).ops
    said = {
        (one.identity.attributes["subgraph_index"], one.identity.attributes["operator_index"]): one.run_on_npu
        for one in checked
    }
    answers = []
    for op in source_operators(model.read_bytes()):
        one = said.get((op.graph, op.index))
        verdict = "inconclusive" if one is None else "supported" if one.supported else "fallback"
        reason = "MLIA does not name it" if one is None else "; ".join(_line(*why) for why in one.reasons)
        answers.append(Answer(graph=op.graph, index=op.index, op=op.op, verdict=verdict, reason=reason))
    return answers


def _line(what: str, detail: str) -> str:
    """A constraint and how the operator breaks it, on one line."""
    return ": ".join(" ".join(part.split()) for part in (what, detail) if part)
