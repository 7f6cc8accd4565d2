"""`shammah feedback`: what you think of an answer, so that the next one is better."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config
from shammah.cli import complete
from shammah.cli.screen import harmless, say, tell
from shammah.cli.session import current as current_session
from shammah.cli.typed import clean, read_stdin
from shammah.errors import ConfigError, UsageError
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.feedback import Feedback
    from shammah.journal import Journal
    from shammah.records.examples import NewRating
    from shammah.records.questions import Question

HINT = 'Say how good it was: shammah feedback critical "what was wrong" --answer "what is right"'

Rating = Annotated[str, typer.Argument(metavar="RATING", help="critical (or high), medium, good (or normal).")]
Note = Annotated[str, typer.Argument(metavar="[NOTE]", help="What was wrong, or right; - reads it from stdin.")]
Target = Annotated[
    str | None, typer.Option("--answer", metavar="TEXT", help="The answer that you wanted; - reads it from stdin.")
]
Id = Annotated[
    str | None,
    typer.Option(
        "--id", help="The question's id; else the last one of this terminal.", autocompletion=complete.questions
    ),
]


def feedback(rating: Rating, note: Note = "", answer: Target = None, id: Id = None) -> None:
    """Rate an answer: critical counts 10 times, medium 3 times, good once."""
    from shammah import feedback as path
    from shammah.journal import Journal

    if rating.lower() not in path.NAMES:
        raise UsageError(f"{rating!r} is no rating", hint=f"It is one of {', '.join(path.NAMES)}.")
    if answer == "-" and note == "-":
        raise UsageError("stdin holds one text", hint="Give either the note or the answer as an argument.")
    said = path.Feedback(path.NAMES[rating.lower()], _text(note), _target(answer))
    settings = config.load()
    with Journal(settings.home) as journal:
        for notice in journal.notices.take():
            say(notice)
        give(said, _question(journal, id), journal, settings)


def give(said: "Feedback", question: "Question", journal: "Journal", settings: Settings) -> None:
    """Record a rating, say what follows from it, and let the background begin.

    Raises:
        UsageError: The answer cannot be learnt as it is.
    """
    from shammah import feedback as path
    from shammah import schedule

    needs_target = said.rating.is_rejection and not said.target
    may_ask = needs_target and path.may_hear(said, question, settings.privacy.never_forward) and _has_teacher(settings)
    new = path.rate(journal, question, said, may_ask)
    due = schedule.consider(journal, settings)
    summary = _summary(new, question, journal, settings)
    tell(summary)
    if due:
        say(due)
    if settings.worker.enabled and journal.jobs.waiting():
        from shammah import worker

        worker.start(settings.home, settings.offline)


def _text(text: str) -> str:
    if text != "-":
        return clean(text).strip()
    piped = read_stdin().strip()
    if not piped:
        raise UsageError("stdin is empty", hint="Pipe the text into the command, or give it as an argument.")
    return piped


def _target(answer: str | None) -> str:
    if answer is None:
        return ""
    text = _text(answer)
    if not text:
        raise UsageError("the answer given with --answer is empty", hint=HINT)
    return text


def _question(journal: "Journal", id: str | None) -> "Question":
    question = journal.question(clean(id)) if id is not None else journal.last_question(current_session())
    if question is None and id is not None:
        raise UsageError(f"no one question has the id {id!r}", hint="See `shammah log`.")
    if question is None:
        raise UsageError("there is no answer to rate", hint='Ask first: shammah ask "..."')
    return question


def _has_teacher(settings: Settings) -> bool:
    from shammah.teacher import Access, called

    if settings.offline:
        return False
    try:
        return Access.find(settings.teacher, os.environ) is not None
    except ConfigError as error:  # a rating is not lost over it
        say(f"{called(settings.teacher.model)} cannot be asked: {error}")
        return False


def _summary(new: "NewRating", question: "Question", journal: "Journal", settings: Settings) -> str:
    """What was rated, what is learnt from it, and what waits for a training."""
    live = journal.examples.live(settings.examples.feedback, teacher_limit=0)
    line = " ".join(question.text.split())
    quoted = f"“{line[:47]}…”" if len(line) > 48 else f"“{line}”"
    count = f"{len(live)} example{'s' * (len(live) != 1)}, {sum(example.weight for example in live):.1f} weighted"
    rated = f"{new.rating} (weight {new.rating.weight:g}) for {quoted}: {_next(new, settings)}"
    return harmless(f"{rated}. {count}; {_training(journal, settings)}.")


def _training(journal: "Journal", settings: Settings) -> str:
    """When training starts."""
    from shammah import schedule

    running = schedule.open_training(settings.home, journal)
    if running is not None:
        return "training starts now" if running.state == "queued" else "training is under way"
    missing = schedule.counted(journal, settings)
    if missing is None or not settings.worker.enabled or not schedule.is_installed(settings):
        return "`shammah train` learns them"
    return f"training starts after {missing} more" if missing else "training starts now"


def _next(new: "NewRating", settings: Settings) -> str:
    if new.example.completion is not None:
        return "kept to learn" if new.example.rejected is None else "your answer is kept to learn in its place"
    if not new.wants_target:
        return "nothing to learn yet; add a note, --answer or a key"
    if not settings.worker.enabled:
        return "a better answer is looked for once `worker.enabled` is true"
    return "a better answer is looked for in the background"
