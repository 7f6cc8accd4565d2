"""What went wrong on the teacher's wire, in our words, and whether the call is worth another try."""

import os
import ssl
from collections.abc import Iterator, Mapping, Sequence

from shammah.calls import Packed
from shammah.errors import LOCALLY, KeyMissing, TeacherError
from shammah.proxies import proxy_of

# The local model waits to step in: a server that says "later" is asked four times, one that says nothing twice.
MOST_CALLS = 4
MOST_CALLS_UNHEARD = 2
RETRIED_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
# What an error event says when the status line has said 200 already.
RETRIED_EVENTS = frozenset(
    {"api_error", "overloaded_error", "rate_limit_error", "timeout_error", "server_error", "internal_server_error"}
)
BETWEEN = "A proxy or a login page may stand between; check the network and the base URL."
SPENT = ("spend", "credit", "billing", "quota")


class Retryable(Exception):
    """The call may succeed when it is made again."""

    def __init__(self, cause: TeacherError, after_seconds: float, most_calls: int) -> None:
        super().__init__(str(cause))
        self.most_calls = most_calls
        self.cause = cause
        self.after_seconds = after_seconds


def of_status(
    status: int, said: tuple[str, str], retry_after: str | None, may_retry: bool, who: str, key: str
) -> Exception:
    """Our error for a status that is none of success.

    Args:
        status: 200 where an error event came after it.
        said: The server's own kind of error and its words.
        retry_after: The header.
        may_retry: Whether nothing was said yet.
        who: Is asked.
        key: The variable that holds the key.
    """
    kind, text = said
    if status in (401, 403):
        return KeyMissing(f"{who} refused the key: {text}", hint=f"Check {key}, or {LOCALLY}.")
    if special := _of_networks(status):
        return special
    words = "broke off" if status == 200 else f"answered with status {status}"
    cause = TeacherError(f"{who} {words}: {text}")
    cause.is_free = status >= 400
    # A spend limit is not lifted by waiting a second.
    is_spent = any(word in text.lower() for word in SPENT)
    may_succeed = status in RETRIED_STATUSES or (status == 200 and kind in RETRIED_EVENTS)
    cause.is_away = may_succeed and not is_spent
    if not may_retry or is_spent or not may_succeed:
        return cause
    return Retryable(cause, _retry_after_seconds(retry_after), MOST_CALLS)


def of_silence(cause: TeacherError, is_accepted: bool, is_late: bool = False) -> Exception:
    """What came of a call that no status explains: one that was accepted is paid for, and not made again."""
    cause.is_free = not is_accepted and not is_late
    cause.is_away = True
    return cause if is_accepted else Retryable(cause, 0.0, MOST_CALLS_UNHEARD)


def unreachable(error: Exception, who: str, url: str, environ: Mapping[str, str] = os.environ) -> TeacherError:
    """Our error for a server that is not there, or that something stands before: a proxy, a login page."""
    causes = list(_causes(error))
    packed = next((one for one in causes if isinstance(one, Packed)), None)
    if packed is not None:
        return foreign(packed, f"{who}'s API")
    proxy = proxy_of(url, environ)
    if proxy and any(type(one).__name__ == "ProxyError" for one in causes):
        return TeacherError(
            f"the proxy {proxy.address} does not let {who} be reached: {_last_words(causes)}",
            hint=f"Mend or unset {proxy.variable}, or {LOCALLY}.",
        )
    safely = next((one for one in causes if isinstance(one, ssl.SSLError)), None)
    if safely is not None:
        return TeacherError(f"{who} cannot be reached safely: {_last_words([safely])}", hint=BETWEEN)
    through = f" through the proxy {proxy.address} ({proxy.variable})" if proxy else ""
    return TeacherError(f"{who} cannot be reached{through}", hint=f"Check the network, or {LOCALLY}.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what led to it."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def _last_words(causes: Sequence[BaseException]) -> str:
    return " ".join(str(causes[-1]).split())[:200]


def _of_networks(status: int) -> TeacherError | None:
    """Statuses that say something of the way to a server rather than of the server."""
    if 300 <= status < 400:
        words = "the teacher's address redirects elsewhere; redirects are not followed"
        return TeacherError(words, hint=BETWEEN)
    if status == 407:
        hint = "Put its name and password into HTTPS_PROXY: http://NAME:PASSWORD@HOST:PORT"
        return TeacherError("a proxy stands between, and wants a name and a password", hint=hint)
    if status == 511:
        return TeacherError("this network wants you to log in first", hint="Open any page in a browser, and log in.")
    return None


def foreign(error: BaseException, who: str) -> TeacherError:
    """Our error for what no API says: bad JSON and pages of a proxy surface as a dozen foreign exceptions."""
    return TeacherError(
        f"what came back is not {who} ({type(error).__name__}: {error})",
        hint=BETWEEN,
    )


def _retry_after_seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0  # an HTTP date; our own pause serves
