"""Secrets that are typed in every framing: what the teacher hears of them, what is left on the disk and in reports."""

import contextlib
import faulthandler
import io
import itertools
import json
import logging
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from shammah import cli, crash, exporting
from shammah.assistant import Assistant
from shammah.catalog import Price
from shammah.cli import commands
from shammah.feedback import Feedback, rate
from shammah.generation import Sampling
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.privacy import Redactor
from shammah.records.examples import Rating
from shammah.repl import history
from shammah.rewriting import TargetFinder
from shammah.settings import TeacherSettings
from shammah.sides import TeacherSide
from shammah.teacher import Access, Teacher
from shammah.turn import Outcome, Request
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.faults.promise import Promise, Trials
from tests.scripted import Recorder, Scripted, local_side
from tests.secrets.cases import Case, cases
from tests.whole.command import Home

PART = "Secrets"


def planted(seed: int) -> Iterator[Case]:
    """Secrets in each framing of the redactor's own test in turn, without end; without those that it misses."""
    chance, known = random.Random(seed), dict[str, list[Case]]()
    for case in cases():
        known.setdefault(case.framing.name, []).append(case)
    names = list(known)
    chance.shuffle(names)
    for name in itertools.cycle(names):
        drawn = (chance.choice(known[name]) for _ in itertools.count())
        yield next(case for case in drawn if not case.leaks_in(Redactor().redact(case.text)))


def check_secrets(trials: Trials) -> str:
    """Ask with a secret, rate with it, have a better answer looked for, and look for it everywhere."""
    framings, kinds = set(), set()
    with AnthropicServer(answer_with=lambda body: Answer(f"I heard: {body['messages'][-1]['content']}")) as server:
        for case, number in zip(planted(trials.seed), range(trials.count), strict=False):
            home = trials.folder / f"{number}"
            heard = len(server.requests)
            _live_with(home, server.url, case)
            for request in server.requests[heard:]:
                _check(case, json.dumps(request.body, ensure_ascii=False), "the teacher")
            assert len(server.requests) > heard, "the teacher was not asked"
            _check_files(home, case)
            shutil.rmtree(home)
            framings.add(case.framing.name)
            kinds.add((case.provider.name, case.provider.kind))
        if trials.count > 1:
            _live_by_commands(trials.folder / "commands", server, trials.seed)
    return f"{len(kinds)} kinds of secrets in {len(framings)} framings"


def _check(case: Case, text: str, place: str) -> None:
    assert not case.leaks_in(text), f"{case.provider.name} in {case.framing.name} reached {place}"


def _check_files(home: Path, case: Case) -> None:
    for file in home.rglob("*"):
        if file.is_file():
            _check(case, file.read_bytes().decode("latin-1"), file.name)


def _live_with(home: Path, url: str, case: Case) -> None:
    """What a user does with one text: asks it of both sides, goes on, corrects by it, types it in a conversation."""
    home.mkdir()
    teacher = TeacherSide(
        Teacher(Access("a-key", url), TeacherSettings(), Price(2.0, 10.0)), Price(2.0, 10.0), 1000, 1000.0
    )
    with Journal(home) as journal:
        journal._db.execute("PRAGMA synchronous = OFF")  # another promise is about the disk
        first = _ask(journal, teacher, Request(case.text, "here"))
        _ask(journal, teacher, Request("go on", "here", history=tuple(first.question.context), system=case.text))
        local = _ask(journal, TeacherSide(None, None, 1000, 1.0), Request(case.text, "here"))
        rate(journal, first.question, Feedback(Rating.CRITICAL, note=case.text), has_teacher=True)
        rate(journal, local.question, Feedback(Rating.MEDIUM, note=case.text, target=f"say {case.text}"), False)
        _find_targets(journal, teacher)
        (home / "export.jsonl").write_text(exporting.write(exporting.rows(journal, "sft")), "utf-8")
    history.keep(history.file_of(home), case.text)


def _ask(journal: Journal, teacher: TeacherSide, request: Request) -> Outcome:
    """Ask; the local model says again what it was told, and sees it as it was typed."""
    heads = Heads(journal.path.parent, journal, "f" * 64, "bayes")
    local = local_side(Scripted(lambda messages: f"You said {messages[-1].content}", context_tokens=100_000))
    return Assistant(journal, heads, local, teacher).ask(request, Recorder())


def _find_targets(journal: Journal, teacher: TeacherSide) -> None:
    """What the background does about corrections without a target."""
    finder = TargetFinder(journal=journal, local=None, teacher=teacher, embed=None, sampling=Sampling(), is_last=True)
    for job in journal.jobs.waiting():
        if "rating" in job.payload:
            correction = journal.ratings.correction(int(job.payload["rating"]))
            assert correction is not None, "a rating that was just made"
            finder.find(correction)


