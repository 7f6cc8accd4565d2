"""Figures show on a narrow terminal, in plain letters and on a page, and no text of a model steers any of them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from shammah.journal import Journal
from shammah.journal.counted import BaseCount, Scope
from shammah.stats import drawings, text
from shammah.stats.blocks import PLAIN, bar, curve
from shammah.stats.estimates import Bin, Calibration
from shammah.stats.figures import Figures
from shammah.stats.page import page
from shammah.stats.sections import Curve, Row, Section
from shammah.stats.words import heading, sections
from shammah_convert.intervals import Interval
from tests.asked import clock_of
from tests.runtime.test_reports import read
from tests.runtime.test_stats import figures, lived, lived_home  # noqa: F401

STARTS = tuple(f"2026-11-{day:02}" for day in range(1, 6))


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with clock_of("UTC", monkeypatch):
        yield


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as opened:
        yield opened


@pytest.fixture
def found(lived: Journal) -> Figures:  # noqa: F811
    return figures(lived)


def hostile(found: Figures, name: str) -> Figures:
    """The same figures of models, adapters and teachers that bear a name."""
    assert found.contract
    applied = replace(found.adapters[-1], adapters=((name, 1.0),), why=name)
    assumption = replace(found.money.assumption, teacher=name)
    return replace(
        found,
        bases=(BaseCount("f" * 64, name, 1),),
        contract=replace(found.contract, base=name),
        adapters=(applied,),
        money=replace(found.money, assumption=assumption),
    )


# Blocks.


@pytest.mark.parametrize(
    ("share", "drawn"), [(0.0, ""), (0.001, "▏"), (0.25, "█"), (0.30, "█▎"), (1.0, "████"), (1.5, "████")]
)
def test_a_bar_is_as_long_as_its_share_and_more_than_nothing_shows(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn


def test_a_curve_rises_from_zero_with_a_gap_where_nothing_is_known() -> None:
    assert curve([0.0, 1.0, None, 4.0, 8.0]) == "▁▂ ▅█"
    assert curve([0.0, None, 8.0], PLAIN) == "_ #"
    assert curve([0.0, 0.0]) == "▁▁"


# Text.


@pytest.mark.parametrize("columns", [50, 60, 80, 100])
def test_nothing_is_wider_than_the_terminal(found: Figures, columns: int) -> None:
    wide = hostile(found, "a name that is far too long for any terminal that anybody has")
    for section in sections(wide):
        for line in text.lines(section, columns):
            assert len(line) <= columns, line


def test_numbers_stay_whole_where_words_give_way() -> None:
    rows = (Row(("a name that is long", "a reason that is longer still", "2026-11-20", "1,234,567")),)
    table = text.lines(Section("", ("active", "because of", "since", "judged"), rows, left=2), 50)
    assert table[1] == "  a name tha…  a reason th…  2026-11-20  1,234,567"


def test_a_short_time_is_drawn_whole_and_of_a_long_one_the_newest() -> None:
    few = Curve("asked", "count", (1, 2, 4))
    many = Curve("asked", "count", tuple(range(1, 200)))
    assert text.lines(Section("", curves=(few,)), 60)[1] == "  asked  ▃▅█    4     4"
    assert text.lines(Section("", curves=(many,)), 30)[1] == "  asked  ██████████  199   199"


def test_plain_letters_stand_in_where_blocks_cannot_be_written(found: Figures) -> None:
    wide = hostile(found, "a name that is far too long for any terminal that anybody has")
    shown = "\n".join(line for section in sections(wide) for line in text.lines(section, 60, PLAIN))
    assert shown.isascii()
    assert "##" in shown
    assert re.search(r"a name[a-z ]*~", shown)


def test_no_name_steers_the_terminal(found: Figures) -> None:
    evil = hostile(found, "x\x1b[2J\x07\x9b31m\ny\u202e")
    shown = "\n".join(line for section in sections(evil) for line in text.lines(section, 100))
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown + text.plain(heading(evil))) is None
    assert "x [2J" in shown


def test_the_text_says_what_was_counted(found: Figures) -> None:
    told = {section.title: "\n".join(text.lines(section, 100)) for section in sections(found)}
    assert heading(found) == "7 questions, 2026-11-09 to 2026-11-26, tiny qwen"
    assert re.search(r"local +3 +43%", told["Who answered"])
    assert "answered 43% (3 of 7)" in told["Who answered"]
    assert re.search(r"given to you +3 +1 +33%", told["Quality of local answers"])
    assert "the share is estimated by similarity" in told["Quality of local answers"]
    assert "Contract of tiny qwen: too little is known" in told["Quality of local answers"]
    assert "at most 15% bad; no estimate" in told["Quality of local answers"]
    assert re.search(r"spent +\$0.75", told["Dollars"])
    assert re.search(r"corrections-v1 +training 1 +2026-11-12 +2 +33%", told["Adapters"])
    assert "2026-11-18      3    33%" in told["Over time, by day"]


def test_of_what_never_happened_nothing_is_said(journal: Journal) -> None:
    assert [section.title for section in sections(figures(journal))] == []


# Drawings.


def places(drawing: str, *names: str) -> list[float]:
    """The numbers of all attributes with these names."""
    return [float(value) for name in names for value in re.findall(rf' {name}="(-?[\d.]+)"', drawing)]


@pytest.mark.parametrize("unit", ["count", "share", "usd", "divergence", "seconds"])
@pytest.mark.parametrize("values", [(0.0, 0.2, None, 0.4, 1.0), (0.003,), (None, 0.0, None, 0.5), (1e-9, 1e6)])
def test_a_drawing_stays_in_its_frame(unit: str, values: tuple[float | None, ...]) -> None:
    band = tuple(None if value is None else Interval(0.0, 1.0) for value in values)
    curve = Curve("bad", unit, values, band, 0.15)  # type: ignore[arg-type]
    drawing = drawings.over_time(curve, Section("", starts=STARTS[: len(values)], marks=("2026-11-02", "2026-10-01")))
    assert read(drawing).open == []
    xs, ys = places(drawing, "x", "x1", "x2", "cx"), places(drawing, "y", "y1", "y2", "cy")
    pairs = [pair.split(",") for points in re.findall(r'points="([^"]+)"', drawing) for pair in points.split()]
    assert all(0 <= x <= drawings.WIDTH for x in [*xs, *(float(x) for x, _ in pairs)])
    assert all(0 <= y <= drawings.HEIGHT for y in [*ys, *(float(y) for _, y in pairs)])
    assert all(height >= 0 for height in places(drawing, "height"))


def test_a_line_is_broken_where_nothing_is_known() -> None:
    section = Section("", starts=STARTS)
    drawing = drawings.over_time(Curve("bad", "share", (0.1, 0.2, None, 0.3, 0.4)), section)
    assert drawing.count("<polyline") == 2
    alone = drawings.over_time(Curve("bad", "share", (0.1, None, 0.2, None, None)), section)
    assert (alone.count("<polyline"), alone.count("<circle")) == (0, 2)


def test_a_change_of_adapters_is_marked_where_it_falls_and_one_before_all_is_not() -> None:
    section = Section("", starts=STARTS, marks=("2026-10-01", "2026-11-03"))
    drawing = drawings.over_time(Curve("bad", "share", (0.1,) * 5), section)
    (mark,) = re.findall(r'class="mark" x1="([\d.]+)"', drawing)
    middle = drawings.LEFT + (drawings.WIDTH - drawings.LEFT - drawings.RIGHT) / 2
    assert float(mark) == pytest.approx(middle, abs=0.1)


def test_nothing_is_drawn_of_nothing_but_a_share_of_zero_is_a_share() -> None:
    section = Section("", starts=STARTS)
    assert drawings.over_time(Curve("spent", "usd", (0.0,) * 5), section) == ""
    assert drawings.over_time(Curve("bad", "share", (None,) * 5), section) == ""
    assert "<polyline" in drawings.over_time(Curve("bad", "share", (0.0,) * 5), section)


def test_a_head_that_keeps_its_word_is_drawn_on_the_diagonal() -> None:
    bins = tuple(Bin(low, 10, low + 0.05, low + 0.05, Interval(low, low + 0.1)) for low in (0.2, 0.5, 0.8))
    drawing = drawings.reliability(Calibration(30, 0.0, bins))
    xs, ys = places(drawing, "cx"), places(drawing, "cy")
    assert len(xs) == 3
    assert all(x + y == pytest.approx(xs[0] + ys[0], abs=0.2) for x, y in zip(xs, ys, strict=True))


# The page.


def test_the_page_is_whole_and_needs_nothing_else(found: Figures) -> None:
    made = page(found)
    reader = read(made)
    assert made.startswith("<!doctype html>")
    assert reader.fetched == []
    assert not re.search(r"https?:|url\(|@import|<script|<link|\son\w+=", made)
    assert {"h1", "table", "svg", "style", "title"} <= set(reader.seen)
    assert "prefers-color-scheme: dark" in made


def bare(note: str) -> str:
    """A note without the marks of commands."""
    return note.replace("`", "")


def test_the_page_says_what_the_text_says(found: Figures) -> None:
    told = read(page(found)).text
    for section in sections(found):
        cells = [cell.strip() for row in section.rows for cell in row.cells]
        assert all(words in told for words in (section.title, *section.head, *map(bare, section.notes), *cells))


def test_another_teacher_than_claude_is_called_by_its_name(found: Figures) -> None:
    other = replace(found, teacher="gpt-test")
    told = read(page(other)).text
    said = "\n".join(line for section in sections(other) for line in (section.title, *text.lines(section, 80)))
    assert "Claude" not in told + said
    assert "on gpt-test" in told
    assert "gpt-test: " in said


def test_no_text_becomes_markup(found: Figures) -> None:
    for name in ("<script>alert(1)</script>", '"><img src=x>', "</style><b>", "a & b"):
        reader = read(page(hostile(found, name)))
        assert not {"script", "img", "b"} & set(reader.seen)
        assert reader.text.count(name) >= 4


def test_the_page_of_an_empty_home_says_so(journal: Journal) -> None:
    assert "nothing to count" in read(page(figures(journal, Scope(date(2026, 11, 26))))).text
