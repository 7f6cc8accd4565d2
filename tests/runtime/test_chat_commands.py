"""What is typed is a message or a command, and a wrong command names the right one."""

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from typer.core import TyperGroup
from typer.main import get_command

from shammah.cli import adapters
from shammah.cli.screen import width
from shammah.errors import UsageError
from shammah.repl.commands import COMMANDS, NAMES, Call, help_lines, nearest, read
from shammah.repl.prompt import Commands, candidates, is_open


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("how do I list files", "how do I list files"),
        ("/good", Call("good", "")),
        ("  /CRITICAL keep\nmy changes ", Call("critical", "keep\nmy changes")),
        ("/feedback high no", Call("feedback", "high no")),
        ("/exit", Call("quit", "")),
        ("/?", Call("help", "")),
        ("/etc/hosts is what", "/etc/hosts is what"),
        ("/ alone", "/ alone"),
        ("//good is a command of yours", "/good is a command of yours"),
        ("/2 of 3", "/2 of 3"),
    ],
)
def test_a_line_is_a_message_or_a_command(line: str, typed: Call | str) -> None:
    assert read(line) == typed


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("critcal", "critical"), ("crit", "critical"), ("adapter", "adapters"), ("tain", "train"), ("teache", "teacher")],
)
def test_an_unknown_command_names_the_nearest(wrong: str, right: str) -> None:
    assert nearest(wrong) == right
    with pytest.raises(UsageError) as caught:
        read(f"/{wrong}")
    assert f"/{right}?" in caught.value.hint


def test_the_help_has_every_command_and_fits_sixty_columns() -> None:
    lines = help_lines(60)
    assert max(map(width, lines)) <= 60
    for command in COMMANDS:
        assert any(line.startswith(f"/{command.name}") for line in lines)
        assert any(command.does in line for line in lines)


def test_the_tabulator_completes_commands_and_what_follows_them() -> None:
    assert [word for word, _, _ in candidates("/cr")] == ["/critical"]
    assert [word for word, _, _ in candidates("/")] == [f"/{name}" for name in NAMES]
    assert [(word, begun) for word, begun, _ in candidates("/adapters l")] == [("list", "l"), ("load", "l")]
    assert list(candidates("/adapters list x")) == []


def test_every_subcommand_of_adapters_is_completed() -> None:
    (words,) = (command.words for command in COMMANDS if command.name == "adapters")
    group = get_command(adapters.app)
    assert isinstance(group, TyperGroup)
    assert set(words) == set(group.commands)


def test_names_of_models_are_completed() -> None:
    document = Document("/model qwen2.5-1.5")
    assert "qwen2.5-1.5b" in [word.text for word in Commands().get_completions(document, CompleteEvent())]


def test_enter_does_not_send_code_that_is_still_open() -> None:
    assert is_open("look at this:\n```python\nprint(1)")
    assert not is_open("look at this:\n```python\nprint(1)\n```")
    assert not is_open("the ``` in a line opens nothing")
