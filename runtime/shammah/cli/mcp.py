"""`shammah mcp`: the teaching tools for whoever speaks the Model Context Protocol, such as Claude Code."""

import contextlib
import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config
from shammah.cli import complete
from shammah.cli.screen import say
from shammah.errors import McpMissing
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.teaching.classroom import Classroom

Offline = Annotated[bool, typer.Option("--offline", help="Nothing leaves this machine: the teacher is not asked.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="PATH", help="The GGUF that is taught.", autocompletion=complete.models),
]


def mcp(offline: Offline = False, model: Model = None) -> None:
    """Serve the five teaching tools over MCP on stdin and stdout, until stdin ends.

    Claude Code takes it with: claude mcp add shammah -- shammah mcp
    """
    if importlib.util.find_spec("mcp") is None:
        raise McpMissing("the package mcp is not installed")

    def read() -> Settings:
        return config.load(offline=offline or None, model__path=model)

    read()  # what is wrong is said before anybody waits
    from shammah.teaching import stdio

    stdio.serve(_room, read)


@contextlib.contextmanager
def _room(settings: Settings) -> "Iterator[Classroom]":
    """A classroom for the thread that asks for it."""
    from shammah.assembly import Parts
    from shammah.hardware import BusyMeter
    from shammah.journal import Journal
    from shammah.teaching import classroom

    with Journal(settings.home) as journal:
        parts = Parts(settings, journal, BusyMeter(), say)
        try:
            yield classroom.of_parts(parts, "mcp", "an MCP client", say=say)
        finally:
            parts.close()
