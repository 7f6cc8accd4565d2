"""What is to be fetched is remembered until it is here, or will not come."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shammah.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as journal:
        yield journal


def test_one_model_is_fetched_at_a_time(journal: Journal) -> None:
    assert journal.pulls.open_one() is None
    first = journal.pulls.want("qwen3-4b", "Qwen3 4B", 1000)
    assert journal.pulls.want("qwen3-8b", "Qwen3 8B", 2000) == first == journal.pulls.due()


def test_how_far_it_came_is_told_in_percent(journal: Journal) -> None:
    wanted = journal.pulls.want("qwen3-4b", "Qwen3 4B", 1000)
    assert wanted.percent == 0
    journal.pulls.advance(wanted, 505, 2000)  # the hub says that it is larger
    opened = journal.pulls.open_one()
    assert opened is not None
    assert (opened.done_bytes, opened.bytes, opened.percent) == (505, 2000, 25)


def test_what_could_not_be_had_now_waits(journal: Journal) -> None:
    wanted = journal.pulls.want("qwen3-4b", "Qwen3 4B", 1000)
    journal.pulls.postpone(wanted, "no network", 600)
    assert journal.pulls.due() is None
    opened = journal.pulls.open_one()
    assert opened is not None
    assert (opened.attempts, opened.error) == (1, "no network")
    journal.pulls.postpone(wanted, "no network", 0)
    assert journal.pulls.due() is not None


def test_its_end_is_said_once(journal: Journal) -> None:
    wanted = journal.pulls.want("qwen3-4b", "Qwen3 4B", 1000)
    journal.pulls.close(wanted, "It is here.")
    journal.pulls.close(wanted, "It is here.")
    assert journal.pulls.open_one() is None
    assert journal.notices.take() == ["It is here."]


def test_what_nobody_wants_any_more_ends_in_silence(journal: Journal) -> None:
    wanted = journal.pulls.want("qwen3-4b", "Qwen3 4B", 1000)
    journal.pulls.cancel(wanted)
    journal.pulls.close(wanted, "It is here.")
    assert journal.notices.take() == []
    assert journal.pulls.want("qwen3-8b", "Qwen3 8B", 2000).spec == "qwen3-8b"
