"""Heads lose no lesson and take none in twice, whatever dies, is damaged, or writes beside them."""

import fcntl
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shammah.features import QUESTION_FEATURES
from shammah.heads import Head
from shammah.journal import Journal
from shammah.learning import Heads
from tests.learnt import LINEAGE, ROOT, assert_same, file, heads, relearnt, teach


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as journal:
        yield journal


KILLED_BEFORE_SAVE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.learnt import heads, teach
journal = Journal(Path(sys.argv[1]))
teach(journal, 3)
heads(journal).open("router")
teach(journal, 2, seed=1)
os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_ANYWHERE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.learnt import heads, teach
journal = Journal(Path(sys.argv[1]))
for seed in range(10_000):
    teach(journal, 1, seed)
    heads(journal).catch_up("router")
    print(seed, flush=True)
"""
CATCH_UP = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.learnt import heads
with Journal(Path(sys.argv[1])) as journal:
    print(flush=True)
    sys.stdin.readline()
    print(heads(journal).catch_up("router").lessons)
"""


def command(code: str, home: Path) -> list[str]:
    return [sys.executable, "-c", code, str(home), str(ROOT)]


def test_lessons_committed_before_a_kill_are_caught_up(tmp_path: Path) -> None:
    child = subprocess.run(command(KILLED_BEFORE_SAVE, tmp_path), capture_output=True, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    with Journal(tmp_path) as journal:
        assert Head.load(file(journal), "bayes", len(QUESTION_FEATURES)).lessons == 3
        assert heads(journal).open("router").lessons == 5
        assert_same(heads(journal).open("router"), relearnt(journal, "router", tmp_path / "fresh"))


@pytest.mark.parametrize("steps", [1, 8])
def test_a_learner_killed_anywhere_loses_no_lesson_and_takes_none_in_twice(tmp_path: Path, steps: int) -> None:
    with subprocess.Popen(command(KILLED_ANYWHERE, tmp_path), stdout=subprocess.PIPE) as child:
        assert child.stdout
        for _ in range(steps):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    with Journal(tmp_path) as journal:
        opened = heads(journal).open("router")
        assert opened.lessons == len(list(journal.lessons.of("router", LINEAGE, 0))) >= steps
        assert_same(opened, relearnt(journal, "router", tmp_path / "fresh"))


def test_processes_that_catch_up_at_once_take_each_lesson_in_once(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 25)
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command(CATCH_UP, tmp_path), **pipes) for _ in range(2)]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "\n"
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.communicate(timeout=60)[0] for child in children] == ["25\n", "25\n"]
    saved = Head.load(file(journal), "bayes", len(QUESTION_FEATURES))
    assert_same(saved, relearnt(journal, "router", tmp_path / "fresh"))


def test_a_learner_waits_while_another_one_writes(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 1)
    file(journal).parent.mkdir(parents=True)
    with (file(journal).parent / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with subprocess.Popen(
            command(CATCH_UP, tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout
            assert child.stdin
            assert child.stdout.readline() == "\n"
            child.stdin.write("go\n")
            child.stdin.flush()
            assert not select.select([child.stdout], [], [], 0.5)[0]
            assert not file(journal).exists()
            fcntl.flock(other, fcntl.LOCK_UN)
            assert child.stdout.readline() == "1\n"


@pytest.mark.parametrize("damage", [b"", b"not a head", None])
def test_a_damaged_file_is_set_aside_by_date_and_learnt_again_to_the_same_weights(
    journal: Journal, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    teach(journal, 3)
    before, path = heads(journal).open("router"), file(journal)
    damaged = damage if damage is not None else path.read_bytes()[:-100]
    path.write_bytes(damaged)
    assert_same(heads(journal).open("router"), before)
    (aside,) = path.parent.glob("router.npz.aside-2*T*")
    assert aside.read_bytes() == damaged
    assert "set aside" in caplog.text
    assert_same(Head.load(path, "bayes", len(QUESTION_FEATURES)), before)


def test_another_learner_learns_every_lesson_again_and_back(journal: Journal) -> None:
    teach(journal, 3)
    before = heads(journal).open("router")
    adam = Heads(journal.path.parent, journal, LINEAGE, "adam").open("router")
    assert (adam.learner.kind, adam.lessons) == ("adam", 3)
    assert_same(heads(journal).open("router"), before)


def test_a_lost_file_is_learnt_again(journal: Journal) -> None:
    teach(journal, 3)
    before = heads(journal).open("router")
    file(journal).unlink()
    assert_same(heads(journal).open("router"), before)
