"""`shammah chat`: a conversation."""

import os
from typing import Annotated

import typer

from shammah import config
from shammah.cli import complete
from shammah.cli.session import current as current_session
from shammah.cli.typed import clean
from shammah_convert.collector import resting

Offline = Annotated[bool, typer.Option("--offline", help="Send nothing off this machine.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="PATH", help="A GGUF Qwen2, Qwen2.5 or Qwen3.", autocompletion=complete.models),
]
System = Annotated[str | None, typer.Option("--system", help="Instructions that stand above the conversation.")]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", min=1, help="The longest answer, in tokens.")]
Temperature = Annotated[
    float | None, typer.Option("--temperature", min=0, max=5, help="0 takes the likeliest token each time.")
]


def chat(
    offline: Offline = False,
    model: Model = None,
    system: System = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
) -> None:
    """Talk: ask, correct, train and go on, at one prompt; piped lines are messages."""
    if offline:
        os.environ["SHAMMAH_OFFLINE"] = "1"  # what is started from here keeps to it
    settings = config.load(
        offline=offline or None,
        model__path=model,
        answer__system=None if system is None else clean(system),
        answer__max_tokens=max_tokens,
        answer__temperature=temperature,
    )
    if model:
        from shammah import bases

        bases.wanted(settings)
    with resting():
        from shammah.repl.loop import Chat

    if not Chat(settings, current_session()).run():
        raise typer.Exit(1)
