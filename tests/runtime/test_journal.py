"""What the journal has acknowledged stays, whole, whatever dies and whoever writes beside it."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shammah import database
from shammah.database import SCHEMA_VERSION
from shammah.divergence import Divergence, Method
from shammah.errors import JournalError
from shammah.journal import Journal
from shammah.journal import spending as spending_module
from shammah.policy import Reason, Side
from shammah.records.jobs import Job
from shammah.records.questions import NewAnswer, Question
from shammah_convert import examples
from shammah_convert.chat import Message

LINEAGE = "base"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as journal:
        yield journal


def begin(journal: Journal, text: str = "Why?", session: str = "here") -> Question:
    return journal.begin(session, LINEAGE, [Message("system", "Be short."), Message("user", text)], 0, True)


def answer(side: Side = Side.TEACHER, text: str = "Because.", finish: str = "stop", is_shown: bool = True) -> NewAnswer:
    return NewAnswer(
        side=side,
        is_shown=is_shown,
        text=text,
        reason=Reason.COLD_START,
        finish=finish,
        model="some-model",
        adapters=(("mine", 0.5),),
        is_verified=True,
        prompt_tokens=5,
        completion_tokens=2,
        seconds={"total": 0.5},
        features=np.array([1.5, -2.0], dtype=np.float32),
        feature_version=1,
        cost_usd=0.01,
    )


def ask(journal: Journal, text: str, said: str = "Because.", session: str = "here") -> Question:
    question = begin(journal, text, session)
    journal.save(question, [answer(text=said)])
    return question


# Questions and answers.


def test_a_question_is_there_for_others_before_anyone_works_on_it(journal: Journal) -> None:
    question = begin(journal)
    with Journal(journal.path.parent) as other:
        assert other.question_at(question.number) == question
        assert other.answers(question) == []


def test_a_question_is_kept_with_its_whole_conversation(journal: Journal) -> None:
    question = begin(journal, "Wo ist „das“? \u2028 \U0001f642")
    assert question.context == (Message("system", "Be short."), Message("user", "Wo ist „das“? \u2028 \U0001f642"))
    assert question.text == question.context[-1].content


def test_an_answer_is_read_as_it_was_saved(journal: Journal) -> None:
    new = answer(Side.LOCAL)
    saved = journal.save(begin(journal), [new])[0]
    for name in set(NewAnswer.__slots__) - {"features"}:
        assert getattr(saved, name) == getattr(new, name), name
    np.testing.assert_array_equal(saved.features, new.features)


def test_what_the_router_saw_is_kept_exactly_and_the_question_counts(journal: Journal) -> None:
    hand = np.array([0.1, -4.0], dtype=np.float32)
    embedding = np.linspace(-1, 1, 384, dtype=np.float32)
    question = journal.note_route(begin(journal), hand, embedding, 0.25)
    np.testing.assert_array_equal(question.features, hand)
    np.testing.assert_array_equal(question.embedding, embedding)
    assert (question.router_probability, question.is_counted, journal.count(LINEAGE)) == (0.25, True, 1)


def test_questions_that_were_not_routed_or_are_of_another_base_do_not_count(journal: Journal) -> None:
    begin(journal)
    journal.note_route(begin(journal), np.zeros(1, dtype=np.float32), None, 0.5)
    assert (journal.count(LINEAGE), journal.count("another")) == (1, 0)


def test_an_embedding_can_be_noted_later(journal: Journal) -> None:
    embedding = np.ones(384, dtype=np.float32)
    question = journal.note_route(begin(journal), np.zeros(1, dtype=np.float32), None, 0.5)
    np.testing.assert_array_equal(journal.note_embedding(question, embedding).embedding, embedding)


def test_the_shown_answer_is_the_one_that_the_user_saw(journal: Journal) -> None:
    question = begin(journal)
    journal.save(question, [answer(Side.LOCAL, "draft", is_shown=False), answer(text="final")])
    shown = journal.shown(question)
    assert shown
    assert shown.text == "final"


def test_a_failing_job_leaves_no_answer_and_no_example(journal: Journal) -> None:
    question = begin(journal)
    with pytest.raises(TypeError):
        journal.save(question, [answer()], job=("label", {"cannot": object()}), propensity=0.5, is_sampled=True)
    assert journal.answers(question) == []
    assert journal.examples.live() == []
    assert journal.question_at(question.number) == question


def test_a_failing_second_answer_leaves_no_first(journal: Journal) -> None:
    question = begin(journal)
    broken = answer(text=None)  # type: ignore[arg-type]
    with pytest.raises(JournalError):
        journal.save(question, [answer(), broken])
    assert journal.answers(question) == []


def test_an_answer_comes_with_its_job_and_propensity(journal: Journal) -> None:
    question = begin(journal)
    journal.save(question, [answer()], ("label", {"question": question.number}), 0.2, True)
    kept = journal.question_at(question.number)
    assert (kept.propensity, kept.is_sampled) == (0.2, True)
    assert [(job.kind, job.payload) for job in journal.jobs.waiting()] == [("label", {"question": question.number})]


def test_a_later_save_keeps_the_first_propensity(journal: Journal) -> None:
    question = begin(journal)
    journal.save(question, [answer()], None, 0.2, True)
    journal.save(question, [answer(Side.LOCAL, is_shown=False)])
    kept = journal.question_at(question.number)
    assert (kept.propensity, kept.is_sampled) == (0.2, True)


# Examples.


def test_a_whole_teacher_answer_is_one_example_of_weight_1_in_the_designs_format(journal: Journal) -> None:
    question = ask(journal, "Why?")
    row = json.loads(examples.to_json(journal.examples.live()[0]))
    created = row.pop("created")
    assert created.endswith("Z")
    assert row.pop("id")
    assert row == {
        "prompt": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Why?"}],
        "completion": [{"role": "assistant", "content": "Because."}],
        "rejected": None,
        "weight": 1.0,
        "source": "teacher",
    }
    assert len(journal.examples.live()) == len(journal.answers(question)) == 1


@pytest.mark.parametrize("finish", ["cut", "length", "refusal", "interrupted"])
def test_an_answer_that_did_not_end_properly_is_no_example(journal: Journal, finish: str) -> None:
    journal.save(begin(journal), [answer(finish=finish)])
    assert journal.examples.live() == []


def test_an_empty_teacher_answer_is_no_example(journal: Journal) -> None:
    journal.save(begin(journal), [answer(text="")])
    assert journal.examples.live() == []


def test_a_local_answer_is_no_example(journal: Journal) -> None:
    journal.save(begin(journal), [answer(Side.LOCAL)])
    assert journal.examples.live() == []


def test_every_example_passes_the_border(journal: Journal) -> None:
    for text in ("a", "b\n\u2028c"):
        ask(journal, text)
    assert list(examples.read(examples.write(journal.examples.live()))) == journal.examples.live()


# Lessons.


def test_a_comparison_is_one_lesson_for_each_head_and_marks_the_answer(journal: Journal) -> None:
    question = begin(journal)
    local = journal.save(question, [answer(Side.LOCAL)])[0]
    journal.lessons.teach(question, local, Divergence(0.2, Method.SEMANTIC), True)
    for head in ("router", "validator"):
        (lesson,) = journal.lessons.of(head, LINEAGE, 0)
        assert (lesson.question.number, lesson.is_good, lesson.weight) == (question.number, True, 0.5)
        assert journal.lessons.last(head, LINEAGE) == lesson.id
        assert list(journal.lessons.of(head, LINEAGE, lesson.id)) == []
    assert (journal.answer(local.id).divergence, journal.answer(local.id).method) == (0.2, "semantic")


def test_lessons_of_another_base_are_not_ours(journal: Journal) -> None:
    question = begin(journal)
    local = journal.save(question, [answer(Side.LOCAL)])[0]
    journal.lessons.teach(question, local, Divergence(0.2, Method.SEMANTIC), True)
    assert list(journal.lessons.of("router", "another", 0)) == []
    assert journal.lessons.last("router", "another") == 0


# Finding.


def test_a_question_is_found_by_the_whole_and_by_a_beginning_of_its_id(journal: Journal) -> None:
    question = begin(journal)
    assert journal.question(question.id) == question
    assert journal.question(question.id[:4]) == question


def test_a_beginning_that_fits_two_or_none_finds_nothing(journal: Journal) -> None:
    ids = [begin(journal).id for _ in range(17)]  # of 16 first digits one comes twice
    first = next(id[0] for id in ids if sum(other[0] == id[0] for other in ids) > 1)
    assert journal.question(first) is None
    assert journal.question("") is None
    assert journal.question("%") is None
    assert journal.question(ids[0] + "0") is None


def test_the_last_question_is_the_sessions_own(journal: Journal) -> None:
    mine = ask(journal, "mine", session="here")
    ask(journal, "theirs", session="there")
    found = journal.last_question("here")
    assert found
    assert found.id == mine.id


def test_a_new_session_gets_the_last_question_of_all(journal: Journal) -> None:
    ask(journal, "older", session="here")
    newest = ask(journal, "newest", session="there")
    found = journal.last_question("a third")
    assert found
    assert found.id == newest.id


def test_a_question_without_an_answer_is_not_the_last(journal: Journal) -> None:
    answered = ask(journal, "answered")
    begin(journal, "waiting")
    found = journal.last_question("here")
    assert found
    assert found.id == answered.id


def test_an_empty_journal_has_no_last_question(journal: Journal) -> None:
    assert journal.last_question("here") is None


def test_recent_questions_come_newest_first(journal: Journal) -> None:
    for text in ("a", "b", "c"):
        ask(journal, text)
    assert [question.text for question in journal.recent(2)] == ["c", "b"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["git"], ["Undo in git?", "And what about GIT tags?"]),
        (["git", "undo"], ["Undo in git?"]),
        (["revert"], ["Undo in git?"]),  # it stands in the answer
        (["100%"], ["Is 100% right?"]),
        (["%"], ["Is 100% right?"]),
        (["_"], ["What does max_size do?"]),
        (["\\"], ["What is \\n?"]),
        (["absent"], []),
    ],
)
def test_search_wants_every_word_and_takes_each_letter_as_itself(
    journal: Journal, words: list[str], found: list[str]
) -> None:
    for text in ("And what about GIT tags?", "Is 100% right?", "What does max_size do?", "What is \\n?"):
        ask(journal, text)
    ask(journal, "Undo in git?", said="git revert HEAD")
    assert [question.text for question in journal.recent(10, words)] == found


# Jobs and notices.


def test_the_same_work_waits_once(journal: Journal) -> None:
    for _ in range(3):
        journal.jobs.enqueue("label", {"question": 1})
    journal.jobs.enqueue("label", {"question": 2})
    assert [job.payload["question"] for job in journal.jobs.waiting()] == [1, 2]


def test_a_finished_job_waits_no_more_and_may_be_left_again(journal: Journal) -> None:
    journal.jobs.enqueue("label", {"question": 1})
    journal.jobs.finish(journal.jobs.waiting()[0])
    assert journal.jobs.waiting() == []
    journal.jobs.enqueue("label", {"question": 1})
    assert len(journal.jobs.waiting()) == 1


def test_a_job_to_be_tried_again_waits_for_its_time_and_counts_its_attempts(journal: Journal) -> None:
    journal.jobs.enqueue("build", {"n": 1})
    job = taken(journal)
    journal.jobs.finish(job, error="no net", retry_seconds=600)
    assert journal.jobs.take(600, 5) is None
    journal.jobs.finish(job, error="no net", retry_seconds=0)
    assert taken(journal).attempts == 2


def test_waiting_for_better_times_is_no_attempt(journal: Journal) -> None:
    journal.jobs.enqueue("build", {"n": 1})
    journal.jobs.put_back(taken(journal), "on battery", 0)
    assert taken(journal).attempts == 1


def test_a_job_that_ends_its_worker_comes_back_and_not_for_ever(journal: Journal) -> None:
    journal.jobs.enqueue("build", {"n": 1})
    for attempt in range(3):
        job = journal.jobs.take(0, 3)  # and the worker is gone
        assert job is not None
        assert job.attempts == attempt + 1
    assert journal.jobs.take(0, 3) is None
    row = journal._db.execute("SELECT state, error FROM jobs").fetchone()
    assert tuple(row) == ("failed", "it ended its worker")


def taken(journal: Journal) -> Job:
    job = journal.jobs.take(600, 5)
    assert job is not None
    return job


def test_each_notice_is_handed_out_once_and_in_order(journal: Journal) -> None:
    for text in ("first", "second"):
        journal.notices.add(text)
    assert journal.notices.take() == ["first", "second"]
    assert journal.notices.take() == []
    journal.notices.add("third")
    assert journal.notices.take() == ["third"]


def test_a_flag_is_raised_once(journal: Journal) -> None:
    assert [journal.notices.raise_flag("greeted") for _ in range(2)] == [True, False]


# Money.


def test_a_reservation_counts_in_full_until_it_is_settled(journal: Journal) -> None:
    reservation = journal.spending.reserve(0.75, 1.0, begin(journal))
    assert reservation
    assert journal.spending.usd_today() == 0.75
    assert journal.spending.reserve(0.5, 1.0, begin(journal)) is None
    journal.spending.settle(reservation, 0.25)
    assert journal.spending.usd_today() == 0.25
    assert journal.spending.reserve(0.5, 1.0, begin(journal)) is not None


def test_a_call_may_take_the_limit_exactly(journal: Journal) -> None:
    assert journal.spending.reserve(1.0, 1.0, begin(journal)) is not None
    assert journal.spending.reserve(0.001, 1.0, begin(journal)) is None


def test_what_a_month_may_cost_holds_over_its_days(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    spending = journal.spending
    for day in ("2026-11-30", "2026-12-01", "2026-12-31"):
        monkeypatch.setattr(spending_module, "today", lambda day=day: day)
        assert spending.reserve(1.0, 1.0, begin(journal), month_usd=2.5) is not None
    assert (spending.usd_today(), spending.usd_this_month()) == (1.0, 2.0)
    assert spending.passed(0.25, 9.0, 2.5) is None
    assert spending.passed(0.75, 9.0, 2.5) == "month"
    assert spending.passed(0.25, 1.0, 2.5) == "day"
    assert spending.reserve(0.75, 9.0, begin(journal), month_usd=2.5) is None
    monkeypatch.setattr(spending_module, "today", lambda: "2027-01-01")
    assert spending.reserve(1.0, 1.0, begin(journal), month_usd=2.5) is not None


SPENDER = """
import sys
from pathlib import Path
from shammah.journal import Journal
with Journal(Path(sys.argv[1])) as journal:
    question = journal.question_at(1)
    print(flush=True)
    sys.stdin.readline()
    day, month = map(float, sys.argv[2:])
    for n in range(4):
        reservation = journal.spending.reserve(0.25, day, question, month)
        spent = journal.spending.usd_today()
        if reservation is not None and n % 2:
            journal.spending.settle(reservation, 0.125)
        print(spent, reservation is not None)
