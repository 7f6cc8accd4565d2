"""What the commands of the same user ask over the unix socket, whose file nobody else may open."""

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shammah import __version__, answering, errors, telling
from shammah.asked import OFFERED
from shammah.errors import ShammahError
from shammah.journal import Journal
from shammah.memory import Precedence
from shammah.serve import call, stream
from shammah.serve.call import Call
from shammah.serve.house import House, refusal
from shammah.serve.stream import Event, Put, Wire
from shammah.settings import Settings

_log = logging.getLogger(__name__)

SEE_LOG = "Its log is serve.log in SHAMMAH_HOME."


class Private:
    """The routes of the socket.

    Attributes:
        app: All of them.
    """

    def __init__(self, house: House, end: Callable[[], None]) -> None:
        """Take what is shared, and what ends the daemon."""
        self._house = house
        self._end = end
        self.app = Starlette(
            routes=[
                Route("/private/ask", self._ask, methods=["POST"]),
                Route("/private/cancel", self._cancel, methods=["POST"]),
                Route("/private/status", self._status, methods=["GET"]),
                Route("/private/stop", self._stop, methods=["POST"]),
            ]
        )

    async def _ask(self, request: Request) -> Response:
        try:
            sent = Call.of(await request.json())
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            return JSONResponse({"declined": f"what was sent is no question ({error})"})

        def work(put: Put, stop: threading.Event) -> None:
            answer(self._house, sent, put, stop)

        found = stream.events(self._house.pool, work)
        return StreamingResponse(stream.as_lines(found), media_type="application/x-ndjson")

    async def _cancel(self, request: Request) -> Response:
        try:
            number = int((await request.json())["number"])
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
            return JSONResponse({"stopped": False})
        return JSONResponse({"stopped": self._house.cancel(number)})

    async def _status(self, _: Request) -> Response:
        return JSONResponse(status(self._house))

    async def _stop(self, _: Request) -> Response:
        self._end()
        return JSONResponse({"stopping": os.getpid()})


def status(house: House) -> dict[str, Any]:
    """How the daemon is, for whoever may know everything."""
    base = house.opened.base if house.state == "ready" else None
    return {
        "version": __version__,
        "pid": os.getpid(),
        "state": house.state,
        "model": base.name if base else None,
        "path": base.path if base else None,
        "url": house.url,
        "since": house.counters.since,
        "in_flight": house.in_flight,
        "answers": sum(house.counters.answers.values()),
    }


def answer(house: House, sent: Call, put: Put, stop: threading.Event) -> None:
    """Answer a command's question, or leave it to the command; every way ends in an event."""
    try:
        settings = sent.settings(house.home)
        with Journal(settings.home) as journal, house.answering(stop) as number:
            if why := declined(house, sent, settings, journal):
                put({"declined": why})
                return
            put({"accepted": number})
            _answer(house, sent, settings, journal, put, stop)
    except ShammahError as error:
        put(as_event(error))
    except Exception as error:
        _log.exception("a question was not answered")
        put(as_event(ShammahError(f"the daemon failed ({type(error).__name__})", hint=SEE_LOG)))


def _answer(house: House, sent: Call, settings: Settings, journal: Journal, put: Put, stop: threading.Event) -> None:
    asked, environ = sent.asked, call.beside(sent.environ)

    def say(line: str) -> None:
        put({"say": line})

    for notice in journal.notices.take():
        say(notice)
    if sent.may_fetch and journal.pulls.due() is not None:
        from shammah import fetching  # hardly ever: it opens what downloads

        fetching.see_to(settings.home, journal, environ)
    parts = house.parts(settings, journal, say, stop.is_set, environ, asked.max_teacher_tokens)

    def forwarding(worst_usd: float) -> None:
        for line in telling.before_forward(asked, parts, worst_usd):
            say(line)

    with Precedence(settings.home, journal, say) as precedence:
        local = precedence.before(parts.local())
        told = answering.answer(asked, parts, local, Wire(put, forwarding), say, stop.is_set)
    house.counters.answered(told.side, str(told.outcome["finish_reason"]))
    put({"told": told.as_row()})
    if line := answering.follow_up(told.side, parts, environ):
        say(line)


def declined(house: House, sent: Call, settings: Settings, journal: Journal) -> str:
    """Why a command is to answer by itself; empty where it need not."""
    if sent.version != __version__:
        return f"it is Shammah {__version__}"
    if house.state != "ready":
        return "its model is being loaded"
    if call.network(sent.environ) != call.network(os.environ):
        return "it reaches the network in another way"
    may_offer = sent.may_fetch and sent.has_terminal and not journal.notices.has_flag(OFFERED)
    if may_offer and journal.pulls.open_one() is None:
        return "a real model is to be offered first"
    return refusal(house.opened, house.settings, settings, journal, sent.environ)


def as_event(error: ShammahError) -> Event:
    """An error for another process: the nearest kind that is known there."""
    known = next(kind.__name__ for kind in type(error).__mro__ if getattr(errors, kind.__name__, None) is kind)
    return {"error": {"kind": known, "message": str(error), "hint": error.hint}}
