"""A daemon that is flooded: its health, what clients are told, and its memory."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil

from shammah.serve import client
from shammah.serve.place import socket_of
from shammah.serve.token import token_of
from tests.faults.flooding import CLIENTS, HALF_OPEN
from tests.faults.promise import Promise, Trials
from tests.whole.command import Home

HEALTH_SECONDS = 0.1
"""In which 99 of 100 looks at the daemon's health are answered, beyond what the machine itself takes."""

# One thread: two that wait for each other beside busy clients decode at a twentieth of the speed (docs/lab-notes.md).
QUIET = {"SHAMMAH_WORKER_ENABLED": "false", "SHAMMAH_SERVE_PORT": "0", "SHAMMAH_MODEL_THREADS": "1"}
LOOK_SECONDS = 0.05
SETTLED = 0.2
"""Of the flood: by then all that is kept for it is there."""

MOST_GROWTH, SPARE_BYTES = 0.05, 4_000_000
LEAST_SECONDS = 20
"""A shorter flood says nothing of memory, nor of one look in a hundred."""

_BARE = """
import socket, sys, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
bound = socket.socket()
bound.bind(("127.0.0.1", 0))
bound.listen()
print(bound.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none")).run([bound])
"""


@dataclass
class Looks:
    """Seconds that each look took, at the daemon and at a server that nobody else asks; and the daemon's memory."""

    daemon: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    resident: list[tuple[int, ...]] = field(default_factory=list)


def flood(trials: Trials) -> str:
    """Flood a real daemon for so many seconds."""
    home = Home.used(trials.folder, QUIET)
    with _daemon(home) as (url, pids), _bare() as bare:
        given = url, token_of(home.path), str(trials.count), str(trials.seed)
        command = [sys.executable, "-m", "tests.faults.flooding", *given]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as flooding:
            looks = _look(flooding, url, bare, pids)
            told = json.loads(flooding.communicate()[0])
        assert flooding.returncode == 0
    return _judged(told, looks, trials.count)


def _judged(told: dict[str, Any], looks: Looks, seconds: int) -> str:
    seen = told["seen"]
    words = ", ".join(f"{count:,} x {status}" for status, count in sorted(seen.items()))
    assert set(seen) <= {"200", "429", "503"}, f"clients saw {words}"
    assert seen.get("200"), f"nobody was answered: {words}"
    assert not looks.failed, f"{len(looks.failed)} looks at its health failed: {looks.failed[0]}"
    slow, noise = np.percentile(looks.daemon, 99), np.percentile(looks.bare, 99)
    told_of = f"health p99 {slow * 1000:.0f} ms (a bare server beside it {noise * 1000:.0f} ms)"
    growth = _growth(looks.resident)
    if seconds >= LEAST_SECONDS:
        assert slow <= HEALTH_SECONDS + noise, told_of
        assert all(more <= MOST_GROWTH * first + SPARE_BYTES for first, more in growth), f"memory grew: {growth}"
    grown = " and ".join(f"{more / 1e6:+.1f} MB of {first / 1e6:.0f}" for first, more in growth)
    return f"{CLIENTS} clients saw {words}; {told_of}; daemon and engine grew by {grown}"


def _growth(resident: list[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Of each process: bytes once it had settled, and how many more at the end."""
    settled = resident[round(SETTLED * len(resident))]
    return [(first, last - first) for first, last in zip(settled, resident[-1], strict=True)]


def _look(flooding: "subprocess.Popen[bytes]", url: str, bare: str, pids: list[int]) -> Looks:
    """Look at the daemon's health, at the bare server, and at memory, as long as it is flooded."""
    looks, processes = Looks(), [psutil.Process(pid) for pid in pids]
    while flooding.poll() is None:
        looks.bare.append(_seconds(bare, "/", looks))
        looks.daemon.append(_seconds(url, "/health", looks))
        looks.resident.append(tuple(process.memory_info().rss for process in processes))
        time.sleep(LOOK_SECONDS)
    return looks


def _seconds(url: str, path: str, looks: Looks) -> float:
    address, begun = urlsplit(url), time.monotonic()
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != 200:
            looks.failed.append(f"{response.status} {response.read()!r}")
        response.read()
    except OSError as error:
        looks.failed.append(repr(error))
    finally:
        connection.close()
    return time.monotonic() - begun


@contextmanager
def _daemon(home: Home) -> Iterator[tuple[str, list[int]]]:
    """A daemon of its own process: its address, and the processes of daemon and engine."""
    begun = home.run("serve", "--detach")
    assert begun.returncode == 0, begun.stderr
    try:
        status = client.request(socket_of(home.path), "/private/status")
        children = psutil.Process(status["pid"]).children()
        yield status["url"], [status["pid"], *(child.pid for child in children)]
    finally:
        home.run("serve", "stop")


@contextmanager
def _bare() -> Iterator[str]:
    """A server that does nothing, and is asked by nobody else."""
    with subprocess.Popen([sys.executable, "-c", _BARE], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


FLOOD = Promise(
    name="flood",
    part="Daemon",
    claim=f"{CLIENTS} clients for 60 s beside {HALF_OPEN} connections that are held half-open are answered, or told "
    "429 or 503 and nothing else; 99 of 100 looks at /health are answered within 100 ms, beyond what a bare server "
    "takes at the same time; the memory of daemon and engine stays flat.",
    unit="seconds",
    full=60,
    check=flood,
    least=4,
)
