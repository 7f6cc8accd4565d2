"""`shammah ask`: one question, one answer."""

from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config
from shammah.cli import complete
from shammah.cli.session import current as current_session
from shammah.cli.typed import clean, read_stdin
from shammah.errors import UsageError

if TYPE_CHECKING:
    from shammah.policy import Side

Question = Annotated[str | None, typer.Argument(help="The question; text on stdin is added below it.")]
Local = Annotated[bool, typer.Option("--local", help="Let the local model answer, whatever the router thinks.")]
Teacher = Annotated[bool, typer.Option("--teacher", help="Let Claude answer.")]
Verified = Annotated[
    bool, typer.Option("--verified", help="Accept only an answer that the validator or Claude stands behind.")
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
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Makes an answer above temperature 0 repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object (docs/ask.schema.json).")]
Why = Annotated[bool, typer.Option("--why", help="Tell on stderr how it was decided.")]


def ask(
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
) -> None:
    """Ask a question: the local model answers when it can, Claude when it must."""
    forced = _forced(local, teacher, offline)
    text = compose(question, read_stdin())
    settings = config.load(
        offline=offline or None,
        model__path=model,
        answer__system=None if system is None else clean(system),
        answer__max_tokens=max_tokens,
        answer__temperature=temperature,
    )
    # The rooms below take 0.2 s to open: bad flags and `--help` need none of them. Meanwhile the meter sees
    # how busy others are.
    from shammah.hardware import BusyMeter
    from shammah.locks import background

    meter = BusyMeter(background(settings.home))
    from shammah.cli.answering import Options, answer

    options = Options(
        text=text,
        session=current_session(),
        forced=forced,
        wants_verified=verified,
        goes_on=go_on,
        seed=seed,
        max_teacher_tokens=max_tokens,
        as_json=as_json,
        tells_why=why,
    )
    answer(options, settings, meter)


def _forced(local: bool, teacher: bool, offline: bool) -> "Side | None":
    from shammah.policy import Side

    if local and teacher:
        raise UsageError("--local and --teacher exclude each other", hint="Leave out one of the two.")
    if teacher and offline:
        raise UsageError("--offline and --teacher exclude each other", hint="Leave out one of the two.")
    return Side.LOCAL if local else Side.TEACHER if teacher else None


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
