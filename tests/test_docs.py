"""The documentation tells the truth: generated pages are fresh, commands and links exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgecheck.cli import VERBS
from edgecheck.golden.causes.geometry import WORDS
from edgecheck.golden.causes.knobs import CAUSES
from edgecheck.golden.causes.memory import SAID
from edgecheck.golden.causes.spectra import TURNED
from edgecheck.golden.causes.texts import CHANGES

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "op_tables/README.md",
]


def test_the_generated_pages_are_fresh():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/make_docs.py", "--check"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_every_verb_has_its_section_in_the_docs():
    text = (ROOT / "docs/cli.md").read_text()
    assert re.findall(r"^## edgecheck (\w+)$", text, re.M) == list(VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_and_verbs_named_in_the_text_exist(page):
    text = page.read_text("utf-8")
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`make ([a-z-]+)[` ]", text)) <= made
    assert set(re.findall(r"`edgecheck ([a-z]+)", text)) <= set(VERBS)


def test_no_file_names_a_machine_or_a_registry():
    """Absolute paths of one machine, and hosts that packages come from, have no place in the repository."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    wrong = re.compile(
        "|".join(
            [
                "/ro" + "ot/",
                "/wo" + "rk/",
                "pypi" + r"\.org",
                "files\\.python" + "hosted",
                "registry\\.npm" + "js",
                "deb\\.deb" + "ian",
            ]
        )
    )
    named = [
        name
        for name in files
        if (ROOT / name).is_file() and wrong.search((ROOT / name).read_bytes().decode("utf-8", "replace"))
    ]
    assert named == []


def test_every_cause_has_its_row_in_the_docs():
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", (ROOT / "docs/causes.md").read_text("utf-8"), re.M)
    source = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "src/edgecheck/golden/causes").glob("*.py")))
    named = set(re.findall(r'\bids?=\(?"([a-z0-9-]+)"', source))
    named |= {*CAUSES.values(), *SAID, *CHANGES, *(cause for cause, _ in TURNED.values())}
    named |= {word for word, _, _ in WORDS.values()}
    assert named - set(rows) == set()
    assert len(rows) == len(set(rows))
    assert [row for row in rows if f'"{row}"' not in source and not row.endswith("puts-swapped")] == []
