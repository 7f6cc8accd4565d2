"""Answers in Anthropic's form, whole and streamed."""

import json
from collections.abc import Iterator

from shammah.generation import Finish
from shammah.serve.failures import Failure
from shammah.serve.spoken import Head, Piece, Whole, call_id
from shammah.serve.wanted import Object
from shammah.tool_text import Call

_STOPS = {Finish.LENGTH: "max_tokens", Finish.REFUSAL: "refusal"}


def event(data: Object) -> str:
    """An object as a server-sent event, which has the name of its type."""
    return f"event: {data['type']}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


class Messages:
    """`/v1/messages`."""

    def __init__(self) -> None:
        self._blocks = 0
        self._is_in_text = False

    def whole(self, whole: Whole) -> Object:
        """A `message`."""
        blocks: list[Object] = [{"type": "text", "text": whole.text}] if whole.text or not whole.calls else []
        blocks += [_block(call) | {"input": dict(call.arguments)} for call in whole.calls]
        usage = {"input_tokens": whole.prompt_tokens, "output_tokens": whole.completion_tokens}
        return _message(whole.head, blocks, usage) | _ended(whole) | {"shammah": whole.told}

    def opening(self, head: Head) -> Iterator[str]:
        """The message, still empty; how many tokens were read is told at its end."""
        usage = {"input_tokens": 0, "output_tokens": 0}
        yield event({"type": "message_start", "message": _message(head, [], usage)})
        yield event({"type": "ping"})

    def piece(self, piece: Piece) -> Iterator[str]:
        """A delta of the text block, or a whole block for a call."""
        if isinstance(piece, Call):
            yield from self._close()
            yield from self._open(_block(piece) | {"input": {}})
            text = json.dumps(piece.arguments, ensure_ascii=False)
            yield self._delta({"type": "input_json_delta", "partial_json": text})
            yield self._stopped()
            return
        if not self._is_in_text:
            self._is_in_text = True
            yield from self._open({"type": "text", "text": ""})
        yield self._delta({"type": "text_delta", "text": piece})

    def closing(self, whole: Whole) -> Iterator[str]:
        """The stop reason with the usage."""
        if self._blocks == 0 and not self._is_in_text:  # an empty answer has an empty block
            self._is_in_text = True
            yield from self._open({"type": "text", "text": ""})
        yield from self._close()
        usage = {"input_tokens": whole.prompt_tokens, "output_tokens": whole.completion_tokens}
        yield event({"type": "message_delta", "delta": _ended(whole), "usage": usage, "shammah": whole.told})
        yield event({"type": "message_stop"})

    def failing(self, failure: Failure) -> Iterator[str]:
        """The error, which the clients raise."""
        yield event(failure.as_anthropic())

    def _open(self, block: Object) -> Iterator[str]:
        yield event({"type": "content_block_start", "index": self._blocks, "content_block": block})

    def _delta(self, delta: Object) -> str:
        return event({"type": "content_block_delta", "index": self._blocks, "delta": delta})

    def _close(self) -> Iterator[str]:
        if self._is_in_text:
            self._is_in_text = False
            yield self._stopped()

    def _stopped(self) -> str:
        self._blocks += 1
        return event({"type": "content_block_stop", "index": self._blocks - 1})


def _message(head: Head, blocks: list[Object], usage: Object) -> Object:
    return {
        "id": f"msg_{head.id}",
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": blocks,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _block(call: Call) -> Object:
    return {"type": "tool_use", "id": call_id("toolu"), "name": call.name}


def _ended(whole: Whole) -> Object:
    """Why an answer ended."""
    if whole.calls:
        return {"stop_reason": "tool_use", "stop_sequence": None}
    if whole.stop_text:
        return {"stop_reason": "stop_sequence", "stop_sequence": whole.stop_text}
    return {"stop_reason": _STOPS.get(whole.finish, "end_turn"), "stop_sequence": None}
