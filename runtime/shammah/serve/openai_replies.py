"""Answers in OpenAI's form: chat and plain completions, whole and streamed."""

import json
from collections.abc import Iterator

from shammah.generation import Finish
from shammah.serve.failures import Failure
from shammah.serve.spoken import Head, Piece, Whole, call_id
from shammah.serve.wanted import Object
from shammah.tool_text import Call

DONE = "data: [DONE]\n\n"
_FINISHES = {Finish.LENGTH: "length", Finish.REFUSAL: "content_filter"}


def event(data: Object) -> str:
    """An object as a server-sent event."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


class Chat:
    """`/v1/chat/completions`."""

    def __init__(self, includes_usage: bool = False) -> None:
        self._includes_usage = includes_usage
        self._head = Head("", "", 0)
        self._calls = 0

    def whole(self, whole: Whole) -> Object:
        """A `chat.completion`."""
        message: Object = {"role": "assistant", "content": whole.text or None, "refusal": None}
        if whole.calls:
            message["tool_calls"] = [_called(call) for call in whole.calls]
        else:
            message["content"] = whole.text
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(whole)}
        return _object("chat.completion", "chatcmpl", whole.head) | {"choices": [choice]} | _ends(whole)

    def opening(self, head: Head) -> Iterator[str]:
        """The role."""
        self._head = head
        yield self._chunk({"role": "assistant", "content": ""})

    def piece(self, piece: Piece) -> Iterator[str]:
        """A delta of the content, or a whole call."""
        if isinstance(piece, str):
            yield self._chunk({"content": piece})
            return
        yield self._chunk({"tool_calls": [{"index": self._calls, **_called(piece)}]})
        self._calls += 1

    def closing(self, whole: Whole) -> Iterator[str]:
        """The finish reason, and the usage where it is wanted."""
        yield self._chunk({}, _finish(whole), {"shammah": whole.told})
        if self._includes_usage:
            yield event(self._object() | {"choices": [], "usage": _usage(whole)})
        yield DONE

    def failing(self, failure: Failure) -> Iterator[str]:
        """The error, which the clients raise."""
        yield event(failure.as_openai())
        yield DONE

    def _chunk(self, delta: Object, finish: str | None = None, more: Object | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self._includes_usage else {}
        return event(self._object() | {"choices": [choice]} | usage | (more or {}))

    def _object(self) -> Object:
        return _object("chat.completion.chunk", "chatcmpl", self._head)


class Text:
    """`/v1/completions`."""

    def __init__(self, includes_usage: bool = False) -> None:
        self._includes_usage = includes_usage
        self._head = Head("", "", 0)

    def whole(self, whole: Whole) -> Object:
        """A `text_completion`."""
        return self._of(whole.head, whole.text, _finish(whole)) | _ends(whole)

    def opening(self, head: Head) -> Iterator[str]:
        """Nothing."""
        self._head = head
        yield from ()

    def piece(self, piece: Piece) -> Iterator[str]:
        """A piece of the text."""
        assert isinstance(piece, str), "a plain completion has no tools"
        yield event(self._of(self._head, piece, None))

    def closing(self, whole: Whole) -> Iterator[str]:
        """The finish reason, and the usage where it is wanted."""
        yield event(self._of(whole.head, "", _finish(whole)) | {"shammah": whole.told})
        if self._includes_usage:
            yield event(self._of(whole.head, "", None) | {"choices": [], "usage": _usage(whole)})
        yield DONE

    def failing(self, failure: Failure) -> Iterator[str]:
        """The error, which the clients raise."""
        yield event(failure.as_openai())
        yield DONE

    def _of(self, head: Head, text: str, finish: str | None) -> Object:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return _object("text_completion", "cmpl", head) | {"choices": [choice]}


def _object(kind: str, prefix: str, head: Head) -> Object:
    return {"id": f"{prefix}-{head.id}", "object": kind, "created": head.created, "model": head.model}


def _ends(whole: Whole) -> Object:
    return {"usage": _usage(whole), "system_fingerprint": whole.fingerprint, "shammah": whole.told}


def _usage(whole: Whole) -> Object:
    read, written = whole.prompt_tokens, whole.completion_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _called(call: Call) -> Object:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": call_id("call"), "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _finish(whole: Whole) -> str:
    return "tool_calls" if whole.calls else _FINISHES.get(whole.finish, "stop")
