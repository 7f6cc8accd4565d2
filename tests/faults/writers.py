"""The commands that write, each with what it takes, and what it leaves."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.docs.prepared import PULLED, House, house

OUT = "out"


@dataclass(frozen=True, slots=True)
class Verb:
    """A command.

    Attributes:
        words: Its words; FOLDER, OUT and ID stand for what a home has.
        stdin: What it reads.
        before: What is done to the home first.
        target: The file in OUT that is there whole, or not at all.
        erases: Whether rows may go.
    """

    name: str
    words: tuple[str, ...]
    stdin: str = ""
    before: Callable[[Path], None] = lambda home: None
    target: str = ""
    erases: bool = False

    def of(self, house: House) -> list[str]:
        """The words, with something real in each place."""
        places = {"ID": house.places["log"]["ID"], "EXAMPLE": house.places["examples"]["ID"]}
        words = [places.get(word, word) for word in self.words]
        out, folder = str(house.home.path / OUT), str(house.folder)
        return [word.replace("OUT", out).replace("FOLDER", folder) for word in words]


@cache
def shared() -> House:
    """A house for all promises of a run, which each trial begins by restoring."""
    folder, stack = Path(tempfile.mkdtemp(prefix="shammah-house-")), ExitStack()
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(stack.close)
    return stack.enter_context(house(folder / "house"))


def _forget_pull(home: Path) -> None:
    shutil.rmtree(home / "hub")


VERBS = (
    Verb("ask", ("ask", "--offline", "--json", "list hidden files")),
    Verb("chat", ("chat", "--offline"), stdin="list hidden files\n"),
    Verb("feedback", ("feedback", "critical", "no", "--answer", "ls -A")),
    Verb("examples", ("examples", "edit", "EXAMPLE", "--answer", "make other")),
    Verb("train", ("train", "--force")),
    Verb("adapters use", ("adapters", "use", "rust")),
    Verb("adapters import", ("adapters", "import", "FOLDER/mine.gguf", "--name", "imported")),
    Verb("adapters export", ("adapters", "export", "corrections-v1", "OUT/a.gguf"), target="a.gguf"),
    Verb("models pull", ("models", "pull", PULLED), before=_forget_pull),
    Verb("checkpoint", ("checkpoint", "rollback", "3")),
    Verb("heads", ("heads", "refit", "--all")),
    Verb("config set", ("config", "set", "answer.max_tokens", "99")),
    Verb("erase", ("log", "erase", "ID", "--yes"), erases=True),
    Verb("export", ("log", "export", "--sft", "--out", "OUT/e.jsonl"), target="e.jsonl"),
    Verb("restore", ("log", "restore", "OUT/shammah.copy"), erases=True),
    Verb("serve", ("serve", "--detach")),
)


def prepare(verb: Verb, house: House) -> None:
    """Make the home ready for a command."""
    (house.home.path / OUT).mkdir()
    shutil.copyfile(house.home.path / "shammah.db", house.home.path / OUT / "shammah.copy")
    verb.before(house.home.path)
