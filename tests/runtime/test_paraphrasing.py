"""The teacher says corrections in other words, once, within the budget, and nothing leaves that is to stay."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shammah.errors import KeyMissing, TeacherError
from shammah.feedback import Feedback, rate
from shammah.generation import Finish
from shammah.journal import Journal
from shammah.paraphrasing import EACH, LONGEST_QUESTION, MOST_QUESTIONS, Paraphraser, parse
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah_convert.chat import Message
from shammah_convert.examples import Example
from tests.scripted import Scripted, teacher_side


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as opened:
        yield opened


def correct(journal: Journal, text: str, online: bool = True, earlier: tuple[Message, ...] = ()) -> Example:
    question = journal.begin("here", "base", [*earlier, Message("user", text)], 0, online)
    journal.save(question, [NewAnswer("local", True, "no", "forced", "stop", "m", (), False, 1, 1, {})])
    rate(journal, question, Feedback(Rating.CRITICAL, "", f"answer to {text}"), has_teacher=False)
    return journal.examples.live()[-1]


def test_each_correction_is_asked_in_other_words_with_its_own_target(journal: Journal) -> None:
    earlier = (Message("user", "hello"), Message("assistant", "hi"))
    asked = [correct(journal, "list files"), correct(journal, "copy a folder", earlier=earlier)]
    teacher = Scripted("1. show files\n1. which files are there\n2. duplicate a directory")
    found = Paraphraser(journal, teacher_side(teacher))(asked)
    assert [example.prompt[-1].content for example in found] == [
        "show files",
        "which files are there",
        "duplicate a directory",
    ]
    assert [example.completion for example in found] == [asked[0].completion] * 2 + [asked[1].completion]
    assert found[2].prompt[:-1] == earlier
    assert len({example.id for example in found}) == 3
    ((message,),) = teacher.asked
    assert message.content.endswith("\n1. list files\n2. copy a folder")


def test_what_is_to_stay_on_the_machine_is_not_sent(journal: Journal) -> None:
    asked = [correct(journal, "a secret plan", online=False), correct(journal, "list files")]
    teacher = Scripted("1. show files")
    (found,) = Paraphraser(journal, teacher_side(teacher))(asked)
    assert found.completion == asked[1].completion
    assert "secret" not in teacher.asked[0][0].content
    assert Paraphraser(journal, teacher_side(teacher))(asked[:1]) == []
    assert len(teacher.asked) == 1, "nobody is asked about nothing"


def test_long_and_old_questions_are_left_out(journal: Journal) -> None:
    asked = [correct(journal, f"question {place}") for place in range(MOST_QUESTIONS + 2)]
    asked.append(correct(journal, "x" * (LONGEST_QUESTION + 1)))
    teacher = Scripted("1. other words")
    (found,) = Paraphraser(journal, teacher_side(teacher))(asked)
    assert found.completion == asked[2].completion
    assert teacher.asked[0][0].content.count("\n") == 1 + MOST_QUESTIONS


def test_repetitions_and_too_many_are_left_out(journal: Journal) -> None:
    asked = [correct(journal, "list files")]
    lines = ["1. List files!", "1. show files", "1. Show  files?", *(f"1. way {place}" for place in range(9)), "7. x"]
    found = Paraphraser(journal, teacher_side(Scripted("\n".join(lines))))(asked)
    assert [example.prompt[-1].content for example in found] == ["show files", "way 0", "way 1"]
    assert len(found) == EACH


@pytest.mark.parametrize(
    "teacher",
    [
        Scripted(TeacherError("it is late")),
        Scripted(KeyMissing("refused")),
        Scripted("1. show files", finish=Finish.LENGTH),
        Scripted("I cannot do that."),
        Scripted(""),
    ],
    ids=["fails", "has no key", "is cut", "refuses", "is silent"],
)
def test_a_training_does_without_where_the_teacher_gives_none(journal: Journal, teacher: Scripted) -> None:
    assert Paraphraser(journal, teacher_side(teacher))([correct(journal, "list files")]) == []


def test_beyond_the_days_budget_nobody_is_asked(journal: Journal) -> None:
    teacher = Scripted("1. show files")
    assert Paraphraser(journal, teacher_side(teacher, max_usd_per_day=0.0))([correct(journal, "list files")]) == []
    assert teacher.asked == []


def test_the_call_is_paid_for_and_short(journal: Journal) -> None:
    side = replace(teacher_side(Scripted("1. show files")), max_tokens=100_000, max_usd_per_day=0.05)
    assert Paraphraser(journal, side)([correct(journal, "list files")]), "2,000 tokens at most cost 2 cents"
    assert 0 < journal.spending.usd_today() < 0.05


def test_a_cancelled_training_hears_no_more(journal: Journal) -> None:
    paraphraser = Paraphraser(journal, teacher_side(Scripted("1. show files")))
    assert paraphraser([correct(journal, "list files")], lambda: True) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1. show files", [(1, "show files")]),
        ("  12) show 3.5 files", [(12, "show 3.5 files")]),
        ("2: what is `a: b`?", [(2, "what is `a: b`?")]),
        ("Here you are:", []),
        ("1.", []),
        ("1.5 files", []),
        ("", []),
    ],
)
def test_only_numbered_lines_are_read(line: str, expected: list[tuple[int, str]]) -> None:
    assert list(parse(line)) == expected
