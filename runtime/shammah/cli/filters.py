"""Options that say which questions are meant, the same for all commands of the log."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shammah import times
from shammah.cli import complete
from shammah.cli.typed import clean
from shammah.errors import UsageError
from shammah.policy import Reason, Side

if TYPE_CHECKING:
    from shammah.journal.log import Filter

RatingWord = Literal["critical", "medium", "good"]

Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help=f"From then on: {times.EXAMPLES}.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Up to then, a day to its end.")]
Answered = Annotated[Side | None, typer.Option("--side", help="Who answered.")]
Why = Annotated[Reason | None, typer.Option("--reason", metavar="REASON", help="Why, such as offline.")]
Rated = Annotated[RatingWord | None, typer.Option("--rating", help="What you said of the answer last.")]
Applied = Annotated[
    str | None, typer.Option("--adapter", metavar="NAME", help="That was applied.", autocompletion=complete.adapters)
]
Words = Annotated[
    list[str] | None, typer.Option("--search", metavar="WORD", help="In question or answer; may be repeated.")
]


def read(
    since: str | None,
    until: str | None,
    side: Side | None,
    reason: Reason | None,
    rating: RatingWord | None,
    adapter: str | None,
    words: Sequence[str] | None,
) -> "Filter":
    """The filter that the options make; what was not given leaves all in, and what was given empty is none.

    Raises:
        UsageError: A time is none, or a word or a name is empty.
    """
    from shammah.journal.log import Filter

    now = datetime.now().astimezone()
    for option, text in (("--since", since), ("--until", until), ("--adapter", adapter)):
        _check_given(option, text)
    return Filter(
        words=words_of("--search", words or ()),
        since=times.stamp(_span("--since", since, now)[0]) if since else "",
        until=times.stamp(_span("--until", until, now)[1]) if until else "",
        side=side or "",
        reason=reason or "",
        rating=rating or "",
        adapter=clean(adapter or ""),
    )


def words_of(origin: str, words: Sequence[str]) -> tuple[str, ...]:
    """Words to look for, as they were typed.

    Raises:
        UsageError: One of them is empty: every text holds it, and all that there is would be meant.
    """
    for word in words:
        _check_given(origin, word)
    return tuple(map(clean, words))


def _check_given(origin: str, text: str | None) -> None:
    if text is not None and not clean(text).strip():
        raise UsageError(f"{origin} is empty", hint="Say what is meant, or leave it out.")


def _span(option: str, text: str, now: datetime) -> times.Span:
    try:
        return times.span(text, now)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{option} {text!r} is no point in time", hint=f"It takes {times.EXAMPLES}.") from error
