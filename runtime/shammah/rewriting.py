"""Better answers for rejected ones: the teacher's rewrite, else the local model's own with the note in its context."""

from dataclasses import dataclass

from shammah.divergence import Embed, measure
from shammah.errors import BudgetReached, ContextTooLong, KeyMissing, StaysHere, TeacherError
from shammah.generation import Completion, Finish, Sampling
from shammah.journal import Journal
from shammah.privacy import Redactor, says_the_same
from shammah.records.examples import Correction
from shammah.sides import LocalSide, TeacherSide
from shammah_convert.chat import Message
from shammah_convert.examples import Source

NEAR = 0.1
"""A self-rewrite within this divergence of the rejected answer is the rejected answer."""


@dataclass(frozen=True, slots=True)
class TargetFinder:
    """Finds what should have been answered.

    Attributes:
        local: None where its model is gone.
        teacher: None where nothing may leave the machine.
        is_last: The teacher is not tried again; where it fails, the local model is asked.
    """

    journal: Journal
    local: LocalSide | None
    teacher: TeacherSide | None
    embed: Embed | None
    sampling: Sampling
    is_last: bool = False

    def find(self, correction: Correction) -> Source | None:
        """Give a correction's example its target; None where none was found, which the next command says.

        Raises:
            ShammahError: The teacher failed, or its budget is used up; it can be tried again.
        """
        source: Source = "teacher"
        text = self._ask_teacher(correction)
        if text is None and correction.note:
            source, text = "self", self._ask_local(correction)
        if text is not None:
            return source if self.journal.examples.fulfil(correction.id, text, source) else None
        if self.journal.ratings.correction(correction.id) is not None:
            has_key = self.teacher is not None and self.teacher.generator is not None
            ask_user(self.journal, correction, has_key)
        return None

    def _ask_teacher(self, correction: Correction) -> str | None:
        """The teacher's rewrite, with the whole conversation and the note before it; None where there is none."""
        if self.teacher is None:
            return None
        try:
            completion = self.teacher.complete(
                self.journal, correction.question, lambda _: None, messages=for_teacher(correction)
            )
        except (KeyMissing, StaysHere):
            return None
        except BudgetReached:
            if correction.note or self.is_last:
                return None
            raise
        except TeacherError:
            if self.is_last:
                return None
            raise
        return _better(completion, correction)

    def _ask_local(self, correction: Correction) -> str | None:
        """The local model's answer with the note in its context; None where it is no better."""
        if self.local is None:
            return None
        try:
            completion = self.local.complete(for_local(correction), self.sampling, lambda _: None)
        except ContextTooLong:
            return None
        text = _better(completion, correction)
        if text is None or measure(text, correction.rejected.text, self.embed).value <= NEAR:
            return None
        return text


def ask_user(journal: Journal, correction: Correction, has_key: bool) -> None:
    """Ask the user for the better answer, with the next command."""
    question = " ".join(correction.question.text.split())[:58]
    journal.notices.add(
        f"No better answer was found for “{question}”: give one with"
        f" `shammah feedback {correction.rating} --id {correction.question.id} --answer TEXT`"
        + ("." if has_key else ", or set ANTHROPIC_API_KEY and rate it again.")
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


def _better(completion: Completion, correction: Correction) -> str | None:
    """The completion, redacted, where it is whole and not the rejected answer again."""
    redactor = Redactor()
    redactor.redact_all(correction.question.context)  # no placeholder of theirs gets another meaning
    text = redactor.redact(completion.text.strip())
    is_whole = completion.end.finish is Finish.STOP and bool(text)
    return text if is_whole and not says_the_same(text, correction.rejected.text) else None
