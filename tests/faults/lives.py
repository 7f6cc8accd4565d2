"""Lives: processes that run commands of `shammah` one after the other, and are killed in the midst of them.

Each is forked from one which has imported what they import, so that a thousand of them take minutes. What a life
writes, to stdout and stderr, comes over a pipe: that is all that anybody was told before it was killed.
"""

import atexit
import gc
import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Never

import shammah.cli
import shammah.worker
from shammah import config
from shammah.journal import Journal
from shammah.quarantine import Origin, Pair

ROOT = Path(__file__).parents[2]
MARK = b"\x1e"
"""Is written as a command begins."""

LONGEST_SECONDS = 300.0
SIGKILLED = -signal.SIGKILL
WORK = "work"
"""Stands for the background: `python -m shammah.worker`."""

RECEIVE = "receive"
"""Stands for what a door does: takes in an example from outside, and acknowledges it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a life is killed: so many seconds after its command at a place began."""

    place: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Life:
    """A life as it was.

    Attributes:
        code: How it ended.
        cpu_seconds: That it took, with what it started and waited for.
        said: What its commands wrote, one text each, as far as they came.
        seconds: That each of them took, on the clock.
    """

    code: int
    cpu_seconds: float
    said: tuple[str, ...]
    seconds: tuple[float, ...]

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == SIGKILLED


def live(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], folder: Path, moment: Moment | None = None
) -> Life:
    """Let a process run commands in a folder, to its end, or until it is killed at a moment."""
    reading, writing = os.pipe()
    request = json.dumps({"commands": commands, "environment": dict(environment), "folder": os.fspath(folder)})
    server = _server()
    socket.send_fds(server, [request.encode()], [writing])
    os.close(writing)
    pid = int(server.recv(64))
    try:
        listener = _Listener(reading, pid)
        listener.to_the_end(moment)
    finally:
        os.close(reading)
    code, cpu_seconds = server.recv(64).split()
    said = tuple(part.decode("utf-8", "replace") for part in listener.written.split(MARK)[1:])
    return Life(int(code), float(cpu_seconds), said, tuple(b - a for a, b in pairwise(listener.marks)))


@dataclass
class _Listener:
    """Reads what a life writes, and kills it at a moment."""

    pipe: int
    pid: int
    written: bytearray = field(default_factory=bytearray)
    marks: list[float] = field(default_factory=list)

    def to_the_end(self, moment: Moment | None) -> None:
        """Hear all that it writes before it ends."""
        dies = time.monotonic() + LONGEST_SECONDS
        while True:
            if not select.select([self.pipe], [], [], max(0.0, min(dies - time.monotonic(), LONGEST_SECONDS)))[0]:
                os.kill(self.pid, signal.SIGKILL)  # whoever forked it has not buried it, as long as its pipe is open
                dies = math.inf
            elif data := os.read(self.pipe, 65536):
                self.written += data
                self.marks += [time.monotonic()] * data.count(MARK)
                if moment is not None and len(self.marks) > moment.place and dies != math.inf:
                    dies = self.marks[moment.place] + moment.seconds
            else:
                self.marks.append(time.monotonic())
                return


@cache
def _server() -> socket.socket:
    """The other end is the process that lives are forked from; it ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.faults.lives", str(theirs.fileno())]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    theirs.close()
    atexit.register(server.wait)
    atexit.register(ours.close)
    return ours


def serve(requests: socket.socket) -> None:
    """Fork a process for each request, say which it is, and how it ended."""
    while (found := socket.recv_fds(requests, 65536, 1))[0]:
        data, (pipe, *_), *_ = found
        pid = os.fork()
        if pid == 0:
            requests.close()
            _become(json.loads(data), pipe)
        os.close(pipe)
        requests.send(str(pid).encode())
        _, status, usage = os.wait4(pid, 0)
        requests.send(f"{os.waitstatus_to_exitcode(status)} {usage.ru_utime + usage.ru_stime}".encode())


def _become(request: Mapping[str, object], pipe: int) -> Never:
    """Be a life, from its beginning to its end."""
    os.dup2(pipe, 1)
    os.dup2(pipe, 2)
    os.close(pipe)
    sys.stdout, sys.stderr = (os.fdopen(descriptor, "w", closefd=False) for descriptor in (1, 2))  # those were a file's
    code = 1
    try:
        os.chdir(str(request["folder"]))
        os.environ.clear()
        os.environ.update(request["environment"])  # type: ignore[call-overload]
        code = max(map(_run, request["commands"]), default=0)  # type: ignore[call-overload]
    except BaseException:  # as the interpreter does
        traceback.print_exc()
    finally:
        os._exit(code)


def _run(arguments: Sequence[str]) -> int:
    """One command, to its exit code."""
    os.write(1, MARK)
    sys.argv = ["shammah", *arguments]
    try:
        if arguments[0] == RECEIVE:
            _receive(arguments[1])
        elif arguments[0] == WORK:
            return shammah.worker.main()
        else:
            shammah.cli.main()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _receive(question: str) -> None:
    with Journal(config.load().home) as journal:
        journal.quarantine.receive([Pair(question, "an answer")], Origin("mcp", "a life", "batch", "howto"))
    print("received", flush=True)  # noqa: T201 -- as a door says it


if __name__ == "__main__":
    import anthropic  # noqa: F401
    import detect_secrets  # noqa: F401
    import gguf  # noqa: F401
    import safetensors  # noqa: F401

    import shammah.assembly
    import shammah.cli.answering
    import shammah.local
    import shammah.serve.daemon
    import shammah.serve.engines
    import shammah.teacher
    import shammah.training

    assert not {"huggingface_hub", "torch"} & sys.modules.keys(), "the first reads the environment when it is imported"
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
