"""The benchmark of the figures counts a journal that has something of everything."""

from datetime import date
from pathlib import Path

from bench import figures
from shammah.journal import Journal
from shammah.journal.counted import Scope
from shammah.settings import Settings
from shammah.stats.figures import gather


def test_the_journal_that_is_measured_has_answers_labels_and_costs(tmp_path: Path) -> None:
    figures.fill(tmp_path, 60)
    with Journal(tmp_path) as journal:
        found = gather(journal, Settings(tmp_path), Scope(), None, date.today())
    assert found.questions.answered == found.questions.asked == 60
    assert found.quality.compared.judged > 5
    assert found.router.error is not None
    assert found.money.spent_usd > 0


def test_both_rows_stand_beside_reading_everything_once() -> None:
    measured = list(figures.rows(40, 1))
    assert [row.name for row in measured] == [
        "figures of 40 questions, all days",
        "figures of 40 questions, the last 7 days",
    ]
    assert all("reading each question and answer once" in row.detail for row in measured)
