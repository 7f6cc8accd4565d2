"""Chunks come together to one completion, and thinking stays unheard wherever chunk borders fall."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shammah.generation import Chunk, End, Finish, collect, without_thinking

END = End(Finish.STOP, 7, 3)
# (what the model says, what the user hears)
TEXTS = [
    ("<think>hm</think>\n\nYes.", "Yes."),
    ("<think>\n\n</think>\n\nYes.", "Yes."),
    ("<think>a < b </thin k></think>Yes <b>", "Yes <b>"),
    ("<think>hm", ""),
    ("<think>hm</think", ""),
    ("Use <thin", "Use <thin"),
    ("<think>one</think> <think>two</think>Yes.", "Yes."),
    ("The mark <think>x</think> is text here.", "The mark <think>x</think> is text here."),
    ("No mark at all.\n\n  Indented. ", "No mark at all.\n\n  Indented. "),
    ("a </think> b", "a </think> b"),
]


def stream(pieces: Sequence[str], ends_alone: bool = True) -> list[Chunk]:
    """Chunks as a generator gives them: the end comes alone, or with the last piece."""
    chunks = [Chunk(piece, -0.5) for piece in pieces]
    if ends_alone or not chunks:
        return [*chunks, Chunk(end=END)]
    return [*chunks[:-1], Chunk(pieces[-1], -0.5, END)]


def heard(chunks: Sequence[Chunk]) -> str:
    return "".join(chunk.text for chunk in without_thinking(chunks))


@pytest.mark.parametrize("ends_alone", [True, False])
@pytest.mark.parametrize(("said", "expected"), TEXTS)
def test_thinking_is_dropped_at_every_pair_of_chunk_borders(said: str, expected: str, ends_alone: bool) -> None:
    for first in range(len(said) + 1):
        for second in range(first, len(said) + 1):
            pieces = [said[:first], said[first:second], said[second:]]
            assert heard(stream(pieces, ends_alone)) == expected, pieces


@pytest.mark.parametrize(("said", "expected"), TEXTS)
def test_thinking_is_dropped_letter_by_letter(said: str, expected: str) -> None:
    assert heard(stream(list(said))) == expected


@settings(deadline=None)
@given(st.text(alphabet="<think>/ab \n", max_size=40), st.lists(st.integers(0, 40)))
def test_what_is_heard_never_depends_on_the_chunks(said: str, cuts: list[int]) -> None:
    places = sorted({0, len(said), *(min(cut, len(said)) for cut in cuts)})
    pieces = [said[start:stop] for start, stop in pairwise(places)]
    assert heard(stream(pieces)) == heard(stream([said]))


@settings(deadline=None)
@given(st.text(alphabet="think>/ab \n", min_size=1, max_size=40))
def test_a_text_without_thinking_passes_unchanged_but_for_blanks_before_it(said: str) -> None:
    assert heard(stream(list(said))) == said.lstrip()


def test_the_end_and_every_logprob_are_passed_on() -> None:
    chunks = list(without_thinking(stream(["<think>", "hm", "</think>", "Yes."])))
    assert chunks[-1].end == END
    assert [chunk.logprob for chunk in chunks] == [-0.5] * 4 + [None]


def test_text_that_is_no_mark_is_heard_before_the_stream_ends() -> None:
    chunks = without_thinking(stream(["Hello", " there"]))
    assert [next(chunks).text, next(chunks).text] == ["Hello", " there"]


def test_a_collected_stream_is_the_whole_text_with_its_end() -> None:
    completion = collect(stream([" Yes", ", it", " is.\n"]))
    assert (completion.text, completion.end, completion.logprobs) == ("Yes, it is.", END, (-0.5, -0.5, -0.5))


def test_each_piece_is_shown_as_it_comes() -> None:
    shown: list[str] = []
    collect(stream(["Yes", "", "."]), shown.append)
    assert shown == ["Yes", "."]


def test_a_stream_without_an_end_counts_as_cut() -> None:
    assert collect([Chunk("half an ans")]).end.finish is Finish.CUT
