"""What an attempt came to."""

from collections.abc import Callable
from typing import TypeVar

E = TypeVar("E", bound=Exception)


def refusal(act: Callable[[], object], kind: type[E]) -> E | None:
    """The error of a kind that an attempt is refused with; None where it is not. Any other error rises."""
    try:
        act()
    except kind as error:
        return error
    return None
