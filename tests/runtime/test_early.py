"""The early verdict sees a draft's first tokens once, and ends it only where it says so."""

from collections.abc import Iterator

import pytest

from shammah.early import TOKENS, Early
from shammah.generation import Chunk, Completion, End, Finish, Stop, collect, never


def said(stop: Stop, tokens: int, thinking: int = 0) -> Iterator[Chunk]:
    """A generator that obeys `stop` after each token, as the local model does."""
    for number in range(tokens + thinking):
        yield Chunk("" if number < thinking else f" {number - thinking}", -0.5)
        if stop():
            yield Chunk(end=End(Finish.INTERRUPTED, 7, number + 1))
            return
    yield Chunk(end=End(Finish.STOP, 7, tokens + thinking))


def judged(is_hopeless: bool, tokens: int, thinking: int = 0) -> tuple[Completion, list[Completion]]:
    """What comes of a draft under a verdict, and what the verdict was asked about."""
    seen: list[Completion] = []

    def verdict(beginning: Completion) -> bool:
        seen.append(beginning)
        return is_hopeless

    early = Early(verdict, never)
    return early.name(collect(early.watch(said(early.stop, tokens, thinking)))), seen


def test_a_hopeless_draft_ends_after_its_first_tokens() -> None:
    completion, (beginning,) = judged(True, 500)
    assert (completion.end.finish, completion.end.prompt_tokens) == (Finish.HOPELESS, 7)
    assert completion.end.completion_tokens == TOKENS
    assert beginning.text == completion.text
    assert (beginning.end.finish, len(beginning.logprobs)) == (Finish.STOP, TOKENS)


def test_any_other_draft_goes_on_and_is_asked_about_once() -> None:
    completion, seen = judged(False, 500)
    assert (completion.end.finish, completion.end.completion_tokens, len(seen)) == (Finish.STOP, 500, 1)


def test_a_short_answer_is_not_judged_early() -> None:
    assert judged(True, TOKENS - 1) == (judged(False, TOKENS - 1)[0], [])


def test_thinking_is_no_beginning() -> None:
    completion, (beginning,) = judged(True, 500, thinking=100)
    assert completion.end.completion_tokens == TOKENS + 100
    assert beginning.text.split() == [str(number) for number in range(TOKENS)]
    assert len(beginning.logprobs) == TOKENS + 100


@pytest.mark.parametrize("is_hopeless", [True, False])
def test_who_leaves_is_told_apart_from_a_verdict(is_hopeless: bool) -> None:
    presses = iter([False] * 3)
    early = Early(lambda _: is_hopeless, lambda: next(presses, True))
    completion = early.name(collect(early.watch(said(early.stop, 500))))
    assert completion.end.finish is Finish.INTERRUPTED
