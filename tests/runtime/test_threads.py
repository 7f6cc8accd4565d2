"""The daemon's threads: how many wait for one, and who is told to come again."""

import threading

import pytest

from shammah.errors import EngineBusy
from shammah.serve.threads import Threads


def test_what_finds_the_queue_full_is_refused_and_what_comes_later_is_not() -> None:
    go_on = threading.Event()
    with Threads(1, 2) as threads:
        taken = [threads.submit(go_on.wait, 10) for _ in range(3)]
        with pytest.raises(EngineBusy, match="wait already"):
            threads.submit(go_on.wait, 10)
        go_on.set()
        assert all(one.result() for one in taken)
        assert threads.submit(lambda: True).result()