def _live_by_commands(path: Path, server: AnthropicServer, seed: int) -> None:
    """The same by commands and the worker behind them, with what they say of it on stderr and in their log."""
    key = {"ANTHROPIC_API_KEY": "a-key", "ANTHROPIC_BASE_URL": server.url}
    home, case, heard = Home.used(path, key), next(planted(seed + 1)), len(server.requests)
    said = [
        home.run("ask", "--why", "--teacher", stdin=case.text).stderr,
        home.run("feedback", "critical", case.text).stderr,
        home.run("log").stdout,
    ]
    home.wait_for_worker()
    for request in server.requests[heard:]:
        _check(case, json.dumps(request.body, ensure_ascii=False), "the teacher")
    _check(case, "".join(said), "stderr")
    _check_files(path, case)


def check_crashes(trials: Trials) -> str:
    """Let errors that quote a secret end commands, threads and jobs, and read what is told of them."""
    kinds = set()
    for case, number in zip(planted(trials.seed), range(trials.count), strict=False):
        raising = _RAISING[number % len(_RAISING)]
        ends = _ENDS[number // len(_RAISING) % len(_ENDS)]
        said = ends(raising, case.text, trials.folder)
        _check(case, said, f"a report by {ends.__name__} of {raising.__name__}")
        assert "planted.py" in said, f"{ends.__name__} tells no place: {said!r}"
        kinds.add((ends, raising))
    return f"{len(kinds)} kinds of ends"


Raise = Callable[[str], object]


def plain(text: str) -> object:
    raise ValueError(f"cannot be {text!r}")


def key(text: str) -> object:
    known: dict[str, str] = {}
    return known[text]


def encoded(text: str) -> object:
    return f"{text}\ud800".encode()


def decoded(text: str) -> object:
    return json.loads(f'"{text}')


def asserted(text: str) -> object:
    assert not text, f"{text} is said"
    return text


def chained(text: str) -> object:
    try:
        return plain(text)
    except ValueError as error:
        raise RuntimeError(f"after {text}") from error


def during(text: str) -> object:
    try:
        return plain(text)
    except ValueError:
        return key(text)


def noted(text: str) -> object:
    error = TypeError("no")
    error.add_note(f"it was {text}")
    raise error


def grouped(text: str) -> object:
    raise ExceptionGroup(text, [ValueError(text), ExceptionGroup("more", [KeyError(text)])])


def endless(text: str) -> object:
    return endless(text)


def opened(text: str) -> object:
    raise OSError(5, "Input/output error")


_RAISING: tuple[Raise, ...] = (
    plain, key, encoded, decoded, asserted, chained, during, noted, grouped, endless, opened,
)  # fmt: skip


def by_command(raising: Raise, text: str, _: Path) -> str:
    """What a command says at its end."""
    before, stream = commands.app_of, io.StringIO()
    commands.app_of = lambda _: lambda *_, **__: raising(text)  # type: ignore[assignment, misc]
    try:
        with contextlib.redirect_stderr(stream), contextlib.suppress(SystemExit):
            cli.main()
    finally:
        commands.app_of = before
    return stream.getvalue()


def by_thread(raising: Raise, text: str, _: Path) -> str:
    """What is said of a thread's end."""
    before, stream = threading.excepthook, io.StringIO()
    crash.settle()
    try:
        with contextlib.redirect_stderr(stream):
            thread = threading.Thread(target=raising, args=(text,))
            thread.start()
            thread.join()
    finally:
        threading.excepthook = before
    return stream.getvalue()


def by_log(raising: Raise, text: str, folder: Path) -> str:
    """What a log holds, whoever logs."""
    root, file = logging.getLogger(), folder / "worker.log"
    handler = logging.FileHandler(file, mode="w")
    root.addHandler(handler)
    try:
        crash.settle()
        try:
            raising(text)
        except Exception:
            logging.getLogger("somebody").exception("a job failed")
    finally:
        root.removeHandler(handler)
        handler.close()
    return file.read_text()


def by_faulthandler(raising: Raise, text: str, folder: Path) -> str:
    """What a fatal signal would leave."""
    file = folder / "fatal.txt"
    with file.open("w") as stream:
        try:
            raising(text)
        except Exception:
            faulthandler.dump_traceback(stream)
    return file.read_text()


_ENDS: tuple[Callable[[Raise, str, Path], str], ...] = (by_command, by_thread, by_log, by_faulthandler)

SECRETS = Promise(
    "secrets", PART, "Of secrets that are typed in any framing of the redactor's own test, nothing reaches the teacher,"
    " the database, examples, exports or logs.", "planted secrets", 300, check_secrets, least=8,
)  # fmt: skip
CRASHES = Promise(
    "crash-reports", PART, "An error that nobody foresaw is told by kind and place, and quotes nothing that was typed.",
    "crashes", 1000, check_crashes, least=len(_RAISING) * len(_ENDS),
)  # fmt: skip
