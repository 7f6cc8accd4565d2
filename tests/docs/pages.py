"""The pages of the documentation: their blocks, their links, and the commands that they tell people to type."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TYPED = ("sh", "console")
"""Blocks of these languages hold commands."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
_BETWEEN = {"|", "<", ">"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: Path
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """What a line tells people to type.

    Attributes:
        page: Where it stands first.
        words: The command's own, without what is put before, behind or into it.
        source: The file that it reads, by `<`; empty where it reads none.
        output: What it is said to answer, in a block of the language `console`.
    """

    page: str
    words: tuple[str, ...]
    source: str = ""
    output: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is a command of `shammah`."""
        return self.words[0] == "shammah"

    @property
    def text(self) -> str:
        """As it is typed."""
        return " ".join(word if re.fullmatch(r"[^\s\"']+", word) else f'"{word}"' for word in self.words)


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    return [Block(page, found[1], found[2]) for found in _FENCE.finditer(page.read_text("utf-8"))]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def links(page: Path) -> list[str]:
    """Where the links and pictures of a page lead."""
    return [found[1] or found[2] for found in _LINK.finditer(prose(page))]


def spans(page: Path) -> list[str]:
    """What stands between single backticks."""
    return _SPAN.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`, as GitHub makes it of headings."""
    return {_anchor(heading) for heading in _HEADING.findall(prose(page))}


def commands() -> list[Command]:
    """Every command of every page, once."""
    found: dict[tuple[str, ...], Command] = {}
    for page in PAGES:
        for block in blocks(page):
            if block.language in TYPED:
                for command in _commands(block):
                    found.setdefault((*command.words, command.source), command)
    return list(found.values())


def _commands(block: Block) -> Iterator[Command]:
    name = block.page.relative_to(ROOT).as_posix()
    for line, output in _lines(block):
        words, source = _split(line)
        if words:
            yield Command(name, words, source, output)


def _lines(block: Block) -> Iterator[tuple[str, str]]:
    """What is typed, with what is said to come of it."""
    if block.language == "sh":
        yield from ((line, "") for line in block.text.replace("\\\n", " ").splitlines())
        return
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield line, output


def _split(line: str) -> tuple[tuple[str, ...], str]:
    """The last command of a pipe, and the file that it reads; nothing where the line is empty or a remark."""
    reader = shlex.shlex(line, posix=True, punctuation_chars="|<>")
    reader.whitespace_split = True
    words, source = list(reader), ""
    for place in reversed(range(len(words))):
        if words[place] in _BETWEEN:
            mark, rest = words[place], words[place + 1 :]
            if mark == "|":
                words = rest
                break
            source, words = rest[0], words[:place]
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    return tuple(word.removeprefix(".venv/bin/") if place == 0 else word for place, word in enumerate(words)), source


def _anchor(heading: str) -> str:
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
