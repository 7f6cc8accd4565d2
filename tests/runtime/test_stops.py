"""Texts that end an answer."""

import itertools

import pytest

from shammah.stops import Stops


def shown(stops: Stops, pieces: list[str]) -> str:
    text = ""
    for piece in pieces:
        text += stops.take(piece)
        if stops.is_hit:
            return text
    return text + stops.rest()


@pytest.mark.parametrize(
    ("stop", "text", "kept"),
    [
        ((), "all of it", "all of it"),
        (("STOP",), "before STOP after", "before "),
        (("b", "a"), "x a b", "x "),
        (("aab",), "aaab", "a"),
        (("never",), "nev", "nev"),
        (("",), "an empty text ends nothing", "an empty text ends nothing"),
    ],
)
def test_an_answer_ends_before_the_first_of_them(stop: tuple[str, ...], text: str, kept: str) -> None:
    assert shown(Stops(stop), [text]) == kept


@pytest.mark.parametrize("text", ["one STOP two", "one STO two", "SSTOP", "STSTOP!", "STO"])
def test_borders_between_pieces_change_nothing(text: str) -> None:
    whole = shown(Stops(("STOP",)), [text])
    for first, second in itertools.combinations(range(len(text) + 1), 2):
        assert shown(Stops(("STOP",)), [text[:first], text[first:second], text[second:]]) == whole


def test_what_cannot_be_a_beginning_is_not_held_back() -> None:
    stops = Stops(("\n\n",))
    assert [stops.take(piece) for piece in ("a", "b\n", "c")] == ["a", "b", "\nc"]
