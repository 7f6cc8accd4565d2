"""Commands of `shammah`, each a process that is forked from one which has imported what they import.

Importing takes half of a command's time, two thirds where Claude is asked, and the tests run hundreds of commands. That
a process which begins from nothing does the same is seen where a test starts one: on terminals, in pipes, in the
background, and in `.ci/run`.
"""

import atexit
import gc
import json
import os
import pty
import resource
import subprocess
import sys
import tempfile
import termios
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import NoReturn, TextIO

import psutil

from tests import clocks

ROOT = Path(__file__).parents[2]
FILES = ("stdin", "stdout", "stderr")


@dataclass(frozen=True, slots=True)
class Request:
    """A command: its arguments, environment and working folder, and what it reads from and says to.

    Attributes:
        files: Its stdin, stdout and stderr.
        largest_bytes: Of any file that it may write.
        clock_seconds: By which its clock is ahead.
    """

    arguments: tuple[str, ...]
    environment: dict[str, str]
    cwd: str
    files: tuple[str, ...]
    largest_bytes: int | None = None
    clock_seconds: float = 0.0


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stdin: bytes,
    largest_bytes: int | None = None,
    clock_seconds: float = 0.0,
) -> tuple[int, bytes, bytes]:
    """Run a command to its end: its exit code, and what it said on stdout and stderr."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in FILES]
        files[0].write_bytes(stdin)
        request = _request(arguments, environment, tuple(map(os.fspath, files)))
        code = _server().ask(replace(request, largest_bytes=largest_bytes, clock_seconds=clock_seconds))
        return code, files[1].read_bytes(), files[2].read_bytes()


def run_on_terminal(arguments: Sequence[str], environment: Mapping[str, str], columns: int) -> tuple[int, str]:
    """Run a command that asks nothing on a terminal so wide: its exit code, and what it wrote there."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, columns))
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.extend(iter(lambda: _read(ours), b"")))
    reader.start()
    code = _server().ask(_request(arguments, environment, (os.ttyname(its),) * len(FILES)))
    os.close(its)
    reader.join()
    os.close(ours)
    return code, b"".join(said).decode()


def cpu_seconds() -> float:
    """What all commands so far have taken of a processor: a busy machine takes no more of it."""
    times = psutil.Process(_server().pid).cpu_times()
    return float(times.children_user + times.children_system)


def _request(arguments: Sequence[str], environment: Mapping[str, str], files: tuple[str, ...]) -> Request:
    return Request(tuple(arguments), dict(environment), os.fspath(Path.cwd()), files)


def _read(terminal: int) -> bytes:
    """What comes next; nothing once nobody has the other end open."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


class _Server:
    """The process that the commands are forked from."""

    def __init__(self) -> None:
        (theirs, ours), (read, write) = os.pipe(), os.pipe()
        command = [sys.executable, "-m", "tests.whole.forked", str(theirs), str(write)]
        self._child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=(theirs, write))
        os.close(theirs)
        os.close(write)
        self._requests, self._codes = os.fdopen(ours, "w"), os.fdopen(read)

    @property
    def pid(self) -> int:
        return self._child.pid

    def ask(self, request: Request) -> int:
        try:
            print(json.dumps(asdict(request)), file=self._requests, flush=True)
            return int(self._codes.readline())
        except BaseException:  # a test that ran too long, say: its answer is not to be taken for the next one's
            _server.cache_clear()
            self._child.kill()
            raise

    def close(self) -> None:
        self._requests.close()
        self._codes.close()
        self._child.wait()


@cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.close)
    return server


def serve(requests: TextIO, codes: TextIO) -> None:
    """Fork a process for each request, and say how it ended."""
    for line in requests:
        child = os.fork()
        if child == 0:
            become(Request(**json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=codes, flush=True)


def become(request: Request) -> NoReturn:
    """Be the process of a command, from its beginning to its end."""
    if request.largest_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request.largest_bytes, resource.RLIM_INFINITY))
    if request.clock_seconds:
        clocks.shift(request.clock_seconds)
    for descriptor, file in enumerate(request.files):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(file, flags | os.O_NOCTTY), descriptor)
    if os.isatty(1):  # the streams that there are may have been a file's, which can be sought in
        for descriptor, name in enumerate(FILES):
            setattr(sys, name, os.fdopen(descriptor, "r" if descriptor == 0 else "w", closefd=False))
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = ["shammah", *request.arguments]
    code = 1
    try:
        from shammah.cli import main

        main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # as the interpreter does
        traceback.print_exc()
    finally:
        for thread in threading.enumerate():
            if not thread.daemon and thread is not threading.current_thread():
                thread.join()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def prepare() -> None:
    """Import what commands import."""
    import anthropic  # noqa: F401
    import detect_secrets  # noqa: F401
    import gguf  # noqa: F401

    import shammah.assembly
    import shammah.cli
    import shammah.cli.answering
    import shammah.cli.commands
    import shammah.local
    import shammah.teacher

    shammah.cli.commands.app_of()
    assert not {"huggingface_hub", "torch"} & sys.modules.keys(), "the first reads the environment when it is imported"
    gc.freeze()


if __name__ == "__main__":
    prepare()
    serve(os.fdopen(int(sys.argv[1])), os.fdopen(int(sys.argv[2]), "w"))
