"""When the prompt of `shammah chat` appears, beside a bare process that imports typer, rich and prompt_toolkit."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from bench.ask import environment
from bench.measure import Row, alternate, at_most, watching

MARK = b">"  # the blank behind it is drawn by moving the cursor
PEER = "import typer, rich, prompt_toolkit; print('> ', end='', flush=True); input()"
ROWS, COLUMNS = 24, 80
LONGEST_SECONDS = 60.0


def measure(rounds: int, most: float) -> Row:
    """The ratio of the times from the start of a process to its prompt, where at most `most` is aimed at."""
    with tempfile.TemporaryDirectory() as folder, watching() as others:
        home = Path(folder)
        pairs = alternate(
            lambda: until_prompt([sys.executable, "-m", "shammah", "chat"], home),
            lambda: until_prompt([sys.executable, "-c", PEER], home),
            rounds,
        )
    ours, theirs = (statistics.median(side) * 1e3 for side in (pairs.ours, pairs.theirs))
    detail = f"{ours:.0f} beside {theirs:.0f} ms for the bare imports, on a terminal of its own each"
    return at_most("chat, until the prompt stands", pairs, most, detail, others.cores)


def until_prompt(command: Sequence[str], home: Path) -> float:
    """Seconds from the start of a process until its prompt is on its terminal; it is ended then."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    start = time.perf_counter()
    child = subprocess.Popen(
        command,
        stdin=its,
        stdout=its,
        stderr=its,
        env=environment(home) | {"TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(its)
    try:
        _read_until(ours, MARK)
        return time.perf_counter() - start
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        os.close(ours)


def _read_until(terminal: int, mark: bytes) -> None:
    said, deadline = b"", time.monotonic() + LONGEST_SECONDS
    while mark not in said:
        if not select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise RuntimeError(f"no prompt within {LONGEST_SECONDS:g} s: {said!r}")
        piece = b""
        with contextlib.suppress(OSError):  # Linux says EIO where the other end is closed
            piece = os.read(terminal, 4096)
        if not piece:
            raise RuntimeError(f"it ended without a prompt: {said!r}")
        said += piece
