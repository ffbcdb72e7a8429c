"""The table lint finds each thing it looks for, and nothing in the tables as they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecheck.tables import bundle, vocabulary
from edgecheck.tables.lint import Vocabulary, lint
from test_check import ADD, DEPTH, HEAD, table

LICENSED = HEAD.replace("seen =", 'licence = "Apache-2.0"\nseen =')
KNOWN = Vocabulary(ops={"ADD", "MUL"}, attributes={"ADD": {"pot_scale_int16"}})


def problems(ops, head=LICENSED):
    return list(lint(table(ops, head), KNOWN))


def test_a_clean_table():
    assert problems(DEPTH) == []


@pytest.mark.parametrize(
    ("ops", "head", "sentence"),
    [
        (ADD, HEAD, "toy: [source.report] does not say its licence"),
        (ADD, LICENSED.replace("2026-11-21", '"soon"'), "toy: [source.report] does not say on which day"),
        (
            ADD,
            LICENSED + '[source.idle]\npackage = "x"\nversion = "1"\nlicence = "MIT"\nseen = 2026-01-01\n',
            "toy: [source.idle] backs no fact",
        ),
        (ADD, LICENSED.replace('version = "1.2"\n', ""), "toy: [source.report] names neither a version nor a commit"),
        (ADD + ADD, LICENSED, "toy: ADD is listed twice for the same nodes"),
        (ADD.replace("ADD", "ADDD"), LICENSED, "toy: ADDD is no operator of tflite"),
        (ADD + 'since = "3.0"\n', LICENSED, "ADD: 3.0 is no point of toy's axis"),
        (
            DEPTH + DEPTH.partition("\n[[op.limit]]")[2].join(["[[op.limit]]", ""]),
            LICENSED,
            "toy: ADD has 2 limits 'depth'",
        ),
        (DEPTH.replace("in[0].shape[-1] <= 4", "True"), LICENSED, "toy: limit 'depth' of ADD is always True"),
        (
            DEPTH.replace("in[0].shape[-1]", "attr.depth"),
            LICENSED,
            "toy: limit 'depth' of ADD reads attr.depth, which ADD does not have",
        ),
        (
            DEPTH.replace("in[0].shape[-1]", "env.depth"),
            LICENSED,
            "toy: a limit reads env.depth, and there is no [target.settings.depth]",
        ),
    ],
)
def test_what_the_lint_finds(ops, head, sentence):
    found = problems(ops, head)
    assert any(one.startswith(sentence) for one in found), found


@pytest.mark.parametrize("target", bundle.targets())
def test_a_bundled_table_is_clean(target):
    one = bundle.load(target)
    assert list(lint(one, vocabulary.of(one.format))) == []


@pytest.mark.parametrize("target", bundle.targets())
def test_what_is_cited_can_be_found(target):
    """Of every source, as a report cites it: a package at its version, a repository at its commit, or an address."""
    one = bundle.load(target)
    for name, source in one.sources.items():
        first, second = next(
            pair for pair in (("package", "version"), ("repo", "commit"), ("url", "url")) if pair[0] in source
        )
        cited = one.cite(f"{name}:place")
        assert cited.startswith(source[first]), cited
        assert source[second][:10] in cited, cited
        assert cited.endswith(" place" if first == "url" else ":place")


def test_a_fact_without_a_place_fails_the_lint(tmp_path):
    """Seeded into a copy of a real table: an op, and a limit."""
    import shutil

    from edgecheck.errors import TableError
    from edgecheck.tables.bundle import compile_folder

    source = Path(__file__).parents[1] / "op_tables"
    for seeded in (
        '\n[[op]]\nop = "ZZ"\n',
        '\n[[op_limit]]\nops = ["ADD"]\nid = "zz"\nrequire = "1 < 2"\nsource = []\n',
    ):
        (tmp_path / "targets").mkdir(exist_ok=True)
        shutil.copy(source / "targets/tflm.toml", tmp_path / "targets/tflm.toml")
        compile_folder(tmp_path)
        with (tmp_path / "targets/tflm.toml").open("a") as file:
            file.write(seeded)
        with pytest.raises(TableError, match="has its place"):
            compile_folder(tmp_path)


def test_a_checkout_s_bundle_is_made_again_when_a_table_or_its_compiler_is_newer(tmp_path, monkeypatch):
    """A pull that brings another compiled form must not meet the bundle of the old one."""
    made, table = tmp_path / "bundle.jsonl", tmp_path / "targets" / "one.toml"
    table.parent.mkdir()
    for file in (table, made):
        file.write_text("")
    monkeypatch.setattr(bundle, "BUNDLE", made)
    newest = max(path.stat().st_mtime for path in Path(bundle.__file__).parent.glob("*.py"))

    def stale_at(bundle_made: float, table_changed: float) -> bool:
        os.utime(made, (bundle_made, bundle_made))
        for path in (table, table.parent):
            os.utime(path, (table_changed, table_changed))
        return bundle._stale(tmp_path)

    assert not stale_at(newest + 20, newest + 10)
    assert stale_at(newest + 20, newest + 30)
    assert stale_at(newest - 10, newest - 20)
