"""What happened is said once, whoever says it first."""

from pathlib import Path

from shammah.journal import Journal


def test_what_somebody_who_watched_has_said_is_not_said_again(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.notices.heard("training 1 promoted", "it is active")
        journal.notices.add_news("training 1 promoted", "it is active")
        journal.notices.add_news("training 2 promoted", "the other is")
        journal.notices.heard("training 2 promoted", "the other is")
        assert journal.notices.take() == []


def test_what_nobody_watched_is_news(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.notices.heard("training 1 queued", "it was killed")
        journal.notices.add_news("training 1 promoted", "it is active")
        assert journal.notices.take() == ["it is active"]
