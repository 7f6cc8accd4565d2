"""What is typed and piped: any bytes, ten megabytes, controls of terminals, and the model's own control tokens."""

import io
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout

from shammah.assistant import Assistant
from shammah.bases import SEEDLING
from shammah.cli import screen
from shammah.errors import UsageError
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.local import LocalModel
from shammah.privacy.redactor import MOST_CHARACTERS
from shammah.repl import view
from shammah.repl.screen import Live
from shammah.sides import LocalSide, TeacherSide
from shammah.turn import Request, Screen
from shammah_convert.chat import Control, Message
from tests.faults.promise import Promise, Trials
from tests.faults.texts import CONTROL_TOKENS, LONG, some_bytes, some_controls
from tests.scripted import Recorder, Scripted, local_side, teacher_side
from tests.whole import forked
from tests.whole.command import Home

MOST_SECONDS = 5.0
SIZES = (10_000_000, MOST_CHARACTERS, 50_000)
PART = "Input"


def check_stdin(trials: Trials) -> str:
    """Pipe bytes of every kind into `shammah ask`."""
    chance, slowest = random.Random(trials.seed), 0.0
    home = Home.used(trials.folder / "home")
    for _ in range(trials.count):
        data, before = some_bytes(chance), forked.cpu_seconds()
        done = home.run("ask", "--offline", "--max-tokens", "8", stdin=data)
        slowest = max(slowest, forked.cpu_seconds() - before)
        assert done.returncode in (0, 2), f"{data!r}: {done.returncode} {done.stderr}"
        assert "Traceback" not in done.stderr, f"{data!r}: {done.stderr}"
        assert "nobody foresaw" not in done.stderr, f"{data!r}: {done.stderr}"
        assert obeyed(done.stdout + done.stderr) == "", f"{data!r}: {done.stdout!r}"
    assert slowest < MOST_SECONDS, f"{slowest:.1f} s"
    with home.journal() as journal:
        assert all("\0" not in question.text for question in journal.recent(trials.count)), "NUL was stored"
    return f"{slowest:.1f} s of one processor at most"


def obeyed(text: str) -> str:
    """What of a text a terminal would obey, but for tabs and ends of lines."""
    return "".join(sign for sign in text if (ord(sign) < 32 and sign not in "\t\n") or 127 <= ord(sign) < 160)


