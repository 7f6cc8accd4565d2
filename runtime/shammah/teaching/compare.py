"""`compare_responses`: the local model's answer beside a better one."""

from shammah import divergence
from shammah.errors import TeacherError
from shammah.generation import Finish
from shammah.privacy import Redactor
from shammah.teaching import figures
from shammah.teaching.classroom import Classroom
from shammah.teaching.query import query
from shammah.teaching.requests import CompareResponses, QueryLocalModel
from shammah.teaching.results import Compared
from shammah_convert.chat import Message


def compare(room: Classroom, asked: CompareResponses) -> Compared:
    """Put both answers side by side; the teacher is asked where no reference is given.

    Raises:
        ShammahError: One of the two cannot answer.
    """
    reference, of, cost = _reference(room, asked)
    local = query(room, QueryLocalModel(asked.question, asks_twice=False))
    apart = divergence.measure(local.answer, reference, room.embed)
    return Compared(
        question=Redactor().redact(asked.question),
        local=local,
        reference=reference,
        reference_from=of,
        similarity=1 - apart.value,
        divergence=apart.value,
        method=apart.method,
        verdict=figures.verdict(apart),
        cost_usd=cost,
    )


def _reference(room: Classroom, asked: CompareResponses) -> tuple[str, str, float | None]:
    """The better answer, who gave it, and what that cost."""
    if asked.reference is not None:
        return Redactor().redact(asked.reference), "given", None
    completion = room.claude.ask([Message("user", asked.question)])
    if completion.end.finish is not Finish.STOP or not completion.text:
        raise TeacherError(f"{room.claude.who} gave no whole answer ({completion.end.finish})")
    return Redactor().redact(completion.text), room.claude.model, completion.end.cost_usd
