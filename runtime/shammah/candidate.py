"""A candidate in llama.cpp: does it say there what the trainer says that it says."""

import math
import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shammah.generation import Finish, Sampling, Stop, collect, never
from shammah.sides import LocalGenerator
from shammah_convert.examples import Example
from shammah_convert.job import Confirmed, Probe

MOST_CONFIRMED = 5
CONFIRMING_SECONDS = 60.0


class Logits(Protocol):
    """A model that shows its logits."""

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """The next-token logits after a row of tokens, (vocabulary,)."""
        ...


def gap(model: Logits, probes: Sequence[Probe]) -> float:
    """The root mean square difference between llama.cpp's logits after prompts and the trainer's."""
    squares: list[float] = []
    for probe in probes:
        logits = model.logits(probe.tokens)
        squares += [(float(logits[token]) - logit) ** 2 for token, logit in probe.top]
    return math.sqrt(sum(squares) / max(1, len(squares)))


def confirm(model: LocalGenerator, corrections: Sequence[Example], stop: Stop = never) -> Confirmed:
    """Ask the newest corrections' questions, a few and for a minute at most; how many are answered to the letter."""
    deadline = time.monotonic() + CONFIRMING_SECONDS
    answers = [
        _is_same(model, example, lambda: stop() or time.monotonic() > deadline)
        for example in corrections[-MOST_CONFIRMED:]
    ]
    heard = [answer for answer in answers if answer is not None]
    return Confirmed(len(heard), sum(heard))


def _is_same(model: LocalGenerator, example: Example, stop: Stop) -> bool | None:
    """Whether the likeliest answer is the target; None where there was no time to hear it."""
    if stop():
        return None
    target = example.completion[0].content
    # The target as a conversation has all of its tokens and more: room to go on where it should have ended.
    room = model.count_tokens(example.completion)
    completion = collect(model.stream(example.prompt, Sampling(room), stop))
    if completion.end.finish is Finish.INTERRUPTED:
        return None
    return completion.end.finish is Finish.STOP and completion.text == target.strip()
