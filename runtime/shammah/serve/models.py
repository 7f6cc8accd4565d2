"""The models of the API: the ways in which a question may be answered, and the adapters that may be asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shammah.journal import Journal
from shammah.serve.api import refusal
from shammah.serve.failures import Failure
from shammah.serve.house import House
from shammah.serve.wanted import MODEL, Object, Refused, adapter_model


def routes(house: House) -> list[Route]:
    """The list, and each model by its name."""

    def every(_: Request) -> Response:
        models = list(models_of(house))
        ends = {"first_id": models[0]["id"], "last_id": models[-1]["id"]}
        return JSONResponse({"object": "list", "data": models, "has_more": False, **ends})

    def one(request: Request) -> Response:
        name = request.path_params["model"]
        found = next((model for model in models_of(house) if model["id"] == name), None)
        if found is None:
            error = Refused(f"there is no model {name!r}; GET /v1/models lists them", "model", "model_not_found", 404)
            return refusal(error, Failure.as_openai)
        return JSONResponse(found)

    return [
        Route("/v1/models", every, methods=["GET"]),
        Route("/v1/models/{model:path}", one, methods=["GET"]),
    ]


def models_of(house: House) -> Iterator[Object]:
    """Every model that can be asked now."""
    begun = datetime.fromtimestamp(int(house.counters.since), UTC)
    base = house.opened.base
    yield _model(MODEL, begun, "routed")
    yield _model(f"{MODEL}:local", begun, base.name)
    yield _model(f"{MODEL}:teacher", begun, house.settings.teacher.model)
    with Journal(house.home) as journal:
        for adapter in journal.adapters.all():
            if adapter.base == base.sha256:
                made = datetime.fromisoformat(adapter.created)
                yield _model(adapter_model(adapter.name), made, f"{base.name} with {adapter.name}")


def _model(id: str, created: datetime, title: str) -> Object:
    """A model in both APIs' form: each client reads its own fields."""
    return {
        "id": id,
        "object": "model",
        "created": int(created.timestamp()),
        "owned_by": MODEL,
        "type": "model",
        "display_name": f"Shammah ({title})",
        "created_at": created.isoformat(timespec="seconds"),
    }
