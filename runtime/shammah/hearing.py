"""Chunks that another thread or process makes, as whoever waits for them reads them."""

from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

from shammah.errors import ShammahError
from shammah.generation import Chunk, Stop, never

LOOK_SECONDS = 0.05
"""Between two looks at whether the one who asked still waits, where nothing comes."""

Heard = SimpleQueue[Chunk | ShammahError]
"""What was made so far: an empty chunk once the request is taken on, chunks, and at last an end or an error."""


def chunks_of(heard: Heard, leave: Callable[[], None], stop: Stop = never) -> Iterator[Chunk]:
    """Wait until a request is taken on, then read its answer as it is made; whoever stops, or reads no further, leaves.

    Raises:
        ShammahError: Where that is what comes.
    """
    first = heard.get()
    if isinstance(first, ShammahError):
        raise first
    chunks = _read(heard, leave, stop)
    next(chunks)  # from here on it is noticed when it is dropped unread
    return chunks


def _read(heard: Heard, leave: Callable[[], None], stop: Stop) -> Iterator[Chunk]:
    is_over = is_left = False
    try:
        yield Chunk()
        while not is_over:
            item = _next(heard, stop)
            if not is_left and stop():
                leave()
                is_left = True
            if isinstance(item, ShammahError):
                is_over = True
                raise item
            if item is not None:
                is_over = item.end is not None
                if is_over or not is_left:
                    yield item
    finally:
        if not (is_over or is_left):
            leave()


def _next(heard: Heard, stop: Stop) -> Chunk | ShammahError | None:
    """What comes next; None where it is time to look whether anybody waits."""
    try:
        return heard.get(timeout=None if stop is never else LOOK_SECONDS)
    except Empty:
        return None
