"""When the prompt of `shammah chat` appears, beside a bare process that imports typer, rich and prompt_toolkit."""

import argparse
import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import table
from bench.ask import children_cpu_seconds, environment
from bench.measure import Pairs, Row, alternate, at_most, watching

OURS = ("-c", "from shammah.__main__ import main; main()", "chat")  # as the installed script does
MARK = b">"  # the blank behind it is drawn by moving the cursor
PEER = ("-c", "import typer, rich, prompt_toolkit; print('> ', end='', flush=True); input()")
KEY = b"q"  # no escape sequence of theirs holds it
ROWS, COLUMNS = 24, 80
LONGEST_SECONDS = 200.0  # at idle priority on a busy machine a start was seen to take more than 60
ROUNDS, MOST = 45, 1.3
# Others only ever make a start slower: of each side, the lower quartile says what it takes by itself.
QUARTILE = 0.25


@dataclass(frozen=True, slots=True)
class Start:
    """What it took until a prompt stood: by the clock, and of the processor."""

    seconds: float
    cpu_seconds: float


def measure(rounds: int, most: float) -> Row:
    """The ratio of the times from the start of a process to its prompt, where at most `most` is aimed at.

    Raises:
        RuntimeError: A prompt did not come, or took no key.
    """
    with tempfile.TemporaryDirectory() as folder, watching() as others:
        home = Path(folder)
        for side in (OURS, PEER):
            check_key(side, home)
        starts: tuple[list[Start], list[Start]] = [], []
        turns = alternate(
            lambda: _kept(until_prompt(OURS, home), starts[0]).seconds,
            lambda: _kept(until_prompt(PEER, home), starts[1]).seconds,
            rounds,
        )
    ours, theirs = (tuple(start.cpu_seconds for start in side[1:]) for side in starts)
    pairs, cpu = replace(turns, share=QUARTILE), Pairs(ours, theirs, QUARTILE)
    detail = f"{_told(pairs)}; of the processor {_told(cpu)}: {cpu.ratio:.2f} x ({_spread(cpu)})"
    return at_most("chat, until the prompt stands", pairs, most, detail, others.cores)


def check_key(side: Sequence[str], home: Path) -> None:
    """Type a key at a prompt, and see it there.

    Raises:
        RuntimeError: It did not come.
    """
    with _started(side, home) as terminal:
        _read_until(terminal, MARK)
        os.write(terminal, KEY)
        _read_until(terminal, KEY)


def until_prompt(side: Sequence[str], home: Path) -> Start:
    """From the start of a process until its prompt is on its terminal; it is ended then."""
    begun, cpu = time.perf_counter(), children_cpu_seconds()
    with _started(side, home) as terminal:
        _read_until(terminal, MARK)
        seconds = time.perf_counter() - begun
    return Start(seconds, children_cpu_seconds() - cpu)


@contextmanager
def _started(side: Sequence[str], home: Path) -> Iterator[int]:
    """The terminal of a process of its own, which is ended with the block."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    variables = environment(home) | {"TERM": "xterm-256color"}
    child = subprocess.Popen(
        [sys.executable, *side], stdin=its, stdout=its, stderr=its, env=variables, start_new_session=True
    )
    os.close(its)
    try:
        yield ours
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        os.close(ours)


def _read_until(terminal: int, mark: bytes) -> None:
    said, deadline = b"", time.monotonic() + LONGEST_SECONDS
    while mark not in said:
        if not select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise RuntimeError(f"no {mark!r} within {LONGEST_SECONDS:g} s: {said!r}")
        piece = b""
        with contextlib.suppress(OSError):  # Linux says EIO where the other end is closed
            piece = os.read(terminal, 4096)
        if not piece:
            raise RuntimeError(f"it ended without {mark!r}: {said!r}")
        said += piece


def _kept(start: Start, starts: list[Start]) -> Start:
    starts.append(start)
    return start


def _told(pairs: Pairs) -> str:
    ours, theirs = (seconds * 1e3 for seconds in pairs.sides)
    return f"{ours:.0f} beside {theirs:.0f} ms"


def _spread(pairs: Pairs) -> str:
    return f"{min(pairs.ratios):.2f} - {max(pairs.ratios):.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print this row alone."""
    parser = argparse.ArgumentParser(prog="python -m bench.chat", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    table.show([measure(parser.parse_args(arguments).rounds, MOST)], threads=1)


if __name__ == "__main__":
    main()
