"""The heads are a view of the journal: whatever happens to their files, the same lessons give the same weights."""

import fcntl
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shammah import features
from shammah.divergence import Divergence, Method
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES
from shammah.heads import ROUTER, VALIDATOR, Head
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.policy import Reason, Side
from shammah.records.adapters import Adapter
from shammah.records.questions import NewAnswer, Question
from shammah.sight import HeadName, seen_by_router, seen_by_validator
from shammah_convert.chat import Message

LINEAGE = "0123456789abcdef0123456789abcdef"
NAMES: tuple[HeadName, ...] = ("router", "validator")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as journal:
        yield journal


def heads(journal: Journal) -> Heads:
    return Heads(journal.path.parent, journal, LINEAGE, "bayes")


def file(journal: Journal, name: HeadName = "router") -> Path:
    return journal.path.parent / "heads" / LINEAGE[:16] / f"{name}.npz"


def local_answer(hand: np.ndarray[Any, np.dtype[np.float32]]) -> NewAnswer:
    return NewAnswer(
        side=Side.LOCAL,
        is_shown=False,
        text="Because.",
        reason=Reason.SAMPLED,
        finish="stop",
        model="seedling",
        adapters=(),
        is_verified=False,
        prompt_tokens=1,
        completion_tokens=1,
        seconds={},
        features=hand,
        feature_version=features.VERSION,
    )


def teach(journal: Journal, count: int, seed: int = 0, has_embedding: bool = False) -> None:
    """Commit so many comparisons."""
    teach_base(journal, LINEAGE, count, seed, has_embedding)


def teach_base(journal: Journal, lineage: str, count: int, seed: int = 0, has_embedding: bool = False) -> None:
    """Commit so many comparisons for a base."""
    chance = np.random.default_rng(seed)
    for number in range(count):
        question = journal.begin("here", lineage, [Message("user", f"Question {number}?")], 0, True)
        hand = chance.normal(size=len(QUESTION_FEATURES)).astype(np.float32)
        vector = chance.normal(size=384).astype(np.float32) / np.float32(20) if has_embedding else None
        question = journal.note_route(question, hand, vector, 0.5)
        answer = local_answer(chance.normal(size=len(ANSWER_FEATURES)).astype(np.float32))
        divergence = Divergence(0.1, Method.SEMANTIC)
        journal.lessons.teach(question, journal.save(question, [answer])[0], divergence, bool(chance.integers(2)))


def assert_same(one: Head, other: Head) -> None:
    assert (one.lessons, one.cursor, one.with_embedding) == (other.lessons, other.cursor, other.with_embedding)
    for name, array in one.learner.arrays().items():
        np.testing.assert_array_equal(array, other.learner.arrays()[name])


def relearnt(journal: Journal, name: HeadName, home: Path) -> Head:
    """The head that the journal's lessons make, from nothing."""
    return Heads(home, journal, LINEAGE, "bayes").open(name)


@pytest.mark.parametrize("name", NAMES)
def test_an_opened_head_has_taken_in_every_lesson_in_order(journal: Journal, name: HeadName) -> None:
    teach(journal, 4)
    prior = {"router": ROUTER, "validator": VALIDATOR}[name]
    expected = Head.fresh("bayes", heads(journal).open(name).hand_width, prior)
    for lesson in journal.lessons.of(name, LINEAGE, 0):
        assert lesson.answer
        assert lesson.answer.features is not None
        see_question, see_answer = seen_by_router(lesson.question), lesson.answer.features
        seen = see_question if name == "router" else seen_by_validator(lesson.question, see_answer)
        assert seen
        expected.learn(seen, lesson.is_good, 0.5, lesson.id)
    assert expected.lessons == 4
    assert_same(heads(journal).open(name), expected)


def test_without_lessons_a_head_is_fresh_and_leaves_no_file(journal: Journal) -> None:
    assert heads(journal).open("router").lessons == 0
    assert not file(journal).exists()


