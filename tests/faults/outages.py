"""A teacher that comes and goes: who is let through to it, and who is answered without waiting."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from shammah.breaker import LONGEST_PAUSE_SECONDS, MOST_FAILURES, TRIAL_SECONDS
from shammah.errors import TeacherError, TeacherPaused
from shammah.journal import Journal
from tests.faults.promise import Promise, Trials
from tests.scripted import Scripted, teacher_side

TEACHER = "claude-test"
MOST_SECONDS = 0.5
AT_ONCE = 8


def check(trials: Trials) -> str:
    """Live through outages, each with several processes' journals; one after the other, and all at once."""
    refused = 0
    for number in range(trials.count):
        chance, folder = random.Random(f"{trials.seed} {number}"), trials.folder / f"{number}"
        with ExitStack() as held:
            journals = [held.enter_context(Journal(folder)) for _ in range(3)]
            for journal in journals:
                journal._db.execute("PRAGMA synchronous = OFF")  # another promise is about the disk
            refused += _history(chance, journals)
        if number % 20 == 0:
            _rush(trials, number)
    _check_sides(trials)
    return f"{refused} calls spared"


def _history(chance: random.Random, journals: list[Journal]) -> int:
    """Calls at random times, of a teacher that is there or not; how many were spared."""
    now, failures, refused, trial_until, is_away = 1e9, 0, 0, 0.0, True
    for _ in range(60):
        now += chance.choice((0.1, 1.0, 20.0, 40.0, TRIAL_SECONDS + 1, LONGEST_PAUSE_SECONDS + 1))
        is_away = is_away if chance.random() < 0.8 else not is_away
        outage = chance.choice(journals).outages.enter(TEACHER, now)
        if outage is not None:
            assert failures >= MOST_FAILURES, f"refused after {failures} failures"
            assert now < outage.until <= now + LONGEST_PAUSE_SECONDS, f"until {outage.until}, at {now}"
            refused += 1
            continue
        if failures >= MOST_FAILURES:
            assert now >= trial_until, "two tried at once"
            trial_until = now + TRIAL_SECONDS
            if chance.random() < 0.2:
                continue  # whoever tried was killed
        chance.choice(journals).outages.note(TEACHER, is_away, now)
        failures = failures + 1 if is_away else 0
        trial_until = journals[0].outages.of(TEACHER).until
        assert journals[0].outages.of(TEACHER).failures == failures, "a failure was lost"
    return refused


def _rush(trials: Trials, number: int) -> None:
    """Of all that come at once after a pause, one is let through."""
    folder, now = trials.folder / f"rush-{number}", 1e9
    with Journal(folder) as journal:
        for _ in range(MOST_FAILURES):
            journal.outages.note(TEACHER, True, now)

    def enter(_: int) -> bool:
        with Journal(folder) as journal:
            return journal.outages.enter(TEACHER, now + LONGEST_PAUSE_SECONDS) is None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        let_through = sum(pool.map(enter, range(AT_ONCE)))
    assert let_through == 1, f"{let_through} tried at once"


def _check_sides(trials: Trials) -> None:
    """The whole side: spared calls cost neither time nor money, and whoever insists is heard."""
    error = TeacherError("gone")
    error.is_away = error.is_free = True
    teacher = Scripted(error, model=TEACHER)
    side = teacher_side(teacher)
    with Journal(trials.folder / "sides") as journal:
        for _ in range(2 * MOST_FAILURES):
            started = time.thread_time()
            try:
                side.complete(journal, None, lambda _: None)
            except TeacherPaused:
                assert time.thread_time() - started < MOST_SECONDS
            except TeacherError:
                continue
        assert len(teacher.asked) == MOST_FAILURES, f"asked {len(teacher.asked)} times"
        assert journal.spending.usd_today() == 0.0


BREAKER = Promise(
    "breaker", "The teacher", "A teacher that was out of reach three times in a row delays no question: after a pause"
    " one call tries again, whichever process makes it.", "histories of 60 calls", 1000, check, least=10,
)  # fmt: skip
