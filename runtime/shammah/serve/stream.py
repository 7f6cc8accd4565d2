"""Events that a thread makes while it answers, sent as they come; whoever goes away stops the thread."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import Any

from shammah.turn import Screen

Event = dict[str, Any]
Put = Callable[[Event], None]
Work = Callable[[Put, threading.Event], None]


async def events(pool: Executor, work: Work) -> AsyncIterator[Event]:
    """Run work in a thread, and pass on its events; the work is told to stop when nobody takes them any more."""
    loop, queue, left = asyncio.get_running_loop(), asyncio.Queue[Event | None](), threading.Event()

    def put(event: Event | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            loop.call_soon_threadsafe(queue.put_nowait, event)

    def run() -> None:
        try:
            if not left.is_set():
                work(put, left)
        finally:
            put(None)

    done = loop.run_in_executor(pool, run)
    try:
        while (event := await queue.get()) is not None:
            yield event
        await done
    finally:
        left.set()


async def as_lines(found: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """Events as lines of JSON."""
    async for event in found:
        yield json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class Wire:
    """A screen whose pieces become events."""

    def __init__(self, put: Put, forwarding: Callable[[float], None]) -> None:
        self._put = put
        self.forwarding = forwarding

    def draft(self, text: str) -> None:
        """A piece of a local answer that may still be replaced."""
        self._put({"draft": text})

    def final(self, text: str) -> None:
        """A piece of the answer."""
        self._put({"final": text})

    def accept(self) -> None:
        """What was drafted is the answer."""
        self._put({"accept": True})

    def discard(self, why: str) -> None:
        """What was shown so far is taken back."""
        self._put({"discard": why})


_IS_A_SCREEN: type[Screen] = Wire