"""


def run_together(code: str, home: Path, count: int, *more: str) -> list[str]:
    """What so many processes print that begin at the same time."""
    command = [sys.executable, "-c", code, str(home), *more]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command, **pipes) for _ in range(count)]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "\n"
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0] * count
    return outputs


@pytest.mark.parametrize("budgets", [("2.0", "100.0"), ("100.0", "2.0")], ids=["day", "month"])
def test_eight_processes_together_never_pass_a_budget(budgets: tuple[str, str], journal: Journal) -> None:
    begin(journal)
    outputs = run_together(SPENDER, journal.path.parent, 8, *budgets)
    rows = [row.split() for output in outputs for row in output.splitlines()]
    assert max(float(spent) for spent, _ in rows) <= 2.0
    # 32 tries want more than there is; a grant costs 0.25, or half of that in the end.
    assert 8 <= sum(was_granted == "True" for _, was_granted in rows) <= 16
    assert journal.spending.usd_today() <= 2.0


# Damage and death.


def test_a_new_home_is_closed_to_others(journal: Journal) -> None:
    assert journal.path.parent.stat().st_mode & 0o077 == 0


def test_an_older_journal_is_brought_up_to_date_and_keeps_its_rows(tmp_path: Path) -> None:
    first = Path(database.__file__).with_name("schema") / "1.sql"
    old = sqlite3.connect(tmp_path / "shammah.db")
    old.executescript(first.read_text())
    old.execute(
        "INSERT INTO examples (id, prompt, completion, weight, source, state, created)"
        " VALUES ('a', '[]', '[]', 1, 'teacher', 'live', '2026-01-01T00:00:00.000Z')"
    )
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    for _ in range(2):
        with Journal(tmp_path) as journal:
            (kept,) = journal.examples.all()
            assert (kept.example.id, kept.state, kept.rating) == ("a", "live", None)
            assert journal._db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION


def test_a_newer_journal_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        path = journal.path
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="newer"):
        Journal(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("data", [b"no database", b"no database " * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_set_aside_as_it_is(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "shammah.db"
    for _ in range(2):
        file.write_bytes(data)
        with Journal(tmp_path) as journal:
            assert journal.recent(1) == []
    assert [kept.read_bytes() for kept in tmp_path.glob("shammah.db.aside-*")] == [data, data]


def test_a_folder_that_cannot_be_made_is_our_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError):
        Journal(tmp_path / "file" / "home")


def test_a_commit_that_a_reader_holds_up_is_our_error_and_the_next_one_works(journal: Journal) -> None:
    question = begin(journal)
    journal._db.execute("PRAGMA busy_timeout = 50")
    with contextlib.closing(sqlite3.connect(journal.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM questions").fetchall()
        with pytest.raises(JournalError, match="locked"):
            journal.save(question, [answer()])
        reader.execute("ROLLBACK")
    assert journal.answers(question) == []
    journal.save(question, [answer()])
    assert len(journal.examples.live()) == 1


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.errors import JournalError
from tests.runtime.test_journal import answer, ask, begin
from shammah.journal import Journal
with Journal(Path(sys.argv[1])) as journal:
    ask(journal, "kept")
    question = begin(journal)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size, unlimited[1]))
    try:
        journal.save(question, [answer(text="x" * 5_000_000)])
    except JournalError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert journal.answers(question) == []
    journal.save(question, [answer(text="after all")])
    assert [example.completion[0].content for example in journal.examples.live()] == ["Because.", "after all"]
"""


