"""What `shammah.probe` does, in a process forked from this one: to import it anew takes half a second a file."""

import os
import signal
import sys
import tempfile
from pathlib import Path

from shammah import probe
from shammah.errors import BadModel

MOST_SECONDS = 120


class Forks:
    """Opens models, each in a process of its own.

    Attributes:
        opened: So many there were.
        died: So many of them were ended by what they opened.
    """

    def __init__(self) -> None:
        self.opened = self.died = 0

    def open(self, file: Path, *adapters: Path) -> str:
        """As `bases.open_in_child`.

        Raises:
            BadModel: One of them is refused, or the child dies of it.
        """
        with tempfile.TemporaryFile() as said:
            child = os.fork()
            if child == 0:
                _be_probe([os.fspath(one) for one in (file, *adapters)], said.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            said.seek(0)
            text = said.read().decode("utf-8", "replace")
        self.opened += 1
        self.died += code < 0
        assert code != -signal.SIGALRM, f"{file} was not opened within {MOST_SECONDS} s"
        if code != 0:
            raise BadModel(f"{file} is refused: {text or code}")
        return text


def _be_probe(arguments: list[str], output: int) -> None:
    signal.alarm(MOST_SECONDS)
    os.environ["GGML_NO_BACKTRACE"] = "1"
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = os.fdopen(1, "w", closefd=False)
    try:
        code = probe.main(arguments)
        sys.stdout.flush()
    except BaseException as error:  # as an interpreter ends
        os.write(2, repr(error).encode())
        code = 1
    os._exit(code)
