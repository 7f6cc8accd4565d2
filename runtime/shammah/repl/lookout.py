"""What changes while the person types: adapters, examples, a training; looked at by a thread of its own."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TextIO

from shammah.errors import ShammahError
from shammah.repl.loading import Loading
from shammah.repl.status import AdapterSet, step_in_words
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.records.adapters import Training

LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen last.

    Attributes:
        waiting: Examples that no training has seen.
        training: How far a training is, or how the last one of this conversation ended; empty where there was none.
    """

    adapters: AdapterSet = ()
    waiting: int = 0
    training: str = ""


class Lookout:
    """Looks until it is ended.

    Attributes:
        sight: What was seen last.
    """

    def __init__(self, settings: Settings, loading: Callable[[], Loading], changed: Callable[[], None]) -> None:
        self.sight = Sight()
        self._stamp: tuple[int, str] | None = None
        self._settings = settings
        self._loading = loading
        self._changed = changed
        self._is_over = threading.Event()
        self._look_at_once = threading.Event()
        self._thread = threading.Thread(target=self._work, name="lookout", daemon=True)

    def start(self) -> None:
        """Begin, once."""
        if self._thread.ident is None:
            self._thread.start()

    def hurry(self) -> None:
        """Look at once: something was done."""
        self._look_at_once.set()

    def end(self) -> None:
        """Stop looking."""
        self._is_over.set()
        self._look_at_once.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE_SECONDS)

    def _work(self) -> None:
        with contextlib.suppress(ShammahError):  # the loading, which opened first, says what is wrong
            self._loading().identified(self._is_over.is_set)
        from shammah.journal import Journal

        # Where the home is gone there is nothing to see; whoever answers says so.
        with contextlib.suppress(ShammahError, OSError), Journal(self._settings.home) as journal:
            follower = Follower(self._settings, journal)
            try:
                while not self._is_over.is_set():
                    self._see(replace(self._read(journal), training=follower.look()))
                    self._look_at_once.wait(LOOK_SECONDS)
                    self._look_at_once.clear()
            finally:
                follower.close()

    def _read(self, journal: "Journal") -> Sight:
        """What the journal says; read again only where somebody has written into it, or another model answers."""
        base = self._loading().base
        stamp = (journal.path.stat().st_mtime_ns, base.sha256 if base else "")
        if stamp == self._stamp:
            return self.sight
        self._stamp = stamp
        limits = self._settings.examples
        live = [example.id for example in journal.examples.live(limits.feedback, limits.teacher)]
        active = journal.adapters.active(base.sha256) if base else ()
        return Sight(active, journal.trainings.unseen(live))

    def _see(self, sight: Sight) -> None:
        if sight != self.sight:
            self.sight = sight
            self._changed()


class Follower:
    """Follows the trainings of a home from one look to the next."""

    def __init__(self, settings: Settings, journal: "Journal") -> None:
        self._settings = settings
        self._journal = journal
        self._training: Training | None = None
        self._stream: TextIO | None = None
        self._words = ""

    def look(self) -> str:
        """How far the open training is, in one line; of one that has just ended, how it ended."""
        from shammah import schedule

        training = schedule.open_training(self._settings.home, self._journal)
        if training is None:
            if self._training is not None:
                self._words = _ended(self._journal.trainings.at(self._training.number))
            self._forget()
            return self._words
        if self._training is None or self._training.number != training.number:
            self._forget()
            self._training, self._words = training, f"training {training.number} waits to begin"
        self._read(training)
        return self._words

    def close(self) -> None:
        """Close the file that is followed."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _forget(self) -> None:
        self.close()
        self._training = None

    def _read(self, training: "Training") -> None:
        """Take in what the trainer has said since the last look."""
        from shammah.child import new_lines
        from shammah.following import folder_of
        from shammah_convert.job import PROGRESS

        file = folder_of(self._settings.home, training) / PROGRESS
        if self._stream is None and training.state != "queued" and file.exists():
            self._stream = file.open(encoding="utf-8", errors="replace")
        for line in new_lines(self._stream) if self._stream else ():
            self._words = in_words(training.number, line) or self._words


def in_words(number: int, line: dict[str, object]) -> str:
    """A line of a training's progress, as the status tells it; empty where it tells nothing."""
    from shammah.cli.progress import STAGES

    event = str(line["event"])
    if event == "step":
        return step_in_words(number, line)
    if event == "answering":
        return f"training {number}: asking the model what it knows, {line['done']} of {line['of']}"
    if event not in STAGES:
        return ""
    stage = STAGES[event].format_map(line)
    return f"training {number}: {stage[0].lower()}{stage[1:]}"


def _ended(training: "Training") -> str:
    match training.state:
        case "promoted":
            return f"training {training.number}: {training.adapter} answers from now on"
        case _:
            return f"training {training.number}: {training.state}"
