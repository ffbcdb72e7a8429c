"""Locked environments: where they are looked for, and what is said when one is missing. None is made here."""

import sys

import pytest

from edgecheck import browser, environments
from edgecheck.cli import main
from edgecheck.errors import EdgecheckError


@pytest.fixture
def bare(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECHECK_CACHE", str(tmp_path))
    for name in environments.NAMES:
        monkeypatch.delenv(f"EDGECHECK_{name.upper()}_PYTHON", raising=False)
    return tmp_path


def test_a_missing_environment_says_the_command_that_makes_it(bare):
    with pytest.raises(EdgecheckError, match="the torch environment has not been made") as caught:
        environments.interpreter("torch")
    assert caught.value.code == 3
    assert caught.value.help == "run `edgecheck doctor --make torch`"


def test_a_made_environment_is_found_under_the_hash_of_its_lock(bare):
    python = environments.folder("tf") / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert environments.interpreter("tf") == python
    assert python.is_relative_to(bare / "envs")


def test_the_variable_overrides(bare, monkeypatch):
    monkeypatch.setenv("EDGECHECK_TORCH_PYTHON", sys.executable)
    assert str(environments.interpreter("torch")) == sys.executable
    assert environments.state("torch").overridden


def test_a_variable_that_names_nothing_is_the_users_mistake(bare, monkeypatch):
    monkeypatch.setenv("EDGECHECK_TORCH_PYTHON", "/nowhere/python")
    with pytest.raises(
        EdgecheckError, match="EDGECHECK_TORCH_PYTHON names /nowhere/python, which is not there"
    ) as caught:
        environments.interpreter("torch")
    assert caught.value.code == 2


def test_this_interpreter_is_enough_where_it_has_all_a_plugin_needs(bare):
    assert str(environments.choose(("json", "numpy"), "torch")) == sys.executable
    with pytest.raises(EdgecheckError, match="the torch environment has not been made"):
        environments.choose(("json", "no_such_package"), "torch")


def test_every_lock_is_there_with_hashes():
    for name in environments.NAMES:
        text = environments.lock(name).read_text("utf-8")
        pinned = [line for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))]
        assert pinned
        assert text.count("--hash=sha256:") >= len(pinned)


def test_torch_is_pinned_beside_its_lock():
    assert environments._pin("torch", "torch").startswith("torch==")


def test_a_step_that_fails_leaves_nothing(bare, monkeypatch):
    monkeypatch.setattr(environments, "UV", "edgecheck-no-such-package==0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(EdgecheckError, match="the tf environment cannot be made: .*ERROR") as caught:
        environments.make("tf", lambda text: None)
    assert caught.value.code == 3
    assert list((bare / "envs").iterdir()) == []


def test_doctor_shows_what_is_missing_and_the_remedy(bare, capsys):
    assert main(["doctor"]) == 3
    shown = capsys.readouterr().out
    assert "has not been made" in shown
    assert "help: edgecheck doctor --make torch" in shown


def test_doctor_shows_the_browsers_packages_once_they_are_there(bare, capsys, monkeypatch):
    browser.folder("browser").mkdir(parents=True)
    monkeypatch.setenv("EDGECHECK_CHROMIUM", sys.executable)
    main(["doctor"])
    shown = capsys.readouterr().out
    assert f"browser ready: {browser.folder('browser')}" in shown
    assert "webnn" not in shown
    monkeypatch.delenv("EDGECHECK_CHROMIUM")
    monkeypatch.setenv("PATH", str(bare))
    main(["doctor"])
    shown = capsys.readouterr().out
    assert "browser no Chromium was found" in shown
    assert "help: apt-get install chromium, or set EDGECHECK_CHROMIUM" in shown


def test_doctor_refuses_an_unknown_environment(bare, capsys):
    assert main(["doctor", "--make", "jax"]) == 2
    assert "there is no environment 'jax'; there are torch, tf" in capsys.readouterr().err
