"""What a server says of itself, and what it can do beyond OpenAI's API."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shammah.compatible import wire
from shammah.compatible.events import NoEvents
from shammah.compatible.failing import failure
from shammah.compatible.identity import Identity, Weights
from shammah.compatible.wire import Endpoint, Refused, Unreachable
from shammah.errors import ModelServerError, NotServed, ShammahError

Object = dict[str, Any]
Kind = Literal["llama.cpp", "vllm", "ollama", "other"]
_KINDS: dict[str, Kind] = {"llamacpp": "llama.cpp", "vllm": "vllm", "library": "ollama"}
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server, as it describes itself.

    Attributes:
        identity: Of the model that answers, as far as it is told.
        kind: Which program it is, as far as its own ways beyond OpenAI's API are known here.
        context_tokens: The longest conversation; None where it does not say.
        models: All that it lists, adapters among them.
    """

    endpoint: Endpoint
    identity: Identity
    kind: Kind
    context_tokens: int | None
    models: tuple[str, ...]

    @property
    def model(self) -> str:
        """What it calls the model that answers."""
        return self.identity.name


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
    properties = _asked(endpoint, f"{endpoint.root}/props") if kind == "llama.cpp" else {}
    identity = Identity(str(row["id"]), _source(endpoint, kind, row, properties), Weights.read(row.get("meta")))
    return Server(endpoint, identity, kind, _context(row, properties), names)


def _listed(endpoint: Endpoint) -> Sequence[Object]:
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


def _context(row: Object, properties: Object) -> int | None:
    """How long a conversation may be, where the server tells."""
    if isinstance(row.get("max_model_len"), int):
        return int(row["max_model_len"])
    try:
        return int(properties["default_generation_settings"]["n_ctx"])
    except (LookupError, TypeError, ValueError):  # an older one does not say, nor do others
        return None


def _source(endpoint: Endpoint, kind: Kind, row: Object, properties: Object) -> str:
    """Where the weights come from, as far as it is more than the name; each program tells it in its own way."""
    match kind:
        case "llama.cpp":
            told = properties.get("model_path")
        case "ollama":
            told = _digest(_asked(endpoint, f"{endpoint.root}/api/tags"), row["id"])
        case _:  # vLLM has a root; a Shammah elsewhere says by its title what runs there
            told = row.get("root") or row.get("display_name")
    return told if isinstance(told, str) and told != row["id"] else ""


def _digest(tags: Object, name: str) -> object:
    """Of what Ollama has under a name: that moves with each `ollama pull` that brings something new."""
    rows = tags.get("models")
    found = (row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    return next((row.get("digest") for row in found if name in (row.get("name"), row.get("model"))), None)


def _asked(endpoint: Endpoint, url: str) -> Object:
    """What a server tells beyond OpenAI's API; nothing where it does not."""
    try:
        found = wire.request(endpoint, "GET", url, timeout_seconds=LOOK_SECONDS)
    except (Refused, Unreachable, NoEvents):
        return {}
    return found if isinstance(found, dict) else {}
