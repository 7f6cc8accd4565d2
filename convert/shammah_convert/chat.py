"""Chat messages and their ChatML framing, the same for runtime, trainer and recipes.

A prompt is a row of segments: control tokens, and text that is never read as control tokens.
Each side turns the segments into token ids with its own tokenizer, so a typed `<|im_end|>` stays text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]

IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"

QWEN25_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
QWEN2_SYSTEM = "You are a helpful assistant."


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Control:
    """A control token, by the text that stands for it in the vocabulary."""

    token: str


Segment = Control | str


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """What a model family adds to plain ChatML."""

    default_system: str | None = None
    has_empty_think: bool = False

    @classmethod
    def of(cls, architecture: str, template: str | None) -> "ChatFormat":
        """Recognise the family by its architecture and marks in its chat template, which is never rendered."""
        template = template or ""
        system = next((system for system in (QWEN25_SYSTEM, QWEN2_SYSTEM) if system in template), None)
        # Qwen3-*-Instruct-2507 does not think: its template lacks the word.
        thinks = architecture.startswith("qwen3") and (not template or "think" in template)
        return cls(system, thinks)


def prompt_segments(messages: Sequence[Message], chat_format: ChatFormat) -> Iterator[Segment]:
    """Frame a conversation so that the assistant speaks next."""
    if chat_format.default_system and messages[0].role != "system":
        messages = [Message("system", chat_format.default_system), *messages]
    for message in messages:
        yield from _turn(message)
    yield Control(IM_START)
    yield "assistant\n"
    if chat_format.has_empty_think:
        # Qwen3's switch for "do not think", as its own template writes it when enable_thinking is false.
        yield from (Control("<think>"), "\n\n", Control("</think>"), "\n\n")


def completion_segments(text: str) -> Iterator[Segment]:
    """Frame what the assistant says next: the only part that a loss falls on."""
    yield text
    yield Control(IM_END)


def _turn(message: Message) -> Iterator[Segment]:
    yield Control(IM_START)
    yield f"{message.role}\n{message.content}"
    yield Control(IM_END)
    yield "\n"
