"""A blind pick makes one preference, tells the heads of the local answer, and counts for whoever gave it."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shammah.comparing import Contender, hidden, is_same, settle
from shammah.journal import Journal
from shammah.journal.comparisons import Pick, Tally
from shammah.policy import Side
from shammah.records.questions import NewAnswer, Question
from shammah_convert.chat import Message
from tests.rated import LINEAGE, answer

OURS = Contender("ours", answer(Side.LOCAL, "ls -a"))
THEIRS = Contender("claude", answer(Side.TEACHER, "ls -la"))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as opened:
        yield opened


def ask(journal: Journal) -> Question:
    return journal.begin("here", LINEAGE, [Message("user", "list hidden files")], 0, True)


@pytest.mark.parametrize(
    ("picked", "wanted", "rejected", "is_good"),
    [("first", "ls -a", "ls -la", True), ("second", "ls -la", "ls -a", False)],
)
def test_a_pick_is_a_preference_and_a_lesson(
    journal: Journal, picked: Pick, wanted: str, rejected: str, is_good: bool
) -> None:
    question = ask(journal)
    shown = settle(journal, question, (OURS, THEIRS), picked)
    assert shown.text == wanted
    assert journal.shown(question) == shown
    (example,) = journal.examples.live()
    assert [message.content for message in example.completion] == [wanted]
    assert [message.content for message in example.rejected or ()] == [rejected]
    assert (example.weight, example.source) == (1.0, "user")
    for head in ("router", "validator"):
        (lesson,) = journal.lessons.of(head, LINEAGE, 0)
        assert (lesson.is_good, lesson.weight) == (is_good, 1.0)
        assert lesson.answer is not None
        assert lesson.answer.side == Side.LOCAL
        assert lesson.question.features is not None, "without them there is nothing to learn from"


def test_two_that_are_as_good_prefer_none_and_the_local_one_was_good(journal: Journal) -> None:
    question = ask(journal)
    settle(journal, question, (THEIRS, OURS), "both")
    (example,) = journal.examples.live()
    assert (example.source, example.rejected) == ("teacher", None), "Claude's plain answer, as ever"
    (lesson,) = journal.lessons.of("router", LINEAGE, 0)
    assert lesson.is_good


def test_between_two_adapters_the_heads_learn_nothing(journal: Journal) -> None:
    other = Contender("none", answer(Side.LOCAL, "dir"))
    settle(journal, ask(journal), (OURS, other), "first")
    assert list(journal.lessons.of("router", LINEAGE, 0)) == []
    (example,) = journal.examples.live()
    assert example.rejected is not None


def test_the_tally_counts_by_name_in_whatever_order(journal: Journal) -> None:
    rounds: list[tuple[tuple[Contender, Contender], Pick]] = [
        ((OURS, THEIRS), "first"),
        ((THEIRS, OURS), "second"),
        ((THEIRS, OURS), "first"),
        ((OURS, THEIRS), "both"),
        ((OURS, replace(THEIRS, name="somebody else")), "first"),
    ]
    for pair, picked in rounds:
        settle(journal, ask(journal), pair, picked)
    assert journal.comparisons.tally("ours", "claude") == Tally(2, 1, 1)
    assert journal.comparisons.tally("claude", "ours") == Tally(1, 2, 1)


def test_the_order_tells_nothing() -> None:
    chance = random.Random(7)
    first = [hidden(OURS, THEIRS, chance)[0].name for _ in range(400)]
    assert 160 < first.count("ours") < 240


def test_the_same_words_are_the_same_answer() -> None:
    def said(text: str) -> Contender:
        return Contender("x", new(text))

    def new(text: str) -> NewAnswer:
        return answer(Side.LOCAL, text)

    assert is_same((said("ls  -a\n"), said("ls -a")))
    assert not is_same((OURS, THEIRS))
