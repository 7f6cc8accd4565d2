"""The path of a correction: a rating of an answer, and all that follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from shammah import features, watching
from shammah.errors import UsageError
from shammah.generation import Finish
from shammah.journal import Journal
from shammah.patterns import Patterns
from shammah.privacy import Redactor, says_the_same
from shammah.records.examples import NewExample, NewRating, Rating
from shammah.records.questions import Answer, Question
from shammah.verdicts import verdict

NAMES = {
    "critical": Rating.CRITICAL,
    "high": Rating.CRITICAL,
    "medium": Rating.MEDIUM,
    "good": Rating.GOOD,
    "normal": Rating.GOOD,
}


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a user says of an answer.

    Attributes:
        note: What was wrong with it, or right.
        target: The answer that should have been given; empty where the user gave none.
    """

    rating: Rating
    note: str = ""
    target: str = ""


def rate(journal: Journal, question: Question, feedback: Feedback, has_teacher: bool) -> NewRating:
    """Record a rating of the answer that was shown to a question; the last one wins.

    Args:
        journal: Where it is committed before this returns.
        question: Whose shown answer is rated.
        feedback: What the user says; secrets in it are replaced before anything is stored.
        has_teacher: Whether the background may ask the teacher for a better answer.

    Raises:
        UsageError: The answer cannot be learnt as it is.
    """
    answers = journal.answers(question)
    shown = next((answer for answer in answers if answer.is_shown), None)
    if shown is None:
        raise UsageError(f"question {question.id} has no answer to rate", hint="See `shammah log`.")
    redactor = Redactor()
    redactor.redact_all(question.context)
    target = redactor.redact(feedback.target)
    note = redactor.redact(feedback.note)
    said = Feedback(feedback.rating, note, redactor.redact(target))  # the note may have shown what is secret in it
    new = follow(question, answers, shown, said, has_teacher and question.may_go_online)
    journal.ratings.record(_seen(journal, question), new)
    watching.look(journal, question.lineage)
    return new


def _seen(journal: Journal, question: Question) -> Question:
    """The question with its hand features: those that took no part in routing have none yet, and no lesson without."""
    if question.features is not None and question.feature_version == features.VERSION:
        return question
    earlier = sum(message.role == "user" for message in question.context) - 1
    return journal.note_features(question, features.of_question(question.text, earlier))


def may_hear(said: Feedback, question: Question, never: Patterns) -> bool:
    """Whether Claude may be told of a conversation, and of the note as it was given."""
    return not never.meet([*(message.content for message in question.context), said.note])


def follow(
    question: Question, answers: Sequence[Answer], shown: Answer, feedback: Feedback, has_teacher: bool
) -> NewRating:
    """What follows from a rating: an example, live or waiting for its target, and a lesson for the heads.

    Raises:
        UsageError: A cut or empty answer is called good, or the rejected one is given as the better one.
    """
    _check(feedback, shown)
    rating, rejected = feedback.rating, feedback.rating.is_rejection
    completion = feedback.target or (None if rejected else shown.text)
    # Nobody can find a better answer without a word on what was wrong, unless the teacher is asked.
    wants_target = completion is None and (has_teacher or bool(feedback.note))
    example = NewExample(
        answer=shown.id,
        prompt=question.context,
        completion=completion,
        source="user",
        weight=rating.weight,
        rejected=shown.text if rejected and shown.text else None,
    )
    lesson_on, is_good = verdict(answers, shown, not rejected)
    return NewRating(
        answer=shown.id,
        rating=rating,
        note=feedback.note,
        example=example,
        lesson_on=lesson_on,
        is_good=is_good,
        wants_target=wants_target,
        may_ask_teacher=has_teacher,
    )


def _check(feedback: Feedback, shown: Answer) -> None:
    """Refuse a rating whose target would be a cut answer, or the rejected one."""
    rejected = feedback.rating.is_rejection
    if not rejected and not feedback.target and (shown.finish != Finish.STOP or not shown.text):
        raise UsageError(
            "this answer is not whole, and would be learnt cut off as it is",
            hint="Give the whole answer with --answer TEXT (or --answer - to read it from stdin).",
        )
    if rejected and feedback.target and says_the_same(feedback.target, shown.text):
        raise UsageError(
            "the answer given with --answer is the one that is rejected",
            hint="Give the one that you wanted, or rate this one good.",
        )
