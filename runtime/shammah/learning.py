"""The heads of a base lineage, kept in step with the journal.

A head's file is a view of the lessons in the journal: it names the last lesson that it took in, and whoever
opens it takes in what came since. A crash between the two loses nothing.
"""

import contextlib
import fcntl
import logging
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from shammah import aside, metrics
from shammah.divergence import Embed
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES
from shammah.growing import Taught
from shammah.heads import ROUTER, VALIDATOR, Head, WrongState
from shammah.journal import Journal
from shammah.learners import Kind
from shammah.records.heads import Fit, Lesson, View
from shammah.records.questions import Answer
from shammah.sight import HeadName, seen_in

_WIDTH = {"router": len(QUESTION_FEATURES), "validator": len(QUESTION_FEATURES) + len(ANSWER_FEATURES)}
_PRIOR = {"router": ROUTER, "validator": VALIDATOR}
# A lesson on another base's answer, beside one on the own model's.
INHERITED = 0.2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """A head as it stands in a checkpoint.

    Attributes:
        file: Its name; None where nothing was learnt yet.
        cursor: The last lesson that it had taken in.
        view: Which lessons it had learnt from.
    """

    file: str | None
    cursor: int
    view: View


@dataclass(slots=True)
class _Course:
    """What is noted while a head learns from nothing.

    Attributes:
        losses: What each lesson cost its regression before it was learnt, in nats.
        taught: Each lesson as trees take it.
    """

    losses: list[float] = field(default_factory=list)
    taught: list[Taught] = field(default_factory=list)


