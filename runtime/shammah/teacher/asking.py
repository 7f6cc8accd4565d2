"""The teacher, whoever it is: its answer streams under one deadline, with one retry loop."""

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from shammah.calls import TICK_SECONDS, Call, Failed, Late, Line
from shammah.catalog import Price
from shammah.errors import Interrupted, TeacherError
from shammah.generation import Chunk, Finish, Sampling, Stop, never
from shammah.settings import TeacherSettings
from shammah.teacher.access import Access
from shammah.teacher.claude import Claude
from shammah.teacher.compatible import Compatible
from shammah.teacher.failing import Retryable
from shammah.tool_text import written
from shammah_convert.chat import Message

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
# A teacher's tokens are one UTF-8 byte or longer; the frame of a message takes a few more.
FRAME_TOKENS = 16


class Wire(Protocol):
    """How one provider is asked."""

    @property
    def who(self) -> str:
        """What it is called in a sentence."""
        ...

    def converse(self, messages: Sequence[Message], sampling: Sampling, timeout_seconds: float, line: Line) -> Finish:
        """Make one call, and say to the line what comes."""
        ...

    def translate(self, error: Exception, has_text: bool, is_accepted: bool) -> Exception:
        """What the wire did as one of our errors, or as `Retryable`."""
        ...


class Teacher:
    """Streams the teacher's answer under one deadline, with one retry loop."""

    def __init__(self, access: Access, settings: TeacherSettings, price: Price | None) -> None:
        self.model = settings.model
        self._settings = settings
        self._price = price
        self._wire = _wire(access, settings.model)

    @property
    def who(self) -> str:
        """What it is called in a sentence."""
        return self._wire.who

    def stream(self, messages: Sequence[Message], sampling: Sampling, stop: Stop = never) -> Iterator[Chunk]:
        """Complete a conversation; temperature and seed do not apply. Without a toolbox, calls are a part of the text.

        A call that fails before its first text is tried again, a few times and while the deadline allows.

        Raises:
            TeacherError: No whole answer came: refused, unreachable, late, cut, or garbage.
        """
        deadline = time.monotonic() + self._settings.deadline_seconds
        pause = FIRST_PAUSE_SECONDS
        for number in itertools.count(1):
            call = self._call(messages, sampling, deadline - time.monotonic())
            try:
                chunks = self._read(call, deadline, stop)
                yield from chunks if sampling.toolbox else written(chunks)
                return
            except Retryable as error:
                pause_seconds = max(pause * random.uniform(0.75, 1.25), error.after_seconds)
                if number == error.most_calls or time.monotonic() + pause_seconds >= deadline:
                    raise error.cause from error.__cause__
                _sleep(pause_seconds, stop)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            finally:
                call.line.abandon()

    def _call(self, messages: Sequence[Message], sampling: Sampling, timeout_seconds: float) -> Call:
        return Call(lambda line: self._wire.converse(messages, sampling, timeout_seconds, line), "teacher")

    def _read(self, call: Call, deadline: float, stop: Stop) -> Iterator[Chunk]:
        """Pass on what the call's thread reads, until the end, the deadline or a stop."""
        has_text = False
        try:
            for chunk in call.listen(stop, deadline, self._cost):
                has_text = has_text or bool(chunk.text) or chunk.call is not None
                yield chunk
        except Late:
            seconds = self._settings.deadline_seconds
            late = TeacherError(f"{self.who} gave no whole answer within {seconds:g} s")
            late.is_away = True
            raise late from None
        except Failed as failure:
            raise self._wire.translate(failure.cause, has_text, call.line.is_accepted) from failure.cause

    def _cost(self, line: Line, finish: Finish) -> float | None:
        # What an interrupted answer cost is not known: its last event, with the tokens, never came.
        if self._price is None or finish is Finish.INTERRUPTED or not line.has_usage:
            return None
        return self._price.cost_usd(line.prompt_tokens, line.completion_tokens)


def _wire(access: Access, model: str) -> Wire:
    return Claude(access, model) if access.provider == "anthropic" else Compatible(access, model)


def most_tokens(messages: Sequence[Message]) -> int:
    """An upper bound of the prompt's tokens, counted without asking anyone."""
    return sum(len(message.content.encode("utf-8", "replace")) + FRAME_TOKENS for message in messages)


def _sleep(seconds: float, stop: Stop) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if stop():
            raise Interrupted("interrupted while waiting to ask the teacher again")
        time.sleep(min(TICK_SECONDS, max(0.0, end - time.monotonic())))
