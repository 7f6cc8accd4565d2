"""The paths that are no API of others, as `/openapi.json` describes them."""

from shammah.feedback import NAMES
from shammah.serve.shaping import COUNT, FLAG, FREE, TEXT, Drawn, list_of, record, ref, reply, told, word

SHAPES: Drawn = {
    "Feedback": record(
        {
            "id": told(TEXT, "Of the question, as `x-shammah-id` has it."),
            "rating": word(*NAMES),
            "note": told(TEXT, "What was wrong with the answer."),
            "answer": told(TEXT, "What it should have been: that is learnt."),
        },
        ("id", "rating"),
    ),
    "Rated": reply(
        {
            "id": TEXT,
            "rating": TEXT,
            "weight": {"type": "number"},
            "is_learnt": FLAG,
            "is_looked_for": FLAG,
            "note": TEXT,
        }
    ),
    "Nothing": record({}),
    "Queued": reply({"training": COUNT, "state": TEXT}),
    "Health": reply({"status": word("ok", "loading")}),
    "OwnError": reply(
        {"type": word("error"), "error": reply({"type": TEXT, "message": TEXT, "param": {}, "code": {}})}
    ),
}
JSON = "application/json"


def paths() -> Drawn:
    """Every path with its operations."""
    rate = _taking("Rate an answer", "Feedback", {"200": gives("Rated", ref("Rated"))})
    health = giving("Whether questions are answered; takes no token", ref("Health"))
    health["responses"]["503"] = gives("The model is being loaded", ref("Health"))
    return {
        "/health": {"get": health | {"security": []}},
        "/metrics": {"get": giving("For Prometheus", TEXT, "text/plain")},
        "/stats": {"get": giving("As `shammah stats --json`: docs/stats.schema.json", FREE)},
        "/adapters": {"get": giving("As `shammah adapters list --json`", list_of(FREE))},
        "/feedback": {"post": rate},
        "/v1/feedback": {"post": rate},
        "/train": {"post": _taking("Begin a training", "Nothing", {"202": gives("Queued", ref("Queued"))})},
    }


def giving(summary: str, shape: Drawn, kind: str = JSON) -> Drawn:
    """An operation that takes nothing."""
    return {"summary": summary, "responses": {"200": gives("Here", shape, kind)} | faults(401, 503)}


def _taking(summary: str, shape: str, responses: Drawn) -> Drawn:
    body = {"required": True, "content": {JSON: {"schema": ref(shape)}}}
    found = responses | faults(400, 401, 409, 413, 415, 500, 503)
    return {"summary": summary, "requestBody": body, "responses": found}


def faults(*statuses: int) -> Drawn:
    """Errors in our own form."""
    return {str(status): gives("It says why", ref("OwnError")) for status in statuses}


def gives(description: str, shape: Drawn, kind: str = JSON) -> Drawn:
    """A response."""
    return {"description": description, "content": {kind: {"schema": shape}}}
