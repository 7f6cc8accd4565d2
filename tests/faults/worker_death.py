"""The background, killed at any moment of its work: it begins again where it was, and does nothing twice."""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shammah import features
from shammah.feedback import Feedback, rate
from shammah.generation import Finish
from shammah.journal import Journal
from shammah.journal.heads import REFIT_JOB
from shammah.policy import Reason, Side
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer, Question
from shammah_convert.chat import Message
from tests.faults import intact, restarts, sound
from tests.faults.ground import Ground
from tests.faults.lives import WORK, Life, Moment
from tests.faults.promise import Promise, Trials
from tests.faults.restarts import ROOMS

MOST_KILLS = 3
"""Of one home's background, before it comes to its end: whatever ends its worker five times is given up."""

COMPARED = ("how do i see the size of this folder", "how do i see how much room is left")
CORRECTED = "how do i see what takes the room here"
MAY_BE_ACTIVE = (("corrections-v2",), ("corrections-v3",))


@dataclass
class Workers:
    """The background of one home after another, and what was seen of it.

    Attributes:
        start_seconds: Of the processor, that importing takes.
        known_seconds: On the clock, that its work takes where nobody kills it.
    """

    ground: Ground
    start_seconds: float
    known_seconds: float = 2.0
    killed: int = 0
    finished: int = 0
    slowest_seconds: float = 0.0

    def kill(self, share: float) -> bool:
        """Kill it at a share of its work, and look; False where it was faster."""
        before = intact.rows(self.ground.home.path)
        life = self._work(Moment(0, share * self.known_seconds))
        self.killed += life.was_killed
        sound.check_nobody(self.ground)
        sound.check(self.ground, MAY_BE_ACTIVE)
        after = intact.rows(self.ground.home.path)
        lost = {table: before[table] - after[table] for table in before if before[table] - after[table]}
        assert not lost, f"rows are lost: {lost}"
        self.slowest_seconds = max(self.slowest_seconds, restarts.restart(self.ground, self.start_seconds))
        return life.was_killed

    def finish(self) -> None:
        """Let it come to its end, ten minutes later, and see that all is done, and once."""
        with self.ground.home.journal() as journal, journal._db.write() as db:
            db.execute("UPDATE jobs SET not_before = 0 WHERE state = 'queued'")
        life = self._work()
        assert life.code == 0, life.said
        self.known_seconds = (self.known_seconds + life.seconds[0]) / 2
        sound.check_nobody(self.ground)
        sound.check(self.ground, MAY_BE_ACTIVE)
        with self.ground.home.journal() as journal:
            _check_done(journal, life)
        assert self.ground.active() == ("corrections-v3",)
        self.finished += 1

    def _work(self, moment: Moment | None = None) -> Life:
        life = self.ground.live((WORK,), moment=moment, is_online=True)
        assert life.was_killed or life.code == 0, life.said
        return life


def killed(trials: Trials) -> str:
    """Kill the background of a home a few times, let it come to its end, and begin with another home."""
    chance = random.Random(trials.seed)
    with _workers(trials) as workers:
        while workers.killed < trials.count:
            workers.ground.put_back()
            _leave_work(workers.ground, chance)
            for _ in range(chance.randint(1, min(MOST_KILLS, trials.count - workers.killed))):
                share = chance.random()
                with _killing(f"{share:.2f} into its work"):
                    if not workers.kill(share):
                        break
            with _killing("finishing"):
                workers.finish()
        return (
            f"in {workers.finished} homes, each done in the end;"
            f" the slowest restart took {workers.slowest_seconds:.2f} s"
        )


@contextlib.contextmanager
def _workers(trials: Trials) -> Iterator[Workers]:
    with restarts.ground(trials) as ground:
        yield Workers(ground, restarts.start_seconds(*ROOMS))


@contextlib.contextmanager
def _killing(when: str) -> Iterator[None]:
    """Say when it was killed, where something is broken by it."""
    try:
        yield
    except Exception as error:
        error.add_note(f"killed {when}")
        raise


def _leave_work(ground: Ground, chance: random.Random) -> None:
    """Leave comparisons, a better answer to find, re-fits and a training, in any order."""
    lineage = ground.facts.base.sha256
    with ground.home.journal() as journal:
        compared = [_asked(journal, lineage, text) for text in COMPARED]
        corrected = _asked(journal, lineage, CORRECTED)
        work: list[Callable[[], object]] = [
            *(lambda number=one.number: journal.jobs.enqueue("label", {"question": number}) for one in compared),
            lambda: rate(journal, corrected, Feedback(Rating.CRITICAL, "this folder alone"), has_teacher=True),
            lambda: journal.jobs.enqueue(REFIT_JOB, {"lineage": lineage}),
            lambda: journal.trainings.queue(lineage, is_automatic=False, is_forced=True),
        ]
        for leave in chance.sample(work, len(work)):
            leave()


def _asked(journal: Journal, lineage: str, text: str) -> Question:
    """A question that was answered here, and may go to the teacher."""
    question = journal.begin("a session", lineage, [Message("user", text)], 0, may_go_online=True)
    question = journal.note_route(question, features.of_question(text), None, 0.5)
    answer = NewAnswer(Side.LOCAL, True, "df", Reason.LOCAL_CONFIDENT, Finish.STOP, "m", (), False, 9, 1, {})
    journal.save(question, [answer])
    return question


def _check_done(journal: Journal, life: Life) -> None:
    """Each job is done, and what it was to bring is there once."""
    jobs = [tuple(row) for row in journal._db.execute("SELECT kind, state, error FROM jobs WHERE state != 'done'")]
    assert not jobs, f"{jobs} are not done: {life.said}"
    last = journal.trainings.last()
    assert last is not None
    assert (last.number, last.state) == (3, "promoted"), last
    for text in COMPARED:
        lessons = journal._db.execute(
            "SELECT head, count(*) FROM lessons l JOIN questions q ON q.number = l.question WHERE q.text = ?"
            " GROUP BY head ORDER BY head",
            (text,),
        )
        assert [tuple(row) for row in lessons] == [("router", 1), ("validator", 1)], "it was learnt twice, or never"
    found = [kept for kept in journal.examples.live() if kept.prompt[-1].content == CORRECTED]
    assert [kept.completion[0].content for kept in found] == ["du -sh ."]


WORKER = Promise(
    "worker-death",
    "Process death",
    "Whenever the background is killed within comparisons, better answers, re-fits or a training, the database is"
    " whole, nothing is lost, no trainer and no lock is left, the next answer takes less than 2 s, and when it begins"
    " again it comes to its end, with each lesson, target and adapter there once.",
    "kills",
    250,
    killed,
    least=3,
)
