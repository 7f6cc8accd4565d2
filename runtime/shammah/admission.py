"""What may run together in this machine's memory: answers, background runs and a training.

Pure: whoever asks looks at the machine, and acts. Answering always wins; at worst a training stands still for it.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from shammah.amounts import gigabytes
from shammah_convert.attention import Attention

# Beside its file and cache, a model takes llama.cpp's buffer for 512 tokens' logits (297 MiB over Qwen's 151,936
# tokens) and Python with our rooms.
RUN_BYTES = 400 * 2**20
# As resident after the imports of torch, transformers and peft, and what the shortest batch takes of the smallest Qwen.
TRAINER_BYTES = 600_000_000

Purpose = Literal["answering", "background", "training"]


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that wants memory.

    Attributes:
        bytes: That it takes.
        is_awaited: Whether somebody sits and waits for it.
    """

    purpose: Purpose
    bytes: int
    is_awaited: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """A training that is under way, and the memory that it holds."""

    number: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Go:
    """There is room."""


@dataclass(frozen=True, slots=True)
class Pause:
    """There is room once a training stands still."""

    training: Running


@dataclass(frozen=True, slots=True)
class Postpone:
    """There is no room now, and nobody waits."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """There is no room now, which whoever waits is told."""

    reason: str


Decision = Go | Pause | Postpone | Refuse


def admit(wish: Wish, available_bytes: int, training: Running | None) -> Decision:
    """Decide about a wish for memory beside what runs.

    Args:
        wish: What wants it.
        available_bytes: RAM that can be taken without swapping.
        training: That runs now, if any.
    """
    if wish.bytes <= available_bytes:
        return Go()
    match wish.purpose:
        case "answering":
            # Without a training in its way it goes all the same: whether a machine swaps is its owner's affair.
            return Go() if training is None else Pause(training)
        case "background":
            return Postpone(_why("a background run", wish, available_bytes, training))
        case "training":
            reason = _why("training", wish, available_bytes, training)
            return Refuse(reason) if wish.is_awaited else Postpone(reason)
    assert_never(wish.purpose)


def model_bytes(file_bytes: int, attention: Attention, context_tokens: int) -> int:
    """What an open local model takes: its file, a full key-value cache in float16, and room to compute."""
    tokens = min(context_tokens, attention.context_tokens)
    return file_bytes + tokens * attention.token_bytes + RUN_BYTES


def training_bytes(file_bytes: int) -> int:
    """What a training takes at the very least; the trainer itself plans with what is there."""
    return file_bytes + TRAINER_BYTES


def _why(what: str, wish: Wish, available_bytes: int, training: Running | None) -> str:
    held = f", and training {training.number} holds {gigabytes(training.bytes)}" if training else ""
    return f"{what} takes {gigabytes(wish.bytes)} of RAM, {gigabytes(available_bytes)} are free{held}"
