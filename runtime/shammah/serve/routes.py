"""The table of what programs may ask at the port; whoever adds an API adds its routes here."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shammah.errors import (
    BudgetReached,
    ConfigError,
    KeyMissing,
    NothingVerified,
    ServeError,
    ShammahError,
    TeacherError,
    TrainingError,
    UsageError,
)
from shammah.serve import api, measuring, models, openapi, public
from shammah.serve.house import House

_STATUSES: Mapping[type[ShammahError], tuple[int, str]] = {
    UsageError: (400, "invalid_request_error"),
    ConfigError: (500, "api_error"),
    ServeError: (503, "overloaded_error"),
    TrainingError: (409, "invalid_request_error"),
    KeyMissing: (503, "api_error"),
    TeacherError: (502, "api_error"),
    NothingVerified: (422, "api_error"),
    BudgetReached: (429, "rate_limit_error"),
}


def table(house: House) -> list[Route]:
    """Every route."""
    return [
        *public.routes(house),
        *api.routes(house),
        *measuring.routes(house),
        *models.routes(house),
        *openapi.routes(),
    ]


def handlers() -> dict[Any, Any]:
    """How our errors are answered."""
    return {ShammahError: _answer}


def status_of(error: ShammahError) -> tuple[int, str]:
    """The status of an error, and the kind that API clients know it by."""
    return next((known for kind, known in _STATUSES.items() if isinstance(error, kind)), (500, "api_error"))


async def _answer(_: Request, error: Exception) -> Response:
    assert isinstance(error, ShammahError), "no others are handled here"
    status, kind = status_of(error)
    told = {"type": kind, "message": f"{error}. {error.hint}".strip(), "param": None, "code": None}
    return JSONResponse({"type": "error", "error": told}, status)
