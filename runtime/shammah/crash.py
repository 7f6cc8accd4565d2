"""What is told of an error that nobody foresaw: what kind it is and where it happened, and not what it says.

The text of a foreign exception may quote what somebody asked, with the secrets in it, and a report goes to stderr, to
logs, and from there to whoever is to mend it.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType

MOST_FRAMES = 30
"""Of each error, those nearest to where it happened: a recursion that never ended has a thousand."""


def told(error: BaseException) -> str:
    """The kinds of an error and of those that led to it, each below the lines of code that it came through."""
    return "\n".join(line for one in reversed(list(_chain(error))) for line in _lines(one))


def settle() -> None:
    """Let all that nobody catches be told so, in this process: at its end, in its threads, and in its log."""
    sys.excepthook = _ended
    threading.excepthook = _ended_thread
    sys.unraisablehook = _not_raised
    for handler in logging.getLogger().handlers:
        handler.addFilter(_hidden)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and what it was raised from, the last one first."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _lines(error: BaseException) -> Iterator[str]:
    for frame in traceback.format_tb(error.__traceback__, -MOST_FRAMES):
        yield from frame.rstrip().splitlines()
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from told(one).splitlines()
    # The system's own words quote nothing that anybody typed.
    why = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{why}"


def _ended(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    _say(error)


def _ended_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        _say(failed.exc_value)


def _not_raised(failed: "sys.UnraisableHookArgs") -> None:
    if failed.exc_value is not None:
        _say(failed.exc_value)


def _say(error: BaseException) -> None:
    sys.stderr.write(told(error) + "\n")


def _hidden(record: logging.LogRecord) -> bool:
    """Have a record's error told so, whichever library logged it."""
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = told(record.exc_info[1])
    return True
