"""Another teacher than Claude: a model that is asked by OpenAI's API."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from shammah.calls import Line, is_cut, words_of
from shammah.compatible import bodies, wire
from shammah.compatible.events import ErrorEvent
from shammah.compatible.wire import Endpoint, Refused, Unreachable
from shammah.errors import TeacherError
from shammah.generation import Finish, Sampling
from shammah.teacher.access import KEY_VARIABLES, OFFICIAL_URLS, Access
from shammah.teacher.failing import foreign, of_silence, of_status, unreachable
from shammah_convert.chat import Message

KEY, OFFICIAL_HOST = KEY_VARIABLES["openai"], urlsplit(OFFICIAL_URLS["openai"]).hostname


class Compatible:
    """Asks a model behind OpenAI's API."""

    def __init__(self, access: Access, model: str) -> None:
        self.who = model
        self._endpoint = Endpoint(access.url, access.key)

    def converse(self, messages: Sequence[Message], sampling: Sampling, timeout_seconds: float, line: Line) -> Finish:
        """Make one call, and say to the line what comes."""
        body: dict[str, Any] = bodies.with_tools(self.who, messages, sampling)
        if urlsplit(self._endpoint.url).hostname == OFFICIAL_HOST:  # its own models take no `max_tokens` any more
            body["max_completion_tokens"] = body.pop("max_tokens")
        return wire.converse(self._endpoint, body, timeout_seconds, line)

    def translate(self, error: Exception, has_text: bool, is_accepted: bool) -> Exception:
        """Turn what the wire did into our errors, with the reason in plain words."""
        if isinstance(error, Refused):
            said = words_of(error.body, str(error.body))
            return of_status(error.status, said, error.retry_after, not has_text, self.who, KEY)
        if isinstance(error, ErrorEvent):
            return of_status(200, words_of(error.body, str(error)), None, not has_text, self.who, KEY)
        is_late = type(error).__name__.endswith("Timeout")
        if is_late:
            cause = TeacherError(f"{self.who} did not answer in time")
        elif isinstance(error, Unreachable):
            cause = unreachable(error, self.who, self._endpoint.url)
        elif is_cut(error):
            cause = TeacherError(f"{self.who}'s answer was cut off")
        else:
            cause = foreign(error, "OpenAI's API")
        return of_silence(cause, is_accepted, is_late)
