"""What went wrong with the server that runs the local model, in our words."""

import re

from shammah.calls import is_cut, words_of
from shammah.compatible.events import ErrorEvent
from shammah.compatible.wire import Refused, Unreachable
from shammah.errors import ContextTooLong, EngineBusy, ModelServerError, ShammahError

BUSY = frozenset({429, 503})
# As llama-server, vLLM, llama-cpp-python and OpenAI say it.
TOO_LONG = re.compile(
    r"exceed\w*[ _]\w*[ _]?context|context[ _](length|size|window)|maximum model length|max_tokens\W+is too large",
    re.IGNORECASE,
)


def failure(error: Exception, url: str) -> ShammahError:
    """Our error for what a server did."""
    if isinstance(error, Refused):
        return _refusal(error.status, words_of(error.body, str(error.body)), url)
    if isinstance(error, ErrorEvent):
        return _refusal(200, words_of(error.body, str(error)), url)
    if isinstance(error, Unreachable):
        return ModelServerError(f"the model's server at {url} cannot be reached")
    if type(error).__name__.endswith("Timeout"):
        return ModelServerError(f"the model's server at {url} did not answer in time")
    if is_cut(error):
        return ModelServerError(f"the model's server at {url} broke off")
    return ModelServerError(f"what came from {url} is not OpenAI's API ({type(error).__name__}: {error})")


def _refusal(status: int, said: tuple[str, str], url: str) -> ShammahError:
    kind, text = said
    if status in (401, 403):
        hint = "Set MODEL_SERVER_API_KEY to the key that it takes."
        return ModelServerError(f"the model's server at {url} refused the key: {text}", hint=hint)
    if TOO_LONG.search(f"{kind} {text}"):
        return ContextTooLong(f"the model's server takes no such long question: {text}")
    if status in BUSY:
        return EngineBusy(f"the model's server at {url} is busy: {text}")
    if 300 <= status < 400:
        return ModelServerError(f"{url} redirects elsewhere; redirects are not followed")
    what = "broke off" if status == 200 else f"answered with status {status}"
    return ModelServerError(f"the model's server at {url} {what}: {text}")


def mentions_logprobs(error: Exception) -> bool:
    """Whether a server would answer a request that does not ask for log-probabilities."""
    return isinstance(error, Refused) and error.status >= 400 and "logprob" in str(error.body).lower().replace("_", "")


def is_missing(error: Exception) -> bool:
    """Whether a server does not know the model, or the adapter, that it was asked for."""
    return isinstance(error, Refused) and error.status == 404
