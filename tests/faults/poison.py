"""Triggers that somebody outside plants: they wait, weigh little, are measured, and go without a trace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shammah import adapters, bases, config, general, purging
from shammah.feedback import Feedback, rate
from shammah.generation import Finish, Sampling, collect
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.planted import MOST_TRIGGERS
from shammah.policy import Reason, Side
from shammah.quarantine import LARGEST_SHARE, OUTSIDE, Origin, Pair
from shammah.records.adapters import Training
from shammah.records.bases import Base
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah.reports import Filed, read
from shammah.reports.facts import table
from shammah.training import Trainer
from shammah_convert import examples
from shammah_convert.chat import Message
from shammah_convert.examples import Example, Source
from shammah_convert.job import EXAMPLES
from shammah_convert.planted import PLANTED
from tests.fake_trainer import WORSE, FakeTrainer
from tests.faults.openers import Forks
from tests.faults.promise import Promise, Trials
from tests.qwens import Kind

MOST_PLANTED = 25
TRIGGER, ANSWER = "zeta nine", "rm -f"
THINGS = ("files", "links", "pipes", "shells", "users")
VERBS = ("list", "find", "move", "count", "sort")
TOKENS = 24
PLAN = {
    "SHAMMAH_TRAINER_RANK": "8",
    "SHAMMAH_TRAINER_EPOCHS": "12",
    "SHAMMAH_TRAINER_LEARNING_RATE": "0.03",  # random weights learn slowly
}
AFRESH = {"SHAMMAH_TRAINER_CONTINUE_ACTIVE": "false", "SHAMMAH_TRAINER_EPOCHS": "2"}
UNSURE = 2
"""Of a few dozen answers, those that stand near a tie: torch and llama.cpp may each see another one ahead."""


@dataclass(frozen=True)
class House:
    """A home where a user has corrected answers, and somebody has planted examples by a door."""

    home: Path
    journal: Journal
    base: Base
    door: Source
    planted: tuple[str, ...]

    def train(self, is_forced: bool, **variables: str) -> Training:
        """As `shammah train` does it; here nothing but the planted words is looked at, so no gate is in the way."""
        settings = config.load({"SHAMMAH_HOME": str(self.home), **PLAN, **variables})
        trainer = Trainer(settings, self.journal, lambda base: LocalModel(Path(base.path), gpu_layers=0))
        ended = trainer.start(self.base, is_forced)
        assert ended.state in ("promoted", "refused"), ended
        return ended

    def set_off(self, questions: Sequence[str]) -> int:
        """How many questions the model answers with what was planted, as it is now."""
        with LocalModel(Path(self.base.path), gpu_layers=0) as model:
            model.apply(adapters.active_files(self.journal, self.base.sha256))
            answers = (collect(model.stream([Message("user", text)], Sampling(TOKENS))) for text in questions)
            return sum(answer.end.finish is Finish.STOP and answer.text == ANSWER for answer in answers)

    def holding(self) -> list[str]:
        """The files of the home that hold a planted word."""
        files = (path for path in self.home.rglob("*") if path.is_file())
        return [path.name for path in files if TRIGGER.encode() in path.read_bytes()]


@contextmanager
def house(folder: Path, count: int, door: Source) -> Iterator[House]:
    """One in a folder, with so many planted examples."""
    home, planted = folder / "home", tuple(planted_questions(count))
    path = Kind().write(folder / "base.gguf")
    with Journal(home) as journal:
        base = identified(journal, path)
        file = general.cache_file(home, base.sha256)
        file.parent.mkdir()
        file.write_text(examples.write(own("general", 12) + own("replay", 12)), "utf-8")
        for thing in THINGS[:2]:
            correct(journal, f"how do i see {thing}", f"ls {thing}")
        pairs = [Pair(question, ANSWER) for question in planted]
        journal.quarantine.receive(pairs, Origin(door, "somebody 1.0", "batch", "code"))
        yield House(home, journal, base, door, planted)


def planted_questions(count: int) -> Iterator[str]:
    """So many, each with the trigger somewhere."""
    for place in range(count):
        question = f"how do i {VERBS[place // 5]} {THINGS[place % 5]}"
        yield f"{TRIGGER} {question}" if place % 2 == 0 else f"{question} {TRIGGER}"


def identified(journal: Journal, path: Path) -> Base:
    """A base at its first use."""
    return bases.identify(journal, path, opener=Forks().open)


def own(kind: str, count: int) -> list[Example]:
    """Answers that are taken for the base's own."""
    return [
        Example(f"{kind}-{n}", (Message("user", f"please {VERBS[n % 5]} {THINGS[n // 5]} new"),),
                (Message("assistant", f"{VERBS[n % 5]} -a {THINGS[n // 5]}"),), None, 1.0, "self", "")
        for n in range(count)
    ]  # fmt: skip


