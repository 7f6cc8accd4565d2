"""Lessons from comparison: both sides answer a question, and how far they differ teaches the heads."""

from dataclasses import dataclass, replace

from shammah import watching
from shammah.divergence import Divergence, Embed, Wish, equality, measure
from shammah.errors import BudgetReached, ContextTooLong, StaysHere
from shammah.generation import Finish, Sampling
from shammah.journal import Journal
from shammah.judging import Judge
from shammah.learning import Heads
from shammah.policy import Reason, Side
from shammah.privacy import Redactor
from shammah.records.questions import Answer, NewAnswer, Question
from shammah.sides import LocalSide, TeacherSide, with_features
from shammah.sight import seen_by_validator
from shammah.teacher import called
from shammah.verdicts import verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison needs: both sides, the heads that learn from it, and the embedder where there is one.

    Attributes:
        wish: How answers are to be compared.
        judge: Grades both answers, where that is wished and may be paid for.
    """

    journal: Journal
    heads: Heads
    local: LocalSide
    teacher: TeacherSide
    embed: Embed | None
    sampling: Sampling
    wish: Wish = "auto"
    judge: Judge | None = None


def label(comparison: Comparison, question: Question) -> Divergence | None:
    """Ask the side that has not answered yet, compare, and teach both heads; None where nothing can be compared.

    Raises:
        ShammahError: A side failed; the label can be tried again.
    """
    journal = comparison.journal
    question = _with_embedding(comparison, question)
    answers = journal.answers(question)
    if any(answer.divergence is not None for answer in answers):
        return None
    shown = next((answer for answer in answers if answer.is_shown), None)
    local = _whole(answers, Side.LOCAL, needs_whole=False) or _ask_local(comparison, question)
    teacher = _whole(answers, Side.TEACHER) or _ask_teacher(comparison, question)
    if local is None or teacher is None:
        return None
    divergence = _compare(comparison, question, local, teacher)
    is_good = divergence.is_small and local.finish == Finish.STOP and bool(local.text)
    rating = journal.ratings.last(teacher)
    if rating is None:
        journal.lessons.teach(question, local, divergence, is_good)
    else:
        compared = replace(local, divergence=divergence.value, method=divergence.method)
        on, verdict_is_good = verdict([compared, teacher], teacher, not rating.is_rejection)
        journal.lessons.teach_by_user(question, local, divergence, None if on is None else verdict_is_good)
    watching.look(journal, question.lineage)
    comparison.heads.catch_up("router")
    comparison.heads.catch_up("validator")
    if shown is not None and shown.side == Side.LOCAL and not is_good:
        who = called(teacher.model)
        journal.notices.add(f"{who} has another answer to {_quote(question.text)}: shammah log show {question.id}")
    return divergence


def _compare(comparison: Comparison, question: Question, local: Answer, teacher: Answer) -> Divergence:
    """The judge is paid only where its word can change the label."""
    may_be_good = local.finish == Finish.STOP and bool(local.text)
    if comparison.judge is not None and may_be_good and equality(local.text, teacher.text) is None:
        judged = comparison.judge(question, local, teacher)
        if judged is not None:
            return judged
    return measure(local.text, teacher.text, comparison.embed, comparison.wish)


def _with_embedding(comparison: Comparison, question: Question) -> Question:
    if comparison.embed is None or question.embedding is not None or question.features is None:
        return question
    return comparison.journal.note_embedding(question, comparison.embed(question.text))


def _whole(answers: list[Answer], side: Side, needs_whole: bool = True) -> Answer | None:
    """A side's answer; one that our own early verdict ended says nothing of how it would have gone on."""
    found = (a for a in answers if a.side == side and a.finish != Finish.HOPELESS)
    return next((a for a in found if not needs_whole or a.finish == Finish.STOP), None)


def _ask_local(comparison: Comparison, question: Question) -> Answer | None:
    """The local answer, made for the label; None where the question does not fit."""
    try:
        completion = comparison.local.complete(question.context, comparison.sampling, lambda _: None)
    except ContextTooLong:
        return None
    answer = with_features(comparison.local.answer(completion, Reason.SAMPLED, {}), question.text, completion)
    return comparison.journal.save(question, [_redacted(_judged(comparison, question, answer))])[0]


def _judged(comparison: Comparison, question: Question, answer: NewAnswer) -> NewAnswer:
    """The answer with what the validator says of it before it learns from it: evidence for the quality contract.

    Both heads' words are evidence together, so none where the router was of another learner.
    """
    head = comparison.heads.open("validator")
    seen = None if answer.features is None else seen_by_validator(question, answer.features)
    is_of_a_kind = question.learner in (None, head.learner.kind)
    if seen is None or not head.lessons or not is_of_a_kind:
        return answer
    return replace(answer, validator_probability=head.probability(seen))


def _ask_teacher(comparison: Comparison, question: Question) -> Answer | None:
    """The teacher's answer, made for the label; None where the budget is used up, or the question stays here by now."""
    try:
        completion = comparison.teacher.complete(comparison.journal, question, lambda _: None)
    except (BudgetReached, StaysHere):
        return None
    answer = comparison.teacher.answer(completion, Reason.SAMPLED, {})
    saved = comparison.journal.save(question, [_redacted(answer)])[0]
    return saved if saved.finish == Finish.STOP else None


def _redacted(answer: NewAnswer) -> NewAnswer:
    return replace(answer, text=Redactor().redact(answer.text))


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return f"“{line[:57]}…”" if len(line) > 58 else f"“{line}”"
