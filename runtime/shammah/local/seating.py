"""Pure: which row a request takes, what it finds there, and how a step is shared out."""

from collections.abc import Sequence
from dataclasses import dataclass

# With answers under way, a prompt is read in pieces, so that they do not halt: so many tokens a step.
JOIN_TOKENS = 64
# A prompt waits for another that is being read if that spares it so many tokens.
WORTH_WAITING = 64


@dataclass(frozen=True, slots=True)
class Place:
    """A row, as far as seating sees it."""

    row: int
    tokens: Sequence[int]
    is_free: bool
    last_used: int


@dataclass(frozen=True, slots=True)
class Seat:
    """A free row, and whose first tokens it begins with; the source may be the row itself."""

    row: int
    source: int
    kept: int


def shared(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two rows begin with in common."""
    pairs = zip(first, second, strict=False)
    return next((count for count, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second)))


def choose_seat(places: Sequence[Place], prompt: Sequence[int]) -> Seat | None:
    """Where a prompt finds most of itself; None where no row is free.

    A free row is used up where the prompt goes on with most of it. Otherwise it is kept for whoever goes on with it,
    and the row that has been left alone for the longest time gets what both have in common.
    """
    free = sorted((place for place in places if place.is_free), key=lambda place: (bool(place.tokens), place.last_used))
    if not free:
        return None
    # The last token is always evaluated: its logits are wanted.
    kept = {place.row: min(shared(place.tokens, prompt), len(prompt) - 1) for place in places}
    best = max(places, key=lambda place: (kept[place.row], place.is_free))
    is_used_up = best.is_free and 2 * kept[best.row] >= len(best.tokens)
    target = best if is_used_up else next((place for place in free if place is not best), free[0])
    return Seat(target.row, best.row, kept[best.row])


def share_out(ahead: Sequence[tuple[int, bool]], batch_tokens: int) -> list[int]:
    """How many tokens each row gets evaluated in a step.

    Args:
        ahead: Of each row, oldest first: how many tokens wait, and whether it still reads its prompt.
        batch_tokens: Of a step.
    """
    writing = sum(not is_reading for _, is_reading in ahead)
    room = min(JOIN_TOKENS, batch_tokens - writing) if writing else batch_tokens
    given = []
    for count, is_reading in ahead:
        taken = min(count, room) if is_reading else count
        room -= taken if is_reading else 0
        given.append(taken)
    return given
