"""Places in a text, and the placeholders that take them."""

import re
from collections.abc import Iterable

Span = tuple[int, int]
PLACEHOLDER = re.compile(r"<SECRET_\d+>")


def says_the_same(first: str, second: str) -> bool:
    """Whether two redacted texts differ in nothing but space, and the numbers of their placeholders."""
    return PLACEHOLDER.sub("<SECRET>", first).split() == PLACEHOLDER.sub("<SECRET>", second).split()


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that overlap as one: no end of a secret stays behind another."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
