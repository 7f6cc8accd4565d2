"""Small generators and screens that say what a test's script tells them to."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from shammah.catalog import Price
from shammah.errors import ContextTooLong, ShammahError
from shammah.generation import Chunk, End, Finish, Sampling, Stop, never
from shammah.sides import LocalSide, TeacherSide
from shammah_convert.chat import Message

Reply = str | ShammahError | Callable[[Sequence[Message]], str]


@dataclass
class Scripted:
    """A generator that answers every conversation with its reply, in pieces, and keeps what it was asked.

    It is a local model and a teacher alike: one token a word, a context of `context_tokens` words.
    """

    reply: Reply = "ls"
    model: str = "scripted"
    finish: Finish = Finish.STOP
    context_tokens: int = 1000
    logprob: float = -0.1
    asked: list[list[Message]] = field(default_factory=list)

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """One token a word."""
        return [0 for message in messages for _ in message.content.split()]

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """One token a word."""
        return len(self.prompt_tokens(messages))

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Whether the words fit."""
        return prompt_tokens < min(self.context_tokens, limit_tokens or self.context_tokens)

    def stream(
        self, messages: Sequence[Message], sampling: Sampling, stop: Stop = never, limit_tokens: int | None = None
    ) -> Iterator[Chunk]:
        """Say the reply word by word, or raise it."""
        self.asked.append(list(messages))
        if isinstance(self.reply, ShammahError):
            raise self.reply
        if not self.fits(len(self.prompt_tokens(messages)), sampling.max_tokens, limit_tokens):
            raise ContextTooLong("the question takes too many words")
        text = self.reply if isinstance(self.reply, str) else self.reply(messages)
        words = text.split(" ")
        for place, word in enumerate(words):
            if stop():
                yield Chunk(end=End(Finish.INTERRUPTED, 5, place))
                return
            yield Chunk(word if place == 0 else f" {word}", self.logprob)
        yield Chunk(end=End(self.finish, 5, len(words), 0.001))


@dataclass
class Recorder:
    """A screen that remembers: what stands on it now, and what was said beside it."""

    text: str = ""
    discarded: list[tuple[str, str]] = field(default_factory=list)
    forwards: int = 0

    def draft(self, text: str) -> None:
        """Show a piece of a draft."""
        self.text += text

    def final(self, text: str) -> None:
        """Show a piece of the answer."""
        self.text += text

    def accept(self) -> None:
        """The text stands."""

    def discard(self, why: str) -> None:
        """The text goes."""
        self.discarded.append((self.text, why))
        self.text = ""

    def forwarding(self, worst_usd: float) -> None:
        """The teacher is asked."""
        self.forwards += 1


def local_side(generator: Scripted) -> LocalSide:
    """A local side that the script plays."""
    return LocalSide("f" * 64, generator.model, lambda: generator)


def teacher_side(generator: Scripted | None, max_usd_per_day: float = 1.0) -> TeacherSide:
    """A teacher's side that the script plays, at a known price."""
    return TeacherSide(generator, Price(2.0, 10.0), 1000, max_usd_per_day)
