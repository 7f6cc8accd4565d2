"""What a generator is, whoever it is: chunks of text that end in one record of how they ended."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from shammah_convert.chat import Message

THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"

Stop = Callable[[], bool]
"""Asked between and within steps of work; True means that nobody waits for the rest."""


def never() -> bool:
    """Let the work run to its end."""
    return False


class Finish(StrEnum):
    """Why a completion ended. Only `STOP` is a whole answer."""

    STOP = "stop"
    LENGTH = "length"
    REFUSAL = "refusal"
    INTERRUPTED = "interrupted"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class End:
    """How a completion ended, and what it took.

    Attributes:
        cost_usd: None where no price is known, and for the local model.
    """

    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a completion: text, the log-probability of its token where one is known, or the end."""

    text: str = ""
    logprob: float | None = None
    end: End | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole completion; `logprobs` are natural, one a token, empty for the teacher."""

    text: str
    end: End
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen.

    Attributes:
        max_tokens: At most so many completion tokens.
        temperature: 0 is greedy.
        seed: Makes a draw above temperature 0 repeatable; None takes a fresh one.
    """

    max_tokens: int = 1024
    temperature: float = 0.0
    seed: int | None = None


class Generator(Protocol):
    """Anything that completes a chat: the local model, the teacher, a test's script."""

    def stream(self, messages: Sequence[Message], sampling: Sampling, stop: Stop = never) -> Iterator[Chunk]:
        """Complete a conversation; the last chunk, and no other, has an end."""
        ...


def collect(chunks: Iterable[Chunk], show: Callable[[str], None] = lambda _: None) -> Completion:
    """Read a stream to its end, showing each piece of text as it comes."""
    texts: list[str] = []
    logprobs: list[float] = []
    end = End(Finish.CUT, 0, 0)
    for chunk in chunks:
        if chunk.text:
            texts.append(chunk.text)
            show(chunk.text)
        if chunk.logprob is not None:
            logprobs.append(chunk.logprob)
        end = chunk.end or end
    return Completion("".join(texts).strip(), end, tuple(logprobs))


def without_thinking(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Drop `<think>...</think>` and the blank lines after it, wherever chunk borders fall."""
    held, is_thinking, has_spoken = "", False, False
    for chunk in chunks:
        held += chunk.text
        spoken = ""
        while held:
            mark = THINK_CLOSE if is_thinking else THINK_OPEN
            before, found, after = held.partition(mark)
            if not found and chunk.end is None:
                kept = _overlap(held, mark)
                before, after = held[: len(held) - kept], held[len(held) - kept :]
            if not is_thinking:
                spoken += before
            held = after
            if not found:
                break
            is_thinking = not is_thinking
        if not has_spoken:
            spoken = spoken.lstrip()
            has_spoken = bool(spoken)
        yield replace(chunk, text=spoken)


def _overlap(text: str, mark: str) -> int:
    """Length of the longest end of `text` that begins `mark`."""
    return next((n for n in range(min(len(text), len(mark) - 1), 0, -1) if mark.startswith(text[-n:])), 0)
