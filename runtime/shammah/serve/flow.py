"""From events to what a client reads: whole, or piece by piece while it is there."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from shammah.errors import ShammahError
from shammah.serve.failures import of_error
from shammah.serve.spoken import Dialect, Head, Piece, Whole, at_once
from shammah.serve.stream import Event
from shammah.serve.wanted import Wanted
from shammah.tool_text import Call, Splitter

Value = TypeVar("Value")
CLIENT_LEFT = 499
"""The status of an answer that nobody waits for; it is seen in the metrics alone."""


class ClientLeft(Exception):
    """Nobody waits for the answer any more."""


async def while_there(request: Request, work: Coroutine[Any, Any, Value]) -> Value:
    """Wait for something as long as the client does.

    Raises:
        ClientLeft: It closed the connection; the work is cancelled.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_leaving(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientLeft
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _leaving(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def first_of(found: AsyncIterator[Event]) -> Event:
    """The first event, by which it is certain who answers.

    Raises:
        ShammahError: Nobody does.
    """
    event = await anext(found)
    if "failed" in event:
        raise event["failed"]
    return event


async def whole_of(first: Event, found: AsyncIterator[Event]) -> Whole:
    """The whole answer, at the end of its pieces.

    Raises:
        ShammahError: It did not come.
    """
    event = first
    while "whole" not in event:
        event = await first_of(found)
    whole: Whole = event["whole"]
    return whole


@dataclass(frozen=True, slots=True)
class Speech:
    """A stream of server-sent events."""

    wanted: Wanted
    head: Head
    dialect: Dialect

    async def of(self, first: Event, found: AsyncIterator[Event]) -> AsyncIterator[bytes]:
        """All that is sent, from the first piece to the end."""
        pieces = _Pieces(self.wanted)
        for text in self.dialect.opening(self.head):
            yield _encoded(text)
        event = first
        while True:
            for text in self._of_event(event, pieces):
                yield _encoded(text)
            if "text" not in event:
                return
            event = await anext(found)

    def _of_event(self, event: Mapping[str, Any], pieces: "_Pieces") -> Iterator[str]:
        match event:
            case {"text": str(text)}:
                for piece in pieces.feed(text):
                    yield from self.dialect.piece(piece)
            case {"whole": Whole() as whole}:
                for piece in pieces.finish():
                    yield from self.dialect.piece(piece)
                yield from self.dialect.closing(whole)
            case {"failed": ShammahError() as error}:
                yield from self.dialect.failing(of_error(error))


class _Pieces:
    """A stream's text and calls, as many calls as the client takes."""

    def __init__(self, wanted: Wanted) -> None:
        self._splitter = Splitter(wanted.tool_names)
        self._wanted = wanted
        self._calls: list[Call] = []

    def feed(self, text: str) -> Iterator[Piece]:
        yield from self._taken(self._splitter.feed(text))

    def finish(self) -> Iterator[Piece]:
        yield from self._taken(self._splitter.finish())

    def _taken(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            if isinstance(piece, Call):
                self._calls.append(piece)
                if len(at_once(self._calls, self._wanted)) < len(self._calls):
                    continue
            yield piece


def headers_of(head: Head, event: Event) -> dict[str, str]:
    """Who answers, by the first event or the last, for whoever reads headers alone."""
    told = event["whole"].told if "whole" in event else None
    side = told["route"] if told else event["side"]
    adapters = [one["name"] for one in told["adapters"]] if told else event["adapters"]
    named = {"x-shammah-adapter": ",".join(adapters)} if adapters else {}
    return {"x-shammah-id": head.id, "x-shammah-route": str(side), **named}


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
