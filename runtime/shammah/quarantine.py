"""What comes in from outside: where it came from, and how much weight it may have in a training. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from shammah_convert.chat import Message
from shammah_convert.examples import Example, Source

OUTSIDE: tuple[Source, ...] = ("teach", "mcp", "http")
"""The doors by which examples come in that nobody said to this machine himself."""
LARGEST_SHARE = 0.2
"""Of a job's weight, for each of those doors."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch of examples comes from.

    Attributes:
        door: By which it came.
        author: Who wrote it, as far as that is known: a model, or a client with its version.
        batch: Of all that came at once.
        category: What it is about.
        focus: What was asked for; empty where nothing special was.
    """

    door: Source
    author: str
    batch: str
    category: str
    difficulty: str = ""
    focus: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an example comes from, and whether a user accepted it.

    Attributes:
        accepted: When; None while it waits.
    """

    origin: Origin
    received: str
    accepted: str | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with the answer that somebody outside gives to it, redacted.

    Attributes:
        is_test: It is asked to see what the model can do, and never learnt.
    """

    question: str
    answer: str
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class TestQuestion:
    """A question that is never learnt, with an answer to compare with."""

    __test__ = False  # pytest takes the name for a test's

    id: str
    category: str
    prompt: tuple[Message, ...]
    reference: str


def is_outside(example: Example) -> bool:
    """Whether an example came in by a door."""
    return example.source in OUTSIDE


def is_filling(example: Example) -> bool:
    """Whether an example is one of the base's own answers, which only fills up a job."""
    return example.source == "self" and not example.created


def scales(own: float, outside: Mapping[Source, float], share: float = LARGEST_SHARE) -> dict[Source, float]:
    """By what the weights of each door are to be multiplied, so that none has more than a share of the whole.

    Args:
        own: The weight of all that did not come in by a door; above 0.
        outside: The weight of what came in, by door.
        share: The largest that one door may have.
    """
    full: set[Source] = set()
    while True:
        free = own + sum(weight for door, weight in outside.items() if door not in full)
        whole = free / (1 - len(full) * share)
        over = {door for door, weight in outside.items() if door not in full and weight > share * whole}
        if not over:
            return {door: share * whole / weight if door in full else 1.0 for door, weight in outside.items()}
        full |= over


def capped(learnt: Sequence[Example], filling: Sequence[Example], share: float = LARGEST_SHARE) -> list[Example]:
    """A job's examples with the weights of what came from outside scaled down to its share.

    Where there is nothing else to learn, some of the base's own answers make up the rest: the model says them as it is.
    """
    taught = [example for example in learnt if is_outside(example)]
    own = sum(example.weight for example in learnt if not is_outside(example))
    filled = _filled(taught, filling, share) if taught and not own else []
    factors = scales(own + sum(example.weight for example in filled), _by_door(taught), share) if taught else {}
    return [*filled, *(replace(e, weight=e.weight * factors.get(e.source, 1.0)) for e in learnt)]


def _filled(taught: Sequence[Example], filling: Sequence[Example], share: float) -> list[Example]:
    chosen = filling[: len(taught)]
    if not chosen:
        return []
    weight = sum(example.weight for example in taught) * (1 / share - 1)
    return [replace(example, weight=weight / len(chosen)) for example in chosen]


def _by_door(taught: Iterable[Example]) -> dict[Source, float]:
    weights: Counter[Source] = Counter()
    for example in taught:
        weights[example.source] += example.weight  # type: ignore[assignment]  # a Counter takes floats, too
    return dict(weights)