def check_prompts(trials: Trials) -> str:
    """Ask what is ten megabytes long, or as long as anybody may ask, of every shape."""
    chance, slowest = random.Random(trials.seed), (0.0, "")
    with LocalModel(SEEDLING) as model, Journal(trials.folder) as journal:
        for number in range(trials.count):
            shape = list(LONG)[number % len(LONG)]
            size = SIZES[(number + number // len(LONG)) % len(SIZES)]
            seconds = _ask_long(journal, model, LONG[shape](size, chance))
            slowest = max(slowest, (seconds, f"{shape}, {size:,} letters"))
    assert slowest[0] < MOST_SECONDS, f"{slowest[1]}: {slowest[0]:.1f} s of one processor"
    return f"{slowest[0]:.1f} s of one processor at most ({slowest[1]})"


def _ask_long(journal: Journal, model: LocalModel, text: str) -> float:
    """Ask, and expect an answer or a refusal; the seconds that it took of a processor."""
    heads = Heads(journal.path.parent, journal, "f" * 64, "bayes")
    local = LocalSide("f" * 64, "seedling", lambda: model, limit_tokens=8192)
    started = time.thread_time()
    try:
        Assistant(journal, heads, local, TeacherSide(None, None, 100, 1.0)).ask(Request(text, "here"), Recorder())
    except UsageError as error:
        refusal = str(error)
        assert len(refusal) < 1000, refusal
    return time.thread_time() - started


def check_screen(trials: Trials) -> str:
    """Let a model and a teacher write controls, and look at what reaches a terminal."""
    chance = random.Random(trials.seed)
    with Journal(trials.folder) as journal:
        journal._db.execute("PRAGMA synchronous = OFF")  # another promise is about the disk
        for _ in range(trials.count):
            text = some_controls(chance)
            for name, shown in _shown(journal, text):
                assert obeyed(shown) == "", f"{name}: {text!r} is shown as {shown!r}"
    return ""


def _shown(journal: Journal, text: str) -> Iterator[tuple[str, str]]:
    """The ways by which an answer reaches a terminal, and what of it is not our own."""
    for name, write in (("tell", screen.tell), ("write", screen.write), ("say", screen.say)):
        yield name, _said(write, text)
    yield "json", _said(lambda one: screen.write(screen.json_line({"answer": one})), text)
    yield "rows", _without_styles("\n".join(view.rows(text, 40)))
    for side in ("local", "teacher"):
        for kind in (screen.Terminal, Live):
            stream = io.StringIO()
            with redirect_stderr(stream):
                _answer(journal, side, text, kind(lambda _: None, stream))
            yield f"{kind.__name__} of the {side}", _without_styles(stream.getvalue())


def _said(write: Callable[[str], None], text: str) -> str:
    stream = io.StringIO()
    with redirect_stdout(stream), redirect_stderr(stream):
        write(text)
    return stream.getvalue()


def _without_styles(text: str) -> str:
    """Without the few escapes that are ours: styles, and the way back to the first row."""
    return re.sub(r"\x1b\[[0-9;]*[mAJ]", "", text).replace("\r", "")


def _answer(journal: Journal, side: str, text: str, shown: Screen) -> None:
    """Have one side say a text on a screen."""
    heads = Heads(journal.path.parent, journal, "f" * 64, "bayes")
    teacher = teacher_side(Scripted(text, model="claude") if side == "teacher" else None, max_usd_per_day=1e6)
    local = local_side(Scripted(text, context_tokens=100_000))
    Assistant(journal, heads, local, teacher).ask(Request("hello", "here"), shown)


def check_tokens(trials: Trials) -> str:
    """Type control tokens, whole and in pieces, as every role, and read the ids that llama.cpp gives for them."""
    chance = random.Random(trials.seed)
    with LocalModel(SEEDLING) as model:
        as_tokens = [model.weights.tokenize(Control(token)) for token in CONTROL_TOKENS]
        controls = {ids[0] for ids in as_tokens if len(ids) == 1}  # the others are none of this model's
        for _ in range(trials.count):
            messages = [Message(role, _typed(chance)) for role in ("system", "user", "assistant", "user")]
            plain = [Message(message.role, "a") for message in messages]
            found, wanted = model.prompt_tokens(messages), model.prompt_tokens(plain)
            count = sum(id in controls for id in found)
            assert count == sum(id in controls for id in wanted), f"{messages}: {found}"
    return f"{len(controls)} control tokens"


def _typed(chance: random.Random) -> str:
    pieces = [*CONTROL_TOKENS, "<|im_", "end|>", "<|", "|>", "system\n", "user\n", "\n", " ", "hello", "<", "|"]
    return "".join(chance.choices(pieces, k=chance.randrange(1, 12)))


STDIN = Promise(
    "stdin", PART, "Whatever bytes are piped into `ask`, it answers or refuses in a sentence within 5 s.",
    "inputs", 500, check_stdin, least=12,
)  # fmt: skip
PROMPTS = Promise(
    "prompts", PART, "A prompt of 10 MB, or the longest that is taken, is answered or refused within 5 s.",
    "prompts", len(LONG) * len(SIZES), check_prompts, least=len(LONG) // 2,
)  # fmt: skip
SCREEN = Promise(
    "screen", PART, "No control sequence that a model or a teacher writes reaches a terminal, not even in JSON.",
    "answers", 2000, check_screen, least=20,
)  # fmt: skip
TOKENS = Promise(
    "control-tokens", PART, "A control token that is typed stays text: llama.cpp sees none but those of the framing.",
    "conversations", 20_000, check_tokens,
)  # fmt: skip
