"""The wire to the teacher: whatever it does, a question ends in time, in the right words, and in no bad row."""

import random
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from shammah.assistant import Assistant
from shammah.catalog import Price
from shammah.generation import Chunk, Sampling, Stop, never
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.settings import TeacherSettings
from shammah.sides import TeacherSide
from shammah.teacher import Access, Teacher
from shammah.turn import Outcome, Request
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.faults.promise import Promise, Trials
from tests.faults.pulse import Pulse
from tests.faults.wire_faults import LATE, SAID, Fault, faults
from tests.faults.wire_server import WireServer
from tests.scripted import Recorder, Scripted, local_side

GRACE_SECONDS = 0.5
DEADLINES_SECONDS = (0.4, 0.7, 1.0)
PATIENT_SECONDS = 20.0  # for what ends by itself, on a busy machine too
AT_ONCE, MOST_TRIES = 8, 4
LOCALLY = "the answer of the local model"


@dataclass
class Heard:
    """A teacher, with what became of its calls: the error that each raised, and how long each took."""

    teacher: Teacher
    model: str = "claude-test"
    errors: list[Exception] = field(default_factory=list)
    seconds: float = 0.0

    def stream(self, messages: Sequence[Message], sampling: Sampling, stop: Stop = never) -> Iterator[Chunk]:
        """Complete a conversation."""
        started = time.monotonic()
        try:
            yield from self.teacher.stream(messages, sampling, stop)
        except Exception as error:
            self.errors.append(error)
            raise
        finally:
            self.seconds = time.monotonic() - started


def check(trials: Trials) -> str:
    """Ask over a wire that fails, each time in another way."""
    known = faults()
    chance = random.Random(trials.seed)
    chosen = [known[number % len(known)] for number in range(trials.count)]
    chance.shuffle(chosen)
    _warm()
    with Pulse() as pulse, ThreadPoolExecutor(AT_ONCE) as pool:
        late = list(pool.map(lambda pair: _in_time(trials.folder / f"{pair[0]}", pair[1], pulse), enumerate(chosen)))
    return f"{len(set(chosen))} kinds of faults, {max(late):.2f} s after the deadline at most"


def _warm() -> None:
    """Import the SDK, which no short deadline is to pay for."""
    with AnthropicServer([Answer("warm")]) as server:
        teacher = Teacher(Access("a-key", server.url), TeacherSettings(), None)
        list(teacher.stream([Message("user", "warm?")], Sampling(10)))


def _in_time(folder: Path, fault: Fault, pulse: Pulse) -> float:
    """Ask; by how much the deadline was passed. What is late is asked again: a busy machine is not late each time."""
    folder.mkdir()
    late = [_try(folder / "0", fault, pulse)]
    while late[-1] >= GRACE_SECONDS and len(late) < MOST_TRIES:
        late.append(_try(folder / f"{len(late)}", fault, pulse))
    assert late[-1] < GRACE_SECONDS, f"{fault.name}: {late} s after the deadline"
    return late[-1]


def _try(home: Path, fault: Fault, pulse: Pulse) -> float:
    """Ask once; by how much the deadline was passed."""
    deadline = random.Random(f"{home}").choice(DEADLINES_SECONDS) if LATE in fault.words else PATIENT_SECONDS
    home.mkdir()
    with WireServer(fault.steps) as server, Journal(home) as journal:
        url = server.url.replace("http:", f"{fault.scheme}:")
        journal._db.execute("PRAGMA synchronous = OFF")  # another promise is about the disk
        settings = TeacherSettings(deadline_seconds=deadline)
        heard = Heard(Teacher(Access("a-key", url), settings, Price(2.0, 10.0)))
        started = time.monotonic()
        outcome = _ask(journal, heard)
        kept_waiting = pulse.kept_waiting(started)
        _check_outcome(fault, outcome, heard, journal)
        requests = server.requests
    assert requests <= fault.most_requests, f"{fault.name}: asked {requests} times"
    return heard.seconds - deadline - kept_waiting


def _ask(journal: Journal, heard: Heard) -> Outcome:
    heads = Heads(journal.path.parent, journal, "f" * 64, "bayes")
    teacher = TeacherSide(heard, Price(2.0, 10.0), 1000, 1.0)
    return Assistant(journal, heads, local_side(Scripted(LOCALLY)), teacher).ask(Request("hello?", "here"), Recorder())


def _check_outcome(fault: Fault, outcome: Outcome, heard: Heard, journal: Journal) -> None:
    """No answer that is none, and the local one, marked, in its place."""
    answers = journal.answers(outcome.question)
    if not fault.words:
        assert not heard.errors, f"{fault.name}: {heard.errors}"
        assert (outcome.text, outcome.answer.side) == (SAID, "teacher"), f"{fault.name}: {outcome.text}"
        return
    assert len(heard.errors) == 1, f"{fault.name}: answered {outcome.text!r}"
    error = heard.errors[0]
    assert type(error).__name__ == fault.kind, f"{fault.name}: {error!r}"
    assert re.search(fault.words, f"{error} {getattr(error, 'hint', '')}"), f"{fault.name}: {error}"
    assert (outcome.text, outcome.answer.side) == (LOCALLY, "local"), fault.name
    assert outcome.answer.reason == "teacher_failed", f"{fault.name}: {outcome.answer.reason}"
    assert not outcome.answer.is_verified, fault.name
    assert [answer.side for answer in answers] == ["local"], f"{fault.name}: {answers}"
    assert journal.examples.all() == [], fault.name
    assert not journal.question_at(outcome.question.number).is_counted, fault.name


WIRE = Promise(
    name="wire",
    part="The teacher",
    claim="Whatever the wire does, a question ends half a second after the deadline at most, with the local answer,"
    " marked, and the reason; no row claims that the teacher answered.",
    unit="broken calls",
    full=2000,
    check=check,
    least=len(faults()),
)
