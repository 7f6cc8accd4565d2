"""What is exported is what TRL reads: SFT rows have no `rejected`, and DPO rows one by a user or a judge alone."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shammah.divergence import Divergence, Method
from shammah.exporting import Row, rows, write
from shammah.feedback import Feedback, rate
from shammah.journal import Journal
from shammah.journal.log import Filter
from shammah.policy import Reason, Side
from shammah.records.examples import Rating
from shammah.records.questions import Answer, Judgement, NewAnswer, Question
from shammah_convert.chat import Message

LOCAL = NewAnswer(Side.LOCAL, False, "ls", Reason.SAMPLED, "stop", "small", (), False, 1, 1, {})
TEACHER = NewAnswer(Side.TEACHER, True, "ls -A", Reason.COLD_START, "stop", "claude", (), True, 1, 1, {})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as journal:
        yield journal


def ask(journal: Journal, text: str, *answers: NewAnswer) -> tuple[Question, list[Answer]]:
    question = journal.begin("here", "base", [Message("system", "Be short."), Message("user", text)], 0, True)
    return question, journal.save(question, answers)


def judge(journal: Journal, local: Answer, teacher: Answer, grades: tuple[int, int]) -> None:
    journal.judgements.record(Judgement(local.id, teacher.id, 1, True, *grades, "so", "claude", 0.01))


def pairs(journal: Journal) -> list[tuple[str, str, str]]:
    return [(r["chosen"][0]["content"], r["rejected"][0]["content"], r["rejected_by"]) for r in rows(journal, "dpo")]


def test_an_sft_row_is_a_conversation_and_its_completion(journal: Journal) -> None:
    ask(journal, "list files", TEACHER)
    (row,) = rows(journal, "sft")
    assert row["prompt"] == [{"role": "system", "content": "Be short."}, {"role": "user", "content": "list files"}]
    assert row["completion"] == [{"role": "assistant", "content": "ls -A"}]
    assert "rejected" not in row, "TRL takes what has that column for preferences"
    assert (row["weight"], row["source"]) == (1.0, "teacher")


def test_what_a_user_rejected_is_a_pair(journal: Journal) -> None:
    question, _ = ask(journal, "list files", replace(LOCAL, is_shown=True))
    rate(journal, question, Feedback(Rating.CRITICAL, target="ls -la"), has_teacher=False)
    assert pairs(journal) == [("ls -la", "ls", "user")]
    assert [row["completion"][0]["content"] for row in rows(journal, "sft")] == ["ls -la"]


def test_what_a_judge_graded_lower_is_a_pair(journal: Journal) -> None:
    for text, grades in (("worse", (2, 5)), ("the same", (4, 4)), ("better", (5, 3))):
        _, (local, teacher) = ask(journal, text, LOCAL, TEACHER)
        judge(journal, local, teacher, grades)
    assert [row["prompt"][-1]["content"] for row in rows(journal, "dpo")] == ["worse"]
    assert pairs(journal) == [("ls -A", "ls", "judge")]


def test_what_similarity_or_the_validator_found_worse_is_no_pair(journal: Journal) -> None:
    question, (local, _) = ask(journal, "list files", replace(LOCAL, validator_probability=0.01), TEACHER)
    journal.lessons.teach(question, local, Divergence(0.9, Method.SEMANTIC), is_good=False)
    assert pairs(journal) == []


def test_a_users_word_beats_the_judges(journal: Journal) -> None:
    question, (local, teacher) = ask(journal, "list files", LOCAL, TEACHER)
    judge(journal, local, teacher, (1, 5))
    rate(journal, question, Feedback(Rating.CRITICAL, target="dir"), has_teacher=False)
    assert pairs(journal) == [("dir", "ls -A", "user")]


def test_what_waits_or_was_dropped_is_not_exported(journal: Journal) -> None:
    question, _ = ask(journal, "list files", replace(LOCAL, is_shown=True))
    rate(journal, question, Feedback(Rating.CRITICAL, "shorter"), has_teacher=False)
    ask(journal, "find files", TEACHER)
    journal.examples.drop(journal.examples.live()[0].id)
    assert list(rows(journal, "sft")) == []
    assert pairs(journal) == []


def test_a_filter_holds_for_examples_by_their_question(journal: Journal) -> None:
    ask(journal, "list files", TEACHER)
    ask(journal, "find files", TEACHER)
    (row,) = rows(journal, "sft", Filter(words=("list",)))
    assert row["prompt"][-1]["content"] == "list files"


def test_each_row_is_one_line_that_no_terminal_obeys(journal: Journal) -> None:
    ask(journal, "a\nb", replace(TEACHER, text="\x1b[2J\x9b2J\u2028 ü"))
    text = write(rows(journal, "sft"))
    assert text.count("\n") == len(text.splitlines()) == 1
    assert all(sign.isprintable() for sign in text.rstrip("\n"))
    row: Row = json.loads(text)
    assert row["completion"][0]["content"] == "\x1b[2J\x9b2J\u2028 ü"
