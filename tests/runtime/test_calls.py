"""A call that streams, as whoever waits for it sees it."""

import threading
import time

import pytest

from shammah import calls
from shammah.calls import Call, Late, Line
from shammah.generation import Chunk, Finish, never


def test_an_answer_that_has_ended_is_over_whatever_else_is_still_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PATIENCE_SECONDS", 0.05)
    released = threading.Event()

    def converse(line: Line) -> Finish:
        line.say(Chunk("ls"))
        line.ends(Finish.STOP)
        released.wait(30)  # pings, and no end of the stream
        return Finish.CUT

    begun = time.monotonic()
    *_, last = Call(converse, "test").listen(never, begun + 20)
    released.set()
    assert last.end is not None
    assert last.end.finish is Finish.STOP
    assert time.monotonic() - begun < 10


def test_what_never_ends_is_late() -> None:
    released = threading.Event()

    def converse(_: Line) -> Finish:
        released.wait(30)
        return Finish.STOP

    with pytest.raises(Late):
        list(Call(converse, "test").listen(never, time.monotonic() + 0.1))
    released.set()