class Heads:
    """Router and validator of one base lineage."""

    def __init__(self, home: Path, journal: Journal, lineage: str, kind: Kind) -> None:
        self._home = home
        self._folder = home / "heads" / lineage[:16]
        self._journal = journal
        self._lineage = lineage
        self._kind = kind

    def open(self, name: HeadName) -> Head:
        """A head that has taken in every lesson so far."""
        head = self._load(name)
        if head is not None and head.cursor >= self._journal.lessons.last(name, self._lineage):
            return head
        return self.catch_up(name)

    def look(self, name: HeadName) -> Head:
        """The same head for whoever only looks: nothing is written, and no file is set aside."""
        try:
            head = self._read(name)
        except (FileNotFoundError, WrongState):
            return self._learnt(name, _Course())
        self._study(head, name)
        return head

    def catch_up(self, name: HeadName) -> Head:
        """Take in the lessons that are new, one writer at a time, and save."""
        with self._locked():
            known = self._load(name)
            head, before = known, (known.cursor, known.lessons) if known else (0, 0)
            if head is None:
                head = self._learnt(name, _Course())
            else:
                self._study(head, name)
            if (head.cursor, head.lessons) != before:
                head.save(self.file(name))
            if name == "router" and head.lessons > before[1]:
                with contextlib.suppress(OSError):  # a history that nothing rests on
                    metrics.note(self._home, self._journal, self._lineage, self._rates(head))
        return head

    def _rates(self, router: Head) -> dict[str, float | None]:
        """The learning rates, for the metrics; the trainer derives its own from the model's width in each training."""
        rate = router.learner.learning_rate()
        validator = None if rate is None else self._load("validator")
        other = validator.learner.learning_rate() if validator else None
        return {"router_lr": rate, "validator_lr": other, "generator_lr": None}

    def refit(self, name: HeadName, embed: Embed | None = None) -> Fit:
        """Learn every lesson again from nothing, while others go on with the head as it is; how well that went.

        With an embedder, questions from before there was one are embedded first.
        """
        if embed is not None:
            for question in self._journal.lessons.without_embedding():
                self._journal.note_embedding(question, embed(question.text))
        course = _Course()
        head = self._learnt(name, course)
        with self._locked():
            if head.history != self._view(name).number:  # it was reset meanwhile
                course = _Course()
                head = self._learnt(name, course)
            self._study(head, name, course)
            if head.cursor or head.lessons:
                head.save(self.file(name))
        fit = Fit(head.lessons, head.cursor, *_early_and_late(course.losses))
        self._journal.heads.note_refit(self._lineage, name, fit)
        return fit

    def reset(self, name: HeadName) -> Path | None:
        """Begin anew with the next lesson; where the head's file is set aside, None where there was none."""
        last = self._journal.lessons.last(name, self._lineage)
        return self._change(name, View(0, ((last, None),), inherits=False), "reset")

    def learn_all(self, name: HeadName) -> Path | None:
        """Learn from every lesson of the journal again, also from what a reset or a rollback left out."""
        return self._change(name, View(), "all lessons")

    def keep(self, name: HeadName, folder: Path) -> Kept:
        """Put a head into a folder as it is now."""
        self.open(name)
        with self._locked():
            head, view = self._load(name), self._view(name)
            if head is None:
                return Kept(None, view.start, view)
            link_or_copy(self.file(name), folder / self.file(name).name)
        return Kept(self.file(name).name, head.cursor, view)

    def bring_back(self, name: HeadName, source: Path | None) -> Head:
        """Put a kept head in place, after the journal recorded its view; one that fits no longer is learnt again."""
        view = self._view(name)
        if source is not None:
            with self._locked():
                self._take_back(name, source, view)
        return self.catch_up(name)

    def _take_back(self, name: HeadName, source: Path, view: View) -> None:
        try:
            head = Head.load(source, self._kind, _WIDTH[name], _PRIOR[name])
        except (FileNotFoundError, WrongState) as error:
            _log.warning("%s; the %s is learnt again from the journal", error, name)
            return
        head.history, head.cursor = view.number, max(head.cursor, view.start)
        head.save(self.file(name))

    def file(self, name: HeadName) -> Path:
        """Where a head is saved."""
        return self._folder / f"{name}.npz"

    def _change(self, name: HeadName, view: View, why: str) -> Path | None:
        with self._locked():
            self._journal.heads.change(self._lineage, {name: view}, why)
            kept = self._set_aside(name)
        self.catch_up(name)
        return kept

    def _view(self, name: HeadName) -> View:
        return self._journal.heads.view(self._lineage, name)

    def _learnt(self, name: HeadName, course: _Course) -> Head:
        """A head that has learnt all lessons so far from nothing, with its trees."""
        head = self._fresh(name, course)
        self._study(head, name, course)
        head.grow(course.taught)
        return head

    def _fresh(self, name: HeadName, course: _Course) -> Head:
        """A head that knows nothing but what earlier bases left."""
        view = self._view(name)
        head = Head.fresh(self._kind, _WIDTH[name], _PRIOR[name])
        head.history = view.number
        for lesson in self._journal.lessons.inherited(name, self._lineage) if view.inherits else ():
            seen = seen_in(name, lesson)
            if seen is not None:
                course.taught.append(head.learn(seen, lesson.is_good, INHERITED * lesson.weight, cursor=0))
        return head

    def _study(self, head: Head, name: HeadName, course: _Course | None = None) -> None:
        """Take in the lessons that are new to a head."""
        view = self._view(name)
        for after, until in view.spans:
            for lesson in self._journal.lessons.of(name, self._lineage, max(after, head.cursor), until):
                if lesson.answer is not None:
                    self._note_swap(head, lesson.answer)
                _take_in(head, name, lesson, course)
        head.cursor = max(head.cursor, view.start)

    def _note_swap(self, head: Head, answer: Answer) -> None:
        """Tell a head what was active for an answer: adapters that a question chose by its domain are no swap."""
        applied = self._journal.adapters.last_swap(self._lineage, answer.id)
        if head.cursor:
            head.note_applied(applied)
        else:  # what came before are lessons of other bases
            head.applied = applied

    def _load(self, name: HeadName) -> Head | None:
        """The saved head; one that does not fit is set aside."""
        try:
            return self._read(name)
        except FileNotFoundError:
            return None
        except WrongState as error:
            kept = self._set_aside(name)
            _log.warning("%s; it is set aside as %s and learnt again from the journal", error, kept and kept.name)
            return None

    def _read(self, name: HeadName) -> Head:
        """The saved head.

        Raises:
            FileNotFoundError: There is none.
            WrongState: It does not fit.
        """
        head = Head.load(self.file(name), self._kind, _WIDTH[name], _PRIOR[name])
        view = self._view(name)
        if head.cursor > max(view.start, self._journal.lessons.last(name, self._lineage)):
            head.cursor, head.history = 0, view.number  # of a journal that is gone; what was learnt stays
        elif head.history != view.number:  # whoever changed it was killed in between
            raise WrongState(f"{self.file(name)} has learnt from other lessons than are to count")
        return head

    def _set_aside(self, name: HeadName) -> Path | None:
        """Give a head's file a dated name; nothing is deleted."""
        return aside.move(self.file(name))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _take_in(head: Head, name: HeadName, lesson: Lesson, course: _Course | None) -> None:
    """Learn from a lesson; one that nothing was seen of is passed over."""
    seen = seen_in(name, lesson)
    if seen is None:
        head.cursor = lesson.id
        return
    if course is not None:
        p_good = head.by_line(seen)
        course.losses.append(-math.log(max(1e-9, p_good if lesson.is_good else 1 - p_good)))
    taught = head.learn(seen, lesson.is_good, lesson.weight, lesson.id)
    if course is not None:
        course.taught.append(taught)


def _early_and_late(losses: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean loss of the first third of the lessons, and of the last."""
    third = -(-len(losses) // 3)
    return (fmean(losses[:third]), fmean(losses[-third:])) if third else (None, None)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that is only ever replaced a second name; where the file system cannot, copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
