"""Claude, by Anthropic's API: the one file that knows the anthropic SDK.

The SDK's timeouts are per read, it obeys any retry-after and follows redirects, so it makes one call at a time here,
without retries; `teacher.asking` keeps the deadline and tries again.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shammah.calls import Broken, Line, is_cut, words_of
from shammah.claude_messages import request_of
from shammah.errors import TeacherError
from shammah.generation import Chunk, Finish, Sampling
from shammah.proxies import mounts
from shammah.teacher.access import KEY_VARIABLES, Access
from shammah.teacher.failing import foreign, of_silence, of_status, unreachable
from shammah.teacher.order import Order
from shammah.tool_calls import Blocks
from shammah_convert.chat import Message

if TYPE_CHECKING:
    import anthropic

_FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "refusal": Finish.REFUSAL,
    "tool_use": Finish.TOOL,
}


class Claude:
    """Asks Claude."""

    who = "Claude"

    def __init__(self, access: Access, model: str) -> None:
        self._access = access
        self._model = model

    def converse(self, messages: Sequence[Message], sampling: Sampling, timeout_seconds: float, line: Line) -> Finish:
        """Make one call, and say to the line what comes."""
        import anthropic  # 0.9 s: only a question that is forwarded pays for it

        request: dict[str, Any] = {"model": self._model, **request_of(messages, sampling)}
        # A redirect would carry the prompt to an address that nobody chose.
        http = anthropic.DefaultHttpxClient(
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
            event_hooks=line.hooks,
            mounts=mounts(self._access.url),
        )
        with (
            anthropic.Anthropic(
                api_key=self._access.key,
                base_url=self._access.url,
                timeout=timeout_seconds,
                max_retries=0,
                http_client=http,
            ) as client,
            client.messages.create(**request, stream=True) as stream,
        ):
            return Finish.INTERRUPTED if line.is_abandoned else _finish_of(stream, line)

    def translate(self, error: Exception, has_text: bool, is_accepted: bool) -> Exception:
        """Turn what the wire did into our errors, with the reason in plain words."""
        import anthropic

        if isinstance(error, anthropic.APIStatusError):
            said = words_of(error.body, error.message)
            after = error.response.headers.get("retry-after")
            return of_status(error.status_code, said, after, not has_text, self.who, KEY_VARIABLES["anthropic"])
        is_late = isinstance(error, anthropic.APITimeoutError)
        if is_late:
            cause = TeacherError("Claude did not answer in time")
        elif isinstance(error, anthropic.APIConnectionError):
            cause = unreachable(error, self.who, self._access.url)
        elif is_cut(error):
            cause = TeacherError("Claude's answer was cut off")
        else:
            cause = foreign(error, "Claude's API")
        return of_silence(cause, is_accepted, is_late)


def _finish_of(stream: "anthropic.Stream[anthropic.types.RawMessageStreamEvent]", line: Line) -> Finish:
    has_begun, stop_reason = False, None
    blocks, order = Blocks(), Order()
    for event in stream:
        if line.is_abandoned:
            break
        order.take(event)
        match event.type:
            case "message_start":
                line.prompt_tokens = _count(event.message.usage.input_tokens)
                has_begun = line.is_accepted = line.has_usage = True
            case "content_block_start" | "content_block_delta" | "content_block_stop":
                for said in blocks.hear(event):
                    line.say(Chunk(said) if isinstance(said, str) else Chunk(call=said))
            case "message_delta":
                stop_reason = event.delta.stop_reason
                line.stop_text = event.delta.stop_sequence or ""
                line.completion_tokens = _count(event.usage.output_tokens)
    if not has_begun:
        raise EOFError("no event came")
    if not order.is_complete or stop_reason is None:
        raise Broken("the stream ended before the answer did")
    return _FINISHES.get(stop_reason, Finish.CUT)


def _count(tokens: object) -> int:
    """A number of tokens.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(tokens, int) or tokens < 0:
        raise ValueError(f"{tokens!r} tokens")
    return tokens
