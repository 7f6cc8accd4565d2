"""Questions are found by when they were asked, who answered, why, with what, and what was said of it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shammah.feedback import Feedback, rate
from shammah.journal import Journal
from shammah.journal.log import Filter
from shammah.policy import Reason, Side
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah_convert.chat import Message

LOCAL = NewAnswer(Side.LOCAL, True, "ls -A", Reason.OFFLINE, "stop", "small", (), False, 1, 1, {})
TEACHER = replace(LOCAL, side=Side.TEACHER, text="find .", reason=Reason.COLD_START, is_verified=True)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """A question a day: local, rejected; local, with an adapter; the teacher's, good; unanswered."""
    with Journal(tmp_path_factory.mktemp("home")) as journal:
        ask(journal, "list files", LOCAL, Rating.MEDIUM)
        ask(journal, "100% of it", replace(LOCAL, adapters=(("corrections_v1", 0.5),)))
        ask(journal, "find files", TEACHER, Rating.CRITICAL, Rating.GOOD)
        journal.begin("here", "base", [Message("user", "nobody knows")], 0, True)
        for number in range(1, 5):
            created = f"2026-11-{10 + number}T12:00:00.000Z"
            journal._db.execute("UPDATE questions SET created = ? WHERE number = ?", (created, number))
        yield journal


def ask(journal: Journal, text: str, answer: NewAnswer, *ratings: Rating) -> None:
    question = journal.begin("here", "base", [Message("user", text)], 0, True)
    journal.save(question, [answer])
    for rating in ratings:
        rate(journal, question, Feedback(rating, target="" if rating is Rating.GOOD else "other"), has_teacher=False)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), [4, 3, 2, 1]),
        (Filter(since="2026-11-12T12:00:00.000Z"), [4, 3, 2]),
        (Filter(until="2026-11-12T12:00:00.000Z"), [1]),
        (Filter(since="2026-11-12", until="2026-11-14"), [3, 2]),
        (Filter(side="local"), [2, 1]),
        (Filter(side="teacher"), [3]),
        (Filter(reason="cold_start"), [3]),
        (Filter(rating="medium"), [1]),
        (Filter(rating="critical"), []),  # the last word was another
        (Filter(rating="good"), [3]),
        (Filter(adapter="corrections_v1"), [2]),
        (Filter(adapter="corrections"), []),
        (Filter(adapter="correctionsXv1"), []),  # `_` is no wild card
        (Filter(words=("files",)), [3, 1]),
        (Filter(words=("files", "find")), [3]),
        (Filter(words=("100%",)), [2]),
        (Filter(words=("%",)), [2]),
        (Filter(side="local", words=("files",)), [1]),
    ],
)
def test_a_filter_leaves_in_what_it_names(wanted: Filter, found: list[int], journal: Journal) -> None:
    assert [question.number for question in journal.log.find(None, wanted)] == found


def test_no_more_are_found_than_are_wanted(journal: Journal) -> None:
    assert [question.number for question in journal.log.find(1, Filter(side="local"))] == [2]
