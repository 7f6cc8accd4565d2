"""The base's own answers to shipped general questions: what a training must not change."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from shammah.errors import Interrupted
from shammah.generation import Finish, Sampling, Stop, collect, never
from shammah.sides import LocalGenerator
from shammah_convert.chat import Message
from shammah_convert.examples import Example, read, write
from shammah_convert.files import write_whole

PROMPTS = Path(__file__).with_name("prompts")
HELD_OUT, REPLAY = "general", "replay"
# Few answers are to be missing among those that are held out; of those to replay there are enough.
MOST_TOKENS = {HELD_OUT: 256, REPLAY: 96}
# Of a large model the replay is smaller, so that a first training begins within minutes.
REPLAY_SECONDS = 120.0
LEAST_REPLAY = 24


class Closable(LocalGenerator, Protocol):
    """A local model that gives its memory back."""

    def close(self) -> None:
        """Give it back."""
        ...


def prompts(name: str) -> list[str]:
    """The shipped questions of a file."""
    return [json.loads(line)["prompt"] for line in (PROMPTS / f"{name}.jsonl").read_text("utf-8").splitlines()]


def answers(
    home: Path,
    base_sha256: str,
    open_model: Callable[[], LocalGenerator],
    hear: Callable[[int, int], None] = lambda _done, _all: None,
    stop: Stop = never,
) -> tuple[list[Example], list[Example]]:
    """The base's greedy answers, held out ones and those to replay: made once for a base, kept in the cache.

    Only whole answers are used; one that was cut would teach to stop short.

    Raises:
        Interrupted: It was stopped.
    """
    file = cache_file(home, base_sha256)
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        write_whole(file, write(_make(open_model(), hear, stop)))
    made = list(read(file.read_text("utf-8")))
    return [e for e in made if e.id.startswith(HELD_OUT)], [e for e in made if e.id.startswith(REPLAY)]


def answers_of(
    home: Path,
    base_sha256: str,
    open_model: Callable[[], Closable],
    hear: Callable[[int, int], None],
    stop: Stop,
) -> tuple[list[Example], list[Example]]:
    """The same by a model that is opened where it is needed, and closed again before a trainer takes its memory.

    Raises:
        Interrupted: It was stopped.
    """
    opened: list[Closable] = []

    def open_once() -> LocalGenerator:
        opened.append(open_model())
        return opened[0]

    try:
        return answers(home, base_sha256, open_once, hear, stop)
    finally:
        for model in opened:
            model.close()


def _make(model: LocalGenerator, hear: Callable[[int, int], None], stop: Stop) -> Iterator[Example]:
    questions = [(name, text) for name in (HELD_OUT, REPLAY) for text in prompts(name)]
    replayed, started = 0, 0.0
    for place, (name, text) in enumerate(questions):
        if name == REPLAY:
            started = started or time.monotonic()
            replayed += 1
            if replayed > LEAST_REPLAY and time.monotonic() - started > REPLAY_SECONDS:
                return
        if place * 100 // len(questions) != (place - 1) * 100 // len(questions):  # a hundred lines say enough
            hear(place, len(questions))
        if stop():
            raise Interrupted("it was cancelled")
        prompt = (Message("user", text),)
        completion = collect(model.stream(prompt, Sampling(MOST_TOKENS[name])))
        if completion.end.finish is Finish.STOP and completion.text:
            yield _example(f"{name}-{place}", prompt, completion.text)


def _example(id: str, prompt: Sequence[Message], text: str) -> Example:
    return Example(id, tuple(prompt), (Message("assistant", text),), None, 1.0, "self", "")


def cache_file(home: Path, base_sha256: str) -> Path:
    """Where a base's answers are kept; another name for other questions."""
    version = hashlib.sha256("\n".join(prompts(HELD_OUT) + prompts(REPLAY)).encode()).hexdigest()
    return home / "cache" / f"general-{base_sha256[:16]}-{version[:8]}.jsonl"
