"""scripts/propose.py: finds the one comparison that a table lacks, and gives up where there is none."""

from __future__ import annotations

import sys
from pathlib import Path

from edgecheck.tables.compiled import compile_table
from edgecheck.tables.optable import from_compiled

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import propose

DOCUMENT = {
    "target": {"id": "t", "format": "tflite", "version_axis": "v", "versions": ["1"], "closed_world": True},
    "source": {"s": {"package": "p", "version": "1", "seen": "2026-11-21"}},
    "op": [{"op": "RELU", "source": ["s:1"]}],
}


def rows(verdict):
    """A probe of each depth; `verdict` says what the engine does with it."""
    for depth in (1, 2, 7, 64, 127, 128, 129, 256, 300):
        tensor = {"t": "int8" if depth % 2 else "float32", "s": [1, depth]}
        yield {"target": "t", "op": "RELU", "probe": f"d{depth}", "verdict": verdict(depth), "reason": "too deep",
               "oracle": "o", "version": "1", "spec": {"op": "RELU", "i": [tensor], "o": [tensor]}}  # fmt: skip


def proposed(verdict, document=DOCUMENT):
    table = from_compiled(*compile_table(document, where="t"))
    return "\n".join(propose.proposed("RELU", propose.seen(rows(verdict), table)["RELU"]))


def test_a_missing_limit_is_proposed_with_its_border_and_its_probes():
    text = proposed(lambda depth: "supported" if depth <= 127 else "fallback")
    assert 'require = "in[0].shape[-1] <= 127"' in text or 'require = "in[0].size <= 127"' in text
    assert 'otherwise = "fallback"' in text
    assert "d128" in text.splitlines()[-1]


def test_a_type_is_found():
    text = proposed(lambda depth: "supported" if depth % 2 else "rejected")
    assert 'in[0].dtype in [\\"int8\\"]' in text


def test_it_gives_up_where_no_single_comparison_separates():
    text = proposed(lambda depth: "supported" if depth in (1, 64, 128, 300) else "fallback")
    assert "no single comparison separates them" in text
    assert "require" not in text


def test_a_limit_that_refuses_too_much_is_named():
    limit = {"id": "depth", "require": "in[0].shape[-1] <= 64", "source": ["s:2"]}
    document = {**DOCUMENT, "op": [{"op": "RELU", "source": ["s:1"], "limit": [limit]}]}
    text = proposed(lambda depth: "supported", document)
    assert "take the limit 'depth' of RELU out, or widen it" in text


def test_nothing_is_proposed_where_the_table_agrees():
    assert proposed(lambda depth: "supported") == ""
