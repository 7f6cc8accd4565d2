"""`/openapi.json`: what the daemon serves, described by the very shapes that requests are checked against."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shammah import __version__
from shammah.serve import openapi_own, openapi_tools
from shammah.serve.document import SHAPES
from shammah.serve.shaping import TEXT, Drawn, record, ref, told
from shammah.serve.wanted import Object

JSON, EVENTS = "application/json", "text/event-stream"
_EVENT = told(
    record({"event": TEXT, "data": TEXT}, ("data",), is_closed=False), "One of the events, as the API has them."
)
_FAULTS: Mapping[int, str] = {
    400: "The request cannot be meant so; `param` names the field",
    401: "The token is missing or wrong",
    403: "The teacher has no key, or refuses it",
    404: "There is no such model",
    409: "The adapter cannot be used",
    413: "The body is too large",
    415: "The body is no JSON",
    429: "Too many requests wait, or the teacher's budget is used up",
    500: "The daemon failed",
    502: "The teacher gave no answer",
    503: "The model is not ready, or its process ended; try again",
}
_HEADERS: Drawn = {
    "x-shammah-id": {"description": "The answer's id: `POST /v1/feedback` takes it", "schema": TEXT},
    "x-shammah-route": {"description": "Who answered: local or teacher", "schema": TEXT},
    "x-shammah-adapter": {"description": "What was applied to the local model, if anything", "schema": TEXT},
}


def routes() -> list[Route]:
    """The document's route."""
    served = document()

    async def show(_: Request) -> Response:
        return JSONResponse(served)

    return [Route("/openapi.json", show, methods=["GET"])]


def document() -> Object:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Shammah",
            "version": __version__,
            "description": "A local model that learns, and a teacher behind it, by the APIs of OpenAI and Anthropic.",
        },
        "security": [{"token": []}, {"key": []}],
        "paths": _paths() | openapi_own.paths() | openapi_tools.paths(),
        "components": {
            "schemas": {**SHAPES, **openapi_own.SHAPES, **openapi_tools.shapes()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _paths() -> Drawn:
    return {
        "/v1/models": {"get": _got("The models: each is a way to answer", "ModelList")},
        "/v1/models/{model}": {
            "get": _got("One of them", "Model", 404)
            | {"parameters": [{"name": "model", "in": "path", "required": True, "schema": TEXT}]}
        },
        "/v1/chat/completions": {"post": _answered("Complete a conversation", "ChatRequest", "ChatCompletion")},
        "/v1/completions": {"post": _answered("Answer a prompt", "CompletionRequest", "TextCompletion")},
        "/v1/embeddings": {"post": posted("Embed texts", "EmbeddingRequest", "EmbeddingList", "OpenAIError")},
        "/v1/messages": {
            "post": _answered("Complete a conversation", "MessagesRequest", "AnthropicMessage", "AnthropicError")
        },
        "/v1/messages/count_tokens": {
            "post": posted("Count a conversation's tokens", "CountRequest", "TokenCount", "AnthropicError")
        },
    }


def posted(summary: str, takes: str, gives: str, fault: str) -> Drawn:
    """An operation that takes one shape and gives another."""
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {JSON: {"schema": ref(takes)}}},
        "responses": {"200": _response("Done", {JSON: ref(gives)})} | _faults(fault, *_FAULTS),
    }


def _answered(summary: str, takes: str, gives: str, fault: str = "OpenAIError") -> Drawn:
    """An operation whose answer may be streamed."""
    drawn = posted(summary, takes, gives, fault)
    answer = _response("The answer, or its events where `stream` is true", {JSON: ref(gives), EVENTS: _EVENT})
    return drawn | {"responses": drawn["responses"] | {"200": answer | {"headers": _HEADERS}}}


def _got(summary: str, gives: str, *more: int) -> Drawn:
    """An operation that takes nothing."""
    responses = {"200": _response("Here", {JSON: ref(gives)})} | _faults("OpenAIError", 401, 503, *more)
    return {"summary": summary, "responses": responses}


def _faults(shape: str, *statuses: int) -> Drawn:
    return {str(status): _response(_FAULTS[status], {JSON: ref(shape)}) for status in statuses}


def _response(description: str, kinds: Drawn) -> Drawn:
    return {"description": description, "content": {kind: {"schema": shape} for kind, shape in kinds.items()}}
