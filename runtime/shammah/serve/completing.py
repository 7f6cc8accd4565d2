"""From what a client wants to an answer: the same path as a question of the command line, told to a program."""

import hashlib
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import replace

from shammah import adapters, answering, telling
from shammah.assembly import Parts
from shammah.errors import AdapterError, ShammahError, TeacherError, UsageError
from shammah.generation import Finish
from shammah.journal import Journal
from shammah.memory import Precedence
from shammah.policy import Side
from shammah.serve import spans
from shammah.serve.holding import Hold
from shammah.serve.house import House
from shammah.serve.spoken import Head, Whole, at_once
from shammah.serve.stream import Put
from shammah.serve.wanted import Defaults, Refused, Wanted
from shammah.settings import Settings
from shammah.sides import LocalGenerator, LocalSide
from shammah.tool_text import read_said
from shammah.turn import Outcome, Request
from shammah_convert.job import AdapterFile

_log = logging.getLogger(__name__)

SEE_LOG = "Its log is serve.log in SHAMMAH_HOME."


def defaults_of(settings: Settings) -> Defaults:
    """What the settings say where a client says nothing."""
    answer = settings.answer
    return Defaults(answer.system, answer.max_tokens, answer.temperature)


def session_of(user: str, key: str) -> str:
    """The session of a client's user: their last answer is found by it, and no key stands in the journal."""
    known_by = f"{key}\n{user}".encode()
    return f"api:{hashlib.sha256(known_by).hexdigest()[:16]}"


class Completing:
    """One request on its way through the house."""

    def __init__(self, house: House, wanted: Wanted, head: Head, session: str) -> None:
        """Take what is wanted, and under which id and in which session it is recorded."""
        self._house = house
        self._wanted = wanted
        self._head = head
        self._session = session

    def run(self, operation: str, headers: Mapping[str, str], put: Put, stop: threading.Event) -> None:
        """Answer; every way ends in an event that is `whole` or `failed`."""
        wanted = self._wanted
        try:
            with spans.span(operation, wanted.model, headers, spans.asked(wanted)) as marks:
                whole = self._answer(put, stop)
                marks.mark(spans.answered(whole))
            put({"whole": whole})
        except ShammahError as error:
            put({"failed": error})
        except Exception as error:
            _log.exception("a request was not answered")
            put({"failed": ShammahError(f"the daemon failed ({type(error).__name__})", hint=SEE_LOG)})

    def _answer(self, put: Put, stop: threading.Event) -> Whole:
        house = self._house
        with house.answering(stop), Journal(house.home) as journal:
            with Precedence(house.home, journal) as precedence:
                outcome = self._outcome(journal, precedence, put, stop)
            house.counters.answered(outcome.answer.side, outcome.answer.finish)
        return _whole(self._wanted, self._head, outcome)

    def _outcome(self, journal: Journal, precedence: Precedence, put: Put, stop: threading.Event) -> Outcome:
        settings = self._house.settings
        parts = self._house.parts(settings, journal, _log.info, stop.is_set, os.environ, self._most(settings))
        local = precedence.before(self._local(parts, journal))

        def send(text: str, side: Side) -> None:
            put({"text": text, "side": side, "adapters": _applied(parts) if side is Side.LOCAL else ()})

        hold = Hold(send)
        parts.adopt()
        request, stops = self._request(settings), lambda: stop.is_set() or self._is_lost(hold)
        outcome = answering.assistant(parts, local).ask(request, hold, stops)
        if self._is_lost(hold):
            raise TeacherError("the teacher's answer broke off, and a part of it was sent already")
        answering.follow_up(outcome.answer.side, parts)
        return outcome

    def _is_lost(self, hold: Hold) -> bool:
        """Whether a client has read what does not stand; one that reads no stream is told the answer alone."""
        return hold.is_broken and self._wanted.streams

    def _most(self, settings: Settings) -> int | None:
        """The longest answer of the teacher: what the client takes, within what the settings allow."""
        wanted = self._wanted.max_tokens
        return None if wanted is None else min(wanted, settings.teacher.max_tokens)

    def _request(self, settings: Settings) -> Request:
        *history, last = self._wanted.messages
        return Request(
            text=last.content,
            session=self._session,
            history=tuple(history),
            forced=self._wanted.way.forced,
            is_offline=settings.offline,
            sampling=self._wanted.sampling,
            id=self._head.id,
        )

    def _local(self, parts: Parts, journal: Journal) -> LocalSide:
        """The local side, with the adapter that the model's name chooses in the place of what is active."""
        local = parts.local()
        if not self._wanted.way.adapter:
            return local
        files = adapter_files(journal, parts.base.sha256, self._wanted.way.adapter)

        def open_model() -> LocalGenerator:
            model = parts.open_active(parts.base)
            adapters.swap(model, files)
            return model

        return replace(local, open=open_model)


def _whole(wanted: Wanted, head: Head, outcome: Outcome) -> Whole:
    """An outcome as an answer of an API."""
    text, calls = read_said(outcome.text, wanted.tool_names)
    shown = outcome.answer
    return Whole(
        head=head,
        text=text,
        calls=at_once(calls, wanted),
        finish=Finish(shown.finish),
        prompt_tokens=shown.prompt_tokens,
        completion_tokens=shown.completion_tokens,
        told=telling.as_object(outcome),
        stop_text=outcome.stop_text,
    )


def adapter_files(journal: Journal, base: str, word: str) -> list[AdapterFile]:
    """The file of an adapter, by NAME or NAME:SCALE.

    Raises:
        Refused: There is none of that name for the model that is open.
    """
    try:
        made_for, names = adapters.parse_set(journal, [word])
    except AdapterError:
        raise
    except UsageError as error:
        raise Refused(f"{error}; GET /v1/models lists what there is", "model", "model_not_found", 404) from error
    if made_for != base:
        raise Refused(f"the adapter {word} was made for another model", "model", "model_not_found", 404)
    return adapters.files_of(journal, base, names)


def _applied(parts: Parts) -> tuple[str, ...]:
    return tuple(file.name for file in parts.model.applied) if parts.model is not None else ()
