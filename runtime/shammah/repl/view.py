"""An answer's Markdown as rows of a terminal.

What is meant for humans' prose loses characters of commands and code: `<file>` as HTML, `__init__` as bold, a line
break as a blank. So only what is surely meant is rendered; all else stands as the model wrote it.
"""

import os
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown
from rich.style import Style
from rich.syntax import Syntax

from shammah.cli.screen import harmless

_KEPT_AS_WRITTEN = ["escape", "entity", "autolink", "lheading", "reference", "html_inline", "html_block"]
_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table").disable(_KEPT_AS_WRITTEN)
_TRAILING = re.compile(r"(?: |\x1b\[[0-9;]*m)+$")
_PLAIN = "\x1b[0m"
CODE_THEME = "ansi_dark"  # the terminal's own colours, and no background to copy along


class Code(CodeBlock):
    """A block of code that begins in the first column, so that it can be copied; rich indents it by one."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The code in its colours."""
        yield Syntax(str(self.text).rstrip(), self.lexer_name, theme=self.theme, word_wrap=True)


class Answer(Markdown):
    """Markdown with code as it is shown here."""

    elements: ClassVar = {**Markdown.elements, "fence": Code, "code_block": Code}


def is_plain() -> bool:
    """Whether nothing is to be coloured, nor made dim or bold."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def has_cursor() -> bool:
    """Whether what was written can be written over."""
    return os.environ.get("TERM", "dumb") != "dumb"


def rows(text: str, columns: int, is_draft: bool = False) -> list[str]:
    """The rows of a text, each no wider than so many columns, with the escapes of its styles and no others."""
    console = _console(columns)
    with console.capture() as captured:
        console.print(markdown(harmless(text)), style=Style(dim=is_draft), soft_wrap=False)
    lines = [_trimmed(line) for line in captured.get().split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    start = next((place for place, line in enumerate(lines) if line), 0)
    return lines[start:]


def markdown(text: str) -> Markdown:
    """A text for rich, as it is read here."""
    found = Answer("", code_theme=CODE_THEME, hyperlinks=False)
    found.parsed = [_block(token, before) for before, token in pairwise([None, *_PARSER.parse(text)])]
    return found


def _console(columns: int) -> Console:
    # Made anew each time: the terminal may have been resized. It takes 0.1 ms.
    plain = is_plain()
    return Console(
        file=sys.stdout, width=columns, color_system=None if plain else "auto", no_color=plain, highlight=False
    )


def _block(token: Token | None, before: Token | None) -> Token:
    """A block: headings are bold paragraphs, and the text within any is read with care."""
    assert token is not None, "only the first has none before it"
    if token.type in ("heading_open", "heading_close"):
        return Token(token.type.replace("heading", "paragraph"), "p", token.nesting, level=token.level)
    if token.children is None:
        return token
    inline = _inline(token.children)
    if before is not None and before.type == "heading_open":
        inline = [Token("strong_open", "strong", 1), *inline, Token("strong_close", "strong", -1)]
    return token.copy(children=inline)


def _inline(children: Sequence[Token]) -> list[Token]:
    """The pieces of a text: line breaks stay, and marks that may be meant are shown."""
    literal = _literal_marks(children)
    return [_text(token.markup) if place in literal else _piece(token) for place, token in enumerate(children)]


def _piece(token: Token) -> Token:
    match token.type:
        case "softbreak":
            return Token("hardbreak", "br", 0)
        case "image":
            return _text(f"![{token.content}]({token.attrGet('src')})")
        case _:
            return token


def _literal_marks(children: Sequence[Token]) -> set[int]:
    """Places of the marks of emphasis that belong to a word: `__init__`, `2**3**4`, `a_b_c`."""
    literal: set[int] = set()
    opened: list[int] = []
    for place, token in enumerate(children):
        if token.type in ("em_open", "strong_open"):
            opened.append(place)
        elif token.type in ("em_close", "strong_close"):
            start = opened.pop()
            if token.markup[0] == "_" or _is_word(children, start - 1, -1) or _is_word(children, place + 1, 0):
                literal |= {start, place}
    return literal


def _is_word(children: Sequence[Token], place: int, end: int) -> bool:
    """Whether a neighbouring piece touches with a letter or a figure."""
    text = children[place].content if 0 <= place < len(children) else ""
    return bool(text) and text[end].isalnum()


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _trimmed(line: str) -> str:
    """A row without the blanks that fill it up."""
    found = _TRAILING.search(line)
    if found is None:
        return line
    return line[: found.start()] + (_PLAIN if "\x1b" in line[: found.start()] else "")
