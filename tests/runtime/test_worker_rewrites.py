"""The worker finds a better answer for a rejected one, or asks the user."""

from dataclasses import replace
from pathlib import Path

import pytest

from shammah import hardware
from shammah.feedback import Feedback, rate
from shammah.journal import Journal
from shammah.journal.jobs import MOST_ATTEMPTS
from shammah.records.examples import Rating
from shammah.records.questions import Question
from shammah.settings import Settings
from shammah.worker import Worker
from shammah_convert.chat import Message
from tests.known import record_tiny
from tests.worked import answer, settings, state_of

__all__ = ["settings"]


def rejected(journal: Journal, settings: Settings, may_ask_teacher: bool) -> Question:
    """A rejected local answer, with the job that looks for a better one."""
    base = record_tiny(journal, Path(settings.model.path))
    question = journal.begin("session", base.sha256, [Message("user", "list files")], 0, True)
    journal.save(question, [answer("local", "rm -rf")])
    rate(journal, question, Feedback(Rating.CRITICAL, "not that"), may_ask_teacher)
    return question


def test_a_rejected_answer_gets_a_better_one_from_the_local_model(journal: Journal, settings: Settings) -> None:
    rejected(journal, settings, may_ask_teacher=False)
    Worker(settings, journal).work()
    (kept,) = journal.examples.all()
    notices = journal.notices.take()
    assert state_of(journal) == [("done", None)]
    # The tiny model's nonsense is cut at the limit or is an answer; it is never learnt cut.
    assert (kept.state, kept.example.source, notices) == ("live", "self", []) or (kept.state == "pending" and notices)


@pytest.mark.parametrize(("is_offline", "words"), [(True, "offline"), (False, "no key")])
def test_a_teacher_that_was_promised_is_waited_for_a_day(
    journal: Journal, settings: Settings, is_offline: bool, words: str
) -> None:
    rejected(journal, settings, may_ask_teacher=True)
    Worker(replace(settings, offline=is_offline), journal).work()
    ((state, error),) = state_of(journal)
    assert state == "queued"
    assert words in (error or "")
    journal._db.execute("UPDATE jobs SET not_before = 0")
    journal._db.execute("UPDATE ratings SET created = '2026-01-01T00:00:00.000Z'")
    Worker(settings, journal).work()
    assert state_of(journal) == [("done", None)]


def test_where_the_model_is_gone_the_user_is_asked(journal: Journal, settings: Settings) -> None:
    rejected(journal, settings, may_ask_teacher=False)
    Path(settings.model.path).unlink()
    Worker(settings, journal).work()
    assert state_of(journal) == [("done", None)]
    (notice,) = journal.notices.take()
    assert "--answer" in notice


def test_a_search_that_fails_for_good_is_told(journal: Journal, settings: Settings) -> None:
    rejected(journal, settings, may_ask_teacher=False)
    Path(settings.model.path).write_bytes(b"no model any more")
    for attempt in range(MOST_ATTEMPTS):
        journal._db.execute("UPDATE jobs SET not_before = 0")
        assert journal.notices.take() == []
        Worker(settings, journal).work()
        assert state_of(journal)[0][0] == ("queued" if attempt + 1 < MOST_ATTEMPTS else "failed")
    (notice,) = journal.notices.take()
    assert "--answer" in notice


def test_a_local_rewrite_waits_for_free_ram(
    journal: Journal, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected(journal, settings, may_ask_teacher=False)
    monkeypatch.setattr(hardware, "ram_available_bytes", lambda: 1000)
    Worker(settings, journal).work()
    ((state, error),) = state_of(journal)
    assert state == "queued"
    assert (error or "").endswith("GB of RAM, 0.0 GB are free")
