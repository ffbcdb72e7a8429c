"""The probe machinery: stored evidence against every table, limits broken on purpose, knobs, journal, cut models."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edgecheck.check import point
from edgecheck.cli import main
from edgecheck.errors import EdgecheckError
from edgecheck.model import formats
from edgecheck.oracles import Answer, Outcome
from edgecheck.probing import asking, evidence, models, report, running, sides, sources
from edgecheck.probing.knobs import Mentions
from edgecheck.probing.replay import Agreement, compared, judged, model_of
from edgecheck.tables import bundle
from edgecheck.tables.compiled import compile_table
from edgecheck.tables.language import parse
from edgecheck.tables.optable import OpTable, from_compiled

ROOT = Path(__file__).parents[1]
EVIDENCE = sorted({row["target"] for path in evidence.files() for row in evidence.read(path)})
SEED = 20261121


@pytest.mark.parametrize("target", EVIDENCE)
def test_every_table_says_what_was_measured(target):
    """All stored answers, of every oracle; what differs for a known reason says so in its line."""
    agreement = compared(evidence.of_target(target), bundle.load(target))
    assert agreement.asked > 0
    assert agreement.false_supported == []
    assert agreement.outdated == [], "these lines explain a difference that is gone: take `differs` out"
    refused = agreement.false_refused + agreement.unknown
    assert len(refused) <= max(2, 0.005 * agreement.asked), refused[:20]
    assert len(refused) + len(agreement.mixed) <= max(3, 0.01 * agreement.asked), agreement.mixed[:20]


def _document(target: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "op_tables/targets" / f"{target}.toml").read_text("utf-8"))


def _table(document: dict[str, Any]) -> OpTable:
    return from_compiled(*compile_table(document, where="broken"))


def _limits(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Every limit of an op, by op and id, where the op has one of that id only."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for op in document["op"]:
        for one in op.get("limit", ()):
            found.setdefault((op["op"], one["id"]), []).append(one)
    for one in document.get("op_limit", ()):
        for op in one["ops"]:
            found.setdefault((op, one["id"]), []).append(one)
    return {key: many[0] for key, many in found.items() if len(many) == 1}


def _measured_on_both_sides(target: str) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for row in evidence.of_target(target):
        if row.get("limit") and row["verdict"] in evidence.CONCLUSIVE and evidence.described(row):
            found.setdefault((row["op"], row["limit"]), set()).add(row["side"])
    return sorted(key for key, both in found.items() if {"inside", "outside"} <= both)


@pytest.mark.parametrize("change", ["loosened", "tightened"])
@pytest.mark.parametrize("target", ["ethos-u55", "ort-cpu", "tflm", "litert-gpu"])
def test_a_limit_broken_on_purpose_is_noticed(target, change):
    """Chosen by chance: without it, or with its opposite, the stored probes contradict the table.

    One of five may go unnoticed: where another limit refuses the same probes, nothing has changed.
    """
    document, table = _document(target), bundle.load(target)
    limits = _limits(document)
    candidates = [key for key in _measured_on_both_sides(target) if "require" in limits.get(key, ())]
    noticed = []
    for op, name in random.Random(f"{SEED}{target}{change}").sample(candidates, 5):
        limit = limits[op, name]
        kept = dict(limit)
        limit["require"] = f"({kept['require']}) or op == op" if change == "loosened" else f"not ({kept['require']})"
        rows = [row for row in evidence.of_target(target) if row["op"] == op]
        found, before = compared(rows, _table(document)), compared(rows, table)
        limit |= kept
        noticed.append(found.same < before.same)
    assert sum(noticed) >= 4, noticed


def test_a_number_moved_by_one_is_noticed():
    """The probes of a numeric limit stand right at its border."""
    for by in (-1, 1):
        document = _document("ethos-u55")
        limit = _limits(document)["ARG_MAX", "depth-127"]
        assert "127" in limit["require"]
        limit["require"] = limit["require"].replace("127", str(127 + by))
        rows = [row for row in evidence.of_target("ethos-u55") if row["op"] == "ARG_MAX"]
        found = compared(rows, _table(document))
        assert found.false_supported if by > 0 else found.false_refused


def test_the_lines_of_all_ages_are_read():
    """Descriptions, types of an ONNX node, types of a Core ML operation by name."""
    seen = set()
    for path in evidence.files():
        row = next(evidence.read(path))
        seen.add("spec" if "spec" in row else "model" if "model" in row else type(row["inputs"]).__name__)
        assert judged(row, bundle.load(row["target"])).verdict in ("supported", "fallback", "rejected", "unknown")
    assert seen == {"spec", "model", "list", "dict"}


def test_both_sides_of_a_numeric_limit_are_neighbours():
    table = bundle.load("ethos-u55")
    target = point(table)
    (question,) = [(op, limit) for op, limit in sides.questions(table) if (op, limit.id) == ("ARG_MAX", "depth-127")]
    tensor = {"t": "int8", "s": [1, 1, 4, 64], "q": [0.5, 0]}
    spec = {"op": "ARG_MAX", "a": {"output_type": "INT32"}, "i": [tensor, {"t": "int32", "s": [1], "c": [3]}],
            "o": [{"t": "int32", "s": [1, 1, 4]}]}  # fmt: skip
    found = sides.sides(target, *question, sides.Bases(target, {"ARG_MAX": [spec]}))
    depths = {one.side: one.spec["i"][0]["s"][-1] for one in found}
    assert depths == {"inside": 127, "outside": 128}


def test_only_what_a_limit_compares_with_is_a_value_to_try():
    mentioned = Mentions.of(parse("known(attr.mode, 'constant') in ['edge', 'wrap'] and in.weight.rank == 4"))
    assert mentioned.texts == ("constant", "edge", "wrap")
    assert mentioned.numbers == (4,)
    assert mentioned.attributes == ("mode",)
    assert {"known", "rank"} <= mentioned.words


def test_an_agreement_counts_what_is_wrong_and_nothing_inconclusive():
    agreement = Agreement()
    for measured, ours in (("supported", "supported"), ("fallback", "supported"), ("supported", "rejected"),
                           ("rejected", "fallback"), ("rejected", "unknown"), ("inconclusive", "supported")):  # fmt: skip
        agreement.add(measured, ours, f"{measured} {ours}")
    agreement.add("rejected", "supported", "explained", differs="known")
    agreement.add("supported", "supported", "gone", differs="known")
    assert (agreement.asked, agreement.same, agreement.undecided, agreement.explained) == (7, 2, 1, 1)
    assert agreement.false_supported == ["fallback supported"]
    assert agreement.false_refused == ["supported rejected"]
    assert (agreement.mixed, agreement.unknown, agreement.outdated) == (
        ["rejected fallback"],
        ["rejected unknown"],
        ["gone"],
    )


@pytest.fixture
def witness(tmp_path, monkeypatch):
    """An oracle whose answers are counted: the journal is what is tried here, not an engine."""
    monkeypatch.setenv("EDGECHECK_CACHE", str(tmp_path / "cache"))

    class Plugin:
        NAME, TARGETS, ENVIRONMENT, NEEDS, __file__ = "counting", ("t",), "e", ("n",), __file__

    return asking.Witness(module="counting", plugin=Plugin, python=Path("python"), version="1")


def test_what_the_journal_knows_is_not_asked_again(witness, tmp_path, monkeypatch):
    asked = []

    def answer(oracle, python, paths, target, settings, *, seconds_each):
        for path in paths:
            asked.append(path.name)
            if path.name == "3" and len(asked) < 5:
                raise KeyboardInterrupt
            yield Outcome(model=path, answers=(Answer(graph=0, index=0, op="X", verdict="supported"),))

    monkeypatch.setattr(asking, "ask", answer)
    paths = [tmp_path / str(number) for number in range(5)]
    for path in paths:
        path.write_text(path.name)
    with pytest.raises(KeyboardInterrupt):
        asking.ask_all(witness, paths, "t", {}, jobs=1)
    assert asked == ["0", "1", "2", "3"]
    journal = asking.Journal(witness)
    with journal.path.open("a") as file:
        file.write('{"key": "cut o')  # the machine went down while this line was written
    outcomes = asking.ask_all(witness, paths, "t", {}, jobs=1)
    assert asked == ["0", "1", "2", "3", "3", "4"]
    assert [outcome.answers[0].verdict for outcome in outcomes] == ["supported"] * 5
    asking.ask_all(witness, paths[:1], "t", {"config": "other"}, jobs=1)
    assert asked[-1] == "0"


@pytest.mark.parametrize(
    ("oracle", "files"),
    [
        ("ort_web", ["oracles/ort_placement.py", "oracles/onnx_feeds.py", "browser/page/page.js", "browser/host.py"]),
        ("ort_webnn", ["oracles/ort_placement.py", "browser/webnn.py", "model/formats/onnx_schema.jsonl"]),
        ("ort_webgpu", ["oracles/ort_placement.py", "oracles/onnx_cut.py", "oracles/__init__.py"]),
        ("litert_web", ["oracles/cut.py", "browser/page/page.js"]),
        ("executorch", ["oracles/executorch_alone.py"]),
    ],
)
def test_an_answer_depends_on_all_that_its_oracle_imports(oracle, files):
    package = ROOT / "src" / "edgecheck"
    found = {path.relative_to(package).as_posix() for path in sources.files(package / "oracles" / f"{oracle}.py")}
    assert found.issuperset(files)
    assert not any(f"oracles/{other}.py" in found for other in ("vela", "rknn", "tflm"))
    assert not any("__pycache__" in path or path.startswith(("probing/", "cli/")) for path in found)


def test_a_changed_file_that_an_oracle_imports_changes_the_mark(tmp_path, monkeypatch):
    package = tmp_path / "edgecheck"
    (package / "oracles").mkdir(parents=True)
    (package / "page").mkdir()
    for path, text in {
        "__init__.py": "", "oracles/__init__.py": "", "page/__init__.py": "", "page/page.js": "1", "feeds.py": "",
        "oracles/asked.py": "from edgecheck import page\n\n\ndef verdicts():\n    from edgecheck import feeds\n",
        "oracles/other.py": "",
    }.items():  # fmt: skip
        (package / path).write_text(text)
    monkeypatch.setattr(sources, "ROOT", package)
    monkeypatch.setattr(sources, "_ALONE", (package, package / "oracles"))
    asked = package / "oracles" / "asked.py"
    before = sources.mark(asked)
    for path, same in {"oracles/other.py": True, "page/page.js": False, "feeds.py": False}.items():
        (package / path).write_text("changed = 1\n")
        assert (sources.mark(asked) == before) == same, path
        before = sources.mark(asked)


def test_a_process_that_ends_costs_one_model(witness, tmp_path, monkeypatch):
    def answer(oracle, python, paths, target, settings, *, seconds_each):
        for path in paths:
            if path.name == "1":
                raise EdgecheckError("the oracle stopped", code=3)
            yield Outcome(model=path, answers=())

    monkeypatch.setattr(asking, "ask", answer)
    paths = [tmp_path / str(number) for number in range(3)]
    for path in paths:
        path.write_text(path.name)
    outcomes = asking.ask_all(witness, paths, "t", {}, jobs=1)
    assert [outcome.failure for outcome in outcomes] == [None, "the oracle stopped", None]


def test_evidence_keeps_few_of_each_and_all_that_differ():
    row = {"target": "t", "op": "A", "side": "base", "verdict": "supported"}
    rows = [{**row, "probe": str(number)} for number in range(5)] + [{**row, "probe": "odd", "differs": "known"}]
    assert [one["probe"] for one in evidence.thinned(rows, 2)] == ["0", "1", "odd"]
    assert len(evidence.thinned([{**one, "limit": "l"} for one in rows], 2)) == 6


def test_evidence_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "evidence.jsonl"
    evidence.write(path, [{"a": 1}])
    with pytest.raises(TypeError):
        evidence.write(path, [{"a": object()}])
    assert path.read_text() == '{"a":1}\n'


def test_verdicts_of_a_model_are_packed_and_come_back():
    said = ["supported"] * 12 + ["fallback"] + ["rejected"] * 2 + ["inconclusive", "invalid"]
    assert models.packed(said) == "12s1f2r1i1v"
    assert models.unpacked("12s1f2r1i1v") == said


def test_what_is_asked_again_and_answered_otherwise_does_not_stay():
    def row(name, verdict, **more):
        return {
            "target": "mnn",
            "op": "X",
            "limit": "",
            "probe": name,
            "verdict": verdict,
            "spec": {"op": name},
            **more,
        }

    old = [row("a", "rejected"), row("b", "rejected"), row("c", "supported"), row("d", "supported", differs="why")]
    again = [row("a", "invalid"), row("b", "inconclusive"), row("d", "supported")]
    standing = evidence.standing(old, again)
    assert [one["probe"] for one in standing] == ["b", "c", "d"]
    assert evidence.merged(standing, again[2:]) == [old[1], old[2], old[3]]
    assert "differs" not in evidence.merged(old, [row("d", "rejected")])[-1]


def test_what_was_asked_at_another_point_of_the_axis_stays():
    """A row that names no point was measured at the one of its oracle's version, or at the newest."""
    plain = {"target": "ort-qnn", "op": "Abs", "probe": "a", "verdict": "supported", "spec": {"op": "Abs"}}
    newest = bundle.load("ort-qnn").versions[-1]
    assert evidence.question(plain) == evidence.question(plain | {"at": newest})
    assert evidence.standing([plain | {"at": "v68"}], [plain | {"verdict": "fallback"}]) == [plain | {"at": "v68"}]
    assert evidence.standing([plain | {"at": newest}], [plain | {"verdict": "fallback"}]) == []
    asked = {v: len(running.recorded_at(point(bundle.load("ort-qnn"), v))) for v in (None, "v68", "v75")}
    assert len({*asked.values(), 0}) == 4


