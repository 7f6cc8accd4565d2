"""A real HTTP server that speaks the wire format of OpenAI's chat completions, well or badly, as a script tells it.

with OpenAIServer([Status(503), Answer("hi")]) as server:
    ...  # server.url, server.requests
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.anthropic_server import AnthropicServer
from tests.anthropic_wire import PING_SECONDS, Handler, Wire
from tests.behaviours import Answer, BadJson, Behaviour, CutClean, CutDirty, Drip, ErrorEvent, Request, Stall, Status

_FINISHES = {"end_turn": "stop", "max_tokens": "length", "refusal": "content_filter"}


def openai_server(*script: Behaviour) -> AnthropicServer:
    """A server that speaks OpenAI's wire format; its base URL is `url` with `/v1`."""
    return AnthropicServer(script, wire=Wire(_Handler, _refusal))


def _refusal(request: Request) -> Status | None:
    body = request.body
    if request.path != "/v1/chat/completions":
        return Status(404, "invalid_request_error", f"no such path: {request.path}")
    complaints = [
        (not body.get("model"), "you must provide a model parameter"),
        (body.get("stream") is not True, "this server only streams"),
        (not body.get("messages"), "messages is empty"),
        (not _each_call_is_answered(body.get("messages") or []), "each tool_call_id must be answered"),
        (any(tool["type"] != "function" for tool in body.get("tools") or []), "tools: bad"),
    ]
    message = next((words for is_wrong, words in complaints if is_wrong), None)
    return None if message is None else Status(400, "invalid_request_error", message)


def _each_call_is_answered(messages: list[dict[str, Any]]) -> bool:
    called = [call["id"] for message in messages for call in message.get("tool_calls") or ()]
    return called == [message["tool_call_id"] for message in messages if message["role"] == "tool"]


class _Handler(Handler):
    def _stream(self, behaviour: Answer | Stall | Drip | CutClean | CutDirty | BadJson | ErrorEvent) -> None:
        if isinstance(behaviour, Answer):
            self._answer(behaviour)
            return
        self._say({"role": "assistant", "content": behaviour.text})
        match behaviour:
            case Stall():
                self._wait_for_end()
            case Drip():
                while not self.server.is_closing.wait(PING_SECONDS):
                    self._send_chunk(b": ping\n\n")
            case CutClean():
                self._send_chunk(b"")
            case CutDirty():
                self.wfile.write(b'1000\r\ndata: {"id": "x", "cho')
            case BadJson():
                self._send_chunk(b"data: {oh\n\n")
                self._send_chunk(b"")
            case ErrorEvent(_, error_type, message):
                self._data({"error": {"type": error_type, "message": message}})
                self._send_chunk(b"")

    def _answer(self, answer: Answer) -> None:
        self._say({"role": "assistant", "content": ""})
        size = max(1, -(-len(answer.text) // answer.chunks))
        for start in range(0, len(answer.text), size):
            self._say({"content": answer.text[start : start + size]})
        for delta in _calls(answer):
            self._say(delta)
        self._say({}, "tool_calls" if answer.calls else _FINISHES[answer.stop_reason])
        usage = {"prompt_tokens": answer.input_tokens, "completion_tokens": answer.output_tokens}
        self._data({"id": "chatcmpl-test", "object": "chat.completion.chunk", "choices": [], "usage": usage})
        self._send_chunk(b"data: [DONE]\n\n")
        self._send_chunk(b"")

    def _say(self, delta: dict[str, Any], finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self._data({"id": "chatcmpl-test", "object": "chat.completion.chunk", "choices": [choice]})

    def _data(self, event: dict[str, Any]) -> None:
        self._send_chunk(f"data: {json.dumps(event)}\n\n".encode())


def _calls(answer: Answer) -> Iterator[dict[str, Any]]:
    """Each call in two pieces, as the API streams them."""
    for index, (name, given) in enumerate(answer.calls):
        arguments = json.dumps(given)
        first = {"name": name, "arguments": arguments[:3]}
        yield {"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function", "function": first}]}
        yield {"tool_calls": [{"index": index, "function": {"arguments": arguments[3:]}}]}
