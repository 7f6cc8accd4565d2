"""What goes wrong, as the clients of both APIs are told it."""

from collections.abc import Mapping
from dataclasses import dataclass

from shammah.errors import (
    AdapterError,
    BadGrammar,
    BudgetReached,
    ContextTooLong,
    EngineBusy,
    EngineError,
    KeyMissing,
    ModelMissing,
    NothingVerified,
    ServeError,
    ShammahError,
    TeacherError,
    TrainingError,
    UsageError,
)
from shammah.serve.wanted import Object, Refused


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it is sent.

    Attributes:
        kind: Its type, in Anthropic's words.
        code: What OpenAI's clients look at.
        param: The field that it is about; empty for none.
        retry_after_seconds: When another try may succeed; None where it would be the same.
    """

    status: int
    kind: str
    message: str
    code: str = ""
    param: str = ""
    retry_after_seconds: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Both SDKs try again what the status suggests, unless they are told."""
        if self.retry_after_seconds is None:
            return {"x-should-retry": "false"}
        return {"retry-after": str(self.retry_after_seconds), "x-should-retry": "true"}

    def as_openai(self) -> Object:
        """In OpenAI's form."""
        kind = "server_error" if self.status >= 500 else _OPENAI.get(self.kind, self.kind)
        return {
            "error": {"message": self.message, "type": kind, "param": self.param or None, "code": self.code or None}
        }

    def as_anthropic(self) -> Object:
        """In Anthropic's form."""
        return {"type": "error", "error": {"type": self.kind, "message": self.message}}

    def as_both(self) -> Object:
        """In a form that the clients of both read."""
        told = {"message": self.message, "param": self.param or None, "code": self.code or None}
        return {"type": "error", "error": {"type": self.kind, **told}}


_OPENAI: Mapping[str, str] = {
    "not_found_error": "invalid_request_error",
    "request_too_large": "invalid_request_error",
    "billing_error": "insufficient_quota",
}
# The first that fits counts; what is not here is our own fault.
_KINDS: tuple[tuple[type[ShammahError], int, str, str], ...] = (
    (ContextTooLong, 400, "invalid_request_error", "context_length_exceeded"),
    (BadGrammar, 400, "invalid_request_error", "invalid_json_schema"),
    (UsageError, 400, "invalid_request_error", "invalid_value"),
    (KeyMissing, 403, "permission_error", "teacher_key_missing"),
    (BudgetReached, 429, "billing_error", "insufficient_quota"),
    (TeacherError, 502, "api_error", "teacher_failed"),
    (NothingVerified, 422, "api_error", "nothing_verified"),
    (TrainingError, 409, "invalid_request_error", "training_refused"),
    (AdapterError, 409, "invalid_request_error", "adapter_unusable"),
    (EngineError, 503, "overloaded_error", "engine_failed"),
    (ServeError, 503, "overloaded_error", "model_not_ready"),
    (ModelMissing, 503, "api_error", "model_missing"),
)
RETRY_SECONDS = 1


def of_error(error: ShammahError) -> Failure:
    """How one of our errors is sent."""
    if isinstance(error, Refused):
        kind = "not_found_error" if error.status == 404 else "invalid_request_error"
        return Failure(error.status, kind, _in_words(error), error.code, error.param)
    if isinstance(error, EngineBusy):
        return Failure(429, "rate_limit_error", _in_words(error), "engine_busy", "", error.retry_after_seconds)
    status, kind, code = next(
        ((status, kind, code) for of, status, kind, code in _KINDS if isinstance(error, of)),
        (500, "api_error", "failed"),
    )
    param = "messages" if isinstance(error, ContextTooLong) else ""
    passes = isinstance(error, (EngineError, ServeError))
    return Failure(status, kind, _in_words(error), code, param, RETRY_SECONDS if passes else None)


def _in_words(error: ShammahError) -> str:
    """The error with what to do next."""
    hint = error.hint_with("ask the model `shammah:local`")
    return f"{error}. {hint}" if hint else str(error)
