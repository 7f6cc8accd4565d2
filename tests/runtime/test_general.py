"""The base's own answers to shipped questions: whole ones alone, made once, and the held-out ones never replayed."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shammah import general
from shammah.errors import Interrupted
from shammah.freezing import Frozen, staying
from shammah.general import HELD_OUT, MOST_TOKENS, REPLAY, answers, prompts
from shammah.generation import Chunk, Finish, Sampling, Stop, never
from shammah.sides import LocalGenerator
from shammah_convert.chat import Message
from shammah_convert.examples import Example
from tests.scripted import Scripted

BASE = "ab" * 32
HELD_OUT_COUNT = 48


@dataclass
class Opener:
    """Opens a model, and counts how often."""

    model: LocalGenerator
    times: int = 0

    def __call__(self) -> LocalGenerator:
        """Open it once more."""
        self.times += 1
        return self.model


@dataclass
class Uneven:
    """A model that is cut off in every second answer, and is silent in every third of the others."""

    asked: list[str] = field(default_factory=list)
    samplings: set[Sampling] = field(default_factory=set)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """One token a word."""
        return Scripted().count_tokens(messages)

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Everything fits."""
        return True

    def stream(
        self, messages: Sequence[Message], sampling: Sampling, stop: Stop = never, limit_tokens: int | None = None
    ) -> Iterator[Chunk]:
        """Say what the place of the question makes of it."""
        self.asked.append(messages[-1].content)
        self.samplings.add(sampling)
        finish = Finish.STOP if self.is_whole(self.asked[-1]) else Finish.LENGTH
        text = "" if len(self.asked) % 3 == 0 else f"Answer {len(self.asked)}"
        return Scripted(text, finish=finish).stream(messages, sampling, stop)

    def is_whole(self, question: str) -> bool:
        """Of each question, whether it gets a whole answer."""
        return self.asked.index(question) % 2 == 0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def test_48_questions_are_held_out_and_none_of_them_is_replayed() -> None:
    held_out, replay = prompts(HELD_OUT), prompts(REPLAY)
    assert len(held_out) == HELD_OUT_COUNT
    assert len({*map(normal, held_out)}) == HELD_OUT_COUNT
    assert len({*map(normal, replay)}) == len(replay) > 4 * HELD_OUT_COUNT
    assert not {*map(normal, held_out)} & {*map(normal, replay)}


def normal(question: str) -> str:
    return " ".join("".join(letter if letter.isalnum() else " " for letter in question.casefold()).split())


def test_every_question_is_answered_by_the_base_itself(home: Path) -> None:
    held_out, replay = answers(home, BASE, Opener(Scripted("An answer.")))
    assert [example.prompt for example in held_out] == [(Message("user", text),) for text in prompts(HELD_OUT)]
    assert [example.prompt for example in replay] == [(Message("user", text),) for text in prompts(REPLAY)]
    every = [*held_out, *replay]
    assert {example.completion for example in every} == {(Message("assistant", "An answer."),)}
    assert {(example.source, example.weight, example.rejected) for example in every} == {("self", 1.0, None)}
    assert len({example.id for example in every}) == len(every)


def test_only_whole_answers_are_used(home: Path) -> None:
    model = Uneven()
    made = [example for part in answers(home, BASE, Opener(model)) for example in part]
    said = {example.prompt[0].content: example.completion[0].content for example in made}
    expected = {
        question: f"Answer {place + 1}"
        for place, question in enumerate(model.asked)
        if model.is_whole(question) and (place + 1) % 3
    }
    assert said == expected
    assert len(model.asked) == len(prompts(HELD_OUT)) + len(prompts(REPLAY))


def test_answers_are_greedy_and_short(home: Path) -> None:
    model = Uneven()
    answers(home, BASE, Opener(model))
    assert model.samplings == {Sampling(tokens, temperature=0.0) for tokens in MOST_TOKENS.values()}


