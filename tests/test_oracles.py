"""What every oracle stands on: a call in a fork that may crash, hang or talk."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from edgecheck.oracles import isolated
from edgecheck.oracles.lasting import Lasting


def test_a_value_and_what_was_printed_come_back() -> None:
    ran = isolated(lambda: [1, os.write(2, b"said\n")], seconds=20)
    assert (ran.value, ran.text, ran.failure) == ([1, 5], "said\n", None)


def test_an_exception_is_its_sentence() -> None:
    ran = isolated(lambda: int("x"), seconds=20)
    assert ran.failure == "ValueError: invalid literal for int() with base 10: 'x'"


def test_a_crash_is_a_failure_and_costs_nothing_else() -> None:
    assert isolated(lambda: os.kill(os.getpid(), signal.SIGKILL), seconds=20).failure == "killed by SIGKILL"


def running(pid: int) -> bool:
    """Whether a process still runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


def test_a_time_limit_reaches_what_the_child_forked(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    def hang() -> None:
        note.write_text(str(os.getpid()))
        time.sleep(60)

    ran = isolated(lambda: isolated(hang, seconds=50).failure, seconds=2)
    assert ran.failure == "no answer in 2 s"
    end = time.monotonic() + 5
    while running(int(note.read_text())) and time.monotonic() < end:
        time.sleep(0.05)
    assert not running(int(note.read_text()))


def answered(question: str) -> str:
    if question == "end":
        os.write(2, b"told\n")
        os.kill(os.getpid(), signal.SIGABRT)
    if question == "hang":
        time.sleep(50)
    return f"{int(question)} in {os.getpid()}"


def test_a_lasting_child_answers_until_a_question_ends_it():
    with Lasting(answered, most=3) as child:
        first, second = child.ask("1", seconds=20), child.ask("2", seconds=20)
        assert first.value.split()[0] == "1"
        assert first.value.split()[2] == second.value.split()[2] != str(os.getpid())
        assert child.ask("x", seconds=20).failure.startswith("ValueError")
        assert child.ask("3", seconds=20).value.split()[2] != first.value.split()[2]
        ended = child.ask("end", seconds=20)
        assert (ended.failure, ended.text) == ("killed by SIGABRT", "told\n")
        assert child.ask("hang", seconds=0.2).failure == "no answer in 0.2 s"
        last = child.ask("4", seconds=20)
    assert last.text == ""
    assert not running(int(last.value.split()[2]))
