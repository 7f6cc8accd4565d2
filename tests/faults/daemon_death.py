"""A daemon that is killed at any moment, with requests in flight: what was acknowledged over the wire is kept."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import psutil

from shammah import locks
from shammah.serve import client
from shammah.serve.place import socket_of
from tests.faults import clients, restarts, sound
from tests.faults.clients import Heard
from tests.faults.ground import Ground
from tests.faults.lives import Life, Moment
from tests.faults.promise import Promise, Trials
from tests.faults.restarts import ROOMS

SERVE = ("serve", "--port", "0")
KILLS_A_HOME = 5
"""Before it is put back: each beginning but the first is that of a daemon whose forerunner was killed."""

EARLY_EVERY = 3
"""Of so many kills, one comes while the daemon begins; the others find requests in flight."""

LONGEST_FLIGHT_SECONDS, LONGEST_START_SECONDS = 0.8, 60.0
MAY_BE_ACTIVE = (("corrections-v2",),)


@dataclass
class Daemons:
    """Daemons of one home, one after the other, and what was seen of them.

    Attributes:
        answer_seconds: Of the processor, that importing takes which answers.
        serve_seconds: That importing takes which serves.
        known_seconds: On the clock, from a daemon's beginning until it is ready.
        lived_on_seconds: On the clock, that its engine outlived one at most.
    """

    ground: Ground
    answer_seconds: float
    serve_seconds: float
    known_seconds: float = 1.0
    acknowledged: int = 0
    early: int = 0
    lived_on_seconds: float = 0.0
    slowest_seconds: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def kill_early(self, share: float) -> None:
        """Kill one as it begins."""
        life = self.ground.live(SERVE, moment=Moment(0, share * self.known_seconds), is_online=True)
        assert life.was_killed, life.said
        self.early += 1

    def kill_in_flight(self, seconds: float) -> Heard:
        """Kill one that has been asked things for so long; what was acknowledged."""
        with ThreadPoolExecutor(1) as pool:
            living = pool.submit(self.ground.live, SERVE, is_online=True)
            pid, url = self._begun(living)
            with clients.asking(self.ground.home, url) as heard:
                time.sleep(seconds)
                os.kill(pid, signal.SIGKILL)
            assert living.result().was_killed, living.result().said
        return heard

    def look(self, heard: Heard) -> None:
        """See what a death left, and ask the next question."""
        self.lived_on_seconds = max(self.lived_on_seconds, sound.check_nobody(self.ground))
        sound.check(self.ground, MAY_BE_ACTIVE)
        with self.ground.home.journal() as journal:
            heard.check(journal)
        self.acknowledged += len(heard)
        self._note(0, restarts.restart(self.ground, self.answer_seconds))
        sound.check(self.ground, MAY_BE_ACTIVE)

    def _begun(self, living: "Future[Life]") -> tuple[int, str]:
        """The process and the address of one that is ready; its beginning takes little of the processor."""
        begun = time.monotonic()
        while not (status := self._status()) or status["state"] != "ready":
            assert not living.done(), f"the daemon does not begin: {living.result().said}"
            assert time.monotonic() < begun + LONGEST_START_SECONDS, "the daemon is not ready"
            time.sleep(0.01)
        self.known_seconds = (self.known_seconds + time.monotonic() - begun) / 2
        daemon = psutil.Process(status["pid"])
        assert locks.named(self.ground.home.path / locks.SERVING) == [daemon.pid], "another one is named"
        self._note(1, self.serve_seconds + _cpu_seconds(daemon))
        return daemon.pid, str(status["url"])

    def _status(self) -> client.Event | None:
        with contextlib.suppress(client.NoDaemon):
            return client.request(socket_of(self.ground.home.path), "/private/status")
        return None

    def _note(self, which: int, seconds: float) -> None:
        self.slowest_seconds[which] = max(self.slowest_seconds[which], seconds)


def _cpu_seconds(daemon: psutil.Process) -> float:
    """What a daemon and its engine have taken of the processor."""
    processes = [daemon, *daemon.children()]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def killed(trials: Trials) -> str:
    """Kill daemons, one after the other in the same home."""
    chance = random.Random(trials.seed)
    with _daemons(trials) as daemons:
        for number in range(trials.count):
            if number % KILLS_A_HOME == 0:
                daemons.ground.put_back()
            is_early, share = number % EARLY_EVERY == 1, chance.random()  # it is known how long one takes to begin
            try:
                _kill(daemons, is_early, share)
            except Exception as error:
                error.add_note(f"kill {number}, {'early' if is_early else 'in flight'}, {share:.2f}")
                raise
        answer, serve = daemons.slowest_seconds
        return (
            f"{daemons.acknowledged} acknowledged, {daemons.early} killed as they began; an engine outlived its daemon"
            f" by {daemons.lived_on_seconds:.1f} s at most; the slowest restart took {answer:.2f} s to answer and"
            f" {serve:.2f} s to serve"
        )


def _kill(daemons: Daemons, is_early: bool, share: float) -> None:
    if is_early:
        daemons.kill_early(share)
        daemons.look(Heard())
    else:
        daemons.look(daemons.kill_in_flight(share * LONGEST_FLIGHT_SECONDS))


@contextlib.contextmanager
def _daemons(trials: Trials) -> Iterator[Daemons]:
    with restarts.ground(trials) as ground:
        yield Daemons(ground, restarts.start_seconds(*ROOMS), restarts.start_seconds("serve.daemon", "serve.engines"))


DAEMON = Promise(
    "daemon-death",
    "Process death",
    "Whenever `shammah serve` is killed, what it has acknowledged over its socket or its port (answers, also streamed"
    " ones, ratings, examples from outside) is there, the database is whole, no process, lock or socket is left that"
    " keeps the home busy, the next answer takes less than 2 s, and the next daemon begins.",
    "kills",
    250,
    killed,
    least=3,
)
