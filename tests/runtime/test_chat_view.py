"""Answers are rendered, and nothing of them is lost, added, or obeyed."""

import re

import pytest

from shammah.cli.screen import width
from shammah.repl import view

SGR = re.compile(r"\x1b\[[\d;]*m")
AS_WRITTEN = (
    "git reset --soft HEAD~1\nRemoves the last commit.",
    "git clone <url> and <b>then</b> cd <folder>",
    "rename __init__.py, then __init__ itself and snake_case_names",
    "2*3*4 = 24 and 2**3**2 = 512",
    "grep 'a\\.b' *.txt and *.md",
    "AT&amp;T is &lt; than",
    "see <http://example.org> [1]\n\n[1]: http://example.org",
    "a title\n---",
    "![a picture](http://example.org/x.png)",
)


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def plain(text: str, columns: int = 60) -> str:
    return SGR.sub("", "\n".join(view.rows(text, columns)))


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_what_may_be_meant_stands_as_it_was_written(text: str) -> None:
    assert "".join(plain(text).replace("─", "").split()).startswith("".join(text.replace("---", "").split()))


def test_line_breaks_stay() -> None:
    assert plain("git reset --soft HEAD~1\nRemoves the last commit.").split("\n") == [
        "git reset --soft HEAD~1",
        "Removes the last commit.",
    ]


def test_prose_is_rendered() -> None:
    rows = "\n".join(view.rows("# Title\n\nsome **bold** words and `code`\n\n- one\n- two", 60))
    assert "\x1b[1mTitle" in rows
    assert "\x1b[1mbold" in rows
    assert "**" not in rows
    assert "`" not in rows
    assert " • one" in SGR.sub("", rows)


def test_code_is_coloured_and_can_be_copied_line_by_line() -> None:
    text = "```python\nfor x in range(3):\n    print(x)\n```"
    rows = view.rows(text, 60)
    assert any("\x1b[" in row for row in rows)
    assert plain(text).split("\n") == ["for x in range(3):", "    print(x)"]


def test_no_escape_of_a_model_reaches_the_terminal() -> None:
    evil = (
        "\x1b]0;title\x07\x1b[2Jcleared \x9b31m [link](http://x\x1b]8;;http://evil\x07) \x1b[31mred ```\n\x1b[5m\n```"
    )
    text = "\n".join(view.rows(evil, 60))
    left = SGR.sub("", text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", left)
    assert "\x1b]" not in text
    assert "\x1b[5m" not in text


@pytest.mark.parametrize("columns", [20, 40, 60])
def test_no_row_is_wider_than_the_terminal(columns: int) -> None:
    text = (
        "a long paragraph of words " * 10
        + "\n\n```sh\n"
        + "x" * 150
        + "\n```\n\n| a | b |\n|---|---|\n| 你好 | c |\n\n# H"
    )
    assert all(width(SGR.sub("", row)) <= columns for row in view.rows(text, columns))


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_there_is_no_escape_at_all(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert "\x1b" not in "\n".join(view.rows("# Title\n\n**bold**\n```python\nx = 1\n```", 60, is_draft=True))


def test_a_draft_is_dim() -> None:
    assert "\x1b[2m" in view.rows("a draft", 60, is_draft=True)[0]
    assert "\x1b" not in view.rows("an answer", 60)[0]