def test_a_caught_up_head_is_saved_with_its_place(journal: Journal) -> None:
    teach(journal, 3)
    opened = heads(journal).open("router")
    assert opened.cursor == journal.lessons.last("router", LINEAGE)
    assert_same(Head.load(file(journal), "bayes", len(QUESTION_FEATURES)), opened)


def test_opening_an_up_to_date_head_writes_nothing(journal: Journal) -> None:
    teach(journal, 3)
    heads(journal).open("router")
    before = file(journal).stat()
    heads(journal).open("router")
    assert file(journal).stat() == before


def test_learning_in_steps_gives_what_learning_at_once_gives(journal: Journal, tmp_path: Path) -> None:
    for step, has_embedding in enumerate((False, True, False)):
        teach(journal, 2, seed=step, has_embedding=has_embedding)
        heads(journal).catch_up("validator")
    assert_same(heads(journal).open("validator"), relearnt(journal, "validator", tmp_path / "fresh"))


def test_the_heads_of_another_base_know_none_of_our_lessons(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 2)
    assert Heads(tmp_path, journal, "f" * 32, "bayes").open("router").lessons == 0


def note_old_version(journal: Journal) -> None:
    for table in ("questions", "answers"):
        journal._db.execute(f"UPDATE {table} SET feature_version = ?", (features.VERSION + 1,))


@pytest.mark.parametrize("name", NAMES)
def test_lessons_of_another_feature_version_are_seen_again_from_their_texts(journal: Journal, name: HeadName) -> None:
    teach(journal, 2)
    note_old_version(journal)
    teach(journal, 1, seed=1)
    head = heads(journal).open(name)
    assert (head.lessons, head.cursor) == (3, journal.lessons.last(name, LINEAGE))


def test_what_an_old_version_saw_makes_no_difference(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 3, seed=5)
    note_old_version(journal)
    before = heads(journal).open("validator")
    journal._db.execute("UPDATE questions SET features = zeroblob(4)")
    journal._db.execute("UPDATE answers SET features = zeroblob(4)")
    assert_same(relearnt(journal, "validator", tmp_path / "fresh"), before)


def test_a_change_of_what_is_active_between_two_lessons_is_a_swap(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 2)
    assert heads(journal).open("router").since_swap == -1
    time.sleep(0.002)  # the journal's clock counts milliseconds
    journal.adapters.add(Adapter("concise", LINEAGE, "", "", None, {}, "2026-01-01", None))
    journal.adapters.activate(LINEAGE, (("concise", 1.0),), "use")
    teach(journal, 1, seed=1)
    assert heads(journal).open("router").since_swap == 1
    assert relearnt(journal, "router", tmp_path / "fresh").since_swap == 1


def test_adapters_that_a_question_chose_and_another_name_are_no_swap(journal: Journal) -> None:
    adapter = Adapter("concise", LINEAGE, "", "", None, {}, "2026-01-01", None)
    journal.adapters.add(adapter)
    journal.adapters.activate(LINEAGE, (("concise", 1.0),), "use")
    teach(journal, 3)
    journal._db.execute("UPDATE answers SET adapters = '[[\"rust\", 1.0]]' WHERE id = 2")
    assert heads(journal).open("router").since_swap == -1
    assert journal.adapters.rename(adapter, "brief")
    teach(journal, 1, seed=1)
    assert heads(journal).open("router").since_swap == -1


def test_an_unrouted_question_shows_the_heads_nothing(journal: Journal) -> None:
    question: Question = journal.begin("here", LINEAGE, [Message("user", "Why?")], 0, True)
    assert seen_by_router(question) is None
    assert seen_by_validator(question, np.zeros(len(ANSWER_FEATURES), dtype=np.float32)) is None


# Death, damage and company.

KILLED_BEFORE_SAVE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.runtime.test_learning import heads, teach
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
from tests.runtime.test_learning import heads, teach
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
from tests.runtime.test_learning import heads
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