def test_an_answer_in_another_file_is_overtaken_too(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "folder", lambda: tmp_path)
    row = {"target": "mnn", "op": "Abs", "probe": "a", "verdict": "supported", "spec": {"op": "Abs"}}
    stays = row | {"spec": {"op": "Add"}, "op": "Add"}
    evidence.write(tmp_path / "one-1.jsonl", [row, stays])
    again = [row | {"verdict": "rejected"}, stays | {"verdict": "inconclusive"}]
    evidence.drop_overtaken(again, [*evidence.files(), tmp_path / "none.jsonl"])
    assert list(evidence.read(tmp_path / "one-1.jsonl")) == [stays]
    again = stays | {"limit": "now-named", "side": "inside"}
    assert evidence.not_stored([again, row, stays | {"verdict": "rejected"}]) == [row, stays | {"verdict": "rejected"}]


def test_an_answer_that_is_missing_is_inconclusive():
    outcome = Outcome(model=Path("m"), answers=(Answer(graph=0, index=1, op="X", verdict="supported"),))
    assert running.answer(outcome, 1) == ("supported", "")
    assert running.answer(outcome, 0)[0] == "inconclusive"
    assert running.answer(Outcome(model=Path("m"), answers=(), failure="killed by SIGSEGV"), 1) == (
        "inconclusive",
        "killed by SIGSEGV",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "probe needs --target and --oracle"),
        (("--target", "nope", "--oracle", "vela"), 2, "there is no target 'nope'"),
        (("--target", "tflm", "--oracle", "velo"), 2, "there is no oracle 'velo'"),
        (("--target", "tflm", "--oracle", "vela"), 2, "the oracle vela does not decide tflm"),
        (("--target", "tflm", "--oracle", "tflm"), 3, "the tflm environment has not been made"),
        (("--target", "tflm", "--oracle", "tflm", "--jobs", "0"), 2, "--jobs is 0: it must be more than 0"),
        (("--target", "tflm", "--oracle", "tflm", "--from", "thin-air"), 2, "--from does not know 'thin-air'"),
        (("--report", "x.onnx"), 2, "--report asks nobody"),
        (("--report", "--target", "nope"), 2, "there is no target 'nope'"),
        (("--target", "tflm", "--oracle", "tflm", "--set", "config"), 2, "--set config has no value"),
    ],
)
def test_a_wrong_command_is_one_sentence(arguments, code, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECHECK_CACHE", str(tmp_path))
    monkeypatch.delenv("EDGECHECK_TFLM_PYTHON", raising=False)
    assert main(["probe", *arguments]) == code
    out, err = capsys.readouterr()
    assert sentence in err
    assert (out, "Traceback" in err) == ("", False)


def test_the_report_speaks_of_every_target_and_is_the_same_twice():
    text = report.stored(["ethos-u55", "coreml"], "full")
    assert text == report.stored(["ethos-u55", "coreml"], "full")
    assert "probes, ethos-u-vela 5.2.0:" in text
    figures = json.loads(report.stored(["ethos-u55"], "json"))[0]
    assert figures["probes"]["ethos-u-vela 5.2.0"]["asked"] > 1000
    assert sum(figures["facts"].values()) == bundle.load("ethos-u55").facts or figures["facts"]


@pytest.mark.parametrize(
    "target", sorted({row["target"] for path in models.folder().glob("*.jsonl") for row in evidence.read(path)})
)
def test_real_models_are_judged_as_they_were_measured(target, models_dir):
    """Node by node, from what the oracle said of the whole file; models that are not in the cache are left out."""
    rows = [row for row in models.stored(target) if (models_dir / row["model"].partition("/")[0]).is_dir()]
    if not rows:
        pytest.skip("measured on exported architectures alone, which are not kept")
    agreement, seen = Agreement(), 0
    for row in rows:
        path = models_dir / row["model"]
        if path.exists() and (path.is_dir() or path.stat().st_size < 4_000_000):
            model = formats.read(path)
            assert model.sha256 == row["sha256"], f"{row['model']} is another file than was measured"
            models.replayed(row, model, bundle.load(target), agreement)
            seen += 1
    assert seen > 0
    assert agreement.false_supported == []
    assert not agreement.asked or agreement.share >= 0.995, (
        agreement.false_refused + agreement.unknown + agreement.mixed
    )[:20]


def test_a_description_has_the_attributes_of_its_file():
    """What it leaves out is the format's default, as the reader of files fills it in."""
    tensor = {"t": "float32", "s": [1, 8]}
    spec = {
        "op": "FULLY_CONNECTED",
        "i": [tensor, {"t": "float32", "s": [8, 8]}, None],
        "o": [tensor],
        "a": {"keep_num_dims": True},
    }
    (node,) = model_of(spec, "tflite").graphs[0].nodes
    assert node.attrs["keep_num_dims"] is True
    assert (node.attrs["weights_format"], node.attrs["fused_activation_function"]) == ("DEFAULT", "NONE")
