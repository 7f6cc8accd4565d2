"""What can be typed: messages, and commands that begin with a slash."""

import difflib
from dataclasses import dataclass

from shammah.errors import UsageError


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    Attributes:
        takes: What may follow its name, as the help shows it.
        words: What may follow it, word for word.
    """

    name: str
    takes: str
    does: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A command as it was typed, with all that stood behind its name."""

    name: str
    rest: str


COMMANDS = (
    Command("critical", "[NOTE]", "the last answer was wrong: counts 10 times"),
    Command("medium", "[NOTE]", "it was not right: counts 3 times"),
    Command("good", "[NOTE]", "it was right: counts once"),
    Command("feedback", "high|medium|good [NOTE]", "the same, by another name", ("high", "medium", "good")),
    Command(
        "answer", "[high|medium|good]", "edit the answer; what you make of it is learnt", ("high", "medium", "good")
    ),
    Command("teacher", "", "ask the teacher the same"),
    Command("local", "", "ask the local model the same"),
    Command("compare", "[A B] [QUESTION]", "two answers, blind: both sides', or two adapters'"),
    Command("why", "", "why the last answer came from where it came"),
    Command("teach", "[FOCUS] [--accept]", "let the teacher teach the local model, one round", ("--accept",)),
    Command("train", "[--force] | cancel", "learn from the corrections, while you chat on", ("--force", "cancel")),
    Command(
        "adapters",
        "list|load|use|delete|rollback ...",
        "what was learnt, and what of it answers",
        (
            "list",
            "show",
            "load",
            "use",
            "delete",
            "rename",
            "rollback",
            "report",
            "domain",
            "domains",
            "import",
            "export",
        ),
    ),
    Command("model", "[NAME|PATH]", "which model answers; or answer by another GGUF"),
    Command("stats", "", "questions, sides, cost, examples, trainings"),
    Command("new", "", "begin a new conversation"),
    Command("save", "[FILE]", "write the conversation to a file"),
    Command("help", "", "this list"),
    Command("quit", "", "end; so does Ctrl-D"),
)
NAMES = tuple(command.name for command in COMMANDS)
_ALIASES = {"exit": "quit", "?": "help", "h": "help", "q": "quit"}


def read(line: str) -> Call | str:
    """What was typed: a command, or a message; `//` begins a message with a slash.

    Raises:
        UsageError: There is no such command; the nearest is named.
    """
    text = line.strip()
    if text.startswith("//"):
        return text[1:]
    word, *rest = text.split(maxsplit=1) or [""]
    name = word[1:].lower()
    if not word.startswith("/") or not (name.isalpha() or name == "?"):  # /etc/hosts is a path
        return text
    name = _ALIASES.get(name, name)
    if name not in NAMES:
        raise UsageError(f"there is no /{name}", hint=f"Did you mean /{nearest(name)}? /help lists all.")
    return Call(name, rest[0] if rest else "")


def nearest(name: str) -> str:
    """The command that a wrong name is most like; one that it begins comes first."""
    begun = [known for known in NAMES if known.startswith(name)]
    return (begun or difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0))[0]


def help_lines(columns: int) -> list[str]:
    """Every command with what it does; where a line would be too long, on two."""
    lines = []
    for command in COMMANDS:
        head = f"/{command.name} {command.takes}".rstrip()
        line = f"{head:<28} {command.does}"
        lines += [line] if len(line) <= columns and len(head) <= 28 else [head, f"    {command.does}"]
    return [*lines, "", *KEYS]


KEYS = (
    "Enter sends; Alt-Enter, or a backslash at the end, begins",
    "a new line. Up and down: earlier messages. Tab completes.",
    "Ctrl-C stops an answer and keeps it. // begins with a /.",
)
