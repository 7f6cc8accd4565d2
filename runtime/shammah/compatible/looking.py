"""What a server says of itself, and what it can do beyond OpenAI's API."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shammah.compatible import wire
from shammah.compatible.events import NoEvents
from shammah.compatible.failing import failure
from shammah.compatible.wire import Endpoint, Refused, Unreachable
from shammah.errors import ModelServerError, NotServed, ShammahError

Kind = Literal["llama.cpp", "vllm", "ollama", "other"]
_KINDS: dict[str, Kind] = {"llamacpp": "llama.cpp", "vllm": "vllm", "library": "ollama"}
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server, as it describes itself.

    Attributes:
        model: What it calls the model that answers.
        kind: Which program it is, as far as its own ways beyond OpenAI's API are known here.
        context_tokens: The longest conversation; None where it does not say.
        models: All that it lists, adapters among them.
    """

    endpoint: Endpoint
    model: str
    kind: Kind
    context_tokens: int | None
    models: tuple[str, ...]


def look(endpoint: Endpoint, served_as: str = "") -> Server:
    """Ask a server what it serves.

    Args:
        endpoint: The server.
        served_as: The model that is meant; empty takes the first.

    Raises:
        ModelServerError: It does not answer as OpenAI's API does; `NotServed` where it has no such model.
    """
    listed = _listed(endpoint)
    names = tuple(str(row.get("id", "")) for row in listed)
    if not names or (served_as and served_as not in names):
        what = f"has no model {served_as!r}" if names else "serves no model"
        hint = f"It has {', '.join(names[:8])}: shammah config set model.served_as NAME" if names else None
        raise NotServed(f"{endpoint.url} {what}", hint=hint)
    row = listed[names.index(served_as)] if served_as else listed[0]
    kind = _KINDS.get(str(row.get("owned_by", "")), "other")
    return Server(endpoint, str(row["id"]), kind, _context(endpoint, kind, row), names)


def _listed(endpoint: Endpoint) -> Sequence[dict[str, Any]]:
    try:
        found = wire.request(endpoint, "GET", endpoint.at("models"), timeout_seconds=LOOK_SECONDS)
    except Refused as error:
        hint = "Does its URL end in /v1?" if error.status == 404 else None
        raise _hinted(failure(error, endpoint.url), hint) from error
    except (Unreachable, NoEvents) as error:
        raise failure(error, endpoint.url) from error
    rows = found.get("data") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("id") for row in rows):
        raise ModelServerError(f"{endpoint.url} lists no models as OpenAI's API does", hint="Does its URL end in /v1?")
    return rows


def _hinted(error: ShammahError, hint: str | None) -> ShammahError:
    return error if hint is None else type(error)(str(error), hint=hint)


def _context(endpoint: Endpoint, kind: Kind, row: dict[str, Any]) -> int | None:
    """How long a conversation may be, where the server tells."""
    if isinstance(row.get("max_model_len"), int):
        return int(row["max_model_len"])
    if kind != "llama.cpp":
        return None
    try:
        properties = wire.request(endpoint, "GET", f"{endpoint.root}/props", timeout_seconds=LOOK_SECONDS)
        return int(properties["default_generation_settings"]["n_ctx"])
    except (Refused, Unreachable, NoEvents, LookupError, TypeError, ValueError):  # an older one does not say
        return None
