"""The table of what programs may ask at the port; whoever adds an API adds its routes here."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shammah.errors import ShammahError
from shammah.serve import api, measuring, models, openapi, public, tools
from shammah.serve.api import refusal
from shammah.serve.failures import Failure
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
    """How our errors are answered."""
    return {ShammahError: _answer, HTTPException: _no_route}


async def _answer(_: Request, error: Exception) -> Response:
    assert isinstance(error, ShammahError), "no others are handled here"
    return refusal(error, Failure.as_own)


async def _no_route(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "no others are handled here"
    kind = "not_found_error" if error.status_code == 404 else "invalid_request_error"
    told = Failure(error.status_code, kind, f"{error.detail}; GET /openapi.json says what there is").as_own()
    return JSONResponse(told, error.status_code, error.headers)
