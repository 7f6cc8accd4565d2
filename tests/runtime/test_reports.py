"""A report is read by people as it was measured: as text, as JSON, and as a page that needs nothing else."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from shammah.reports import Filed
from shammah.reports.curve import HEIGHT, MOST_POINTS, WIDTH, curve, levels
from shammah.reports.facts import NOT_MEASURED, as_object, facts, table
from shammah.reports.page import page
from shammah_convert.intervals import Interval
from shammah_convert.job import AdapterFile, Change, Confirmed, Job, Measure, Move, Report, Score

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text("utf-8"))
VOID = {"meta", "br", "line"}

JOB = Job("corrections-v3", 3, "/b.gguf", "ab" * 32, "tiny qwen", "cd" * 32, 1, (AdapterFile("v2", "/v2", "ef", 0.5),))
REPORT = Report(
    learnt=Change(Score(3, 10.5, 0), Score(3, 0.0277, 3), Interval(-11.6, -9.5)),
    held_out=Change(),
    epochs=7,
    steps=56,
    seconds=42.4,
    stopped="every correction is learnt",
    probes=(),
    tensor_types=("F32", "Q8_0"),
    left_out=("long",),
    decision="promoted",
    merits=("it learnt",),
    reasons=('it is <worse> & "odd"',),
    general=Change(Score(48, 0.0139, 48), Score(48, 0.0155, 47), Interval(-0.0014, 0.0045)),
    drift=Move(Measure(), Measure(0.0014, Interval(0.0006, 0.0022))),
    weight_norm=Move(Measure(), Measure(14.9015)),
    losses=(10.5, 1.0, 0.03),
    confirmed=Confirmed(3, 2),
    planted={"mcp": Change(Score(24, 9.0, 0), Score(24, 1.5, 18), Interval(-8.0, -7.0))},
    near_duplicates=(("ab", "cd"),),
)
FILED = Filed(JOB, REPORT)


def test_the_table_says_all_that_was_measured() -> None:
    assert table(FILED).splitlines() == [
        "corrections-v3: promoted",
        "56 steps, 7 epochs, 42 s: every correction is learnt, 1 too long to learn",
        "",
        "                            before         after  change, or 95% interval",
        "corrections, loss            10.50        0.0277  -10.47 (-11.60 to -9.50)",
        "  exact                     0 of 3        3 of 3  0% to 56% -> 44% to 100%",
        "  confirmed by llama.cpp                  2 of 3",
        "the same in other words             not measured",
        "general questions, loss     0.0139        0.0155  +0.0016 (-0.0014 to +0.0045)",
        "  exact                   48 of 48      47 of 48  93% to 100% -> 89% to 100%",
        "  moved, nats a token       0.0000        0.0014  0.0006 to 0.0022",
        "held-out answers                    not measured",
        "set off by mcp's words     0 of 24      18 of 24  0% to 14% -> 55% to 88%",
        "weight norm                 0.0000         14.90",
        "",
        "+ it learnt",
        '- it is <worse> & "odd"',
        "near-duplicates: ab, cd",
    ]


def test_on_a_narrow_screen_notes_stand_below_their_rows() -> None:
    lines = table(FILED, 60).splitlines()
    assert max(map(len, lines[2:])) <= 60
    assert lines[lines.index("  exact                     0 of 3        3 of 3") + 1] == "    0% to 56% -> 44% to 100%"


def test_nothing_is_said_of_what_was_not_measured() -> None:
    bare = replace(REPORT, general=Change(), confirmed=Confirmed())
    told = {fact.name.strip(): fact for fact in facts(bare)}
    for name in ("general questions", "moved, nats a token", "held-out answers", "the same in other words"):
        assert (told[name].before, told[name].after, told[name].note) == (NOT_MEASURED, NOT_MEASURED, "")
    assert told["confirmed by llama.cpp"].after == NOT_MEASURED


def test_the_object_holds_every_number_and_interval() -> None:
    row = json.loads(json.dumps(as_object(FILED)))
    assert (row["adapter"], row["training"], row["decision"]) == ("corrections-v3", 3, "promoted")
    assert row["learnt"]["after"]["exact"] == 3
    assert row["learnt"]["after"]["exact_interval"]["low"] == pytest.approx(0.4385, abs=1e-4)
    assert row["general"]["rise"] == {"low": -0.0014, "high": 0.0045}
    assert row["drift"]["after"]["value"] == 0.0014
    assert (row["reasons"], row["merits"]) == (list(REPORT.reasons), ["it learnt"])
    assert row["losses"] == [10.5, 1.0, 0.03]
    jsonschema.validate(row, SCHEMA)


def test_what_the_words_from_outside_set_off_stands_in_the_object_and_on_the_page() -> None:
    row = json.loads(json.dumps(as_object(FILED)))
    planted = row["planted"]["mcp"]
    assert (planted["before"]["exact"], planted["after"]["exact"], planted["after"]["rows"]) == (0, 18, 24)
    assert planted["after"]["exact_interval"]["low"] == pytest.approx(0.551, abs=1e-3)
    assert row["near_duplicates"] == [["ab", "cd"]]
    text = read(page(FILED)).text
    for words in ("set off by mcp's words", "18 of 24", "ab, cd"):
        assert words in text


class Reader(HTMLParser):
    """Checks that tags are nested, and keeps what a reader would see and what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.fetched: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.fetched += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    text = page(FILED)
    reader = read(text)
    assert text.startswith("<!doctype html>")
    assert reader.fetched == []
    assert not re.search(r"https?:|url\(|@import|<script|<link", text)
    assert {"h1", "table", "svg", "style", "title"} <= set(reader.seen)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_the_page_says_what_the_table_says() -> None:
    text = read(page(FILED)).text.replace("\N{MINUS SIGN}", "-").replace("\N{RIGHTWARDS ARROW}", "->")
    for fact in facts(REPORT):
        assert all(part in text for part in (fact.name.strip(), fact.before, fact.after, fact.note))
    for words in ("corrections-v3", "Promoted, against the gate", "it learnt", "v2:0.5", "long", "tiny qwen"):
        assert words in text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x>', "a & b", "</style><b>"])