def test_they_are_made_once_for_a_base(home: Path) -> None:
    opener = Opener(Scripted("An answer."))
    first = answers(home, BASE, opener)
    assert answers(home, BASE, opener) == first
    assert opener.times == 1


def test_another_base_answers_for_itself(home: Path) -> None:
    opener, other = Opener(Scripted("An answer.")), Opener(Scripted("Another."))
    answers(home, BASE, opener)
    held_out, _ = answers(home, "cd" * 32, other)
    assert held_out[0].completion[0].content == "Another."
    assert answers(home, BASE, opener)[0][0].completion[0].content == "An answer."
    assert (opener.times, other.times) == (1, 1)
    names = {path.name.rsplit("-", 1)[0] for path in (home / "cache").iterdir()}
    assert names == {f"general-{'ab' * 8}", f"general-{'cd' * 8}"}


def test_a_base_that_says_nothing_whole_is_asked_once(home: Path) -> None:
    opener = Opener(Scripted("An answer", finish=Finish.LENGTH))
    assert answers(home, BASE, opener) == answers(home, BASE, opener) == ([], [])
    assert opener.times == 1


def test_interrupted_nothing_is_kept(home: Path) -> None:
    model = Scripted("An answer.")
    with pytest.raises(Interrupted):
        answers(home, BASE, Opener(model), stop=lambda: len(model.asked) > 5)
    assert list((home / "cache").iterdir()) == []
    assert len(model.asked) == 6
    assert len(answers(home, BASE, Opener(model))[0]) == HELD_OUT_COUNT


def test_it_is_told_how_far_it_is(home: Path) -> None:
    heard: list[tuple[int, int]] = []
    answers(home, BASE, Opener(Scripted("An answer.")), lambda done, of: heard.append((done, of)))
    count = len(prompts(HELD_OUT)) + len(prompts(REPLAY))
    assert len(heard) == 100
    assert heard == sorted(heard)
    assert heard[0] == (0, count)
    assert heard[-1][0] >= 0.98 * count


def test_a_slow_base_replays_less_but_answers_all_that_is_held_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Scripted("An answer.")
    # Each question takes 10 seconds.
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + 10 * len(asked.asked))
    held_out, replay = answers(home, BASE, Opener(asked))
    assert (len(held_out), len(replay)) == (HELD_OUT_COUNT, general.LEAST_REPLAY)


# What of them is to stay.


def own(place: int, question: str, answer: str, rejected: str | None = None) -> Example:
    refused = (Message("assistant", rejected),) if rejected else None
    return Example(f"{place}", (Message("user", question),), (Message("assistant", answer),), refused, 1.0, "self", "")


def frozen(*corrections: Example) -> Frozen:
    return Frozen(corrections, (), tuple(e.id for e in corrections), frozenset(e.prompt for e in corrections))


def test_what_a_user_corrected_is_not_to_stay() -> None:
    answers = [own(1, "undo the commit", "git reset"), own(2, "list files", "ls")]
    assert staying(answers, frozen(own(9, "undo the commit", "git revert"))) == answers[1:]


def test_another_question_with_the_rejected_answer_is_not_to_stay() -> None:
    answers = [own(place, f"question {place}", f"answer {place}") for place in range(200)]
    answers += [own(200, "take the last commit back", "git reset"), own(201, "drop my commit", "git reset")]
    kept = staying(answers, frozen(own(999, "undo the commit", "git revert", rejected="git reset")))
    assert kept == answers[:200]


def test_an_answer_that_many_questions_share_stays() -> None:
    answers = [own(place, f"question {place}", "I do not know") for place in range(10)]
    assert staying(answers, frozen(own(999, "who is on call", "Ruth", rejected="I do not know"))) == answers


def test_of_few_answers_a_rejected_one_goes_too() -> None:
    answers = [own(1, "take the last commit back", "git reset"), own(2, "list files", "ls")]
    assert staying(answers, frozen(own(9, "undo the commit", "git revert", rejected="git reset"))) == answers[1:]
