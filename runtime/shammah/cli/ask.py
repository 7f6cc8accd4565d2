"""`shammah ask`: one question, one answer."""

import sys
from typing import Annotated

import typer

from shammah import config
from shammah.asked import Asked, Forced
from shammah.cli import complete, warm
from shammah.cli.manner import Manner
from shammah.cli.session import current as current_session
from shammah.cli.typed import MOST, clean, read_stdin
from shammah.errors import UsageError, fitting
from shammah.settings import Settings
from shammah_convert.collector import resting

CONTEXT = {"allow_extra_args": True}
"""Words behind the question are told what to do, rather than that they are unexpected."""

Question = Annotated[
    str | None, typer.Argument(metavar="[QUESTION]", help="The question; text on stdin is added below it.")
]
Local = Annotated[bool, typer.Option("--local", help="Let the local model answer, whatever the router thinks.")]
Teacher = Annotated[bool, typer.Option("--teacher", help="Let the teacher answer.")]
Verified = Annotated[
    bool, typer.Option("--verified", help="Accept only an answer that the validator or the teacher stands behind.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Send nothing off this machine.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="PATH", help="A GGUF Qwen2, Qwen2.5 or Qwen3.", autocompletion=complete.models),
]
System = Annotated[str | None, typer.Option("--system", help="Instructions that stand above the conversation.")]
GoOn = Annotated[bool, typer.Option("-c", "--continue", help="Go on from the last answer of this terminal.")]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", min=1, help="The longest answer, in tokens.")]
Temperature = Annotated[
    float | None, typer.Option("--temperature", min=0, max=5, help="0 takes the likeliest token each time.")
]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, max=MOST, help="Makes an answer above temperature 0 repeatable.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object (docs/ask.schema.json).")]
NoStdin = Annotated[bool, typer.Option("--no-stdin", help="Leave stdin to others: a loop that reads from it.")]
Why = Annotated[bool, typer.Option("--why", help="Tell on stderr how it was decided.")]


def ask(
    context: typer.Context,
    question: Question = None,
    local: Local = False,
    teacher: Teacher = False,
    verified: Verified = False,
    offline: Offline = False,
    model: Model = None,
    system: System = None,
    go_on: GoOn = False,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    seed: Seed = None,
    as_json: AsJson = False,
    why: Why = False,
    no_stdin: NoStdin = False,
) -> None:
    """Ask a question: the local model answers when it can, the teacher when it must."""
    if context.args:
        raise UsageError("a question is one argument", hint='Put it into quotes: shammah ask "two words"')
    asked = Asked(
        text=compose(question, "" if no_stdin else read_stdin()),
        session=current_session(),
        forced=_forced(local, teacher, offline),
        wants_verified=verified,
        goes_on=go_on,
        seed=seed,
        max_teacher_tokens=max_tokens,
        tells_why=why,
        hears_price=sys.stderr.isatty(),
    )
    settings = config.load(
        offline=offline or None,
        model__path=model,
        answer__system=None if system is None else clean(system),
        answer__max_tokens=max_tokens,
        answer__temperature=temperature,
    )
    manner = Manner(as_json)
    with fitting("ask with --local"):
        if not warm.answer(asked, settings, manner):
            _answer(asked, settings, manner)


def _answer(asked: Asked, settings: Settings, manner: Manner) -> None:
    """Answer in this process."""
    # The rooms below take 0.2 s to open: bad flags and `--help` need none of them. Meanwhile the meter sees
    # how busy others are.
    from shammah.hardware import BusyMeter
    from shammah.locks import background

    meter = BusyMeter(background(settings.home))
    with resting():
        from shammah.cli.answering import answer

    answer(asked, settings, meter, manner)


def _forced(local: bool, teacher: bool, offline: bool) -> Forced:
    if local and teacher:
        raise UsageError("--local and --teacher exclude each other", hint="Leave out one of the two.")
    if teacher and offline:
        raise UsageError("--offline and --teacher exclude each other", hint="Leave out one of the two.")
    return "local" if local else "teacher" if teacher else ""


def compose(question: str | None, piped: str) -> str:
    """One question from the argument, from stdin, or from both.

    Raises:
        UsageError: There is neither.
    """
    typed = clean(question or "").strip()
    parts = [part for part in (typed, piped.strip("\n")) if part.strip()]
    if not parts:
        raise UsageError("there is no question", hint='Ask one: shammah ask "how do I undo the last commit"')
    return "\n\n".join(parts)