def test_no_text_becomes_markup(name: str) -> None:
    hostile = Filed(replace(JOB, name=name, base_name=name), replace(REPORT, reasons=(name,), stopped=name))
    reader = read(page(hostile))
    assert not {"script", "img", "b"} & set(reader.seen)
    assert reader.text.count(name) >= 4


@pytest.mark.parametrize(
    ("decision", "reasons", "words"),
    [("promoted", (), "Promoted"), ("refused", ("worse",), "Refused"), ("", (), "Not decided")],
)
def test_the_page_says_what_was_decided(decision: str, reasons: tuple[str, ...], words: str) -> None:
    text = read(page(Filed(JOB, replace(REPORT, decision=decision, reasons=reasons)))).text
    assert words in text
    assert "against" not in text or reasons


def points(drawing: str) -> list[tuple[float, float]]:
    (path,) = re.findall(r'points="([^"]*)"', drawing)
    return [(float(x), float(y)) for x, y in (point.split(",") for point in path.split())]


def test_the_curve_goes_from_the_first_loss_to_the_last_within_the_drawing() -> None:
    found = points(curve([10.0, 1.0, 0.1]))
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in found)
    heights = [y for _, y in found]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.2), "powers of ten are evenly apart"
    assert heights[0] < heights[1], "a larger loss stands higher"


@pytest.mark.parametrize("losses", [[], [1.0], [0.0, 0.0], [float("nan"), 1.0]])
def test_without_two_losses_there_is_no_curve(losses: list[float]) -> None:
    assert curve(losses) == ""
    assert "svg" not in read(page(Filed(JOB, replace(REPORT, losses=tuple(losses))))).seen


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.03, 11.4, [0.1, 1.0, 10.0]),
        (0.1, 1.0, [0.1, 1.0]),
        (1.5, 11.0, [2.0, 5.0, 10.0]),
        (1.2, 1.4, [1.2, 1.4]),  # no round one lies between
        (1.0, 1.0, [1.0]),
    ],
)
def test_lines_are_drawn_at_round_losses(low: float, high: float, expected: list[float]) -> None:
    assert levels(low, high) == pytest.approx(expected)


def test_a_steady_loss_is_a_level_line() -> None:
    assert len({y for _, y in points(curve([1.0] * 5))}) == 1


def test_a_long_training_is_drawn_with_few_points_and_its_end() -> None:
    losses = [1.0 + step for step in range(5000)]
    found = points(curve(losses))
    assert len(found) <= MOST_POINTS + 1
    assert found[-1] == points(curve([1.0, losses[-1]]))[-1]
