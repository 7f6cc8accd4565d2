"""The path of one question, in a command's own process or in the daemon's: asked, answered, told, followed up."""

import os
from collections.abc import Callable, Mapping

from shammah import schedule, telling
from shammah.asked import Asked, Told
from shammah.assembly import Parts
from shammah.assistant import Assistant
from shammah.errors import UsageError
from shammah.generation import Sampling, Stop
from shammah.journal import Journal
from shammah.policy import Side
from shammah.records.questions import Answer, Question
from shammah.sides import LocalSide
from shammah.turn import Request, Screen, is_private
from shammah_convert.chat import Message, Role

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}

Say = Callable[[str], None]


def answer(asked: Asked, parts: Parts, local: LocalSide, screen: Screen, say: Say, stop: Stop) -> Told:
    """Answer a question.

    Raises:
        ShammahError: It cannot be answered as asked.
    """
    parts.adopt()
    outcome = assistant(parts, local).ask(request(asked, parts, say), screen, stop)
    return telling.told(outcome, parts, asked.tells_why)


def assistant(parts: Parts, local: LocalSide) -> Assistant:
    """Whoever answers, put together from the parts."""
    return Assistant(
        parts.journal,
        parts.heads,
        local,
        parts.teacher(),
        parts.embed,
        contract=parts.contract,
        rates=parts.settings.sampling,
    )


def request(asked: Asked, parts: Parts, say: Say) -> Request:
    """The request that a question makes, with what was said before it.

    Raises:
        UsageError: There is nothing to go on from.
    """
    settings, last = parts.settings, _last(parts.journal, asked.session) if asked.goes_on else None
    forced = Side(asked.forced) if asked.forced else None
    keeps = last is not None and is_private(last[1])
    stays = last is not None and not last[0].may_go_online and forced is not Side.TEACHER
    if stays and not keeps and not settings.offline:
        say("This conversation stays on this machine, as it began; --teacher would forward all of it.")
    before = tuple(Message(_ROLES[role], content) for role, content in asked.history)
    return Request(
        text=asked.text,
        session=asked.session,
        history=(*last[0].context, Message("assistant", last[1].text)) if last else before,
        system=settings.answer.system,
        forced=forced,
        wants_verified=asked.wants_verified,
        is_offline=settings.offline or stays,
        is_private=keeps or asked.is_private,
        sampling=Sampling(settings.answer.max_tokens, settings.answer.temperature, asked.seed),
    )


def follow_up(side: str, parts: Parts, environ: Mapping[str, str] = os.environ) -> str:
    """Consider a training after the teacher's answer, and let the background begin; a line, where one is due."""
    settings, journal = parts.settings, parts.journal
    line = schedule.consider(journal, settings) if side == Side.TEACHER else ""
    if settings.worker.enabled and journal.jobs.waiting():
        from shammah import worker  # most questions leave no work

        worker.start(settings.home, settings.offline, environ)
    return line


def _last(journal: Journal, session: str) -> tuple[Question, Answer]:
    """The last answer of this terminal; of all, where this one has none."""
    last = journal.last_question(session)
    shown = journal.shown(last) if last else None
    if last is None or shown is None:
        raise UsageError("there is no answer to continue from", hint="Ask without -c first.")
    return last, shown
