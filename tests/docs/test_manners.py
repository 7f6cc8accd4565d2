"""Every command behaves: narrow terminals, pipes, no colours, nonsense, and text that would steer the terminal."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shammah import errors
from shammah.cli.screen import width
from shammah.errors import Interrupted, ShammahError
from shammah.feedback import Feedback, rate
from shammah.policy import Reason, Side
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.docs.prepared import PULLED, House
from tests.docs.reference import PLAIN, help_of, invoked, paths
from tests.known import record_seedling
from tests.whole.command import Home

NARROW = 60
HOSTILE = "plain \x1b[2J\x1b]0;owned\x07\x9b31m text"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
STYLE = re.compile(r"\x1b\[[\d;]*m")

LOOKS = (
    ("adapters", "list"),
    ("adapters", "list", "--tree"),
    ("adapters", "show", "corrections-v1"),
    ("adapters", "report"),
    ("adapters", "domains", "how do i start our staging server"),
    ("checkpoint", "list"),
    ("checkpoint", "show", "1"),
    ("doctor",),
    ("examples", "list"),
    ("explain",),
    ("feedback", "good"),
    ("heads", "show"),
    ("log",),
    ("models", "list"),
    ("models", "show", PULLED),
    ("stats",),
)
"""What is shown to people; answers and settings are shown as they are, to be copied."""


@pytest.fixture(scope="module", autouse=True)
def _restored(prepared: House) -> None:
    """What other tests did in the home is undone."""
    prepared.restore()


def words(arguments: tuple[str, ...]) -> str:
    return " ".join(arguments)


@pytest.mark.parametrize("arguments", LOOKS, ids=words)
def test_on_a_narrow_terminal_lines_are_broken_between_words(arguments: tuple[str, ...], prepared: House) -> None:
    said = STYLE.sub("", prepared.home.show(*arguments, columns=NARROW))
    for line in said.splitlines():
        is_copied = line.strip().startswith("$ ") or " " not in line.strip()  # a command, a path
        assert width(line) <= NARROW or is_copied, line


@pytest.mark.parametrize("arguments", [*LOOKS, ("ask", "--offline", "--why", "list hidden files")], ids=words)
def test_no_color_leaves_no_escape_on_a_terminal(arguments: tuple[str, ...], prepared: House) -> None:
    assert "\x1b" not in prepared.home.show(*arguments, NO_COLOR="1")


@pytest.mark.parametrize("path", list(paths()), ids=words)
def test_an_option_that_is_none_is_named_with_the_way_to_the_help(path: tuple[str, ...]) -> None:
    done = invoked(*path, "--nonsense")
    assert (done.exit_code, done.stdout) == (2, ""), done.stderr
    assert "No such option: --nonsense" in done.stderr
    assert f"{' '.join(('shammah', *path))} -h' for help" in done.stderr


@pytest.mark.parametrize("columns", [40, NARROW])
def test_help_fits_a_narrow_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLAIN, "COLUMNS", str(columns))
    for path in paths():
        assert max(map(len, help_of(path).splitlines())) <= columns


def kinds(parent: type[ShammahError] = ShammahError) -> Iterator[type[ShammahError]]:
    for kind in parent.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind.__module__ == errors.__name__])
def test_every_error_has_a_next_step(kind: type[ShammahError]) -> None:
    assert kind.hint or kind is Interrupted


WRONG: dict[int, list[tuple[str, ...]]] = {
    2: [
        ("adapters", "domain", "nobody"),
        ("adapters", "export", "nobody", "x.gguf"),
        ("adapters", "rename", "nobody", "other"),
        ("adapters", "report", "nobody"),
        ("adapters", "show", "nobody"),
        ("adapters", "show", HOSTILE),
        ("ask",),
        ("ask", "--local", "--teacher", "x"),
        ("checkpoint", "rollback", "99"),
        ("checkpoint", "show", "99"),
        ("examples", "drop", "nothing"),
        ("examples", "edit", "nothing", "--answer", "x"),
        ("examples", "show", "nothing"),
        ("explain", "nothing"),
        ("feedback", "good", "--id", "nothing"),
        ("feedback", "splendid"),
        ("log", "erase", "nothing", "--yes"),
        ("log", "export"),
        ("log", "show", "nothing"),
        ("models", "convert", "/nowhere", "x.gguf"),
        ("models", "pull", "nothing"),
        ("models", "remove", "nothing"),
        ("stats", "--since", "soon"),
        ("train", "--max-memory", "plenty"),
        ("train", "--rank", "100000"),
    ],
    3: [
        ("ask", "--model", "/nowhere.gguf", "x"),
        ("ask", "--teacher", "x"),
        ("config", "set", "teacher.max_tokens", "many"),
        ("config", "set", "teacher.modle", "x"),
        ("config", "unset", "teacher.modle"),
        ("models", "show", "nothing"),
        ("models", "use", "nothing"),
    ],
    4: [("ask", "--verified", "x")],
    1: [
        ("adapters", "import", "/nowhere"),
        ("adapters", "load", "/nowhere.gguf"),
        ("heads", "export", "--onnx", "/nowhere/at/all.onnx"),
        ("log", "export", "--sft", "--out", "/nowhere/at/all.jsonl"),
        ("stats", "--html", "/nowhere/at/all.html"),
    ],
}
"""What cannot be meant, or cannot be had, by the exit code that tells so."""


@pytest.mark.parametrize(
    ("code", "arguments"), [(code, one) for code, some in WRONG.items() for one in some], ids=lambda value: repr(value)
)
def test_what_goes_wrong_is_said_in_a_sentence_and_the_next_step(
    code: int, arguments: tuple[str, ...], prepared: House
) -> None:
    done = prepared.home.run(*arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    said, *hint = done.stderr.strip().splitlines()[-2:]
    assert said.startswith("shammah: ")
    assert hint, "the next step follows"


@pytest.mark.parametrize(
    ("taken", "arguments"),
    [("", ("config", "set", "offline", "true")), ("heads", ("ask", "--offline", "x")), ("heads", ("heads", "refit"))],
)
def test_a_file_in_the_way_is_named_with_the_next_step(taken: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    home = Home(tmp_path / "home", {"SHAMMAH_WORKER_ENABLED": "0"})
    (home.path / taken).parent.mkdir(exist_ok=True)
    (home.path / taken).write_text("in the way")
    done = home.run(*arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said, hint = done.stderr.strip().splitlines()[-2:]
    assert said.startswith(f"shammah: {home.path / taken}")
    assert "shammah doctor" in hint


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose question, answer and correction would steer a terminal."""
    home = Home(tmp_path_factory.mktemp("hostile"), {"SHAMMAH_OFFLINE": "1", "SHAMMAH_WORKER_ENABLED": "0"})
    with home.journal() as journal:
        lineage = record_seedling(journal).sha256
        question = journal.begin("here", lineage, [Message("user", HOSTILE)], 0, False)
        answer = NewAnswer(Side.LOCAL, True, HOSTILE, Reason.OFFLINE, "stop", HOSTILE, (), False, 1, 1, {})
        journal.save(question, [answer])
        rate(journal, question, Feedback(Rating.CRITICAL, HOSTILE, f"better {HOSTILE}"), has_teacher=False)
        journal.notices.add(HOSTILE)
    return home


