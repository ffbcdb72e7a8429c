"""docs/exports.md is what scripts/matrix.py makes of docs/exports.json, and says what is not proven."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HELD = json.loads((ROOT / "docs" / "exports.json").read_text("utf-8"))


def matrix():
    spec = importlib.util.spec_from_file_location("matrix", ROOT / "scripts" / "matrix.py")
    module = sys.modules["matrix"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_of_the_measurements():
    assert (ROOT / "docs" / "exports.md").read_text("utf-8") == matrix().page(HELD)


def test_every_cell_that_is_not_proven_has_its_reason_on_one_line():
    text = (ROOT / "docs" / "exports.md").read_text("utf-8")
    wrong = [(n, h, t) for n, row in HELD["cells"].items() for h, t in row.items() if t["state"] != "proven"]
    assert wrong
    for name, head, told in wrong:
        assert len(told["detail"]) > 20
        assert f"\n- `{name}` {head}: {told['state']}: {told['detail']}\n" in text


def test_what_the_converters_can_do_is_proven_in_fp32():
    """The cells that `FAILING` does not list are those the converters are known to do by themselves."""
    failing = matrix().FAILING
    for name, row in HELD["cells"].items():
        for head, told in row.items():
            format, precision = head.split()
            if precision == "fp32" and (name, format) not in failing:
                assert told["state"] == "proven", (name, head)
