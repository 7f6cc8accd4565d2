"""An assistant with scripted sides, a real journal and real heads."""

import random
from typing import Any

from shammah import features
from shammah.assistant import Assistant
from shammah.divergence import Divergence, Method
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.policy import Side
from shammah.turn import Outcome, Request
from shammah_convert.chat import Message
from tests.many import ask_again
from tests.scripted import Recorder, Scripted, local_side, teacher_side

LINEAGE = "f" * 64


class House:
    """An assistant with everything that a test looks at."""

    def __init__(
        self, journal: Journal, local: Scripted | None = None, teacher: Scripted | None = None, usd: float = 1.0
    ) -> None:
        self.journal = journal
        self.local = local or Scripted("ls -la")
        self.teacher = teacher
        self.heads = Heads(journal.path.parent, journal, LINEAGE, "bayes")
        self.screen = Recorder()
        self.assistant = Assistant(
            journal, self.heads, local_side(self.local), teacher_side(teacher, usd), chance=random.Random(0)
        )

    def ask(self, text: str = "list all files", **request: Any) -> Outcome:
        return self.assistant.ask(Request(text, "session", **request), self.screen)


def count_to(journal: Journal, count: int, text: str = "list all files") -> None:
    """Let so many counted questions have been asked."""
    question = journal.begin("other", LINEAGE, [Message("user", text)], 0, True)
    ask_again(journal, journal.note_route(question, features.of_question(text), None, 0.5), count - 1)


def teach(house: House, lessons: int, is_good: bool) -> None:
    """Let the heads have seen so many outcomes of the scripted local answer."""
    quiet = House(house.journal, Scripted(house.local.reply), None)
    for _ in range(lessons):
        outcome = quiet.ask(forced=Side.LOCAL)
        hand = features.of_question("list all files")
        question = house.journal.note_route(outcome.question, hand, None, 0.5)
        value = Divergence(0.0 if is_good else 1.0, Method.SEMANTIC)
        house.journal.lessons.teach(question, outcome.answer, value, is_good)
