"""What the teacher costs stays within the budgets, whoever asks beside whom."""

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shammah.journal import Journal
from shammah.journal import spending as spending_module
from tests.kept import begin


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


def test_a_budget_is_summed_without_a_look_at_the_calls_themselves(journal: Journal) -> None:
    with contextlib.closing(sqlite3.connect(journal.path)) as db:
        [plan] = db.execute(f"EXPLAIN QUERY PLAN {spending_module.SUM}", ("2026-11", "2026-11~"))
    assert "USING COVERING INDEX spending_day" in plan[3]


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
