"""What stands on the terminal at the end is the answer, however it came, and nothing of a rejected draft."""

import random
import re

import pytest

from shammah.repl import screen, view
from shammah.repl.screen import Live
from tests.terminal import Terminal

SGR = re.compile(r"\x1b\[[\d;]*m")
ANSWER = (
    "# How\n\nFirst **look**, then `act`:\n\n```sh\ngit status\ngit reset --soft HEAD~1\n```\n\n"
    "1. one\n2. two\n\nA last line,\nand another."
)
COLUMNS, HEIGHT = 40, 40


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("LINES", str(HEIGHT))
    monkeypatch.setattr(screen, "SHORTEST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(screen, "REST", 0)


def live(terminal: Terminal) -> Live:
    return Live(lambda _: None, terminal)  # type: ignore[arg-type]  # a terminal is all of a stream that it uses


def pieces(text: str, seed: int) -> list[str]:
    chance = random.Random(seed)
    cut: list[str] = []
    while text:
        length = chance.randint(1, 9)
        cut, text = [*cut, text[:length]], text[length:]
    return cut


def as_rendered(text: str) -> str:
    return SGR.sub("", "\n".join(view.rows(text, COLUMNS - 1))) + "\n"


@pytest.mark.parametrize("seed", range(5))
def test_an_answer_in_pieces_ends_as_one_that_came_whole(seed: int) -> None:
    terminal = Terminal(COLUMNS, HEIGHT)
    shown = live(terminal)
    for piece in pieces(ANSWER, seed):
        shown.final(piece)
    shown.accept()
    assert terminal.text == as_rendered(ANSWER)


def test_a_draft_is_dim_until_it_is_accepted() -> None:
    terminal = Terminal(COLUMNS, HEIGHT)
    shown = live(terminal)
    shown.draft("ls -la\nLists all files.")
    assert terminal.dim_text == "ls -laLists all files."
    shown.accept()
    assert (terminal.dim_text, terminal.text) == ("", "ls -la\nLists all files.\n")


def test_a_rejected_draft_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(COLUMNS, HEIGHT)
    shown = live(terminal)
    for piece in pieces(ANSWER, 0):
        shown.draft(piece)
    shown.discard("the validator does not vouch for this draft")
    assert terminal.text == ""
    assert "does not vouch" in capsys.readouterr().err
    shown.final("the better answer")
    shown.accept()
    assert terminal.text == "the better answer\n"


def test_a_draft_longer_than_the_screen_is_struck_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "10")
    terminal = Terminal(COLUMNS, 10)
    shown = live(terminal)
    lines = [f"line {number}" for number in range(25)]
    for line in lines:
        shown.draft(f"{line}\n")
    shown.discard("no")
    assert terminal.gone == lines[:15]
    assert terminal.text == "--- what stands above is withdrawn ---\n"


def test_a_long_answer_scrolls_and_every_line_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "10")
    terminal = Terminal(COLUMNS, 10)
    shown = live(terminal)
    lines = [f"line {number}" for number in range(50)]
    for piece in pieces("\n".join(lines), 1):
        shown.final(piece)
    shown.accept()
    assert [*terminal.gone, *terminal.text.rstrip("\n").split("\n")] == lines


def test_without_styles_a_draft_is_shown_only_once_it_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal(COLUMNS, HEIGHT)
    shown = live(terminal)
    shown.draft("ls -la")
    assert terminal.text == ""
    shown.accept()
    assert terminal.text == "ls -la\n"


def test_what_became_no_answer_ends_its_line_and_stays() -> None:
    terminal = Terminal(COLUMNS, HEIGHT)
    shown = live(terminal)
    shown.final("the first half")
    shown.leave()
    shown.leave()
    assert terminal.text == "the first half\n"