def test_a_full_disk_is_our_error_that_says_so_and_the_journal_lives_on(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(root)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 0, child.stderr
    # SQLite's words for a write that the system refused, one for each of its two paths.
    assert "disk" in child.stdout


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.runtime.test_journal import answer, begin
with Journal(Path(sys.argv[1])) as journal:
    while True:
        question = begin(journal)
        journal.save(question, [answer()], ("label", {"question": question.number}))
        print(question.id, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 5, 12])
def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        ids = [child.stdout.readline() for _ in range(acknowledged)]
        child.send_signal(signal.SIGKILL)
        ids += [line for line in child.stdout if line.endswith("\n")]
    with Journal(tmp_path) as journal:
        for id in ids:
            question = journal.question(id.strip())
            assert question
            assert len(journal.answers(question)) == 1
        kept = [answer for question in journal.recent(10_000) for answer in journal.answers(question)]
        # One may be committed that was not acknowledged any more; each is whole, with example and job.
        assert len(ids) <= len(kept) == len(journal.examples.live()) == len(journal.jobs.waiting()) <= len(ids) + 1
        assert journal._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


HALF_WRITER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.runtime.test_journal import ask
journal = Journal(Path(sys.argv[1]))
ask(journal, "kept")
before = journal.path.stat().st_size
with journal._db.write() as db:
    db.execute("UPDATE questions SET text = 'spoiled'")
    for _ in range(400):  # more than the cache of 2 MB holds: the file itself is written before the commit
        db.execute("INSERT INTO notices (created, text) VALUES ('', ?)", ("x" * 10_000,))
    assert journal.path.stat().st_size > before
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_killed_in_mid_transaction_leaves_what_was_before(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HALF_WRITER, str(tmp_path), str(Path(__file__).parents[2])]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert (tmp_path / "shammah.db-journal").stat().st_size > 0
    with Journal(tmp_path) as journal:
        assert [question.text for question in journal.recent(10)] == ["kept"]
        assert journal.notices.take() == []
        assert journal._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
