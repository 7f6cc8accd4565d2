"""The examples of a training: what is learnt, and what is held out to compare."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shammah.journal import Journal
from shammah.quarantine import is_outside
from shammah_convert.chat import Message
from shammah_convert.examples import Example

# A fifth of Claude's plain answers is held out, by question, once there are enough to spare.
HELD_OUT_PARTS, LEAST_TO_HOLD_OUT = 5, 10
MOST_SHARED = 0.01
"""Of all answers; one that more questions have in common is no question's own."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """The examples of a training.

    Attributes:
        learnt: What is trained on.
        held_out: Of the teacher's plain answers, those that are not.
        corrections: Ids of what users said, all of it learnt.
        corrected: Conversations whose answer a user rated: what anybody else says to them has no say.
        taught: Ids of what came in from outside and was accepted, all of it learnt.
    """

    learnt: Sequence[Example]
    held_out: Sequence[Example]
    corrections: tuple[str, ...]
    corrected: frozenset[tuple[Message, ...]]
    taught: tuple[str, ...] = ()

    @property
    def aims(self) -> list[Example]:
        """The corrections themselves, oldest first."""
        return [example for example in self.learnt if example.id in self.corrections]


def freeze(journal: Journal, feedback_limit: int, teacher_limit: int) -> Frozen:
    """The live examples, as they are now: so many of the newest of users, and of the teacher's plain answers."""
    corrections = tuple(ids(journal.examples.live(feedback_limit, teacher_limit=0)))
    live = journal.examples.live(feedback_limit, teacher_limit)
    corrected = frozenset(k.example.prompt for k in journal.examples.all() if k.rating is not None)
    others = [e for e in live if e.prompt not in corrected]
    taught = tuple(ids([e for e in others if is_outside(e)]))
    plain = [e for e in others if not is_outside(e)]
    held_out = [e for e in plain if _is_held_out(e)] if len(plain) >= LEAST_TO_HOLD_OUT else []
    kept = {*corrections, *taught} | set(ids(plain)) - set(ids(held_out))
    return Frozen([e for e in live if e.id in kept], held_out, corrections, corrected, taught)


def staying(own: Sequence[Example], frozen: Frozen) -> list[Example]:
    """Those of the base's own answers that are to stay as they are.

    What a user corrected is not, and nor is another question that got the very answer which a user rejected: it is
    mostly the same question in other words. An answer that many questions have in common, such as "I do not know",
    says nothing of them.
    """
    said = Counter(example.completion for example in own)
    rejected = {example.rejected for example in frozen.aims if example.rejected}
    told_apart = {answer for answer in rejected if said[answer] <= max(1.0, MOST_SHARED * len(own))}
    return [e for e in own if e.prompt not in frozen.corrected and e.completion not in told_apart]


def ids(of: Sequence[Example]) -> list[str]:
    """The ids of examples."""
    return [example.id for example in of]


def _is_held_out(example: Example) -> bool:
    """A fifth of all questions, always the same ones: decided by the conversation, never by the row."""
    said = "\0".join(message.content for message in example.prompt)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()[0] % HELD_OUT_PARTS == 0
