"""`shammah ask` through a running daemon, beside the same command that answers by itself: whole processes."""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.ask import Race, ask, environment
from bench.measure import Row, alternate, at_most, watching
from shammah.serve import client
from shammah.serve.place import socket_of

SECONDS_TO_OPEN = 120.0
LOOK_SECONDS = 0.05


def measure(name: str, model: Path, max_tokens: int, rounds: int, threads: int, most: float) -> Row:
    """The ratio of warm to cold, where at most `most` is aimed at."""
    with tempfile.TemporaryDirectory() as folder:
        race = Race(model, max_tokens, threads, Path(folder))
        first = ask(race)  # it records the model's hash in the empty home
        with _serving(race), watching() as others:
            pairs = alternate(
                lambda: _seconds(race, "true", first.tokens), lambda: _seconds(race, "false", first.tokens), rounds
            )
    warm, cold = (statistics.median(side) * 1e3 for side in (pairs.ours, pairs.theirs))
    detail = f"{warm:.0f} beside {cold:.0f} ms cold, {first.tokens} tokens"
    return at_most(f"ask through the daemon, {name}", pairs, most, detail, others.cores)


def _seconds(race: Race, uses_daemon: str, tokens: int) -> float:
    """Wall time of a question; both ways make the same tokens."""
    run = ask(race, SHAMMAH_SERVE_USE=uses_daemon)
    if run.tokens != tokens:
        raise RuntimeError(f"the sides made {run.tokens} and {tokens} tokens: no comparison")
    return run.seconds


@contextlib.contextmanager
def _serving(race: Race) -> Iterator[None]:
    """A daemon for the race's home."""
    variables = environment(race.home) | {"SHAMMAH_MODEL_THREADS": str(race.threads)}
    command = [sys.executable, "-m", "shammah", "serve", "--port", "0", "--model", str(race.model)]
    with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as daemon:
        try:
            deadline = time.monotonic() + SECONDS_TO_OPEN
            while not _is_ready(race.home):
                if daemon.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the daemon does not begin")
                time.sleep(LOOK_SECONDS)
            yield
        finally:
            daemon.terminate()


def _is_ready(home: Path) -> bool:
    try:
        return bool(client.request(socket_of(home), "/private/status").get("state") == "ready")
    except client.NoDaemon:
        return False
