"""The op table `ethos-u65` against what Vela 5.2.0 did with stored probes for the Ethos-U65."""

from __future__ import annotations

import re

from probe_evidence import ROOT, compare, evidence

EVIDENCE = "vela-u65-5.2.0.jsonl"


def test_the_table_agrees_with_vela_on_every_probe() -> None:
    agreement = compare(evidence(EVIDENCE, "ethos-u65"), "ethos-u65")
    assert agreement.false_supported == []
    assert agreement.false_refused + agreement.unknown == []
    assert agreement.asked > 300
    assert len(agreement.by_op) > 80


def test_both_u55_and_u65_have_the_limits_of_one_report() -> None:
    """Vela's report has one section for both; a limit that is changed in one table must be changed in the other."""
    folder = ROOT / "op_tables/targets"
    texts = [(folder / f"ethos-u{number}.toml").read_text() for number in (55, 65)]
    limits = [set(re.findall(r"^require = (.*)$", text, re.M)) for text in texts]
    assert limits[0] ^ limits[1] == set()
