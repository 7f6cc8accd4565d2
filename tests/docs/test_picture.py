"""The picture of the README shows what the commands of its loop say."""

import html
import re
import shlex
from pathlib import Path

import pytest

from bench.record import COLUMNS, PICTURE, PROMPT, drawn, loop
from bench.screen import Screen
from shammah.reports import read
from shammah.reports.facts import HEADINGS, facts
from tests.fake_trainer import FakeTrainer
from tests.whole.command import Home
from tests.whole.corrected import faked

SVG = PICTURE.read_text("utf-8")


def shown(svg: str) -> list[tuple[str, str]]:
    """Each command of a picture with what it says, blanks folded."""
    rows: dict[float, list[tuple[float, str]]] = {}
    matrix = svg.partition('-matrix">')[2]
    for x, y, text in re.findall(r'<text [^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', matrix, re.DOTALL):
        rows.setdefault(float(y), []).append((float(x), html.unescape(text).replace("\xa0", " ")))
    lines = ["".join(text for _, text in sorted(rows[y])).rstrip() for y in sorted(rows)]
    scenes = "\n".join(lines).split(f"\n{PROMPT}")
    parts = (scene.removeprefix(PROMPT).partition("\n") for scene in scenes)
    return [(command.strip(), plain(said)) for command, _, said in parts]


def plain(text: str) -> str:
    """The words; which model suits the machine is another matter on another one."""
    return re.sub(r"(For a real one, )[^:]+", r"\1...", " ".join(text.split()))


def said(home: Home, command: str) -> str:
    """What a command says on the terminal of the picture."""
    screen = Screen(COLUMNS)
    screen.write(home.show(*shlex.split(command)[1:], columns=COLUMNS).replace("\n", "\r\n"))
    return plain(re.sub(r"\x1b\[[\d;]*m", "", "\n".join(screen.lines())))


def test_it_shows_the_commands_of_the_readme_in_their_order() -> None:
    assert [command for command, _ in shown(SVG)] == loop()


def test_it_says_what_the_commands_say_before_they_train(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for command, text in shown(SVG)[:2]:
        assert said(home, command) == text, "python -m bench.record"


def test_its_training_says_what_a_training_says(tmp_path: Path) -> None:
    text = said(faked(tmp_path, FakeTrainer()), "shammah train")
    picture = dict(shown(SVG))["shammah train"]
    words = [*HEADINGS[:3], *(fact.name.strip() for fact in facts(read(tmp_path / "jobs" / "1").report))]
    for word in (*words, "corrections-v1: promoted", "corrections-v1 is active"):
        assert word in text
        assert word in picture, f"python -m bench.record: {word}"


def test_it_ends_with_the_corrected_answer() -> None:
    correction = shlex.split(loop()[1])
    assert shown(SVG)[-1][1].startswith(correction[correction.index("--answer") + 1])
    assert not shown(SVG)[0][1].startswith("make")


def test_it_needs_no_font_and_no_file_of_the_network() -> None:
    assert "@font-face" not in SVG
    assert re.findall(r"https?://[^\"\s]+", SVG) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in SVG
    assert "<image" not in SVG


@pytest.mark.parametrize(
    ("written", "rows"),
    [
        ("one\r\ntwo", ["one", "two"]),
        ("draft\x1b[2K\rwhole", ["whole"]),
        ("a\r\nb\r\x1b[1A\x1b[Jc", ["c"]),
        ("\x1b[1mbold\x1b[0m plain  \r\n\r\n", ["\x1b[1mbold\x1b[0m plain"]),
        ("\x1b[?25lhidden\x1b[?25h", ["hidden"]),
        ("123456", ["1234", "56"]),
    ],
)
def test_a_screen_holds_what_stands_on_a_terminal_in_the_end(written: str, rows: list[str]) -> None:
    screen = Screen(4 if written.isdigit() else 40)
    screen.write(written)
    assert screen.lines() == rows


def test_what_a_picture_is_drawn_from_can_be_read_from_it() -> None:
    picture = drawn(iter([("shammah ask <b>", "first & \x1b[2mlast\x1b[22m\r\n"), ("shammah train", "done\r\n")]))
    assert shown(picture) == [("shammah ask <b>", "first & last"), ("shammah train", "done")]
