"""Better answers for rejected ones: the teacher's rewrite, else the local model's own with the note in its context."""

from dataclasses import dataclass

from shammah.divergence import Embed, measure
from shammah.errors import BudgetReached, ContextTooLong, KeyMissing
from shammah.generation import Completion, Finish, Sampling
from shammah.journal import Journal
from shammah.privacy import Redactor
from shammah.records import Correction
from shammah.sides import LocalSide, TeacherSide
from shammah_convert.chat import Message
from shammah_convert.examples import Source

NEAR = 0.1
"""A self-rewrite within this divergence of the rejected answer is the rejected answer."""


@dataclass(frozen=True, slots=True)
class TargetFinder:
    """Finds what should have been answered.

    Attributes:
        teacher: None where nothing may leave the machine.
    """

    journal: Journal
    local: LocalSide
    teacher: TeacherSide | None
    embed: Embed | None
    sampling: Sampling

    def find(self, correction: Correction) -> Source | None:
        """Give a correction's example its target; None where none was found, which the next command says.

        Raises:
            ShammahError: The teacher failed; it can be tried again.
        """
        source: Source = "teacher"
        text = self._ask_teacher(correction)
        if text is None and correction.note:
            source, text = "self", self._ask_local(correction)
        if text is None:
            self._ask_user(correction)
            return None
        self.journal.examples.fulfil(correction.rating, Redactor().redact(text), source)
        return source

    def _ask_teacher(self, correction: Correction) -> str | None:
        """The teacher's rewrite, with the whole conversation and the note before it; None where it cannot be asked."""
        if self.teacher is None:
            return None
        try:
            completion = self.teacher.complete(
                self.journal, correction.question, lambda _: None, messages=for_teacher(correction)
            )
        except (KeyMissing, BudgetReached):
            return None
        return _whole(completion)

    def _ask_local(self, correction: Correction) -> str | None:
        """The local model's answer with the note in its context; None where it is no better."""
        try:
            completion = self.local.complete(for_local(correction), self.sampling, lambda _: None)
        except ContextTooLong:
            return None
        text = _whole(completion)
        if text is None or measure(text, correction.rejected.text, self.embed).value <= NEAR:
            return None
        return text

    def _ask_user(self, correction: Correction) -> None:
        question = " ".join(correction.question.text.split())[:58]
        self.journal.notify(
            f"No better answer was found for {question!r}: give it with"
            f" `shammah feedback critical --id {correction.question.id} --answer TEXT`, or set ANTHROPIC_API_KEY."
        )


def for_teacher(correction: Correction) -> list[Message]:
    """The conversation, the rejected answer, and what is wanted instead."""
    note = f" {correction.note.strip()}" if correction.note.strip() else ""
    wish = (
        f"That answer is not what I need.{note}\nWrite the answer that I should have got: only the answer itself,"
        " whole, without a word about the one before."
    )
    rejected = Message("assistant", correction.rejected.text or "(no answer)")
    return [*correction.question.context, rejected, Message("user", wish)]


def for_local(correction: Correction) -> list[Message]:
    """The conversation with the note below the question, as the user might have asked in the first place."""
    *before, question = correction.question.context
    return [*before, Message("user", f"{question.content}\n\n{correction.note.strip()}")]


def _whole(completion: Completion) -> str | None:
    text = completion.text.strip()
    return text if text and completion.end.finish is Finish.STOP else None