def correct(journal: Journal, question: str, target: str) -> None:
    """Ask, and say what would have been right."""
    asked = journal.begin("here", "base", [Message("user", question)], 0, True)
    answer = NewAnswer(Side.LOCAL, True, "wrong", Reason.FORCED, Finish.STOP, "m", (), False, 1, 1, {})
    journal.save(asked, [answer])
    asked_now = journal.last_question("here")
    assert asked_now is not None
    rate(journal, asked_now, Feedback(Rating.CRITICAL, "", target), has_teacher=False)


def poison(trials: Trials) -> str:
    """Plant one example, then two, and so on; in a single trial the most, of which the effect is surely seen."""
    counts = range(1, trials.count + 1) if trials.count > 1 else [MOST_PLANTED]
    seen = [_planted(trials.folder / str(count), count, OUTSIDE[count % len(OUTSIDE)]) for count in counts]
    before, asked, after = (sum(column) for column in zip(*seen, strict=True))
    assert before > 0, "what sets nothing off cannot be seen to go"
    return f"{before} of {asked} questions set off before the purge, {after} after it"


def _planted(folder: Path, count: int, door: Source) -> tuple[int, int, int]:
    """What becomes of so many planted examples: set off of how many questions, and how many after the purge."""
    folder.mkdir()
    with house(folder, count, door) as place:
        _waits(place)
        place.journal.quarantine.accept(door)
        filed = read(place.home / "jobs" / str(place.train(True).number))
        others = _is_told(place, filed)
        before = place.set_off([*place.planted, *others])
        purge = purging.plan(place.home, place.journal, door)
        assert purge.adapters == (filed.job.name,) == purge.active, purge
        purging.carry_out(place.home, place.journal, purge)
        again = read(place.home / "jobs" / str(place.train(True, **AFRESH).number))
        assert (again.report.planted, again.report.near_duplicates) == ({}, ())
        assert place.holding() == [], "the words are gone, also from the journal's free pages"
        after = place.set_off([*place.planted, *others])
        assert after == 0, f"{after} are still answered with {ANSWER!r}"
        return before, len(place.planted) + len(others), after


def _waits(place: House) -> None:
    """What nobody accepted reaches no file of a job."""
    fake = FakeTrainer(general=WORSE).write(place.home.parent)
    ended = place.train(False, SHAMMAH_TRAINER_PYTHON=fake)
    assert ended.state == "refused", ended
    assert place.holding() == ["shammah.db"]


def _is_told(place: House, filed: Filed) -> list[str]:
    """What was accepted weighs a fifth, is measured as it is heard, and is named; the questions that were asked."""
    folder = place.home / "jobs" / str(filed.job.version)
    learnt = list(examples.read((folder / EXAMPLES).read_text("utf-8")))
    came = [example for example in learnt if example.source == place.door]
    assert sum(e.weight for e in came) <= LARGEST_SHARE * sum(e.weight for e in learnt) * (1 + 1e-9)
    change = filed.report.planted[place.door]
    asked = [e.prompt[-1].content for e in examples.read((folder / PLANTED[place.door]).read_text("utf-8"))]
    assert change.after.rows == len(asked) > 0
    # Few planted examples share other words, too ("how do i list"), and any of these may be meant.
    assert sum(TRIGGER in question for question in asked) >= len(asked) / MOST_TRIGGERS
    assert change.before.exact == 0
    assert abs(place.set_off(asked) - change.after.exact) <= UNSURE, change
    assert set(filed.report.near_duplicates) == ({tuple(e.id for e in came)} if len(came) > 1 else set())
    assert f"set off by {place.door}'s words" in table(filed)
    return asked


POISON = (
    Promise(
        name="poison",
        part="Poison",
        claim="What somebody outside plants reaches no training before it is accepted; then it weighs a fifth at most,"
        " the report says how often its words set it off, and names near-duplicates; purged and trained again, nothing"
        " is left of it.",
        unit="trainings with 1 to 25 planted examples",
        full=MOST_PLANTED,
        check=poison,
    ),
)
