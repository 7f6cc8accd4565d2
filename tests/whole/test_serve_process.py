"""The daemon as a process of its own: how it begins, ends, and is killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from shammah import config
from shammah.errors import ServeError
from shammah.serve import client
from shammah.serve.daemon import Daemon, private_socket
from shammah.serve.engines import open_engine
from shammah.serve.place import LONGEST_PATH_BYTES, socket_of
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer, Stall
from tests.whole.command import Home

KEY = "sk-ant-" + "test" * 6
QUIET = {"SHAMMAH_WORKER_ENABLED": "false", "SHAMMAH_SERVE_PORT": "0"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home.used(tmp_path, QUIET)
    yield home
    home.run("serve", "stop")


def status(home: Home) -> dict[str, Any]:
    return client.request(socket_of(home.path), "/private/status")


def runs(process: psutil.Process) -> bool:
    """Whether a process has not ended; one whose end nobody has heard of yet has."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_detached_daemon_answers_until_it_is_stopped(home: Home) -> None:
    begun = home.run("serve", "--detach")
    assert begun.returncode == 0, begun.stderr
    assert "the bearer token is in" in begun.stderr
    assert home.run("serve", "--detach").returncode == 1, "one runs already"
    found = home.run("serve", "status")
    assert (found.returncode, found.stdout.partition(":")[0]) == (0, "ready")
    home.ask("list files")
    assert status(home)["answers"] == 1
    daemon = psutil.Process(status(home)["pid"])
    processes = [daemon, *daemon.children()]
    assert len(processes) == 2, "llama.cpp has a process of its own"
    assert home.run("serve", "stop").stderr == "Stopped.\n"
    assert home.run("serve", "status").returncode == 1
    deadline = time.monotonic() + 30
    while any(map(runs, processes)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not socket_of(home.path).exists()


def test_a_daemon_that_is_killed_in_mid_answer_costs_no_answer_and_is_begun_again(home: Home) -> None:
    assert home.run("serve", "--detach").returncode == 0
    with (
        AnthropicServer([Stall("the first half"), Answer("the whole answer")]) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        asker = Home(home.path, QUIET | {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url})
        asking = pool.submit(asker.run, "ask", "--teacher", "tell me")
        deadline = time.monotonic() + 30
        while not server.requests:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(status(home)["pid"], signal.SIGKILL)
        done = asking.result()
    assert (done.returncode, done.stdout) == (0, "the whole answer\n"), done.stderr
    assert socket_of(home.path).exists(), "it had no time to remove it"
    assert home.run("ask", "list files").returncode == 0, "nobody answers there"
    assert home.run("serve", "--detach").returncode == 0
    assert status(home)["state"] == "ready"


def test_ctrl_c_ends_a_daemon_and_leaves_nothing_behind(home: Home) -> None:
    command = [sys.executable, "-m", "shammah", "serve"]
    with subprocess.Popen(command, env=home.environment(), stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        assert "Serving at http://127.0.0.1:" in daemon.stderr.readline()
        daemon.send_signal(signal.SIGINT)
        assert daemon.wait(60) == 0
    assert not socket_of(home.path).exists()


def test_an_interrupt_that_comes_before_uvicorn_listens_ends_it_too(home: Home) -> None:
    settings = config.load(home.environment())
    Daemon(settings, open_engine).run(lambda _: signal.raise_signal(signal.SIGINT))
    assert not socket_of(home.path).exists()


def test_a_model_that_cannot_be_opened_is_said_and_nothing_runs(home: Home, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF, but nothing else")
    done = home.run("serve", "--detach", "--model", str(bad))
    assert done.returncode == 3
    assert "it does not serve" in done.stderr
    assert "CRITICAL" not in done.stderr
    assert "bad.gguf" in done.stderr
    assert home.run("serve", "status").returncode == 1


def test_a_socket_that_somebody_answers_at_is_not_taken(tmp_path: Path) -> None:
    place = tmp_path / "it.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place))
        other.listen()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_answer, other)
            with pytest.raises(ServeError, match="somebody answers"), private_socket(place):
                pass
    assert place.exists()
    with private_socket(place):  # nobody is left
        assert place.stat().st_mode & 0o777 == 0o600


def _answer(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n{}\n")


def test_a_home_that_is_too_deep_has_its_socket_where_the_system_keeps_such(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * LONGEST_PATH_BYTES)
    found = socket_of(deep, {"XDG_RUNTIME_DIR": "/run/user/1000"})
    assert found.parent == Path("/run/user/1000")
    assert found != socket_of(deep / "other", {"XDG_RUNTIME_DIR": "/run/user/1000"})
    with pytest.raises(ServeError, match="too long"):
        socket_of(deep, {})


def test_a_command_does_without_a_daemon_that_hangs(home: Home) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(socket_of(home.path)))
        mute.listen()
        assert home.run("ask", "list files").returncode == 0
    socket_of(home.path).unlink()
    assert config.load(home.environment()).serve.use
