"""A clock that jumps, an hour and ten years back and forth, between commands and while money is spent."""

import contextlib
import random
import time
from collections.abc import Iterator
from datetime import date

from shammah.journal import Journal
from shammah.journal.spending import today
from tests import clocks
from tests.docs.prepared import correct
from tests.fake_trainer import FakeTrainer
from tests.faults import intact
from tests.faults.promise import Promise, Trials
from tests.whole.command import Home
from tests.whole.corrected import shorten_general

AHEAD = (0.0, clocks.HOUR, -clocks.HOUR, clocks.DAY, -clocks.DAY, 10 * clocks.YEAR, -10 * clocks.YEAR)
COMMANDS = (
    ("ask", "--offline", "--json", "list hidden files"),
    ("feedback", "critical", "no", "--answer", "ls -A"),
    ("train", "--force"),
    ("adapters", "rollback"),
    ("log", "--since", "7d"),
    ("stats",),
    ("heads", "refit"),
    ("explain",),
    ("adapters", "list"),
    ("examples", "list"),
    ("checkpoint", "list"),
)
JUMPS = 40
"""Within one trial of the budgets."""


def commands(trials: Trials) -> str:
    """Run commands, each at another time; nothing waits for the year in which another one ran."""
    chance, home = random.Random(trials.seed), _made(trials)
    for number in range(trials.count):
        words, ahead = COMMANDS[number % len(COMMANDS)], chance.choice(AHEAD)
        before = intact.rows(home.path)
        done = home.run(*words, clock_seconds=ahead)
        where = f"{words} {ahead / clocks.DAY:g} days ahead: {done.stderr}"
        assert done.returncode in _codes(words), where
        assert "Traceback" not in done.stderr, where
        intact.check_database(home.path)
        after = intact.rows(home.path)
        assert all(before[table] <= after[table] for table in before), where
        _check_order(home)
    return _checked_jobs(home)


def _codes(words: tuple[str, ...]) -> tuple[int, ...]:
    """A rollback may find nothing before what is active, and no training may be worth it."""
    return (0, 1, 2) if words[0] == "adapters" else (0,)


def _made(trials: Trials) -> Home:
    variables = {"SHAMMAH_WORKER_ENABLED": "0", "SHAMMAH_TRAINER_PYTHON": FakeTrainer().write(trials.folder)}
    home = Home.used(trials.folder / "home", variables)
    shorten_general(home)
    with home.journal() as journal:
        correct(journal, "how do i start our staging server")
    return home


def _check_order(home: Home) -> None:
    """The newest answer is the one that came last, whatever the clock said then."""
    with home.journal() as journal:
        newest = journal._db.execute("SELECT max(number) FROM questions").fetchone()[0]
        assert journal.recent(1)[0].number == newest
        rows = [row[0] for row in journal._db.execute("SELECT id FROM examples ORDER BY rowid")]
        assert [kept.example.id for kept in journal.examples.all()] == rows


def _checked_jobs(home: Home) -> str:
    """A job that was put off in another year is due within an hour of this one."""
    with home.journal() as journal:
        journal.jobs.enqueue("refit", {"lineage": "x"})
        for ahead in AHEAD:
            with _at(ahead):
                job = journal.jobs.take(600.0, most_attempts=1000)
                assert job is not None, f"a job waits, {ahead / clocks.DAY:g} days ahead"
                journal.jobs.put_back(job, "not now", 600.0)
                assert not journal.jobs.waiting()
            with _at(0.0 if ahead else clocks.HOUR):
                assert journal.jobs.waiting(), f"a job waits for a clock {ahead / clocks.DAY:g} days ahead"
    return "no job waited for another year"


def budgets(trials: Trials) -> str:
    """Spend what may be spent, set the clock, and try again: what was shut stays shut unless time went forward."""
    chance, opened = random.Random(trials.seed), 0
    for number in range(trials.count):
        with Journal(trials.folder / str(number)) as journal:
            opened += _jump(journal, chance)
    return f"{trials.count * JUMPS:,} jumps, after which {opened:,} budgets opened, none by a jump back"


def _jump(journal: Journal, chance: random.Random) -> int:
    """Jump about; how often a budget opened."""
    last, opened = "", 0
    for _ in range(JUMPS):
        with _at(chance.choice(AHEAD) + chance.choice((0.0, 0.5, 1.0, 3.0, 31.0)) * clocks.DAY):
            day = today()
            spent = _spend(journal)
            assert not spent or day > last, f"${spent:g} could be spent again by a jump from {last} back to {day}"
            opened += spent > 0
            last = day
    return opened


def _spend(journal: Journal) -> float:
    """Reserve until the day's budget of a dollar is used up; how much that was."""
    spent = 0.0
    while journal.spending.reserve(0.25, 1.0, None, month_usd=1e9) is not None:
        spent += 0.25
    assert journal.spending.usd_today() >= 1.0
    assert journal.spending.usd_this_month() >= 1.0
    return spent


@contextlib.contextmanager
def _at(ahead: float) -> Iterator[None]:
    """Our own clock, so many seconds ahead."""
    before = date.today(), time.time()
    back = clocks.shift(ahead)
    try:
        yield
    finally:
        back()
    assert date.today() >= before[0]


PROMISES = (
    Promise(
        "clock",
        "A clock that jumps",
        "Where the clock jumps an hour, a day or ten years between commands, each works, nothing is lost, what came"
        " last is last, and no job waits for another year.",
        "commands",
        440,
        commands,
        least=len(COMMANDS),
    ),
    Promise(
        "budget-clock",
        "A clock that jumps",
        "A budget that is used up stays so when the clock is set back, and opens the next day after a wrong one.",
        "journals",
        250,
        budgets,
        least=2,
    ),
)
