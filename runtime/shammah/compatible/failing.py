"""What went wrong with the server that runs the local model, in our words."""

from shammah.compatible.wire import Refused, Unreachable
from shammah.errors import ContextTooLong, EngineBusy, ModelServerError, ShammahError
from shammah.teacher.failing import is_cut, words_of

BUSY = frozenset({429, 503})


def failure(error: Exception, url: str) -> ShammahError:
    """Our error for what a server did."""
    if isinstance(error, Refused):
        return _refusal(error, url)
    if isinstance(error, Unreachable):
        return ModelServerError(f"the model's server at {url} cannot be reached")
    if type(error).__name__.endswith("Timeout"):
        return ModelServerError(f"the model's server at {url} did not answer in time")
    if is_cut(error):
        return ModelServerError(f"the model's server at {url} broke off")
    return ModelServerError(f"what came from {url} is not OpenAI's API ({type(error).__name__}: {error})")


def _refusal(error: Refused, url: str) -> ShammahError:
    kind, text = words_of(error.body, str(error.body))
    if error.status in (401, 403):
        hint = "Set MODEL_SERVER_API_KEY to the key that it takes."
        return ModelServerError(f"the model's server at {url} refused the key: {text}", hint=hint)
    if error.status in (400, 413, 500) and "context" in f"{kind} {text}".lower():
        return ContextTooLong(f"the model's server takes no such long question: {text}")
    if error.status in BUSY:
        return EngineBusy(f"the model's server at {url} is busy: {text}")
    if 300 <= error.status < 400:
        return ModelServerError(f"{url} redirects elsewhere; redirects are not followed")
    return ModelServerError(f"the model's server at {url} answered with status {error.status}: {text}")


def mentions_logprobs(error: Exception) -> bool:
    """Whether a server would answer a request that does not ask for log-probabilities."""
    return isinstance(error, Refused) and error.status >= 400 and "logprob" in str(error.body).lower().replace("_", "")