@pytest.mark.parametrize(
    "arguments",
    [
        ("log",),
        ("log", "show", "ID"),
        ("examples", "list"),
        ("examples", "show", "EXAMPLE"),
        ("explain", "ID"),
        ("stats",),
    ],
    ids=words,
)
def test_no_text_of_a_models_steers_the_terminal(arguments: tuple[str, ...], hostile: Home) -> None:
    with hostile.journal() as journal:
        places = {"ID": journal.recent(1)[0].id, "EXAMPLE": journal.examples.all()[0].example.id}
    said = hostile.show(*(places.get(word, word) for word in arguments), NO_COLOR="1")
    assert "plain" in said or arguments == ("stats",)
    assert not CONTROL.search(said.replace("\r", ""))


def test_no_answer_of_claudes_steers_the_terminal_or_what_reads_a_pipe(tmp_path: Path) -> None:
    with AnthropicServer([Answer(HOSTILE), Answer(HOSTILE)]) as server:
        key = {"ANTHROPIC_API_KEY": "sk-ant-" + "test" * 6, "ANTHROPIC_BASE_URL": server.url}
        home = Home.used(tmp_path, key | {"SHAMMAH_WORKER_ENABLED": "0", "HF_HUB_OFFLINE": "1"})
        piped = home.run("ask", "--teacher", "x").stdout
        shown = home.show("ask", "--teacher", "x", NO_COLOR="1").replace("\r", "")
    for said in (piped, shown):
        assert "plain" in said
        assert not CONTROL.search(said)
