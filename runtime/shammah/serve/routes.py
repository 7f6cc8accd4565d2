"""The table of what programs may ask at the port; whoever adds an API adds its routes here."""

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shammah.errors import ShammahError
from shammah.serve import api, measuring, models, openapi, public, tools
from shammah.serve.failures import Failure, of_error
from shammah.serve.house import House


def table(house: House) -> list[Route]:
    """Every route."""
    return [
        *public.routes(house),
        *api.routes(house),
        *measuring.routes(house),
        *models.routes(house),
        *openapi.routes(),
        *tools.routes(house),
    ]


def handlers() -> dict[Any, Any]:
    """How errors are answered that no route has answered in the words of its own API."""
    return {ShammahError: _ours, HTTPException: _of_http}


async def _ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, ShammahError), "no others are handled here"
    return _told(of_error(error))


async def _of_http(request: Request, error: Exception) -> Response:
    """No such path, or no such method of it."""
    assert isinstance(error, HTTPException), "no others are handled here"
    is_missing = error.status_code == HTTPStatus.NOT_FOUND
    kind = "not_found_error" if is_missing else "invalid_request_error"
    why = f"{request.method} {request.url.path} is not served here; GET /openapi.json says what is"
    return _told(Failure(error.status_code, kind, why), error.headers)


def _told(failure: Failure, headers: Any = None) -> Response:
    return JSONResponse(failure.as_both(), failure.status, failure.headers | dict(headers or {}))
