"""The corrections' questions in other words, by the teacher: did a training learn more than the words?"""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shammah.errors import ShammahError
from shammah.generation import Finish, Stop, never
from shammah.journal import Journal
from shammah.privacy import Redactor
from shammah.records.questions import Question
from shammah.sides import TeacherSide
from shammah_convert.chat import Message
from shammah_convert.examples import Example

MOST_QUESTIONS, EACH = 10, 3
LONGEST_QUESTION = 400
"""In characters; what is longer holds a text that nobody says in other words."""
MOST_TOKENS = 2000

WISH = (
    f"Below are numbered questions. Say each in {EACH} other ways, as different people would ask it: keep the meaning"
    " and every name, path and number in it, and change the other words and their order. Do not answer them. Write"
    " nothing but lines of the form `NUMBER. QUESTION`, with the number of the question that each line rephrases."
)
_LINE = re.compile(r"\s*(\d{1,3})[.):]\s+(\S.*)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Paraphraser:
    """Asks the teacher once a training, within the day's budget and the teacher's deadline."""

    journal: Journal
    teacher: TeacherSide

    def __call__(self, corrections: Sequence[Example], stop: Stop = never) -> list[Example]:
        """The newest corrections with their questions in other words; none where the teacher gives none.

        Nothing goes to the teacher that was asked to stay on this machine.
        """
        found = [(example, question) for example in corrections if (question := self._askable(example)) is not None]
        chosen = found[-MOST_QUESTIONS:]
        if not chosen:
            return []
        try:
            return list(_examples([example for example, _ in chosen], self._ask([q for _, q in chosen], stop)))
        except ShammahError as error:  # a training does without
            _log.info("no paraphrases: %s", error)
            return []

    def _askable(self, example: Example) -> Question | None:
        question = self.journal.examples.question(example.id)
        if question is None or not question.may_go_online or len(question.text) > LONGEST_QUESTION:
            return None
        return None if self.teacher.keeps(question.context) else question

    def _ask(self, questions: Sequence[Question], stop: Stop) -> str:
        teacher = replace(self.teacher, max_tokens=min(MOST_TOKENS, self.teacher.max_tokens))
        completion = teacher.complete(
            self.journal, questions[0], lambda _: None, stop, messages=[Message("user", wish(questions))]
        )
        return completion.text if completion.end.finish is Finish.STOP else ""


def wish(questions: Sequence[Question]) -> str:
    """What the teacher is asked; the questions are redacted, as the journal keeps them."""
    lines = (f"{number}. {' '.join(question.text.split())}" for number, question in enumerate(questions, start=1))
    return "\n".join([WISH, "", *lines])


def parse(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are paraphrases: the number of the question, and its other words."""
    for line in text.splitlines():
        if found := _LINE.fullmatch(line):
            yield int(found[1]), found[2].strip()


def _examples(asked: Sequence[Example], text: str) -> Iterator[Example]:
    """The examples with other words for their questions, a few each, and none twice."""
    taken: Counter[int] = Counter()
    seen = {_plain(example.prompt[-1].content) for example in asked}
    for number, words in parse(text):
        if not 1 <= number <= len(asked) or taken[number] == EACH or _plain(words) in seen:
            continue
        taken[number] += 1
        seen.add(_plain(words))
        yield _in_other_words(asked[number - 1], Redactor().redact(words), taken[number])


def _in_other_words(example: Example, words: str, count: int) -> Example:
    prompt = (*example.prompt[:-1], Message("user", words))
    return replace(example, id=f"{example.id}-{count}", prompt=prompt, rejected=None, weight=1.0, source="teacher")


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
