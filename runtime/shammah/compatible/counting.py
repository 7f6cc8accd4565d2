"""How many tokens a prompt has, by the server's own tokenizer where there is a way to ask for it."""

from collections.abc import Sequence
from typing import Any

from shammah.compatible import wire
from shammah.compatible.bodies import unthinking
from shammah.compatible.events import NoEvents
from shammah.compatible.failing import failure
from shammah.compatible.looking import Server
from shammah.compatible.wire import Refused, Unreachable
from shammah_convert.chat import Message

# Qwen's tokens are 3 to 4 bytes of English or of code, 3 of Chinese; the frame of a message takes 5.
LIKELY_BYTES, FRAME_TOKENS = 2.5, 5


def exact(server: Server, messages: Sequence[Message]) -> int | None:
    """The length of a prompt as the server counts it; None where it has no way to be asked.

    Raises:
        ModelServerError: It does not answer.
    """
    turns = [{"role": message.role, "content": message.content} for message in messages]
    match server.kind:
        case "vllm":
            return _length(server, {"model": server.model, "messages": turns} | unthinking(server.kind))
        case "llama.cpp":
            rendered = _asked(server, "apply-template", {"messages": turns} | unthinking(server.kind))
            if not isinstance(rendered, dict) or not isinstance(rendered.get("prompt"), str):
                return None
            return _length(server, {"content": rendered["prompt"], "add_special": False, "parse_special": True})
        case _:
            return None


def likely(messages: Sequence[Message]) -> int:
    """About the most tokens that a prompt has, by its bytes."""
    sizes = (len(message.content.encode("utf-8", "replace")) for message in messages)
    return sum(round(size / LIKELY_BYTES) + FRAME_TOKENS for size in sizes)


def _length(server: Server, body: dict[str, Any]) -> int | None:
    found = _asked(server, "tokenize", body)
    tokens = found.get("tokens") if isinstance(found, dict) else None
    return len(tokens) if isinstance(tokens, list) else None


def _asked(server: Server, path: str, body: dict[str, Any]) -> Any:
    """What the server answers; None where it has no such path."""
    try:
        return wire.request(server.endpoint, "POST", f"{server.endpoint.root}/{path}", body)
    except Refused:
        return None
    except (Unreachable, NoEvents) as error:
        raise failure(error, server.endpoint.url) from error
