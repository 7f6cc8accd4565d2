"""The five teaching tools over HTTP: what they are, and a call of one; what comes in waits to be accepted."""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shammah.journal import Journal
from shammah.serve.body import body_of
from shammah.serve.flow import CLIENT_LEFT, ClientLeft, while_there
from shammah.serve.house import House
from shammah.serve.wanted import Object, Refused
from shammah.teaching import classroom, doors

PATH = "/v1/tools"
NOBODY = "an HTTP client"
LONGEST_AUTHOR = 100

_log = logging.getLogger(__name__)


def routes(house: House) -> list[Route]:
    """The list, each tool, and a word for whoever asks for another one."""
    named = [Route(f"{PATH}/{name}", _at(house, name), methods=["POST"]) for name in doors.NAMES]
    return [
        Route(PATH, _list, methods=["GET"]),
        *named,
        Route(f"{PATH}/{{name}}", _unknown, methods=["POST"]),
    ]


async def _list(_: Request) -> Response:
    return JSONResponse({"tools": doors.described()})


async def _unknown(request: Request) -> Response:
    raise no_such(request.path_params["name"])


def no_such(name: str) -> Refused:
    """The error of a tool that there is not."""
    return Refused(f"there is no tool {name!r}; there are {', '.join(doors.NAMES)}", "name", "tool_not_found", 404)


def _at(house: House, name: str) -> Callable[[Request], Awaitable[Response]]:
    async def call(request: Request) -> Response:
        body, author, stop = await body_of(request), _author(request), threading.Event()

        async def called() -> Object:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(house.pool, _called, house, name, body, author, stop)

        try:
            return JSONResponse(await while_there(request, called()))
        except ClientLeft:
            return Response(status_code=CLIENT_LEFT)
        finally:
            stop.set()

    return call


def _author(request: Request) -> str:
    """Which client calls, by its own word."""
    return request.headers.get("user-agent", "").strip()[:LONGEST_AUTHOR] or NOBODY


def _called(house: House, name: str, arguments: Object, author: str, stop: threading.Event) -> Object:
    """Call a tool in a room of its own, over the model that is open."""
    settings, do = house.settings, doors.asked(name, arguments)
    with house.answering(stop), Journal(settings.home) as journal:
        parts = house.parts(settings, journal, _log.info, stop.is_set, os.environ)
        room = classroom.of_parts(parts, "http", author, say=_log.info)
        room.claude.stop = stop.is_set
        return do(room)
