"""The routes that answer with numbers alone: embeddings, and how many tokens a conversation has."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shammah.assembly import Parts
from shammah.compatible import counting, opening
from shammah.errors import ShammahError
from shammah.journal import Journal
from shammah.serve import anthropic_messages, embeddings, spans
from shammah.serve.api import refusal
from shammah.serve.body import body_of
from shammah.serve.completing import defaults_of
from shammah.serve.failures import Failure
from shammah.serve.house import House
from shammah.serve.wanted import Object
from shammah_convert.chat import Message

Work = Callable[[House, Object, Mapping[str, str]], Object]


def routes(house: House) -> list[Route]:
    """Both routes."""
    return [
        Route("/v1/embeddings", _at(_embed, Failure.as_openai, house), methods=["POST"]),
        Route("/v1/messages/count_tokens", _at(_count, Failure.as_anthropic, house), methods=["POST"]),
    ]


def _at(work: Work, form: Callable[[Failure], Object], house: House) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            body, headers = await body_of(request), dict(request.headers)
            loop = asyncio.get_running_loop()
            return JSONResponse(await loop.run_in_executor(house.pool, _done, work, house, body, headers))
        except ShammahError as error:
            return refusal(error, form)

    return answer


def _done(work: Work, house: House, body: Object, headers: Mapping[str, str]) -> Object:
    with house.answering(threading.Event()):  # the model stays open meanwhile
        return work(house, body, headers)


def _embed(house: House, body: Object, headers: Mapping[str, str]) -> Object:
    texts = embeddings.texts_of(body)
    with Journal(house.home) as journal, spans.span("embeddings", body["model"], headers, {}) as marks:
        parts = _parts(house, journal)
        if parts.embed is None:
            raise embeddings.missing()
        tokens = _tokens(parts, [Message("user", text) for text in texts], asks_server=False)
        marks.mark({"gen_ai.usage.input_tokens": tokens, "gen_ai.embeddings.dimension.count": embeddings.WIDTH})
        return embeddings.reply(body, [parts.embed(text) for text in texts], tokens)


def _count(house: House, body: Object, _: Mapping[str, str]) -> Object:
    messages = anthropic_messages.counted(body, defaults_of(house.settings))
    with Journal(house.home) as journal:
        parts = _parts(house, journal)
        return {"input_tokens": _tokens(parts, messages, asks_server=not opening.is_away(parts.server))}


def _parts(house: House, journal: Journal) -> Parts:
    return house.parts(house.settings, journal, lambda _: None, threading.Event().is_set, os.environ)


def _tokens(parts: Parts, messages: Sequence[Message], asks_server: bool) -> int:
    """By the local model's tokenizer; of a model on a server, which should not be asked, by bytes."""
    if parts.server and not asks_server:
        return counting.likely(messages)
    return parts.open_active(parts.base).count_tokens(messages)
