"""The routes of OpenAI's and Anthropic's API that end in an answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shammah.errors import ShammahError
from shammah.rows import new_id
from shammah.serve import anthropic_messages, openai_chat, openai_completions, stream
from shammah.serve.anthropic_replies import Messages
from shammah.serve.body import body_of
from shammah.serve.completing import Completing, defaults_of, session_of
from shammah.serve.failures import Failure, of_error
from shammah.serve.flow import CLIENT_LEFT, ClientLeft, Speech, first_of, headers_of, while_there, whole_of
from shammah.serve.house import House
from shammah.serve.openai_replies import Chat, Text
from shammah.serve.spoken import Dialect, Head
from shammah.serve.wanted import Defaults, Object, Wanted


@dataclass(frozen=True, slots=True)
class Door:
    """One of the ways in that end in an answer.

    Attributes:
        operation: As OpenTelemetry calls it.
        read: A body as what is wanted.
        dialect: How what is wanted is answered.
        failed: An error in the API's form.
    """

    operation: str
    read: Callable[[Object, Defaults], Wanted]
    dialect: Callable[[Wanted], Dialect]
    failed: Callable[[Failure], Object]


DOORS = {
    "/v1/chat/completions": Door(
        "chat", openai_chat.wanted, lambda wanted: Chat(wanted.includes_usage), Failure.as_openai
    ),
    "/v1/completions": Door(
        "text_completion", openai_completions.wanted, lambda wanted: Text(wanted.includes_usage), Failure.as_openai
    ),
    "/v1/messages": Door("chat", anthropic_messages.wanted, lambda _: Messages(), Failure.as_anthropic),
}


def routes(house: House) -> list[Route]:
    """A route for each door."""
    return [Route(path, _at(door, house), methods=["POST"]) for path, door in DOORS.items()]


def _at(door: Door, house: House) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            wanted = door.read(await body_of(request), defaults_of(house.settings))
            return await _answer(request, door, wanted, house)
        except ShammahError as error:
            return refusal(error, door.failed)
        except ClientLeft:
            return Response(status_code=CLIENT_LEFT)

    return answer


async def _answer(request: Request, door: Door, wanted: Wanted, house: House) -> Response:
    """The answer, once it is certain who gives it.

    Raises:
        ShammahError: Nobody does.
        ClientLeft: Nobody waits for it.
    """
    head, dialect, headers = Head(new_id(), wanted.model), door.dialect(wanted), dict(request.headers)
    one = Completing(house, wanted, head, session_of(wanted.user, key_of(headers)))
    found = stream.events(house.pool, lambda put, stop: one.run(door.operation, headers, put, stop))
    first = await while_there(request, first_of(found))
    if wanted.streams:
        sent = Speech(wanted, head, dialect).of(first, found)
        return StreamingResponse(sent, media_type="text/event-stream", headers=headers_of(head, first))
    whole = await while_there(request, whole_of(first, found))
    return JSONResponse(dialect.whole(whole), headers=headers_of(head, {"whole": whole}))


def refusal(error: ShammahError, form: Callable[[Failure], Object]) -> Response:
    """An error as an API answers it."""
    failure = of_error(error)
    return JSONResponse(form(failure), failure.status, failure.headers)


def key_of(headers: dict[str, str]) -> str:
    """What a client shows to be let in, in the one way or the other; it tells clients apart."""
    return headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key", "")
