"""Native code dies in the middle of answers: of signals, and of a model that is cut off below it."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from shammah import bases
from shammah.serve.link import Link
from shammah.serve.remote import Engine
from tests import asked
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.faults.promise import Promise, Trials
from tests.known import record_seedling
from tests.serving import Serving
from tests.whole.command import Home

QUIET = {"SHAMMAH_WORKER_ENABLED": "false"}
DEATHS_A_DAEMON = 2
"""And perhaps two of engines that open a model which is cut off; a fifth within a minute would be no chance."""

MARGIN_SECONDS = 3.0
JUDGED = 230
"""Questions, beyond the phases in which the teacher answers anyway."""

LONGEST_SECONDS = 30.0
FILE = "model.gguf"
QUESTION = "how do i undo the last commit but keep the changes"
CHAT = "/v1/chat/completions"

Die = Callable[[Link, Path], None]


@dataclass
class Seen:
    """What became of the requests in flight, and how long the next answers took beyond a load."""

    ends: dict[str, int] = field(default_factory=dict)
    beyond: list[float] = field(default_factory=list)

    def count(self, end: str) -> None:
        """One more of a kind."""
        self.ends[end] = self.ends.get(end, 0) + 1

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {end}" for end, count in sorted(self.ends.items()))
        return f"in flight {ends}; the next answer at most {max(0.0, *self.beyond):.1f} s beyond a load's time"


def crashes(trials: Trials) -> str:
    """Kill the engine in the middle of answers, again and again."""
    chance, seen = random.Random(trials.seed), Seen()
    with AnthropicServer([Answer("from Claude")]) as teacher:
        for first in range(0, trials.count, DEATHS_A_DAEMON):
            count = min(DEATHS_A_DAEMON, trials.count - first)
            with _daemon(trials.folder / str(first), teacher) as (serving, file):
                before = _load_seconds(serving)
                for place in range(first, first + count):
                    way = _WAYS[place % len(_WAYS)]
                    _crash(serving, file, way, chance, seen)
                    seconds, after = _next_answer_seconds(serving, way), _load_seconds(serving)
                    seen.beyond.append(seconds - max(before, after))  # how busy others are changes meanwhile
                    before = after
    assert max(seen.beyond) <= MARGIN_SECONDS, f"the next answer came {max(seen.beyond):.1f} s after a load's time"
    assert seen.ends.get("answered by Claude"), f"nobody failed over: {seen}"
    return str(seen)


@contextmanager
def _daemon(folder: Path, teacher: AnthropicServer) -> Iterator[tuple[Serving, Path]]:
    """A daemon whose router sends questions to the local model, which is a file of its own."""
    home, file = Home(folder, QUIET | {"SHAMMAH_QUALITY_MAX_BAD_RATE": "off"}), folder / FILE
    folder.mkdir()
    shutil.copyfile(bases.SEEDLING, file)
    with home.journal() as journal:
        base = record_seedling(journal)
        for _ in range(JUDGED):
            asked.judge(journal, asked.Asked(lineage=base.sha256), is_good=True)
    key = {"ANTHROPIC_API_KEY": "a-key", "ANTHROPIC_BASE_URL": teacher.url}
    with mock.patch.dict(os.environ, key), Serving(home, model__path=str(file)) as serving:
        yield serving, file


def _load_seconds(serving: Serving) -> float:
    """What opening the model takes now, the process included."""
    begun = time.monotonic()
    with Engine(serving.house.opened.engine.setup) as another:
        another.start()
        return time.monotonic() - begun


def _by_signal(kind: signal.Signals) -> Die:
    return lambda link, _: link.process.send_signal(kind)


def _by_truncation(link: Link, file: Path) -> None:
    """Cut the file off below the engine, which has it mapped; what comes back is whole again, and another file.

    The engine dies of it, or the daemon sees it before it asks for an answer.
    """
    os.truncate(file, os.sysconf("SC_PAGE_SIZE"))
    link.process.send_signal(signal.SIGCONT)
    _wait_until(lambda: not link.is_alive or not link._asked)
    shutil.copyfile(bases.SEEDLING, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


_WAYS = (
    _by_signal(signal.SIGABRT),
    _by_signal(signal.SIGSEGV),
    _by_signal(signal.SIGBUS),
    _by_truncation,
)


def _crash(serving: Serving, file: Path, die: Die, chance: random.Random, seen: Seen) -> None:
    """Let the engine die while it answers; whoever waits is told, or answered by the teacher."""
    engine = serving.house.opened.engine
    link = engine._link
    assert link is not None
    is_held = chance.random() < 0.5 or die is _by_truncation  # else at any moment
    if is_held:
        link.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(_end_of, serving, model, streams) for model, streams in _ASKED]
        if is_held:
            # In flight is not enough: who has not asked the engine yet would ask the next one, and lose nothing.
            _wait_until(lambda: len(link._asked) == len(_ASKED))
        else:
            time.sleep(chance.uniform(0, 0.2))
        die(link, file)
        link.process.send_signal(signal.SIGCONT)  # where it was held
        for one in waiting:
            seen.count(one.result())
    if die is not _by_truncation:  # whoever asks a process that is dying is in flight, and not the next
        _wait_until(lambda: not link.is_alive)


_ASKED = (("shammah:local", False), ("shammah:local", True), ("shammah", False))


def _end_of(serving: Serving, model: str, streams: bool) -> str:
    """How a request ends."""
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "stream": streams}
    status, said, headers = serving.http("POST", CHAT, body)
    if status != 200:
        # Whoever comes when the file is cut off already is told that.
        assert status == 503 or FILE in said["error"]["message"], f"{status}: {said}"
        return "told"
    if streams:
        assert said.rstrip().endswith("data: [DONE]"), f"the stream hangs: {said[-300:]}"
        return "told" if "engine_failed" in said else "whole"
    if headers["x-shammah-route"] == "teacher":
        assert said["shammah"]["reason"] == "local_failed", said["shammah"]
        return "answered by Claude"
    return "whole"


def _next_answer_seconds(serving: Serving, died: Die) -> float:
    begun = time.monotonic()
    while _end_of(serving, "shammah:local", streams=False) != "whole":
        assert died is _by_truncation, "the next one is answered"
        time.sleep(0.05)  # the file that came back is being checked: ask again in a moment
    return time.monotonic() - begun


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "nothing happens"
        time.sleep(0.01)


DEATHS = Promise(
    name="crashes",
    part="Native crashes",
    claim="When native code dies in the middle of an answer (SIGABRT, SIGSEGV, SIGBUS, a model file that is cut off), "
    "whoever waits is answered by Claude where that is allowed, and is told else; the next answer comes within the "
    "time of a model load and 3 s.",
    unit="crashes",
    full=40,
    check=crashes,
    least=4,
)
